"""NotionAuth on the wire: which requests get the token, and what a 401 does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

import notion_install as ni
from notion_install.httpx import NotionAuth

API = "https://api.notion.com/v1/users/me"


class Stack:
    """Hands out one token after the other: a report of one brings the next."""

    def __init__(self) -> None:
        self.reported: list[str | None] = []

    def invoke(self, invocation: ni.Invocation) -> ni.Reply:
        refused = invocation.payload.get("refused_fingerprint")
        self.reported.append(refused)
        number = int(refused or 0) + 1
        answer = {"access_token": f"ntn_{number}", "fingerprint": str(number), "version": 1, "generation": 1}
        return ni.Reply(json.dumps(answer).encode())


class AsyncStack(Stack):
    async def invoke(self, invocation: ni.Invocation) -> ni.Reply:  # type: ignore[override]
        return super().invoke(invocation)


class Wire(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The hosts at the other end, and what they were sent."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.sent: list[tuple[str, str | None, bytes]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        return self.receive(request, b"".join(request.stream))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return self.receive(request, b"".join([chunk async for chunk in request.stream]))

    def receive(self, request: httpx.Request, content: bytes) -> httpx.Response:
        self.sent.append((request.url.host, request.headers.get("authorization"), content))
        return self.answer(request)


def send(
    kind: str, wire: Wire, url: str = API, base_url: str = "https://api.notion.com", **how: Any
) -> tuple[int, Stack]:
    """One request by a client of httpx: the status, and the stack that was asked for tokens."""
    if kind == "threads":
        stack = Stack()
        auth = NotionAuth(ni.NotionInstall(stack), "anna", base_url=base_url)
        with httpx.Client(transport=wire, auth=auth, follow_redirects=True) as http:
            return http.request("POST", url, **how).status_code, stack
    stack = AsyncStack() if kind == "asyncio" else Stack()
    client = ni.AsyncNotionInstall(stack) if kind == "asyncio" else ni.NotionInstall(stack)
    auth = NotionAuth(client, "anna", base_url=base_url)

    async def run() -> int:
        async with httpx.AsyncClient(transport=wire, auth=auth, follow_redirects=True) as http:
            return (await http.request("POST", url, **how)).status_code

    return asyncio.run(run()), stack


@pytest.fixture(params=["threads", "asyncio", "threads beside a loop"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def answers(*statuses: int) -> Callable[[httpx.Request], httpx.Response]:
    left = list(statuses)
    return lambda _: httpx.Response(left.pop(0))


def test_the_token_is_set(kind: str) -> None:
    wire = Wire(answers(200))
    status, stack = send(kind, wire, content=b"body")
    assert (status, wire.sent, stack.reported) == (200, [("api.notion.com", "Bearer ntn_1", b"body")], [None])


def test_401_is_reported_once_and_the_request_repeated(kind: str) -> None:
    wire = Wire(answers(401, 200))
    status, stack = send(kind, wire, content=b"body")
    assert status == 200
    assert [authorization for _, authorization, _ in wire.sent] == ["Bearer ntn_1", "Bearer ntn_2"]
    assert [content for *_, content in wire.sent] == [b"body", b"body"]
    assert stack.reported == [None, "1"]


def test_401_twice_is_the_callers(kind: str) -> None:
    wire = Wire(answers(401, 401))
    status, stack = send(kind, wire)
    assert (status, len(wire.sent), stack.reported) == (401, 2, [None, "1"])


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 503])
def test_other_answers_say_nothing_about_the_token(kind: str, status: int) -> None:
    wire = Wire(answers(status))
    answered, stack = send(kind, wire)
    assert (answered, stack.reported) == (status, [None])


def test_a_body_that_can_be_read_only_once_is_repeated(kind: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"one", b"two")

    async def async_chunks() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    wire = Wire(answers(401, 200))
    status, _ = send(kind, wire, content=chunks() if kind == "threads" else async_chunks())
    assert status == 200
    assert [content for *_, content in wire.sent] == [b"onetwo", b"onetwo"]


@pytest.mark.parametrize(
    "url",
    [
        "https://files.notion.com/a",
        "https://api.notion.com.evil.example/v1/users/me",
        "https://api.notion.com:8443/v1/users/me",
        "http://api.notion.com/v1/users/me",
        "https://api.notion.com@evil.example/v1/users/me",
    ],
)
def test_no_other_host_port_or_scheme_gets_the_token(kind: str, url: str) -> None:
    wire = Wire(answers(401))
    status, stack = send(kind, wire, url)
    assert (status, len(wire.sent), stack.reported) == (401, 1, [])
    # What the address itself says is not ours to take away.
    assert "Bearer" not in str(wire.sent)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "http://api.notion.com/", "https://api.notion.com:1/"])
def test_a_redirect_elsewhere_does_not_take_the_token_along(kind: str, elsewhere: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_api = str(request.url) == API
        return httpx.Response(307, headers={"location": elsewhere}) if is_api else httpx.Response(401)

    wire = Wire(answer)
    status, stack = send(kind, wire)
    # The 401 is not about the token: nothing is reported.
    assert (status, stack.reported) == (401, [None])
    assert [authorization for _, authorization, _ in wire.sent] == ["Bearer ntn_1", None]


def test_a_redirect_within_the_api_keeps_the_token(kind: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_old = request.url.path == "/v1/users/me"
        return httpx.Response(307, headers={"location": "/v1/users/you"}) if is_old else httpx.Response(200)

    wire = Wire(answer)
    assert send(kind, wire)[0] == 200
    assert [authorization for _, authorization, _ in wire.sent] == ["Bearer ntn_1", "Bearer ntn_1"]


def test_an_authorization_of_its_own_stays(kind: str) -> None:
    """Such as notion-client's ``oauth.token(client_id, client_secret, …)``."""
    wire = Wire(answers(401))
    status, stack = send(kind, wire, headers={"authorization": "Basic own"})
    assert (status, stack.reported) == (401, [])
    assert [authorization for _, authorization, _ in wire.sent] == ["Basic own"]


def test_another_base_url(kind: str) -> None:
    wire = Wire(answers(200))
    send(kind, wire, "http://127.0.0.1:3001/v1/users/me", "http://127.0.0.1:3001/")
    assert wire.sent[0][1] == "Bearer ntn_1"


def test_no_token_no_request() -> None:
    class Nobody:
        def invoke(self, _: ni.Invocation) -> ni.Reply:
            return ni.Reply(b'{"error": "not_installed", "install_url": "https://connect.example.com/install"}')

    wire = Wire(answers())
    auth = NotionAuth(ni.NotionInstall(Nobody()), "anna")
    with httpx.Client(transport=wire, auth=auth) as http, pytest.raises(ni.NotInstalled):
        http.get(API)
    assert wire.sent == []


def test_an_async_client_for_a_blocking_one_of_httpx_is_a_mistake() -> None:
    auth = NotionAuth(ni.AsyncNotionInstall(AsyncStack()), "anna")
    with httpx.Client(auth=auth) as http, pytest.raises(TypeError, match="NotionInstall"):
        http.get(API)
