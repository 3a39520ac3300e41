//! What AWS does between the services: takes the tables' streams to `publish`, what is on the bus to the queues of webhooks
//! and onboardings, and those to `webhook` and `onboard`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::entry::batch::item_id;
use tokio::sync::Mutex;

use crate::aws::{CLAIMS_TABLE, DynamoError, INSTALLATIONS_TABLE, ONBOARDING_TABLE, Queue, Receipt};
use crate::inside::Inside;

/// How many records `publish` gets at once, as in the template.
const RECORDS: usize = 50;
/// How many webhooks `webhook` gets at once, as in the template.
const WEBHOOKS: usize = 5;
/// For how long a received webhook is hidden, in seconds, as in the template.
const HIDDEN_SECS: u64 = 180;
/// For how long a received message of the queue of onboardings is hidden, in seconds, as in the template.
const ONBOARDING_HIDDEN_SECS: u64 = 360;
/// The events after which a workspace is prepared, as in the template.
const PREPARE_AFTER: [&str; 3] =
    ["installation.installed", "installation.reinstalled", "installation.claimed"];

/// How far each of them got.
pub(crate) struct EventSources {
    inside: Arc<Inside>,
    progress: Mutex<Progress>,
    /// Where the place in each stream is kept across restarts.
    file: Option<PathBuf>,
}

#[derive(Debug)]
struct Progress {
    /// The last record of each table that is published.
    published: BTreeMap<String, String>,
    /// How many events of the bus the rule has seen.
    seen: usize,
}

impl EventSources {
    /// Continues where `file` says.
    pub(crate) fn open(inside: Arc<Inside>, file: Option<PathBuf>) -> std::io::Result<Self> {
        let published = match file.as_deref().filter(|file| file.exists()) {
            Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
            None => BTreeMap::new(),
        };
        Ok(Self { inside, progress: Mutex::new(Progress { published, seen: 0 }), file })
    }
}

/// A batch could not be fetched, or the place in a stream could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The stream cannot be read.
    #[error(transparent)]
    Stream(#[from] DynamoError),
    /// The data folder cannot be written.
    #[error("the place in the streams cannot be kept")]
    File(#[from] std::io::Error),
}

impl EventSources {
    /// Publishes every change so far, and hands the events to the queue of webhooks. A batch that failed is left for the
    /// next time. Returns how many records are done.
    pub(crate) async fn publish_changes(&self) -> Result<usize, DeliveryError> {
        let mut progress = self.progress.lock().await;
        let mut done = 0;
        for (table, _) in [INSTALLATIONS_TABLE, CLAIMS_TABLE, ONBOARDING_TABLE] {
            loop {
                let after = progress.published.get(table).map(String::as_str);
                let records = self.inside.services.dynamodb.service().changes(table, after, RECORDS).await?;
                // The template's filter: of a ledger, only that it has ended.
                let is_told = |record: &&Value| {
                    let status = record.pointer("/dynamodb/NewImage/status/S").and_then(Value::as_str);
                    table != ONBOARDING_TABLE.0 || matches!(status, Some("completed" | "failed"))
                };
                let told: Vec<Value> = records.iter().filter(is_told).cloned().collect();
                let failed = self.failures("publish", &told).await;
                let is_again = |record: &Value| Some(&item_id(record)) == failed.first();
                let passed = records.iter().position(is_again).unwrap_or(records.len());
                let Some(last) = records[..passed].last().map(item_id) else {
                    break;
                };
                progress.published.insert(table.to_owned(), last);
                done += passed;
            }
        }
        let events = self.inside.services.event_bus.service().events();
        let queues = self.inside.services.queues.service();
        for event in &events[progress.seen..] {
            if self.inside.functions.webhook.is_some() {
                queues.send_webhook(&event.to_string());
            }
            let prepares = event["detail-type"].as_str().is_some_and(|kind| PREPARE_AFTER.contains(&kind));
            if prepares && self.inside.functions.onboard.is_some() {
                queues.send_onboarding(&event.to_string());
            }
        }
        progress.seen = events.len();
        if let Some(file) = self.file.as_ref().filter(|_| done > 0) {
            std::fs::write(file, serde_json::to_vec(&progress.published).unwrap_or_default())?;
        }
        Ok(done)
    }

    /// Sends the webhooks that are due, once each. Returns how many were taken from the queue for good.
    pub(crate) async fn deliver_webhooks(&self) -> usize {
        self.drain("webhook", |queue| queue.receive_webhooks(WEBHOOKS, HIDDEN_SECS)).await
    }

    /// Processes the messages of the queue of onboardings that are due, once each. Returns how many were taken from the
    /// queue for good.
    pub(crate) async fn prepare_workspaces(&self) -> usize {
        // One at a time, as in the template.
        self.drain("onboard", |queue| queue.receive_onboardings(1, ONBOARDING_HIDDEN_SECS)).await
    }

    async fn drain(&self, function: &str, receive: impl Fn(&Queue) -> Vec<Receipt>) -> usize {
        let mut done = 0;
        loop {
            let received = receive(self.inside.services.queues.service());
            if received.is_empty() {
                return done;
            }
            done += self.process(function, &received).await;
        }
    }

    /// Hands messages to a function, and deletes those that it does not want again. Returns how many those are.
    async fn process(&self, function: &str, received: &[Receipt]) -> usize {
        let records: Vec<Value> = received.iter().map(|receipt| receipt.record(function)).collect();
        let failed = self.failures(function, &records).await;
        let done = received.iter().filter(|receipt| !failed.contains(&receipt.message_id));
        let queue = self.inside.services.queues.service();
        done.map(|receipt| queue.delete(&receipt.handle)).count()
    }

    /// The records that a function wants again.
    async fn failures(&self, function: &str, records: &[Value]) -> Vec<String> {
        if records.is_empty() {
            return Vec::new();
        }
        let event = to_raw_value(&json!({"Records": records})).unwrap_or_default();
        let answer = self.inside.invoke(function, &event).await;
        let answer: Value =
            answer.and_then(|answer| serde_json::from_str(answer.get()).ok()).unwrap_or_default();
        let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
        failures.filter_map(|item| item["itemIdentifier"].as_str()).map(str::to_owned).collect()
    }
}
