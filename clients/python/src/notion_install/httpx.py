"""Live tokens for any httpx client, such as those of notion-client. Needs the extra ``[httpx]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from ._async_client import AsyncNotionInstall
from ._client import NotionInstall
from ._person import PersonOrSubject, person_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ._facts import Token


class NotionAuth(httpx.Auth):
    """Sets a person's token. If Notion answers 401, reports it once and sends the request once more.

    If that is answered 401 too, the answer is yours. The token goes to ``base_url`` alone, over its scheme, never to
    where a redirect leads. A request that has an ``Authorization`` of its own is left as it is.

    A :class:`NotionInstall` serves ``httpx.Client``, and also ``httpx.AsyncClient``, whose loop it does not block; an
    :class:`AsyncNotionInstall` only the latter.

    :param base_url: where the API is.
    """

    def __init__(
        self,
        client: NotionInstall | AsyncNotionInstall,
        person: PersonOrSubject,
        *,
        base_url: str = "https://api.notion.com",
    ) -> None:
        self._client = client
        self._async_client = client.for_asyncio() if isinstance(client, NotionInstall) else client
        self._person = person_of(person)
        self._origin = _origin(httpx.URL(base_url))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if isinstance(self._client, AsyncNotionInstall):
            raise TypeError("an httpx.Client needs a NotionInstall, not an AsyncNotionInstall")
        if not self._is_ours(request):
            yield request
            return
        request.read()  # so that it can be sent again
        token = self._client.token(self._person)
        if self._is_refused((yield _with(request, token))):
            yield _with(request, self._client.refused(self._person, token))

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not self._is_ours(request):
            yield request
            return
        await request.aread()  # so that it can be sent again
        token = await self._async_client.token(self._person)
        if self._is_refused((yield _with(request, token))):
            yield _with(request, await self._async_client.refused(self._person, token))

    def _is_ours(self, request: httpx.Request) -> bool:
        return _origin(request.url) == self._origin and "Authorization" not in request.headers

    def _is_refused(self, response: httpx.Response) -> bool:
        # After a redirect to another host, the 401 is that host's, who has not seen the token.
        return response.status_code == 401 and _origin(response.request.url) == self._origin


def _with(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.access_token.get_secret_value()}"
    return request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
