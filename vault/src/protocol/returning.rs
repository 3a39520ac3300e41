//! Revokes a sealed pair at Notion, and its grant with it.
//!
//! Notion documents the revocation of access tokens only. One that has ended by itself says nothing about its refresh
//! token. Then a refresh decides: the pair that it brings is revoked, and `invalid_grant` proves that nothing is left.

use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use super::aside::Aside;
use super::look::Look;
use crate::budget::Budget;
use crate::installation::{InstallationId, SealedPair};
use crate::notion::TokenError;
use crate::report::{LOST_ANSWER, report_broken_seal, report_orphaned};
use crate::seal::OpenError;
use crate::vault::{InHand, Vault};

/// The result of revoking a pair.
pub(super) enum Returned {
    /// Nothing of it is alive at Notion, as far as its access token shows.
    Gone,
    /// Its access token has ended, and its refresh token may be alive.
    OnlyByRefresh,
    /// Not revoked yet. What Notion said, if that is why.
    Stays(Option<TokenError>),
    /// Nobody can revoke it. The reason.
    Lost(&'static str),
}

/// The result of revoking a pair by a refresh.
pub(super) enum ByRefresh {
    /// The new pair was revoked.
    Returned,
    /// There was nothing left to revoke, unless a request of ours whose answer was lost brought a pair.
    WasDead { may_have_a_successor: bool },
    /// The refresh brought a pair, and Notion has not revoked that yet.
    Held(Box<SealedPair>, TokenError),
    /// Nothing was learned. `sent`: the refresh token may have been consumed.
    Stays { error: TokenError, sent: bool },
    /// Nobody can revoke it. The reason.
    Lost(&'static str),
}

impl Vault {
    /// Revokes the access token of a pair if it is alive; otherwise says what is left.
    pub(super) async fn return_pair(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Returned {
        if pair.client_id != self.connection.client_id {
            // Notion would call it revoked, like any unknown token.
            return Returned::Lost("a token of a removed installation belongs to another connection");
        }
        let token = match self.open_access(id, &pair.access, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => return unopened(id, error),
        };
        let refusal = match self.look_at(id, pair, in_hand, deadline, line).await {
            Look::Dead if pair.refresh.is_some() => return Returned::OnlyByRefresh,
            Look::Dead => return Returned::Gone,
            // What Notion says about a token that it no longer knows is not documented.
            Look::Unknown(error) if error.is_refusal() && pair.refresh.is_some() => {
                return Returned::OnlyByRefresh;
            }
            Look::Unknown(error) if error.is_refusal() => true,
            Look::Unknown(error) => return Returned::Stays(Some(error)),
            Look::Alive => false,
            Look::Sealed => return Returned::Stays(None),
        };
        match self.revoke(&token, &in_hand.client_secret, deadline).await {
            Ok(()) => {
                line.count(Metric::Revoked);
                Returned::Gone
            }
            Err(error) if refusal && error.0.is_refusal() => {
                Returned::Lost("Notion neither knows nor revokes a token of a removed installation")
            }
            Err(error) => {
                line.note("revocation", error.0.key());
                let (bot_id, error) = (pair.bot_id.as_str(), error);
                tracing::warn!(
                    bot_id,
                    error = &error as &dyn std::error::Error,
                    "a token is still to be revoked"
                );
                Returned::Stays(Some(error.0))
            }
        }
    }

    /// Refreshes a pair in order to revoke the new one.
    pub(super) async fn return_by_refresh(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> ByRefresh {
        let new = match self.refresh_aside(id, pair, in_hand, budget, line).await {
            Aside::Renewed(new) => new,
            Aside::Dead { may_have_a_successor } => return ByRefresh::WasDead { may_have_a_successor },
            Aside::Broken => {
                return ByRefresh::Lost("a refresh token of a removed installation does not open");
            }
            Aside::Undecided { error, sent } => return ByRefresh::Stays { error, sent },
        };
        match self.revoke(&new.renewed.access_token, &in_hand.client_secret, budget.save_by).await {
            Ok(()) => {
                line.count(Metric::Revoked);
                ByRefresh::Returned
            }
            Err(error) => ByRefresh::Held(Box::new(new.sealed), error.0),
        }
    }

    /// Revokes a pair that was never saved, because its installation was removed in the meantime.
    ///
    /// # Errors
    ///
    /// It is not revoked yet. What Notion said, if that is why.
    pub async fn return_rescued(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<(), Option<TokenError>> {
        let lost = |what, line: &mut RequestLine| report_orphaned(pair, what, line);
        match self.return_pair(id, pair, in_hand, budget.save_by, line).await {
            Returned::Gone => Ok(()),
            Returned::Stays(error) => Err(error),
            Returned::Lost(what) => {
                lost(what, line);
                Ok(())
            }
            Returned::OnlyByRefresh => match self.return_by_refresh(id, pair, in_hand, budget, line).await {
                ByRefresh::Returned | ByRefresh::WasDead { may_have_a_successor: false } => Ok(()),
                ByRefresh::WasDead { may_have_a_successor: true } => {
                    lost(LOST_ANSWER, line);
                    Ok(())
                }
                ByRefresh::Lost(what) => {
                    lost(what, line);
                    Ok(())
                }
                ByRefresh::Held(_, error) => {
                    lost("a refreshed pair could be neither revoked nor kept", line);
                    Err(Some(error))
                }
                ByRefresh::Stays { error, sent } => {
                    // The record that stays in the queue does not say so.
                    if sent {
                        lost(LOST_ANSWER, line);
                    }
                    Err(Some(error))
                }
            },
        }
    }
}

fn unopened(id: &InstallationId, error: OpenError) -> Returned {
    report_broken_seal(id, error);
    match error {
        // The key may become readable again, but what is purged is gone.
        OpenError::RingNotRead | OpenError::UnknownVersion(_) => Returned::Stays(None),
        OpenError::Broken => Returned::Lost("a token of a removed installation does not open"),
    }
}
