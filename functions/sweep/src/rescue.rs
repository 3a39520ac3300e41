//! The rescue queue: saves what the table did not accept, under the same conditions as the original save.

use shared::clock::{UnixMillis, UnixSeconds};
use shared::flow::ClaimKey;
use shared::pages::Notice;
use shared::telemetry::Metric;
use vault::installation::{InstallationId, NewInstallation, SealedPair};
use vault::store::{
    Outcome, Received, Refreshed, RescueError, Rescued, Save, Saved, SavedRefresh, StoreError, Whose,
};

use crate::Sweep;
use crate::run::{Run, Waiting, guarded};

/// Why a record stays in the queue.
enum NotReplayed {
    /// The table does not accept it, and will not accept the others either.
    TableFailed(StoreError),
    /// The record itself cannot be processed.
    BadRecord,
}

impl From<StoreError> for NotReplayed {
    fn from(error: StoreError) -> Self {
        if error.is_of_the_row() { Self::BadRecord } else { Self::TableFailed(error) }
    }
}

impl Sweep {
    /// Replays records until the queue is empty. A record that cannot be processed stays in the queue. After it was
    /// received a hundred times, SQS moves it to the dead letters, and an alarm fires.
    pub(crate) async fn empty_rescue_queue(&self, run: &mut Run<'_>) {
        // While the table does not answer, receiving would only count against each record.
        if let Err(error) = self.vault.store.answers(run.ends_at).await {
            return run.failed(&error);
        }
        let mut stayed = Vec::new();
        while !run.is_over() {
            let looked_at = self.vault.clock.now_millis();
            let received = match self.vault.rescue.receive(run.ends_at).await {
                Ok(received) => received,
                Err(error) => return queue_failed(&error, run),
            };
            if received.is_empty() {
                run.waiting = match self.look_into_queue(looked_at, stayed, run).await {
                    Ok(waiting) => waiting,
                    Err(error) => return queue_failed(&error, run),
                };
                return;
            }
            for record in &received {
                let replaying = guarded(Box::pin(self.replay_rescued(record, run)));
                match replaying.await.unwrap_or(Err(NotReplayed::BadRecord)) {
                    Ok(()) => {
                        if let Err(error) = self.vault.rescue.delete_rescued(record, run.ends_at).await {
                            // It is received again, and then there is nothing left to do.
                            tracing::warn!(error = &error as &dyn std::error::Error, "a record stays");
                        }
                    }
                    Err(NotReplayed::BadRecord) => {
                        run.line.count(Metric::SweepFailed);
                        tracing::error!(alarm = "rescue_record", "a record cannot be saved, and stays");
                        stayed.push(record.whose.clone());
                    }
                    Err(NotReplayed::TableFailed(error)) => return run.failed(&error),
                }
            }
        }
    }

    /// `look_into_queue`: whose records are waiting, dead letters included. `None` if that is not known: another
    /// receiver may hide some records, a reply with records may have been lost, or a record may not even say whose it
    /// is.
    async fn look_into_queue(
        &self,
        looked_at: UnixMillis,
        stayed: Vec<Option<Whose>>,
        run: &Run<'_>,
    ) -> Result<Option<Waiting>, RescueError> {
        let waiting = self.vault.rescue.waiting(run.ends_at).await?;
        if u64::try_from(stayed.len()) != Ok(waiting) {
            return Ok(None);
        }
        let Some(dead_letters) = self.dead_letters.look(run.ends_at).await? else { return Ok(None) };
        let dead_letters = dead_letters.into_iter().map(|received| received.whose);
        let whose = stayed.into_iter().chain(dead_letters).collect::<Option<Vec<_>>>();
        Ok(whose.map(|whose| Waiting { looked_at, whose }))
    }

    /// `replay_rescued`.
    async fn replay_rescued(&self, received: &Received, run: &mut Run<'_>) -> Result<(), NotReplayed> {
        match received.record.as_ref().map(|record| &record.rescued) {
            None => Err(NotReplayed::BadRecord),
            Some(Rescued::Install { claim, installation }) => self.install(claim, installation, run).await,
            Some(Rescued::Refresh { refreshed }) => self.refreshed(refreshed, run).await,
        }
    }

    async fn install(
        &self,
        claim: &str,
        installation: &NewInstallation,
        run: &mut Run<'_>,
    ) -> Result<(), NotReplayed> {
        let (store, key, budget) = (&self.vault.store, ClaimKey::of_row(claim), run.budget());
        let standing = store.read_claim(&key, UnixSeconds(0), budget.claim_by).await?;
        if standing.is_some_and(|claim| claim.outcome == Outcome::Ended(Notice::NotSaved)) {
            // The queue's reply was lost, so the callback told the person and revoked the grant, unless it was cut
            // off before that.
            return self.give_back(&installation.id, &installation.pair, run).await;
        }
        let installation = &NewInstallation {
            // A record from an earlier version does not have it.
            forgotten_id: run.in_hand.key_ring.value.forgotten_id(installation.id.as_str()),
            ..installation.clone()
        };
        let led = self.vault.led(&key, installation, &run.in_hand.key_ring.value);
        // The grant may have been revoked although no claim says so. So the row is `unverified` and checked in this
        // run.
        let save = Save { install: installation, claim: &key, led: &led, terms: self.vault.terms(false) };
        match store.save(&save, budget.save_by, &*self.vault.random).await? {
            Saved::Current | Saved::KeptAside => run.line.count(Metric::Recovered),
            Saved::TombstoneWins => self.give_back(&installation.id, &installation.pair, run).await?,
        }
        Ok(())
    }

    async fn refreshed(&self, refreshed: &Refreshed, run: &mut Run<'_>) -> Result<(), NotReplayed> {
        // Due in this run: the pair may have been revoked when the queue's reply was lost.
        let due_at = UnixMillis(0);
        let store = &self.vault.store;
        let saving =
            store.save_refreshed(refreshed, false, due_at, run.budget().save_by, &*self.vault.random);
        match saving.await? {
            SavedRefresh::Current(_) | SavedRefresh::KeptAside => run.line.count(Metric::Recovered),
            SavedRefresh::TombstoneWins => {
                self.give_back(&refreshed.id, &refreshed.pair, run).await?;
                // The tombstone need not wait for it any longer.
                let (now, used) = (self.vault.clock.now_millis(), &refreshed.used);
                store.settle_tombstone(&refreshed.id, used, now, run.ends_at).await?;
            }
        }
        Ok(())
    }

    /// The installation has been removed. A token that a later install uses again is not revoked.
    async fn give_back(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Result<(), NotReplayed> {
        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
        let standing = self.vault.store.read_installation(id, budget.claim_by).await?;
        if standing.is_some_and(|row| row.is_using_access_token(&pair.access_fingerprint)) {
            return Ok(());
        }
        let returning = self.vault.revoke_rescued_pair(id, pair, &in_hand, &budget, run.line);
        Box::pin(returning).await.map_err(|error| {
            if let Some(error) = &error {
                run.undecided(error);
            }
            NotReplayed::BadRecord
        })
    }
}

fn queue_failed(error: &RescueError, run: &mut Run<'_>) {
    run.line.count(Metric::SweepFailed);
    let error = error as &dyn std::error::Error;
    tracing::error!(alarm = "rescue_queue", error, "the rescue queue did not answer");
}
