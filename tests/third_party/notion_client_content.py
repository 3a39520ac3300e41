"""Installs at the dev stack, and reads with notion-client what it has prepared: the recipe tracker.

The library knows nothing about this project. It gets the token that the stack vends to any backend, and reads once as a
synchronous and once as an asynchronous client.

Usage: python notion_client_content.py PATH_TO_DEV
"""

import asyncio
import datetime
import inspect
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from notion_client import AsyncClient, Client
from notion_client.errors import APIResponseError
from webhooks import ACME, ADA, OPENER, ROADMAP, install

APP = "Sample app"
NOTION_VERSION = "2026-03-11"
WAIT_SECS = 60

# By the names that the recipe gives them.
PAGE = f"{APP}: start here"
TASKS = {
    "first-task": ("Look around, Ada", "In progress", "High", 0, [ADA]),
    "second-task": ("Invite your team", "Not started", "Normal", 3, []),
    "third-task": (f"Connect {APP} to Notion", "Done", "High", 0, [ADA]),
}
STATUSES = ["Not started", "In progress", "Done"]
PROPERTIES = {
    "Task": "title",
    "Status": "status",
    "Priority": "select",
    "Due": "date",
    "Who": "people",
    "Link": "url",
}


def free_ports(count):
    """The first of so many free ports in a row."""
    for first in range(20_000, 60_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise AssertionError("no free ports")


def invoke(aws, function, message):
    """A direct invocation, as a backend's."""
    url = f"{aws}/2015-03-31/functions/{function}/invocations"
    request = urllib.request.Request(url, data=json.dumps({**message, "caller": "third party"}).encode())
    with OPENER.open(request) as answer:
        return json.load(answer)


def prepared_by(dev, use):
    """Has the stack prepare Ada's workspace; then calls `use` with Notion's address, a token and what was prepared."""
    port = free_ports(3)
    command = [dev, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while "Press Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "the dev stack ended"
        # It logs there: a full pipe would stop it.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        install(f"http://localhost:{port}")
        aws, person = f"http://127.0.0.1:{port + 2}", {"workspace_id": ACME, "user_id": ADA}
        until = time.monotonic() + WAIT_SECS
        while True:
            onboarding = invoke(aws, "installations", person)["installations"][0]["onboarding"]
            if onboarding["status"] not in ("pending", "running"):
                break
            assert time.monotonic() < until, onboarding
            time.sleep(0.2)
        use(f"http://127.0.0.1:{port + 1}", invoke(aws, "token", person)["access_token"], onboarding)
    finally:
        process.terminate()
        process.wait()


async def done(answer):
    """What a client of either kind answers."""
    return await answer if inspect.isawaitable(answer) else answer


async def listed(call, **arguments):
    """Everything in a list, in small pages. Nothing may be in it twice."""
    found, cursor = [], None
    while True:
        page = await done(call(**arguments, page_size=2, start_cursor=cursor))
        assert page["object"] == "list" and len(page["results"]) <= 2, page
        found += page["results"]
        cursor = page["next_cursor"]
        assert bool(cursor) == page["has_more"], page
        if not cursor:
            break
    ids = [item["id"] for item in found]
    assert len(set(ids)) == len(ids), f"listed twice: {ids}"
    return found


def plain(rich_text):
    return "".join(element["plain_text"] for element in rich_text)


def title_of(item):
    """The title of a page, a row or a data source."""
    if item["object"] != "page":
        return plain(item["title"])
    return next(plain(value["title"]) for value in item["properties"].values() if value["type"] == "title")


def text_of(block):
    return plain(block[block["type"]]["rich_text"])


async def read_everything(client, onboarding):
    """Reads back what was prepared, and asserts that it is what the recipe says. Returns what was read, in words."""
    assert onboarding["status"] == "completed", onboarding
    made = {resource["resource_id"]: resource for resource in onboarding["resources"]}
    assert list(made) == ["home", "tasks", "board", *TASKS], onboarding
    assert {resource["state"] for resource in made.values()} == {"made"}, onboarding
    ids = {resource_id: resource["id"] for resource_id, resource in made.items()}
    assert onboarding["landing_url"] == made["home"]["url"], onboarding
    said = []

    me = await done(client.users.me())
    assert (me["type"], me["name"], me["bot"]["workspace_name"]) == ("bot", APP, "Acme"), me
    assert me["bot"]["owner"]["user"]["id"] == ADA, me
    said.append("users.me: the bot, installed by Ada")

    found = await listed(client.search)
    own = {item["id"]: title_of(item) for item in found if item["id"] != ROADMAP}
    titles = [PAGE, "Tasks", *(task[0] for task in TASKS.values())]
    assert sorted(own.values()) == sorted(titles), own
    by_title = await listed(client.search, query=PAGE, filter={"property": "object", "value": "page"})
    assert [item["id"] for item in by_title] == [ids["home"]], by_title
    said.append(f"search: {len(found)} results, of which {len(own)} were prepared, each once")

    home = await done(client.pages.retrieve(ids["home"]))
    assert title_of(home) == PAGE and home["icon"]["emoji"] == "🧭" and not home["in_trash"], home
    assert home["parent"] == {"type": "workspace", "workspace": True}, home
    assert home["created_by"]["id"] == me["id"], home
    said.append(f"pages.retrieve: {PAGE!r}")

    blocks = await listed(client.blocks.children.list, block_id=ids["home"])
    kinds = [block["type"] for block in blocks]
    first, second = ["bulleted_list_item"] * 2, ["bulleted_list_item"] * 3
    assert kinds == ["paragraph", "heading_2", *first, "heading_2", *second, "child_database"], kinds
    assert text_of(blocks[0]).startswith(f"Welcome, Ada. {APP} is connected to Acme"), blocks[0]
    headings = [text_of(block) for block in blocks if block["type"] == "heading_2"]
    assert headings == ["What you find here", "Good to know"], headings
    assert blocks[-1]["id"] == ids["tasks"] and blocks[-1]["child_database"]["title"] == "Tasks", blocks[-1]
    said.append(f"blocks.children.list: {len(blocks)} blocks in their order, the database last")

    database = await done(client.databases.retrieve(ids["tasks"]))
    assert plain(database["title"]) == "Tasks" and database["is_inline"] is True, database
    assert database["parent"]["page_id"] == ids["home"], database
    [reference] = database["data_sources"]
    said.append("databases.retrieve: 'Tasks', inline, with one data source")

    source = await done(client.data_sources.retrieve(reference["id"]))
    schema = source["properties"]
    assert {name: definition["type"] for name, definition in schema.items()} == PROPERTIES, schema
    options = schema["Status"]["status"]["options"]
    assert [option["name"] for option in options] == STATUSES, options
    assert [option["color"] for option in options] == ["gray", "blue", "green"], options
    said.append(f"data_sources.retrieve: {len(schema)} properties, the statuses in their order")

    rows = await listed(client.data_sources.query, data_source_id=source["id"])
    assert sorted(row["id"] for row in rows) == sorted(ids[task] for task in TASKS), rows
    by_status = [{"property": "Status", "direction": "ascending"}]
    in_order = await listed(client.data_sources.query, data_source_id=source["id"], sorts=by_status)
    assert [row["properties"]["Status"]["status"]["name"] for row in in_order] == STATUSES, in_order
    for status in STATUSES:
        equals = {"property": "Status", "status": {"equals": status}}
        column = await listed(client.data_sources.query, data_source_id=source["id"], filter=equals)
        assert [title_of(row) for row in column] == [task[0] for task in TASKS.values() if task[1] == status], column
    said.append(f"data_sources.query: {len(rows)} rows; by status {[title_of(row) for row in in_order]}")

    for task, (title, status, priority, days, who) in TASKS.items():
        row = await done(client.pages.retrieve(ids[task]))
        values = row["properties"]
        assert title_of(row) == title and row["parent"]["data_source_id"] == source["id"], row
        assert values["Status"]["status"]["name"] == status, row
        assert values["Priority"]["select"]["name"] == priority, row
        assert [person["id"] for person in values["Who"]["people"]] == who, row
        made_on = datetime.date.fromisoformat(row["created_time"][:10])
        due = datetime.date.fromisoformat(values["Due"]["date"]["start"])
        # It may have been made at midnight.
        assert (due - made_on).days in (days, days - 1), row
    content = await listed(client.blocks.children.list, block_id=ids["first-task"])
    ticks = [block["to_do"]["checked"] for block in content if block["type"] == "to_do"]
    assert ticks == [True, False, False], content
    links = [element["href"] for block in content for element in block[block["type"]]["rich_text"] if element["href"]]
    assert links == [made["tasks"]["url"]], links
    said.append("pages.retrieve: the rows' values; in the first a list, with a link to the board")

    def views(**query):
        query = {name: value for name, value in query.items() if value is not None}
        return client.request(path="views", method="GET", query=query)

    references = await listed(views, database_id=ids["tasks"])
    assert ids["board"] in [view["id"] for view in references], references
    full = [await done(client.request(path=f"views/{view['id']}", method="GET")) for view in references]
    [board] = [view for view in full if view["type"] == "board"]
    assert (board["id"], board["name"]) == (ids["board"], "Board"), board
    assert board["configuration"]["group_by"]["property_id"] == schema["Status"]["id"], board
    said.append(f"views: {[view['name'] for view in full]}, the board by Status")

    stranger = "5a1a0000-0000-4000-8000-0000000000b3"
    try:
        await done(client.pages.retrieve(stranger))
        raise AssertionError("the token reads a page that was never shared")
    except APIResponseError as error:
        assert error.code == "object_not_found", error
    said.append("pages.retrieve: a page that Ada does not see is not there")
    return said


async def with_both(notion, token, onboarding):
    # A refusal that is asked for is not worth a warning.
    options = {"auth": token, "base_url": notion, "notion_version": NOTION_VERSION, "log_level": logging.CRITICAL}
    said = await read_everything(Client(**options), onboarding)
    for line in said:
        print(f"ok: {line}")
    async with AsyncClient(**options) as client:
        assert await read_everything(client, onboarding) == said
    print("ok: the asynchronous client reads the same")


def main(dev):
    prepared_by(dev, lambda *prepared: asyncio.run(with_both(*prepared)))


if __name__ == "__main__":
    main(sys.argv[1])
