//! The refresh protocol: a lease in the row, and a compare-and-swap on the consumed refresh token.
//!
//! `read` → `take_lease` → `send` → `save_refreshed`, otherwise `put_into_rescue`, otherwise `give_back`. On
//! `invalid_grant`: `adopt_winner`, `wait_for_lease`, `promote_superseded` or `mark_needs_reinstall`. On anything else:
//! `release_lease`. A new pair is never handed out before it is saved. DESIGN.md says why, and the model
//! (`tests/it/model`) checks it.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::UnixMillis;
use shared::random;
use shared::secret::{AccessToken, ClientSecret};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use super::give_back::GiveBack;
use super::lease::LEASE_MS;
use super::look::{DeadPairOutcome, Look, come_back_after};
use super::send::{Sent, refreshed};
use crate::budget::Budget;
use crate::installation::{Lease, SealedPair};
use crate::notion::{Renewed, TokenError};
use crate::report::{LOST_ANSWER, report_broken_seal, report_orphaned, report_store};
use crate::seal::Fingerprint;
use crate::secrets::Versioned;
use crate::store::{Health, Installation, Leased, Refreshed, Rescued, SavedRefresh, StoreError};
use crate::vault::{InHand, Vault};

/// How long a last request to the store may take before we give up on it, in milliseconds.
const LOOK_LIMIT_MS: u64 = 700;

/// Why a pair is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A caller wants it, or the access token is about to end.
    Asked,
    /// A caller reports that Notion refused the access token.
    Refused {
        /// Whether to ask Notion first if that is true, because there was such a report a short time ago.
        ask_first: bool,
    },
    /// The sweep found the access token dead, or the last refresh cut off. It may take over a lease that was never
    /// released; nobody else may.
    Swept {
        /// The lease must have ended before this moment: see [`lapsed_before`](super::lapsed_before).
        takeover: UnixMillis,
    },
}

/// The result of a refresh.
#[derive(Debug)]
pub enum RefreshOutcome {
    /// The row holds a new pair, which we obtained.
    Renewed(Box<Installation>, AccessToken),
    /// Nothing was refreshed: Notion says that the access token is alive.
    StillAlive(Box<Installation>),
    /// Another process has refreshed it or holds the lease. The row as last seen, if it was read.
    LookAgain(Option<Box<Installation>>),
    /// The grant is dead, and the row says so.
    NeedsReinstall,
    /// The installation was removed in the meantime.
    Removed,
    /// Not now. Try again after this time.
    TryLater(NotRefreshed, Duration),
}

/// Why there is no new pair, although the grant may be alive.
#[derive(Debug)]
pub enum NotRefreshed {
    /// The refresh token does not open.
    BrokenSeal,
    /// The table did not answer, and there is no new pair.
    Store,
    /// The new pair waits in the rescue queue.
    Rescued,
    /// Notion answered with somebody else's grant.
    Unusable,
    /// Notion gave no conclusive answer.
    Undecided(TokenError),
}

impl NotRefreshed {
    /// A fixed key.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::BrokenSeal => "broken_seal",
            Self::Store => "store",
            Self::Rescued => "rescued",
            Self::Unusable => "unusable",
            Self::Undecided(error) => error.key(),
        }
    }
}

/// One refresh.
struct Attempt<'a> {
    row: &'a Installation,
    pair: &'a SealedPair,
    used: &'a Fingerprint,
    lease: Lease,
    cause: Cause,
    budget: &'a Budget,
    in_hand: &'a InHand,
}

impl Vault {
    /// Refreshes the pair of `row`, unless another process is refreshing it. `row` must have been read consistently.
    pub async fn refresh(
        &self,
        row: &Installation,
        cause: Cause,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> RefreshOutcome {
        let refreshable = row
            .pair
            .as_ref()
            .and_then(|pair| Some((pair, pair.refresh.as_ref()?, pair.refresh_fingerprint.as_ref()?)));
        let Some((pair, sealed, used)) = refreshable else { return RefreshOutcome::LookAgain(None) };
        // Before taking the lease: a token that does not open cannot be sent.
        let refresh_token = match self.open_refresh(&row.id, sealed, &in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(&row.id, error);
                return not_now(NotRefreshed::BrokenSeal, 60);
            }
        };
        let now = self.clock.now_millis();
        let holder = random::attempt(&*self.random);
        let lease = Lease { holder, until_ms: now.0.saturating_add(LEASE_MS) };
        let takeover = match cause {
            Cause::Swept { takeover } if row.lease().is_some() => Some(takeover),
            _ => None,
        };
        let taken = match self.store.take_lease(&row.id, used, &lease, takeover, now, budget.claim_by).await {
            Ok(Leased::Taken(taken)) => taken,
            Ok(Leased::Standing(standing)) => return RefreshOutcome::LookAgain(standing),
            Err(error) => {
                report_store(&error);
                // It may have been taken all the same.
                let soon = Instant::now() + Duration::from_millis(LOOK_LIMIT_MS);
                let _lapses = self.store.release_lease(&row.id, &lease.holder, false, now, soon).await;
                return not_now(NotRefreshed::Store, 5);
            }
        };
        // The row as it is now, including what was kept aside since it was read.
        let pair = taken.pair.as_ref().unwrap_or(pair);
        let attempt = Attempt { row: &taken, pair, used, lease, cause, budget, in_hand };
        // Under the lease, so that only one process asks, however many report it. For a pair in doubt, only a refresh
        // can tell.
        if cause == (Cause::Refused { ask_first: true }) && !pair.in_doubt {
            match self.look_at(&row.id, pair, in_hand, budget.exchange_by, line).await {
                Look::Alive => return self.leave_alive(&attempt).await,
                Look::Dead => {}
                Look::Sealed => return self.release(attempt, None, NotRefreshed::BrokenSeal, line).await,
                Look::Unknown(error) => {
                    return self.release(attempt, None, NotRefreshed::Undecided(error), line).await;
                }
            }
        }
        // The answer must come while the lease lasts. The wall clock counts too: a frozen process may thaw much later.
        let may_send = || {
            let needed = budget.exchange_by.saturating_duration_since(Instant::now());
            let needed_ms = u64::try_from(needed.as_millis()).unwrap_or(u64::MAX);
            self.clock.now_millis().0.saturating_add(needed_ms) < attempt.lease.until_ms
        };
        let Sent { answer, secret, lost_one } =
            Box::pin(self.send_refresh(&refresh_token, in_hand, budget.exchange_by, &may_send)).await;
        match answer {
            Ok(renewed) => Box::pin(self.keep(attempt, renewed, secret, line)).await,
            Err(TokenError::InvalidGrant(_)) => {
                let may_have_a_successor = attempt.pair.in_doubt || lost_one;
                Box::pin(self.adopt_or_mark(attempt, may_have_a_successor, line)).await
            }
            Err(error) => {
                let in_doubt = matches!(error, TokenError::OutcomeUnknown(_)).then_some(InDoubt);
                self.release(attempt, in_doubt, NotRefreshed::Undecided(error), line).await
            }
        }
    }

    /// `release_alive`: nothing has to be refreshed.
    async fn leave_alive(&self, attempt: &Attempt<'_>) -> RefreshOutcome {
        let (id, holder, now) = (&attempt.row.id, &attempt.lease.holder, self.clock.now_millis());
        let due_at = self.next_look(now);
        match self.store.release_alive(id, holder, now, due_at, attempt.budget.save_by).await {
            Ok(Some(row)) => RefreshOutcome::StillAlive(row),
            Ok(None) => RefreshOutcome::LookAgain(None),
            Err(error) => {
                report_store(&error);
                not_now(NotRefreshed::Store, 5)
            }
        }
    }

    /// `save_refreshed`, otherwise `put_into_rescue`, otherwise `give_back`.
    async fn keep(
        &self,
        attempt: Attempt<'_>,
        renewed: Renewed,
        secret: Arc<Versioned<ClientSecret>>,
        line: &mut RequestLine,
    ) -> RefreshOutcome {
        let (row, budget) = (attempt.row, attempt.budget);
        // The window that cannot be closed begins here: if the process ends now, the pair is lost.
        let answered = Instant::now();
        let now = self.clock.now_millis();
        line.count(Metric::Refreshed);
        line.note("notion_request_id", renewed.answer.request_id.as_deref());
        let give_back = GiveBack::of_refresh(attempt.pair, &renewed, secret);
        if !row.id.is_of(renewed.workspace_id.as_deref(), renewed.user_id.as_deref()) {
            tracing::error!(alarm = "unusable", "Notion answered a refresh with somebody else's grant");
            self.give_back(give_back, budget.revoke_by, line).await;
            return self.release(attempt, Some(InDoubt), NotRefreshed::Unusable, line).await;
        }
        let ring = &attempt.in_hand.key_ring.value;
        let pair = self.sealed_successor(&row.id, attempt.pair, &renewed, ring);
        let by_report = matches!(attempt.cause, Cause::Refused { .. });
        let refreshed = refreshed(row, attempt.used, pair, ring, by_report);
        // If this process was frozen past its lease, others may have sent the same refresh token since.
        let prompt = now.0 < attempt.lease.until_ms;
        let due_at = if prompt { self.next_look(now) } else { now };
        let save = self.store.save_refreshed(&refreshed, prompt, due_at, budget.save_by, &*self.random);
        match save.await {
            Ok(SavedRefresh::Current(row)) if !prompt => RefreshOutcome::LookAgain(Some(row)),
            Ok(SavedRefresh::Current(row)) => {
                line.unsaved_for(answered.elapsed());
                RefreshOutcome::Renewed(row, renewed.access_token)
            }
            Ok(SavedRefresh::KeptAside) => RefreshOutcome::LookAgain(None),
            Ok(SavedRefresh::TombstoneWins) => {
                self.give_back(give_back, budget.revoke_by, line).await;
                // The removal waits for our lease, and nothing of ours is left at Notion.
                let (id, holder) = (&row.id, &attempt.lease.holder);
                let _lapses = self.store.release_lease(id, holder, false, now, budget.revoke_by).await;
                RefreshOutcome::Removed
            }
            Err(error) => self.put_into_rescue(&error, refreshed, give_back, budget, line).await,
        }
    }

    /// `put_into_rescue`, otherwise `give_back`: the table did not accept a new pair, because of `error`.
    pub(super) async fn put_into_rescue(
        &self,
        error: &StoreError,
        refreshed: Refreshed,
        give_back: GiveBack,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> RefreshOutcome {
        line.count(Metric::SaveFailed);
        tracing::error!(
            alarm = "save_failed",
            bot_id = give_back.bot_id,
            error = error as &dyn std::error::Error,
            "a refreshed pair could not be saved"
        );
        let (id, access_fingerprint) = (refreshed.id.clone(), refreshed.pair.access_fingerprint.clone());
        let record = Rescued::Refresh { refreshed: Box::new(refreshed) }.record();
        let Err(error) = self.rescue.send(&record, budget.rescue_by).await else {
            line.count(Metric::Rescued);
            return not_now(NotRefreshed::Rescued, 60);
        };
        tracing::error!(error = &error as &dyn std::error::Error, "the rescue queue did not accept the pair");
        // A save whose reply was lost may have succeeded.
        let soon = budget.revoke_by.min(Instant::now() + Duration::from_millis(LOOK_LIMIT_MS));
        let row = self.store.read_installation(&id, soon).await;
        if !row.is_ok_and(|row| row.is_some_and(|row| row.has_access_token(&access_fingerprint))) {
            self.give_back(give_back, budget.revoke_by, line).await;
        }
        not_now(NotRefreshed::Store, 60)
    }

    /// On `invalid_grant`: `adopt_winner` if the row has moved on, `wait_for_lease` if another process holds one, and
    /// only then `promote_superseded` or `mark_needs_reinstall`.
    async fn adopt_or_mark(
        &self,
        attempt: Attempt<'_>,
        may_have_a_successor: bool,
        line: &mut RequestLine,
    ) -> RefreshOutcome {
        let (id, holder, deadline) = (&attempt.row.id, &attempt.lease.holder, attempt.budget.save_by);
        loop {
            let standing = match self.store.read_installation(id, deadline).await {
                Ok(standing) => standing,
                Err(error) => {
                    report_store(&error);
                    return not_now(NotRefreshed::Store, 5);
                }
            };
            let Some(standing) = standing.filter(|row| row.health != Health::Removed) else {
                // The removal waits for our lease.
                let now = self.clock.now_millis();
                let _lapses = self.store.release_lease(id, holder, false, now, deadline).await;
                return RefreshOutcome::Removed;
            };
            if standing.refresh_fingerprint() != Some(attempt.used) {
                // Our lease moved with the pair that it was taken for.
                let is_it = |pair: &SealedPair| pair.refresh_fingerprint.as_ref() == Some(attempt.used);
                if !standing.superseded.iter().any(is_it) {
                    return RefreshOutcome::LookAgain(Some(Box::new(standing)));
                }
                match self.store.drop_refused(&standing, attempt.used, deadline).await {
                    Ok(Some(row)) => {
                        if may_have_a_successor {
                            report_orphaned(attempt.pair, LOST_ANSWER, line);
                        }
                        return RefreshOutcome::LookAgain(Some(row));
                    }
                    Ok(None) => continue,
                    Err(error) => {
                        report_store(&error);
                        return not_now(NotRefreshed::Store, 5);
                    }
                }
            }
            if standing.health == Health::NeedsReinstall {
                return RefreshOutcome::NeedsReinstall;
            }
            if standing.lease().is_some_and(|lease| lease.holder != *holder) {
                return RefreshOutcome::LookAgain(Some(Box::new(standing)));
            }
            match self.handle_dead_pair(&standing, attempt.pair, holder, deadline, line).await {
                Ok(DeadPairOutcome::Marked) => return RefreshOutcome::NeedsReinstall,
                Ok(DeadPairOutcome::Promoted(row)) => {
                    if may_have_a_successor {
                        // No row will say `needs_reinstall` for it.
                        report_orphaned(attempt.pair, LOST_ANSWER, line);
                    }
                    return RefreshOutcome::LookAgain(Some(row));
                }
                Ok(DeadPairOutcome::Changed) => {}
                Err(error) => {
                    report_store(&error);
                    return not_now(NotRefreshed::Store, 5);
                }
            }
        }
    }

    /// `release_lease`: nothing is known about the grant. The row stays as it is, and nobody asks again immediately. If
    /// the refresh token may have been consumed, the pair is in doubt.
    async fn release(
        &self,
        attempt: Attempt<'_>,
        in_doubt: Option<InDoubt>,
        why: NotRefreshed,
        line: &mut RequestLine,
    ) -> RefreshOutcome {
        let mut retry_after = Duration::from_mins(1);
        line.count(Metric::RefreshFailed);
        line.note("refresh", why.key());
        if let NotRefreshed::Undecided(error) = &why {
            retry_after = come_back_after(error, self.wait_before_retry(error));
            let answer = error.answer();
            line.note("notion_status", answer.map(|answer| answer.status.as_u16()));
            line.note("notion_request_id", answer.and_then(|answer| answer.request_id.as_deref()));
            tracing::warn!(alarm = error.key(), error = error as &dyn std::error::Error, "a refresh failed");
        }
        let refresh_after = self.clock.now_millis().plus(retry_after);
        let (id, holder, deadline) = (&attempt.row.id, &attempt.lease.holder, attempt.budget.save_by);
        let released = self.store.release_lease(id, holder, in_doubt.is_some(), refresh_after, deadline);
        if let Err(error) = released.await {
            report_store(&error);
        }
        RefreshOutcome::TryLater(why, retry_after)
    }
}

/// The refresh token was sent, and may have been consumed.
struct InDoubt;

fn not_now(why: NotRefreshed, retry_after_secs: u64) -> RefreshOutcome {
    RefreshOutcome::TryLater(why, Duration::from_secs(retry_after_secs))
}
