//! Uninstalling: `tombstone`, then each pair goes back to Notion, then `purge` (or `forget`); each safe to repeat.

use shared::telemetry::{Metric, RequestLine};

use super::lease::lapsed_before;
use super::returning::{ByRefresh, Returned};
use crate::budget::Budget;
use crate::installation::SealedPair;
use crate::notion::TokenError;
use crate::report::report_orphaned;
use crate::seal::Fingerprint;
use crate::store::{Installation, StoreError};
use crate::vault::{InHand, Vault};

/// How far a removal came.
#[derive(Debug)]
pub enum Removal {
    /// Nothing of the tokens is left, here or at Notion.
    Complete,
    /// Notion did not take all tokens back yet: what is left stays sealed in the tombstone, and the sweep goes on. What
    /// Notion said, if that is why.
    ToBeRevoked(Option<TokenError>),
}

/// The pairs of a tombstone on their way back.
struct Leaving {
    tombstone: Installation,
    /// Those that have not ended yet, the current one first.
    left: Vec<SealedPair>,
    /// The access tokens that were revoked.
    revoked: Vec<Fingerprint>,
    stopped: Option<TokenError>,
}

impl Vault {
    /// Gives back every pair of a tombstone, then purges it. A pair that is dealt with leaves the row, so that the next try
    /// goes on where this one stopped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the sweep goes on then.
    pub async fn finish_removal(
        &self,
        tombstone: &Installation,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Removal, StoreError> {
        let pairs: Vec<SealedPair> = tombstone.pairs().cloned().collect();
        let before = pairs.len();
        let mut leaving =
            Leaving { tombstone: tombstone.clone(), left: pairs.clone(), revoked: Vec::new(), stopped: None };
        for pair in &pairs {
            if leaving.stopped.is_some() {
                break;
            }
            if !Box::pin(self.leave(pair, &mut leaving, in_hand, budget, line)).await? {
                return Ok(Removal::ToBeRevoked(None));
            }
        }
        let Leaving { tombstone, left, revoked, stopped } = leaving;
        if !left.is_empty() {
            if left.len() < before {
                let rest = left.get(1..).unwrap_or_default();
                self.store.replace_pairs(&tombstone, left.first(), rest, None, budget.rescue_by).await?;
            }
            return Ok(Removal::ToBeRevoked(stopped));
        }
        let forgotten_id = in_hand.key_ring.value.forgotten_id(tombstone.id.as_str());
        // A message that comes late must not bring the key of a forgotten person back for good.
        let of_forgotten =
            tombstone.generation == 0 && self.store.was_forgotten(&forgotten_id, budget.rescue_by).await?;
        let done = if tombstone.forget || of_forgotten {
            self.store.forget(&tombstone, &forgotten_id, budget.rescue_by).await?
        } else {
            self.store.purge(&tombstone, budget.rescue_by).await?
        };
        if !done {
            // Connections from before 2026-06-08 hand out the token that they gave before: what was revoked may be current.
            let now = self.clock.now_millis();
            self.store.doubt_current(&tombstone.id, &revoked, now, budget.rescue_by).await?;
            return Ok(Removal::ToBeRevoked(None));
        }
        line.count(Metric::Removed);
        Ok(Removal::Complete)
    }

    /// One pair. Gives back whether to go on: not if the row has changed meanwhile.
    async fn leave(
        &self,
        pair: &SealedPair,
        leaving: &mut Leaving,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<bool, StoreError> {
        let (id, now) = (leaving.tombstone.id.clone(), self.clock.now_millis());
        let in_flight = pair.lease.as_ref().is_some_and(|lease| lease.until_ms >= lapsed_before(now).0);
        match self.return_pair(&id, pair, in_hand, budget.save_by, line).await {
            // Whoever refreshes it gives its new pair back, and then the lease.
            Returned::Gone | Returned::OnlyByRefresh if in_flight => {}
            Returned::Gone => {
                leaving.revoked.push(pair.access_fingerprint.clone());
                if pair.is_unsettled() {
                    // Notion may have given a new pair to somebody who was cut off; revoking this one may not have reached it.
                    report_orphaned(pair, "a refresh of a removed installation was cut off", line);
                }
                leaving.ends(pair);
            }
            Returned::Lost(what) => {
                report_orphaned(pair, what, line);
                leaving.ends(pair);
            }
            Returned::Stays(error) => leaving.stopped = error,
            Returned::OnlyByRefresh => {
                // Noted before it is sent: should we be cut off, its successor may live with nobody to revoke it.
                let doubted = SealedPair { lease: None, in_doubt: true, ..pair.clone() };
                if !leaving.replace(self, pair, doubted.clone(), budget).await? {
                    return Ok(false);
                }
                match self.return_by_refresh(&id, pair, in_hand, budget, line).await {
                    ByRefresh::Returned => leaving.ends(&doubted),
                    ByRefresh::WasDead { may_have_a_successor } => {
                        if may_have_a_successor {
                            report_orphaned(pair, "a refresh of a removed installation was cut off", line);
                        }
                        leaving.ends(&doubted);
                    }
                    ByRefresh::Lost(what) => {
                        report_orphaned(pair, what, line);
                        leaving.ends(&doubted);
                    }
                    ByRefresh::Held(renewed, error) => {
                        if !leaving.replace(self, &doubted, *renewed, budget).await? {
                            report_orphaned(pair, "a refreshed pair could be neither revoked nor kept", line);
                        }
                        leaving.stopped = Some(error);
                    }
                    ByRefresh::Stays { error, sent } => {
                        if !sent {
                            let as_before = SealedPair { in_doubt: pair.is_unsettled(), ..doubted.clone() };
                            leaving.replace(self, &doubted, as_before, budget).await?;
                        }
                        leaving.stopped = Some(error);
                    }
                }
            }
        }
        Ok(true)
    }
}

impl Leaving {
    fn ends(&mut self, pair: &SealedPair) {
        self.left.retain(|left| left.access_fingerprint != pair.access_fingerprint);
    }

    /// Writes another pair in the place of `pair`, here and in the row; not if the row has changed meanwhile.
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
