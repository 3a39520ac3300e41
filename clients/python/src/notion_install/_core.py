"""What the clients send, read and keep, without sending anything: the same for threads and for asyncio.

A client asks :class:`Core` for an :class:`Invocation`, makes it in its own way, and hands the :class:`Reply` back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, TypeVar

from ._errors import FunctionFailed, NotionInstallError, NotReached, Unreadable, error_in
from ._facts import Disconnected, Installation, Page, Token
from ._fields import Fields, NotAsExpected
from ._person import Person, PersonOrSubject, canonical, person_of
from ._secret import Secret
from ._tokens import Tokens

T = TypeVar("T")

DEFAULT_KEEP_FOR_SECS = 5 * 60
"""How long a token is kept. Not long: its owner may disconnect, and other processes may refresh it."""
MAX_KEEP_FOR_SECS = 15 * 60
REFUSED_FOR_SECS = 5 * 60
"""How long it is remembered that a token was refused."""
MARGIN_SECS = 60
"""How long before it expires a token is dropped."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request to the stack."""

    function: str
    """``claim``, ``installations``, ``token`` or ``uninstall``."""
    payload: dict[str, Any] = field(repr=False)
    """May have a code and a verifier in it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    payload: bytes = field(repr=False)
    """JSON that may have a token in it."""
    has_failed: bool = False
    """The function failed, so that the payload is not its answer."""
    request_id: str | None = None
    """For the function's log."""


class Clock(Protocol):
    """What the module :mod:`time` has."""

    def time(self) -> float: ...
    def monotonic(self) -> float: ...


class Flight:
    """An invocation for a token that is under way, and those who wait for it."""

    def __init__(self, person: Person, refused: str | None, invocation: Invocation) -> None:
        self.person = person
        self.refused = refused
        self.invocation = invocation
        self.landing: Future[Token | NotionInstallError | None] = Future()
        """None: who made the invocation was interrupted, so one of those who wait has to make it anew."""
        # So that nobody who waits can cancel it for the others.
        self.landing.set_running_or_notify_cancel()
        self.is_void = False
        """The person was forgotten meanwhile, so the answer is not kept."""


class Core:
    """The state of a client: tokens by person, and the flights."""

    def __init__(self, *, caller: str | None, keep_for_secs: float, clock: Clock = time) -> None:
        self._caller = caller
        self._keep_for_secs = min(keep_for_secs, MAX_KEEP_FOR_SECS)
        self._clock = clock
        self._tokens = Tokens()
        self._flights: dict[tuple[Person, str | None], Flight] = {}
        # Held for a few statements, never while something is sent or awaited.
        self._lock = Lock()

    # Single invocations

    def claim(self, code: str, verifier: Secret | str, subject: str, accept_different_account: bool) -> Invocation:
        verifier = verifier.get_secret_value() if isinstance(verifier, Secret) else verifier
        payload: dict[str, Any] = {"code": code, "code_verifier": verifier, "subject": subject}
        if accept_different_account:
            payload["accept_different_account"] = True
        return self._invocation("claim", payload)

    def installations(self, person: PersonOrSubject | None, workspace_id: str | None, after: str | None) -> Invocation:
        if (person is None) == (workspace_id is None):
            raise ValueError("whose installations: a person's or a workspace's")
        payload = person_of(person).fields() if person is not None else {}
        if workspace_id is not None:
            payload["workspace_id"] = canonical(workspace_id)
        if after is not None:
            payload["after"] = after
        return self._invocation("installations", payload)

    def disconnect(self, person: Person, generation: int | None, forget: bool) -> Invocation:
        payload = person.fields()
        if generation is not None:
            payload["generation"] = generation
        if forget:
            payload["forget"] = True
        return self._invocation("uninstall", payload)

    def _invocation(self, function: str, payload: dict[str, Any]) -> Invocation:
        if self._caller is not None:
            payload["caller"] = self._caller
        return Invocation(function, payload)

    # Tokens

    def seek(self, person: Person, refused: str | None) -> tuple[Token, None] | tuple[Flight, bool]:
        """A token that is kept, or the flight that brings one and whether the caller has to make its invocation.

        ``refused`` is the fingerprint of a token that Notion answered with 401.
        """
        with self._lock:
            now = self._clock.monotonic()
            kept = self._tokens.get(person, now)
            if isinstance(kept, Token):
                if kept.fingerprint != refused:
                    return kept, None
                kept = None
            if refused is None:
                # The function may still return the token that was refused.
                refused = kept
            elif kept is None:
                self._tokens.put(person, refused, now, now + REFUSED_FOR_SECS)
            flight = self._flights.get((person, refused))
            leads = flight is None
            if flight is None:
                payload = person.fields()
                if refused is not None:
                    payload["refused_fingerprint"] = refused
                flight = Flight(person, refused, self._invocation("token", payload))
                self._flights[person, refused] = flight
            return flight, leads

    def land(self, flight: Flight, reply: Reply | NotReached) -> None:
        """Keeps what came, and hands it to all who wait."""
        outcome = None
        try:
            outcome = read(reply, Token.read)
        finally:
            with self._lock:
                self._end(flight)
                if outcome is not None and not flight.is_void:
                    self._keep(flight.person, outcome)
            flight.landing.set_result(outcome)

    def abandon(self, flight: Flight) -> None:
        """Whoever made the invocation was interrupted, and will not have a reply."""
        with self._lock:
            self._end(flight)
        flight.landing.set_result(None)

    def forget(self, person: Person) -> None:
        """Keeps nothing more of a person; of a subject alone, nothing in any workspace."""

        def is_meant(other: Person) -> bool:
            return other == person or (other.subject is not None and person == Person(other.subject))

        with self._lock:
            self._tokens.drop(is_meant)
            for flight in [flight for flight in self._flights.values() if is_meant(flight.person)]:
                flight.is_void = True
                self._end(flight)

    def _end(self, flight: Flight) -> None:
        if self._flights.get((flight.person, flight.refused)) is flight:
            del self._flights[flight.person, flight.refused]

    def _keep(self, person: Person, outcome: Token | NotionInstallError) -> None:
        now = self._clock.monotonic()
        if isinstance(outcome, Token):
            # An answer from before the report must not bring the refused token back.
            if self._tokens.get(person, now) != outcome.fingerprint:
                self._tokens.put(person, outcome, now, now + self._keeps_secs(outcome))
        elif isinstance(outcome, Tokens.ENDED_BY):
            self._tokens.drop(lambda other: other == person)

    def _keeps_secs(self, token: Token) -> float:
        if token.expires_at is None:
            return self._keep_for_secs
        return min(self._keep_for_secs, token.expires_at - MARGIN_SECS - self._clock.time())


def not_reached(error: Exception) -> NotReached:
    """What a transport raised, as the cause."""
    if isinstance(error, NotReached):
        return error
    reported = NotReached(type(error).__name__)
    reported.__cause__ = error
    return reported


def read(reply: Reply | NotReached, read_answer: Callable[[Fields], T]) -> T | NotionInstallError:
    """The answer, or why there is none. Returned, not raised: the frames in here have the token among their locals."""
    if isinstance(reply, NotReached):
        return reply
    if reply.has_failed:
        return FunctionFailed(reply.request_id)
    try:
        answer = Fields.parse(reply.payload)
        if "error" in answer.values:
            return error_in(answer, reply.request_id)
        return read_answer(answer)
    except NotAsExpected:
        return Unreadable()


def installation_in(reply: Reply | NotReached) -> Installation | NotionInstallError:
    return read(reply, Installation.read)


def page_in(reply: Reply | NotReached) -> Page | NotionInstallError:
    return read(reply, Page.read)


def disconnected_in(reply: Reply | NotReached) -> Disconnected | NotionInstallError:
    return read(reply, Disconnected.read)


def told(outcome: T | NotionInstallError) -> T:
    """Raises an error, for the caller."""
    if isinstance(outcome, NotionInstallError):
        raise outcome.again()
    return outcome
