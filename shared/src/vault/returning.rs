//! A sealed pair goes back to Notion, and with it its grant.
//!
//! Revoking takes an access token (Notion documents no more). One that has ended by itself says nothing of its refresh
//! token, so then a refresh decides: what it brings is revoked, and `invalid_grant` is the proof that nothing is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::MIN_TRY_MS;
use super::refresh::Sent;
use super::{GiveBack, InHand, Look, Vault, report_broken_seal};
use crate::budget::Budget;
use crate::installation::{InstallationId, Renewed, SealedPair};
use crate::notion::TokenError;
use crate::seal::OpenError;
use crate::secret::ClientSecret;
use crate::secrets::Versioned;
use crate::store::{Installation, MAX_USED_UP, Refreshed, SavedRefresh, oldest_key};
use crate::telemetry::{Metric, RequestLine};

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

/// What came of refreshing a pair that is not the current one.
pub enum Aside {
    /// Notion gave a new pair.
    Renewed(Box<RenewedAside>),
    /// Its grant is dead, or its refresh token was used up.
    Dead {
        /// Whether that may have been a request of ours whose answer was lost.
        may_have_a_successor: bool,
    },
    /// Its refresh token does not open.
    Broken,
    /// Nothing was learned; whether the refresh token may be used up by now.
    Undecided {
        /// What Notion said, if anything.
        error: TokenError,
        /// Whether the refresh token may have been used up.
        sent: bool,
    },
}

/// The pair that a refresh of another one brought which is not the current one.
pub struct RenewedAside {
    /// As Notion gave it.
    pub renewed: Renewed,
    /// As it may stand in the row.
    pub sealed: SealedPair,
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

    /// Refreshes a pair that is not, or no longer, the current one of a row that others refresh: there is no lease. Whoever
    /// calls has noted before that it is in doubt.
    pub async fn refresh_aside(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Aside {
        let Some(sealed) = &pair.refresh else { return Aside::Dead { may_have_a_successor: false } };
        let token = match self.open_refresh(id, sealed, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(id, error);
                return Aside::Broken;
            }
        };
        let deadline = budget.exchange_by;
        // Nothing must leave with no time for the answer.
        let may_send = || Instant::now() + Duration::from_millis(MIN_TRY_MS) <= deadline;
        let Sent { answer, secret, lost_one } =
            Box::pin(self.send_refresh(&token, in_hand, deadline, &may_send)).await;
        match answer {
            Ok(renewed) if !id.is_of(renewed.workspace_id.as_deref(), renewed.user_id.as_deref()) => {
                tracing::error!(alarm = "unusable", "Notion answered a refresh with somebody else's grant");
                self.give_back(given(pair, &renewed, secret), budget.revoke_by, line).await;
                Aside::Undecided { error: TokenError::OutcomeUnknown(Some(renewed.answer)), sent: true }
            }
            Ok(renewed) => {
                let sealed = self.sealed_aside(id, pair, &renewed, in_hand);
                Aside::Renewed(Box::new(RenewedAside { renewed, sealed }))
            }
            Err(TokenError::InvalidGrant(_)) => {
                Aside::Dead { may_have_a_successor: pair.is_unsettled() || lost_one }
            }
            Err(error) => {
                let may_be_used_up = matches!(error, TokenError::OutcomeUnknown(_));
                Aside::Undecided { error, sent: may_be_used_up }
            }
        }
    }

    fn sealed_aside(
        &self,
        id: &InstallationId,
        before: &SealedPair,
        renewed: &Renewed,
        in_hand: &InHand,
    ) -> SealedPair {
        let ring = &in_hand.key_ring.value;
        let (access, access_fingerprint) =
            ring.seal_access(id.as_str(), &renewed.access_token, &*self.random);
        let now = self.clock.now_millis();
        let pair = SealedPair {
            access,
            access_fingerprint,
            exchanged_at_ms: now.0,
            expires_at_ms: renewed.expires_in.map(|life| now.plus(life).0),
            lease: None,
            in_doubt: false,
            ..before.clone()
        };
        let Some(token) = &renewed.refresh_token else { return pair };
        let (refresh, fingerprint) = ring.seal_refresh(id.as_str(), token, &*self.random);
        SealedPair {
            refresh: Some(refresh),
            refresh_fingerprint: Some(fingerprint),
            previous_refresh: None,
            ..pair
        }
    }

    /// The row beside whose current pair `before` was refreshed has changed meanwhile: wherever `before` is now, the new pair
    /// takes its place; where that is nowhere, or the table fails, it is given back.
    pub async fn keep_renewed(
        &self,
        row: &Installation,
        before: &SealedPair,
        new: RenewedAside,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) {
        let RenewedAside { renewed, sealed: pair } = new;
        let give_back = given(before, &renewed, Arc::clone(&in_hand.client_secret));
        let saved = match &before.refresh_fingerprint {
            None => None,
            Some(used) => {
                let mut used_up = row.used_up.clone();
                if pair.refresh_fingerprint.as_ref() != Some(used) {
                    used_up.push(used.clone());
                }
                used_up.drain(..used_up.len().saturating_sub(MAX_USED_UP));
                let oldest_key = oldest_key(&pair).unwrap_or_else(|| in_hand.key_ring.value.newest());
                let (id, used) = (row.id.clone(), used.clone());
                let refreshed = Refreshed { id, used, used_up, pair, oldest_key, by_report: false };
                // What Notion says of it now decides, not what it said before the row changed.
                let (now, random) = (self.clock.now_millis(), &*self.random);
                Some(self.store.save_refreshed(&refreshed, false, now, budget.save_by, random).await)
            }
        };
        match saved {
            Some(Ok(SavedRefresh::Current(_) | SavedRefresh::KeptAside)) => {}
            Some(Ok(SavedRefresh::TombstoneWins)) | None => {
                self.give_back(give_back, budget.revoke_by, line).await;
            }
            Some(Err(error)) => {
                super::report_store(&error);
                self.give_back(give_back, budget.revoke_by, line).await;
            }
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
        let lost = |what, line: &mut RequestLine| super::report_orphaned(pair, what, line);
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
                    lost("the answer to a refresh was lost, and with it a pair", line);
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
                        lost("the answer to a refresh was lost, and with it a pair", line);
                    }
                    Err(Some(error))
                }
            },
        }
    }
}

/// What a refresh of `before` brought, to be given back.
fn given(before: &SealedPair, renewed: &Renewed, secret: Arc<Versioned<ClientSecret>>) -> GiveBack {
    GiveBack {
        token: renewed.access_token.clone(),
        secret,
        bot_id: renewed.bot_id.clone().or_else(|| Some(before.bot_id.clone())),
        request_id: renewed.answer.request_id.clone(),
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
