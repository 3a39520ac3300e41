//! The rescue queue: holds a sealed pair that the table did not accept.
//!
//! It is a failure domain of its own: SQS, encrypted by SQS. A replay saves a record under the same conditions as the
//! callback would have. It drops a record whose claim says `not_saved`: the queue's reply was lost, so the grant was
//! revoked.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::config::{ConfigError, Lookup, required};
use shared::flow::ClaimKey;
use tokio::time::Instant;

use crate::aws::LazySqs;
use crate::budget::{OutOfTime, until};
use crate::installation::{InstallationId, NewInstallation};
use crate::store::Refreshed;

/// A record in the queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescueRecord {
    /// The format: 1.
    pub format: u32,
    /// What the table did not accept.
    #[serde(flatten)]
    pub rescued: Rescued,
}

/// What the table did not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rescued {
    /// A new installation.
    Install {
        /// The claim to settle.
        claim: String,
        /// The installation to save.
        installation: Box<NewInstallation>,
    },
    /// A refreshed pair.
    Refresh {
        /// The pair to save.
        refreshed: Box<Refreshed>,
    },
}

impl Rescued {
    /// As a record for the queue.
    #[must_use]
    pub fn record(self) -> RescueRecord {
        RescueRecord { format: 1, rescued: self }
    }
}

/// A record from the queue. It is received again unless it is deleted.
#[derive(Debug, Clone)]
pub struct Received {
    /// The record; `None` if it cannot be read.
    pub record: Option<RescueRecord>,
    /// Whose it is, even if this release cannot read the rest.
    pub whose: Option<Whose>,
    receipt: String,
}

/// What a record of any release says about its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The installation.
    pub id: InstallationId,
    /// The claim that waits for it.
    pub claim: Option<ClaimKey>,
}

impl Whose {
    fn read(record: &Value) -> Option<Self> {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let id = text("/installation/id").or_else(|| text("/refreshed/id"))?;
        Some(Self { id: InstallationId::of_row(id), claim: text("/claim").map(ClaimKey::of_row) })
    }
}

/// How long a received record is hidden from others, in seconds: longer than a sweep runs (240).
const VISIBILITY_SECS: i32 = 270;
/// The same for a record that is only looked at: long enough to page through all of them.
const LOOK_VISIBILITY_SECS: i32 = 30;
/// How many batches of ten records are looked at. If there are more, it is unknown whose they are.
const MAX_LOOKS: u32 = 20;

/// The queue.
#[derive(Debug, Clone)]
pub struct RescueQueue {
    sqs: LazySqs,
    queue_url: String,
}

/// A request to the queue failed.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// SQS answered with an error, or not at all.
    #[error("SQS failed: {0}")]
    Failed(String),
    /// It did not answer in time.
    #[error(transparent)]
    OutOfTime(#[from] OutOfTime),
}

impl RescueQueue {
    /// Reads `RESCUE_QUEUE_URL`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, sqs: LazySqs) -> Result<Self, ConfigError> {
        Ok(Self { sqs, queue_url: required(lookup, "RESCUE_QUEUE_URL")? })
    }

    /// Puts a record into the queue. Trying again is harmless: replaying is idempotent.
    ///
    /// # Errors
    ///
    /// [`RescueError`].
    pub async fn send(&self, record: &RescueRecord, deadline: Instant) -> Result<(), RescueError> {
        let body = serde_json::to_string(record).map_err(|error| RescueError::Failed(error.to_string()))?;
        // SQS accepts any character but these two, which a name may contain.
        let body = body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
        let send = self.sqs.get().send_message().queue_url(&self.queue_url).message_body(body).send();
        until(deadline, send).await?.map(|_| ()).map_err(|error| failed(&error))
    }

    /// The queue at another URL, with the same client.
    #[must_use]
    pub fn at(&self, queue_url: String) -> Self {
        Self { sqs: self.sqs.clone(), queue_url }
    }

    /// Receives up to ten records. Each is received again after a while, unless it is deleted.
    ///
    /// # Errors
    ///
    /// [`RescueError`].
    pub async fn receive(&self, deadline: Instant) -> Result<Vec<Received>, RescueError> {
        self.receive_hiding(VISIBILITY_SECS, deadline).await
    }

    /// Looks at every record and leaves it in the queue. `None` if there are too many, or if some are hidden.
    ///
    /// # Errors
    ///
    /// [`RescueError`].
    pub async fn look(&self, deadline: Instant) -> Result<Option<Vec<Received>>, RescueError> {
        let mut all = Vec::new();
        for _ in 0..MAX_LOOKS {
            let some = self.receive_hiding(LOOK_VISIBILITY_SECS, deadline).await?;
            if some.is_empty() {
                let waiting = self.waiting(deadline).await?;
                return Ok((u64::try_from(all.len()) == Ok(waiting)).then_some(all));
            }
            all.extend(some);
        }
        Ok(None)
    }

    async fn receive_hiding(
        &self,
        visibility_secs: i32,
        deadline: Instant,
    ) -> Result<Vec<Received>, RescueError> {
        let receive = self
            .sqs
            .get()
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .visibility_timeout(visibility_secs)
            // Long polling asks every server of the queue. Short polling would miss records.
            .wait_time_seconds(1)
            .send();
        let answer = until(deadline, receive).await?.map_err(|error| failed(&error))?;
        let received = answer.messages().iter().filter_map(|message| {
            let json = message.body().and_then(|body| serde_json::from_str::<Value>(body).ok());
            let whose = json.as_ref().and_then(Whose::read);
            let record = json.and_then(|json| serde_json::from_value::<RescueRecord>(json).ok());
            let record = record.filter(|record| record.format == 1);
            Some(Received { record, whose, receipt: message.receipt_handle()?.to_owned() })
        });
        Ok(received.collect())
    }

    /// How many records there are, including those hidden by another receiver.
    ///
    /// # Errors
    ///
    /// [`RescueError`].
    pub async fn waiting(&self, deadline: Instant) -> Result<u64, RescueError> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        };
        let counts = [
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        ];
        let ask = self
            .sqs
            .get()
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .set_attribute_names(Some(counts.to_vec()))
            .send();
        let answer = until(deadline, ask).await?.map_err(|error| failed(&error))?;
        let unreadable = || RescueError::Failed("no message counts".to_owned());
        let found = answer.attributes().ok_or_else(unreadable)?;
        let count = |name: &QueueAttributeName| found.get(name)?.parse::<u64>().ok();
        count(&counts[0]).ok_or_else(unreadable)?;
        Ok(counts.iter().filter_map(count).sum())
    }

    /// `delete_rescued`: deletes a record from the queue, once it is safe elsewhere.
    ///
    /// # Errors
    ///
    /// [`RescueError`]; it is received again.
    pub async fn delete_rescued(&self, received: &Received, deadline: Instant) -> Result<(), RescueError> {
        let delete = self
            .sqs
            .get()
            .delete_message()
            .queue_url(&self.queue_url)
            .receipt_handle(&received.receipt)
            .send();
        until(deadline, delete).await?.map(|_| ()).map_err(|error| failed(&error))
    }
}

fn failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> RescueError {
    RescueError::Failed(match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        error => error.to_string(),
    })
}
