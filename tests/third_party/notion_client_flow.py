"""Completes the flow against the simulated Notion with notion-client, which knows nothing about this project.

Usage: python notion_client_flow.py PATH_TO_SIMULATED_NOTION
"""

import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from notion_client import Client
from notion_client.errors import UnknownHTTPResponseError

CLIENT_ID = "463558a3-725e-4f37-b6d3-0889894f68de"
CLIENT_SECRET = "secret_for_this_test_only"
REDIRECT_URI = "http://localhost:3000/callback"
ADA = "ada00000-0000-4000-8000-000000000001"
ACME = "acae0000-0000-4000-8000-0000000000a1"
ROADMAP = "4ead0000-0000-4000-8000-0000000000b1"


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


def location_of(request):
    """The target of a request's redirect."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)
    try:
        opener.open(request)
    except urllib.error.HTTPError as answer:
        return answer.headers["Location"]
    raise AssertionError(f"{request} is not redirected")


def approve(base_url):
    """Allows as a person would, and returns the authorization code."""
    query = urllib.parse.urlencode(
        {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "owner": "user",
            "state": "opaque",
        }
    )
    consent = urllib.parse.urljoin(base_url, location_of(f"{base_url}/v1/oauth/authorize?{query}"))
    form = f"{query}&person={ADA}&workspace={ACME}&page={ROADMAP}&decision=allow"
    back = location_of(urllib.request.Request(consent.split("?")[0], data=form.encode()))
    assert back.startswith(REDIRECT_URI), back
    answer = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)
    assert answer["state"] == ["opaque"], answer
    return answer["code"][0]


def refused(call, **arguments):
    """Whether the service rejects a call with RFC 6749's invalid_grant (this client knows only Notion's envelope)."""
    try:
        call(CLIENT_ID, CLIENT_SECRET, **arguments)
    except UnknownHTTPResponseError as error:
        return error.status == 400 and '"invalid_grant"' in error.body
    return False


def main(simulator):
    command = [simulator, "--port", "0", "--client-id", CLIENT_ID, "--redirect-uri", REDIRECT_URI]
    environment = {"NOTION_CLIENT_SECRET": CLIENT_SECRET}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        base_url = process.stdout.readline().split()[-1]
        oauth = Client(base_url=base_url).oauth
        code = approve(base_url)

        first = oauth.token(
            CLIENT_ID, CLIENT_SECRET, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI
        )
        assert first["token_type"] == "bearer" and first["owner"]["user"]["id"] == ADA, "token"
        assert first["workspace_id"] == ACME and "expires_in" not in first, "token"
        assert refused(
            oauth.token, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI
        ), "a code works once"
        print("ok: token")

        me = Client(auth=first["access_token"], base_url=base_url).users.me()
        assert me["object"] == "user", "users/me"
        print("ok: users/me")

        second = oauth.token(
            CLIENT_ID, CLIENT_SECRET, grant_type="refresh_token", refresh_token=first["refresh_token"]
        )
        assert second["access_token"] != first["access_token"], "refresh"
        assert second["refresh_token"] != first["refresh_token"], "refresh"
        assert refused(
            oauth.token, grant_type="refresh_token", refresh_token=first["refresh_token"]
        ), "a refresh token works once"
        print("ok: refresh")

        assert oauth.introspect(CLIENT_ID, CLIENT_SECRET, token=second["access_token"])["active"] is True
        assert oauth.introspect(CLIENT_ID, CLIENT_SECRET, token=first["access_token"])["active"] is False
        print("ok: introspect")

        oauth.revoke(CLIENT_ID, CLIENT_SECRET, token=second["access_token"])
        assert oauth.introspect(CLIENT_ID, CLIENT_SECRET, token=second["access_token"])["active"] is False
        print("ok: revoke")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main(sys.argv[1])
