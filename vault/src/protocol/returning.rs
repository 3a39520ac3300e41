//! A sealed pair goes back to Notion, and with it its grant.
//!
//! Revoking takes an access token (Notion documents no more). One that has ended by itself says nothing of its refresh
//! token, so then a refresh decides: what it brings is revoked, and `invalid_grant` is the proof that nothing is left.

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

/// What became of a pair on its way back.
pub(super) enum Returned {
    /// Nothing of it lives at Notion, as far as its access token tells.
    Gone,
    /// Its access token has ended, and its refresh token may live.
    OnlyByRefresh,
    /// Not yet; what Notion said, if that is why.
    Stays(Option<TokenError>),
    /// It can be given back by nobody: why.
    Lost(&'static str),
}

/// What became of it by way of a refresh.
pub(super) enum ByRefresh {
    /// What the refresh brought was revoked.
    Returned,
    /// There was nothing left to give back; unless a request of ours whose answer was lost brought something.
    WasDead { may_have_a_successor: bool },
    /// The refresh brought a pair, and Notion did not take that back yet.
    Held(Box<SealedPair>, TokenError),
    /// Nothing was learned; whether the refresh token may be used up by now.
    Stays { error: TokenError, sent: bool },
    /// It can be given back by nobody: why.
    Lost(&'static str),
}

impl Vault {
    /// Revokes the access token of a pair if it lives, and says what is left if it does not.
    pub(super) async fn return_pair(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Returned {
        if pair.client_id != self.connection.client_id {
            // Notion would say of it, as of any unknown token, that it is revoked.
            return Returned::Lost("a token of a removed installation is another connection's");
        }
        let token = match self.open_access(id, &pair.access, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => return unopened(id, error),
        };
        let refusal = match self.look_at(id, pair, in_hand, deadline, line).await {
            Look::Dead if pair.refresh.is_some() => return Returned::OnlyByRefresh,
            Look::Dead => return Returned::Gone,
            // What Notion says of a token that it no longer knows is not documented.
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
                Returned::Lost("Notion neither knows a token of a removed installation nor takes it back")
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

    /// Refreshes a pair in order to revoke what that brings.
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

    /// Gives back a pair that the table never took: its installation was removed meanwhile.
    ///
    /// # Errors
    ///
    /// What Notion said, if that is why it stays.
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
                    // The record that stays does not say so.
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
        // The key may come back; what is purged does not.
        OpenError::RingNotRead | OpenError::UnknownVersion(_) => Returned::Stays(None),
        OpenError::Broken => Returned::Lost("a token of a removed installation does not open"),
    }
}
