//! From a record of a table's stream to the events that it means.
//!
//! The tables are the outbox: an event is what a write changed, so nothing has to be written a second time. Most writes
//! (leases, refreshes, checks) mean nothing to an app.

use serde_json::Value;
use serde_json::json;
use shared::clock::UnixSeconds;
use shared::flow::ClaimKey;
use shared::pages::Notice;

use super::StoreError;
use super::claims::{self, Outcome};
use super::forgotten::is_forgotten_marker;
use super::item::{Row, integer, text};
use super::ledgers;
use super::row::{self, Health, Installation};
use crate::dynamodb_json::map_from_json;
use crate::event::{Event, EventType, Write};
use crate::onboarding::OnboardingStatus;
use crate::subject::Subject;

/// The key of a row of the installations.
const INSTALLATION: &str = "installation_id";
/// The key of a row of the claims.
const CLAIM: &str = "claim";
/// The key of a ledger.
const ONBOARDING: &str = ledgers::KEY;

/// A record of a stream: a row before and after a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    old: Option<Row>,
    new: Option<Row>,
    at: UnixSeconds,
}

/// A change that says nothing that an app could be told.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableChange {
    /// The row cannot be read.
    #[error(transparent)]
    Row(#[from] StoreError),
    /// None of our functions deletes the row of an installation that is not removed.
    #[error("the row of an installation that was not removed is gone")]
    Gone,
}

impl Change {
    /// Reads a record as Lambda gets it. `None` if it is none, or of a type that this release does not know.
    #[must_use]
    pub fn read(record: &Value) -> Option<Self> {
        let change = record.get("dynamodb")?;
        let image = |name: &str| match change.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(image) => map_from_json(image.as_object()?).map(Some),
        };
        // Lambda writes a number of seconds, with or without a fraction.
        let at = change.get("ApproximateCreationDateTime")?;
        let at = at.as_u64().or_else(|| at.as_number()?.to_string().split('.').next()?.parse().ok())?;
        let change = Self { old: image("OldImage")?, new: image("NewImage")?, at: UnixSeconds(at) };
        (change.old.is_some() || change.new.is_some()).then_some(change)
    }

    /// What it means. `carry_personal_data`: with the person's name and e-mail address, and the workspace's name.
    ///
    /// # Errors
    ///
    /// [`UnreadableChange`].
    pub fn events(&self, carry_personal_data: bool) -> Result<Vec<Event>, UnreadableChange> {
        let key = |name: &str| self.new.as_ref().or(self.old.as_ref()).and_then(|row| text(row, name));
        if let Some(key) = key(ONBOARDING) {
            return Ok(if ledgers::is_pace(key) { Vec::new() } else { self.of_onboarding()? });
        }
        match (key(INSTALLATION), key(CLAIM)) {
            (Some(id), _) if is_forgotten_marker(id) => Ok(Vec::new()),
            (Some(_), _) => {
                let read = |row: &Option<Row>| row.as_ref().map(row::read).transpose();
                let (old, new) = (read(&self.old)?, read(&self.new)?);
                match (old, new) {
                    (Some(old), None) if old.health != Health::Removed => Err(UnreadableChange::Gone),
                    (old, new) => Ok(self.of_installation(old.as_ref(), new.as_ref(), carry_personal_data)),
                }
            }
            (None, Some(key)) => Ok(self.of_claim(&ClaimKey::of_row(key))?),
            (None, None) => Err(StoreError::Row("key").into()),
        }
    }

    fn of_installation(
        &self,
        old: Option<&Installation>,
        new: Option<&Installation>,
        carry_personal_data: bool,
    ) -> Vec<Event> {
        let Some(new) = new else {
            // Of somebody who never installed there is nothing to say.
            let forgotten = old.filter(|old| old.generation > 0);
            return forgotten.map(|old| Event::forgotten(write_of(old), self.at)).into_iter().collect();
        };
        if new.imported_at_ms != old.and_then(|old| old.imported_at_ms) {
            return Vec::new();
        }
        let event = |kind, subject: Option<&Subject>| {
            let data = data(old, new, carry_personal_data);
            Event::of_installation(kind, write_of(new), subject.map(Subject::as_str), self.at, data)
        };
        // Nobody has installed or claimed anything just now.
        if new.adopted_at_ms.is_some() && new.adopted_at_ms != old.and_then(|old| old.adopted_at_ms) {
            let before = old.map_or(&[][..], |old| &old.subjects);
            let linked = new.subjects.iter().filter(|subject| !before.contains(subject));
            let adopted = linked.map(|subject| event(EventType::Adopted, Some(subject)));
            let was_dead = old.is_some_and(|old| old.health == Health::NeedsReinstall);
            let recovered = was_dead && new.health != Health::NeedsReinstall;
            return adopted.chain(recovered.then(|| event(EventType::Recovered, None))).collect();
        }
        let Some(before) = old.filter(|old| old.health != Health::Removed) else {
            return if is_installed_since(old, new) {
                vec![event(EventType::Installed, None)]
            } else {
                Vec::new()
            };
        };
        if new.health == Health::Removed {
            let kind = if before.is_unclaimed() { EventType::Unclaimed } else { EventType::Removed };
            return vec![event(kind, None)];
        }
        if is_installed_since(old, new) {
            return vec![event(EventType::Reinstalled, None)];
        }
        let claimed = claimed_since(before, new).map(|subject| event(EventType::Claimed, Some(subject)));
        let unlinked = before.subjects.iter().filter(|subject| !new.subjects.contains(subject));
        let unlinked = unlinked.map(|subject| event(EventType::Unlinked, Some(subject)));
        let health = match (before.health == Health::NeedsReinstall, new.health == Health::NeedsReinstall) {
            (false, true) => Some(event(EventType::NeedsReinstall, None)),
            (true, false) => Some(event(EventType::Recovered, None)),
            _ => None,
        };
        claimed.chain(unlinked).chain(health).collect()
    }

    /// An onboarding has ended. One that is continued, by a new recipe or by the operator, ends again.
    fn of_onboarding(&self) -> Result<Vec<Event>, StoreError> {
        let imported = |row: &Option<Row>| row.as_ref().and_then(|row| integer(row, "imported_at_ms"));
        if imported(&self.new).is_some() && imported(&self.new) != imported(&self.old) {
            return Ok(Vec::new());
        }
        let Some(new) = self.new.as_ref().map(ledgers::read).transpose()? else { return Ok(Vec::new()) };
        let before = self.old.as_ref().map(ledgers::read).transpose()?.map(|ledger| ledger.status);
        let kind = match new.status {
            OnboardingStatus::Completed => EventType::OnboardingCompleted,
            OnboardingStatus::Failed => EventType::OnboardingFailed,
            OnboardingStatus::Pending | OnboardingStatus::Running => return Ok(Vec::new()),
        };
        let is_news = before != Some(new.status);
        Ok(is_news.then(|| Event::of_onboarding(kind, &new, self.at)).into_iter().collect())
    }

    fn of_claim(&self, key: &ClaimKey) -> Result<Vec<Event>, StoreError> {
        let ended = |row: &Option<Row>| -> Result<Option<Notice>, StoreError> {
            Ok(match row.as_ref().map(claims::read).transpose()?.map(|claim| claim.outcome) {
                // A rescued installation is saved later; then it is installed.
                Some(Outcome::Ended(notice)) if notice != Notice::Rescued => Some(notice),
                _ => None,
            })
        };
        let (before, after) = (ended(&self.old)?, ended(&self.new)?);
        let news = after.filter(|_| before.is_none());
        Ok(news.map(|notice| Event::of_claim(key, notice, self.at)).into_iter().collect())
    }
}

/// Each install counts the generation up. The tombstone of somebody who never installed has 0.
fn is_installed_since(old: Option<&Installation>, new: &Installation) -> bool {
    new.health != Health::Removed && new.generation > old.map_or(0, |old| old.generation)
}

/// Who has claimed with a code of theirs since.
fn claimed_since<'a>(before: &'a Installation, new: &'a Installation) -> impl Iterator<Item = &'a Subject> {
    let was_claimed = |code_hash: &str| {
        before.pending.iter().any(|pending| pending.code_hash == code_hash && pending.claimed_by.is_some())
    };
    let pending = new.pending.iter().filter(move |pending| !was_claimed(&pending.code_hash));
    pending.filter_map(|pending| pending.claimed_by.as_ref())
}

fn write_of(row: &Installation) -> Write<'_> {
    Write {
        id: &row.id,
        generation: row.generation,
        version: row.version,
        imported_at_ms: row.imported_at_ms,
    }
}

fn data(old: Option<&Installation>, new: &Installation, carry_personal_data: bool) -> Value {
    let subjects: Vec<&str> = new.subjects.iter().map(Subject::as_str).collect();
    let mut data = json!({
        "installation": new.id.to_opaque(),
        "workspace_id": new.workspace_id,
        "user_id": new.owner_user_id,
        "bot_id": new.bot_id,
        "generation": new.generation,
        "version": new.version,
        "health": new.health_key(),
        "previous_health": old.map(Installation::health_key),
        "subjects": subjects,
        "duplicated_template_id": new.duplicated_template_id,
    });
    if carry_personal_data {
        data["workspace_name"] = new.workspace_name.as_deref().into();
        data["user_name"] = new.owner_name.as_deref().into();
        data["user_email"] = new.owner_email.as_deref().into();
    }
    data
}
