//! Reads rows of the installations table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use tokio::time::Instant;

use super::item::{Row, string, text};
use super::row::{self, Installation};
use super::{Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;

/// How many rows DynamoDB reads at once.
pub const MAX_BATCH: usize = 100;

impl Store {
    /// Reads an installation, consistently.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_installation(
        &self,
        id: &InstallationId,
        deadline: Instant,
    ) -> Result<Option<Installation>, StoreError> {
        self.read_row(id.as_str(), deadline).await?.as_ref().map(row::read).transpose()
    }

    /// Reads any row of the table, consistently.
    pub(super) async fn read_row(&self, key: &str, deadline: Instant) -> Result<Option<Row>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.installations_table)
            .key("installation_id", string(key))
            .consistent_read(true)
            .send();
        Ok(until(deadline, get).await?.map_err(|error| failed(&error))?.item)
    }

    /// One cheap read that opens the connection before the first request.
    pub async fn warm_up(&self) {
        let get = self.client.get_item().table_name(&self.installations_table);
        if let Err(error) = get.key("installation_id", string("warm-up")).send().await {
            let error = failed(&error);
            tracing::debug!(error = &error as &dyn std::error::Error, "the DynamoDB warm-up failed");
        }
    }

    /// Reads up to [`MAX_BATCH`] installations at once, consistently, without their tokens. Those that do not exist are
    /// left out; the others have the order of `ids`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_facts(
        &self,
        ids: &[InstallationId],
        deadline: Instant,
    ) -> Result<Vec<Installation>, StoreError> {
        let mut rows: HashMap<String, Row> = HashMap::new();
        let mut left: Vec<Row> =
            ids.iter().map(|id| Row::from([("installation_id".to_owned(), string(id.as_str()))])).collect();
        while !left.is_empty() {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(left))
                .consistent_read(true)
                .projection_expression(FACTS.join(", "))
                .build()
                .map_err(not_built)?;
            let get = self.client.batch_get_item().request_items(&self.installations_table, keys).send();
            let answer = until(deadline, get).await?.map_err(|error| failed(&error))?;
            let found = answer.responses.unwrap_or_default().into_values().flatten();
            rows.extend(found.filter_map(|row| Some((text(&row, "installation_id")?.to_owned(), row))));
            left = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .flat_map(|rest| rest.keys)
                .collect();
        }
        ids.iter().filter_map(|id| rows.get(id.as_str())).map(row::read).collect()
    }
}

/// What a row says besides its tokens.
const FACTS: [&str; 22] = [
    "installation_id",
    "bot_id",
    "claim_by_ms",
    "client_id",
    "duplicated_template_id",
    "due_at_ms",
    "generation",
    "health",
    "installed_at_ms",
    "owned_since_ms",
    "owner_avatar_url",
    "owner_email",
    "owner_email_verified",
    "owner_name",
    "owner_user_id",
    "removed_at_ms",
    "subjects",
    "verified_at_ms",
    "version",
    "workspace_icon",
    "workspace_id",
    "workspace_name",
];
