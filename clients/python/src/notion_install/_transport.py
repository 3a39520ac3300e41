"""The two ways to the stack: invoking its functions, or sending signed requests to its routes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import quote, urlencode

from ._core import Invocation, Reply
from ._errors import NotReached


class Transport(Protocol):
    """A way to the stack. What it raises becomes the cause of a :class:`NotReached`."""

    def invoke(self, invocation: Invocation, /) -> Reply: ...


class AsyncTransport(Protocol):
    """A way to the stack that is awaited."""

    async def invoke(self, invocation: Invocation, /) -> Reply: ...


class LambdaClient(Protocol):
    """As much as is needed of ``boto3.client("lambda")``: any object with this method."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


class AsyncLambdaClient(Protocol):
    """As much as is needed of aiobotocore's Lambda client."""

    async def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionNames:
    """Names or ARNs, as in the stack's outputs ``ClaimFunctionName`` and so on."""

    claim: str
    installations: str
    token: str
    uninstall: str


class Functions:
    """Invokes the stack's functions with the Lambda client that you configured.

    The functions answer within 25 seconds: give the client a ``read_timeout`` above that.
    """

    def __init__(self, client: LambdaClient, names: FunctionNames) -> None:
        self._client = client
        self._names = names

    def invoke(self, invocation: Invocation, /) -> Reply:
        name, payload = _direct(self._names, invocation)
        response = self._client.invoke(FunctionName=name, Payload=payload)
        return _answered(response, response["Payload"].read())


class AsyncFunctions:
    """Invokes the stack's functions with aiobotocore's Lambda client. See :class:`Functions`."""

    def __init__(self, client: AsyncLambdaClient, names: FunctionNames) -> None:
        self._client = client
        self._names = names

    async def invoke(self, invocation: Invocation, /) -> Reply:
        name, payload = _direct(self._names, invocation)
        response = await self._client.invoke(FunctionName=name, Payload=payload)
        return _answered(response, await response["Payload"].read())


Send: TypeAlias = Callable[[str, str, bytes], "tuple[int, bytes]"]
"""Signs a request (AWS Signature Version 4, service ``execute-api``) and sends it.

Called with method, URL and body; returns status and body, whatever the status is. Follows no redirect.
"""
AsyncSend: TypeAlias = Callable[[str, str, bytes], "Awaitable[tuple[int, bytes]]"]
"""The same, awaited."""


class SignedRoutes:
    """Sends signed requests to the stack's routes.

    :param stack_url: the output ``InstallUrl`` without ``/install``.
    """

    def __init__(self, stack_url: str, send: Send) -> None:
        self._stack_url = stack_url.rstrip("/")
        self._send = send

    def invoke(self, invocation: Invocation, /) -> Reply:
        return _returned(*self._send(*_routed(self._stack_url, invocation)))


class AsyncSignedRoutes:
    """Sends signed requests to the stack's routes. See :class:`SignedRoutes`."""

    def __init__(self, stack_url: str, send: AsyncSend) -> None:
        self._stack_url = stack_url.rstrip("/")
        self._send = send

    async def invoke(self, invocation: Invocation, /) -> Reply:
        return _returned(*await self._send(*_routed(self._stack_url, invocation)))


def _direct(names: FunctionNames, invocation: Invocation) -> tuple[str, bytes]:
    name: str = getattr(names, invocation.function)
    return name, json.dumps(invocation.payload).encode()


def _answered(response: Mapping[str, Any], payload: bytes) -> Reply:
    request_id = response.get("ResponseMetadata", {}).get("RequestId")
    return Reply(payload, "FunctionError" in response, request_id)


def _routed(stack_url: str, invocation: Invocation) -> tuple[str, str, bytes]:
    url = f"{stack_url}/{invocation.function}"
    if invocation.function != "installations":
        return "POST", url, json.dumps(invocation.payload).encode()
    # The route has the workspace's own as an empty user_id. Signature Version 4 wants a space as %20.
    query = {name: "" if value is None else value for name, value in sorted(invocation.payload.items())}
    return "GET", f"{url}?{urlencode(query, quote_via=quote)}", b""


def _returned(status: int, body: bytes) -> Reply:
    if status == 200 or _is_in_words(body):
        return Reply(body)
    if status >= 500:
        return Reply(b"", has_failed=True)
    raise NotReached(f"the route answered {status}")


def _is_in_words(body: bytes) -> bool:
    """Whether the function answered, not API Gateway before it."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and isinstance(cast(dict[str, object], answer).get("error"), str)
