//! What is kept of a forgotten person: the time and the generation, under a keyed hash of their row's key.
//!
//! Both matter for later saves. An exchange from before that time is not saved. The generation continues, so that a
//! message about the old installation never matches a new one.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use tokio::time::Instant;

use super::item::{Row, integer, number, string};
use super::{Store, StoreError, not_built};

/// The prefix of such a row's key: see [`KeyRing::forgotten_id`](crate::seal::KeyRing::forgotten_id).
const PREFIX: &str = "forgotten/";

/// Whether the row with this key records a forgotten person.
#[must_use]
pub fn is_forgotten_marker(row_key: &str) -> bool {
    row_key.starts_with(PREFIX)
}

/// A row that records a forgotten person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forgotten {
    pub(super) removed_at_ms: u64,
    pub(super) generation: u64,
}

impl Forgotten {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            removed_at_ms: integer(row, "removed_at_ms").ok_or(StoreError::Row("removed_at_ms"))?,
            generation: integer(row, "generation").ok_or(StoreError::Row("generation"))?,
        })
    }
}

/// It is unchanged since it was read.
const AS_SEEN: &str = "removed_at_ms = :removed_at_ms AND generation = :generation";

impl Store {
    /// Part of a transaction: `row` replaces the record that was `seen`, if that is unchanged.
    pub(super) fn put_forgotten(
        &self,
        row: Row,
        seen: Option<Forgotten>,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.installations_table).set_item(Some(row));
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(installation_id)"),
            Some(Forgotten { removed_at_ms, generation }) => put
                .condition_expression(AS_SEEN)
                .expression_attribute_values(":removed_at_ms", number(removed_at_ms))
                .expression_attribute_values(":generation", number(generation)),
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(not_built)?).build())
    }

    /// Part of a transaction: the record under `forgotten_id` is still as it was `seen`. If not, the failure returns
    /// it.
    pub(super) fn marker_unchanged(
        &self,
        forgotten_id: &str,
        seen: Option<Forgotten>,
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(forgotten_id))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let check = match seen {
            None => check.condition_expression("attribute_not_exists(installation_id)"),
            Some(Forgotten { removed_at_ms, generation }) => check
                .condition_expression(AS_SEEN)
                .expression_attribute_values(":removed_at_ms", number(removed_at_ms))
                .expression_attribute_values(":generation", number(generation)),
        };
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(not_built)?).build())
    }

    pub(super) async fn read_forgotten(
        &self,
        forgotten_id: &str,
        deadline: Instant,
    ) -> Result<Option<Forgotten>, StoreError> {
        self.read_row(forgotten_id, deadline).await?.as_ref().map(Forgotten::read).transpose()
    }
}
