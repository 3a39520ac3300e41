//! After a key rotation: re-encrypts what older keys sealed, so that those keys can be retired.

use shared::telemetry::Metric;
use vault::installation::{InstallationId, SealedPair};
use vault::report_broken_seal;
use vault::seal::OpenError;
use vault::store::StoreError;

use crate::Sweep;
use crate::run::{Run, guarded};

/// How many installations one run re-encrypts. Each takes a read and a write of the table, and no question to Notion.
const MAX_REWRAPS: u32 = 1000;

impl Sweep {
    pub(crate) async fn rewrap_seals(&self, run: &mut Run<'_>) {
        let mut left = MAX_REWRAPS;
        for version in run.in_hand.key_ring.value.replaced() {
            for shard in self.shards() {
                let mut after = None;
                loop {
                    let page = self.vault.store.sealed_with(version, shard, after, run.ends_at).await;
                    let page = match page {
                        Ok(page) => page,
                        Err(error) => return run.failed(&error),
                    };
                    for id in &page.keys {
                        if left == 0 || run.is_over() {
                            return;
                        }
                        left -= 1;
                        let rewrapped = guarded(Box::pin(self.rewrap(id, run))).await;
                        run.record_result(rewrapped);
                    }
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
    }

    async fn rewrap(&self, id: &InstallationId, run: &mut Run<'_>) -> Result<(), StoreError> {
        let (vault, ring) = (&self.vault, &run.in_hand.key_ring.value);
        let Some(row) = vault.store.read_installation(id, run.ends_at).await? else { return Ok(()) };
        let anew = |pair: &SealedPair| pair.rewrap(id.as_str(), ring, &*vault.random);
        let pair = row.pair.as_ref().map(anew).transpose();
        let superseded = row.superseded.iter().map(anew).collect::<Result<Vec<_>, _>>();
        let (pair, superseded) = match (pair, superseded) {
            (Ok(pair), Ok(superseded)) => (pair, superseded),
            (Err(OpenError::Broken), _) | (_, Err(OpenError::Broken)) => {
                report_broken_seal(id, OpenError::Broken);
                return vault.store.set_aside_broken(&row, run.ends_at).await;
            }
            // Sealed with a key that is newer than this run's ring.
            _ => return Ok(()),
        };
        let sealed_anew = vault.store.replace_pairs(&row, pair.as_ref(), &superseded, None, run.ends_at);
        if sealed_anew.await?.is_some() {
            run.line.count(Metric::Rewrapped);
        }
        Ok(())
    }
}
