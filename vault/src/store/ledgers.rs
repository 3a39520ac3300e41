//! The ledgers of onboardings, and the pace at which they may ask Notion.
//!
//! | attribute | holds |
//! |---|---|
//! | `onboarding_id` (S, key) | the installation's key; of the pace, `pace` |
//! | `status`, `version`, `generation`, `recipe`, `recipe_version`, `landing`, `started_at_ms`, `turn_at_ms` | see [`Ledger`] |
//! | `steps` (S) | the steps, as JSON |
//! | `failure` (S) | why it stopped, as JSON |
//! | `written_by` (S) | the attempt that wrote it |
//! | `next_at_ms` (N) | of the pace: when the next request may be made |
//!
//! A ledger is written only as a whole, on the condition that it is still as it was read. So of two functions that work on
//! one installation, one writes the intent of a step, and the other finds it.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use shared::clock::UnixMillis;
use tokio::time::Instant;

use super::item::{Row, insert_text, integer, number, string, text};
use super::{Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;
use crate::onboarding::{Ledger, OnboardingStatus};

/// The key of a ledger.
pub(super) const KEY: &str = "onboarding_id";
/// The key of the pace. No installation has it.
const PACE: &str = "pace";
const UNCHANGED: &str = "version = :if_version";
const NEW: &str = "attribute_not_exists(onboarding_id)";

/// No table of ledgers is configured: the function works without.
const NO_TABLE: StoreError = StoreError::Row("ONBOARDING_TABLE");

impl Store {
    /// Whether there may be ledgers (`ONBOARDING_TABLE`).
    #[must_use]
    pub fn has_ledgers(&self) -> bool {
        self.onboarding_table.is_some()
    }

    fn ledgers_table(&self) -> Result<&str, StoreError> {
        self.onboarding_table.as_deref().ok_or(NO_TABLE)
    }

    /// Reads a ledger, consistently. Without a table of ledgers there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_ledger(
        &self,
        id: &InstallationId,
        deadline: Instant,
    ) -> Result<Option<Ledger>, StoreError> {
        let Some(table) = &self.onboarding_table else { return Ok(None) };
        let get =
            self.client.get_item().table_name(table).key(KEY, string(id.as_str())).consistent_read(true);
        let answer = until(deadline, get.send()).await?.map_err(|error| failed(&error))?;
        answer.item.as_ref().map(read).transpose()
    }

    /// Reads up to [`super::MAX_BATCH`] ledgers at once; those that do not exist are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_ledgers(
        &self,
        ids: &[InstallationId],
        deadline: Instant,
    ) -> Result<HashMap<String, Ledger>, StoreError> {
        let mut ledgers = HashMap::new();
        let Some(table) = &self.onboarding_table else { return Ok(ledgers) };
        let mut left: Vec<Row> =
            ids.iter().map(|id| Row::from([(KEY.to_owned(), string(id.as_str()))])).collect();
        while !left.is_empty() {
            let keys = KeysAndAttributes::builder().set_keys(Some(left)).build().map_err(not_built)?;
            let get = self.client.batch_get_item().request_items(table, keys).send();
            let answer = until(deadline, get).await?.map_err(|error| failed(&error))?;
            for row in answer.responses.unwrap_or_default().into_values().flatten() {
                let ledger = read(&row)?;
                ledgers.insert(ledger.id.as_str().to_owned(), ledger);
            }
            let unprocessed = answer.unprocessed_keys.unwrap_or_default();
            left = unprocessed.into_values().flat_map(|rest| rest.keys).collect();
        }
        Ok(ledgers)
    }

    /// Writes a ledger, if it still has its `version` (0: if there is none), and counts that up. `attempt` names this write,
    /// so that its own success, whose reply was lost, is recognised. Returns whether it was written.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been written.
    pub async fn write_ledger(
        &self,
        ledger: &mut Ledger,
        attempt: &str,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let before = ledger.version;
        let put = self
            .client
            .put_item()
            .table_name(self.ledgers_table()?)
            .set_item(Some(row_of(ledger, before + 1, attempt)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match before {
            0 => put.condition_expression(NEW),
            _ => {
                put.condition_expression(UNCHANGED).expression_attribute_values(":if_version", number(before))
            }
        };
        let written = match until(deadline, Box::pin(put.send())).await? {
            Ok(_) => true,
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(standing)) => {
                    standing.item().is_some_and(|row| text(row, "written_by") == Some(attempt))
                }
                _ => return Err(failed(&error)),
            },
        };
        if written {
            ledger.version = before + 1;
        }
        Ok(written)
    }

    /// Nothing is kept of an onboarding.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delete_ledger(&self, id: &InstallationId, deadline: Instant) -> Result<(), StoreError> {
        let Some(table) = &self.onboarding_table else { return Ok(()) };
        let delete = self.client.delete_item().table_name(table).key(KEY, string(id.as_str()));
        until(deadline, delete.send()).await?.map(|_| ()).map_err(|error| failed(&error))
    }

    /// Part of a transaction: nothing is kept of an onboarding. `None` without a table of ledgers.
    pub(super) fn without_ledger(
        &self,
        id: &InstallationId,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        let Some(table) = &self.onboarding_table else { return Ok(None) };
        let delete = Delete::builder().table_name(table).key(KEY, string(id.as_str())).build();
        Ok(Some(TransactWriteItem::builder().delete(delete.map_err(not_built)?).build()))
    }

    /// `take_turn`: reserves so much of the time of all onboardings, and returns when it begins: now, or after everybody
    /// who came before.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been reserved.
    pub async fn take_turn(
        &self,
        takes_ms: u64,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<UnixMillis, StoreError> {
        let takes = number(takes_ms);
        loop {
            // Mostly, nobody is waiting.
            let free = "attribute_not_exists(next_at_ms) OR next_at_ms <= :now";
            let start = self
                .move_pace("SET next_at_ms = :after", free, now)?
                .expression_attribute_values(":after", number(now.0.saturating_add(takes_ms)));
            if sent(start, deadline).await?.is_some() {
                return Ok(now);
            }
            let queue = self
                .move_pace("SET next_at_ms = next_at_ms + :takes", "next_at_ms > :now", now)?
                .expression_attribute_values(":takes", takes.clone())
                .return_values(ReturnValue::UpdatedOld);
            if let Some(row) = sent(queue, deadline).await? {
                return Ok(UnixMillis(integer(&row, "next_at_ms").unwrap_or(now.0)));
            }
        }
    }

    /// Notion wants fewer requests: nobody's turn begins before `until_ms`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn hold_turns(&self, until_ms: UnixMillis, deadline: Instant) -> Result<(), StoreError> {
        let later = "attribute_not_exists(next_at_ms) OR next_at_ms < :now";
        let hold = self.move_pace("SET next_at_ms = :now", later, until_ms)?;
        sent(hold, deadline).await.map(|_moved_or_later_already| ())
    }

    fn move_pace(
        &self,
        update: &str,
        condition: &str,
        now: UnixMillis,
    ) -> Result<aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder, StoreError> {
        Ok(self
            .client
            .update_item()
            .table_name(self.ledgers_table()?)
            .key(KEY, string(PACE))
            .update_expression(update)
            .condition_expression(condition)
            .expression_attribute_values(":now", number(now.0)))
    }
}

/// The attributes that were asked for; `None` if the condition does not hold.
async fn sent(
    update: aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder,
    deadline: Instant,
) -> Result<Option<Row>, StoreError> {
    match until(deadline, Box::pin(update.send())).await? {
        Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(failed(&error)),
        },
    }
}

/// Whether it is the pace, not a ledger.
pub(super) fn is_pace(key: &str) -> bool {
    key == PACE
}

pub(super) fn read(row: &Row) -> Result<Ledger, StoreError> {
    let required = |name: &'static str| text(row, name).ok_or(StoreError::Row(name));
    let required_number = |name: &'static str| integer(row, name).ok_or(StoreError::Row(name));
    let json = |name: &'static str| text(row, name).unwrap_or("null");
    Ok(Ledger {
        id: InstallationId::of_row(required(KEY)?),
        status: OnboardingStatus::parse(required("status")?).ok_or(StoreError::Row("status"))?,
        version: required_number("version")?,
        generation: required_number("generation")?,
        recipe: required("recipe")?.to_owned(),
        recipe_version: required("recipe_version")?.to_owned(),
        landing: text(row, "landing").map(str::to_owned),
        started_at_ms: required_number("started_at_ms")?,
        turn_at_ms: integer(row, "turn_at_ms"),
        failure: serde_json::from_str(json("failure")).map_err(|_| StoreError::Row("failure"))?,
        steps: serde_json::from_str(required("steps")?).map_err(|_| StoreError::Row("steps"))?,
    })
}

fn row_of(ledger: &Ledger, version: u64, attempt: &str) -> Result<Row, StoreError> {
    let steps = serde_json::to_string(&ledger.steps).map_err(|_| StoreError::Row("steps"))?;
    let texts = [
        (KEY, ledger.id.as_str()),
        ("status", ledger.status.key()),
        ("recipe", &ledger.recipe),
        ("recipe_version", &ledger.recipe_version),
        ("steps", &steps),
        ("written_by", attempt),
    ];
    let numbers =
        [("version", version), ("generation", ledger.generation), ("started_at_ms", ledger.started_at_ms)];
    let texts = texts.into_iter().map(|(name, value)| (name.to_owned(), string(value)));
    let mut row: HashMap<String, AttributeValue> = texts.collect();
    row.extend(numbers.into_iter().map(|(name, value)| (name.to_owned(), number(value))));
    row.extend(ledger.turn_at_ms.map(|at_ms| ("turn_at_ms".to_owned(), number(at_ms))));
    insert_text(&mut row, "landing", ledger.landing.as_deref());
    if let Some(failure) = &ledger.failure {
        let failure = serde_json::to_string(failure).map_err(|_| StoreError::Row("failure"))?;
        row.insert("failure".to_owned(), string(&failure));
    }
    Ok(row)
}
