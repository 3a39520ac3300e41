//! Revokes a sealed pair at Notion, and its grant with it.
//!
//! Notion documents the revocation of access tokens only. One that has ended by itself says nothing about its refresh
//! token. Then a refresh decides: the pair that it brings is revoked, and `invalid_grant` proves that nothing is left.

use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use super::aside::AsideOutcome;
use super::look::Look;
use crate::budget::Budget;
use crate::installation::{InstallationId, SealedPair};
use crate::notion::TokenError;
use crate::report::{LOST_ANSWER, report_broken_seal, report_orphaned};
use crate::seal::OpenError;
use crate::vault::{InHand, Vault};

/// The result of revoking a pair.
pub(super) enum RevokeOutcome {
    /// Nothing of it is alive at Notion, as far as its access token shows.
    Gone,
    /// Its access token has ended, and its refresh token may be alive.
    OnlyByRefresh,
    /// Not revoked yet. What Notion said, if that is why.
    NotYet(Option<TokenError>),
    /// Nobody can revoke it. The reason.
    Lost(&'static str),
}

/// The result of revoking a pair by a refresh.
pub(super) enum RevokedByRefresh {
    /// The new pair was revoked.
    Revoked,
    /// There was nothing left to revoke, unless a request of ours whose answer was lost brought a pair.
    WasDead { may_have_a_successor: bool },
    /// The refresh brought a pair, and Notion has not revoked that yet.
    Held(Box<SealedPair>, TokenError),
    /// Nothing was learned. `sent`: the refresh token may have been consumed.
    Undecided { error: TokenError, sent: bool },
    /// Nobody can revoke it. The reason.
    Lost(&'static str),
}

impl Vault {
    /// Revokes the access token of a pair if it is alive; otherwise says what is left.
    pub(super) async fn revoke_pair(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> RevokeOutcome {
        if pair.client_id != self.connection.client_id {
            // Notion would call it revoked, like any unknown token.
            return RevokeOutcome::Lost("a token of a removed installation belongs to another connection");
        }
        let token = match self.open_access(id, &pair.access, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => return unopened(id, error),
        };
        let refusal = match self.look_at(id, pair, in_hand, deadline, line).await {
            Look::Dead if pair.refresh.is_some() => return RevokeOutcome::OnlyByRefresh,
            Look::Dead => return RevokeOutcome::Gone,
            // What Notion says about a token that it no longer knows is not documented.
            Look::Unknown(error) if error.is_refusal() && pair.refresh.is_some() => {
                return RevokeOutcome::OnlyByRefresh;
            }
            Look::Unknown(error) if error.is_refusal() => true,
            Look::Unknown(error) => return RevokeOutcome::NotYet(Some(error)),
            Look::Alive => false,
            Look::Sealed => return RevokeOutcome::NotYet(None),
        };
        match self.revoke(&token, &in_hand.client_secret, deadline).await {
            Ok(()) => {
                line.count(Metric::Revoked);
                RevokeOutcome::Gone
            }
            Err(error) if refusal && error.0.is_refusal() => {
                RevokeOutcome::Lost("Notion neither knows nor revokes a token of a removed installation")
            }
            Err(error) => {
                line.note("revocation", error.0.key());
                let (bot_id, error) = (pair.bot_id.as_str(), error);
                tracing::warn!(
                    bot_id,
                    error = &error as &dyn std::error::Error,
                    "a token is still to be revoked"
                );
                RevokeOutcome::NotYet(Some(error.0))
            }
        }
    }

    /// Refreshes a pair in order to revoke the new one.
    pub(super) async fn revoke_by_refresh(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> RevokedByRefresh {
        let new = match self.refresh_aside(id, pair, in_hand, budget, line).await {
            AsideOutcome::Renewed(new) => new,
            AsideOutcome::Dead { may_have_a_successor } => {
                return RevokedByRefresh::WasDead { may_have_a_successor };
            }
            AsideOutcome::Broken => {
                return RevokedByRefresh::Lost("a refresh token of a removed installation does not open");
            }
            AsideOutcome::Undecided { error, sent } => return RevokedByRefresh::Undecided { error, sent },
        };
        match self.revoke(&new.renewed.access_token, &in_hand.client_secret, budget.save_by).await {
            Ok(()) => {
                line.count(Metric::Revoked);
                RevokedByRefresh::Revoked
            }
            Err(error) => RevokedByRefresh::Held(Box::new(new.sealed), error.0),
        }
    }

    /// Revokes a pair that was never saved, because its installation was removed in the meantime.
    ///
    /// # Errors
    ///
    /// It is not revoked yet. What Notion said, if that is why.
    pub async fn revoke_rescued_pair(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<(), Option<TokenError>> {
        let lost = |what, line: &mut RequestLine| report_orphaned(pair, what, line);
        match self.revoke_pair(id, pair, in_hand, budget.save_by, line).await {
            RevokeOutcome::Gone => Ok(()),
            RevokeOutcome::NotYet(error) => Err(error),
            RevokeOutcome::Lost(what) => {
                lost(what, line);
                Ok(())
            }
            RevokeOutcome::OnlyByRefresh => {
                match self.revoke_by_refresh(id, pair, in_hand, budget, line).await {
                    RevokedByRefresh::Revoked | RevokedByRefresh::WasDead { may_have_a_successor: false } => {
                        Ok(())
                    }
                    RevokedByRefresh::WasDead { may_have_a_successor: true } => {
                        lost(LOST_ANSWER, line);
                        Ok(())
                    }
                    RevokedByRefresh::Lost(what) => {
                        lost(what, line);
                        Ok(())
                    }
                    RevokedByRefresh::Held(_, error) => {
                        lost("a refreshed pair could be neither revoked nor kept", line);
                        Err(Some(error))
                    }
                    RevokedByRefresh::Undecided { error, sent } => {
                        // The record that stays in the queue does not say so.
                        if sent {
                            lost(LOST_ANSWER, line);
                        }
                        Err(Some(error))
                    }
                }
            }
        }
    }
}

fn unopened(id: &InstallationId, error: OpenError) -> RevokeOutcome {
    report_broken_seal(id, error);
    match error {
        // Keep the token: the key may become readable again, and a purge cannot be undone.
        OpenError::RingNotRead | OpenError::UnknownVersion(_) => RevokeOutcome::NotYet(None),
        OpenError::Broken => RevokeOutcome::Lost("a token of a removed installation does not open"),
    }
}
