//! Saves an installation and the outcome of its flow, in one transaction.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use shared::flow::ClaimKey;
use shared::random::Random;
use tokio::time::Instant;

use super::cancelled::{Cancelled, ConditionResult};
use super::claims::Led;
use super::forgotten::Forgotten;
pub use super::installations::Terms;
use super::installations::{
    self, Decision, GENERATION_GOES_ON, OF_THE_PAIR_BEFORE, OWNERSHIP_IS_KNOWN, PLAINLY_OLDER,
    REFRESH_TOKEN_IS_NEW,
};
use super::item::{Row, number, string};
use super::pending::{MAX_PENDING, Pending};
use super::row::{MAX_SUPERSEDED, pair_attribute, report_dropped};
use super::update::UNCHANGED;
use super::{Store, StoreError, failed, not_built};
use crate::backoff::Backoff;
use crate::budget::until;
use crate::installation::NewInstallation;

/// The result of saving a new installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Its pair is the row's current one.
    Current,
    /// A newer install had been saved before; this one's pair is kept beside it.
    KeptAside,
    /// The installation was removed after the exchange: nothing was written, and the grant must be revoked.
    TombstoneWins,
}

enum Refused {
    /// A condition failed.
    ByConditions(Conditions),
    /// Temporarily.
    TryAgain(StoreError),
    /// Permanently.
    Failed(StoreError),
}

struct Conditions {
    /// The row; absent if it has disappeared since we decided.
    row: ConditionResult<Row>,
    /// The record of the person, if they were forgotten.
    forgotten: ConditionResult<Forgotten>,
    /// The claim; also absent if it is settled.
    claim: ConditionResult<()>,
}

/// What to save, and what to record about it.
pub struct Save<'a> {
    /// The installation.
    pub install: &'a NewInstallation,
    /// The claim of its flow.
    pub claim: &'a ClaimKey,
    /// What the claim records.
    pub led: &'a Led,
    /// The terms.
    pub terms: Terms,
}

impl Store {
    /// `save`: writes an installation and, in the same transaction, the outcome of its flow.
    ///
    /// Takes one round trip if there is no row, or a plainly older one, and the person was never forgotten. Tries until
    /// `deadline`; every write recognizes its own earlier success by the attempt.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it is saved is unknown.
    pub async fn save(
        &self,
        save: &Save<'_>,
        deadline: Instant,
        random: &dyn Random,
    ) -> Result<Saved, StoreError> {
        let mut last = None;
        until(deadline, Box::pin(self.try_to_save(save, random, &mut last)))
            .await
            .unwrap_or_else(|out_of_time| Err(last.unwrap_or(StoreError::OutOfTime(out_of_time))))
    }

    async fn try_to_save(
        &self,
        save: &Save<'_>,
        random: &dyn Random,
        last: &mut Option<StoreError>,
    ) -> Result<Saved, StoreError> {
        let install = save.install;
        let (mut standing, mut forgotten, mut tell_claim) = (None, None, true);
        let mut backoff = Backoff::start();
        loop {
            let generation_before = forgotten.map_or(0, |forgotten: Forgotten| forgotten.generation);
            let decide = |row| installations::decide(row, install, &save.terms, generation_before);
            let decision = standing.as_ref().map(decide).transpose()?;
            if decision == Some(Decision::AlreadyWritten) {
                return Ok(Saved::Current);
            }
            if forgotten.is_some_and(|forgotten| forgotten.removed_at_ms >= install.pair.exchanged_at_ms) {
                return Ok(Saved::TombstoneWins);
            }
            let (write, saved, dropped_bots, dropped_links) = match decision {
                // Without having read the row.
                None => {
                    let write = self.unread_write(install, &save.terms, generation_before)?;
                    (write, Saved::Current, Vec::new(), Vec::new())
                }
                Some(Decision::Write { row, if_version, current, dropped_bots, dropped_subjects }) => {
                    let saved = if current { Saved::Current } else { Saved::KeptAside };
                    let dropped_links = self.delete_links(&install.id, &dropped_subjects)?;
                    (self.write_decision(&row, if_version)?, saved, dropped_bots, dropped_links)
                }
                Some(Decision::TombstoneWins | Decision::AlreadyWritten) => return Ok(Saved::TombstoneWins),
            };
            let not_forgotten = self.marker_unchanged(&install.forgotten_id, forgotten)?;
            let tell = self.connected_update(save.claim, &install.attempt, save.led)?;
            let tell = tell_claim.then(|| TransactWriteItem::builder().update(tell).build());
            let writes = [write, not_forgotten].into_iter().chain(tell).chain(dropped_links).collect();
            match self.transact(writes).await {
                Ok(()) => {
                    for bot_id in &dropped_bots {
                        report_dropped(bot_id);
                    }
                    return Ok(saved);
                }
                Err(Refused::ByConditions(refused)) => {
                    // The tokens matter more than the page: save them anyway.
                    tell_claim &= refused.claim.passed();
                    match refused.forgotten {
                        ConditionResult::Passed => {}
                        ConditionResult::FailedWithRow(found) => forgotten = Some(found),
                        ConditionResult::FailedWithoutRow => forgotten = None,
                    }
                    match refused.row {
                        ConditionResult::Passed => continue,
                        ConditionResult::FailedWithRow(row) => {
                            standing = Some(row);
                            continue;
                        }
                        ConditionResult::FailedWithoutRow => standing = None,
                    }
                    *last = Some(StoreError::Failed("the row disappeared".to_owned()));
                }
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::TryAgain(error)) => *last = Some(error),
            }
            backoff.wait(random).await;
        }
    }

    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), Refused> {
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Err(refused(&Cancelled::read(cancelled.cancellation_reasons())))
            }
            Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {
                Err(Refused::Failed(failed(&error)))
            }
            _ => {
                let error = failed(&error);
                Err(if error.is_permanent() { Refused::Failed(error) } else { Refused::TryAgain(error) })
            }
        }
    }

    /// `generation_before` is the generation of a person who was forgotten: the row never continues from a lower one.
    fn unread_write(
        &self,
        install: &NewInstallation,
        terms: &Terms,
        generation_before: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let facts = installations::facts(install, terms);
        let mut remove: Vec<&str> = installations::absent(&facts).chain(OF_THE_PAIR_BEFORE).collect();
        let refresh = install.pair.refresh_fingerprint.as_ref();
        let mut condition = match refresh {
            Some(_) => format!("({PLAINLY_OLDER}) AND ({REFRESH_TOKEN_IS_NEW})"),
            None => PLAINLY_OLDER.to_owned(),
        };
        if generation_before > 0 {
            condition = format!("({condition}) AND ({GENERATION_GOES_ON})");
        }
        if install.claimable.is_some() {
            condition = format!("({condition}) AND ({OWNERSHIP_IS_KNOWN})");
        }
        let mut sets = vec![
            "superseded = list_append(if_not_exists(superseded, :empty), if_not_exists(pair, :empty))"
                .to_owned(),
            "pair = :pair".to_owned(),
            "generation = if_not_exists(generation, :generation_before) + :one".to_owned(),
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
            .expression_attribute_values(":generation_before", number(generation_before))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":removed", string("removed"))
            .expression_attribute_values(":needs_reinstall", string("needs_reinstall"))
            .expression_attribute_values(":seal_shard", installations::seal_shard(install))
            .expression_attribute_values(":max_superseded", number(MAX_SUPERSEDED as u64))
            .expression_attribute_values(
                ":access_fingerprint",
                string(install.pair.access_fingerprint.as_str()),
            );
        if let Some(claimable) = &install.claimable {
            sets.push("pending = list_append(if_not_exists(pending, :empty), :pending)".to_owned());
            sets.push("claim_by_ms = :claim_by_ms".to_owned());
            let pending = Pending::of(claimable, terms.code_expires_at).attribute();
            update = update
                .expression_attribute_values(":pending", AttributeValue::L(vec![pending]))
                .expression_attribute_values(":claim_by_ms", number(terms.claim_by.0))
                .expression_attribute_values(":max_pending", number(MAX_PENDING as u64));
        } else {
            sets.push("owned_since_ms = if_not_exists(owned_since_ms, :exchanged_at_ms)".to_owned());
            remove.push("claim_by_ms");
        }
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

    fn write_decision(&self, row: &Row, if_version: u64) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.installations_table)
            .set_item(Some(row.clone()))
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":if_version", number(if_version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        Ok(TransactWriteItem::builder().put(put.map_err(not_built)?).build())
    }
}

/// Reads the reasons in the order of the transaction: the row, the forgotten person, the claim.
fn refused(cancelled: &Cancelled<'_>) -> Refused {
    if cancelled.is_by_condition() {
        return match cancelled.part(1).try_map(Forgotten::read) {
            Ok(forgotten) => Refused::ByConditions(Conditions {
                row: cancelled.part(0).map(Row::clone),
                forgotten,
                claim: cancelled.part(2).map(|_row| ()),
            }),
            Err(error) => Refused::Failed(error),
        };
    }
    let error = cancelled.error();
    if cancelled.is_transient() { Refused::TryAgain(error) } else { Refused::Failed(error) }
}
