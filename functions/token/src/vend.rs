//! From a row to a live token: as stored, after a check, or after a refresh. Waits while another process refreshes.

use std::time::Duration;

use shared::random;
use shared::secret::AccessToken;
use shared::telemetry::RequestLine;
use tokio::time::Instant;
use vault::budget::{Budget, OutOfTime, until};
use vault::installation::{InstallationId, SealedPair};
use vault::notion::TokenError;
use vault::protocol::{Cause, DeadPairOutcome, Look, NotRefreshed, RefreshOutcome};
use vault::seal::Fingerprint;
use vault::store::{Health, Installation, StoreError};
use vault::subject::Subject;
use vault::whose::{Found, Whose};
use vault::{InHand, report_broken_seal, report_store};

use crate::Token;
use crate::no_token::NoToken;
use crate::want::Want;

/// A refresh takes a few hundred milliseconds. A thousand callers must not read the row all the time.
const FIRST_WAIT_MS: u64 = 200;
const MAX_WAIT_MS: u64 = 1600;
/// When to ask again if a refresh was cut off, which only the sweep can resolve.
const SWEEP_INTERVAL: Duration = Duration::from_mins(5);
const SOON: Duration = Duration::from_secs(5);
/// How long after a report led to a new token the next report is checked with Notion before another refresh, in
/// milliseconds.
const SERIES_MS: u64 = 600_000;
/// How long Notion's answer that a token is alive is used for further reports, in milliseconds.
const GOOD_FOR_MS: u64 = 30_000;

/// A live token.
pub(crate) struct Live {
    pub(crate) token: AccessToken,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) version: u64,
    pub(crate) generation: u64,
    /// When it expires, if Notion said so.
    pub(crate) expires_at_ms: Option<u64>,
}

/// What to do after one look at the row.
enum Step {
    Done(Live),
    /// Start again, because the row has changed. Holds the new row if it was read.
    Again(Option<Box<Installation>>),
    /// Another process is refreshing.
    Wait,
}

impl Token {
    /// Finds the installation whose token is asked for.
    pub(crate) async fn find(&self, whose: &Whose, budget: &Budget) -> Result<InstallationId, NoToken> {
        match self.vault.store.find(whose, budget.claim_by).await {
            Ok(Found::One(id)) => Ok(id),
            Ok(Found::Nothing) => Err(NoToken::NotInstalled),
            Ok(Found::Several(rows)) => Err(NoToken::Ambiguous(rows)),
            Err(error) => Err(store_failed(&error)),
        }
    }

    /// `subject`: only if the installation is linked to it.
    pub(crate) async fn vend(
        &self,
        id: &InstallationId,
        subject: Option<&Subject>,
        want: &Want,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Live, NoToken> {
        let mut seen = None;
        let mut wait_ms = FIRST_WAIT_MS;
        loop {
            let row = match seen.take() {
                Some(row) => row,
                None => match self.vault.store.read_installation(id, budget.save_by).await {
                    Ok(row) => Box::new(row.ok_or(NoToken::NotInstalled)?),
                    Err(error) => return Err(store_failed(&error)),
                },
            };
            if subject.is_some_and(|subject| !row.subjects.contains(subject)) {
                return Err(NoToken::NotInstalled);
            }
            match Box::pin(self.step(&row, want, in_hand, budget, line)).await? {
                Step::Done(vended) => return Ok(vended),
                Step::Again(row) => seen = row,
                Step::Wait => {
                    line.note("waited", true);
                    let pause = random::jittered(wait_ms, &*self.vault.random);
                    until(budget.save_by, tokio::time::sleep(pause)).await.map_err(still_refreshing)?;
                    wait_ms = (wait_ms * 2).min(MAX_WAIT_MS);
                }
            }
            if Instant::now() >= budget.save_by {
                return Err(still_refreshing(OutOfTime));
            }
        }
    }

    async fn step(
        &self,
        row: &Installation,
        want: &Want,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Step, NoToken> {
        if row.is_unclaimed() {
            return Err(NoToken::Unclaimed);
        }
        match row.health {
            Health::Removed => return Err(NoToken::Removed),
            Health::NeedsReinstall => return Err(NoToken::NeedsReinstall),
            Health::Active | Health::Unverified => {}
        }
        if row.client_id != self.vault.connection.client_id {
            tracing::error!(
                alarm = "other_connection",
                installation = row.id.as_str(),
                "the row is another connection's"
            );
            return Err(NoToken::NeedsReinstall);
        }
        let Some(pair) = &row.pair else { return Err(NoToken::NeedsReinstall) };
        let now = self.vault.clock.now_millis();
        let is_usable = row.health == Health::Active && want.is_met_by(row, pair);
        if is_usable && !pair.is_about_to_expire(now) {
            return self.open(row, pair, in_hand).await.map(Step::Done);
        }
        // Such a token may be vended until it expires, as long as no request was sent that may have replaced it.
        let still_vendable = is_usable && !pair.has_expired(now) && !pair.is_unsettled();
        if row.refresh_after_ms > now.0 {
            if still_vendable {
                return self.open(row, pair, in_hand).await.map(Step::Done);
            }
            let retry_after = Duration::from_millis(row.refresh_after_ms - now.0);
            return Err(NoToken::TryLater { reason: "waits", retry_after });
        }
        if let Some(lease) = row.lease() {
            if lease.until_ms <= now.0 {
                // The new pair may be in the rescue queue, which only the sweep reads.
                return Err(NoToken::TryLater { reason: "cut_off", retry_after: SWEEP_INTERVAL });
            }
            return Ok(Step::Wait);
        }
        if let Want::OtherThan(refused) = want
            && pair.access_fingerprint == *refused
            && !pair.has_expired(now)
            && row.found_alive_at_ms.is_some_and(|at_ms| now.0 < at_ms.saturating_add(GOOD_FOR_MS))
        {
            return Err(NoToken::RefusedButAlive(refused.clone()));
        }
        if Instant::now() >= budget.claim_by {
            // Waited too long to start anything: a refresh needs its full time.
            return Err(still_refreshing(OutOfTime));
        }
        let must_introspect = (row.health == Health::Unverified && !pair.in_doubt) || pair.refresh.is_none();
        if must_introspect && let Some(step) = self.look(row, pair, want, in_hand, budget, line).await? {
            return Ok(step);
        }
        let cause = match want {
            Want::OtherThan(refused) if pair.access_fingerprint == *refused => Cause::Refused {
                ask_first: row.refused_at_ms.is_some_and(|at_ms| now.0 < at_ms.saturating_add(SERIES_MS)),
            },
            // Also if an older token was reported and this one is about to expire.
            _ => Cause::Asked,
        };
        match Box::pin(self.vault.refresh(row, cause, in_hand, budget, line)).await {
            RefreshOutcome::Renewed(row, token) => {
                let new = row.pair.as_ref().unwrap_or(pair);
                Ok(Step::Done(Live {
                    token,
                    fingerprint: new.access_fingerprint.clone(),
                    version: row.version,
                    generation: row.generation,
                    expires_at_ms: new.expires_at_ms,
                }))
            }
            RefreshOutcome::StillAlive(row) => {
                let alive = row.pair.as_ref().unwrap_or(pair);
                Err(NoToken::RefusedButAlive(alive.access_fingerprint.clone()))
            }
            RefreshOutcome::LookAgain(seen) => Ok(Step::Again(seen)),
            RefreshOutcome::NeedsReinstall => Err(NoToken::NeedsReinstall),
            RefreshOutcome::Removed => Err(NoToken::Removed),
            // Before the token expires, it can still be vended, unless the refresh may have replaced it.
            RefreshOutcome::TryLater(NotRefreshed::Undecided(error), _)
                if still_vendable && !matches!(error, TokenError::OutcomeUnknown(_)) =>
            {
                self.open(row, pair, in_hand).await.map(Step::Done)
            }
            RefreshOutcome::TryLater(why, retry_after) => {
                Err(NoToken::TryLater { reason: why.key(), retry_after })
            }
        }
    }

    /// Asks Notion about the access token. `None` if only a refresh can tell.
    async fn look(
        &self,
        row: &Installation,
        pair: &SealedPair,
        want: &Want,
        in_hand: &InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Option<Step>, NoToken> {
        match self.vault.look_at(&row.id, pair, in_hand, budget.exchange_by, line).await {
            Look::Alive => return self.verified(row, pair, want, in_hand, budget).await.map(Some),
            Look::Dead => {}
            Look::Unknown(_) => return Err(NoToken::TryLater { reason: "unverified", retry_after: SOON }),
            Look::Sealed => return Err(broken_seal()),
        }
        if pair.refresh.is_some() {
            return Ok(None);
        }
        let nobody = random::attempt(&*self.vault.random);
        let condemned = self.vault.handle_dead_pair(row, pair, &nobody, budget.save_by, line).await;
        match condemned.map_err(|error| store_failed(&error))? {
            DeadPairOutcome::Marked => Err(NoToken::NeedsReinstall),
            DeadPairOutcome::Promoted(row) => Ok(Some(Step::Again(Some(row)))),
            DeadPairOutcome::Changed => Ok(Some(Step::Again(None))),
        }
    }

    /// Notion says that the token is alive.
    async fn verified(
        &self,
        row: &Installation,
        pair: &SealedPair,
        want: &Want,
        in_hand: &InHand,
        budget: &Budget,
    ) -> Result<Step, NoToken> {
        let now = self.vault.clock.now_millis();
        let due_at = self.vault.next_look(now);
        let marked =
            self.vault.store.mark_verified(&row.id, &pair.access_fingerprint, now, due_at, budget.save_by);
        let Some(row) = marked.await.map_err(|error| store_failed(&error))? else {
            return Ok(Step::Again(None));
        };
        if want.is_met_by(&row, pair) {
            return self.open(&row, pair, in_hand).await.map(Step::Done);
        }
        if pair.refresh.is_none() {
            // There is no other token.
            return match want {
                Want::OtherThan(refused) => Err(NoToken::RefusedButAlive(refused.clone())),
                _ => self.open(&row, pair, in_hand).await.map(Step::Done),
            };
        }
        Ok(Step::Again(Some(row)))
    }

    async fn open(&self, row: &Installation, pair: &SealedPair, in_hand: &InHand) -> Result<Live, NoToken> {
        match self.vault.open_access(&row.id, &pair.access, &in_hand.key_ring.value).await {
            Ok(token) => Ok(Live {
                token,
                fingerprint: pair.access_fingerprint.clone(),
                version: row.version,
                generation: row.generation,
                expires_at_ms: pair.expires_at_ms,
            }),
            Err(error) => {
                report_broken_seal(&row.id, error);
                Err(broken_seal())
            }
        }
    }
}

fn broken_seal() -> NoToken {
    NoToken::TryLater { reason: "broken_seal", retry_after: Duration::from_mins(1) }
}

fn still_refreshing(_: OutOfTime) -> NoToken {
    NoToken::TryLater { reason: "refreshing", retry_after: SOON }
}

fn store_failed(error: &StoreError) -> NoToken {
    report_store(error);
    NoToken::TryLater { reason: "store", retry_after: SOON }
}
