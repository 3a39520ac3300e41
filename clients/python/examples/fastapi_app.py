"""A small app whose users connect Notion: in this window or in one of its own, with settings, calls and webhooks.

pip install fastapi uvicorn notion-client 'notion-install[boto3]'  # from where: README.md
uvicorn fastapi_app:app --no-access-log  # the address of /back has a code in it

The environment: STACK_URL (the stack's output InstallUrl without /install), WEBHOOK_SECRET, AWS credentials and
AWS_DEFAULT_REGION; NOTION_URL for a simulated Notion. The stack's return destination ``app`` is this app's /back, its
WebhookUrl this app's /webhooks/notion. Against the dev stack:

RETURN_DESTINATIONS=app=http://localhost:8000/back cargo run -- --webhook-url http://localhost:8000/webhooks/notion
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from typing import Annotated
from urllib.parse import urlencode

import boto3
import httpx
import notion_client
from fastapi import Cookie, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.base import RequestResponseEndpoint

import notion_install as ni
from notion_install.httpx import NotionAuth
from notion_install.sigv4 import signed_send

STACK_URL = os.environ["STACK_URL"]
NOTION_URL = os.environ.get("NOTION_URL", "https://api.notion.com")
WEBHOOK_SECRET = os.environ["WEBHOOK_SECRET"]

app = FastAPI()
stack = ni.NotionInstall(ni.SignedRoutes(STACK_URL, signed_send(boto3.Session())), caller="my app")


@dataclass
class Session:
    """Kept on the server. The browser has its name in a cookie."""

    user: str
    begun: dict[str, tuple[ni.Begun, bool]] = field(default_factory=dict)
    """Connects that have begun, by state: two tabs may each have one. And whether it is in a window of its own."""
    said: str = ""


sessions: dict[str, Session] = {}  # your framework has its own
known_events: set[str] = set()  # in production: a unique column, written in one transaction with your work
newest: dict[str, tuple[int, int]] = {}  # generation and version by installation; in production: columns of your row
news: dict[str, list[str]] = {}  # what has happened, by user


def logged_in(session: Annotated[str | None, Cookie()] = None) -> Session:
    if session not in sessions:
        raise HTTPException(401, "Who are you?")
    return sessions[session]


User = Annotated[Session, Depends(logged_in)]


@app.middleware("http")
async def nothing_is_kept(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update({"referrer-policy": "no-referrer", "cache-control": "no-store"})
    return response


@app.post("/login")
def log_in(user: str) -> Response:
    """Stands for your own login."""
    name = secrets.token_urlsafe(32)
    sessions[name] = Session(user)
    response = RedirectResponse("/", 303)
    # Lax: Notion sends the browser back by a cross-site navigation. Forms of other sites are sent without it.
    response.set_cookie("session", name, httponly=True, samesite="lax")
    return response


@app.get("/connect")
def connect(session: User, popup: bool = False, expect: str | None = None) -> Response:
    """The button "Connect Notion"; with ``expect``, "Reconnect"."""
    begun = ni.begin(f"{STACK_URL}/install", "app", expect=expect)
    session.begun[begun.state] = (begun, popup)
    return RedirectResponse(begun.url, 302)


@app.get("/back")
def back(request: Request, session: User) -> Response:
    """The return destination: claims for the user who is logged in."""
    begun, in_popup = session.begun.pop(request.query_params.get("state", ""), (None, False))
    if begun is None:
        raise HTTPException(400, "You did not begin this connection here.")
    then = STAY_OPEN
    try:
        connected = stack.claim(begun.code_from(request.query_params), begun.verifier, session.user)
        session.said = f"Connected to {connected.workspace_name} as {connected.user_name}"
        then = CLOSE
    except ni.NotConnected as error:
        session.said = f"Not connected ({error.reason})"
    except ni.DifferentAccount as error:
        # An app may ask here, and claim again with accept_different_account=True.
        session.said = f"That was {error.actual.user_name} in {error.actual.workspace_name}: nothing was changed"
    except ni.NotionInstallError as error:
        session.said = f"Not connected: {error}"
    if in_popup:
        return HTMLResponse(POPUP.format(said=escape(session.said), then=then))
    return RedirectResponse("/", 303)  # so that the code does not stay in the address bar


@app.get("/")
def settings(session: Annotated[str | None, Cookie()] = None) -> HTMLResponse:
    """The settings page. ``subjects`` names other users, so it is not shown."""
    if session not in sessions:
        return HTMLResponse(LOGIN)
    user = sessions[session].user
    said, sessions[session].said = sessions[session].said, ""
    cards = "".join(card(each) for each in stack.installations(user).installations) or "<p>Nothing is connected.</p>"
    items = "".join(f"<li>{escape(each)}</li>" for each in news.get(user, []))
    return HTMLResponse(SETTINGS.format(user=escape(user), said=escape(said), cards=cards, news=items))


@app.post("/call-notion")
def call_notion(session: User, workspace_id: str, user_id: str = "") -> Response:
    """Calls Notion as the user. A 401 is reported once by NotionAuth, and the call repeated."""
    auth = NotionAuth(stack, person(session, workspace_id, user_id), base_url=NOTION_URL)
    try:
        with httpx.Client(auth=auth) as http:
            notion = notion_client.Client(client=http, base_url=NOTION_URL, notion_version="2026-03-11")
            session.said = f"Notion says: {len(notion.search()['results'])} pages and databases"
    except (ni.NotInstalled, ni.NeedsReinstall, ni.Removed):
        session.said = "Please connect Notion again"
    except ni.TryLater as error:
        session.said = f"Please try again in {error.retry_after_secs} seconds"
    return RedirectResponse("/", 303)


@app.post("/disconnect")
def disconnect(session: User, workspace_id: str, user_id: str = "") -> Response:
    with suppress(ni.NotInstalled):  # it was disconnected before
        stack.disconnect(person(session, workspace_id, user_id))
    session.said = "Disconnected"
    return RedirectResponse("/", 303)


@app.post("/webhooks/notion")
async def webhook(request: Request) -> Response:
    """Answers at once. The body is verified as it came, before anything parses it."""
    try:
        event = ni.verify_webhook(request.headers, await request.body(), WEBHOOK_SECRET)
    except ni.InvalidWebhook:
        return Response(status_code=401)
    if event.id in known_events:
        return Response(status_code=204)
    known_events.add(event.id)
    if isinstance(event, ni.InstallationEvent):
        order = (event.generation, event.version)
        if order >= newest.get(event.installation, order):  # otherwise it is late
            newest[event.installation] = order
            for user in event.subjects:
                news.setdefault(user, []).append(event.type)
    return Response(status_code=204)


def person(session: Session, workspace_id: str, user_id: str) -> ni.Person:
    """One of the user's own installations, whatever the form says."""
    return ni.Person(session.user, workspace_id, user_id or ni.THE_WORKSPACE)


def card(installation: ni.Installation) -> str:
    named = urlencode({"workspace_id": installation.workspace_id, "user_id": installation.user_id or ""})
    return CARD.format(
        workspace=escape(installation.workspace_name or installation.workspace_id),
        health=escape(installation.health),
        named=escape(named),
        expect=escape(urlencode({"expect": installation.id})),
    )


LOGIN = """<!doctype html><html lang="en"><title>My app</title>
<form method="post" action="/login?user=anna"><button>Log in as anna</button></form>
<form method="post" action="/login?user=berta"><button>Log in as berta</button></form>
"""
SETTINGS = """<!doctype html><html lang="en"><title>My app</title>
<h1>{user}</h1><p role="status">{said}</p>
<p><a href="/connect">Connect Notion</a> <button id="popup">Connect in a window of its own</button></p>
{cards}<ul>{news}</ul>
<script>
// Notion's pages cut window.opener, so the return page speaks through a channel of this app's own origin.
new BroadcastChannel("notion").onmessage = () => location.reload();
popup.onclick = () => window.open("/connect?popup=1", "notion", "popup,width=560,height=760");
</script>
"""
CARD = """<section><h2>{workspace}</h2><p>{health}</p>
<form method="post" action="/call-notion?{named}"><button>Call Notion as me</button></form>
<form method="post" action="/disconnect?{named}"><button>Disconnect</button></form>
<a href="/connect?{expect}">Reconnect</a></section>
"""
POPUP = """<!doctype html><html lang="en"><title>My app</title>
<p role="status">{said}. You can close this window.</p>
<script>
history.replaceState(null, "", "/back");
{then}
</script>
"""
CLOSE = """new BroadcastChannel("notion").postMessage("done");
window.close();"""
STAY_OPEN = "// What went wrong is to be read."
