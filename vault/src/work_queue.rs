//! A queue from which a function takes its work, and its dead letters: a message stays until its work is done.

use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::MessageAttributeValue;
use shared::config::{ConfigError, Lookup, required};
use tokio::time::Instant;

use crate::aws::LazySqs;
use crate::budget::until;

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

    /// A message that was received comes again after `gap`, not before: at most 12 hours after it was received.
    ///
    /// # Errors
    ///
    /// The kind of failure.
    pub async fn hide(&self, receipt: &str, gap: Duration, deadline: Instant) -> Result<(), String> {
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

    /// Copies a message to the dead letters, with the reason.
    ///
    /// # Errors
    ///
    /// The kind of failure.
    pub async fn put_aside(&self, body: &str, why: &str, deadline: Instant) -> Result<(), String> {
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
