"""The control of a running simulator over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener


class ControlError(Exception):
    """What the simulator did not accept, in its own words."""


@dataclass(frozen=True)
class RecordedRequest:
    """A request that the simulator received. Secrets are redacted unless asked for."""

    number: int
    """Counted from 1 since the start or the last reset."""
    endpoint: str | None
    """As in faults: ``token``, ``create_page``; ``None`` for a path that Notion does not have."""
    method: str
    path: str
    query: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    """With names in lower case."""
    body: str = field(repr=False)
    status: int | None
    """``None`` while there is no answer, and if there never was one."""
    connection_number: int
    """The TCP connection, counted from 1."""
    at_ms: int
    """Unix milliseconds by the simulator's clock."""

    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


class Control:
    """Calls the control of one simulator. Proxies are ignored: it runs on this machine."""

    def __init__(self, base_url: str) -> None:
        """Speak to the simulator at this address."""
        self._base_url = base_url
        self._opener = build_opener(ProxyHandler({}))

    def get(self, path: str, **query: str | int | bool | None) -> Any:
        """Ask for a path; parameters that are ``None`` are left out."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        text = urlencode({name: value for name, value in given.items() if value is not None})
        return self._send(Request(f"{self._base_url}{path}?{text}" if text else f"{self._base_url}{path}"))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post JSON; the answer, or ``None`` if there is none."""
        headers = {"Content-Type": "application/json"}
        return self._send(Request(f"{self._base_url}{path}", json.dumps(body).encode(), headers, method="POST"))

    def _send(self, request: Request) -> Any:
        request.add_header("Accept", "application/json")
        try:
            with self._opener.open(request) as answer:
                text = answer.read()
        except HTTPError as error:
            with error:
                raise ControlError(_problem(error)) from None
        return json.loads(text) if text else None


def _problem(error: HTTPError) -> str:
    text = error.read().decode(errors="replace")
    if error.code == HTTPStatus.UNPROCESSABLE_ENTITY:
        try:
            said = json.loads(text)
            return f"{said['field']}: {said['error']}" if said.get("field") else str(said["error"])
        except (ValueError, KeyError, AttributeError, TypeError):
            pass
    return f"{error.code} {text}"
