"""What an app promises to whoever connects: their workspace is prepared, once, from a recipe."""

import json
from urllib.parse import urlencode

import events
import faults
from emulator import CLIENT_SECRET
from events import lines_of, next_events, read_all, wait_for, whole
from person import ACME, ADA, Person
from tools import check

# The resources of recipes/tracker, in their order.
TRACKER = ["home", "tasks", "board", "first-task", "second-task", "third-task"]
ROWS = TRACKER[3:]


def onboarding(aws, backend, doctor):
    """With a recipe, an install gets from the bus to its queue and to the function, which prepares the workspace.

    Notion is the simulated one. The function writes to it with a token that it has asked the token function for, as a
    backend does. Not shown here: what becomes of a request that fails, is cut off or is limited, that each onboarding
    waits for its turn, and what a person deletes: tests/it has that on the wire. Neither that EventBridge obeys the
    queues' policies.
    """
    refused = aws.sam("deploy", expect=1, Recipe="../tracker")
    check("Recipe" in refused.stdout + refused.stderr, refused.stderr)
    aws.sam("deploy", Recipe="tracker")
    outputs, resources = aws.stack()
    log = resources["OnboardLog"]
    configuration = aws.client("lambda").get_function_configuration(FunctionName=resources["OnboardFunction"])
    variables = configuration["Environment"]["Variables"]
    check(CLIENT_SECRET not in str(configuration), "a secret in the environment")
    check(not [name for name in variables if name.endswith("_ARN")], f"it knows a secret: {sorted(variables)}")
    said = doctor()
    for step in ("streams", "onboarding", "queues", "tables", "backups"):
        check(said[step]["status"] == "ok", str(said[step]))

    # A person, without an app.
    after = read_all(backend)[-1]["id"]
    page = Person().install(outputs["InstallUrl"])
    check(page.status == 200 and page.json()["status"] == "connected", str(page))
    installed, completed = next_events(backend, after, ["installation.installed", "onboarding.completed"])
    prepared = what_is_prepared(aws, outputs, backend)
    check(prepared["status"] == "completed" and prepared["recipe"] == "tracker", str(prepared))
    states = [(resource["resource_id"], resource["state"]) for resource in prepared["resources"]]
    check(states == [(name, "made") for name in TRACKER], f"{states}")
    told = completed["data"]
    check({name: told.get(name) for name in prepared} == prepared, f"the event says {told}, the answer {prepared}")
    whose = [told[name] for name in ("installation", "workspace_id", "user_id")]
    check(whose == [installed["data"]["installation"], ACME, ADA], f"{whose}")
    ledger = ledger_of(aws, resources)
    for never in (*events.PERSONAL, "ntn_", "nrt_"):
        check(never not in json.dumps(completed), f"{never} is in an event: {completed}")
        check(never not in str({name: ledger[name] for name in ledger if name != "written_by"}), f"{never}: {ledger}")
    made = look_at_notion(backend, prepared, variables["APP_NAME"])

    # The same person, through an app. Nothing is made again, and no token is asked for.
    claimed, _ = events.install_and_claim(outputs, backend, "user 4711")
    check(claimed["onboarding"] == prepared, f"the claim has another answer: {claimed}")
    repeated = next_events(backend, completed["id"], ["installation.reinstalled", "installation.claimed"])
    wait_for("each event at the function", lambda: whole(lines_of(aws, log, '"event":"request"'), 3))
    check(ledger_of(aws, resources) == ledger, "the ledger was written again")
    check(look_at_notion(backend, prepared, variables["APP_NAME"]) == made, "the workspace has changed")
    check(what_is_prepared(aws, outputs, backend) == prepared, "the installation has another answer")
    check(not read_all(backend, repeated[-1]["id"]), "something else has happened")
    vends = lines_of(aws, resources["TokenLog"], '"caller_says":"onboard"')
    check(len(vends) == 1, f"it asked for {len(vends)} tokens: {vends}")
    unwell = [line for level in ("WARN", "ERROR") for line in lines_of(aws, log, f'"level":"{level}"')]
    check(not unwell, f"OnboardLog: {unwell}")

    a_message_that_names_nobody(aws, resources, doctor)
    planted = faults.plant_those_of_onboarding(aws, doctor)
    for secret in ("ntn_", "nrt_", CLIENT_SECRET):
        check(not lines_of(aws, log, secret), f"{secret} is in the log")
    without_a_recipe(aws, backend, repeated[-1]["id"], ledger)
    return f"{len(TRACKER)} resources for one person, none again; {planted} faults found; the ledger stays"


def what_is_prepared(aws, outputs, backend):
    """`onboarding` of the only installation in the workspace."""
    listed = aws.invoke(outputs["InstallationsFunctionName"], {"workspace_id": ACME}, *backend.key)
    (installation,) = listed["installations"]
    return installation["onboarding"]


def ledger_of(aws, resources):
    """The only ledger. The pace of all onboardings is in the same table."""
    rows = aws.client("dynamodb").scan(TableName=resources["OnboardingTable"], ConsistentRead=True)["Items"]
    (ledger,) = [row for row in rows if row["onboarding_id"]["S"] != "pace"]
    return ledger


def look_at_notion(backend, prepared, app_name):
    """What a backend sees of what was prepared, with the person's token: exactly the tracker, with every value."""
    vended = backend.token()
    ids = {resource["resource_id"]: resource["id"] for resource in prepared["resources"]}

    def results(path, asked=None, **query):
        answer = backend.content(vended, f"{path}?{urlencode(query)}" if query else path, asked)
        check(not answer["has_more"], f"{path} has another page")
        return answer["results"]

    found = {thing["id"]: title_of(thing) for thing in results("/v1/search", {"page_size": 100})}
    check(found.get(ids["home"]) == f"{app_name}: start here", f"search finds {found}")
    blocks = results(f"/v1/blocks/{ids['home']}/children", page_size=100)
    databases = [(block["id"], block["child_database"]["title"]) for block in blocks if "child_database" in block]
    check(databases == [(ids["tasks"], "Tasks")], f"on the page are {databases}")
    (source,) = backend.content(vended, f"/v1/databases/{ids['tasks']}")["data_sources"]
    rows = {row["id"]: title_of(row) for row in results(f"/v1/data_sources/{source['id']}/query", {"page_size": 100})}
    check(rows.keys() == {ids[name] for name in ROWS}, f"the rows are {rows}")
    check(rows[ids["first-task"]] == "Look around, Ada", f"the rows are {rows}")
    views = [view["id"] for view in results("/v1/views", database_id=ids["tasks"])]
    check(ids["board"] in views, f"the views are {views}")
    check("{{" not in json.dumps([found, blocks, rows]), "a placeholder is left")
    check(prepared["landing_url"] == f"https://www.notion.so/{ids['home'].replace('-', '')}", str(prepared))
    return found, [block["id"] for block in blocks], rows, views


def title_of(thing):
    """The title of a page, a row or a data source."""
    titles = [value["title"] for value in thing.get("properties", {}).values() if value.get("type") == "title"]
    # The properties of a data source are its columns.
    parts = thing["title"] if thing["object"] == "data_source" else titles[0]
    return "".join(part["plain_text"] for part in parts)


def a_message_that_names_nobody(aws, resources, doctor):
    """It is put aside with the reason, and the doctor says that it is there."""
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=resources["OnboardingQueue"], MessageBody='{"onboard":{"installation":"nobody"}}')
    wait_for("the message among the dead letters", lambda: waiting(sqs, resources["OnboardingDeadLetters"]) == (1, 0))
    check(lines_of(aws, resources["OnboardLog"], "onboarding_unreadable"), "the log does not say so")
    said = doctor()["queues"]
    check(said["status"] == "warning" and "OnboardingDeadLetters" in said["cure"], str(said))
    received = sqs.receive_message(QueueUrl=resources["OnboardingDeadLetters"], MessageAttributeNames=["why"])
    (dead,) = received["Messages"]
    why = dead["MessageAttributes"]["why"]["StringValue"]
    check("nobody" in dead["Body"] and "names no installation" in why, f"{dead}")
    sqs.delete_message(QueueUrl=resources["OnboardingDeadLetters"], ReceiptHandle=dead["ReceiptHandle"])
    wait_for("an empty queue", lambda: waiting(sqs, resources["OnboardingQueue"]) == (0, 0))


def waiting(sqs, queue):
    """How many messages are visible, and how many are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return tuple(int(attributes[name]) for name in names)


def without_a_recipe(aws, backend, after, ledger):
    """The ledger outlives the installation and the recipe. Nothing else of onboarding stays."""
    events.disconnect(backend, "user 4711")
    next_events(backend, after, ["installation.removed"])
    aws.sam("deploy", Recipe="")
    resources = aws.stack()[1]
    left = [name for name in resources if "Onboard" in name]
    check(left == ["OnboardingTable"], f"without a recipe there is still {left}")
    check(ledger_of(aws, resources) == ledger, "the ledger did not stay as it was")
    for function in ("CallbackFunction", "ClaimFunction", "InstallationsFunction"):
        configuration = aws.client("lambda").get_function_configuration(FunctionName=resources[function])
        check("ONBOARDING_TABLE" not in configuration["Environment"]["Variables"], f"{function} still looks")
