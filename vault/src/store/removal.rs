//! The writes of an uninstall: tombstone, purge, forget.
//!
//! The tombstone comes first, so that nothing more is vended and a refresh in flight loses to it. The sealed tokens
//! stay in it until they are revoked at Notion, so that an uninstall that was cut off can be finished.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use shared::clock::UnixMillis;
use tokio::time::Instant;

use super::cancelled::Cancelled;
use super::forgotten::Forgotten;
use super::item::{Row, number, string};
use super::row::{Health, Installation};
use super::update::{CONFLICT_WAIT_MS, RowUpdate, UNCHANGED, Written};
use super::{Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;
use crate::seal::Fingerprint;

/// What a tombstone does not need: tokens, and everything that says more about the person than the row's key.
const PURGED: [&str; 24] = [
    "bot_id",
    "claim_by_ms",
    "used_up",
    "due_at_ms",
    "due_shard",
    "duplicated_template_id",
    "forget",
    "found_alive_at_ms",
    "needs_reinstall_at_ms",
    "notion_request_id",
    "owner_avatar_url",
    "owner_email",
    "owner_email_verified",
    "owner_name",
    "owned_since_ms",
    "pair",
    "pending",
    "refresh_after_ms",
    "refused_at_ms",
    "seal_shard",
    "subjects",
    "superseded",
    "workspace_icon",
    "workspace_name",
];

/// The result of writing a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum TombstoneOutcome {
    /// The row is a tombstone. It still holds the tokens that are to be revoked.
    Removed(Box<Installation>),
    /// The row has another generation than the one to be removed.
    OtherGeneration(Box<Installation>),
    /// There is no row, and a generation was named.
    NotInstalled,
}

impl Store {
    /// `tombstone`: from now on nothing of the installation is vended. A person who never installed gets one too,
    /// because an install of theirs may be in the rescue queue.
    ///
    /// With `generation`, only that installation is removed. If its tombstone exists already, it keeps its time:
    /// otherwise a repeated message would discard what was exchanged in between. Without `generation`, it is a new
    /// request, which discards whatever was exchanged before it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been written.
    pub async fn tombstone(
        &self,
        id: &InstallationId,
        client_id: &str,
        generation: Option<u64>,
        forget: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<TombstoneOutcome, StoreError> {
        let condition = match generation {
            Some(_) => "generation = :generation AND health <> :removed",
            None => "attribute_not_exists(installation_id) OR attribute_exists(installation_id)",
        };
        let mut update = entombing(RowUpdate::of(id, condition), now)
            .set_to("client_id = if_not_exists(client_id, :client_id)")
            .text("client_id", client_id)
            .set_to("generation = if_not_exists(generation, :zero)");
        if let Some(generation) = generation {
            update = update.value("generation", number(generation)).text("removed", "removed");
        }
        if forget {
            update = update.set("forget", AttributeValue::Bool(true));
        }
        match update.send(self, deadline).await? {
            Written::Done(row) => Ok(TombstoneOutcome::Removed(row)),
            Written::Refused(Some(row))
                if row.health == Health::Removed && Some(row.generation) == generation =>
            {
                self.set_forget_flag(row, forget, now, deadline).await
            }
            Written::Refused(Some(row)) => Ok(TombstoneOutcome::OtherGeneration(row)),
            Written::Refused(None) => Ok(TombstoneOutcome::NotInstalled),
        }
    }

    /// `tombstone` for an installation that nobody has any more, or ever had: only if the row has not changed since it was
    /// read, so that a claim or an install in between is not undone. Returns the tombstone, if it was written.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been written.
    pub async fn tombstone_as_read(
        &self,
        standing: &Installation,
        forget: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Option<Box<Installation>>, StoreError> {
        let mut update = entombing(RowUpdate::if_unchanged(standing), now);
        if forget {
            update = update.set("forget", AttributeValue::Bool(true));
        }
        Ok(update.send(self, deadline).await?.done())
    }

    /// Adds to an existing tombstone that the person asked to be forgotten.
    async fn set_forget_flag(
        &self,
        tombstone: Box<Installation>,
        forget: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<TombstoneOutcome, StoreError> {
        if !forget || tombstone.forget {
            return Ok(TombstoneOutcome::Removed(tombstone));
        }
        let update = RowUpdate::of(&tombstone.id, STANDS)
            .text("removed", "removed")
            .value("generation", number(tombstone.generation))
            .set("forget", AttributeValue::Bool(true))
            .due_at(now.0);
        Ok(match update.send(self, deadline).await? {
            Written::Done(row) => TombstoneOutcome::Removed(row),
            Written::Refused(Some(row)) => TombstoneOutcome::OtherGeneration(row),
            Written::Refused(None) => TombstoneOutcome::NotInstalled,
        })
    }

    /// `purge`: the tokens are revoked, so nothing of them is kept, nor of its links, and of the person only the row's
    /// key. Not if there was an install or another request since the tombstone was read. Returns whether nothing is left
    /// to do.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn purge(&self, tombstone: &Installation, deadline: Instant) -> Result<bool, StoreError> {
        let update = RowUpdate::if_unchanged(tombstone).remove(&PURGED);
        if !tombstone.subjects.is_empty() {
            let mut writes = vec![update.part(self)?];
            writes.extend(self.delete_links(&tombstone.id, &tombstone.subjects)?);
            if until(deadline, Box::pin(self.write_all(writes))).await?? {
                return Ok(true);
            }
            return Ok(is_purged(self.read_installation(&tombstone.id, deadline).await?.as_ref()));
        }
        Ok(match update.send(self, deadline).await? {
            Written::Done(_) => true,
            Written::Refused(row) => is_purged(row.as_deref()),
        })
    }

    /// An installation that was made while these access tokens were being revoked may hold one of them. It is vended
    /// only after Notion has said that it is alive.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mark_current_in_doubt(
        &self,
        id: &InstallationId,
        revoked: &[Fingerprint],
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        for fingerprint in revoked {
            let update = RowUpdate::of(id, "pair[0].access_fingerprint = :revoked AND health = :active")
                .text("revoked", fingerprint.as_str())
                .text("active", "active")
                .set("health", string(Health::Unverified.key()))
                .due_at(now.0);
            update.send(self, deadline).await?;
        }
        Ok(())
    }

    /// The successor of a tombstone's pair was revoked, so nothing waits for its refresh any longer.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn settle_tombstone(
        &self,
        id: &InstallationId,
        used: &Fingerprint,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let update = RowUpdate::of(id, "health = :removed AND pair[0].refresh_fingerprint = :used")
            .text("removed", "removed")
            .text("used", used.as_str())
            .remove(&["pair[0].lease", "pair[0].in_doubt"])
            .due_at(now.0);
        update.send(self, deadline).await.map(|_settled_or_another| ())
    }

    /// Whether the person was forgotten before. If so, nothing about them may remain here.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn was_forgotten(&self, forgotten_id: &str, deadline: Instant) -> Result<bool, StoreError> {
        self.read_forgotten(forgotten_id, deadline).await.map(|forgotten| forgotten.is_some())
    }

    /// `forget`: deletes the row. Under `forgotten_id`, a keyed hash, only the time and the generation are kept. Not if
    /// there was an install in between. Returns whether nothing is left to do.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget(
        &self,
        tombstone: &Installation,
        forgotten_id: &str,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let forgotten = async {
            loop {
                let before = self.read_forgotten(forgotten_id, deadline).await?;
                let writes = self.forgetting(tombstone, forgotten_id, before)?;
                let sent = self.client.transact_write_items().set_transact_items(Some(writes));
                let Err(error) = sent.send().await else { return Ok(true) };
                let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                    error.as_service_error()
                else {
                    return Err(failed(&error));
                };
                let cancelled = Cancelled::read(cancelled.cancellation_reasons());
                if !cancelled.part(0).passed() {
                    // Installed or changed in between, or gone already.
                    let standing = self.read_installation(&tombstone.id, deadline).await?;
                    return Ok(standing.is_none());
                }
                if !cancelled.is_by_condition() && !cancelled.is_transient() {
                    return Err(cancelled.error());
                }
                tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
            }
        };
        until(deadline, Box::pin(forgotten)).await?
    }

    /// Deletes the row with its links and writes what is kept. If there was a record `before`, the later time and higher generation
    /// stay.
    fn forgetting(
        &self,
        tombstone: &Installation,
        forgotten_id: &str,
        before: Option<Forgotten>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let removed_at_ms = tombstone.removed_at_ms.unwrap_or(0);
        let row: Row = HashMap::from([
            ("installation_id".to_owned(), string(forgotten_id)),
            ("health".to_owned(), string("removed")),
            (
                "generation".to_owned(),
                number(before.map_or(0, |before| before.generation).max(tombstone.generation)),
            ),
            ("version".to_owned(), number(tombstone.version)),
            (
                "removed_at_ms".to_owned(),
                number(before.map_or(0, |before| before.removed_at_ms).max(removed_at_ms)),
            ),
        ]);
        let delete = Delete::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(tombstone.id.as_str()))
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":if_version", number(tombstone.version))
            .build();
        let mut writes = vec![
            TransactWriteItem::builder().delete(delete.map_err(not_built)?).build(),
            self.put_forgotten(row, before)?,
        ];
        writes.extend(self.without_ledger(&tombstone.id)?);
        writes.extend(self.delete_links(&tombstone.id, &tombstone.subjects)?);
        Ok(writes)
    }
}

/// Whether nothing is left to do for a row that could not be purged: by our own success, whose reply was lost, or by
/// another process.
fn is_purged(row: Option<&Installation>) -> bool {
    row.is_none_or(|row| row.health == Health::Removed && row.pairs().next().is_none() && !row.forget)
}

/// The part of an update that makes a row a tombstone. The links stay until the tokens are revoked.
fn entombing(update: RowUpdate<'_>, now: UnixMillis) -> RowUpdate<'_> {
    update
        .set("health", string("removed"))
        .set("removed_at_ms", number(now.0))
        .remove(&["refresh_after_ms", "needs_reinstall_at_ms"])
        // If we are cut off, the sweep continues.
        .due_at(now.0)
}

/// It is a tombstone of that generation.
const STANDS: &str = "health = :removed AND generation = :generation";
