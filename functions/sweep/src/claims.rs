//! Claims that were cut off during the exchange: any grant that Notion issued for the code is lost, and an alarm must
//! say so.

use shared::clock::UnixSeconds;
use shared::flow::ClaimKey;
use shared::pages::Notice;
use shared::telemetry::Metric;
use vault::store::{Outcome, StoreError};

use crate::Sweep;
use crate::run::{Run, guarded};

/// After this time, a claim without an outcome was cut off, in seconds: the function's time limit (25) plus clock
/// skew.
const CUT_OFF_AFTER_SECS: u64 = 60;

impl Sweep {
    pub(crate) async fn settle_claims(&self, run: &mut Run<'_>) {
        // A claim's tokens may be in the rescue queue. What counts is its content at the look, not its content now.
        let Some(looked_at) = run.waiting.as_ref().map(|waiting| waiting.looked_at) else { return };
        let claimed_before = UnixSeconds(looked_at.seconds().0.saturating_sub(CUT_OFF_AFTER_SECS));
        for shard in self.shards() {
            let mut after = None;
            loop {
                if run.is_over() {
                    return;
                }
                let page = self.vault.store.exchanging(shard, claimed_before, after, run.ends_at).await;
                let page = match page {
                    Ok(page) => page,
                    Err(error) => return run.failed(&error),
                };
                for key in &page.keys {
                    let key = ClaimKey::of_row(key);
                    if run.waiting.as_ref().is_some_and(|waiting| waiting.has_claim(&key)) {
                        continue;
                    }
                    let settled = guarded(Box::pin(self.settle(&key, run))).await;
                    run.record_result(settled);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    async fn settle(&self, key: &ClaimKey, run: &mut Run<'_>) -> Result<(), StoreError> {
        let store = &self.vault.store;
        // `UnixSeconds(0)` also returns a claim that has expired but is not deleted yet.
        let standing = store.read_claim(key, UnixSeconds(0), run.ends_at).await?;
        let Some(claim) = standing.filter(|claim| claim.outcome == Outcome::Exchanging) else {
            return Ok(());
        };
        if !store.settle(key, &claim.attempt, Notice::OutcomeUnknown, run.ends_at).await? {
            // It has an outcome by now.
            return Ok(());
        }
        run.line.count(Metric::StuckClaim);
        tracing::error!(
            alarm = "stuck_claim",
            flow = key.flow_id().as_str(),
            claimed_at = claim.claimed_at.0,
            "an exchange was cut off: Notion may have issued tokens that are lost"
        );
        Ok(())
    }
}
