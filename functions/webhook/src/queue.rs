//! The queue of webhooks, and its dead letters.

use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::MessageAttributeValue;
use shared::config::{ConfigError, Lookup, required};
use tokio::time::Instant;
use vault::aws::LazySqs;
use vault::budget::until;

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct WebhookQueue {
    sqs: LazySqs,
    queue_url: String,
    dead_letters_url: String,
}

impl WebhookQueue {
    /// Reads `WEBHOOK_QUEUE_URL` and `WEBHOOK_DEAD_LETTERS_URL`.
    pub(crate) fn read(lookup: &impl Lookup, sqs: LazySqs) -> Result<Self, ConfigError> {
        Ok(Self {
            sqs,
            queue_url: required(lookup, "WEBHOOK_QUEUE_URL")?,
            dead_letters_url: required(lookup, "WEBHOOK_DEAD_LETTERS_URL")?,
        })
    }

    /// A message that was received comes again after `gap`, not before. Returns the kind of failure, if it failed.
    pub(crate) async fn hide(&self, receipt: &str, gap: Duration, deadline: Instant) -> Result<(), String> {
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

    /// Copies a message to the dead letters, with the reason. Returns the kind of failure, if it failed.
    pub(crate) async fn put_aside(&self, body: &str, why: &str, deadline: Instant) -> Result<(), String> {
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
