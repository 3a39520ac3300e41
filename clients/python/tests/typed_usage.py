"""Not run: mypy and pyright check that real clients, with their own types, fit the protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3
import httpx
from typing_extensions import assert_type

import notion_install as ni
from notion_install.httpx import NotionAuth
from notion_install.sigv4 import signed_send

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from types_aiobotocore_lambda import LambdaClient as AsyncLambdaClient

NAMES = ni.FunctionNames(claim="claim", installations="installations", token="token", uninstall="uninstall")


def threads(lambda_client: LambdaClient, query: Mapping[str, str]) -> httpx.Client:
    by_functions: ni.Transport = ni.Functions(lambda_client, NAMES)
    by_routes: ni.Transport = ni.SignedRoutes("https://connect.example.com", signed_send(boto3.Session()))
    client = ni.NotionInstall(by_functions, caller="my app")
    begun = ni.begin("https://connect.example.com/install", "app", ui_locales="de en")
    installation = client.claim(begun.code_from(query), begun.verifier, "anna")
    assert_type(installation, ni.Installation)
    assert_type(client.call(installation.person("anna"), lambda token: token.version), int)
    assert_type(ni.NotionInstall(by_routes).installations("anna").next, "str | None")
    return httpx.Client(auth=NotionAuth(client, "anna"))


async def tasks(aio: AsyncLambdaClient) -> httpx.AsyncClient:
    client = ni.AsyncNotionInstall(ni.AsyncFunctions(aio, NAMES))

    async def request(token: ni.Token) -> int:
        return token.version

    assert_type(await client.call(ni.Person("anna", "w"), request), int)
    return httpx.AsyncClient(auth=NotionAuth(client, "anna"))


def events(headers: Mapping[str, str], body: bytes) -> str:
    match ni.verify_webhook(headers, body, "whsec_…"):
        case ni.InstallationEvent(installation=installation, health=health):
            return f"{installation}: {health}"
        case event:
            return event.type
