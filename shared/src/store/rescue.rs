//! The rescue queue: where a sealed installation waits when the table does not take it.
//!
//! A failure domain of its own: SQS, encrypted by SQS. Whoever replays a record saves it under the same
//! conditions as the callback would have, and drops one whose claim says `not_saved`: the reply of the queue was lost,
//! and the grant went back.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::budget::{OutOfTime, until};
use crate::config::{ConfigError, Lookup, required};
use crate::installation::NewInstallation;

/// What waits in the queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescueRecord {
    /// The format: 1.
    pub format: u32,
    /// The claim to settle.
    pub claim: String,
    /// The installation to save.
    pub installation: NewInstallation,
}

/// The queue.
#[derive(Debug, Clone)]
pub struct RescueQueue {
    client: Client,
    queue_url: String,
}

/// The queue did not take the record.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// It said no, or nothing.
    #[error("SQS did not take the record: {0}")]
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
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self { client, queue_url: required(lookup, "RESCUE_QUEUE_URL")? })
    }

    /// Puts a record into the queue. Trying again is harmless: replaying is idempotent.
    ///
    /// # Errors
    ///
    /// [`RescueError`].
    pub async fn send(&self, record: &RescueRecord, deadline: Instant) -> Result<(), RescueError> {
        let body = serde_json::to_string(record).map_err(|error| RescueError::Failed(error.to_string()))?;
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(body).send();
        match until(deadline, send).await? {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(service)) => {
                Err(RescueError::Failed(service.err().code().unwrap_or("unknown").to_owned()))
            }
            Err(error) => Err(RescueError::Failed(error.to_string())),
        }
    }
}
