from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http.client import RemoteDisconnected
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request

import pytest
from app import ask_for_tokens, call, exchange, me

from simulated_notion import ACME, ADA, GLOBEX, HANDBOOK, ControlError, SimulatedNotion


def connected(notion: SimulatedNotion) -> dict[str, str]:
    status, tokens = exchange(notion, notion.approve(f"{notion.authorize_url}&state=s"))
    assert status == 200
    return tokens


def test_a_person_allows_and_the_app_gets_tokens(simulated_notion: SimulatedNotion) -> None:
    location = simulated_notion.approve(f"{simulated_notion.authorize_url}&state=opaque")
    assert location.startswith(simulated_notion.redirect_uri)
    assert parse_qs(urlsplit(location).query)["state"] == ["opaque"]
    status, tokens = exchange(simulated_notion, location)
    assert (status, tokens["workspace_id"], tokens["owner"]["user"]["id"]) == (200, ACME, ADA)
    assert me(simulated_notion, tokens["access_token"])[0] == 200
    assert exchange(simulated_notion, location)[1]["error"] == "invalid_grant"
    assert simulated_notion.count("token") == 2


def test_an_app_may_have_the_address_of_notion_in_its_code(simulated_notion: SimulatedNotion) -> None:
    url = simulated_notion.authorize_url.replace(simulated_notion.base_url, "https://api.notion.com")
    status, tokens = exchange(simulated_notion, simulated_notion.approve(url, workspace=GLOBEX, pages=[HANDBOOK]))
    assert (status, tokens["workspace_id"]) == (200, GLOBEX)


def test_a_person_cancels(simulated_notion: SimulatedNotion) -> None:
    location = simulated_notion.cancel(f"{simulated_notion.authorize_url}&state=s")
    assert parse_qs(urlsplit(location).query)["error"] == ["access_denied"]


def test_each_test_begins_anew(simulated_notion: SimulatedNotion) -> None:
    assert simulated_notion.requests() == []
    tokens = connected(simulated_notion)
    simulated_notion.fault("token", "lost_reply", times=3)
    simulated_notion.switch(rotation="family_revocation")
    simulated_notion.reset()
    assert simulated_notion.requests() == []
    assert me(simulated_notion, tokens["access_token"])[0] == 401
    connected(simulated_notion)


def test_a_code_expires(simulated_notion: SimulatedNotion) -> None:
    location = simulated_notion.approve(f"{simulated_notion.authorize_url}&state=s")
    simulated_notion.advance(timedelta(minutes=11))
    assert exchange(simulated_notion, location)[1]["error"] == "invalid_grant"


def test_the_clock_is_set_to_a_time(simulated_notion: SimulatedNotion) -> None:
    simulated_notion.set_time(datetime(2031, 1, 2, tzinfo=timezone.utc))
    connected(simulated_notion)
    (request,) = simulated_notion.requests("token")
    arrived = datetime.fromtimestamp(request.at_ms / 1000, timezone.utc)
    assert (arrived.year, arrived.month, arrived.day) == (2031, 1, 2)
    with pytest.raises(ValueError, match="time zone"):
        simulated_notion.set_time(datetime(2031, 1, 2))


def test_a_lost_reply_took_effect(simulated_notion: SimulatedNotion) -> None:
    tokens = connected(simulated_notion)
    simulated_notion.fault("token", "lost_reply")
    with pytest.raises(RemoteDisconnected):
        ask_for_tokens(simulated_notion, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert [request.status for request in simulated_notion.requests("token")] == [200, None]
    status, _ = ask_for_tokens(simulated_notion, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 400, "the token is spent"


def test_a_fault_stands_in_for_what_is_missing(simulated_notion: SimulatedNotion) -> None:
    answer = {"object": "comment", "id": "c0ffee00-0000-4000-8000-000000000001"}
    fault = {"response": {"status": 200, "body": answer}}
    simulated_notion.fault(None, fault, method="POST", path="/v1/comments")
    assert call(Request(f"{simulated_notion.base_url}/v1/comments", b"{}")) == (200, answer)


def test_a_removed_connection_gets_401(simulated_notion: SimulatedNotion) -> None:
    tokens = connected(simulated_notion)
    simulated_notion.revoke()
    assert me(simulated_notion, tokens["access_token"])[0] == 401


def test_the_log_shows_secrets_only_when_asked(simulated_notion: SimulatedNotion) -> None:
    tokens = connected(simulated_notion)
    me(simulated_notion, tokens["access_token"])
    (request,) = simulated_notion.requests("users_me")
    assert tokens["access_token"] not in str(request.headers) + repr(request)
    assert request.headers["notion-version"] == "2026-03-11"
    (request,) = simulated_notion.requests("users_me", secrets=True)
    assert request.headers["authorization"] == f"Bearer {tokens['access_token']}"
    (request,) = simulated_notion.requests("token")
    assert request.json()["grant_type"] == "authorization_code"


def test_what_is_not_accepted_is_said(simulated_notion: SimulatedNotion) -> None:
    with pytest.raises(ControlError, match="endpoint"):
        simulated_notion.fault("tokens", "lost_reply")
    with pytest.raises(ControlError, match="authorize_url"):
        simulated_notion.approve("https://example.com/")
