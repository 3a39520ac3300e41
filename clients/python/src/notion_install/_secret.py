"""A text that no log, traceback or serializer shows by accident."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn


class Secret:
    """An access token or a verifier. Shows itself only when asked, by :meth:`get_secret_value` (pydantic's word)."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def get_secret_value(self) -> str:
        """The text itself."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __format__(self, _: str) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash(self.__value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        # A pickle would be the secret in the clear, in a queue or a cache.
        raise TypeError("a Secret is not pickled: keep it in memory, or ask for get_secret_value()")
