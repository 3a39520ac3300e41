//! What has happened: the document that the webhook, the bus and the feed carry.

use serde_json::Value;

use crate::fields::Fields;
use crate::onboarding::Onboarding;

/// Something that has happened to an installation, an install or an onboarding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The same for every delivery: remember it, and do the work once.
    pub id: String,
    /// What happened, for example `installation.claimed`. More types may come.
    pub event_type: String,
    /// When: UTC, to the second, as RFC 3339 writes it.
    pub timestamp: String,
    /// About what.
    pub data: EventData,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventData {
    /// `installation.*`, but not `installation.forgotten`.
    Installation(Box<InstallationEvent>),
    /// `installation.forgotten`.
    Forgotten(ForgottenEvent),
    /// `install.refused` and `install.failed`.
    Install(InstallEvent),
    /// `onboarding.*`.
    Onboarding(Box<OnboardingEvent>),
    /// Of a type that this release does not know.
    Unknown(Value),
}

/// An installation just after the event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallationEvent {
    /// Its opaque id, as [`Installation::id`](crate::Installation::id).
    pub installation: String,
    /// Notion's id of the workspace.
    pub workspace_id: String,
    /// Notion's id of the person; `None` if the workspace owns the installation.
    pub user_id: Option<String>,
    /// Notion's id of the authorization.
    pub bot_id: Option<String>,
    /// Counts installs.
    pub generation: u64,
    /// Counts writes.
    pub version: u64,
    /// `active`, `unverified`, `needs_reinstall`, `unclaimed` or `removed`.
    pub health: String,
    /// The one before; `None` if there was nothing before.
    pub previous_health: Option<String>,
    /// The subjects that it is linked to; of one that was removed, those that it was linked to.
    pub subjects: Vec<String>,
    /// Of `.claimed` and `.unlinked`: whom it is about.
    pub subject: Option<String>,
    /// The page that was made from the template, if the person wanted it.
    pub duplicated_template_id: Option<String>,
    /// The workspace's name, if events carry names.
    pub workspace_name: Option<String>,
    /// The person's name, if events carry names.
    pub user_name: Option<String>,
    /// The person's e-mail address, if events carry names.
    pub user_email: Option<String>,
}

/// Nothing of an installation is kept any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForgottenEvent {
    /// The SHA-256 of the installation's opaque id, in hexadecimal digits.
    pub installation_hash: String,
    /// Counts installs.
    pub generation: u64,
    /// Counts writes.
    pub version: u64,
}

/// An install that ended without an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallEvent {
    /// The attempt, for the log.
    pub flow: String,
    /// Why, as a fixed key.
    pub reason: String,
}

/// The preparation of a workspace has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnboardingEvent {
    /// The installation's opaque id.
    pub installation: String,
    /// Notion's id of the workspace.
    pub workspace_id: String,
    /// Notion's id of the person; `None` if the workspace owns the installation.
    pub user_id: Option<String>,
    /// The installation's, when the onboarding was last begun.
    pub generation: u64,
    /// Counts the writes of the onboarding.
    pub onboarding_version: u64,
    /// What was made, and why it stopped.
    pub onboarding: Onboarding,
}

impl Event {
    /// Reads an event, as the webhook, the bus (`detail`) and the feed have it. `None` if it is none.
    #[must_use]
    pub fn read(event: &Value) -> Option<Self> {
        let fields = Fields(event);
        let (event_type, data) = (fields.text("type")?, event.get("data")?);
        Some(Self {
            id: fields.text("id")?,
            timestamp: fields.text("timestamp")?,
            data: EventData::read(&event_type, data)?,
            event_type,
        })
    }
}

impl EventData {
    fn read(event_type: &str, data: &Value) -> Option<Self> {
        Some(match event_type {
            "installation.installed"
            | "installation.reinstalled"
            | "installation.adopted"
            | "installation.claimed"
            | "installation.unclaimed"
            | "installation.unlinked"
            | "installation.needs_reinstall"
            | "installation.recovered"
            | "installation.removed" => Self::Installation(Box::new(InstallationEvent::read(Fields(data))?)),
            "installation.forgotten" => Self::Forgotten(ForgottenEvent::read(Fields(data))?),
            "install.refused" | "install.failed" => Self::Install(InstallEvent::read(Fields(data))?),
            "onboarding.completed" | "onboarding.failed" => {
                Self::Onboarding(Box::new(OnboardingEvent::read(Fields(data))?))
            }
            _ => Self::Unknown(data.clone()),
        })
    }
}

impl InstallationEvent {
    fn read(data: Fields<'_>) -> Option<Self> {
        Some(Self {
            installation: data.text("installation")?,
            workspace_id: data.text("workspace_id")?,
            user_id: data.text("user_id"),
            bot_id: data.text("bot_id"),
            generation: data.number("generation")?,
            version: data.number("version")?,
            health: data.text("health")?,
            previous_health: data.text("previous_health"),
            subjects: data.texts("subjects")?,
            subject: data.text("subject"),
            duplicated_template_id: data.text("duplicated_template_id"),
            workspace_name: data.text("workspace_name"),
            user_name: data.text("user_name"),
            user_email: data.text("user_email"),
        })
    }
}

impl ForgottenEvent {
    fn read(data: Fields<'_>) -> Option<Self> {
        Some(Self {
            installation_hash: data.text("installation_hash")?,
            generation: data.number("generation")?,
            version: data.number("version")?,
        })
    }
}

impl InstallEvent {
    fn read(data: Fields<'_>) -> Option<Self> {
        Some(Self { flow: data.text("flow")?, reason: data.text("reason")? })
    }
}

impl OnboardingEvent {
    fn read(data: Fields<'_>) -> Option<Self> {
        Some(Self {
            installation: data.text("installation")?,
            workspace_id: data.text("workspace_id")?,
            user_id: data.text("user_id"),
            generation: data.number("generation")?,
            onboarding_version: data.number("onboarding_version")?,
            onboarding: Onboarding::read(data.0)?,
        })
    }
}
