//! Asking Notion whether an access token is alive.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{InHand, Retries, Vault, report_broken_seal};
use crate::installation::{InstallationId, SealedPair};
use crate::notion::TokenError;
use crate::random;
use crate::store::StoreError;
use crate::telemetry::{Metric, RequestLine};

/// What Notion says of an access token.
#[derive(Debug)]
pub enum Look {
    /// It is alive.
    Alive,
    /// It is dead; whether the grant is, a refresh tells.
    Dead,
    /// Notion did not say: nothing follows from it.
    Unknown(TokenError),
    /// It does not open, so it cannot be asked about.
    Sealed,
}

impl Vault {
    /// Introspects the access token of a pair.
    pub async fn look_at(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        in_hand: &InHand,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Look {
        let token = match self.open_access(id, &pair.access, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(id, error);
                return Look::Sealed;
            }
        };
        let (asked, _) = Box::pin(self.call(
            in_hand.client_secret.clone(),
            Retries::Once,
            deadline,
            &|| true,
            &|secret| {
                let token = token.clone();
                async move { self.notion.introspect(&secret.value, &token, deadline).await }.boxed()
            },
        ))
        .await;
        match asked {
            Ok(true) => Look::Alive,
            Ok(false) => Look::Dead,
            Err(error) => {
                line.note("introspection", error.key());
                Look::Unknown(error)
            }
        }
    }

    /// Marks an installation whose access token is dead, and that has no refresh token. Gives back whether it was marked:
    /// not if it has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it is not known then.
    pub async fn mark_dead(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Result<bool, StoreError> {
        let (nobody, now) = (random::attempt(&*self.random), self.clock.now_millis());
        let marked = self.store.mark_needs_reinstall(pair, id, &nobody, now, deadline).await?;
        if marked {
            line.count(Metric::NeedsReinstall);
        }
        Ok(marked)
    }
}

/// When to ask again after an answer that decided nothing.
#[must_use]
pub(super) fn come_back_after(error: &TokenError, named: Duration) -> Duration {
    match error {
        // The wait that Notion names, and never none.
        TokenError::ComeBackLater(_) => named.max(Duration::from_secs(1)),
        TokenError::NotSent => Duration::from_secs(5),
        TokenError::OutcomeUnknown(_) => Duration::from_secs(30),
        _ => Duration::from_mins(1),
    }
}
