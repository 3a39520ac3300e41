//! Moves dead letters back into the rescue queue, and runs a sweep that saves them.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::functions;
use crate::outcome::{Failure, Outcome};
use crate::queues::{Queue, move_back};
use crate::stack::Stack;

/// How many messages are waiting, including those that are being processed. SQS's numbers are approximate.
#[derive(Clone, Copy)]
struct Waiting {
    rescue: u64,
    dead: u64,
}

/// Moves the dead letters back and sweeps.
///
/// # Errors
///
/// [`Failure`]; nothing is lost, and it is safe to repeat.
pub async fn rescue(aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let queue = Queue::of(aws, stack.resource("RescueQueue")?);
    let dead = Queue::of(aws, stack.resource("RescueDeadLetters")?);
    let before = waiting(&queue, &dead).await?;
    if before.dead > 0 {
        move_back(aws, &dead.arn().await?, &queue.arn().await?).await?;
    }
    let swept = functions::sweep(aws, stack).await?;
    let after = waiting(&queue, &dead).await?;
    let left = after.rescue + after.dead > 0;
    let said = format!(
        "Before: {}. {}. Now: {}{}",
        before.in_words(),
        swept.said,
        after.in_words(),
        if left {
            ". The next sweep retries what was not saved: docs/runbook.md, \"RescueDeadLetters\""
        } else {
            ""
        }
    );
    let json = json!({"before": before.json(), "swept": swept.json, "after": after.json()});
    Ok(Outcome::unless(left || swept.needs_you, said, json))
}

async fn waiting(queue: &Queue<'_>, dead: &Queue<'_>) -> Result<Waiting, Failure> {
    Ok(Waiting { rescue: queue.waiting().await?, dead: dead.waiting().await? })
}

impl Waiting {
    fn in_words(self) -> String {
        format!("{} waiting for rescue, {} dead letters", self.rescue, self.dead)
    }

    fn json(self) -> Value {
        json!({"rescue": self.rescue, "dead_letters": self.dead})
    }
}
