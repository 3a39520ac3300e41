//! Refreshes a pair that is not the current one. Its access token may have ended while its grant is still alive.

use std::sync::Arc;
use std::time::Duration;

use shared::telemetry::RequestLine;
use tokio::time::Instant;

use super::call::MIN_TRY_MS;
use super::give_back::GiveBack;
use super::send::{Sent, refreshed};
use crate::budget::Budget;
use crate::installation::{InstallationId, SealedPair};
use crate::notion::{Renewed, TokenError};
use crate::report::report_broken_seal;
use crate::store::{Installation, SavedRefresh};
use crate::vault::{InHand, Vault};

/// The result of refreshing a pair that is not the current one.
pub enum AsideOutcome {
    /// Notion issued a new pair.
    Renewed(Box<RenewedAside>),
    /// Its grant is dead, or its refresh token was consumed.
    Dead {
        /// Whether it may have been consumed by a request of ours whose answer was lost.
        may_have_a_successor: bool,
    },
    /// Its refresh token does not open.
    Broken,
    /// Nothing was learned.
    Undecided {
        /// What Notion answered, or why it did not.
        error: TokenError,
        /// Whether the refresh token may have been consumed.
        sent: bool,
    },
}

/// The new pair from refreshing one that is not the current one.
pub struct RenewedAside {
    /// As Notion issued it.
    pub renewed: Renewed,
    /// As it would be stored in the row.
    pub sealed: SealedPair,
}

impl Vault {
    /// Refreshes a pair that is not, or no longer, the row's current one. No lease protects it. The caller has recorded
    /// before that the pair is in doubt.
    pub async fn refresh_aside(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> AsideOutcome {
        let Some(sealed) = &pair.refresh else { return AsideOutcome::Dead { may_have_a_successor: false } };
        let token = match self.open_refresh(id, sealed, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(id, error);
                return AsideOutcome::Broken;
            }
        };
        let deadline = budget.exchange_by;
        // Send only while there is time left for the answer.
        let may_send = || Instant::now() + Duration::from_millis(MIN_TRY_MS) <= deadline;
        let Sent { answer, secret, lost_one } =
            Box::pin(self.send_refresh(&token, in_hand, deadline, &may_send)).await;
        match answer {
            Ok(renewed) if !id.is_of(renewed.workspace_id.as_deref(), renewed.user_id.as_deref()) => {
                tracing::error!(alarm = "unusable", "Notion answered a refresh with somebody else's grant");
                self.give_back(GiveBack::of_refresh(pair, &renewed, secret), budget.revoke_by, line).await;
                AsideOutcome::Undecided {
                    error: TokenError::OutcomeUnknown(Some(renewed.answer)),
                    sent: true,
                }
            }
            Ok(renewed) => {
                let sealed = self.sealed_successor(id, pair, &renewed, &in_hand.key_ring.value);
                AsideOutcome::Renewed(Box::new(RenewedAside { renewed, sealed }))
            }
            Err(TokenError::InvalidGrant(_)) => {
                AsideOutcome::Dead { may_have_a_successor: pair.is_unsettled() || lost_one }
            }
            Err(error) => {
                let may_be_used_up = matches!(error, TokenError::OutcomeUnknown(_));
                AsideOutcome::Undecided { error, sent: may_be_used_up }
            }
        }
    }

    /// Keeps a new pair although the row has changed since `before` was refreshed. The new pair replaces `before`,
    /// wherever that is now. If it is nowhere, the new pair is revoked.
    pub async fn keep_renewed(
        &self,
        row: &Installation,
        before: &SealedPair,
        new: RenewedAside,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) {
        let give_back = GiveBack::of_refresh(before, &new.renewed, Arc::clone(&in_hand.client_secret));
        let Some(used) = &before.refresh_fingerprint else {
            return self.give_back(give_back, budget.revoke_by, line).await;
        };
        let refreshed = refreshed(row, used, new.sealed, &in_hand.key_ring.value, false);
        // `unverified`: what Notion said before the row changed does not count any more.
        let (now, random) = (self.clock.now_millis(), &*self.random);
        match self.store.save_refreshed(&refreshed, false, now, budget.save_by, random).await {
            Ok(SavedRefresh::Current(_) | SavedRefresh::KeptAside) => {}
            Ok(SavedRefresh::TombstoneWins) => self.give_back(give_back, budget.revoke_by, line).await,
            Err(error) => {
                let _not_now = self.put_into_rescue(&error, refreshed, give_back, budget, line).await;
            }
        }
    }
}
