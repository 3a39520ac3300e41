//! Endpoints that answered 410: nothing more is sent to them.
//!
//! A marker in the table of events, under a hash of the URL. So another URL starts afresh, and no URL stands in the table.

use aws_sdk_dynamodb::Client;
use sha2::{Digest as _, Sha256};
use shared::clock::UnixSeconds;
use shared::config::{ConfigError, Lookup, required};
use tokio::time::Instant;

use super::item::{number, string};
use super::{StoreError, failed};
use crate::budget::until;

/// The prefix of a marker's key. No event's id has it.
const PREFIX: &str = "webhook/";

/// The markers.
#[derive(Debug, Clone)]
pub struct StoppedEndpoints {
    client: Client,
    table: String,
}

impl StoppedEndpoints {
    /// Reads `EVENTS_TABLE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self { client, table: required(lookup, "EVENTS_TABLE")? })
    }

    /// Since when nothing is sent to `url`; `None` if it is in use.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn since(&self, url: &str, deadline: Instant) -> Result<Option<UnixSeconds>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("event_id", string(&key_of(url)));
        // After a resume, nothing of what is sent again may be held back.
        let get = get.consistent_read(true);
        let answer = until(deadline, get.send()).await?.map_err(|error| failed(&error))?;
        Ok(answer.item().map(|row| UnixSeconds(super::item::integer(row, "gone_at").unwrap_or(0))))
    }

    /// Nothing more is sent to `url`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn stop(&self, url: &str, now: UnixSeconds, deadline: Instant) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("event_id", string(&key_of(url)))
            .item("gone_at", number(now.0));
        until(deadline, put.send()).await?.map(|_| ()).map_err(|error| failed(&error))
    }

    /// `url` is in use again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn resume(&self, url: &str, deadline: Instant) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).key("event_id", string(&key_of(url)));
        until(deadline, delete.send()).await?.map(|_| ()).map_err(|error| failed(&error))
    }
}

fn key_of(url: &str) -> String {
    let hash = Sha256::digest(url.as_bytes());
    hash[..16].iter().fold(PREFIX.to_owned(), |key, byte| key + &format!("{byte:02x}"))
}
