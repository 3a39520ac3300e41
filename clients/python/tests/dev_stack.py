"""Starts the dev stack, and does what people do: a browser that connects, and Notion when it withdraws a token."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

ADA = "ada00000-0000-4000-8000-000000000001"
ACME = "acae0000-0000-4000-8000-0000000000a1"
GLOBEX = "910be000-0000-4000-8000-0000000000a2"
ROADMAP = "4ead0000-0000-4000-8000-0000000000b1"
HANDBOOK = "4a2d0000-0000-4000-8000-0000000000b4"  # of Globex
NOTION_VERSION = "2026-03-11"
CLIENT_SECRET = "notion-install/client-secret"

# Credentials of the stand-ins: any key, whose secret is "local".
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "backend", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


class DevStack:
    """``dev`` on three free ports; ``back`` is its return destination ``app``."""

    def __init__(self, dev: str, *, back: str = "http://localhost:9/back", webhook_url: str | None = None) -> None:
        port = three_free_ports()
        command = [dev, "--port", str(port), "--no-recipe"]
        command += ["--webhook-url", webhook_url] if webhook_url else []
        self.url = f"http://localhost:{port}"
        self.notion_url = f"http://127.0.0.1:{port + 1}"
        self.aws_url = f"http://127.0.0.1:{port + 2}"
        self.back = back
        self.webhook_secret = ""
        environment = {**os.environ, "RETURN_DESTINATIONS": f"app={back}"}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout
        for line in self._process.stdout:
            secret = re.search(r"WEBHOOK_SECRET=(whsec_\S+)", line)
            self.webhook_secret = secret[1] if secret else self.webhook_secret
            if line.startswith("Press"):
                break
        else:
            raise AssertionError(f"{dev} does not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()

    def environment(self) -> dict[str, str]:
        """For a program that uses the stack."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.aws_url, "STACK_URL": self.url, "NOTION_URL": self.notion_url}

    def withdraw(self, access_token: str) -> None:
        """Notion withdraws an access token; its refresh token stays alive."""
        self.set_switches(revoke_reach="access_token")
        credentials = self._client_credentials()
        answer = httpx.post(f"{self.notion_url}/v1/oauth/revoke", auth=credentials, json={"token": access_token})
        assert answer.status_code == 200, answer.text
        self.set_switches(revoke_reach="pair")

    def set_switches(self, **switches: object) -> None:
        answer = httpx.post(f"{self.notion_url}/control/settings", json=switches)
        assert answer.status_code == 204, answer.text

    def inject(self, endpoint: str, fault: object, times: int = 1) -> None:
        answer = httpx.post(
            f"{self.notion_url}/control/faults", json={"endpoint": endpoint, "fault": fault, "times": times}
        )
        assert answer.status_code == 204, answer.text

    def _client_credentials(self) -> httpx.BasicAuth:
        headers = {"x-amz-target": "secretsmanager.GetSecretValue", "content-type": "application/x-amz-json-1.1"}
        stored = httpx.post(self.aws_url, headers=headers, json={"SecretId": CLIENT_SECRET}).json()
        client_id = dict(parse_qsl(urlsplit(Browser().location(f"{self.url}/install")).query))["client_id"]
        return httpx.BasicAuth(client_id, json.loads(stored["SecretString"])["client_secret"])


class Browser:
    """A person's: follows the links and keeps the cookies."""

    def __init__(self) -> None:
        # Cookies that are Secure are sent to localhost over http, as browsers do and http.cookiejar does not.
        self._cookies: dict[str, dict[str, str]] = {}

    def connect(
        self, url: str, *, person: str = ADA, workspace: str = ACME, page: str = ROADMAP, decision: str = "allow"
    ) -> str:
        """Opens an install URL and decides at Notion. The address that the app's return page is opened with."""
        authorize = self.location(url)
        consent = urljoin(authorize, self.location(authorize))
        form = dict(parse_qsl(urlsplit(authorize).query))
        form.update(person=person, workspace=workspace, page=page, decision=decision)
        callback = self.location(consent.split("?")[0], form)
        return urljoin(callback, self.location(callback))

    def location(self, url: str, form: dict[str, str] | None = None) -> str:
        answer = self.send("POST" if form is not None else "GET", url, form)
        assert answer.is_redirect, f"{urlsplit(url).path}: {answer.status_code}"
        return answer.headers["location"]

    def send(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        cookies = self._cookies.setdefault(urlsplit(url).netloc, {})
        headers = {
            "accept": "text/html",
            "sec-fetch-dest": "document",
            "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "origin": "{0.scheme}://{0.netloc}".format(urlsplit(url)),
        }
        answer = httpx.request(method, url, data=form, headers=headers, timeout=30)
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            cookies[name] = value
        return answer


class Webhooks:
    """The receiving end of the stack's webhooks."""

    def __init__(self) -> None:
        self.got: Queue[tuple[dict[str, str], bytes]] = Queue()
        outer = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.put((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://localhost:{self._server.server_port}/webhooks"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def three_free_ports() -> int:
    """The first of three ports in a row that are free."""
    while True:
        sockets: list[socket.socket] = []
        try:
            first = socket.create_server(("127.0.0.1", 0))
            sockets.append(first)
            port = int(first.getsockname()[1])
            sockets += [socket.create_server(("127.0.0.1", port + more)) for more in (1, 2)]
            return port
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()


def block(file: pathlib.Path, name: str) -> str:
    """A block of code in a document, as it is printed there."""
    found = re.findall(rf"^```\w+ {name}\n(.*?)^```$", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{file.name} has {len(found)} blocks {name}"
    return found[0]


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))
