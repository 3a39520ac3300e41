//! The writes of an uninstall: tombstone, purge, forget.
//!
//! The tombstone comes first, so that nothing is vended and a refresh in flight loses to it; the sealed tokens stay in
//! it until Notion has taken them back, so that an uninstall that was cut off can be finished.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem};
use tokio::time::Instant;

use super::item::{Row, number, string};
use super::row::Installation;
use super::update::{CONFLICT_WAIT_MS, RowUpdate, Written};
use super::{Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::clock::UnixMillis;
use crate::installation::InstallationId;

/// What a tombstone has no use for: tokens, and all that says more of the person than the row's key.
const PURGED: [&str; 18] = [
    "bot_id",
    "used_up",
    "due_at_ms",
    "due_shard",
    "duplicated_template_id",
    "forget",
    "needs_reinstall_at_ms",
    "notion_request_id",
    "owner_avatar_url",
    "owner_email",
    "owner_email_verified",
    "owner_name",
    "pair",
    "refresh_after_ms",
    "seal_shard",
    "superseded",
    "workspace_icon",
    "workspace_name",
];

/// What came of a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum Entombed {
    /// It stands; the row still holds the tokens that have to go back.
    Removed(Box<Installation>),
    /// The row is of another generation than the one to be removed.
    OtherGeneration(Box<Installation>),
    /// There is no row, and a generation was named.
    NotInstalled,
}

impl Store {
    /// `tombstone`: from here on nothing of the installation is vended. A person who never installed gets one too, for
    /// what may still wait in the rescue queue. With `generation`, only that installation is removed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may stand.
    pub async fn tombstone(
        &self,
        id: &InstallationId,
        client_id: &str,
        generation: Option<u64>,
        forget: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Entombed, StoreError> {
        let condition = match generation {
            Some(_) => "generation = :generation",
            None => "attribute_not_exists(installation_id) OR attribute_exists(installation_id)",
        };
        let mut update = RowUpdate::of(id, condition)
            .set("health", string("removed"))
            .set_to("client_id = if_not_exists(client_id, :client_id)")
            .text("client_id", client_id)
            .set_to("generation = if_not_exists(generation, :zero)")
            // Also over one that stands: what was exchanged before this removal, and waits to be saved, loses to it.
            .set("removed_at_ms", number(now.0))
            .remove(&["refresh_after_ms", "needs_reinstall_at_ms"])
            // Should we be cut off, the sweep goes on.
            .due_at(now.0);
        if let Some(generation) = generation {
            update = update.value("generation", number(generation));
        }
        if forget {
            update = update.set("forget", AttributeValue::Bool(true));
        }
        Ok(match update.send(self, deadline).await? {
            Written::Done(row) => Entombed::Removed(row),
            Written::Refused(Some(row)) => Entombed::OtherGeneration(row),
            Written::Refused(None) => Entombed::NotInstalled,
        })
    }

    /// `purge`: the tokens are given back, so nothing of them stays; of the person only the row's key. Not if somebody
    /// has installed in between.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn purge(&self, tombstone: &Installation, deadline: Instant) -> Result<(), StoreError> {
        let update = RowUpdate::of(&tombstone.id, STANDS)
            .text("removed", "removed")
            .value("removed_at_ms", number(tombstone.removed_at_ms.unwrap_or(0)))
            .remove(&PURGED);
        update.send(self, deadline).await.map(|_purged_or_installed_again| ())
    }

    /// `forget`: the row goes, and under `forgotten_id`, a keyed hash, stands only when it went. Not if somebody has
    /// installed in between.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget(
        &self,
        tombstone: &Installation,
        forgotten_id: &str,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let removed_at_ms = number(tombstone.removed_at_ms.unwrap_or(0));
        let row: Row = HashMap::from([
            ("installation_id".to_owned(), string(forgotten_id)),
            ("health".to_owned(), string("removed")),
            ("generation".to_owned(), number(tombstone.generation)),
            ("version".to_owned(), number(tombstone.version)),
            ("removed_at_ms".to_owned(), removed_at_ms.clone()),
        ]);
        let delete = Delete::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(tombstone.id.as_str()))
            .condition_expression(STANDS)
            .expression_attribute_values(":removed", string("removed"))
            .expression_attribute_values(":removed_at_ms", removed_at_ms)
            .build();
        let put = Put::builder().table_name(&self.installations_table).set_item(Some(row)).build();
        let writes = vec![
            TransactWriteItem::builder().delete(delete.map_err(not_built)?).build(),
            TransactWriteItem::builder().put(put.map_err(not_built)?).build(),
        ];
        let forgotten = async {
            loop {
                let sent = self.client.transact_write_items().set_transact_items(Some(writes.clone()));
                let Err(error) = sent.send().await else { return Ok(()) };
                let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                    error.as_service_error()
                else {
                    return Err(failed(&error));
                };
                match cancelled.cancellation_reasons().first().and_then(CancellationReason::code) {
                    // Installed in between, or gone already.
                    Some("ConditionalCheckFailed") => return Ok(()),
                    Some("TransactionConflict") => {
                        tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
                    }
                    _ => return Err(failed(&error)),
                }
            }
        };
        until(deadline, Box::pin(forgotten)).await?
    }
}

/// It is the tombstone that was read.
const STANDS: &str = "health = :removed AND removed_at_ms = :removed_at_ms";
