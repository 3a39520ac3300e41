//! Superseded pairs: kept beside the current one until the sweep has dealt with them, and in line for its place if it
//! is dead.

use aws_sdk_dynamodb::types::AttributeValue;
use shared::clock::UnixMillis;
use tokio::time::Instant;

use super::installations::OF_THE_PAIR_BEFORE;
use super::item::string;
use super::refresh::{Refreshed, SOON_MS, SavedRefresh};
use super::row::{
    self, Health, Installation, MAX_SUPERSEDED, fingerprints_attribute, pair_attribute, report_dropped,
};
use super::update::RowUpdate;
use super::{Store, StoreError, due};
use crate::installation::SealedPair;
use crate::seal::Fingerprint;

impl Store {
    /// `keep_aside`: the row has moved on, so the pair is kept beside its current one for the sweep to check. If the
    /// current one is dead, the pair takes its place: nobody has to install again while a pair of theirs may be alive.
    /// A row that does not know the consumed token was removed and installed again in between: what was removed is not
    /// kept in it.
    pub(super) async fn keep_aside(
        &self,
        standing: &Installation,
        refreshed: &Refreshed,
        deadline: Instant,
    ) -> Result<SavedRefresh, StoreError> {
        if !standing.has_had_refresh_token(&refreshed.used) {
            return Ok(SavedRefresh::TombstoneWins);
        }
        let mut superseded = standing.superseded.clone();
        // If an install has moved the refreshed pair aside, the new pair replaces it, because its token is consumed.
        superseded.retain(|pair| pair.refresh_fingerprint.as_ref() != Some(&refreshed.used));
        let written = if standing.health == Health::NeedsReinstall {
            let due_at = UnixMillis(refreshed.pair.exchanged_at_ms);
            self.replace_dead(standing, &refreshed.pair, &superseded, due_at, deadline).await?
        } else {
            superseded.push(refreshed.pair.clone());
            let surplus = superseded.len().saturating_sub(MAX_SUPERSEDED);
            let dropped: Vec<SealedPair> = superseded.drain(..surplus).collect();
            // Also if the row had left the sweep's list.
            let due_at = standing.due_at_ms.unwrap_or(refreshed.pair.exchanged_at_ms + SOON_MS);
            let due_at = Some(UnixMillis(due_at));
            let written = self.replace_superseded(standing, &superseded, due_at, deadline).await?;
            if written.is_some() {
                for pair in &dropped {
                    report_dropped(&pair.bot_id);
                }
            }
            written
        };
        // If the row was written in between, try again.
        let changed = || StoreError::Failed("the row changed in the meantime".to_owned());
        written.map(|_row| SavedRefresh::KeptAside).ok_or_else(changed)
    }

    /// `promote_superseded`: the current pair is dead, so the one that is [next in line](Installation::promotion_candidate)
    /// takes its place, if the row has not changed since it was read. It is `unverified` and due immediately: it is
    /// vended only after Notion has said that it is alive. Returns the row as it is then.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it was written is unknown.
    pub async fn promote_superseded(
        &self,
        standing: &Installation,
        next: &SealedPair,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let mut rest = standing.superseded.clone();
        rest.retain(|pair| pair.access_fingerprint != next.access_fingerprint);
        self.replace_dead(standing, next, &rest, now, deadline).await
    }

    /// Replaces the dead pair.
    async fn replace_dead(
        &self,
        standing: &Installation,
        pair: &SealedPair,
        superseded: &[SealedPair],
        due_at: UnixMillis,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        // The dead pair's refresh token must not be sent again, even if something brings it back.
        let dead = standing.refresh_fingerprint();
        let update = of_pairs(standing, Some(pair), superseded)
            .set("used_up", fingerprints_attribute(&standing.used_up_with(dead)))
            .set("health", string(Health::Unverified.key()))
            .set("bot_id", string(&pair.bot_id))
            .remove(&OF_THE_PAIR_BEFORE)
            .due_at(due_at.0);
        Ok(update.send(self, deadline).await?.done())
    }

    /// `adopt_winner`: the row has moved on from a pair whose refresh token Notion has refused. If that pair was kept
    /// aside, it is dropped, unless the row has changed since it was read. Its token is not sent again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn drop_refused(
        &self,
        standing: &Installation,
        refused: &Fingerprint,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let mut superseded = standing.superseded.clone();
        superseded.retain(|pair| pair.refresh_fingerprint.as_ref() != Some(refused));
        let update = of_pairs(standing, standing.pair.as_ref(), &superseded)
            .set("used_up", fingerprints_attribute(&standing.used_up_with(Some(refused))));
        Ok(update.send(self, deadline).await?.done())
    }

    /// Replaces the superseded pairs, if the row has not changed since it was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn replace_superseded(
        &self,
        standing: &Installation,
        superseded: &[SealedPair],
        due_at: Option<UnixMillis>,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        self.replace_pairs(standing, standing.pair.as_ref(), superseded, due_at, deadline).await
    }

    /// Replaces all pairs of a row, if it has not changed since it was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn replace_pairs(
        &self,
        standing: &Installation,
        pair: Option<&SealedPair>,
        superseded: &[SealedPair],
        due_at: Option<UnixMillis>,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let mut update = of_pairs(standing, pair, superseded);
        if let Some(due_at) = due_at {
            update = update.due_at(due_at.0);
        }
        Ok(update.send(self, deadline).await?.done())
    }
}

/// A write of all pairs of a row, if it has not changed since it was read.
fn of_pairs<'a>(
    standing: &'a Installation,
    pair: Option<&SealedPair>,
    superseded: &[SealedPair],
) -> RowUpdate<'a> {
    let list =
        |pairs: &mut dyn Iterator<Item = &SealedPair>| AttributeValue::L(pairs.map(pair_attribute).collect());
    let update = RowUpdate::if_unchanged(standing)
        .set("pair", list(&mut pair.into_iter()))
        .set("superseded", list(&mut superseded.iter()));
    match pair.into_iter().chain(superseded).filter_map(row::oldest_key).min() {
        Some(oldest) => update.set("seal_shard", string(&due::seal_shard(&standing.id, oldest))),
        None => update,
    }
}
