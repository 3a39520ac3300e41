"""What the functions answer: an installation, its onboarding, a token."""

from __future__ import annotations

from dataclasses import dataclass

from ._fields import Fields
from ._person import THE_WORKSPACE, Person
from ._secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What an onboarding made, or found. ``id`` and ``url`` are Notion's; None if it was not made."""

    resource_id: str
    type: str
    state: str
    """``pending``, ``made``, ``gone`` or ``left_out``."""
    id: str | None
    url: str | None
    why: str | None

    @classmethod
    def read(cls, fields: Fields) -> Resource:
        return cls(
            resource_id=fields.text("resource_id"),
            type=fields.text("type"),
            state=fields.text("state"),
            id=fields.text_or_none("id"),
            url=fields.text_or_none("url"),
            why=fields.text_or_none("why"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarding:
    """How far the person's workspace is prepared. ``step``, ``reason`` and ``capability`` say why it has failed."""

    status: str
    """``pending``, ``running``, ``completed`` or ``failed``."""
    recipe: str | None
    recipe_version: str | None
    landing_url: str | None
    resources: tuple[Resource, ...]
    step: str | None
    reason: str | None
    capability: str | None

    @classmethod
    def read(cls, fields: Fields) -> Onboarding:
        return cls(
            status=fields.text("status"),
            recipe=fields.text_or_none("recipe"),
            recipe_version=fields.text_or_none("recipe_version"),
            landing_url=fields.text_or_none("landing_url"),
            resources=tuple(Resource.read(each) for each in fields.objects("resources")),
            step=fields.text_or_none("step"),
            reason=fields.text_or_none("reason"),
            capability=fields.text_or_none("capability"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Everything that Notion said about an installation, except its tokens. What it did not say is None."""

    id: str
    """For ``begin(expect=…)``: opaque, and always the same."""
    workspace_id: str
    workspace_name: str | None
    workspace_icon: str | None
    """An emoji or a URL."""
    user_id: str | None
    """None if the workspace owns the installation."""
    user_name: str | None
    user_email: str | None
    user_email_verified: bool | None
    user_avatar_url: str | None
    bot_id: str | None
    duplicated_template_id: str | None
    """The page that was made from your template, if the person wanted it."""
    generation: int
    """Counts installs."""
    version: int | None
    """Counts writes: with ``generation``, the place among the events. A claim has none."""
    health: str
    """``active``, ``unverified``, ``needs_reinstall`` or ``unclaimed``."""
    installed_at: int | None
    """Seconds since the epoch."""
    subjects: tuple[str, ...]
    """Your users who are linked to it: do not send them to the browser."""
    onboarding: Onboarding | None
    """None without a recipe."""

    def person(self, subject: str | None = None) -> Person:
        """Names exactly this installation to :meth:`token` and :meth:`disconnect`: the subject's, or everybody's."""
        return Person(subject, self.workspace_id, self.user_id if self.user_id is not None else THE_WORKSPACE)

    @classmethod
    def read(cls, fields: Fields) -> Installation:
        onboarding = fields.nested_or_none("onboarding")
        return cls(
            id=fields.text("installation"),
            workspace_id=fields.text("workspace_id"),
            workspace_name=fields.text_or_none("workspace_name"),
            workspace_icon=fields.text_or_none("workspace_icon"),
            user_id=fields.text_or_none("user_id"),
            user_name=fields.text_or_none("user_name"),
            user_email=fields.text_or_none("user_email"),
            user_email_verified=fields.flag_or_none("user_email_verified"),
            user_avatar_url=fields.text_or_none("user_avatar_url"),
            bot_id=fields.text_or_none("bot_id"),
            duplicated_template_id=fields.text_or_none("duplicated_template_id"),
            generation=fields.count("generation"),
            version=fields.count_or_none("version"),
            health=fields.text("health"),
            installed_at=fields.count_or_none("installed_at"),
            subjects=fields.texts("subjects"),
            onboarding=Onboarding.read(onboarding) if onboarding else None,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of installations, and where the next one begins (for ``after``), if there is one."""

    installations: tuple[Installation, ...]
    next: str | None

    @classmethod
    def read(cls, fields: Fields) -> Page:
        listed = tuple(Installation.read(each) for each in fields.objects("installations"))
        return cls(listed, fields.text_or_none("next"))


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What a disconnect has done."""

    removed: bool
    """False: others are still linked to the installation."""
    revoked: bool
    """False: Notion has not revoked its tokens yet. The stack keeps trying."""
    generation: int
    """0: nobody was installed."""

    @classmethod
    def read(cls, fields: Fields) -> Disconnected:
        return cls(fields.flag("removed"), fields.flag("revoked"), fields.count("generation"))


@dataclass(frozen=True, slots=True)
class Token:
    """A live access token."""

    access_token: Secret
    """Use it only in the header ``Authorization``."""
    fingerprint: str
    """Identifies the token without revealing it; may be logged."""
    version: int
    generation: int
    expires_at: int | None
    """Seconds since the epoch, if Notion said when the token ends. Today it does not."""

    @classmethod
    def read(cls, fields: Fields) -> Token:
        return cls(
            Secret(fields.text("access_token")),
            fields.text("fingerprint"),
            fields.count("version"),
            fields.count("generation"),
            fields.count_or_none("expires_at"),
        )
