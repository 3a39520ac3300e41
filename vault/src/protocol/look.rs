//! Asks Notion whether an access token is alive.

use std::time::Duration;

use futures_util::FutureExt as _;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use super::call::Retries;
use crate::installation::{InstallationId, SealedPair};
use crate::notion::{Introspection, TokenError};
use crate::report::report_broken_seal;
use crate::store::{Installation, StoreError};
use crate::vault::{InHand, Vault};

/// What Notion says about an access token.
#[derive(Debug)]
pub enum Look {
    /// It is alive.
    Alive,
    /// It is dead. Whether the grant is dead too, a refresh shows.
    Dead,
    /// Notion did not say, so nothing is known.
    Unknown(TokenError),
    /// It does not open, so Notion cannot be asked.
    Sealed,
}

impl Vault {
    /// `look_at`: asks Notion about the access token of a pair (introspection).
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
            Ok(Introspection { active: true, .. }) => Look::Alive,
            Ok(Introspection { active: false, .. }) => Look::Dead,
            Err(error) => {
                line.note("introspection", error.key());
                Look::Unknown(error)
            }
        }
    }

    /// Notion has said that the current `pair` of `row` is dead, and `row` was read after that. `promote_superseded` if
    /// another pair is in line, otherwise `mark_needs_reinstall`. Nothing if the row has changed, or if anyone but
    /// `holder` is refreshing it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether the row was written is unknown.
    pub async fn handle_dead_pair(
        &self,
        row: &Installation,
        pair: &SealedPair,
        holder: &str,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Result<DeadPairOutcome, StoreError> {
        let now = self.clock.now_millis();
        if let Some(next) = row.promotion_candidate(&self.connection.client_id) {
            let promoted = self.store.promote_superseded(row, next, now, deadline).await?;
            return Ok(promoted.map_or(DeadPairOutcome::Changed, |row| {
                line.count(Metric::Promoted);
                DeadPairOutcome::Promoted(row)
            }));
        }
        if !self.store.mark_needs_reinstall(row, pair, holder, now, deadline).await? {
            return Ok(DeadPairOutcome::Changed);
        }
        line.count(Metric::NeedsReinstall);
        Ok(DeadPairOutcome::Marked)
    }
}

/// What happened to an installation whose current pair is dead.
#[derive(Debug)]
pub enum DeadPairOutcome {
    /// Another pair has taken its place. The row as it is now.
    Promoted(Box<Installation>),
    /// The person has to install again.
    Marked,
    /// The row was written in between.
    Changed,
}

/// When to ask again after an inconclusive answer.
#[must_use]
pub(super) fn come_back_after(error: &TokenError, named: Duration) -> Duration {
    match error {
        // The wait that Notion names, but at least a second.
        TokenError::ComeBackLater(_) => named.max(Duration::from_secs(1)),
        TokenError::NotSent => Duration::from_secs(5),
        TokenError::OutcomeUnknown(_) => Duration::from_secs(30),
        _ => Duration::from_mins(1),
    }
}
