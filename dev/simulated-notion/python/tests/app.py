"""What an app does, with the standard library alone."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from simulated_notion import SimulatedNotion


def call(request: Request) -> tuple[int, dict[str, Any]]:
    try:
        with build_opener(ProxyHandler({})).open(request) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def ask_for_tokens(notion: SimulatedNotion, **body: str) -> tuple[int, dict[str, Any]]:
    credentials = base64.b64encode(f"{notion.client_id}:{notion.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    return call(Request(f"{notion.base_url}/v1/oauth/token", json.dumps(body).encode(), headers))


def exchange(notion: SimulatedNotion, location: str) -> tuple[int, dict[str, Any]]:
    code = parse_qs(urlsplit(location).query)["code"][0]
    return ask_for_tokens(notion, grant_type="authorization_code", code=code, redirect_uri=notion.redirect_uri)


def me(notion: SimulatedNotion, access_token: str) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {access_token}", "Notion-Version": "2026-03-11"}
    return call(Request(f"{notion.base_url}/v1/users/me", headers=headers))
