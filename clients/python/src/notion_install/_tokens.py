"""Tokens by person, each kept for a limited time, of a limited number of persons."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from ._errors import Ambiguous, NeedsReinstall, NotInstalled, NotionInstallError, RefusedButAlive, Removed, Unclaimed
from ._facts import Token
from ._person import Person

MAX_PERSONS = 10_000


class Entry(NamedTuple):
    kept: Token | str
    until: float


class Tokens:
    """Of each person the token, or the fingerprint of one that Notion refused until there is another one."""

    ENDED_BY: ClassVar[tuple[type[NotionInstallError], ...]] = (
        NotInstalled,
        NeedsReinstall,
        Removed,
        Unclaimed,
        Ambiguous,
        RefusedButAlive,  # the refused token is still good: it is asked for again
    )
    """Errors after which nothing is kept. The others say nothing about the token."""

    def __init__(self, max_persons: int = MAX_PERSONS) -> None:
        self._entries: dict[Person, Entry] = {}
        self._max_persons = max_persons

    def get(self, person: Person, now: float) -> Token | str | None:
        entry = self._entries.get(person)
        return entry.kept if entry and now < entry.until else None

    def put(self, person: Person, kept: Token | str, now: float, until: float) -> None:
        """Drops the person's earlier entry and all that are over; if it is still full, the one that is over next."""
        self._entries.pop(person, None)
        # Looking at all of them costs little beside the invocation that brought this one.
        self.drop(lambda other: self._entries[other].until <= now)
        if len(self._entries) >= self._max_persons:
            del self._entries[min(self._entries, key=lambda other: self._entries[other].until)]
        if now < until:
            self._entries[person] = Entry(kept, until)

    def drop(self, is_meant: Callable[[Person], bool]) -> None:
        for person in [person for person in self._entries if is_meant(person)]:
            del self._entries[person]
