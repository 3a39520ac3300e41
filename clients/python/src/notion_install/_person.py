"""Whose token, whose installations."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

_UUID = re.compile(r"[0-9a-f]{32}")


class Owner(enum.Enum):
    """Who owns an installation, if no user does."""

    WORKSPACE = "workspace"


THE_WORKSPACE: Final = Owner.WORKSPACE
"""In place of a ``user_id``: the installation that belongs to the workspace itself."""

UserId: TypeAlias = "str | Literal[Owner.WORKSPACE]"


@dataclass(frozen=True, slots=True)
class Person:
    """By your own name for a user (``subject``), or by Notion's ids (``workspace_id`` and ``user_id``).

    A subject with several installations needs ``workspace_id`` too, and ``user_id`` if two are in one workspace.
    A UUID is the same id with or without dashes, in upper or lower case.
    """

    subject: str | None = None
    workspace_id: str | None = None
    user_id: UserId | None = None

    def __post_init__(self) -> None:
        if self.subject is None and (self.workspace_id is None or self.user_id is None):
            raise ValueError("a person is a subject, or a workspace_id with a user_id (or THE_WORKSPACE)")
        if self.workspace_id is not None:
            object.__setattr__(self, "workspace_id", canonical(self.workspace_id))
        if isinstance(self.user_id, str):
            object.__setattr__(self, "user_id", canonical(self.user_id))

    def fields(self) -> dict[str, Any]:
        """The fields of a payload that name this person."""
        named: dict[str, Any] = {}
        if self.subject is not None:
            named["subject"] = self.subject
        if self.workspace_id is not None:
            named["workspace_id"] = self.workspace_id
        if self.user_id is not None:
            named["user_id"] = None if self.user_id is THE_WORKSPACE else self.user_id
        return named


PersonOrSubject: TypeAlias = "Person | str"
"""A person. A text is a subject."""


def person_of(person: PersonOrSubject) -> Person:
    """A text is a subject."""
    return Person(subject=person) if isinstance(person, str) else person


def canonical(an_id: str) -> str:
    """A UUID as Notion's API writes it; any other text as it is."""
    digits = an_id.replace("-", "").lower()
    if not _UUID.fullmatch(digits):
        return an_id
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
