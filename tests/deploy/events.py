"""What the app hears: the events of a small story, by the feed, by a rule on the bus, and by the webhook's queue."""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from urllib.parse import parse_qsl, urlsplit

from person import Person
from tools import Failed, check, now

# For everything that has to pass a stream, a queue or the bus.
PATIENCE_SECS = 60
# Who has to appear in no event, unless the deployer wants it: the simulated Notion's Ada, and her workspace.
PERSONAL = ("Ada", "Acme", "@")


def wait_for(what, look):
    """What `look` returns, as soon as it is true."""
    deadline = now() + PATIENCE_SECS
    while True:
        found = look()
        if found:
            return found
        if now() > deadline:
            raise Failed(f"{what}: not within {PATIENCE_SECS} s")
        time.sleep(0.2)


def connect(outputs, backend, subject):
    """A person installs because the app asked for it, and the app claims it. Returns what nobody may ever read."""
    _, hidden = install_and_claim(outputs, backend, subject)
    return hidden


def install_and_claim(outputs, backend, subject):
    """The same. Returns the answer to the claim, and what nobody may ever read."""
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    person = Person()
    back = person.request(person.approve(f"{outputs['InstallUrl']}?return_to=app&code_challenge={challenge}"))
    code = dict(parse_qsl(urlsplit(back.location).query))["code"]
    claimed = backend.post("ClaimUrl", code=code, code_verifier=verifier, subject=subject)
    check(claimed.status == 200, str(claimed))
    return claimed.json(), [code, verifier]


def read(backend, **asked):
    answer = backend.get("EventsUrl", **asked)
    check(answer.status == 200, str(answer))
    return answer.json()


def read_all(backend, after=None, limit=100):
    """Every event after `after`, page by page."""
    events, more = [], True
    while more:
        page = read(backend, limit=limit, **({"after": after} if after else {}))
        events += page["events"]
        after, more = page["next"], page["more"]
    return events


def next_events(backend, after, expected):
    """The next events of the feed, which are of these types."""
    events = wait_for(f"{expected} in the feed", lambda: whole(read_all(backend, after), len(expected)))
    found = [event["type"] for event in events]
    check(found == expected, f"{found} instead of {expected}")
    return events


def whole(found, count):
    """What was found, if it is enough."""
    return found if len(found) >= count else None


class Subscriber:
    """A queue of somebody else's, with a rule on the stack's bus, as in docs/events.md."""

    def __init__(self, aws, bus):
        self.events, self.sqs, self.bus = aws.client("events"), aws.client("sqs"), bus
        self.queue = self.sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        pattern = json.dumps({"source": ["notion-install"]})
        self.events.put_rule(Name="subscriber", EventBusName=bus, EventPattern=pattern)
        target = {"Id": "queue", "Arn": attributes["QueueArn"]}
        self.events.put_targets(Rule="subscriber", EventBusName=bus, Targets=[target])
        # By the id in the document: EventBridge's own differs for every delivery.
        self.received = {}

    def receive(self):
        for message in self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            self.received[event["detail"]["id"]] = event
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return self.received

    def leave(self):
        """A bus with a rule cannot be deleted."""
        self.events.remove_targets(Rule="subscriber", EventBusName=self.bus, Ids=["queue"])
        self.events.delete_rule(Name="subscriber", EventBusName=self.bus)
        self.sqs.delete_queue(QueueUrl=self.queue)


def feed_and_bus(aws, outputs, resources, backend, stranger):
    """A story, and everything that the feed and a subscriber hear of it.

    Not shown here, because the emulator does not do it: that a failing part of a batch comes again, that batches are
    halved, that changes become too old, the archive (it knows no such resource), and that EventBridge obeys queue
    policies, retries, and sends to dead letters what it gives up on.
    """
    check(stranger.get("EventsUrl").status == 403, "anybody may read the feed")
    # The steps before this one have removed what they had installed, twice.
    before = wait_for("the events so far", lambda: until_removed(read_all(backend), 2))
    check(before[0]["type"] == "installation.installed", f"the first event of the stack: {before[0]}")
    subscriber = Subscriber(aws, outputs["EventBusName"])

    # One after the other, because the tables have a stream each.
    steps = [
        (lambda: cancel(outputs), ["install.refused"]),
        (lambda: connect(outputs, backend, "user 4711"), ["installation.installed", "installation.claimed"]),
        (lambda: connect(outputs, backend, "user 4712"), ["installation.reinstalled", "installation.claimed"]),
        (lambda: disconnect(backend, "user 4712"), ["installation.unlinked"]),
        (lambda: disconnect(backend, "user 4711"), ["installation.removed"]),
    ]
    hidden, heard, after = [], [], before[-1]["id"]
    for step, expected in steps:
        hidden += step()
        events = next_events(backend, after, expected)
        heard += events
        after = events[-1]["id"]
    subjects = [event["data"].get("subject") for event in heard]
    check(subjects == [None, None, "user 4711", None, "user 4712", "user 4712", None], f"about whom: {subjects}")
    healths = [(event["data"].get("previous_health"), event["data"].get("health")) for event in heard]
    check(healths[1] == ("removed", "unclaimed") and healths[2] == ("unclaimed", "active"), f"{healths}")
    check(healths[-1] == ("active", "removed"), f"{healths}")
    order = [(event["data"]["generation"], event["data"]["version"]) for event in heard[1:]]
    check(order == sorted(order), f"not in the order of the writes: {order}")

    # However it is read, the feed says the same.
    start = before[-1]["id"]
    check(read_all(backend, start, limit=1) == heard, "page by page, the feed says something else")
    directly = aws.invoke(outputs["FeedFunctionName"], {"after": start, "limit": 2}, *backend.key)
    check(directly == {"events": heard[:2], "next": heard[1]["id"], "more": True, "missed": False}, f"{directly}")
    nothing = read(backend, after=heard[-1]["id"])
    check(nothing == {"events": [], "next": heard[-1]["id"], "more": False, "missed": False}, f"{nothing}")
    expired = backend.get("EventsUrl", after="evt_" + "0" * 32)
    check(expired.status == 410 and expired.json()["error"] == "expired", str(expired))

    wanted = {event["id"]: event for event in heard}
    check(len(wanted) == len(heard), f"ids come twice: {heard}")
    wait_for("every event at the subscriber", lambda: wanted.keys() <= subscriber.receive().keys())
    received = subscriber.received
    check(received.keys() == wanted.keys(), f"more than happened: {received.keys() - wanted.keys()}")
    for id, event in received.items():
        check(event["detail"] == wanted[id], f"the bus has {event['detail']}, the feed {wanted[id]}")
        check(event["source"] == "notion-install" and event["detail-type"] == wanted[id]["type"], str(event))
        table = "ClaimsTable" if event["detail-type"].startswith("install.") else "InstallationsTable"
        check(event["resources"][0].endswith(f":table/{resources[table]}"), str(event["resources"]))
    subscriber.leave()

    said = json.dumps([heard, list(received.values())])
    for never in (*hidden, "ntn_", "nrt_", *PERSONAL):
        check(never not in said, f"{never} is in an event")
    for group in ("PublishLog", "FeedLog"):
        unwell = [line for level in ("WARN", "ERROR") for line in lines_of(aws, resources[group], f'"level":"{level}"')]
        check(not unwell, f"{group}: {unwell}")
    return f"{len(heard)} events of a story, the same in the feed and on the bus; nobody's name, no secret"


def until_removed(events, times):
    """The events, if something was removed so often, and nothing has happened since."""
    types = [event["type"] for event in events]
    return events if types.count("installation.removed") == times and types[-1] == "installation.removed" else None


def cancel(outputs):
    Person().cancel(outputs["InstallUrl"])
    return []


def disconnect(backend, subject):
    removed = backend.post("UninstallUrl", subject=subject)
    check(removed.status == 200, str(removed))
    return []


def lines_of(aws, group, word):
    """The lines of a function's log with this word."""
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"] if word in event["message"]]


class Listener:
    """A port of this machine, and how often somebody connected."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.connections = self.socket.getsockname()[1], 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self):
        self.socket.close()


def heal_the_webhooks_secret(aws, secret):
    """The emulator puts punctuation into a generated secret in spite of ExcludePunctuation. AWS does not."""
    drawn = base64.b64encode(secrets.token_bytes(48), altchars=b"xy").decode()
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps({"secret": drawn}))
    return drawn


def webhook(aws, backend, doctor):
    """With a webhook, each event gets from the bus to its queue and to the function, and waits there to be sent again.

    The only addresses that there are here are this machine's. The function refuses them, which this shows, so nothing
    is ever sent. Not shown here: the POST with its signature ("events through RIE" has one), what follows from its
    answer (2xx, 410, Retry-After), the dead letters after three days, and both keys during a rotation: tests/it has
    that on the wire, with a receiver on localhost. Neither that EventBridge obeys the queues' policies, nor that the
    function can read no event, because the emulator knows no dynamodb:LeadingKeys; "least privilege" checks the policy.
    Nor can the emulator move the dead letters back.
    """
    listener = Listener()
    refused = aws.sam("deploy", expect=1, WebhookUrl="http://example.com/events")
    check("WebhookUrl" in refused.stdout + refused.stderr, refused.stderr)
    url = f"https://127.0.0.1:{listener.port}/events"
    aws.sam("deploy", WebhookUrl=url)
    outputs, resources = aws.stack()
    log = resources["WebhookLog"]
    secret = heal_the_webhooks_secret(aws, resources["WebhookSecret"])
    configuration = aws.client("lambda").get_function_configuration(FunctionName=resources["WebhookFunction"])
    check(secret not in str(configuration), "the secret is in the environment")
    said = doctor()
    check(said["streams"]["status"] == "ok" and said["webhook"]["status"] == "ok", str(said))

    after = read_all(backend)[-1]["id"]
    cancel(outputs)
    (event,) = next_events(backend, after, ["install.refused"])
    # After five seconds, because the function said so: the queue itself would wait for three minutes.
    tries = wait_for("a second try", lambda: whole(tries_of(aws, log, event), 2))
    gaps = [attempt["again_in_secs"] for attempt in tries[:2]]
    check(5 <= gaps[0] <= 6 and gaps[1] >= 300, f"sent again after {gaps} seconds")
    check(lines_of(aws, log, "webhook_refused_address"), "the address was not what it refused")
    check(lines_of(aws, log, '"DeliveryFailed":1'), "no metric says that the delivery failed")
    check(listener.connections == 0, "the function connected to an address of this machine")

    def waiting(queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=resources[queue], AttributeNames=names)
        return tuple(int(attributes["Attributes"][name]) for name in names)

    # Visible, and hidden until the next try.
    wait_for("the event to be hidden again", lambda: waiting("WebhookQueue") == (0, 1))
    check(waiting("WebhookDeadLetters") == (0, 0), f"given up: {waiting('WebhookDeadLetters')}")

    # As if the receiver had answered 410.
    marker = {"event_id": {"S": "webhook/" + hashlib.sha256(url.encode()).hexdigest()[:32]}, "gone_at": {"N": "1"}}
    aws.client("dynamodb").put_item(TableName=resources["EventsTable"], Item=marker)
    cancel(outputs)
    (held_back,) = next_events(backend, event["id"], ["install.refused"])
    wait_for("the event among the dead letters", lambda: waiting("WebhookDeadLetters") == (1, 0))
    check(not tries_of(aws, log, held_back), "it was sent to a receiver that is gone")
    said = doctor(expect=1)
    check(said["webhook"]["status"] == "problem" and "webhook resume" in said["webhook"]["cure"], str(said["webhook"]))
    check(said["queues"]["status"] == "warning" and "WebhookDeadLetters" in said["queues"]["cure"], str(said["queues"]))
    dead = aws.client("sqs").receive_message(QueueUrl=resources["WebhookDeadLetters"], MessageAttributeNames=["why"])
    (dead,) = dead["Messages"]
    check(json.loads(dead["Body"])["detail"] == held_back, f"the dead letter is another event: {dead}")
    check("stopped" in dead["MessageAttributes"]["why"]["StringValue"], str(dead["MessageAttributes"]))
    aws.client("sqs").delete_message(QueueUrl=resources["WebhookDeadLetters"], ReceiptHandle=dead["ReceiptHandle"])
    resumed = json.loads(aws.operator("--json", "webhook", "resume").stdout)
    check(resumed["was_stopped"] is True, str(resumed))
    check(doctor()["webhook"]["status"] == "ok", "the receiver is still stopped")

    the_operators_commands(aws, backend, secret)
    check(not lines_of(aws, log, secret), "the secret is in the log")
    aws.sam("deploy", WebhookUrl="")
    listener.close()
    left = [name for name in aws.stack()[1] if name.startswith(("Webhook", "EndpointGone"))]
    check(not left, f"without a webhook there is still {left}")
    kept = [secret["ARN"] for secret in aws.client("secretsmanager").list_secrets()["SecretList"]]
    # AWS calls it by its ARN here, the emulator by its name.
    check(any(resources["WebhookSecret"] in arn for arn in kept), f"the secret was deleted with the webhook: {kept}")
    none = aws.operator("webhook", "secret", expect=1)
    check("WebhookUrl" in none.stderr, none.stderr)
    return "from the bus to the queue to the function; refused an address of this machine; tried again after 5 s"


def the_operators_commands(aws, backend, secret):
    """What the operator does about events, as far as there is something to do it with: here, no archive."""
    shown = aws.operator("webhook", "secret", "--show").stdout.strip()
    check(shown == f"whsec_{secret}", f"another secret: {shown}")
    check(secret not in aws.operator("webhook", "secret").stdout, "the secret was printed, although nobody asked")
    # There is something left to do: the app needs the new one.
    rotated = aws.operator("webhook", "rotate", expect=1)
    shown = aws.operator("webhook", "secret", "--show").stdout
    check(shown.startswith("whsec_") and secret not in shown, f"not rotated: {rotated.stdout}")
    tail = aws.operator("--json", "events", "tail", "--since-start", "--no-follow").stdout
    events = [json.loads(line) for line in tail.splitlines()]
    check(events == read_all(backend), "the tail has other events than the feed")
    replay = aws.operator("events", "replay", "--since", "2026-01-01T00:00:00Z", expect=1)
    check("EventsArchiveDays" in replay.stderr, replay.stderr)


def tries_of(aws, log, event):
    """The lines that say that this event was not delivered."""
    lines = [json.loads(line) for line in lines_of(aws, log, "again_in_secs")]
    return [line for line in lines if line.get("event_id") == event["id"]]
