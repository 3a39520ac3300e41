//! The writes of the refresh protocol. `DESIGN.md` and the model (`tests/it/model`) name the same steps.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use shared::clock::UnixMillis;
use shared::random::Random;
use tokio::time::Instant;

use super::item::{number, string};
use super::row::{Health, Installation, fingerprints_attribute, lease_attribute, pair_attribute};
use super::update::{RowUpdate, Written};
use super::{Store, StoreError, due};
use crate::backoff::Backoff;
use crate::budget::until;
use crate::installation::{InstallationId, Lease, SealedPair};
use crate::seal::{Fingerprint, KeyVersion};

/// When the sweep looks at a row that needs a reinstall or has a pair that was kept aside, in milliseconds from now.
pub(super) const SOON_MS: u64 = 86_400_000;

/// A refreshed pair, sealed and ready to be stored, or to wait in the rescue queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// Its row.
    pub id: InstallationId,
    /// The refresh token that was sent for it: the row must still hold it.
    pub used: Fingerprint,
    /// All consumed refresh tokens, this one included, newest last.
    pub used_up: Vec<Fingerprint>,
    /// The new tokens.
    pub pair: SealedPair,
    /// The oldest key that seals anything in the row after this.
    pub oldest_key: KeyVersion,
    /// Whether it was obtained because a token was reported as refused. Then the next report is checked first.
    #[serde(default)]
    pub by_report: bool,
}

/// The result of taking the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Leased {
    /// It is ours.
    Taken(Box<Installation>),
    /// It is not. The row as it is, if there is one.
    Standing(Option<Box<Installation>>),
}

/// The result of saving a refreshed pair.
#[derive(Debug, Clone, PartialEq)]
pub enum SavedRefresh {
    /// It is the row's current pair.
    Current(Box<Installation>),
    /// The row has another pair. Ours is kept beside it.
    KeptAside,
    /// The installation was removed: nothing was written, and the grant must be revoked.
    TombstoneWins,
}

impl Store {
    /// `take_lease`: marks the pair as being refreshed, if the row still holds the refresh token `used` and nobody else
    /// holds the lease. A lease that ended before `takeover` was never released and may be taken over. Then the pair is
    /// in doubt, because the last holder may have consumed the token.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether the lease is taken is unknown.
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
            // If we are cut off, the sweep finds it.
            .due_at(lease.until_ms);
        if takeover.is_some() {
            update = update.set_to("pair[0].in_doubt = :true").value("true", AttributeValue::Bool(true));
        }
        Ok(match update.send(self, deadline).await? {
            Written::Done(row) => Leased::Taken(row),
            Written::Refused(standing) => Leased::Standing(standing),
        })
    }

    /// `release_lease`: releases the lease without a new pair. Nobody tries again before `refresh_after`. After a lost
    /// answer the pair is `in_doubt`: its refresh token may have been consumed, and the sweep finds out.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the lease then lapses.
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

    /// `release_alive`: releases the lease because nothing has to be refreshed: Notion says that the access token is
    /// alive. Returns the row as it is then, unless another process holds the lease by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the lease then lapses.
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

    /// `save_refreshed`: makes the pair current if the row still holds the refresh token that was sent for it. It does
    /// not check the lease: the process that consumed the token holds the only valid pair.
    ///
    /// A pair that is not `prompt` (its lease had ended, or it was in the rescue queue) may have been revoked or
    /// replayed in the meantime. It is `unverified` until Notion has said that it is alive.
    ///
    /// If the row has moved on, the pair is kept aside. Tries until `deadline`; recognizes its own earlier success by
    /// the pair.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it is saved is unknown.
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
            let mut backoff = Backoff::start();
            loop {
                match self.try_to_save_refreshed(refreshed, prompt, due_at, deadline).await {
                    Ok(saved) => return Ok(saved),
                    Err(error) if error.is_permanent() => return Err(error),
                    Err(error) => last = Some(error),
                }
                backoff.wait(random).await;
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
        // A refresh token that Notion did not replace does not show which refresh came last.
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
        // It was saved, and consumed by the next refresh before we knew.
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

    /// `mark_needs_reinstall`: the grant is dead. Only if the row still holds the tokens that Notion called dead,
    /// nobody else is refreshing them, and the row has not changed since it was read: a pair that was kept aside in the
    /// meantime is next in line. Returns whether it was marked.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it was marked is unknown.
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

    /// Changes when the sweep looks at a row, whatever else happens to the row.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reschedule(
        &self,
        id: &InstallationId,
        at: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let update = RowUpdate::of(id, "attribute_exists(due_shard)").due_at(at.0);
        update.send(self, deadline).await.map(|_| ())
    }

    /// `reschedule`, if the row has not changed since it was read: what it waits for now may be sooner.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reschedule_as_read(
        &self,
        standing: &Installation,
        at: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let update = RowUpdate::if_unchanged(standing).due_at(at.0);
        update.send(self, deadline).await.map(|_| ())
    }

    /// Takes a row off the sweep's list, if it has not changed since it was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn clear_due(&self, standing: &Installation, deadline: Instant) -> Result<(), StoreError> {
        let update = RowUpdate::if_unchanged(standing).remove(&["due_shard", "due_at_ms"]);
        update.send(self, deadline).await.map(|_| ())
    }

    /// `mark_verified`: Notion has said that the row's current access token is alive. Returns the row as it is then,
    /// unless it holds another token by now.
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
        // Proven: the previous refresh token is no longer needed.
        .remove(&["pair[0].previous_refresh"])
        .due_at(due_at.0);
        Ok(update.send(self, deadline).await?.done())
    }
}
