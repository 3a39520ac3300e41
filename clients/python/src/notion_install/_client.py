"""The client for threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ._async_client import AsyncNotionInstall
from ._core import (
    DEFAULT_KEEP_FOR_SECS,
    Core,
    Flight,
    Invocation,
    Reply,
    disconnected_in,
    installation_in,
    not_reached,
    page_in,
    told,
)
from ._errors import NotReached, Unauthorized
from ._facts import Disconnected, Installation, Page, Token
from ._person import PersonOrSubject, person_of
from ._secret import Secret
from ._transport import Transport

T = TypeVar("T")


class NotionInstall:
    """Claims, lists and disconnects installations, and has live tokens of them.

    Create one for the whole process: threads share its tokens, and one invocation about a person is under way at a
    time.

    :param transport: :class:`Functions` or :class:`SignedRoutes`.
    :param caller: the name of your program for the audit log: printable ASCII, at most 256 characters.
    :param keep_for_secs: how long a token is kept, at most fifteen minutes; 0 keeps none.
    """

    def __init__(
        self, transport: Transport, *, caller: str | None = None, keep_for_secs: float = DEFAULT_KEEP_FOR_SECS
    ) -> None:
        self._transport = transport
        self._core = Core(caller=caller, keep_for_secs=keep_for_secs)

    def claim(
        self, code: str, verifier: Secret | str, subject: str, *, accept_different_account: bool = False
    ) -> Installation:
        """Links an install to ``subject``, your name for the user who is logged in now. Safe to repeat.

        :param code: from :meth:`Begun.code_from`.
        :param verifier: of the :class:`Begun` in that user's session.
        """
        reply = self._reply(self._core.claim(code, verifier, subject, accept_different_account))
        return told(installation_in(reply))

    def installations(
        self, person: PersonOrSubject | None = None, *, workspace_id: str | None = None, after: str | None = None
    ) -> Page:
        """What a person has connected, or what is connected in a workspace. Never cached.

        :param after: the ``next`` of the page before.
        """
        return told(page_in(self._reply(self._core.installations(person, workspace_id, after))))

    def disconnect(
        self, person: PersonOrSubject, *, generation: int | None = None, forget: bool = False
    ) -> Disconnected:
        """Unlinks a subject, or removes an installation that is named by Notion's ids for everybody.

        When the last subject leaves, the tokens are revoked at Notion.

        :param generation: only this one, so that a late message does not remove a later install.
        :param forget: nothing about the person is kept, if the installation is removed.
        """
        person = person_of(person)
        self.forget(person)
        try:
            reply = self._reply(self._core.disconnect(person, generation, forget))
        finally:
            self.forget(person)
        return told(disconnected_in(reply))

    def token(self, person: PersonOrSubject) -> Token:
        """A live token, kept or from the function."""
        return self._get(person, None)

    def refused(self, person: PersonOrSubject, token: Token) -> Token:
        """A token in place of this one, which Notion answered with 401 (not 403 or 404)."""
        return self._get(person, token.fingerprint)

    def call(self, person: PersonOrSubject, request: Callable[[Token], T]) -> T:
        """Runs ``request`` with a token, and once more with another if it raises :class:`Unauthorized`."""
        token = self.token(person)
        try:
            return request(token)
        except Unauthorized:
            pass
        return request(self.refused(person, token))

    def forget(self, person: PersonOrSubject) -> None:
        """Keeps no token of this person; of a subject alone, none in any workspace."""
        self._core.forget(person_of(person))

    def for_asyncio(self) -> AsyncNotionInstall:
        """This client for asyncio: it shares the tokens and the invocations, and invokes in a thread."""
        return _InThreads(self._transport, self._core, self._fly)

    def _get(self, person: PersonOrSubject, refused: str | None) -> Token:
        person = person_of(person)
        while True:
            found, leads = self._core.seek(person, refused)
            if isinstance(found, Token):
                return found
            if leads:
                self._fly(found)
            outcome = found.landing.result()
            if outcome is not None:
                return told(outcome)

    def _fly(self, flight: Flight) -> None:
        try:
            reply = self._reply(flight.invocation)
        except BaseException:
            # KeyboardInterrupt, GreenletExit …: this caller gives up, the others do not.
            self._core.abandon(flight)
            raise
        self._core.land(flight, reply)

    def _reply(self, invocation: Invocation) -> Reply | NotReached:
        try:
            return self._transport.invoke(invocation)
        except Exception as error:  # noqa: BLE001, whatever the transport raises: it was not reached
            return not_reached(error)


class _InThreads(AsyncNotionInstall):
    """A client for threads, as asyncio needs it. Only what has to be sent takes a thread."""

    def __init__(self, transport: Transport, core: Core, fly: Callable[[Flight], None]) -> None:
        super().__init__(_TransportInThreads(transport))
        self._core = core
        self._fly = fly

    def _take_off(self, flight: Flight) -> None:
        # It lands in its thread, even if the loop is blocked by then, or has ended.
        asyncio.get_running_loop().run_in_executor(None, self._fly, flight)


class _TransportInThreads:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def invoke(self, invocation: Invocation, /) -> Reply:
        return await asyncio.to_thread(self._transport.invoke, invocation)
