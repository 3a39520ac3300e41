"""The whole story against the dev stack: its functions, its routes, its simulated Notion, notion-client's clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import boto3
import httpx
import notion_client
import pytest
from aiobotocore.session import get_session
from dev_stack import ACME, ADA, CREDENTIALS, GLOBEX, HANDBOOK, NOTION_VERSION, Browser, DevStack, query_of

import notion_install as ni
from notion_install.httpx import NotionAuth
from notion_install.sigv4 import signed_send

NAMES = ni.FunctionNames(claim="claim", installations="installations", token="token", uninstall="uninstall")
OF_BOTO3 = {
    "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    "region_name": CREDENTIALS["AWS_DEFAULT_REGION"],
}


class Counting:
    """Counts what goes to the stack."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.functions: list[str] = []

    def invoke(self, invocation: ni.Invocation) -> Any:
        self.functions.append(invocation.function)
        return self.transport.invoke(invocation)


def functions(stack: DevStack) -> ni.Functions:
    return ni.Functions(boto3.client("lambda", endpoint_url=stack.aws_url, **OF_BOTO3), NAMES)


def routes(stack: DevStack) -> ni.SignedRoutes:
    return ni.SignedRoutes(stack.url, signed_send(boto3.Session(**OF_BOTO3)))


@asynccontextmanager
async def async_functions(stack: DevStack) -> AsyncIterator[ni.AsyncFunctions]:
    async with get_session().create_client("lambda", endpoint_url=stack.aws_url, **OF_BOTO3) as client:
        yield ni.AsyncFunctions(client, NAMES)


@asynccontextmanager
async def async_routes(stack: DevStack) -> AsyncIterator[ni.AsyncSignedRoutes]:
    send = signed_send(boto3.Session(**OF_BOTO3))
    yield ni.AsyncSignedRoutes(stack.url, lambda *request: asyncio.to_thread(send, *request))


def connect(stack: DevStack, client: ni.NotionInstall, subject: str, **how: str) -> ni.Installation:
    begun = ni.begin(f"{stack.url}/install", "app")
    code = begun.code_from(query_of(Browser().connect(begun.url, **how)))
    return client.claim(code, begun.verifier, subject)


@pytest.mark.parametrize("way", [functions, routes])
def test_the_whole_story_in_threads(stack: DevStack, way: Any) -> None:
    counting = Counting(way(stack))
    client = ni.NotionInstall(counting, caller="the test")
    installation = connect(stack, client, "anna & co")
    assert (installation.workspace_id, installation.user_id, installation.health) == (ACME, ADA, "active")
    assert installation.workspace_name == "Acme"
    page = client.installations("anna & co")
    assert [each.id for each in page.installations] == [installation.id]
    assert page.next is None
    assert client.installations(workspace_id=ACME).installations == page.installations

    auth = NotionAuth(client, "anna & co", base_url=stack.notion_url)
    with httpx.Client(auth=auth) as http:
        notion = notion_client.Client(client=http, base_url=stack.notion_url, notion_version=NOTION_VERSION)
        assert notion.users.me()["bot"]["owner"]["user"]["id"] == ADA
        assert notion.search()["results"]
        assert counting.functions.count("token") == 1
        # Notion refuses the token: reported once, with another the call succeeds, and that one is kept.
        first = client.token("anna & co")
        stack.withdraw(first.access_token.get_secret_value())
        assert notion.users.me()["bot"]["owner"]["user"]["id"] == ADA
        assert notion.users.me()["bot"]["owner"]["user"]["id"] == ADA
        assert counting.functions.count("token") == 2
        assert client.token("anna & co").fingerprint != first.fingerprint

        gone = client.disconnect("anna & co")
        assert gone.removed
        assert gone.revoked
        with pytest.raises(ni.NotInstalled) as raised:
            notion.users.me()
    assert raised.value.install_url == f"{stack.url}/install"
    with pytest.raises(ni.NotInstalled):
        client.disconnect("anna & co")


@pytest.mark.parametrize("way", [async_functions, async_routes])
def test_the_whole_story_in_asyncio(stack: DevStack, way: Any) -> None:
    async def story() -> None:
        async with way(stack) as transport:
            counting = Counting(transport)
            client = ni.AsyncNotionInstall(counting)
            begun = ni.begin(f"{stack.url}/install", "app")
            returned = await asyncio.to_thread(Browser().connect, begun.url)
            installation = await client.claim(begun.code_from(query_of(returned)), begun.verifier, "anna")
            assert (await client.installations("anna")).installations[0].id == installation.id

            auth = NotionAuth(client, "anna", base_url=stack.notion_url)
            async with httpx.AsyncClient(auth=auth) as http:
                notion = notion_client.AsyncClient(client=http, base_url=stack.notion_url)
                assert (await notion.users.me())["bot"]["owner"]["user"]["id"] == ADA
                first = await client.token("anna")
                await asyncio.to_thread(stack.withdraw, first.access_token.get_secret_value())
                answers = await asyncio.gather(*(notion.users.me() for _ in range(50)))
                assert {answer["bot"]["owner"]["user"]["id"] for answer in answers} == {ADA}
                assert counting.functions.count("token") == 2
                assert (await client.disconnect(installation.person("anna"))).removed
                with pytest.raises(ni.NotInstalled):
                    await notion.users.me()

    asyncio.run(story())


def test_a_client_for_threads_serves_an_async_client_of_httpx(stack: DevStack) -> None:
    counting = Counting(functions(stack))
    client = ni.NotionInstall(counting)
    connect(stack, client, "anna")
    stack.withdraw(client.token("anna").access_token.get_secret_value())

    async def calls() -> None:
        async with httpx.AsyncClient(auth=NotionAuth(client, "anna", base_url=stack.notion_url)) as http:
            notion = notion_client.AsyncClient(client=http, base_url=stack.notion_url)
            answers = await asyncio.gather(*(notion.users.me() for _ in range(50)))
        assert {answer["bot"]["owner"]["user"]["id"] for answer in answers} == {ADA}

    asyncio.run(calls())
    assert counting.functions.count("token") == 2


def test_a_thousand_threads_invoke_once(stack: DevStack) -> None:
    counting = Counting(functions(stack))
    client = ni.NotionInstall(counting)
    connect(stack, client, "anna")
    counting.functions.clear()
    with ThreadPoolExecutor(1000) as pool:
        tokens = list(pool.map(lambda _: client.token("anna"), range(1000)))
        assert len({token.fingerprint for token in tokens}) == 1
        assert counting.functions == ["token"]
        stack.withdraw(tokens[0].access_token.get_secret_value())
        others = list(pool.map(lambda token: client.refused("anna", token), tokens))
    assert len({token.fingerprint for token in others}) == 1
    assert others[0].fingerprint != tokens[0].fingerprint
    assert counting.functions == ["token", "token"]


def test_a_thousand_tasks_invoke_once(stack: DevStack) -> None:
    connect(stack, ni.NotionInstall(functions(stack)), "anna")

    async def stampede() -> None:
        async with async_functions(stack) as transport:
            counting = Counting(transport)
            client = ni.AsyncNotionInstall(counting)
            tokens = await asyncio.gather(*(client.token("anna") for _ in range(1000)))
            assert len({token.fingerprint for token in tokens}) == 1
            assert counting.functions == ["token"]
            await asyncio.to_thread(stack.withdraw, tokens[0].access_token.get_secret_value())
            others = await asyncio.gather(*(client.refused("anna", token) for token in tokens))
            assert len({token.fingerprint for token in others} | {tokens[0].fingerprint}) == 2
            assert counting.functions == ["token", "token"]

    asyncio.run(stampede())


def test_pressing_cancel(stack: DevStack) -> None:
    begun = ni.begin(f"{stack.url}/install", "app")
    query = query_of(Browser().connect(begun.url, decision="cancel"))
    with pytest.raises(ni.NotConnected) as raised:
        begun.code_from(query)
    assert (raised.value.error, raised.value.reason) == ("access_denied", "refused")


def test_a_return_that_this_session_did_not_begin(stack: DevStack) -> None:
    client = ni.NotionInstall(functions(stack))
    somebody_elses, mine = (ni.begin(f"{stack.url}/install", "app") for _ in range(2))
    query = query_of(Browser().connect(somebody_elses.url))
    with pytest.raises(ni.InvalidGrant):
        mine.code_from(query)
    with pytest.raises(ni.InvalidGrant):
        somebody_elses.code_from({**query, "iss": "https://elsewhere.example"})
    # Even an app that does not look at the state binds nobody.
    with pytest.raises(ni.InvalidGrant):
        client.claim(query["code"], mine.verifier, "anna")
    assert client.installations("anna").installations == ()


def test_several_installations_of_a_subject(stack: DevStack) -> None:
    client = ni.NotionInstall(functions(stack))
    acme = connect(stack, client, "anna")
    globex = connect(stack, client, "anna", workspace=GLOBEX, page=HANDBOOK)
    with pytest.raises(ni.Ambiguous) as raised:
        client.token("anna")
    assert {each.id for each in raised.value.installations} == {acme.id, globex.id}
    tokens = {client.token(each.person("anna")).fingerprint for each in (acme, globex)}
    assert len(tokens) == 2
    assert client.disconnect(globex.person("anna")).removed
    assert client.token("anna").fingerprint in tokens


def test_another_account_than_was_expected(stack: DevStack) -> None:
    client = ni.NotionInstall(functions(stack))
    acme = connect(stack, client, "anna")
    begun = ni.begin(f"{stack.url}/install", "app", expect=acme.id)
    code = begun.code_from(query_of(Browser().connect(begun.url, workspace=GLOBEX, page=HANDBOOK)))
    with pytest.raises(ni.DifferentAccount) as raised:
        client.claim(code, begun.verifier, "anna")
    assert raised.value.expected is not None
    assert raised.value.expected.id == acme.id
    assert raised.value.actual.workspace_id == GLOBEX
    accepted = client.claim(code, begun.verifier, "anna", accept_different_account=True)
    assert accepted.id == raised.value.actual.id


def test_disconnect_of_one_generation(stack: DevStack) -> None:
    client = ni.NotionInstall(functions(stack))
    first = connect(stack, client, "anna")
    second = connect(stack, client, "anna")
    with pytest.raises(ni.OtherGeneration) as raised:
        client.disconnect(first.person(), generation=first.generation)
    assert raised.value.generation == second.generation
    assert client.disconnect(second.person(), generation=second.generation, forget=True).removed


def test_routes_with_wrong_credentials(stack: DevStack) -> None:
    session = boto3.Session(**{**OF_BOTO3, "aws_secret_access_key": "wrong"})
    client = ni.NotionInstall(ni.SignedRoutes(stack.url, signed_send(session)))
    with pytest.raises(ni.NotReached, match="403"):
        client.token("anna")


def test_nothing_listens() -> None:
    session = boto3.Session(**OF_BOTO3)
    unreachable = ni.NotionInstall(ni.SignedRoutes("http://127.0.0.1:9", signed_send(session)))
    with pytest.raises(ni.NotReached) as raised:
        unreachable.token("anna")
    assert raised.value.__cause__ is not None
