//! What stays of a person who is forgotten: under a keyed hash of their row's key, when, and which generation it was.
//!
//! Both count for whatever is saved later: an exchange from before the forgetting loses to it, and the generation goes on,
//! so that a message about the old life never fits the new one.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use tokio::time::Instant;

use super::item::{Row, integer, number, string};
use super::{Store, StoreError, not_built};

/// Such a row's key begins so: see [`KeyRing::forgotten_id`](crate::seal::KeyRing::forgotten_id).
const PREFIX: &str = "forgotten/";

/// Whether the row of this key says that somebody is forgotten.
#[must_use]
pub fn says_forgotten(row_key: &str) -> bool {
    row_key.starts_with(PREFIX)
}

/// A row that says that somebody is forgotten.
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

/// It stands as it was seen.
const AS_SEEN: &str = "removed_at_ms = :removed_at_ms AND generation = :generation";

impl Store {
    /// A part of a transaction: `row` takes the place of the marker that was `seen`, if that still stands.
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

    /// A part of a transaction: nobody is forgotten under `forgotten_id`, or it stands as it was `seen`. Where not, the
    /// failure returns it.
    pub(super) fn forgotten_as_seen(
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
