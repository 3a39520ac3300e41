"""Replays the vectors with AsyncNotionInstall. Concurrent callers are tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import replay
import vectors

import notion_install as ni
from notion_install._core import Core

VECTORS = vectors.load()


def test_all_are_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nreplaying {len(VECTORS)} vectors in asyncio", end="")
    assert VECTORS


class Stack:
    """Answers as scripted, once as many callers wait as the step has."""

    def __init__(self, player: Player) -> None:
        self.player = player

    async def invoke(self, invocation: ni.Invocation) -> ni.Reply:
        return await self.player.answer(invocation)


class Player:
    def __init__(self, vector: vectors.Vector) -> None:
        given = vector.given
        self.vector = vector
        self.clock = replay.SteppedClock(given["now_ms"])
        self.draws = replay.Draws(given.get("random_hex", ""))
        keep_for = {"keep_for_secs": given["keep_for_ms"] / 1000} if "keep_for_ms" in given else {}
        self.client = ni.AsyncNotionInstall(Stack(self), caller=given.get("caller"), **keep_for)
        self.core: Core = self.client._core
        self.core._clock = self.clock
        self.callers = replay.Callers(self.core)
        self.scripts: list[list[dict[str, Any]]] = []
        self.steps: list[dict[str, Any]] = []
        self.gave_up = asyncio.Event()
        self.sent: dict[str, tuple[set[int], asyncio.Event]] = {}

    async def play_all(self) -> None:
        for step in self.vector.steps:
            await self.play(step)
        assert not self.draws.left, "less is drawn than the vector has"

    async def play(self, step: dict[str, Any]) -> None:
        if "advance_ms" in step:
            self.clock.now_ms += step["advance_ms"]
            return
        self.steps.append(step)
        self.scripts.append(list(step.get("invocations", [])))
        self.gave_up.clear()
        self.sent.clear()
        callers = [asyncio.create_task(self.outcome(step)) for _ in range(step.get("concurrent", 1))]
        if "gives_up" in step:
            await self.until_all_wait(len(callers))
            leaving, callers = callers[: step["gives_up"]], callers[step["gives_up"] :]
            for caller in leaving:
                caller.cancel()
            left = await asyncio.gather(*leaving, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in left)
        self.gave_up.set()
        outcomes = await asyncio.gather(*callers)
        assert self.scripts.pop() == [], "less is invoked than the vector has"
        self.steps.pop()
        for outcome, used in outcomes:
            replay.compare(step, outcome)
            assert used == step.get("used", [])
        assert not self.core._flights, "a flight is left"

    async def outcome(self, step: dict[str, Any]) -> tuple[Any, list[str]]:
        used: list[str] = []
        try:
            return await self.call(step["call"], step["arguments"], used), used
        except ni.NotionInstallError as error:
            return error, used

    async def call(self, name: str, arguments: dict[str, Any], used: list[str]) -> Any:
        person = replay.person(arguments["person"]) if "person" in arguments else None
        match name:
            case "begin":
                return replay.begin(arguments, self.draws)
            case "code_from":
                return replay.code_from(arguments)
            case "verify_webhook":
                return replay.webhook(arguments, self.clock)
            case "claim":
                return await self.client.claim(**arguments)
            case "installations":
                return await self.client.installations(**replay.installations(arguments))
            case "disconnect":
                return await self.client.disconnect(**{**arguments, "person": person})
            case "token":
                return await self.client.token(person)
            case "refused":
                return await self.client.refused(person, replay.token(arguments["token"]))
            case "forget":
                return self.client.forget(person)
            case "call":

                async def request(token: ni.Token) -> dict[str, int]:
                    used.append(token.access_token.get_secret_value())
                    await self.until_all_have_sent(used[-1])
                    status = arguments["notion"][used[-1]]
                    if status == 401:
                        raise ni.Unauthorized
                    return {"status": status}

                return await self.client.call(person, request)
        raise AssertionError(f"this replayer does not know the call {name}")

    async def answer(self, invocation: ni.Invocation) -> ni.Reply:
        assert self.scripts[-1], f"more is invoked than the vector has: {invocation.function}"
        scripted = self.scripts[-1].pop(0)
        step = self.steps[-1]
        assert (invocation.function, invocation.payload) == (scripted["function"], scripted["payload"])
        for each in step.get("meanwhile", []):
            await self.play(each)
        if "concurrent" in step:
            await self.until_all_wait(step["concurrent"])
            await self.gave_up.wait()
        return replay.reply(scripted)

    async def until_all_have_sent(self, token: str) -> None:
        """Callers at the same time: Notion answers when it has got the requests of all of them."""
        senders, all_sent = self.sent.setdefault(token, (set(), asyncio.Event()))
        senders.add(id(asyncio.current_task()))
        if len(senders) == self.steps[-1].get("concurrent", 1):
            all_sent.set()
        await all_sent.wait()

    async def until_all_wait(self, callers: int) -> None:
        for _ in range(10_000):
            if self.callers.waiting() >= callers:
                return
            await asyncio.sleep(0)
        raise AssertionError("some callers never asked")


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_vector(vector: vectors.Vector) -> None:
    async def run() -> None:
        await Player(vector).play_all()

    asyncio.run(run())
