"""Webhooks beside the official library, and those that the dev stack sends."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest
import standardwebhooks
from dev_stack import ADA, CREDENTIALS, Browser, DevStack, Webhooks, query_of

import notion_install as ni
from notion_install.sigv4 import signed_send

SECRET = "whsec_" + "c2VjcmV0" * 4
BODY = '{"id": "evt_1", "type": "from.the.future", "timestamp": "2026-11-29T05:41:55Z", "data": {"ü": 1}}'
NOW = datetime(2026, 11, 29, 5, 42, tzinfo=timezone.utc)


def signed(body: str = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """The headers as the official library signs them."""
    signature = standardwebhooks.Webhook(secret).sign("evt_1", at, body)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def test_what_the_official_library_signs() -> None:
    event = ni.verify_webhook(signed(), BODY, SECRET, now=NOW.timestamp())
    assert isinstance(event, ni.UnknownEvent)
    assert (event.id, event.type, event.data) == ("evt_1", "from.the.future", {"ü": 1})
    assert event.timestamp == datetime(2026, 11, 29, 5, 41, 55, tzinfo=timezone.utc)


def test_what_the_official_library_refuses() -> None:
    now = datetime.now(tz=timezone.utc)
    good = signed(at=now)
    library = standardwebhooks.Webhook(SECRET)
    forged = [({**good, "webhook-id": "evt_2"}, BODY), ({**good, "webhook-signature": "v1,"}, BODY), (good, BODY + " ")]
    forged += [({name: value for name, value in good.items() if name != missing}, BODY) for missing in good]
    forged += [({**good, "webhook-timestamp": wrong}, BODY) for wrong in ("", "x", "1")]
    forged += [(signed(at=now + timedelta(minutes=off)), BODY) for off in (-6, 6)]
    forged += [(signed(secret="whsec_" + "b3RoZXIh" * 4, at=now), BODY)]
    forged += [(good, BODY[:at] + chr(ord(BODY[at]) ^ 1) + BODY[at + 1 :]) for at in range(len(BODY))]
    library.verify(BODY, good)
    ni.verify_webhook(good, BODY, SECRET)
    for headers, body in forged:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            library.verify(body, headers)
        with pytest.raises(ni.InvalidWebhook) as raised:
            ni.verify_webhook(headers, body, SECRET)
        assert SECRET not in f"{raised.value!r}"


@pytest.mark.parametrize("timestamp", ["2026-11-29 05:41:55", "2026-11-29T05:41:55+00:00", "2026-13-29T05:41:55Z", 5])
def test_a_time_of_another_form_is_no_event(timestamp: object) -> None:
    body = BODY.replace('"2026-11-29T05:41:55Z"', f'"{timestamp}"')
    with pytest.raises(ni.InvalidWebhook, match="not_an_event"):
        ni.verify_webhook(signed(body), body, SECRET, now=NOW.timestamp())


@pytest.mark.parametrize("secret", [SECRET + "\n", SECRET[:10] + " " + SECRET[10:], "whsec_ü" + SECRET])
def test_a_secret_that_was_not_copied_well(secret: str) -> None:
    with pytest.raises(ni.InvalidSecret) as raised:
        ni.verify_webhook(signed(), BODY, secret, now=NOW.timestamp())
    assert secret not in f"{raised.value!r} {raised.value}"


def test_what_the_dev_stack_sends(stack_with_webhook: DevStack, webhooks: Webhooks) -> None:
    stack = stack_with_webhook
    session = boto3.Session(
        CREDENTIALS["AWS_ACCESS_KEY_ID"],
        CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
    )
    client = ni.NotionInstall(ni.SignedRoutes(stack.url, signed_send(session)))
    begun = ni.begin(f"{stack.url}/install", "app")
    code = begun.code_from(query_of(Browser().connect(begun.url)))
    installation = client.claim(code, begun.verifier, "anna")
    client.disconnect("anna")

    events: dict[str, ni.Event] = {}
    while len(events) < 3:
        headers, body = webhooks.got.get(timeout=60)
        event = ni.verify_webhook(headers, body, stack.webhook_secret)
        assert standardwebhooks.Webhook(stack.webhook_secret).verify(body, headers)["id"] == event.id
        with pytest.raises(ni.InvalidWebhook, match="bad_signature"):
            ni.verify_webhook(headers, body + b" ", stack.webhook_secret)
        events[event.type] = event
    assert events.keys() == {"installation.installed", "installation.claimed", "installation.removed"}
    claimed = events["installation.claimed"]
    assert isinstance(claimed, ni.InstallationEvent)
    assert (claimed.installation, claimed.subject, claimed.subjects) == (installation.id, "anna", ("anna",))
    assert (claimed.user_id, claimed.health, claimed.previous_health) == (ADA, "active", "unclaimed")
    removed = events["installation.removed"]
    assert isinstance(removed, ni.InstallationEvent)
    assert (removed.generation, removed.version) > (claimed.generation, claimed.version)
