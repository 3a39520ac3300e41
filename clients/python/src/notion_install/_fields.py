"""Reads JSON objects that another program wrote, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

T = TypeVar("T")


class NotAsExpected(Exception):
    """A field is missing or of another type. Says nothing of its value, which may be a token."""


class Fields:
    """An object of which some fields have to be there; fields that a later release adds are ignored."""

    __slots__ = ("values",)

    def __init__(self, values: object) -> None:
        if not isinstance(values, dict):
            raise NotAsExpected
        self.values: Mapping[str, Any] = values

    @classmethod
    def parse(cls, payload: bytes) -> Fields:
        try:
            values = json.loads(payload)
        except (ValueError, RecursionError):
            values = None
        # Raised out here: a JSONDecodeError has the payload in it, and would stay behind as the context.
        return cls(values)

    def text(self, name: str) -> str:
        return _required(self.text_or_none(name))

    def text_or_none(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def count(self, name: str) -> int:
        return _required(self.count_or_none(name))

    def count_or_none(self, name: str) -> int | None:
        value = self.values.get(name)
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if is_count else None

    def flag(self, name: str) -> bool:
        return _required(self.flag_or_none(name))

    def flag_or_none(self, name: str) -> bool | None:
        value = self.values.get(name)
        return value if isinstance(value, bool) else None

    def nested_or_none(self, name: str) -> Fields | None:
        value = self.values.get(name)
        return Fields(cast(object, value)) if isinstance(value, dict) else None

    def nested(self, name: str) -> Fields:
        return _required(self.nested_or_none(name))

    def objects(self, name: str) -> tuple[Fields, ...]:
        return tuple(Fields(each) for each in _required(self._list(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(each for each in _required(self._list(name)) if isinstance(each, str))

    def _list(self, name: str) -> list[object] | None:
        value = self.values.get(name)
        return cast(list[object], value) if isinstance(value, list) else None


def _required(value: T | None) -> T:
    if value is None:
        raise NotAsExpected
    return value
