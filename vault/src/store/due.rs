//! The sparse, sharded indexes: which rows the sweep has to look at, and which key sealed a row.
//!
//! | index | key | holds |
//! |---|---|---|
//! | `due` of the installations | `due_shard`, `due_at_ms` | what the sweep has to look at, and when |
//! | `sealed` of the installations | `seal_shard` | every row with tokens, by the oldest key among its seals |
//! | `workspace` of the installations | `workspace_id` | a workspace's installations |
//! | `bot` of the installations | `bot_id` | the row of an authorization, as alarms name it |
//! | `exchanging` of the claims | `exchanging_shard`, `claimed_at` | claims without an outcome |
//!
//! They hold keys only: a row is always read from the table, consistently.

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest as _, Sha256};
use shared::clock::{UnixMillis, UnixSeconds};
use tokio::time::Instant;

use super::item::{Row, number, string, text};
use super::{Store, StoreError, failed};
use crate::budget::until;
use crate::installation::InstallationId;
use crate::seal::KeyVersion;

/// How many partitions each index has, so that neither a busy workspace nor a busy minute makes a hot one.
pub const SHARDS: u8 = 16;
/// When the sweep first looks at a new installation, in milliseconds: after a day, so that superseded pairs are not
/// kept for long.
pub const FIRST_LOOK_MS: u64 = 86_400_000;

/// The partition of a key, as a hexadecimal digit.
pub(super) fn shard_of(key: &str) -> String {
    format!("{:x}", Sha256::digest(key.as_bytes())[0] % SHARDS)
}

/// The partition of a row in the index `sealed`.
pub(super) fn seal_shard(id: &InstallationId, oldest: KeyVersion) -> String {
    format!("{}/{}", oldest.0, shard_of(id.as_str()))
}

/// A page of keys, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<K> {
    /// The keys.
    pub keys: Vec<K>,
    /// Where to continue, if there is more.
    pub next: Option<Next>,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Next(pub(super) Row);

struct Index {
    table: Table,
    name: &'static str,
    partition: (&'static str, String),
    /// The sort key, and its largest value.
    up_to: Option<(&'static str, u64)>,
    key: &'static str,
    /// How many keys a page has at most; by default as many as DynamoDB returns.
    limit: Option<u16>,
}

impl Index {
    fn of_installations(
        name: &'static str,
        partition: (&'static str, String),
        up_to: Option<(&'static str, u64)>,
    ) -> Self {
        Self { table: Table::Installations, name, partition, up_to, key: "installation_id", limit: None }
    }
}

#[derive(Clone, Copy)]
enum Table {
    Installations,
    Claims,
}

impl Store {
    /// Installations of one partition that are due, those due longest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn due(
        &self,
        shard: u8,
        now: UnixMillis,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let index =
            Index::of_installations("due", ("due_shard", format!("{shard:x}")), Some(("due_at_ms", now.0)));
        self.installation_keys(index, after, deadline).await
    }

    /// Installations of one partition whose oldest seal is of this version.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn sealed_with(
        &self,
        version: KeyVersion,
        shard: u8,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let index =
            Index::of_installations("sealed", ("seal_shard", format!("{}/{shard:x}", version.0)), None);
        self.installation_keys(index, after, deadline).await
    }

    /// The installations of a workspace.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_workspace(
        &self,
        workspace_id: &str,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let index = Index::of_installations("workspace", ("workspace_id", workspace_id.to_owned()), None);
        self.installation_keys(index, after, deadline).await
    }

    /// The installations of a bot that an alarm names: one, unless Notion gave the same bot to two people.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_bot(&self, bot_id: &str, deadline: Instant) -> Result<Page<InstallationId>, StoreError> {
        let index = Index::of_installations("bot", ("bot_id", bot_id.to_owned()), None);
        self.installation_keys(index, None, deadline).await
    }

    /// The keys of one partition's claims that were made up to `claimed_before` and have no outcome yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn exchanging(
        &self,
        shard: u8,
        claimed_before: UnixSeconds,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<String>, StoreError> {
        let index = Index {
            table: Table::Claims,
            name: "exchanging",
            partition: ("exchanging_shard", format!("{shard:x}")),
            up_to: Some(("claimed_at", claimed_before.0)),
            key: "claim",
            limit: None,
        };
        self.keys(index, after, deadline).await
    }

    /// At most `limit` installations of a workspace after the one named `after`, tombstones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn page_of_workspace(
        &self,
        workspace_id: &str,
        after: Option<&InstallationId>,
        limit: u16,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let index = Index {
            limit: Some(limit),
            ..Index::of_installations("workspace", ("workspace_id", workspace_id.to_owned()), None)
        };
        let after = after.map(|id| {
            Next(Row::from([
                ("workspace_id".to_owned(), string(workspace_id)),
                ("installation_id".to_owned(), string(id.as_str())),
            ]))
        });
        self.installation_keys(index, after, deadline).await
    }

    async fn installation_keys(
        &self,
        index: Index,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let page = self.keys(index, after, deadline).await?;
        let keys = page.keys.iter().map(|key| InstallationId::of_row(key)).collect();
        Ok(Page { keys, next: page.next })
    }

    async fn keys(
        &self,
        index: Index,
        after: Option<Next>,
        deadline: Instant,
    ) -> Result<Page<String>, StoreError> {
        let table = match index.table {
            Table::Installations => &self.installations_table,
            Table::Claims => &self.claims_table,
        };
        let (partition, value) = index.partition;
        let mut query = self
            .client
            .query()
            .table_name(table)
            .index_name(index.name)
            .expression_attribute_values(":partition", string(&value))
            .set_limit(index.limit.map(i32::from))
            .set_exclusive_start_key(after.map(|Next(key)| key));
        query = match index.up_to {
            None => query.key_condition_expression(format!("{partition} = :partition")),
            Some((sort, up_to)) => query
                .key_condition_expression(format!("{partition} = :partition AND {sort} <= :up_to"))
                .expression_attribute_values(":up_to", number(up_to)),
        };
        let answer = until(deadline, query.send()).await?.map_err(|error| failed(&error))?;
        let keys = answer.items().iter().filter_map(|row| text(row, index.key)).map(str::to_owned).collect();
        let next = answer.last_evaluated_key().filter(|key| !key.is_empty()).cloned().map(Next);
        Ok(Page { keys, next })
    }
}

/// The attributes that put a row on the sweep's list.
pub(super) fn due_attributes(id: &InstallationId, at_ms: u64) -> [(&'static str, AttributeValue); 2] {
    [("due_shard", string(&shard_of(id.as_str()))), ("due_at_ms", number(at_ms))]
}
