"""Runs examples/fastapi_app.py as it stands, beside the dev stack, and drives it as a person's browser does."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from html import unescape

import httpx
import pytest
from dev_stack import ADA, CREDENTIALS, GLOBEX, HANDBOOK, Browser, DevStack, three_free_ports

EXAMPLE = pathlib.Path(__file__).parents[1] / "examples" / "fastapi_app.py"


class App:
    """The example, its stack, and one person's browser."""

    def __init__(self, dev: str, folder: pathlib.Path) -> None:
        shutil.copy(EXAMPLE, folder)
        port = three_free_ports()
        self.url = f"http://localhost:{port}"
        self.stack = DevStack(dev, back=f"{self.url}/back", webhook_url=f"{self.url}/webhooks/notion")
        environment = {
            **os.environ,
            **CREDENTIALS,
            "STACK_URL": self.stack.url,
            "NOTION_URL": self.stack.notion_url,
            "WEBHOOK_SECRET": self.stack.webhook_secret,
        }
        command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--no-access-log"]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stderr=self._log, stdout=self._log)
        self.browser = Browser()
        until(self.is_up)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self.stack.stop()

    def is_up(self) -> bool:
        assert self._process.poll() is None, "the app ended"
        try:
            return httpx.get(self.url).status_code == 200
        except httpx.TransportError:
            return False

    def page(self) -> str:
        answer = self.browser.send("GET", self.url)
        assert answer.status_code == 200
        assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
        return unescape(answer.text)

    def press(self, button: str) -> str:
        """A form's button of the settings page. What the page says then."""
        actions = re.findall(rf'action="([^"]*)"><button>{button}<', self.page())
        assert len(actions) == 1, f"{button}: {actions}"
        assert self.browser.location(f"{self.url}{actions[0]}", {}) == "/"
        return self.said()

    def said(self) -> str:
        found = re.search(r'role="status">([^<]*)<', self.page())
        assert found
        return found[1]


def until(holds: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(600):
        if holds():
            return
        tick.wait(0.1)
    raise AssertionError("it never came to that")


@pytest.fixture
def app(dev: str, tmp_path: pathlib.Path) -> Iterator[App]:
    started = App(dev, tmp_path)
    yield started
    started.stop()


def test_the_whole_story(app: App) -> None:
    assert httpx.get(f"{app.url}/connect").status_code == 401
    assert app.browser.location(f"{app.url}/login?user=anna", {}) == "/"
    assert "Nothing is connected" in app.page()

    # Cancel, then connect.
    back = app.browser.connect(app.browser.location(f"{app.url}/connect"), decision="cancel")
    assert app.browser.location(back) == "/"
    assert app.said() == "Not connected (refused)"
    back = app.browser.connect(app.browser.location(f"{app.url}/connect"))
    assert app.browser.location(back) == "/"
    assert app.said() == "Connected to Acme as Ada"
    assert "<h2>Acme</h2><p>active</p>" in app.page()
    assert app.browser.send("GET", back).status_code == 400, "a return works once"

    # What somebody else began binds nobody.
    planted = Browser()
    planted.location(f"{app.url}/login?user=berta", {})
    back = app.browser.connect(planted.location(f"{app.url}/connect"), workspace=GLOBEX, page=HANDBOOK)
    assert app.browser.send("GET", back).status_code == 400
    assert "Globex" not in app.page()

    # Calls Notion, also after Notion has withdrawn all that the app may have kept.
    assert re.fullmatch(r"Notion says: [1-9]\d* pages and databases", app.press("Call Notion as me"))
    token = httpx.post(f"{app.stack.aws_url}/2015-03-31/functions/token/invocations", json={"subject": "anna"}).json()[
        "access_token"
    ]
    app.stack.withdraw(token)
    assert re.fullmatch(r"Notion says: [1-9]\d* pages and databases", app.press("Call Notion as me"))

    # Webhooks arrive; forged ones are refused.
    until(lambda: "installation.claimed" in app.page())
    assert httpx.post(f"{app.url}/webhooks/notion", content=b"{}").status_code == 401

    # Reconnect, in a window of its own; another account is noticed.
    expect = re.search(r'href="(/connect\?expect=[^"]*)"', app.page())
    assert expect
    back = app.browser.connect(app.browser.location(f"{app.url}{expect[1]}&popup=1"))
    popup = app.browser.send("GET", back)
    assert popup.status_code == 200
    assert "Connected to Acme as Ada" in popup.text
    assert 'BroadcastChannel("notion").postMessage' in popup.text
    assert "window.close()" in popup.text
    back = app.browser.connect(app.browser.location(f"{app.url}/connect?popup=1"), decision="cancel")
    popup = app.browser.send("GET", back)
    assert "Not connected (refused)" in popup.text
    assert "window.close()" not in popup.text
    other = app.browser.location(f"{app.url}{expect[1]}")
    back = app.browser.connect(other, workspace=GLOBEX, page=HANDBOOK)
    assert app.browser.location(back) == "/"
    assert app.said() == "That was Ada in Globex: nothing was changed"

    # A person without a way in cannot disconnect somebody else.
    stranger = Browser()
    stranger.location(f"{app.url}/login?user=mallory", {})
    named = re.search(r"/disconnect(\?[^\"]*)", app.page())
    assert named
    assert ADA in named[1]
    stranger.location(f"{app.url}/disconnect{named[1]}", {})
    assert "<h2>Acme</h2><p>active</p>" in app.page()

    assert app.press("Disconnect") == "Disconnected"
    assert "Nothing is connected" in app.page()
    until(lambda: "installation.removed" in app.page())
