//! A queue of the stack: how much waits in it, and moving its dead letters back.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use tokio::time::{Instant, sleep};

use crate::aws::{Aws, in_words};
use crate::outcome::Failure;

/// How long SQS may take to move the messages, in seconds.
const MOVE_LIMIT_SECS: u64 = 600;
/// How often to ask whether it is done, in milliseconds.
const ASK_EVERY_MS: u64 = 1000;

/// A queue.
pub(crate) struct Queue<'a> {
    aws: &'a Aws,
    url: &'a str,
}

impl<'a> Queue<'a> {
    pub(crate) fn of(aws: &'a Aws, url: &'a str) -> Self {
        Self { aws, url }
    }

    async fn attributes(&self, names: &[QueueAttributeName]) -> Result<Vec<String>, Failure> {
        let asked = self.aws.sqs.get_queue_attributes().queue_url(self.url);
        let answer = asked.set_attribute_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(|error| Failure::Unknown(format!("SQS: {}", in_words(&error))))?;
        let found = |name| answer.attributes().and_then(|all| all.get(name)).cloned();
        names
            .iter()
            .map(|name| {
                found(name).ok_or_else(|| Failure::Unknown(format!("SQS: no {name} of {}", self.url)))
            })
            .collect()
    }

    /// How many messages are waiting, including those that are being processed.
    pub(crate) async fn waiting(&self) -> Result<u64, Failure> {
        let counts = self
            .attributes(&[
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ])
            .await?;
        Ok(counts.iter().filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    pub(crate) async fn arn(&self) -> Result<String, Failure> {
        Ok(self.attributes(&[QueueAttributeName::QueueArn]).await?.remove(0))
    }
}

/// Starts SQS's move of the messages, and waits until it is done.
pub(crate) async fn move_back(aws: &Aws, from: &str, to: &str) -> Result<(), Failure> {
    let start = aws.sqs.start_message_move_task().source_arn(from).destination_arn(to).send();
    start.await.map_err(|error| Failure::Unknown(format!("SQS: {}", in_words(&error))))?;
    let until = Instant::now() + Duration::from_secs(MOVE_LIMIT_SECS);
    loop {
        let tasks = aws.sqs.list_message_move_tasks().source_arn(from).send().await;
        let tasks = tasks.map_err(|error| Failure::Unknown(format!("SQS: {}", in_words(&error))))?;
        // The newest comes first.
        let task = tasks.results().first();
        match task.and_then(|task| task.status()) {
            Some("COMPLETED") => return Ok(()),
            Some("FAILED" | "CANCELLED" | "CANCELLING") => {
                let why = task.and_then(|task| task.failure_reason()).unwrap_or("it was cancelled");
                return Err(Failure::Unknown(format!("SQS did not move all dead letters back: {why}")));
            }
            _ if Instant::now() >= until => {
                let told = "SQS is still moving dead letters: run the command again in a few minutes";
                return Err(Failure::Unknown(told.to_owned()));
            }
            _ => sleep(Duration::from_millis(ASK_EVERY_MS)).await,
        }
    }
}
