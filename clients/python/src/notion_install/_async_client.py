"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

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
from ._transport import AsyncTransport

T = TypeVar("T")


class AsyncNotionInstall:
    """:class:`NotionInstall` for asyncio: the same methods, awaited.

    Whoever is cancelled stops waiting; the invocation goes on for the others.

    :param transport: :class:`AsyncFunctions` or :class:`AsyncSignedRoutes`.
    """

    def __init__(
        self, transport: AsyncTransport, *, caller: str | None = None, keep_for_secs: float = DEFAULT_KEEP_FOR_SECS
    ) -> None:
        self._transport = transport
        self._core = Core(caller=caller, keep_for_secs=keep_for_secs)
        # The loop itself keeps only weak references to its tasks.
        self._tasks: set[asyncio.Task[Reply | NotReached]] = set()

    async def claim(
        self, code: str, verifier: Secret | str, subject: str, *, accept_different_account: bool = False
    ) -> Installation:
        """See :meth:`NotionInstall.claim`."""
        reply = await self._reply(self._core.claim(code, verifier, subject, accept_different_account))
        return told(installation_in(reply))

    async def installations(
        self, person: PersonOrSubject | None = None, *, workspace_id: str | None = None, after: str | None = None
    ) -> Page:
        """See :meth:`NotionInstall.installations`."""
        return told(page_in(await self._reply(self._core.installations(person, workspace_id, after))))

    async def disconnect(
        self, person: PersonOrSubject, *, generation: int | None = None, forget: bool = False
    ) -> Disconnected:
        """See :meth:`NotionInstall.disconnect`."""
        person = person_of(person)
        self.forget(person)
        try:
            reply = await self._reply(self._core.disconnect(person, generation, forget))
        finally:
            self.forget(person)
        return told(disconnected_in(reply))

    async def token(self, person: PersonOrSubject) -> Token:
        """See :meth:`NotionInstall.token`."""
        return await self._get(person, None)

    async def refused(self, person: PersonOrSubject, token: Token) -> Token:
        """See :meth:`NotionInstall.refused`."""
        return await self._get(person, token.fingerprint)

    async def call(self, person: PersonOrSubject, request: Callable[[Token], Awaitable[T]]) -> T:
        """See :meth:`NotionInstall.call`."""
        token = await self.token(person)
        try:
            return await request(token)
        except Unauthorized:
            pass
        return await request(await self.refused(person, token))

    def forget(self, person: PersonOrSubject) -> None:
        """See :meth:`NotionInstall.forget`. Not awaited: nothing is sent."""
        self._core.forget(person_of(person))

    async def _get(self, person: PersonOrSubject, refused: str | None) -> Token:
        person = person_of(person)
        while True:
            found, leads = self._core.seek(person, refused)
            if isinstance(found, Token):
                return found
            if leads:
                try:
                    self._take_off(found)
                except BaseException:
                    self._core.abandon(found)
                    raise
            outcome = await asyncio.wrap_future(found.landing)
            if outcome is not None:
                return told(outcome)

    def _take_off(self, flight: Flight) -> None:
        """Invokes in a task of its own, which does not end with the caller who happened to be the first."""

        def end(task: asyncio.Task[Reply | NotReached]) -> None:
            self._tasks.discard(task)
            if task.cancelled() or task.exception():
                # The loop is ending. Callers on another one make the invocation anew.
                self._core.abandon(flight)
            else:
                self._core.land(flight, task.result())

        task = asyncio.create_task(self._reply(flight.invocation))
        self._tasks.add(task)
        task.add_done_callback(end)

    async def _reply(self, invocation: Invocation) -> Reply | NotReached:
        try:
            return await self._transport.invoke(invocation)
        except Exception as error:  # noqa: BLE001, whatever the transport raises: it was not reached
            return not_reached(error)
