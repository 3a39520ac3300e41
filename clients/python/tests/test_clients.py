"""What the vectors cannot say: interruptions, secrets in Python's own ways of printing, the shapes of transports."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import io
import json
import pickle
import threading
import traceback
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError, NoRegionError
from replay import Callers

import notion_install as ni
from notion_install._tokens import Tokens
from notion_install.sigv4 import signed_send

TOKEN = {"access_token": "ntn_secret", "fingerprint": "f", "version": 1, "generation": 1}
NAMES = ni.FunctionNames(claim="c", installations="i", token="t", uninstall="u")


def until(holds: Any) -> None:
    tick = threading.Event()
    for _ in range(60_000):
        if holds():
            return
        tick.wait(0.001)
    raise AssertionError("it never came to that")


def test_who_is_interrupted_leaves_the_others_to_go_on() -> None:
    class Stack:
        invoked = 0

        def invoke(self, _: ni.Invocation) -> ni.Reply:
            self.invoked += 1
            if self.invoked == 1:
                until(lambda: callers.waiting() == 3)
                raise KeyboardInterrupt
            return ni.Reply(json.dumps(TOKEN).encode())

    stack = Stack()
    client = ni.NotionInstall(stack)
    callers = Callers(client._core)
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(client.token("anna").fingerprint)
        except KeyboardInterrupt:
            outcomes.append("interrupted")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, outcomes)) == ["f", "f", "interrupted"]
    assert stack.invoked == 2


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_loop_that_ends_leaves_the_client_usable(steps: int) -> None:
    """It may end before the invocation has begun, or while it is under way."""

    class Stack:
        is_stuck = True

        async def invoke(self, _: ni.Invocation) -> ni.Reply:
            if self.is_stuck:
                await asyncio.Event().wait()
            return ni.Reply(json.dumps(TOKEN).encode())

    stack = Stack()
    client = ni.AsyncNotionInstall(stack)

    async def leave() -> None:
        caller = asyncio.create_task(client.token("anna"))
        for _ in range(steps):
            await asyncio.sleep(0)
        assert len(client._core._flights) == 1
        assert not caller.done()
        # As the loop does with what is left when it ends.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(leave())
    assert client._core._flights == {}
    stack.is_stuck = False
    assert asyncio.run(asyncio.wait_for(client.token("anna"), 10)).fingerprint == "f"


def test_the_answer_is_kept_even_if_everybody_gave_up() -> None:
    class Stack:
        invoked = 0

        async def invoke(self, _: ni.Invocation) -> ni.Reply:
            self.invoked += 1
            invoked.set()
            await answers.wait()
            return ni.Reply(json.dumps(TOKEN).encode())

    async def run() -> None:
        caller = asyncio.create_task(client.token("anna"))
        await invoked.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        answers.set()
        assert (await client.token("anna")).fingerprint == "f"
        assert stack.invoked == 1

    stack, invoked, answers = Stack(), asyncio.Event(), asyncio.Event()
    client = ni.AsyncNotionInstall(stack)
    asyncio.run(run())


def test_threads_and_tasks_of_one_client_share() -> None:
    """Even while the loop is blocked by a call that is not awaited: the invocation lands in its thread."""

    class Stack:
        invoked = 0

        def invoke(self, _: ni.Invocation) -> ni.Reply:
            self.invoked += 1
            until(lambda: callers.waiting() == 3)
            return ni.Reply(json.dumps(TOKEN).encode())

    stack = Stack()
    client = ni.NotionInstall(stack)
    callers = Callers(client._core)

    async def run() -> None:
        tasks = [asyncio.create_task(client.for_asyncio().token("anna")) for _ in range(2)]
        await asyncio.sleep(0)
        assert client.token("anna").fingerprint == "f"
        assert [token.fingerprint for token in await asyncio.gather(*tasks)] == ["f", "f"]

    asyncio.run(run())
    assert stack.invoked == 1


def test_a_client_for_threads_does_it_all_for_asyncio() -> None:
    def send(method: str, url: str, body: bytes) -> tuple[int, bytes]:
        assert threading.current_thread() is not threading.main_thread()
        if "disconnect-nobody" in url + body.decode():
            raise OSError("no network")
        return 200, b'{"installations": [], "next": null, "removed": true, "revoked": true, "generation": 1}'

    async def run() -> None:
        client = ni.NotionInstall(ni.SignedRoutes("https://connect.example.com", send)).for_asyncio()
        assert (await client.installations("anna")).installations == ()
        assert (await client.disconnect("anna")).removed
        with pytest.raises(ni.NotReached):
            await client.disconnect("disconnect-nobody")

    asyncio.run(run())


def test_a_loop_without_threads_leaves_no_flight_behind() -> None:
    client = ni.NotionInstall(
        ni.SignedRoutes("https://connect.example.com", lambda *_: (200, json.dumps(TOKEN).encode()))
    )

    async def run() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        with pytest.raises(RuntimeError):
            await client.for_asyncio().token("anna")

    asyncio.run(run())
    assert client.token("anna").fingerprint == "f"


def test_who_shares_an_error_does_not_share_its_traceback() -> None:
    class Stack:
        def invoke(self, _: ni.Invocation) -> ni.Reply:
            until(lambda: callers.waiting() == 2)
            raise OSError("no network")

    client = ni.NotionInstall(Stack())
    callers = Callers(client._core)
    raised: list[BaseException] = []

    def ask() -> None:
        with pytest.raises(ni.NotReached) as error:
            client.token("anna")
        raised.append(error.value)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised[0] is not raised[1]
    assert raised[0].__traceback__ is not raised[1].__traceback__
    assert all(isinstance(error.__cause__, OSError) for error in raised)


def test_a_token_from_before_a_disconnect_is_not_kept() -> None:
    """Neither during the disconnect nor after it, even if somebody asked meanwhile."""

    class Stack:
        def __init__(self) -> None:
            self.invoked: list[str] = []

        def invoke(self, invocation: ni.Invocation) -> ni.Reply:
            self.invoked.append(invocation.function)
            if invocation.function == "uninstall":
                client.token("anna")
                raise OSError("the answer is lost")
            return ni.Reply(json.dumps(TOKEN).encode())

    stack = Stack()
    client = ni.NotionInstall(stack)
    client.token("anna")
    with pytest.raises(ni.NotReached):
        client.disconnect("anna")
    client.token("anna")
    assert stack.invoked == ["token", "uninstall", "token", "token"]


def test_when_the_memory_is_full_the_oldest_goes() -> None:
    tokens = Tokens(max_persons=3)
    for number, subject in enumerate(["a", "b", "a", "c", "d"]):
        tokens.put(ni.Person(subject), f"refused {number}", 0, 100 + number)
    kept = {subject: tokens.get(ni.Person(subject), 0) for subject in "abcd"}
    assert kept == {"a": "refused 2", "b": None, "c": "refused 3", "d": "refused 4"}
    # What is over goes first.
    tokens.put(ni.Person("e"), "refused 5", 103, 200)
    assert [tokens.get(ni.Person(subject), 0) for subject in "acde"] == [None, None, "refused 4", "refused 5"]


@pytest.mark.parametrize("version", [True, -1, 1.5, "1", None, [1]])
def test_a_count_is_a_count(version: object) -> None:
    client = ni.NotionInstall(
        ni.SignedRoutes(
            "https://connect.example.com", lambda *_: (200, json.dumps({**TOKEN, "version": version}).encode())
        )
    )
    with pytest.raises(ni.Unreadable):
        client.token("anna")


def test_a_late_answer_does_not_bring_a_refused_token_back() -> None:
    """A caller asks, another one's report of the very same token overtakes the answer."""

    class Stack:
        def invoke(self, invocation: ni.Invocation) -> ni.Reply:
            if "refused_fingerprint" in invocation.payload:
                return ni.Reply(b'{"error": "try_later", "retry_after_secs": 1, "reason": "busy"}')
            with pytest.raises(ni.TryLater):
                client.refused("anna", refused)
            return ni.Reply(json.dumps(TOKEN).encode())

    client = ni.NotionInstall(Stack())
    refused = ni.Token(ni.Secret("ntn_secret"), "f", 1, 1, None)
    client.token("anna")
    with pytest.raises(ni.TryLater):
        client.token("anna")


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = ni.Secret("ntn_secret")
    token = ni.Token(secret, "f", 1, 1, None)
    begun = ni.begin("https://connect.example.com/install", "app")
    verifier = begun.verifier.get_secret_value()
    printed = (
        f"{secret} {secret!r} {secret!s:>20} {token} {begun} {dataclasses.asdict(token)} {vars(Exception(secret))}"
    )
    assert "ntn_secret" not in printed
    assert verifier not in printed
    assert begun.state not in printed
    assert secret.get_secret_value() == "ntn_secret"
    assert (secret == ni.Secret("ntn_secret"), secret == ni.Secret("other"), secret == "ntn_secret") == (
        True,
        False,
        False,
    )
    assert hash(secret) == hash(ni.Secret("ntn_secret"))
    assert copy.deepcopy(token) == token
    for serialize in (pickle.dumps, json.dumps, lambda value: json.dumps(vars(value))):
        with pytest.raises(TypeError):
            serialize(secret)


def test_a_session_keeps_what_has_begun() -> None:
    begun = ni.begin("https://connect.example.com/base/install", "app")
    kept = json.loads(json.dumps(begun.to_session()))
    assert ni.Begun.from_session(kept) == begun
    query = {"state": begun.state, "iss": "https://connect.example.com"}
    assert ni.Begun.from_session(kept).code_from({**query, "code": "nic_1"}) == "nic_1"
    for wrong in ({"state": ""}, {"state": "ü"}, {"iss": ""}, {"iss": "https://connect.example.com/"}, {}):
        with pytest.raises(ni.InvalidGrant):
            begun.code_from({**query, **({"code": "nic_1"} if wrong else {}), **wrong})
    with pytest.raises(ni.NotConnected) as raised:
        begun.code_from({**query, "error": "access_denied", "error_description": "refused"})
    assert str(raised.value) == "not connected: access_denied (refused)"


@pytest.mark.parametrize(
    "error",
    [
        ni.NotInstalled(None),
        ni.Removed("https://connect.example.com/install"),
        ni.Ambiguous(()),
        ni.TryLater(5, "store"),
        ni.NotReached("403"),
        ni.Unreadable(),
        ni.InvalidWebhook("too_old"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_a_queue(error: ni.NotionInstallError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


def test_an_unreadable_answer_leaves_nothing_behind() -> None:
    class Stack:
        def invoke(self, _: ni.Invocation) -> ni.Reply:
            return ni.Reply(b'{"access_token": "ntn_secret"')

    client = ni.NotionInstall(Stack())
    with pytest.raises(ni.Unreadable) as raised:
        client.token("anna")
    assert raised.value.__context__ is None
    with_locals = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    of_ours = [frame for frame in with_locals.stack if "notion_install" in frame.filename]
    assert of_ours
    assert not any("ntn_secret" in str(frame.locals) for frame in of_ours)


@pytest.mark.parametrize("fields", [{}, {"workspace_id": "w"}, {"user_id": "u"}])
def test_nobody_is_no_person(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="subject"):
        ni.Person(**fields)


class Lambda:
    """What boto3's client answers."""

    def __init__(self, **response: Any) -> None:
        self.response = response
        self.invoked: dict[str, Any] = {}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.invoked = {"FunctionName": FunctionName, "Payload": json.loads(Payload)}
        return {"ResponseMetadata": {"RequestId": "request-1"}, **self.response}


def test_functions_are_invoked_by_name() -> None:
    lambda_client = Lambda(Payload=io.BytesIO(json.dumps(TOKEN).encode()))
    assert ni.NotionInstall(ni.Functions(lambda_client, NAMES)).token("anna").fingerprint == "f"
    assert lambda_client.invoked == {"FunctionName": "t", "Payload": {"subject": "anna"}}


def test_a_function_that_failed() -> None:
    lambda_client = Lambda(Payload=io.BytesIO(b'{"errorMessage": "out of memory"}'), FunctionError="Unhandled")
    with pytest.raises(ni.FunctionFailed) as raised:
        ni.NotionInstall(ni.Functions(lambda_client, NAMES)).token("anna")
    assert raised.value.request_id == "request-1"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"error": "not_installed", "install_url": "i"}', ni.NotInstalled),
        (503, b'{"error": "try_later", "retry_after_secs": 1, "reason": "store"}', ni.TryLater),
        (500, b'{"error": "internal"}', ni.FunctionFailed),
        (403, b'{"message": "Forbidden"}', ni.NotReached),
        (429, b'{"message": "Too Many Requests"}', ni.NotReached),
        (404, b'{"message": "Not Found"}', ni.NotReached),
        (302, b"", ni.NotReached),
        (500, b'{"message": "Internal Server Error"}', ni.FunctionFailed),
        (503, b'{"message": "Service Unavailable"}', ni.FunctionFailed),
        (502, b"<html>", ni.FunctionFailed),
        (200, b"<html>", ni.Unreadable),
    ],
)
def test_what_a_route_answers(status: int, body: bytes, error: type[ni.NotionInstallError]) -> None:
    client = ni.NotionInstall(ni.SignedRoutes("https://connect.example.com/", lambda *_: (status, body)))
    with pytest.raises(error):
        client.token("anna")


def test_what_the_routes_are_sent() -> None:
    sent: list[tuple[str, str, bytes]] = []

    def send(method: str, url: str, body: bytes) -> tuple[int, bytes]:
        sent.append((method, url, body))
        return 200, b'{"installations": [], "next": null, "removed": true, "revoked": true, "generation": 1}'

    client = ni.NotionInstall(ni.SignedRoutes("https://connect.example.com", send), caller="my app")
    client.installations(ni.Person(workspace_id="w", user_id=ni.THE_WORKSPACE), after="n+/=")
    client.disconnect("anna")
    assert sent == [
        (
            "GET",
            "https://connect.example.com/installations?after=n%2B%2F%3D&caller=my%20app&user_id=&workspace_id=w",
            b"",
        ),
        ("POST", "https://connect.example.com/uninstall", b'{"subject": "anna", "caller": "my app"}'),
    ]


def test_whose_installations() -> None:
    client = ni.NotionInstall(ni.SignedRoutes("https://connect.example.com", lambda *_: (200, b"")))
    for nobody in ({}, {"person": "anna", "workspace_id": "w"}):
        with pytest.raises(ValueError, match="whose"):
            client.installations(**nobody)


def test_a_session_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(NoRegionError):
        signed_send(boto3.Session())
    assert callable(signed_send(boto3.Session(), region="eu-central-1"))


def test_a_session_without_credentials() -> None:
    session = boto3.Session(region_name="eu-central-1")
    session.get_credentials = lambda: None
    with pytest.raises(ni.NotReached) as raised:
        ni.NotionInstall(ni.SignedRoutes("https://connect.example.com", signed_send(session))).token("anna")
    assert isinstance(raised.value.__cause__, NoCredentialsError)
