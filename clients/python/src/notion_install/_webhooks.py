"""The stack's webhooks: Standard Webhooks 1.0 with symmetric keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ._errors import InvalidSecret, InvalidWebhook
from ._facts import Onboarding
from ._fields import Fields, NotAsExpected
from ._secret import Secret

TOLERANCE_SECS = 5 * 60
_DECIMAL = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event has. Which one it is, its class and its ``type`` say."""

    id: str
    """The same for every delivery: do the work once for each id."""
    type: str
    timestamp: datetime
    """When it happened, to the second. It decides nothing: see ``generation`` and ``version``."""
    data: Mapping[str, Any]
    """All of it, as it came: also what this release does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationEvent(Event):
    """``installation.installed``, ``.claimed``, ``.removed`` …: an installation just after the event.

    Ignore it if you have one of this ``installation`` with a higher ``(generation, version)``.
    """

    installation: str
    workspace_id: str
    user_id: str | None
    """None if the workspace owns it."""
    bot_id: str | None
    generation: int
    version: int
    health: str
    previous_health: str | None
    """None if there was nothing before."""
    subjects: tuple[str, ...]
    subject: str | None
    """Of ``.claimed`` and ``.unlinked``: whom it is about."""
    duplicated_template_id: str | None
    workspace_name: str | None
    """This and the next two: only if the stack is told to."""
    user_name: str | None
    user_email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenEvent(Event):
    """``installation.forgotten``: names nobody but by a hash."""

    installation_hash: str
    """The SHA-256 of the installation's id, in hexadecimal digits."""
    generation: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallEvent(Event):
    """``install.refused`` and ``install.failed``: one that ended without an installation."""

    flow: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardingEvent(Event):
    """``onboarding.completed`` and ``.failed``. Its order is ``(generation, onboarding_version)``."""

    installation: str
    workspace_id: str
    user_id: str | None
    generation: int
    onboarding_version: int
    onboarding: Onboarding


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Event):
    """One of a later release. Ignore it, and answer 2xx."""


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secrets: Secret | str | Iterable[Secret | str],
    *,
    now: float | None = None,
) -> Event:
    """The event in a request, if the stack has sent it within the last five minutes.

    :param headers: of the request, in any case.
    :param body: byte for byte as it came, before anything parses it.
    :param secrets: ``whsec_…``, one or several: one signature by one of them is enough.
    :param now: seconds since the epoch, by default the clock's.
    :raises InvalidWebhook: answer 401.
    :raises InvalidSecret: what you gave as a secret is none.
    """
    keys = _keys(secrets)
    body = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError:
        raise InvalidWebhook("missing_header") from None
    if not _DECIMAL.fullmatch(sent_at):
        raise InvalidWebhook("invalid_timestamp")
    age_secs = int(time.time() if now is None else now) - int(sent_at)
    if age_secs > TOLERANCE_SECS:
        raise InvalidWebhook("too_old")
    if age_secs < -TOLERANCE_SECS:
        raise InvalidWebhook("too_new")
    if not _is_signed(f"{message_id}.{sent_at}.".encode() + body, signatures, keys):
        raise InvalidWebhook("bad_signature")
    try:
        return _event(Fields.parse(body))
    except NotAsExpected:
        raise InvalidWebhook("not_an_event") from None


def _keys(secrets: Secret | str | Iterable[Secret | str]) -> list[bytes]:
    keys: list[bytes] = []
    for secret in [secrets] if isinstance(secrets, (Secret, str)) else secrets:
        text = secret.get_secret_value() if isinstance(secret, Secret) else secret
        key = _key(text.removeprefix("whsec_"))
        if key is None or not 24 <= len(key) <= 64:
            raise InvalidSecret
        keys.append(key)
    if not keys:
        raise InvalidSecret
    return keys


def _key(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_signed(signed: bytes, signatures: str, keys: list[bytes]) -> bool:
    expected = [b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in keys]
    given = [signature.encode() for signature in signatures.split(" ")]
    # All are compared, so that the time says nothing about which one fits.
    fits = [hmac.compare_digest(one, other) for one in given for other in expected]
    return any(fits)


def _event(fields: Fields) -> Event:
    kind = fields.text("type")
    read = next((read for prefix, read in _READERS.items() if kind in prefix), None)
    try:
        timestamp = datetime.strptime(fields.text("timestamp"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise NotAsExpected from None
    data = fields.nested("data")
    common: dict[str, Any] = {"id": fields.text("id"), "type": kind, "timestamp": timestamp, "data": data.values}
    return read(common, data) if read else UnknownEvent(**common)


def _installation(common: dict[str, Any], data: Fields) -> Event:
    return InstallationEvent(
        **common,
        installation=data.text("installation"),
        workspace_id=data.text("workspace_id"),
        user_id=data.text_or_none("user_id"),
        bot_id=data.text_or_none("bot_id"),
        generation=data.count("generation"),
        version=data.count("version"),
        health=data.text("health"),
        previous_health=data.text_or_none("previous_health"),
        subjects=data.texts("subjects"),
        subject=data.text_or_none("subject"),
        duplicated_template_id=data.text_or_none("duplicated_template_id"),
        workspace_name=data.text_or_none("workspace_name"),
        user_name=data.text_or_none("user_name"),
        user_email=data.text_or_none("user_email"),
    )


def _forgotten(common: dict[str, Any], data: Fields) -> Event:
    return ForgottenEvent(
        **common,
        installation_hash=data.text("installation_hash"),
        generation=data.count("generation"),
        version=data.count("version"),
    )


def _install(common: dict[str, Any], data: Fields) -> Event:
    return InstallEvent(**common, flow=data.text("flow"), reason=data.text("reason"))


def _onboarding(common: dict[str, Any], data: Fields) -> Event:
    return OnboardingEvent(
        **common,
        installation=data.text("installation"),
        workspace_id=data.text("workspace_id"),
        user_id=data.text_or_none("user_id"),
        generation=data.count("generation"),
        onboarding_version=data.count("onboarding_version"),
        onboarding=Onboarding.read(data),
    )


_KINDS = (
    "installed",
    "reinstalled",
    "adopted",
    "claimed",
    "unclaimed",
    "unlinked",
    "needs_reinstall",
    "recovered",
    "removed",
)
_READERS: dict[frozenset[str], Callable[[dict[str, Any], Fields], Event]] = {
    frozenset(f"installation.{kind}" for kind in _KINDS): _installation,
    frozenset(["installation.forgotten"]): _forgotten,
    frozenset(["install.refused", "install.failed"]): _install,
    frozenset(["onboarding.completed", "onboarding.failed"]): _onboarding,
}
