"""Why there is no answer. No error has a token, a code, a verifier or a secret in it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

from ._facts import Installation
from ._fields import Fields, NotAsExpected

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E", bound="NotionInstallError")


class NotionInstallError(Exception):
    """The base of all errors of this package."""

    def again(self: E) -> E:
        """A copy to raise: callers who share an invocation must not share a traceback."""
        again = copy.copy(self)
        again.__cause__, again.__traceback__ = self.__cause__, None
        return again


class NotInstalled(NotionInstallError):
    """Nothing is connected: let the user connect. Without an app, send the person to ``install_url``."""

    def __init__(self, install_url: str | None) -> None:
        super().__init__(install_url)
        self.install_url = install_url

    def __str__(self) -> str:
        return "not installed: let the user connect"


class NeedsReinstall(NotionInstallError):
    """The grant is dead at Notion: let the user connect again."""

    def __init__(self, install_url: str) -> None:
        super().__init__(install_url)
        self.install_url = install_url

    def __str__(self) -> str:
        return "the grant is dead: let the user connect again"


class Removed(NotionInstallError):
    """The installation was removed on purpose: stop asking. The person may connect again."""

    def __init__(self, install_url: str) -> None:
        super().__init__(install_url)
        self.install_url = install_url

    def __str__(self) -> str:
        return "the installation was removed: the person may connect again"


class Unclaimed(NotionInstallError):
    """An app asked for the installation, and has not claimed it yet."""

    def __str__(self) -> str:
        return "the installation is not claimed yet"


class Ambiguous(NotionInstallError):
    """The subject has several ``installations``: name one, by its workspace and if need be its user."""

    def __init__(self, installations: tuple[Installation, ...]) -> None:
        super().__init__(installations)
        self.installations = installations

    def __str__(self) -> str:
        return f"the subject has {len(self.installations)} installations: name one by its workspace"


class RefusedButAlive(NotionInstallError):
    """Notion says that the token that was reported is alive, so another one would be refused too."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"refused, but alive: {self.message}"


class InvalidGrant(NotionInstallError):
    """The code is unknown, expired or another subject's, or the verifier is another one's: begin again."""

    def __str__(self) -> str:
        return "the code was not accepted: begin again"


class NotConnected(NotionInstallError):
    """The person came back with an error instead of a code (RFC 6749 §4.1.2.1).

    ``reason`` is the ``error_description``: ``refused`` if they pressed Cancel.
    """

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(error, reason)
        self.error = error
        self.reason = reason

    def __str__(self) -> str:
        return f"not connected: {self.error} ({self.reason})"


class TooManySubjects(NotionInstallError):
    """As many users share this installation as can: one has to leave."""

    def __str__(self) -> str:
        return "the installation has no room for another subject"


class DifferentAccount(NotionInstallError):
    """Another person or workspace came back than was expected. Nothing was linked or replaced.

    Ask the user, and claim again with the same code and ``accept_different_account=True``, or leave it. ``expected``
    is None unless it is linked to this subject.
    """

    def __init__(self, expected: Installation | None, actual: Installation) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return "another person or workspace came back than was expected"


class OtherGeneration(NotionInstallError):
    """The installation was installed again since: ``generation`` stands."""

    def __init__(self, generation: int) -> None:
        super().__init__(generation)
        self.generation = generation

    def __str__(self) -> str:
        return f"generation {self.generation} is installed, not the one that was named"


class TryLater(NotionInstallError):
    """It cannot be decided now: ask again after ``retry_after_secs``. Says nothing about the grant."""

    def __init__(self, retry_after_secs: int, reason: str) -> None:
        super().__init__(retry_after_secs, reason)
        self.retry_after_secs = retry_after_secs
        self.reason = reason

    def __str__(self) -> str:
        return f"not now ({self.reason}): ask again in {self.retry_after_secs} s"


class InvalidRequest(NotionInstallError):
    """The request is not correct: ``message`` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"the request is not correct: {self.message}"


class Misconfigured(NotionInstallError):
    """The function is not set up correctly: its log and ``operator doctor`` say why."""

    def __str__(self) -> str:
        return "the function is not set up correctly: see its log, or operator doctor"


class FunctionFailed(NotionInstallError):
    """The function failed: its log has the ``request_id``."""

    def __init__(self, request_id: str | None) -> None:
        super().__init__(request_id)
        self.request_id = request_id

    def __str__(self) -> str:
        return f"the function failed: see its log, request {self.request_id or 'unknown'}"


class NotReached(NotionInstallError):
    """The function could not be invoked: no network, no permission, throttled. ``__cause__`` says more."""

    def __init__(self, why: str = "see the cause") -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"the function was not reached: {self.why}"


class Unreadable(NotionInstallError):
    """Another function answered, or a later release of this one."""

    def __str__(self) -> str:
        return "the answer is not a known answer of the function"


class Unauthorized(NotionInstallError):
    """Raise it in a call when Notion answers 401. It comes out of :meth:`call` if both tokens were refused."""

    def __str__(self) -> str:
        return "Notion refused the token"


class InvalidWebhook(NotionInstallError):
    """The request is not one that the stack has just sent: answer 401. For the ``reason``, see the README."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"not a webhook of the stack: {self.reason}"


class InvalidSecret(NotionInstallError):
    """There is no webhook secret, or one is not base64 of 24 to 64 bytes (with or without ``whsec_``)."""

    def __str__(self) -> str:
        return "the webhook secret has to be base64 of 24 to 64 bytes, with or without whsec_"


def error_in(answer: Fields, request_id: str | None) -> NotionInstallError:
    """What an answer with a field ``error`` says."""
    word = answer.text_or_none("error") or ""
    if word == "internal":
        return FunctionFailed(request_id)
    read = _WORDS.get(word)
    try:
        return read(answer) if read else Unreadable()
    except NotAsExpected:
        return Unreadable()


_WORDS: dict[str, Callable[[Fields], NotionInstallError]] = {
    "not_installed": lambda answer: NotInstalled(answer.text_or_none("install_url")),
    "needs_reinstall": lambda answer: NeedsReinstall(answer.text("install_url")),
    "removed": lambda answer: Removed(answer.text("install_url")),
    "unclaimed": lambda _: Unclaimed(),
    "ambiguous": lambda answer: Ambiguous(tuple(map(Installation.read, answer.objects("installations")))),
    "refused_but_alive": lambda answer: RefusedButAlive(answer.text("message")),
    "invalid_grant": lambda _: InvalidGrant(),
    "too_many_subjects": lambda _: TooManySubjects(),
    "different_account": lambda answer: DifferentAccount(
        _told(answer.nested_or_none("expected")), Installation.read(answer.nested("actual"))
    ),
    "other_generation": lambda answer: OtherGeneration(answer.count("generation")),
    "try_later": lambda answer: TryLater(answer.count("retry_after_secs"), answer.text("reason")),
    "malformed": lambda answer: InvalidRequest(answer.text("message")),
    "invalid_request": lambda answer: InvalidRequest(answer.text("message")),
    "misconfigured": lambda _: Misconfigured(),
}


def _told(expected: Fields | None) -> Installation | None:
    """The installation that was expected; None if its facts are not this subject's to know."""
    try:
        return Installation.read(expected) if expected else None
    except NotAsExpected:
        return None
