"""Replays the vectors with NotionInstall. Concurrent callers are threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import replay
import vectors

import notion_install as ni
from notion_install._core import Core

VECTORS = vectors.load()
REPLAYED = [vector for vector in VECTORS if not vector.cancels]
WAIT_SECS = 60


def test_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    left_out = [vector for vector in VECTORS if vector.cancels]
    with capsys.disabled():
        print(f"\nreplaying {len(REPLAYED)} vectors in threads", end="")
        for vector in left_out:
            print(f"\nleft out, because a thread cannot be cancelled: {vector}", end="")
    assert len(left_out) == 2


class Stack:
    """Answers as scripted, once as many callers wait as the step has."""

    def __init__(self, player: Player) -> None:
        self.player = player

    def invoke(self, invocation: ni.Invocation) -> ni.Reply:
        return self.player.answer(invocation)


class Player:
    def __init__(self, vector: vectors.Vector) -> None:
        given = vector.given
        self.clock = replay.SteppedClock(given["now_ms"])
        self.draws = replay.Draws(given.get("random_hex", ""))
        keep_for = {"keep_for_secs": given["keep_for_ms"] / 1000} if "keep_for_ms" in given else {}
        self.client = ni.NotionInstall(Stack(self), caller=given.get("caller"), **keep_for)
        self.core: Core = self.client._core
        self.core._clock = self.clock
        self.callers = replay.Callers(self.core)
        self.scripts: list[list[dict[str, Any]]] = []
        self.steps: list[dict[str, Any]] = []
        for step in vector.steps:
            self.play(step)
        assert not self.draws.left, "less is drawn than the vector has"

    def play(self, step: dict[str, Any]) -> None:
        if "advance_ms" in step:
            self.clock.now_ms += step["advance_ms"]
            return
        self.steps.append(step)
        self.scripts.append(list(step.get("invocations", [])))
        callers = step.get("concurrent", 1)
        # Callers at the same time: Notion answers when it has got the requests of all of them.
        self.all_sent = threading.Barrier(callers, timeout=WAIT_SECS)
        if callers == 1:
            outcomes = [self.outcome(step)]
        else:
            with ThreadPoolExecutor(callers) as pool:
                outcomes = list(pool.map(lambda _: self.outcome(step), range(callers)))
        assert len(outcomes) == callers
        assert self.scripts.pop() == [], "less is invoked than the vector has"
        self.steps.pop()
        for outcome, used in outcomes:
            replay.compare(step, outcome)
            assert used == step.get("used", [])
        assert not self.core._flights, "a flight is left"

    def outcome(self, step: dict[str, Any]) -> tuple[Any, list[str]]:
        used: list[str] = []
        try:
            return self.call(step["call"], step["arguments"], used), used
        except ni.NotionInstallError as error:
            return error, used

    def call(self, name: str, arguments: dict[str, Any], used: list[str]) -> Any:
        person = replay.person(arguments["person"]) if "person" in arguments else None
        match name:
            case "begin":
                return replay.begin(arguments, self.draws)
            case "code_from":
                return replay.code_from(arguments)
            case "verify_webhook":
                return replay.webhook(arguments, self.clock)
            case "claim":
                return self.client.claim(**arguments)
            case "installations":
                return self.client.installations(**replay.installations(arguments))
            case "disconnect":
                return self.client.disconnect(**{**arguments, "person": person})
            case "token":
                return self.client.token(person)
            case "refused":
                return self.client.refused(person, replay.token(arguments["token"]))
            case "forget":
                return self.client.forget(person)
            case "call":

                def request(token: ni.Token) -> dict[str, int]:
                    used.append(token.access_token.get_secret_value())
                    self.all_sent.wait()
                    status = arguments["notion"][used[-1]]
                    if status == 401:
                        raise ni.Unauthorized
                    return {"status": status}

                return self.client.call(person, request)
        raise AssertionError(f"this replayer does not know the call {name}")

    def answer(self, invocation: ni.Invocation) -> ni.Reply:
        assert self.scripts[-1], f"more is invoked than the vector has: {invocation.function}"
        scripted = self.scripts[-1].pop(0)
        step = self.steps[-1]
        assert (invocation.function, invocation.payload) == (scripted["function"], scripted["payload"])
        assert str(invocation.payload) not in repr(invocation)
        for each in step.get("meanwhile", []):
            self.play_meanwhile(each)
        if "concurrent" in step:
            self.until_all_wait(step["concurrent"])
        return replay.reply(scripted)

    def play_meanwhile(self, step: dict[str, Any]) -> None:
        assert step["call"] == "forget", "this replayer does nothing else meanwhile"
        self.client.forget(replay.person(step["arguments"]["person"]))

    def until_all_wait(self, callers: int) -> None:
        until = threading.Event()
        deadline = WAIT_SECS / 0.001
        while self.callers.waiting() < callers:
            deadline -= 1
            assert deadline, "some callers never asked"
            until.wait(0.001)


@pytest.mark.parametrize("vector", REPLAYED, ids=str)
def test_vector(vector: vectors.Vector) -> None:
    Player(vector)
