"""What the replays in threads and in asyncio share: the clock, the scripted stack, and comparing."""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections import Counter
from threading import Lock
from typing import Any

import notion_install as ni
from notion_install._core import Core

KINDS = {
    ni.InstallationEvent: "installation",
    ni.ForgottenEvent: "forgotten",
    ni.InstallEvent: "install",
    ni.OnboardingEvent: "onboarding",
    ni.UnknownEvent: "unknown",
}


class SteppedClock:
    """Stands still until a step moves it. Its two clocks differ, as the real ones do."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def time(self) -> float:
        return self.now_ms / 1000

    def monotonic(self) -> float:
        return (self.now_ms - 1_700_000_000_000) / 1000


class Draws:
    """The random bytes of a vector, in order."""

    def __init__(self, random_hex: str) -> None:
        self.left = bytes.fromhex(random_hex)

    def __call__(self, count: int) -> bytes:
        drawn, self.left = self.left[:count], self.left[count:]
        assert len(drawn) == count, "more is drawn than the vector has"
        return drawn


class Callers:
    """Counts the callers who wait for an invocation that is under way."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._seek = core.seek
        self._lock = Lock()
        self._asked: Counter[object] = Counter()
        core.seek = self.seek  # type: ignore[method-assign]

    def seek(self, person: ni.Person, refused: str | None) -> Any:
        found = self._seek(person, refused)
        with self._lock:
            self._asked[found[0]] += 1
        return found

    def waiting(self) -> int:
        return sum(self._asked[flight] for flight in list(self._core._flights.values()))


class NoNetwork(Exception):
    """Stands for what an SDK raises."""


def reply(invocation: dict[str, Any]) -> ni.Reply:
    """What the stack is scripted to answer."""
    request_id = invocation.get("request_id")
    if "not_reached" in invocation:
        raise NoNetwork("connection refused")
    if "function_error" in invocation:
        return ni.Reply(b'{"errorType": "Panic"}', has_failed=True, request_id=request_id)
    text = invocation["answer_text"] if "answer_text" in invocation else json.dumps(invocation["answer"])
    return ni.Reply(text.encode(), request_id=request_id)


def person(fields: dict[str, Any]) -> ni.Person:
    named = dict(fields)
    if "user_id" in named and named["user_id"] is None:
        named["user_id"] = ni.THE_WORKSPACE
    return ni.Person(**named)


def token(fields: dict[str, Any]) -> ni.Token:
    return ni.Token(
        ni.Secret(fields["access_token"]), *(fields[each.name] for each in dataclasses.fields(ni.Token)[1:])
    )


def begin(arguments: dict[str, Any], draws: Draws) -> dict[str, Any]:
    begun = ni.begin(**arguments, random_bytes=draws)
    assert begun.state not in repr(begun)
    return plain(begun)


def code_from(arguments: dict[str, Any]) -> dict[str, Any]:
    begun = ni.Begun(arguments["url"], ni.Secret(""), arguments["state"])
    return {"code": begun.code_from(arguments["query"])}


def installations(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the method: all of a workspace, or a person."""
    named = {name: value for name, value in arguments.items() if name != "after"}
    after = {name: value for name, value in arguments.items() if name == "after"}
    return {**named, **after} if set(named) == {"workspace_id"} else {"person": person(named), **after}


def webhook(arguments: dict[str, Any], clock: SteppedClock) -> dict[str, Any]:
    event = ni.verify_webhook(arguments["headers"], arguments["body"], arguments["secrets"], now=clock.time())
    # A body may come as text or as bytes.
    body = arguments["body"].encode()
    assert event == ni.verify_webhook(
        arguments["headers"], body, map(ni.Secret, arguments["secrets"]), now=clock.time()
    )
    data = plain(event)
    for common in ("id", "type", "timestamp", "data"):
        del data[common]
    # The onboarding's fields are the event's in the document.
    data.update(data.pop("onboarding", {}))
    return {
        "kind": KINDS[type(event)],
        "id": event.id,
        "type": event.type,
        "timestamp": f"{event.timestamp:%Y-%m-%dT%H:%M:%SZ}",
        # Its attributes; and what it has no attribute for.
        "data": {**event.data, **data},
    }


def plain(value: Any) -> Any:
    """As JSON has it. Asks secrets for what they are, which nothing but a test should do."""
    if isinstance(value, ni.Secret):
        return value.get_secret_value()
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, ni.Installation):
            fields["installation"] = fields.pop("id")
        return fields
    return value


def error(raised: ni.NotionInstallError) -> dict[str, Any]:
    """An error as the vectors have it."""
    fields = {name: plain(value) for name, value in vars(raised).items() if name != "why"}
    for name in ("installations", "expected", "actual"):
        listed = fields.get(name)
        for each in listed if isinstance(listed, list) else [listed] if listed else []:
            # The vectors have no more than the answers of these errors.
            del each["version"], each["onboarding"]
    return {"name": type(raised).__name__, **fields}


def compare(step: dict[str, Any], outcome: Any) -> None:
    """Compares with a result or an error, and looks for secrets in what a program may print."""
    if isinstance(outcome, ni.NotionInstallError):
        assert "error" in step, f"raised {outcome!r}"
        assert error(outcome) == step["error"]
        assert isinstance(outcome.__cause__, NoNetwork) == isinstance(outcome, ni.NotReached)
        printed = f"{outcome} {outcome!r} {''.join(traceback.format_exception(outcome))}"
    else:
        assert "error" not in step, f"should have raised {step['error']}"
        result = plain(outcome)
        if step["call"] == "verify_webhook":
            # Of the data, the listed fields count.
            listed = step["result"]["data"]
            result = {**result, "data": {name: value for name, value in result["data"].items() if name in listed}}
        assert result == step.get("result")
        printed = f"{outcome} {outcome!r}" if step["call"] in {"token", "refused"} else ""
    for secret in secrets_of(step):
        assert secret not in printed, "a secret can be printed"


def secrets_of(step: dict[str, Any]) -> list[str]:
    arguments = step["arguments"]
    found = [arguments.get("code"), arguments.get("verifier"), *arguments.get("secrets", [])]
    for invocation in step.get("invocations", []):
        answer = invocation.get("answer")
        found += [answer.get("access_token")] if isinstance(answer, dict) else [answer]
        found.append(invocation.get("answer_text"))
    return [secret for secret in found if isinstance(secret, str) and len(secret) > 6]
