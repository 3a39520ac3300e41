//! A queue from which a function takes its work, and its dead letters: a message stays until its work is done.

use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::Value;
use shared::clock::UnixMillis;
use shared::config::{ConfigError, Lookup, required};
use tokio::time::Instant;

use crate::aws::LazySqs;
use crate::budget::until;

/// The longest time for which a message is hidden. SQS hides one for 12 hours at most, counted from when it was received, and
/// refuses more; this leaves five minutes for the try.
pub const LONGEST_GAP: Duration = Duration::from_mins(12 * 60 - 5);

/// A message that was received.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its id.
    pub id: &'a str,
    /// What hides it.
    pub receipt: &'a str,
    /// As it was sent.
    pub body: &'a str,
    /// When it was sent.
    pub sent_at: UnixMillis,
}

impl<'a> Message<'a> {
    /// Reads a record of an event for Lambda; `None` if it is none of a queue.
    #[must_use]
    pub fn read(record: &'a Value) -> Option<Self> {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        Some(Self {
            id: text("/messageId")?,
            receipt: text("/receiptHandle")?,
            body: text("/body")?,
            sent_at: UnixMillis(text("/attributes/SentTimestamp")?.parse().ok()?),
        })
    }

    /// How old it is.
    #[must_use]
    pub fn age(&self, now: UnixMillis) -> Duration {
        Duration::from_millis(now.0.saturating_sub(self.sent_at.0))
    }
}

/// The queue.
#[derive(Debug, Clone)]
pub struct WorkQueue {
    sqs: LazySqs,
    queue_url: String,
    dead_letters_url: String,
}

impl WorkQueue {
    /// Reads the addresses of the queue and of its dead letters from these variables.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(
        lookup: &impl Lookup,
        sqs: LazySqs,
        queue: &'static str,
        dead_letters: &'static str,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            sqs,
            queue_url: required(lookup, queue)?,
            dead_letters_url: required(lookup, dead_letters)?,
        })
    }

    /// A message comes again after `gap`, not before. If the queue cannot be told, it comes sooner or later than that.
    pub async fn hide(&self, message: &Message<'_>, gap: Duration, deadline: Instant) {
        if let Err(error) = self.ask_to_hide(message.receipt, gap, deadline).await {
            tracing::warn!(error, "a message comes again at another time than it should");
        }
    }

    /// Copies a message to the dead letters, with the reason. Returns whether it is there; if not, it has to stay in the
    /// queue.
    pub async fn put_aside(&self, message: &Message<'_>, why: &str, deadline: Instant) -> bool {
        let copied = self.copy_to_dead_letters(message.body, why, deadline).await;
        copied
            .inspect_err(|error| tracing::warn!(error, "a message could not be put aside: it comes again"))
            .is_ok()
    }

    async fn ask_to_hide(&self, receipt: &str, gap: Duration, deadline: Instant) -> Result<(), String> {
        let hide = self
            .sqs
            .get()
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(gap.as_secs()).unwrap_or(i32::MAX))
            .send();
        let hidden = until(deadline, hide).await.map_err(|error| error.to_string())?;
        hidden.map(|_| ()).map_err(|error| in_words(&error))
    }

    async fn copy_to_dead_letters(&self, body: &str, why: &str, deadline: Instant) -> Result<(), String> {
        let why = MessageAttributeValue::builder().data_type("String").string_value(why).build();
        let copy = self
            .sqs
            .get()
            .send_message()
            .queue_url(&self.dead_letters_url)
            .message_body(body)
            .message_attributes("why", why.map_err(|error| error.to_string())?)
            .send();
        let copied = until(deadline, copy).await.map_err(|error| error.to_string())?;
        copied.map(|_| ()).map_err(|error| in_words(&error))
    }
}

fn in_words<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        error => error.to_string(),
    }
}
