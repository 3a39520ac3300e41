//! Imports rows from a backup: an exported file, or a restored table.
//!
//! Since the backup, tokens may have been consumed, and people may have installed again, uninstalled or been forgotten.
//! So nothing in such a row is used before Notion has confirmed it, and nothing that happened since is undone.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use shared::clock::UnixMillis;
use tokio::time::Instant;

use super::forgotten::{Forgotten, is_forgotten_marker};
use super::item::{Row, integer, list, number, string, text};
use super::row::{self, Health, Installation, MAX_SUPERSEDED, MAX_USED_UP, report_dropped};
use super::update::UNCHANGED;
use super::{Store, StoreError, due, not_built};
use crate::budget::until;
use crate::installation::{InstallationId, SealedPair};
use crate::seal::{KeyRing, OpenError};

/// The attributes that say whose an installation is.
const OWNERSHIP: [&str; 4] = ["claim_by_ms", "owned_since_ms", "pending", "subjects"];
/// How long an installation waits for its claim that nobody had claimed at the time of the backup.
const CLAIM_AGAIN_MS: u64 = 86_400_000;

/// The result of importing a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It is in the table.
    Written,
    /// The existing row is newer, or has tokens that are still to be revoked, and stays.
    KeptNewer,
    /// Its person was forgotten since.
    Forgotten,
    /// It is not a row of this stack. The reason.
    Unreadable(String),
}

/// A row, ready to be written.
#[derive(Debug, Clone, PartialEq)]
enum Prepared {
    /// The record of a forgotten person.
    Forgotten { row: Row, forgotten: Forgotten },
    /// An installation, or the tombstone of one.
    Installation(Box<Candidate>),
}

/// An installation's row from a backup.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    row: Row,
    read: Installation,
    /// When it was installed or, after that, removed.
    since_ms: u64,
    forgotten_id: String,
    prepared_at: UnixMillis,
}

/// Prepares a row for writing, or says why it cannot be used.
fn prepare(mut row: Row, ring: &KeyRing, now: UnixMillis) -> Result<Prepared, String> {
    let read = row::read(&row).map_err(|error| error.to_string())?;
    if is_forgotten_marker(read.id.as_str()) {
        let forgotten = Forgotten::read(&row).map_err(|error| error.to_string())?;
        return Ok(Prepared::Forgotten { row, forgotten });
    }
    opens(&read, ring).map_err(|error| error.to_string())?;
    for name in [
        "due_at_ms",
        "due_shard",
        "found_alive_at_ms",
        // A code of back then has expired.
        "pending",
        "refresh_after_ms",
        "refused_at_ms",
        "seal_shard",
    ] {
        row.remove(name);
    }
    // The process that was refreshing them at the time of the backup ended long ago.
    for pairs in ["pair", "superseded"] {
        if let Some(AttributeValue::L(pairs)) = row.get_mut(pairs) {
            for pair in pairs {
                if let AttributeValue::M(pair) = pair {
                    pair.remove("lease");
                }
            }
        }
    }
    if read.health == Health::Active {
        row.insert("health".to_owned(), string(Health::Unverified.key()));
    }
    // A backup that is put back is not news, so nothing is published about it: see `changes`.
    row.insert("imported_at_ms".to_owned(), number(now.0));
    // It may have been claimed since the backup, so its person gets time to connect again.
    if read.is_unclaimed() {
        row.insert("claim_by_ms".to_owned(), number(now.0.saturating_add(CLAIM_AGAIN_MS)));
    }
    if let Some(oldest) = read.oldest_key() {
        row.insert("seal_shard".to_owned(), string(&due::seal_shard(&read.id, oldest)));
    }
    let exchanged_at_ms = integer(&row, "exchanged_at_ms").or(read.installed_at_ms).unwrap_or(0);
    Ok(Prepared::Installation(Box::new(Candidate {
        row,
        since_ms: exchanged_at_ms.max(read.removed_at_ms.unwrap_or(0)),
        forgotten_id: ring.forgotten_id(read.id.as_str()),
        prepared_at: now,
        read,
    })))
}

impl Candidate {
    /// Decides what to write over the existing row. Nothing that happened since the backup is undone, no pair is
    /// dropped while there is room for it, and no generation is used twice.
    fn over(
        &self,
        standing: Option<&Row>,
        forgotten: Option<Forgotten>,
        overwrite: bool,
    ) -> Result<Plan, StoreError> {
        if forgotten.is_some_and(|forgotten| forgotten.removed_at_ms >= self.since_ms) {
            return Ok(Plan::Keep(Imported::Forgotten));
        }
        let mut row = self.row.clone();
        let mut generation =
            forgotten.map_or(0, |forgotten| forgotten.generation.saturating_add(1)).max(self.read.generation);
        let mut version = self.read.version;
        let mut dropped_bots = Vec::new();
        if let Some(standing_row) = standing {
            let standing = row::read(standing_row)?;
            if !self.may_replace(&standing, standing_row, overwrite) {
                return Ok(Plan::Keep(Imported::KeptNewer));
            }
            let is_same = |pair: &SealedPair| {
                self.read.pair.as_ref().is_some_and(|ours| ours.access_fingerprint == pair.access_fingerprint)
            };
            let same_pair = standing.pair.as_ref().is_some_and(is_same);
            generation = generation.max(standing.generation.saturating_add(u64::from(!same_pair)));
            version = version.max(standing.version);
            // Whose it is now stays so. What was removed since comes back with the links of then.
            if standing.health != Health::Removed {
                for name in OWNERSHIP {
                    match standing_row.get(name) {
                        Some(now) => row.insert(name.to_owned(), now.clone()),
                        None => row.remove(name),
                    };
                }
            }
            dropped_bots = keep_pairs_of(&mut row, standing_row);
        }
        row.insert("generation".to_owned(), number(generation));
        row.insert("version".to_owned(), number(version.saturating_add(1)));
        let merged = row::read(&row)?;
        // The sweep has nothing to do for a tombstone whose tokens are revoked and whose links are gone.
        if merged.health != Health::Removed
            || merged.forget
            || merged.pairs().next().is_some()
            || !merged.subjects.is_empty()
        {
            let due = due::due_attributes(&self.read.id, self.prepared_at.0);
            row.extend(due.map(|(name, value)| (name.to_owned(), value)));
        }
        if let Some(oldest) = row::oldest_key_in(&row)? {
            row.insert("seal_shard".to_owned(), string(&due::seal_shard(&self.read.id, oldest)));
        }
        Ok(Plan::Write { row, dropped_bots })
    }

    fn may_replace(&self, standing: &Installation, standing_row: &Row, overwrite: bool) -> bool {
        let exchanged_at_ms = integer(standing_row, "exchanged_at_ms").unwrap_or(0);
        let removed = standing.health == Health::Removed;
        // Tokens that are still to be revoked at Notion, or a person who is still to be forgotten.
        if removed && (standing.forget || standing.pairs().next().is_some()) {
            return false;
        }
        // A refresh token that was consumed since must not be sent again.
        let refresh = self.read.refresh_fingerprint();
        if refresh.is_some_and(|refresh| standing.used_up.contains(refresh)) {
            return false;
        }
        // A removal from back then must not remove a later install.
        if self.read.health == Health::Removed && !removed && exchanged_at_ms > self.since_ms {
            return false;
        }
        // That the grant was dead back then says nothing about the present one.
        if self.read.health == Health::NeedsReinstall
            && matches!(standing.health, Health::Active | Health::Unverified)
        {
            return false;
        }
        overwrite
            || (standing.version < self.read.version
                && exchanged_at_ms <= self.since_ms
                && standing.removed_at_ms.is_none_or(|removed_at_ms| removed_at_ms < self.since_ms))
    }
}

enum Plan {
    Write {
        row: Row,
        /// Of the superseded pairs for which there was no room.
        dropped_bots: Vec<String>,
    },
    Keep(Imported),
}

/// Keeps the pairs of the existing row beside the pair of the backup, its current one next in line. Returns the bots of
/// the pairs for which there was no room.
fn keep_pairs_of(row: &mut Row, standing: &Row) -> Vec<String> {
    let fingerprint = |pair: &AttributeValue| {
        pair.as_m().ok().and_then(|pair| text(pair, "access_fingerprint")).map(str::to_owned)
    };
    let mut kept: Vec<AttributeValue> = list(row, "superseded").to_vec();
    let mut known: Vec<String> = list(row, "pair").iter().chain(&kept).filter_map(fingerprint).collect();
    for pair in list(standing, "superseded").iter().chain(list(standing, "pair")) {
        let Some(of_pair) = fingerprint(pair) else { continue };
        if !known.contains(&of_pair) {
            known.push(of_pair);
            kept.push(pair.clone());
        }
    }
    let surplus = kept.len().saturating_sub(MAX_SUPERSEDED);
    let dropped: Vec<AttributeValue> = kept.drain(..surplus).collect();
    row.insert("superseded".to_owned(), AttributeValue::L(kept));
    let mut used_up = list(row, "used_up").to_vec();
    used_up.extend(
        list(standing, "used_up").iter().filter(|used| !list(row, "used_up").contains(used)).cloned(),
    );
    used_up.drain(..used_up.len().saturating_sub(MAX_USED_UP));
    row.insert("used_up".to_owned(), AttributeValue::L(used_up));
    let bot_of = |pair: &AttributeValue| text(pair.as_m().ok()?, "bot_id").map(str::to_owned);
    dropped.iter().filter_map(bot_of).collect()
}

/// Checks that the current tokens were sealed for this very row with this very ring. Those of another stack were not.
fn opens(row: &Installation, ring: &KeyRing) -> Result<(), OpenError> {
    let Some(pair) = &row.pair else { return Ok(()) };
    ring.open_access(row.id.as_str(), &pair.access)?;
    if let Some(refresh) = &pair.refresh {
        ring.open_refresh(row.id.as_str(), refresh)?;
    }
    Ok(())
}

impl Store {
    /// Writes a row from a backup, unless the existing one is newer or the person was forgotten since. With `overwrite`
    /// it also replaces a newer row, whose pairs are kept beside the backup's. It never replaces a tombstone whose
    /// tokens are still to be revoked. The row is vended only after Notion has confirmed it. Links that are missing are
    /// written again, also those of a row that stays.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been written. Repeating it is safe.
    pub async fn import(
        &self,
        row: HashMap<String, AttributeValue>,
        ring: &KeyRing,
        overwrite: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Imported, StoreError> {
        let importing = async {
            match prepare(row, ring, now) {
                Err(reason) => Ok(Imported::Unreadable(reason)),
                Ok(Prepared::Forgotten { row, forgotten }) => {
                    self.import_forgotten(row, forgotten, deadline).await
                }
                Ok(Prepared::Installation(candidate)) => {
                    self.import_installation(&candidate, overwrite, deadline).await
                }
            }
        };
        until(deadline, Box::pin(importing)).await?
    }

    async fn import_installation(
        &self,
        candidate: &Candidate,
        overwrite: bool,
        deadline: Instant,
    ) -> Result<Imported, StoreError> {
        loop {
            let standing = self.read_row(candidate.read.id.as_str(), deadline).await?;
            let forgotten = self.read_forgotten(&candidate.forgotten_id, deadline).await?;
            let (row, dropped_bots) = match candidate.over(standing.as_ref(), forgotten, overwrite)? {
                Plan::Keep(kept) => {
                    if let Some(standing) = standing
                        && !Box::pin(self.write_links_again(&candidate.read.id, &standing)).await?
                    {
                        continue;
                    }
                    return Ok(kept);
                }
                Plan::Write { row, dropped_bots } => (row, dropped_bots),
            };
            let subjects = row::read_subjects(&row);
            let put = Put::builder().table_name(&self.installations_table).set_item(Some(row));
            let put = match standing.as_ref().and_then(|standing| integer(standing, "version")) {
                None => put.condition_expression("attribute_not_exists(installation_id)"),
                Some(version) => put
                    .condition_expression(UNCHANGED)
                    .expression_attribute_values(":if_version", number(version)),
            };
            let put = TransactWriteItem::builder().put(put.build().map_err(not_built)?).build();
            let mut writes = vec![put, self.marker_unchanged(&candidate.forgotten_id, forgotten)?];
            let before = standing.as_ref().map(row::read_subjects).unwrap_or_default();
            writes.extend(self.replace_links(&candidate.read.id, &before, &subjects)?);
            if self.write_all(writes).await? {
                for bot_id in &dropped_bots {
                    report_dropped(bot_id);
                }
                return Ok(Imported::Written);
            }
        }
    }

    /// The links of a row that stays: their table may be what was lost. Returns false if the row has changed since it
    /// was read.
    async fn write_links_again(&self, id: &InstallationId, standing: &Row) -> Result<bool, StoreError> {
        let subjects = row::read_subjects(standing);
        if subjects.is_empty() {
            return Ok(true);
        }
        let unchanged = ConditionCheck::builder()
            .table_name(&self.installations_table)
            .key("installation_id", string(id.as_str()))
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":if_version", number(integer(standing, "version").unwrap_or(0)));
        let unchanged = unchanged.build().map_err(not_built)?;
        let mut writes = vec![TransactWriteItem::builder().condition_check(unchanged).build()];
        writes.extend(self.put_links(id, &subjects)?);
        self.write_all(writes).await
    }

    async fn import_forgotten(
        &self,
        mut row: Row,
        forgotten: Forgotten,
        deadline: Instant,
    ) -> Result<Imported, StoreError> {
        let key = text(&row, "installation_id").unwrap_or_default().to_owned();
        loop {
            let standing = self.read_forgotten(&key, deadline).await?;
            if standing.is_some_and(|standing| standing.removed_at_ms >= forgotten.removed_at_ms) {
                return Ok(Imported::KeptNewer);
            }
            let generation = standing.map_or(0, |standing| standing.generation).max(forgotten.generation);
            row.insert("generation".to_owned(), number(generation));
            let put = self.put_forgotten(row.clone(), standing)?;
            if self.write_all(vec![put]).await? {
                return Ok(Imported::Written);
            }
        }
    }
}

#[cfg(test)]
mod tests;
