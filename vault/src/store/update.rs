//! One conditional write of an installation's row.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use tokio::time::Instant;

use super::item::{number, string};
use super::row::{self, Installation};
use super::{Store, StoreError, due, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;

/// The row has not changed since it was read.
pub(super) const UNCHANGED: &str = "version = :if_version";

/// How long to wait for another write of the same row, in milliseconds.
pub(super) const CONFLICT_WAIT_MS: u64 = 50;

/// The result of a write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// The row as it is now.
    Done(Box<Installation>),
    /// The condition failed. The row as it was then, if there is one.
    Refused(Option<Box<Installation>>),
}

impl Written {
    /// The row as it is now, if it was written.
    pub(super) fn done(self) -> Option<Box<Installation>> {
        match self {
            Self::Done(row) => Some(row),
            Self::Refused(_) => None,
        }
    }
}

/// A write. Every one increments the row's version.
pub(super) struct RowUpdate<'a> {
    id: &'a InstallationId,
    sets: Vec<String>,
    removes: Vec<&'static str>,
    condition: &'a str,
    values: HashMap<String, AttributeValue>,
}

impl<'a> RowUpdate<'a> {
    /// To this row, if `condition` holds.
    pub(super) fn of(id: &'a InstallationId, condition: &'a str) -> Self {
        let update = Self {
            id,
            sets: vec!["version = if_not_exists(version, :zero) + :one".to_owned()],
            removes: Vec::new(),
            condition,
            values: HashMap::new(),
        };
        update.value("zero", number(0)).value("one", number(1))
    }

    /// A write of a row that has not changed since it was read.
    pub(super) fn if_unchanged(standing: &'a Installation) -> Self {
        Self::of(&standing.id, UNCHANGED).value("if_version", number(standing.version))
    }

    /// Sets an attribute of the row itself.
    pub(super) fn set(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.sets.push(format!("{name} = :{name}"));
        self.value(name, value)
    }

    /// Sets by one of DynamoDB's expressions.
    pub(super) fn set_to(mut self, expression: &str) -> Self {
        self.sets.push(expression.to_owned());
        self
    }

    /// A value that an expression or the condition names.
    pub(super) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// A string that an expression or the condition names.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.value(name, string(value))
    }

    /// Removes attributes.
    pub(super) fn remove(mut self, names: &[&'static str]) -> Self {
        self.removes.extend(names);
        self
    }

    /// Sets when the sweep looks at the row next.
    pub(super) fn due_at(self, at_ms: u64) -> Self {
        let [(shard, of_id), (due_at, at)] = due::due_attributes(self.id, at_ms);
        self.set(shard, of_id).set(due_at, at)
    }

    /// As part of a transaction.
    pub(super) fn part(self, store: &Store) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&store.installations_table)
            .key("installation_id", string(self.id.as_str()))
            .update_expression(self.expression())
            .condition_expression(self.condition)
            .set_expression_attribute_values(Some(self.values))
            .build();
        Ok(TransactWriteItem::builder().update(update.map_err(not_built)?).build())
    }

    fn expression(&self) -> String {
        let sets = format!("SET {}", self.sets.join(", "));
        if self.removes.is_empty() { sets } else { format!("{sets} REMOVE {}", self.removes.join(", ")) }
    }

    /// Sends it. If it conflicts with a transaction, it is sent again until `deadline`.
    pub(super) async fn send(self, store: &Store, deadline: Instant) -> Result<Written, StoreError> {
        let expression = self.expression();
        let update = || {
            store
                .client
                .update_item()
                .table_name(&store.installations_table)
                .key("installation_id", string(self.id.as_str()))
                .update_expression(&expression)
                .condition_expression(self.condition)
                .set_expression_attribute_values(Some(self.values.clone()))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
        };
        let written = async {
            loop {
                let error = match update().await {
                    Ok(answer) => {
                        let row = answer.attributes().ok_or(StoreError::Row("attributes"))?;
                        return Ok(Written::Done(Box::new(row::read(row)?)));
                    }
                    Err(error) => error,
                };
                match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                        let standing = refusal.item().filter(|row| !row.is_empty());
                        return Ok(Written::Refused(standing.map(row::read).transpose()?.map(Box::new)));
                    }
                    Some(UpdateItemError::TransactionConflictException(_)) => {
                        tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
                    }
                    _ => return Err(failed(&error)),
                }
            }
        };
        until(deadline, Box::pin(written)).await?
    }
}
