//! Installations that are due: cut off, to be revoked, unverified, or idle.

use shared::clock::UnixMillis;
use shared::random;
use shared::telemetry::Metric;
use vault::installation::{InstallationId, SealedPair};
use vault::notion::TokenError;
use vault::protocol::{Cause, Look, NotRefreshed, RefreshOutcome, Removal};
use vault::store::{Health, Installation, StoreError};

use crate::Sweep;
use crate::run::{Run, guarded};

/// When to retry a row that could not be processed, in milliseconds: after all rows that are waiting now, and within
/// the hour that the alarm for postponed rows evaluates.
const POISON_MS: u64 = 3_000_000;
/// When to look again at a tombstone whose installation is still being refreshed, in milliseconds.
const IN_FLIGHT_MS: u64 = 60_000;
/// After how many failures of the table in a row the run stops.
const TABLE_IS_DOWN_AFTER: u32 = 3;

impl Sweep {
    pub(crate) async fn process_due_installations(&self, run: &mut Run<'_>) {
        let now = self.vault.clock.now_millis();
        let mut failures = 0;
        for shard in self.shards() {
            let mut after = None;
            loop {
                if !run.may_ask() {
                    return;
                }
                let page = match self.vault.store.due(shard, now, after, run.ends_at).await {
                    Ok(page) => page,
                    Err(error) => return run.failed(&error),
                };
                for id in &page.keys {
                    if !run.may_ask() || failures == TABLE_IS_DOWN_AFTER {
                        return;
                    }
                    match guarded(Box::pin(self.process_row(id, run))).await {
                        Some(Ok(())) => failures = 0,
                        None => {
                            run.panicked();
                            let _stays = self.put_off(id, run).await;
                        }
                        Some(Err(error)) => {
                            run.failed(&error);
                            if error.is_of_the_row() {
                                // A row that cannot be read must not block the rows behind it forever.
                                let later = self.later(POISON_MS);
                                let _stays = self.vault.store.reschedule(id, later, run.ends_at).await;
                            } else {
                                failures += 1;
                            }
                        }
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    async fn process_row(&self, id: &InstallationId, run: &mut Run<'_>) -> Result<(), StoreError> {
        let vault = &self.vault;
        let now = vault.clock.now_millis();
        let Some(row) = vault.store.read_installation(id, run.ends_at).await? else { return Ok(()) };
        if row.due_at_ms.is_none_or(|due_at_ms| due_at_ms > now.0) {
            // The index was out of date.
            return Ok(());
        }
        if row.health == Health::Removed {
            return self.go_on_removing(&row, run).await;
        }
        if row.client_id != vault.connection.client_id {
            // The row is another connection's. Notion would not tell us anything about its tokens.
            return vault.store.reschedule_as_read(&row, vault.next_look(now), run.ends_at).await;
        }
        if row.is_unclaimed() && row.claim_by_ms.is_some_and(|claim_by_ms| claim_by_ms <= now.0) {
            return self.give_back_unclaimed(&row, run).await;
        }
        if let Some(lease) = row.lease() {
            let takeover = run.takeover(&row.id).filter(|ended_before| lease.until_ms < ended_before.0);
            if takeover.is_some() && row.health != Health::NeedsReinstall {
                return self.refresh(&row, run).await;
            }
            // Another process holds the lease, or its new pair may still be in the rescue queue.
            return Ok(());
        }
        let Some(row) = self.check_superseded(row, run).await? else { return Ok(()) };
        if row.is_unclaimed() {
            let claim_by = UnixMillis(row.claim_by_ms.unwrap_or(0));
            return vault.store.reschedule_as_read(&row, claim_by, run.ends_at).await;
        }
        match (&row.pair, row.health) {
            (Some(pair), Health::Active | Health::Unverified) => self.check_current(&row, pair, run).await,
            // A pair that it replaced may be alive.
            (Some(pair), Health::NeedsReinstall)
                if row.promotion_candidate(&vault.connection.client_id).is_some() =>
            {
                self.handle_dead_pair(&row, pair, run).await
            }
            _ if row.superseded.is_empty() => vault.store.clear_due(&row, run.ends_at).await,
            _ => vault.store.reschedule_as_read(&row, vault.next_look(now), run.ends_at).await,
        }
    }

    /// `give_back_unclaimed`: an app asked for it, and nobody has claimed it in time. If somebody claims or installs it
    /// at this very moment, one of the two writes is refused.
    async fn give_back_unclaimed(&self, row: &Installation, run: &mut Run<'_>) -> Result<(), StoreError> {
        let now = self.vault.clock.now_millis();
        match self.vault.store.tombstone_as_read(row, false, now, run.ends_at).await? {
            Some(tombstone) => {
                run.line.count(Metric::GivenBackUnclaimed);
                self.go_on_removing(&tombstone, run).await
            }
            None => Ok(()),
        }
    }

    /// Continues an uninstall that was cut off, or whose tokens could not be revoked yet.
    async fn go_on_removing(&self, row: &Installation, run: &mut Run<'_>) -> Result<(), StoreError> {
        if row.pairs().next().is_some() {
            self.keep_pace(run).await;
        }
        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
        match self.vault.finish_removal(row, &in_hand, &budget, run.line).await? {
            Removal::Complete => Ok(()),
            Removal::ToBeRevoked(None) if row.lease().is_some() => {
                let soon = self.later(IN_FLIGHT_MS);
                self.vault.store.reschedule(&row.id, soon, run.ends_at).await
            }
            Removal::ToBeRevoked(error) => {
                if let Some(error) = error {
                    run.undecided(&error);
                }
                run.line.count(Metric::SweepFailed);
                self.vault.store.reschedule(&row.id, self.later(POISON_MS), run.ends_at).await
            }
        }
    }

    async fn check_current(
        &self,
        row: &Installation,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Result<(), StoreError> {
        if !run.may_ask() {
            return Ok(());
        }
        let vault = &self.vault;
        let now = vault.clock.now_millis();
        if row.refresh_after_ms > now.0 {
            return vault.store.reschedule(&row.id, UnixMillis(row.refresh_after_ms), run.ends_at).await;
        }
        if pair.in_doubt && pair.refresh.is_some() {
            // A live access token does not show whether the refresh token has been consumed.
            return self.refresh(row, run).await;
        }
        self.keep_pace(run).await;
        let (in_hand, deadline) = (run.in_hand.clone(), run.budget().exchange_by);
        match vault.look_at(&row.id, pair, &in_hand, deadline, run.line).await {
            Look::Alive => {
                run.answered();
                let (fingerprint, due_at) = (&pair.access_fingerprint, vault.next_look(now));
                vault.store.mark_verified(&row.id, fingerprint, now, due_at, run.ends_at).await?;
                run.line.count(Metric::Verified);
                Ok(())
            }
            Look::Dead if pair.refresh.is_some() => self.refresh(row, run).await,
            Look::Dead => self.handle_dead_pair(row, pair, run).await,
            Look::Unknown(error) => {
                run.undecided(&error);
                self.put_off(&row.id, run).await
            }
            Look::Sealed => {
                run.line.count(Metric::SweepFailed);
                self.put_off(&row.id, run).await
            }
        }
    }

    /// Postpones a row behind all that are waiting now: if nothing can be learned about it, it must not block the
    /// others.
    async fn put_off(&self, id: &InstallationId, run: &Run<'_>) -> Result<(), StoreError> {
        // If Notion does not answer at all, no row loses its turn.
        if run.looks_left == 0 {
            return Ok(());
        }
        self.vault.store.reschedule(id, self.later(POISON_MS), run.ends_at).await
    }

    /// The access token is dead, or the last refresh was cut off. A refresh shows which.
    async fn refresh(&self, row: &Installation, run: &mut Run<'_>) -> Result<(), StoreError> {
        self.keep_pace(run).await;
        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
        let takeover = run.takeover(&row.id).unwrap_or(UnixMillis(0));
        let refreshing = self.vault.refresh(row, Cause::Swept { takeover }, &in_hand, &budget, run.line);
        match Box::pin(refreshing).await {
            RefreshOutcome::Renewed(..)
            | RefreshOutcome::StillAlive(_)
            | RefreshOutcome::NeedsReinstall
            | RefreshOutcome::Removed => run.answered(),
            RefreshOutcome::LookAgain(_)
            | RefreshOutcome::TryLater(NotRefreshed::Rescued | NotRefreshed::Store, _) => {}
            RefreshOutcome::TryLater(NotRefreshed::Undecided(error), _) if is_about_all(&error) => {
                run.undecided(&error);
            }
            // The lease was not taken, or the answer was unusable.
            RefreshOutcome::TryLater(..) => {
                run.line.count(Metric::SweepFailed);
                return self.put_off(&row.id, run).await;
            }
        }
        Ok(())
    }

    /// The current pair is dead.
    async fn handle_dead_pair(
        &self,
        row: &Installation,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Result<(), StoreError> {
        let nobody = random::attempt(&*self.vault.random);
        let condemning = self.vault.handle_dead_pair(row, pair, &nobody, run.ends_at, run.line);
        condemning.await.map(|_marked_promoted_or_changed| ())
    }

    fn later(&self, ms: u64) -> UnixMillis {
        UnixMillis(self.vault.clock.now_millis().0.saturating_add(ms))
    }
}

/// Whether Notion would answer the same for the next row.
fn is_about_all(error: &TokenError) -> bool {
    use TokenError::{Blocked, ComeBackLater, NotSent, OutcomeUnknown};
    matches!(error, ComeBackLater(_) | Blocked(_) | NotSent | OutcomeUnknown(_))
}
