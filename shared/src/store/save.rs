//! Saving an installation and telling its flow, in one transaction.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use tokio::time::Instant;

use super::installations::{
    self, Decision, MAX_SUPERSEDED, OF_THE_PAIR_BEFORE, PLAINLY_OLDER, REFRESH_TOKEN_IS_NEW,
};
use super::item::{Row, number, string};
use super::row::pair_attribute;
use super::{IN_PASSING, Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::flow::ClaimKey;
use crate::installation::NewInstallation;
use crate::pages::Connected;
use crate::random::{self, Random};

const FIRST_BACKOFF_MS: u64 = 25;
const MAX_BACKOFF_MS: u64 = 1000;

/// What became of a new installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Its pair is the row's current one.
    Current,
    /// A newer install had been saved before; this one's pair is kept beside it.
    Beside,
    /// Somebody removed the installation after the exchange: nothing was written, the grant must go back.
    TombstoneWins,
}

enum Plan {
    /// Write without having seen the row.
    Blind,
    /// Write what was decided on the row that stands.
    Decided(Decision),
}

enum Refused {
    /// By the row, which stands as given.
    ByRow(Row),
    /// By the row's absence: it was there when we decided.
    RowGone,
    /// The person was forgotten after the exchange.
    ByForgotten,
    /// By the claim: it is settled, or gone.
    ByClaim,
    /// For now.
    TryAgain(StoreError),
    /// For good.
    Failed(StoreError),
}

impl Store {
    /// Saves an installation and, in the same transaction, the outcome of its flow.
    ///
    /// One trip where there is no row or a plainly older one. Tries until `deadline`; every write recognises its
    /// own lost success by the attempt.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it is saved is not known then.
    pub async fn save(
        &self,
        install: &NewInstallation,
        claim: &ClaimKey,
        connected: &Connected,
        deadline: Instant,
        random: &dyn Random,
    ) -> Result<Saved, StoreError> {
        let mut last = None;
        until(deadline, Box::pin(self.try_to_save(install, claim, connected, random, &mut last)))
            .await
            .unwrap_or_else(|out_of_time| Err(last.unwrap_or(StoreError::OutOfTime(out_of_time))))
    }

    async fn try_to_save(
        &self,
        install: &NewInstallation,
        claim: &ClaimKey,
        connected: &Connected,
        random: &dyn Random,
        last: &mut Option<StoreError>,
    ) -> Result<Saved, StoreError> {
        let mut plan = Plan::Blind;
        let mut tell_claim = true;
        let mut backoff_ms = FIRST_BACKOFF_MS;
        loop {
            let (write, saved) = match &plan {
                Plan::Blind => (self.blind_write(install)?, Saved::Current),
                Plan::Decided(Decision::AlreadyWritten) => return Ok(Saved::Current),
                Plan::Decided(Decision::TombstoneWins) => return Ok(Saved::TombstoneWins),
                Plan::Decided(Decision::Write { row, if_version, current, .. }) => {
                    let saved = if *current { Saved::Current } else { Saved::Beside };
                    (self.decided_write(row, *if_version)?, saved)
                }
            };
            let tell = self.connected_update(claim, &install.attempt, connected)?;
            let tell = tell_claim.then(|| TransactWriteItem::builder().update(tell).build());
            match self.transact(write, self.not_forgotten(install)?, tell).await {
                Ok(()) => {
                    if let Plan::Decided(Decision::Write { dropped_bots, .. }) = &plan {
                        for bot_id in dropped_bots {
                            report_dropped(bot_id);
                        }
                    }
                    return Ok(saved);
                }
                Err(Refused::ByRow(standing)) => {
                    plan = Plan::Decided(installations::decide(&standing, install)?);
                    continue;
                }
                Err(Refused::ByForgotten) => return Ok(Saved::TombstoneWins),
                Err(Refused::RowGone) => {
                    plan = Plan::Blind;
                    *last = Some(StoreError::Failed("the row went away".to_owned()));
                }
                // The tokens matter more than the page: save them all the same.
                Err(Refused::ByClaim) => {
                    tell_claim = false;
                    continue;
                }
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::TryAgain(error)) => *last = Some(error),
            }
            tokio::time::sleep(jittered(backoff_ms, random)).await;
            backoff_ms = (backoff_ms * 2).min(MAX_BACKOFF_MS);
        }
    }

    async fn transact(
        &self,
        write: TransactWriteItem,
        not_forgotten: TransactWriteItem,
        tell: Option<TransactWriteItem>,
    ) -> Result<(), Refused> {
        let writes = [write, not_forgotten].into_iter().chain(tell).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Err(refused(cancelled.cancellation_reasons()))
            }
            Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {
                Err(Refused::Failed(failed(&error)))
            }
            _ => {
                let error = failed(&error);
                Err(if error.is_for_good() { Refused::Failed(error) } else { Refused::TryAgain(error) })
            }
        }
    }

    fn blind_write(&self, install: &NewInstallation) -> Result<TransactWriteItem, StoreError> {
        let facts = installations::facts(install);
        let remove: Vec<&str> = installations::absent(&facts).chain(OF_THE_PAIR_BEFORE).collect();
        let refresh = install.pair.refresh_fingerprint.as_ref();
        let condition = match refresh {
            Some(_) => format!("({PLAINLY_OLDER}) AND ({REFRESH_TOKEN_IS_NEW})"),
            None => PLAINLY_OLDER.to_owned(),
        };
        let mut sets = vec![
            "superseded = list_append(if_not_exists(superseded, :empty), if_not_exists(pair, :empty))"
                .to_owned(),
            "pair = :pair".to_owned(),
            "generation = if_not_exists(generation, :zero) + :one".to_owned(),
            "version = if_not_exists(version, :zero) + :one".to_owned(),
            "first_installed_at_ms = if_not_exists(first_installed_at_ms, :exchanged_at_ms)".to_owned(),
            "installed_at_ms = :exchanged_at_ms".to_owned(),
            // The row had the same, or none.
            "seal_shard = :seal_shard".to_owned(),
        ];
        let mut update = Update::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(install.id.as_str()))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":empty", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":pair", AttributeValue::L(vec![pair_attribute(&install.pair)]))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":removed", string("removed"))
            .expression_attribute_values(":seal_shard", installations::seal_shard(install))
            .expression_attribute_values(":max_superseded", number(MAX_SUPERSEDED as u64))
            .expression_attribute_values(
                ":access_fingerprint",
                string(install.pair.access_fingerprint.as_str()),
            );
        if let Some(refresh) = refresh {
            update = update.expression_attribute_values(":refresh_fingerprint", string(refresh.as_str()));
        }
        for (name, value) in facts {
            sets.push(format!("{name} = :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        let expression = format!("SET {} REMOVE {}", sets.join(", "), remove.join(", "));
        let update = update.update_expression(expression).build();
        Ok(TransactWriteItem::builder().update(update.map_err(not_built)?).build())
    }

    /// A person who was forgotten after the exchange stays forgotten, although no row says so.
    fn not_forgotten(&self, install: &NewInstallation) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(&install.forgotten_id))
            .condition_expression("attribute_not_exists(installation_id) OR removed_at_ms < :exchanged_at_ms")
            .expression_attribute_values(":exchanged_at_ms", number(install.pair.exchanged_at_ms))
            .build();
        Ok(TransactWriteItem::builder().condition_check(check.map_err(not_built)?).build())
    }

    fn decided_write(&self, row: &Row, if_version: u64) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.installations_table)
            .set_item(Some(row.clone()))
            .condition_expression("version = :if_version")
            .expression_attribute_values(":if_version", number(if_version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        Ok(TransactWriteItem::builder().put(put.map_err(not_built)?).build())
    }
}

/// A superseded pair for which a row had no more room.
pub(super) fn report_dropped(bot_id: &str) {
    tracing::error!(alarm = "superseded_dropped", bot_id, "a superseded pair was dropped");
}

/// Reads the reasons in the order of the transaction: the row, the forgotten person, the claim.
fn refused(reasons: &[CancellationReason]) -> Refused {
    const CONDITION: Option<&str> = Some("ConditionalCheckFailed");
    let code = |index: usize| reasons.get(index).and_then(CancellationReason::code);
    if code(0) == CONDITION {
        return match reasons[0].item() {
            Some(row) if !row.is_empty() => Refused::ByRow(row.clone()),
            _ => Refused::RowGone,
        };
    }
    if code(1) == CONDITION {
        return Refused::ByForgotten;
    }
    if code(2) == CONDITION {
        return Refused::ByClaim;
    }
    let codes: Vec<&str> = reasons.iter().filter_map(CancellationReason::code).collect();
    let error = StoreError::Failed(format!("cancelled: {}", codes.join(", ")));
    let in_passing = |code: &&str| *code == "None" || IN_PASSING.contains(code);
    if codes.iter().all(in_passing) { Refused::TryAgain(error) } else { Refused::Failed(error) }
}

/// Between half of `backoff_ms` and all of it.
pub(super) fn jittered(backoff_ms: u64, random: &dyn Random) -> Duration {
    let draw = u64::from(u16::from_be_bytes(random::bytes(random)));
    Duration::from_millis(backoff_ms / 2 + backoff_ms * draw / (2 * u64::from(u16::MAX)))
}
