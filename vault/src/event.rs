//! What an app hears: one event per change of an installation, in the form of a Standard Webhooks payload.
//!
//! The same document is the detail on the bus, the body of a webhook and an entry of the feed. `docs/events.md` is the
//! contract, `events/schemas` its schema. An event is thin: it holds what does not age, and nothing with which anybody
//! could do anything.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::clock::UnixSeconds;
use shared::flow::ClaimKey;
use shared::pages::Notice;

use crate::installation::InstallationId;
use crate::onboarding::Ledger;

/// The source of our events on the bus.
pub const SOURCE: &str = "notion-install";
const ID_TAG: &[u8] = b"notion-install event";
const ID_PREFIX: &str = "evt_";
/// How many bytes of the hash an id has.
const ID_BYTES: usize = 16;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A person installed.
    Installed,
    /// The operator adopted tokens from elsewhere for one of the app's users.
    Adopted,
    /// A person installed again what they had.
    Reinstalled,
    /// The app claimed an install for one of its users.
    Claimed,
    /// It ended, and nobody had claimed it.
    Unclaimed,
    /// One of its users is no longer linked; others still are.
    Unlinked,
    /// Its grant is dead: the person has to install again.
    NeedsReinstall,
    /// Its grant was found dead, and another pair may be alive.
    Recovered,
    /// It was removed.
    Removed,
    /// Nothing is kept of it any more.
    Forgotten,
    /// A person pressed Cancel at Notion.
    Refused,
    /// An install failed.
    Failed,
    /// A person's workspace is prepared.
    OnboardingCompleted,
    /// Preparing it has stopped.
    OnboardingFailed,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 14] = [
        Self::Installed,
        Self::Adopted,
        Self::Reinstalled,
        Self::Claimed,
        Self::Unclaimed,
        Self::Unlinked,
        Self::NeedsReinstall,
        Self::Recovered,
        Self::Removed,
        Self::Forgotten,
        Self::Refused,
        Self::Failed,
        Self::OnboardingCompleted,
        Self::OnboardingFailed,
    ];

    /// The type's name in the document.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Installed => "installation.installed",
            Self::Adopted => "installation.adopted",
            Self::Reinstalled => "installation.reinstalled",
            Self::Claimed => "installation.claimed",
            Self::Unclaimed => "installation.unclaimed",
            Self::Unlinked => "installation.unlinked",
            Self::NeedsReinstall => "installation.needs_reinstall",
            Self::Recovered => "installation.recovered",
            Self::Removed => "installation.removed",
            Self::Forgotten => "installation.forgotten",
            Self::Refused => "install.refused",
            Self::Failed => "install.failed",
            Self::OnboardingCompleted => "onboarding.completed",
            Self::OnboardingFailed => "onboarding.failed",
        }
    }
}

/// An event's id: the same for every delivery. Without a full stop, as Standard Webhooks wants it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventId(String);

impl EventId {
    /// Reads an id as it stands in a document.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(ID_PREFIX)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (digits.len() == ID_BYTES * 2 && is_hex).then(|| Self(text.to_owned()))
    }

    /// The id of what these parts name together. None of them contains a zero.
    fn of(kind: EventType, parts: &[&str]) -> Self {
        let hash = Sha256::new().chain_update(ID_TAG).chain_update([0]).chain_update(kind.key());
        let hash = parts.iter().fold(hash, |hash, part| hash.chain_update([0]).chain_update(part));
        let hash = hash.finalize();
        Self(ID_PREFIX.to_owned() + &hex(&hash[..ID_BYTES]))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a write of an installation's row is known by. A row that is written again from a backup counts its versions
/// again, so the time of the import belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) id: &'a InstallationId,
    pub(crate) generation: u64,
    pub(crate) version: u64,
    pub(crate) imported_at_ms: Option<u64>,
}

/// An event, ready to be published.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventType,
    /// When it happened.
    pub at: UnixSeconds,
    /// The document.
    pub document: Box<RawValue>,
}

#[derive(Serialize)]
struct Document<'a> {
    id: &'a EventId,
    r#type: &'static str,
    timestamp: String,
    data: &'a Value,
}

impl Event {
    /// Something happened to an installation. `subject` is the user of the app whom it is about, if it is about one.
    pub(crate) fn of_installation(
        kind: EventType,
        write: Write<'_>,
        subject: Option<&str>,
        at: UnixSeconds,
        mut data: Value,
    ) -> Self {
        let [generation, version] = [write.generation, write.version].map(|number| number.to_string());
        let imported = write.imported_at_ms.map(|at_ms| at_ms.to_string()).unwrap_or_default();
        let about = subject.unwrap_or_default();
        let parts = [write.id.as_str(), &generation, &version, about, &imported];
        if let Some(subject) = subject {
            data["subject"] = subject.into();
        }
        Self::new(kind, EventId::of(kind, &parts), at, &data)
    }

    /// Nothing is kept of an installation any more. The event does not name it either: who knows its id can compute the
    /// hash.
    pub(crate) fn forgotten(write: Write<'_>, at: UnixSeconds) -> Self {
        let installation_hash = hex(&Sha256::digest(write.id.to_opaque()));
        let data = json!({
            "installation_hash": installation_hash,
            "generation": write.generation,
            "version": write.version,
        });
        Self::of_installation(EventType::Forgotten, write, None, at, data)
    }

    /// An onboarding has ended.
    pub(crate) fn of_onboarding(kind: EventType, ledger: &Ledger, at: UnixSeconds) -> Self {
        let (workspace_id, user_id) = ledger.id.parts();
        let mut data = ledger.facts();
        data["installation"] = ledger.id.to_opaque().into();
        data["workspace_id"] = workspace_id.into();
        data["user_id"] = user_id.into();
        data["generation"] = ledger.generation.into();
        data["onboarding_version"] = ledger.version.into();
        let write = Write {
            id: &ledger.id,
            generation: ledger.generation,
            version: ledger.version,
            imported_at_ms: None,
        };
        Self::of_installation(kind, write, None, at, data)
    }

    /// An install ended without an installation.
    pub(crate) fn of_claim(key: &ClaimKey, notice: Notice, at: UnixSeconds) -> Self {
        let kind = if notice == Notice::Refused { EventType::Refused } else { EventType::Failed };
        let data = json!({"flow": key.flow_id().as_str(), "reason": notice.key()});
        Self::new(kind, EventId::of(kind, &[key.as_str()]), at, &data)
    }

    fn new(kind: EventType, id: EventId, at: UnixSeconds, data: &Value) -> Self {
        let document = Document { id: &id, r#type: kind.key(), timestamp: rfc3339(at), data };
        #[expect(clippy::expect_used, reason = "a JSON value is JSON")]
        let document = serde_json::to_string(&document).expect("JSON");
        // SQS takes any character but these two, which a name may contain.
        let document = document.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
        #[expect(clippy::expect_used, reason = "an escaped character is JSON too")]
        let document = RawValue::from_string(document).expect("JSON");
        Self { id, kind, at, document }
    }
}

fn rfc3339(at: UnixSeconds) -> String {
    let at = DateTime::from_secs(i64::try_from(at.0).unwrap_or(i64::MAX));
    at.fmt(Format::DateTime).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventType, version: u64, subject: Option<&str>, imported_at_ms: Option<u64>) -> Event {
        let id = InstallationId::of_user("w", Some("u"));
        let write = Write { id: &id, generation: 2, version, imported_at_ms };
        Event::of_installation(kind, write, subject, UnixSeconds(1_795_305_600), json!({"health": "active"}))
    }

    #[test]
    fn a_document_has_the_form_of_a_standard_webhooks_payload() {
        let claimed = event(EventType::Claimed, 3, Some("user 4711"), None);
        let document: Value = serde_json::from_str(claimed.document.get()).unwrap();
        assert_eq!(document["id"], claimed.id.as_str());
        assert_eq!(document["type"], "installation.claimed");
        assert_eq!(document["timestamp"], "2026-11-22T00:00:00Z");
        assert_eq!(document["data"], json!({"health": "active", "subject": "user 4711"}));
        assert_eq!(document.as_object().unwrap().len(), 4);
    }

    #[test]
    fn an_id_is_stable_and_differs_in_everything_that_makes_an_event_another_one() {
        let claimed = |version, subject, imported| event(EventType::Claimed, version, subject, imported).id;
        let id = claimed(3, Some("a"), None);
        // Consumers keep ids: a change of the hash would make old events new.
        assert_eq!(id.as_str(), "evt_745fc17ff5b26125afc689b5e7fb5774");
        assert_eq!(id, claimed(3, Some("a"), None));
        let others = [
            claimed(4, Some("a"), None),
            claimed(3, Some("b"), None),
            claimed(3, None, None),
            claimed(3, Some("a"), Some(1)),
            event(EventType::Unlinked, 3, Some("a"), None).id,
        ];
        assert!(others.iter().all(|other| *other != id));
        assert_eq!(EventId::parse(id.as_str()), Some(id));
        for text in
            ["", "evt_", "evt_0", "evt_745FC17FF5B26125AFC689B5E7FB5774", "0123456789abcdef0123456789abcdef"]
        {
            assert_eq!(EventId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_forgotten_is_not_named() {
        let id = InstallationId::of_user("the-workspace", Some("the-user"));
        let write = Write { id: &id, generation: 1, version: 9, imported_at_ms: None };
        let forgotten = Event::forgotten(write, UnixSeconds(0));
        let text = forgotten.document.get();
        assert!(!text.contains("the-") && !text.contains(&id.to_opaque()), "{text}");
    }

    #[test]
    fn types_have_names_of_their_own() {
        let keys: std::collections::BTreeSet<&str> = EventType::ALL.map(EventType::key).into();
        assert_eq!(keys.len(), EventType::ALL.len());
        let of_webhooks = |key: &&str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
        assert!(keys.iter().all(of_webhooks), "{keys:?}");
    }
}
