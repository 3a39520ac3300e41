//! Uninstalling: `tombstone`, `revoke`, `purge` (or `forget`), each of them safe to repeat.

use super::{InHand, Vault, lapsed_before, report_broken_seal};
use crate::budget::Budget;
use crate::installation::SealedPair;
use crate::seal::OpenError;
use crate::store::{Installation, StoreError};
use crate::telemetry::{Metric, RequestLine};

/// How far a removal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Nothing of the tokens is left, here or at Notion.
    Complete,
    /// Notion did not take the tokens back yet: they stay sealed in the tombstone, and the sweep goes on.
    ToBeRevoked,
}

impl Vault {
    /// Gives back every token of a tombstone, then purges it.
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
        let now = self.clock.now_millis();
        for pair in tombstone.pairs() {
            let token = match self.open_access(&tombstone.id, &pair.access, &in_hand.key_ring.value).await {
                Ok(token) => token,
                // The key may come back; what is purged does not.
                Err(error @ (OpenError::RingNotRead | OpenError::UnknownVersion(_))) => {
                    report_broken_seal(&tombstone.id, error);
                    return Ok(Removal::ToBeRevoked);
                }
                Err(error @ OpenError::Broken) => {
                    report_broken_seal(&tombstone.id, error);
                    report_orphaned(pair, "a token of a removed installation does not open", line);
                    continue;
                }
            };
            if pair.client_id != self.connection.client_id {
                // Notion would say of it, as of any unknown token, that it is revoked.
                report_orphaned(pair, "a token of a removed installation is another connection's", line);
                continue;
            }
            if let Err(error) = self.revoke(&token, &in_hand.client_secret, budget.save_by).await {
                line.note("revocation", error.0.key());
                tracing::warn!(
                    bot_id = pair.bot_id,
                    error = &error as &dyn std::error::Error,
                    "a token is still to be revoked"
                );
                return Ok(Removal::ToBeRevoked);
            }
            line.count(Metric::Revoked);
        }
        for pair in tombstone.pairs().filter(|pair| pair.is_unsettled()) {
            let lease = pair.lease.as_ref();
            if lease.is_some_and(|lease| lease.until_ms >= lapsed_before(now).0) {
                // Whoever refreshes it gives its new pair back, and then the lease.
                return Ok(Removal::ToBeRevoked);
            }
            // Notion may have given a new pair to somebody who was cut off; revoking this one may not have reached it.
            report_orphaned(pair, "a refresh of a removed installation was cut off", line);
        }
        if tombstone.forget {
            let forgotten_id = in_hand.key_ring.value.forgotten_id(tombstone.id.as_str());
            self.store.forget(tombstone, &forgotten_id, budget.rescue_by).await?;
        } else {
            self.store.purge(tombstone, budget.rescue_by).await?;
        }
        line.count(Metric::Removed);
        Ok(Removal::Complete)
    }
}

/// Something may live on at Notion that nobody can give back.
pub fn report_orphaned(pair: &SealedPair, what: &str, line: &mut RequestLine) {
    line.count(Metric::OrphanedGrant);
    tracing::error!(alarm = "orphaned_grant", bot_id = pair.bot_id, what, "a grant may live on");
}
