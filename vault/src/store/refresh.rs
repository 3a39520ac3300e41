//! The writes of the refresh protocol. `DESIGN.md` and the model (`tests/it/model`) name the same steps.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use shared::clock::UnixMillis;
use shared::random::Random;
use tokio::time::Instant;

use super::item::{Row, number, string};
use super::row::{self, Health, Installation, fingerprints_attribute, lease_attribute, pair_attribute};
use super::update::{RowUpdate, Written};
use super::{Store, StoreError, due, save};
use crate::budget::until;
use crate::installation::{InstallationId, Lease, SealedPair};
use crate::seal::{Fingerprint, KeyVersion};

/// When the sweep looks at a row that is in trouble, or has a pair that was kept aside, in milliseconds from then.
pub(super) const SOON_MS: u64 = 86_400_000;
const FIRST_BACKOFF_MS: u64 = 25;
const MAX_BACKOFF_MS: u64 = 1000;

/// A refreshed pair, sealed and ready to be stored, or to wait in the rescue queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// Its row.
    pub id: InstallationId,
    /// The refresh token that it was got for: the row must still hold it.
    pub used: Fingerprint,
    /// All that were used up, this one included, newest last.
    pub used_up: Vec<Fingerprint>,
    /// The new tokens.
    pub pair: SealedPair,
    /// The oldest key that something in the row is sealed with then.
    pub oldest_key: KeyVersion,
    /// Whether it was got because somebody's token was said to be refused: then the next report is looked into first.
    #[serde(default)]
    pub by_report: bool,
}

/// What came of taking the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Leased {
    /// It is ours.
    Taken(Box<Installation>),
    /// It is not: the row as it stands, if there is one.
    Standing(Option<Box<Installation>>),
}

/// What became of a refreshed pair.
#[derive(Debug, Clone, PartialEq)]
pub enum SavedRefresh {
    /// It is the row's current one.
    Current(Box<Installation>),
    /// The row has another: ours is kept beside it.
    KeptAside,
    /// The installation was removed: nothing was written, the grant must go back.
    TombstoneWins,
}

impl Store {
    /// Reads an installation, consistently.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_installation(
        &self,
        id: &InstallationId,
        deadline: Instant,
    ) -> Result<Option<Installation>, StoreError> {
        self.read_row(id.as_str(), deadline).await?.as_ref().map(row::read).transpose()
    }

    /// Any row of the table, consistently.
    pub(super) async fn read_row(&self, key: &str, deadline: Instant) -> Result<Option<Row>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.installations_table)
            .key("installation_id", string(key))
            .consistent_read(true)
            .send();
        Ok(until(deadline, get).await?.map_err(|error| super::failed(&error))?.item)
    }

    /// One cheap read that opens the connection ahead of the first request.
    pub async fn warm_up(&self) {
        let get = self.client.get_item().table_name(&self.installations_table);
        if let Err(error) = get.key("installation_id", string("warm-up")).send().await {
            let error = super::failed(&error);
            tracing::debug!(error = &error as &dyn std::error::Error, "DynamoDB was not warmed up");
        }
    }

    /// `take_lease`: marks the pair as being refreshed, if the row still holds the refresh token `used` and nobody else
    /// is at it. A lease that ended before `takeover` was never given back; it may be taken over, and whether its holder has
    /// used the token up stays in doubt.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; whether the lease is taken is not known then.
    pub async fn take_lease(
        &self,
        id: &InstallationId,
        used: &Fingerprint,
        lease: &Lease,
        takeover: Option<UnixMillis>,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Leased, StoreError> {
        const CONDITION: &str = "pair[0].refresh_fingerprint = :used AND health IN (:active, :unverified) \
            AND (attribute_not_exists(refresh_after_ms) OR refresh_after_ms <= :now) \
            AND (attribute_not_exists(pair[0].lease) OR pair[0].lease.holder = :holder \
                OR pair[0].lease.until_ms < :lapsed_before)";
        let mut update = RowUpdate::of(id, CONDITION)
            .text("used", used.as_str())
            .text("active", "active")
            .text("unverified", "unverified")
            .text("holder", &lease.holder)
            .value("lapsed_before", number(takeover.map_or(0, |lapsed_before| lapsed_before.0)))
            .value("now", number(now.0))
            .set_to("pair[0].lease = :lease")
            .value("lease", lease_attribute(lease))
            // Should we be cut off, the sweep finds it.
            .due_at(lease.until_ms);
        if takeover.is_some() {
            update = update.set_to("pair[0].in_doubt = :true").value("true", AttributeValue::Bool(true));
        }
        Ok(match update.send(self, deadline).await? {
            Written::Done(row) => Leased::Taken(row),
            Written::Refused(standing) => Leased::Standing(standing),
        })
    }

    /// `release_lease`: gives it back without a new pair; nobody tries again before `refresh_after`. After an answer that
    /// was lost it is `in_doubt` whether the refresh token is used up, and the sweep will find out.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the lease lapses then.
    pub async fn release_lease(
        &self,
        id: &InstallationId,
        holder: &str,
        in_doubt: bool,
        refresh_after: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let mut update = RowUpdate::of(id, "pair[0].lease.holder = :holder")
            .text("holder", holder)
            .set("refresh_after_ms", number(refresh_after.0))
            .remove(&["pair[0].lease"])
            .due_at(refresh_after.0);
        if in_doubt {
            update = update.set_to("pair[0].in_doubt = :true").value("true", AttributeValue::Bool(true));
        }
        update.send(self, deadline).await.map(|_released_or_not_ours| ())
    }

    /// `release_alive`: gives the lease back because nothing has to be refreshed: Notion says that the access token is alive.
    /// Gives the row as it stands then, unless the lease is another's by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the lease lapses then.
    pub async fn release_alive(
        &self,
        id: &InstallationId,
        holder: &str,
        now: UnixMillis,
        due_at: UnixMillis,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let update = RowUpdate::of(id, "pair[0].lease.holder = :holder AND health IN (:active, :unverified)")
            .text("holder", holder)
            .text("active", "active")
            .text("unverified", "unverified")
            .set("verified_at_ms", number(now.0))
            .set("found_alive_at_ms", number(now.0))
            .remove(&["pair[0].lease"])
            .due_at(due_at.0);
        Ok(update.send(self, deadline).await?.done())
    }

    /// `save_refreshed`: makes the pair current if the row still holds the refresh token that it was got for. It does
    /// not ask whose lease it is: whoever used up the token has the only pair there is.
    ///
    /// One that was not `prompt` (its lease had ended, or it waited in the rescue queue) may have been given back or
    /// replayed meanwhile: it is `unverified` until Notion has said that it is alive.
    ///
    /// If the row has moved on, the pair is kept aside. Tries until `deadline`; recognises its own lost success by the
    /// pair itself.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it is saved is not known then.
    pub async fn save_refreshed(
        &self,
        refreshed: &Refreshed,
        prompt: bool,
        due_at: UnixMillis,
        deadline: Instant,
        random: &dyn Random,
    ) -> Result<SavedRefresh, StoreError> {
        let mut last = None;
        let saving = async {
            let mut backoff_ms = FIRST_BACKOFF_MS;
            loop {
                match self.try_to_save_refreshed(refreshed, prompt, due_at, deadline).await {
                    Ok(saved) => return Ok(saved),
                    Err(error) if error.is_for_good() => return Err(error),
                    Err(error) => last = Some(error),
                }
                tokio::time::sleep(save::jittered(backoff_ms, random)).await;
                backoff_ms = (backoff_ms * 2).min(MAX_BACKOFF_MS);
            }
        };
        until(deadline, Box::pin(saving))
            .await
            .unwrap_or_else(|out_of_time| Err(last.unwrap_or(StoreError::OutOfTime(out_of_time))))
    }

    async fn try_to_save_refreshed(
        &self,
        refreshed: &Refreshed,
        prompt: bool,
        due_at: UnixMillis,
        deadline: Instant,
    ) -> Result<SavedRefresh, StoreError> {
        let health = if prompt { Health::Active } else { Health::Unverified };
        let at_ms = number(refreshed.pair.exchanged_at_ms);
        // A refresh token that Notion did not replace tells nothing of which refresh came last.
        let condition = if refreshed.pair.refresh_fingerprint.as_ref() == Some(&refreshed.used) {
            "pair[0].refresh_fingerprint = :used AND health <> :removed AND pair[0].exchanged_at_ms < :refreshed_at_ms"
        } else {
            "pair[0].refresh_fingerprint = :used AND health <> :removed"
        };
        let mut update = RowUpdate::of(&refreshed.id, condition)
            .text("used", refreshed.used.as_str())
            .text("removed", "removed")
            .set("pair", AttributeValue::L(vec![pair_attribute(&refreshed.pair)]))
            .set("used_up", fingerprints_attribute(&refreshed.used_up))
            .set("seal_shard", string(&due::seal_shard(&refreshed.id, refreshed.oldest_key)))
            .set("health", string(health.key()))
            .set("bot_id", string(&refreshed.pair.bot_id))
            .set("refreshed_at_ms", at_ms.clone())
            .set("verified_at_ms", at_ms)
            .remove(&["refresh_after_ms", "needs_reinstall_at_ms", "found_alive_at_ms"])
            .due_at(due_at.0);
        if refreshed.by_report {
            update = update.set("refused_at_ms", number(refreshed.pair.exchanged_at_ms));
        }
        let standing = match update.send(self, deadline).await? {
            Written::Done(row) => return Ok(SavedRefresh::Current(row)),
            Written::Refused(standing) => standing,
        };
        let is_ours = |pair: &SealedPair| pair.access_fingerprint == refreshed.pair.access_fingerprint;
        // A row that is gone was forgotten.
        let Some(row) = standing.filter(|row| row.health != Health::Removed) else {
            return Ok(SavedRefresh::TombstoneWins);
        };
        // Saved, and used up by the next refresh before we heard of it.
        let ours = refreshed.pair.refresh_fingerprint.as_ref();
        let was_saved = ours.is_some_and(|ours| row.used_up.contains(ours));
        if row.pair.as_ref().is_some_and(is_ours) {
            Ok(SavedRefresh::Current(row))
        } else if was_saved || row.superseded.iter().any(is_ours) {
            Ok(SavedRefresh::KeptAside)
        } else {
            self.keep_aside(&row, refreshed, deadline).await
        }
    }

    /// `mark_needs_reinstall`: the grant is dead. Only if the row still holds the tokens that Notion said so of, nobody else
    /// is refreshing, and the row has not changed since it was read: a pair that was kept aside meanwhile is next in line.
    /// Gives back whether it was marked.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it is not known then.
    pub async fn mark_needs_reinstall(
        &self,
        standing: &Installation,
        dead: &SealedPair,
        holder: &str,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        const ALIVE_AND_OURS: &str = "version = :if_version AND health IN (:active, :unverified) \
            AND (attribute_not_exists(pair[0].lease) OR pair[0].lease.holder = :holder)";
        let (which, fingerprint) = match &dead.refresh_fingerprint {
            Some(refresh) => ("pair[0].refresh_fingerprint = :dead", refresh),
            None => (
                "pair[0].access_fingerprint = :dead AND attribute_not_exists(pair[0].refresh_fingerprint)",
                &dead.access_fingerprint,
            ),
        };
        let condition = format!("{which} AND {ALIVE_AND_OURS}");
        let update = RowUpdate::of(&standing.id, &condition)
            .value("if_version", number(standing.version))
            .text("dead", fingerprint.as_str())
            .text("active", "active")
            .text("unverified", "unverified")
            .text("holder", holder)
            .set("health", string("needs_reinstall"))
            .set("needs_reinstall_at_ms", number(now.0))
            .remove(&["pair[0].lease", "pair[0].in_doubt", "refresh_after_ms"])
            .due_at(now.0.saturating_add(SOON_MS));
        Ok(matches!(update.send(self, deadline).await?, Written::Done(_)))
    }

    /// Has the sweep look at a row at another time, whatever else becomes of the row.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn look_again(
        &self,
        id: &InstallationId,
        at: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let update = RowUpdate::of(id, "attribute_exists(due_shard)").due_at(at.0);
        update.send(self, deadline).await.map(|_| ())
    }

    /// Takes a row off the sweep's list, if it has not changed since it was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn nothing_due(&self, standing: &Installation, deadline: Instant) -> Result<(), StoreError> {
        let update = RowUpdate::of(&standing.id, "version = :if_version")
            .value("if_version", number(standing.version))
            .remove(&["due_shard", "due_at_ms"]);
        update.send(self, deadline).await.map(|_| ())
    }

    /// `mark_verified`: Notion has said that the row's current access token is alive. Gives the row as it stands then, unless it holds
    /// another one by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mark_verified(
        &self,
        id: &InstallationId,
        access_fingerprint: &Fingerprint,
        now: UnixMillis,
        due_at: UnixMillis,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let update = RowUpdate::of(
            id,
            "pair[0].access_fingerprint = :access AND health IN (:active, :unverified) \
             AND attribute_not_exists(pair[0].lease) AND attribute_not_exists(pair[0].in_doubt)",
        )
        .text("access", access_fingerprint.as_str())
        .text("unverified", "unverified")
        .set_to("health = :active")
        .text("active", "active")
        .set("verified_at_ms", number(now.0))
        // Proven: the refresh token before it is of no more use.
        .remove(&["pair[0].previous_refresh"])
        .due_at(due_at.0);
        Ok(update.send(self, deadline).await?.done())
    }
}
