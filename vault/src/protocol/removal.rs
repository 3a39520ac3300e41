//! Uninstalling: `tombstone`, then a revocation of each pair, then `purge` (or `forget`). Each step is safe to repeat.

use shared::telemetry::{Metric, RequestLine};

use super::lease::lapsed_before;
use super::revoking::{RevokeOutcome, RevokedByRefresh};
use crate::budget::Budget;
use crate::installation::SealedPair;
use crate::notion::TokenError;
use crate::report::report_orphaned;
use crate::seal::Fingerprint;
use crate::store::{Installation, StoreError};
use crate::vault::{InHand, Vault};

/// How far a removal got.
#[derive(Debug)]
pub enum Removal {
    /// No tokens are left, neither here nor at Notion.
    Complete,
    /// Not all tokens are revoked yet. The rest stays sealed in the tombstone, and the sweep continues. What Notion
    /// said, if that is why.
    ToBeRevoked(Option<TokenError>),
}

/// A removal in progress.
struct RemovalProgress {
    tombstone: Installation,
    /// The pairs that are not revoked yet, the current one first.
    left: Vec<SealedPair>,
    /// The access tokens that were revoked.
    revoked: Vec<Fingerprint>,
    stopped: Option<TokenError>,
}

impl Vault {
    /// Revokes every pair of a tombstone, then purges it. A pair that is dealt with is removed from the row, so that
    /// the next attempt continues where this one stopped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the sweep continues later.
    pub async fn finish_removal(
        &self,
        tombstone: &Installation,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Removal, StoreError> {
        let pairs: Vec<SealedPair> = tombstone.pairs().cloned().collect();
        let before = pairs.len();
        let mut progress = RemovalProgress {
            tombstone: tombstone.clone(),
            left: pairs.clone(),
            revoked: Vec::new(),
            stopped: None,
        };
        for pair in &pairs {
            if progress.stopped.is_some() {
                break;
            }
            if !Box::pin(self.revoke_one(pair, &mut progress, in_hand, budget, line)).await? {
                return Ok(Removal::ToBeRevoked(None));
            }
        }
        let RemovalProgress { tombstone, left, revoked, stopped } = progress;
        if !left.is_empty() {
            if left.len() < before {
                let rest = left.get(1..).unwrap_or_default();
                self.store.replace_pairs(&tombstone, left.first(), rest, None, budget.rescue_by).await?;
            }
            return Ok(Removal::ToBeRevoked(stopped));
        }
        let forgotten_id = in_hand.key_ring.value.forgotten_id(tombstone.id.as_str());
        // A late message must not bring back the key of a forgotten person permanently.
        let of_forgotten =
            tombstone.generation == 0 && self.store.was_forgotten(&forgotten_id, budget.rescue_by).await?;
        let done = if tombstone.forget || of_forgotten {
            self.store.forget(&tombstone, &forgotten_id, budget.rescue_by).await?
        } else {
            self.store.purge(&tombstone, budget.rescue_by).await?
        };
        if !done {
            // Connections from before 2026-06-08 hand out their existing token: one that we revoked may be current.
            let now = self.clock.now_millis();
            self.store.mark_current_in_doubt(&tombstone.id, &revoked, now, budget.rescue_by).await?;
            return Ok(Removal::ToBeRevoked(None));
        }
        line.count(Metric::Removed);
        Ok(Removal::Complete)
    }

    /// Deals with one pair. Returns whether to continue: not if the row has changed in the meantime.
    async fn revoke_one(
        &self,
        pair: &SealedPair,
        progress: &mut RemovalProgress,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<bool, StoreError> {
        let (id, now) = (progress.tombstone.id.clone(), self.clock.now_millis());
        let in_flight = pair.lease.as_ref().is_some_and(|lease| lease.until_ms >= lapsed_before(now).0);
        match self.revoke_pair(&id, pair, in_hand, budget.save_by, line).await {
            // The process that is refreshing it revokes the new pair, then releases the lease.
            RevokeOutcome::Gone | RevokeOutcome::OnlyByRefresh if in_flight => {}
            RevokeOutcome::Gone => {
                progress.revoked.push(pair.access_fingerprint.clone());
                if pair.is_unsettled() {
                    // Notion may have issued a new pair to a process that was cut off, and revoking this one may not
                    // have revoked that one.
                    report_orphaned(pair, "a refresh of a removed installation was cut off", line);
                }
                progress.drop_pair(pair);
            }
            RevokeOutcome::Lost(what) => {
                report_orphaned(pair, what, line);
                progress.drop_pair(pair);
            }
            RevokeOutcome::NotYet(error) => progress.stopped = error,
            RevokeOutcome::OnlyByRefresh => {
                // Recorded before it is sent: if we are cut off, its successor may be alive with nobody to revoke it.
                let doubted = SealedPair { lease: None, in_doubt: true, ..pair.clone() };
                if !progress.replace(self, pair, doubted.clone(), budget).await? {
                    return Ok(false);
                }
                match self.revoke_by_refresh(&id, pair, in_hand, budget, line).await {
                    RevokedByRefresh::Revoked => progress.drop_pair(&doubted),
                    RevokedByRefresh::WasDead { may_have_a_successor } => {
                        if may_have_a_successor {
                            report_orphaned(pair, "a refresh of a removed installation was cut off", line);
                        }
                        progress.drop_pair(&doubted);
                    }
                    RevokedByRefresh::Lost(what) => {
                        report_orphaned(pair, what, line);
                        progress.drop_pair(&doubted);
                    }
                    RevokedByRefresh::Held(renewed, error) => {
                        if !progress.replace(self, &doubted, *renewed, budget).await? {
                            report_orphaned(pair, "a refreshed pair could be neither revoked nor kept", line);
                        }
                        progress.stopped = Some(error);
                    }
                    RevokedByRefresh::Undecided { error, sent } => {
                        if !sent {
                            let as_before = SealedPair { in_doubt: pair.is_unsettled(), ..doubted.clone() };
                            progress.replace(self, &doubted, as_before, budget).await?;
                        }
                        progress.stopped = Some(error);
                    }
                }
            }
        }
        Ok(true)
    }
}

impl RemovalProgress {
    fn drop_pair(&mut self, pair: &SealedPair) {
        self.left.retain(|left| left.access_fingerprint != pair.access_fingerprint);
    }

    /// Replaces `pair`, here and in the row. Returns false if the row has changed in the meantime.
    async fn replace(
        &mut self,
        vault: &Vault,
        pair: &SealedPair,
        by: SealedPair,
        budget: &Budget,
    ) -> Result<bool, StoreError> {
        for left in &mut self.left {
            if left.access_fingerprint == pair.access_fingerprint {
                left.clone_from(&by);
            }
        }
        let rest = self.left.get(1..).unwrap_or_default();
        let writing =
            vault.store.replace_pairs(&self.tombstone, self.left.first(), rest, None, budget.rescue_by);
        let Some(row) = writing.await? else { return Ok(false) };
        self.tombstone = *row;
        Ok(true)
    }
}
