"""Our own backend: gets tokens through the IAM-authorised route and by direct invocation, and uninstalls."""

import http.client
import json
import re
from urllib.parse import quote, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from person import ACME, ADA, Answer
from tools import ROOT, check

# Whose tokens.
WHO = {"workspace_id": ACME, "user_id": ADA}
NOTION_VERSION = "2022-06-28"
# The one that the simulated Notion has content for.
CONTENT_VERSION = "2026-03-11"
# The names in the guide, and the resources that they stand for.
ROUTES = ("POST/claim", "GET/installations", "GET/events", "POST/token", "POST/uninstall")
NAMED = {
    **{
        f"arn:aws:execute-api:REGION:ACCOUNT:API/*/{route}": f"arn:aws:execute-api:us-east-1:*:{{HttpApi}}/*/{route}"
        for route in ROUTES
    },
    **{
        f"the {name} function": f"arn:aws:lambda:us-east-1:*:function:{{{name.capitalize()}Function}}"
        for name in ("claim", "installations", "feed", "token", "uninstall")
    },
}


def documented():
    """(action, resource) for a backend, as in docs/deploy.md."""
    rows = re.findall(
        r"^\| [^|]+ \| `(execute-api:\w+|lambda:\w+)` \| `?([^|`]+?)`? \|$",
        (ROOT / "docs" / "deploy.md").read_text(),
        re.MULTILINE,
    )
    check({on for _, on in rows} == set(NAMED), f"docs/deploy.md has these permissions for a backend: {rows}")
    return rows


class Backend:
    """A user with the permissions in the guide, or with none."""

    def __init__(self, aws, outputs, resources, name, *, allowed=True):
        self.aws, self.outputs = aws, outputs
        iam = aws.client("iam")
        iam.create_user(UserName=name)
        if allowed:
            statements = [
                {"Effect": "Allow", "Action": action, "Resource": NAMED[on].format(**resources)}
                for action, on in documented()
            ]
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.key = key["AccessKeyId"], key["SecretAccessKey"]

    @classmethod
    def holding(cls, aws, outputs, key):
        """Whoever holds these credentials."""
        backend = cls.__new__(cls)
        backend.aws, backend.outputs, backend.key = aws, outputs, key
        return backend

    def post_token(self, *, signed=True, **wish):
        """`POST /token`."""
        return self.send("POST", self.outputs["TokenUrl"], WHO | wish, signed=signed)

    def post(self, output, **asked):
        """A signed `POST` to the URL in an output."""
        return self.send("POST", self.outputs[output], asked)

    def get(self, output, **asked):
        """A signed `GET`."""
        return self.send("GET", self.outputs[output] + "?" + urlencode(asked, quote_via=quote))

    def send(self, method, url, asked=None, *, signed=True):
        body = None if asked is None else json.dumps(asked)
        request = AWSRequest(method, url, {"content-type": "application/json"}, body)
        if signed:
            SigV4Auth(Credentials(*self.key), "execute-api", "us-east-1").add_auth(request)
        return send(method, url, dict(request.headers.items()), body)

    def token(self, **wish):
        return self.aws.invoke(self.outputs["TokenFunctionName"], WHO | wish, *self.key)

    def uninstall(self, **wish):
        return self.aws.invoke(self.outputs["UninstallFunctionName"], WHO | wish, *self.key)

    def asks_notion(self, vended):
        """The status of Notion's answer to a request with the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.aws.notion_port, timeout=60)
        headers = {"authorization": f"Bearer {vended['access_token']}", "notion-version": NOTION_VERSION}
        connection.request("GET", "/v1/users/me", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def content(self, vended, path, asked=None):
        """Notion's answer to a request with the token: a `POST` of what is asked, otherwise a `GET`."""
        headers = {"authorization": f"Bearer {vended['access_token']}", "notion-version": CONTENT_VERSION}
        url = f"http://127.0.0.1:{self.aws.notion_port}{path}"
        if asked is None:
            answer = send("GET", url, headers, None)
        else:
            answer = send("POST", url, headers | {"content-type": "application/json"}, json.dumps(asked))
        check(answer.status == 200, str(answer))
        return answer.json()


def send(method, url, headers, body):
    """Connects to this machine for any name under `localhost` in the URL (RFC 6761)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(method, target, body, {"host": parts.netloc} | headers)
    response = connection.getresponse()
    answer = Answer(url, response.status, response.getheaders(), response.read().decode())
    connection.close()
    return answer
