//! The rescue queue: what the table did not take is saved under the same conditions as then.

use shared::clock::{UnixMillis, UnixSeconds};
use shared::flow::ClaimKey;
use shared::installation::{InstallationId, NewInstallation, SealedPair};
use shared::notion::RevokeError;
use shared::pages::Notice;
use shared::store::{Outcome, Received, Refreshed, Rescued, Saved, SavedRefresh, StoreError};
use shared::telemetry::Metric;
use shared::vault::report_broken_seal;

use crate::{Run, Sweep};

/// Why a record stays in the queue.
enum Stays {
    /// The table does not take it: it will take none.
    Table(StoreError),
    /// Something else is wrong with it.
    Itself,
}

impl From<StoreError> for Stays {
    fn from(error: StoreError) -> Self {
        if error.is_of_the_row() { Self::Itself } else { Self::Table(error) }
    }
}

impl Sweep {
    /// Replays records until none is left. One that cannot be dealt with stays in the queue, and after a hundred times
    /// SQS puts it aside, which rings an alarm.
    pub(crate) async fn empty_rescue_queue(&self, run: &mut Run<'_>) {
        // While the table does not answer, receiving would only use up a record's chances.
        if let Err(error) = self.vault.store.answers(run.ends_at).await {
            return run.failed(&error);
        }
        let mut stayed = Vec::new();
        while !run.is_over() {
            let received = match self.vault.rescue.receive(run.ends_at).await {
                Ok(received) => received,
                Err(error) => {
                    run.line.count(Metric::SweepFailed);
                    let error = &error as &dyn std::error::Error;
                    return tracing::error!(alarm = "rescue_queue", error, "the rescue queue did not answer");
                }
            };
            if received.is_empty() {
                run.in_rescue = self.all_that_waits(stayed, run).await;
                return;
            }
            for record in &received {
                match Box::pin(self.replay_rescued(record, run)).await {
                    Ok(()) => {
                        if let Err(error) = self.vault.rescue.delete_rescued(record, run.ends_at).await {
                            // It comes again, and nothing will be left to do.
                            tracing::warn!(error = &error as &dyn std::error::Error, "a record stays");
                        }
                    }
                    Err(Stays::Itself) => {
                        run.line.count(Metric::SweepFailed);
                        tracing::error!(alarm = "rescue_record", "a record cannot be saved, and stays");
                        stayed.push(record.record.as_ref().map(|record| record.rescued.id().clone()));
                    }
                    Err(Stays::Table(error)) => return run.failed(&error),
                }
            }
        }
    }

    /// Whose records wait, if those that stayed are all there are: another receiver may hide some, and a reply with some may
    /// have been lost.
    async fn all_that_waits(
        &self,
        stayed: Vec<Option<InstallationId>>,
        run: &Run<'_>,
    ) -> Option<Vec<InstallationId>> {
        let waiting = self.vault.rescue.waiting(run.ends_at).await.ok()?;
        let all = u64::try_from(stayed.len()).is_ok_and(|stayed| stayed == waiting);
        all.then(|| stayed.into_iter().collect::<Option<Vec<_>>>()).flatten()
    }

    /// `replay_rescued`.
    async fn replay_rescued(&self, received: &Received, run: &mut Run<'_>) -> Result<(), Stays> {
        match received.record.as_ref().map(|record| &record.rescued) {
            None => Err(Stays::Itself),
            Some(Rescued::Install { claim, installation }) => self.install(claim, installation, run).await,
            Some(Rescued::Refresh { refreshed }) => self.refreshed(refreshed, run).await,
        }
    }

    async fn install(
        &self,
        claim: &str,
        installation: &NewInstallation,
        run: &mut Run<'_>,
    ) -> Result<(), Stays> {
        let (store, key, budget) = (&self.vault.store, ClaimKey::of_row(claim), run.budget());
        let standing = store.read_claim(&key, UnixSeconds(0), budget.claim_by).await?;
        if standing.is_some_and(|claim| claim.outcome == Outcome::Ended(Notice::NotSaved)) {
            // The queue's reply was lost, so the callback gave the grant back and told the person.
            return Ok(());
        }
        let connected = installation.connected();
        let installation = &NewInstallation {
            // What an earlier version of ours put into the queue does not have it.
            forgotten_id: run.in_hand.key_ring.value.forgotten_id(installation.id.as_str()),
            ..installation.clone()
        };
        match store.save(installation, &key, &connected, budget.save_by, &*self.vault.random).await? {
            Saved::Current | Saved::Beside => run.line.count(Metric::Recovered),
            Saved::TombstoneWins => self.give_back(&installation.id, &installation.pair, run).await?,
        }
        Ok(())
    }

    async fn refreshed(&self, refreshed: &Refreshed, run: &mut Run<'_>) -> Result<(), Stays> {
        // Looked at in this very run: it may have been given back when the queue's reply was lost.
        let due_at = UnixMillis(0);
        let store = &self.vault.store;
        let saving =
            store.save_refreshed(refreshed, false, due_at, run.budget().save_by, &*self.vault.random);
        match saving.await? {
            SavedRefresh::Current(_) | SavedRefresh::KeptAside => run.line.count(Metric::Recovered),
            SavedRefresh::TombstoneWins => self.give_back(&refreshed.id, &refreshed.pair, run).await?,
        }
        Ok(())
    }

    /// The installation was removed meanwhile.
    async fn give_back(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Result<(), Stays> {
        let opened = self.vault.open_access(id, &pair.access, &run.in_hand.key_ring.value).await;
        let token = opened.map_err(|error| {
            report_broken_seal(id, error);
            Stays::Itself
        })?;
        self.vault.revoke(&token, &run.in_hand.client_secret, run.budget().revoke_by).await.map_err(
            |RevokeError(error)| {
                run.undecided(&error);
                Stays::Itself
            },
        )?;
        run.line.count(Metric::Revoked);
        Ok(())
    }
}
