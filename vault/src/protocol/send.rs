//! Sends a refresh token and seals the new pair, both for the current pair and for one kept aside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use shared::secret::{ClientSecret, RefreshToken};
use tokio::time::Instant;

use super::call::Retries;
use crate::installation::{InstallationId, SealedPair};
use crate::notion::{Renewed, TokenError};
use crate::seal::{Fingerprint, KeyRing};
use crate::secrets::Versioned;
use crate::store::{Installation, Refreshed, oldest_key};
use crate::vault::{InHand, Vault};

/// The result of sending a refresh token.
pub(super) struct Sent {
    pub(super) answer: Result<Renewed, TokenError>,
    /// The client secret that was sent last.
    pub(super) secret: Arc<Versioned<ClientSecret>>,
    /// Whether an answer was lost, and perhaps a pair with it.
    pub(super) lost_one: bool,
}

/// A new pair, to be saved in place of the one whose refresh token `used` was sent for it.
pub(super) fn refreshed(
    row: &Installation,
    used: &Fingerprint,
    pair: SealedPair,
    ring: &KeyRing,
    by_report: bool,
) -> Refreshed {
    let was_replaced = pair.refresh_fingerprint.as_ref() != Some(used);
    let sealed = std::iter::once(&pair).chain(&row.superseded);
    Refreshed {
        id: row.id.clone(),
        used: used.clone(),
        used_up: row.used_up_with(was_replaced.then_some(used)),
        oldest_key: sealed.filter_map(oldest_key).min().unwrap_or_else(|| ring.newest()),
        pair,
        by_report,
    }
}

impl Vault {
    /// Sends a refresh token, and once more if the answer is lost.
    pub(super) async fn send_refresh(
        &self,
        token: &RefreshToken,
        in_hand: &InHand,
        deadline: Instant,
        may_send: &(dyn Fn() -> bool + Send + Sync),
    ) -> Sent {
        let lost = AtomicBool::new(false);
        let send = |secret: Arc<Versioned<ClientSecret>>| {
            let (token, lost) = (token.clone(), &lost);
            async move {
                let answer = self.notion.refresh(&secret.value, &token, deadline).await;
                lost.fetch_or(matches!(answer, Err(TokenError::OutcomeUnknown(_))), Ordering::Relaxed);
                answer
            }
            .boxed()
        };
        let secret = Arc::clone(&in_hand.client_secret);
        let (answer, secret) = Box::pin(self.call(secret, Retries::Once, deadline, may_send, &send)).await;
        Sent { answer, secret, lost_one: lost.into_inner() }
    }

    /// Seals the pair that a refresh of `before` returned. If the answer has no refresh token, the old one is kept.
    pub(super) fn sealed_successor(
        &self,
        id: &InstallationId,
        before: &SealedPair,
        renewed: &Renewed,
        ring: &KeyRing,
    ) -> SealedPair {
        let (access, access_fingerprint) =
            ring.seal_access(id.as_str(), &renewed.access_token, &*self.random);
        let now = self.clock.now_millis();
        let pair = SealedPair {
            access,
            access_fingerprint,
            lease: None,
            in_doubt: false,
            refresh_unproven: false,
            bot_id: renewed.bot_id.clone().unwrap_or_else(|| before.bot_id.clone()),
            exchanged_at_ms: now.0,
            expires_at_ms: renewed.expires_in.map(|life| now.plus(life).0),
            previous_refresh: None,
            ..before.clone()
        };
        let Some(token) = &renewed.refresh_token else { return pair };
        let (refresh, fingerprint) = ring.seal_refresh(id.as_str(), token, &*self.random);
        SealedPair {
            refresh: Some(refresh),
            refresh_fingerprint: Some(fingerprint),
            previous_refresh: before.refresh.clone(),
            ..pair
        }
    }
}
