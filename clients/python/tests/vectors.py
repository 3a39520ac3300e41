"""The vectors of ``clients/vectors``, read so that nothing unknown is left out."""

from __future__ import annotations

import json
import os
import pathlib
from dataclasses import dataclass
from typing import Any

FOLDER = pathlib.Path(os.environ.get("VECTORS", pathlib.Path(__file__).parents[2] / "vectors"))
AREAS = {
    "begin": 7,
    "returns": 19,
    "claim": 9,
    "installations": 12,
    "disconnect": 14,
    "token": 11,
    "caching": 15,
    "refused": 21,
    "errors": 75,
    "single_flight": 11,
    "webhooks": 59,
}
"""And how many each has at least: a file that shrinks is noticed."""

ARGUMENTS = {
    "begin": {"install_url", "return_to", "expect", "ui_locales"},
    "code_from": {"url", "state", "query"},
    "claim": {"code", "verifier", "subject", "accept_different_account"},
    "installations": {"subject", "workspace_id", "user_id", "after"},
    "disconnect": {"person", "generation", "forget"},
    "token": {"person"},
    "refused": {"person", "token"},
    "call": {"person", "notion"},
    "forget": {"person"},
    "verify_webhook": {"secrets", "headers", "body"},
}
OF_A_CALL = {
    "call", "arguments", "invocations", "result", "error", "used", "concurrent", "gives_up", "meanwhile",
}  # fmt: skip
OF_AN_INVOCATION = {"function", "payload", "answer", "answer_text", "function_error", "not_reached", "request_id"}
OF_GIVEN = {"now_ms", "random_hex", "caller", "keep_for_ms"}


@dataclass(frozen=True)
class Vector:
    area: str
    name: str
    given: dict[str, Any]
    steps: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.area}: {self.name}"

    @property
    def cancels(self) -> bool:
        return any("gives_up" in step for step in self.steps)


def known(what: str, fields: dict[str, Any], names: set[str]) -> None:
    assert not fields.keys() - names, f"{what} has a field that this replayer does not know: {fields.keys() - names}"


def check_step(step: dict[str, Any]) -> None:
    if "advance_ms" in step:
        return known("a step", step, {"advance_ms"})
    known("a call", step, OF_A_CALL)
    known(step["call"], step["arguments"], ARGUMENTS[step["call"]])
    known("a person", step["arguments"].get("person", {}), {"subject", "workspace_id", "user_id"})
    for invocation in step.get("invocations", []):
        known("an invocation", invocation, OF_AN_INVOCATION)
    for each in step.get("meanwhile", []):
        check_step(each)
    return None


def load() -> list[Vector]:
    files = sorted(file for file in FOLDER.glob("*.json") if file.name != "schema.json")
    found = []
    for file in files:
        document = json.loads(file.read_text(encoding="utf-8"))
        known(file.name, document, {"area", "vectors"})
        assert document["area"] == file.stem
        for vector in document["vectors"]:
            known("a vector", vector, {"name", "given", "steps"})
            known("given", vector["given"], OF_GIVEN)
            for step in vector["steps"]:
                check_step(step)
            found.append(Vector(document["area"], **vector))
    counts = {area: sum(vector.area == area for vector in found) for area in {vector.area for vector in found}}
    assert counts.keys() == AREAS.keys(), f"areas: {sorted(counts)}"
    assert all(counts[area] >= AREAS[area] for area in AREAS), counts
    return found
