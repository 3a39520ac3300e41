//! A stand-in for the rescue queue and its dead letters: sending, receiving, deleting, counting, moving back.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// After how many receipts a message becomes a dead letter, as in the template.
pub const MAX_RECEIVES: u64 = 100;
/// The suffix of the dead-letter queue, in its URL and its ARN.
const DEAD_LETTERS: &str = "-dead-letters";

/// The queue, in memory. A received message stays hidden for its visibility timeout, by the functions' clock.
pub struct Queue {
    messages: Mutex<Vec<Message>>,
    /// The tasks that moved dead letters back: how many messages each moved.
    moves: Mutex<Vec<usize>>,
    clock: Arc<dyn Clock>,
}

struct Message {
    number: u64,
    body: String,
    receives: u64,
    visible_at_ms: u64,
    is_dead: bool,
}

impl Message {
    /// The receipt handle of the last receipt. Earlier handles can no longer delete the message.
    fn receipt(&self) -> String {
        format!("receipt-{}-{}", self.number, self.receives)
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { messages: Mutex::default(), moves: Mutex::default(), clock }
    }

    /// The bodies of the messages in order, including hidden ones.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.bodies(false)
    }

    /// The bodies of the dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<String> {
        self.bodies(true)
    }

    /// Delivers a message a second time, as SQS may do with any message.
    pub fn deliver_again(&self, body: &str) {
        self.send(body, false);
    }

    /// Moves every message to the dead letters, as after too many receipts.
    pub fn put_aside_all(&self) {
        for message in lock(&self.messages).iter_mut() {
            (message.is_dead, message.visible_at_ms) = (true, 0);
        }
    }

    /// Moves every dead letter back, as SQS does for the operator's `rescue`.
    pub fn bring_back_all(&self) {
        self.move_back();
    }

    fn bodies(&self, are_dead: bool) -> Vec<String> {
        let messages = lock(&self.messages);
        messages
            .iter()
            .filter(|message| message.is_dead == are_dead)
            .map(|message| message.body.clone())
            .collect()
    }

    fn send(&self, body: &str, is_dead: bool) -> Value {
        let mut messages = lock(&self.messages);
        let number = messages.last().map_or(1, |last| last.number + 1);
        messages.push(Message { number, body: body.to_owned(), receives: 0, visible_at_ms: 0, is_dead });
        json!({"MessageId": format!("message-{number}")})
    }

    fn receive(&self, request: &Value, from_dead: bool) -> Value {
        let number = |name: &str, default: u64| request[name].as_u64().unwrap_or(default);
        let (now, hidden_secs) = (self.clock.now_millis().0, number("VisibilityTimeout", 30));
        let most = usize::try_from(number("MaxNumberOfMessages", 1)).unwrap_or(1);
        let mut messages = lock(&self.messages);
        let visible = |message: &&mut Message| message.is_dead == from_dead && message.visible_at_ms <= now;
        for message in messages.iter_mut().filter(visible) {
            message.is_dead |= message.receives >= MAX_RECEIVES;
        }
        let received: Vec<Value> = messages
            .iter_mut()
            .filter(visible)
            .take(most)
            .map(|message| {
                message.receives += 1;
                message.visible_at_ms = now + hidden_secs * 1000;
                json!({
                    "MessageId": format!("message-{}", message.number),
                    "ReceiptHandle": message.receipt(),
                    "Body": message.body,
                })
            })
            .collect();
        if received.is_empty() { json!({}) } else { json!({"Messages": received}) }
    }

    fn attributes(&self, url: &str, are_dead: bool) -> Value {
        let now = self.clock.now_millis().0;
        let messages = lock(&self.messages);
        let of_queue = messages.iter().filter(|message| message.is_dead == are_dead);
        let (visible, hidden): (Vec<_>, Vec<_>) = of_queue.partition(|message| message.visible_at_ms <= now);
        let name = url.rsplit('/').next().unwrap_or_default();
        json!({"Attributes": {
            "ApproximateNumberOfMessages": visible.len().to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.len().to_string(),
            "QueueArn": format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
        }})
    }

    /// Moves all dead letters back immediately.
    fn move_back(&self) -> Value {
        let mut moved = 0;
        for message in lock(&self.messages).iter_mut().filter(|message| message.is_dead) {
            (message.is_dead, message.receives, message.visible_at_ms) = (false, 0, 0);
            moved += 1;
        }
        let mut tasks = lock(&self.moves);
        tasks.push(moved);
        json!({"TaskHandle": format!("task-{}", tasks.len())})
    }

    /// The newest task comes first.
    fn moves(&self) -> Value {
        let moves = lock(&self.moves);
        let results: Vec<Value> = moves
            .iter()
            .rev()
            .map(|moved| json!({"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": moved}))
            .collect();
        json!({"Results": results})
    }
}

impl Service for Queue {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let url = text("QueueUrl").unwrap_or_default();
        let is_dead = url.ends_with(DEAD_LETTERS);
        match (operation, text("MessageBody"), text("ReceiptHandle"), text("SourceArn")) {
            ("SendMessage", Some(message), ..) => Reply::ok(self.send(message, is_dead)),
            ("ReceiveMessage", ..) => Reply::ok(self.receive(&request, is_dead)),
            ("DeleteMessage", _, Some(receipt), _) => {
                lock(&self.messages).retain(|message| message.receipt() != receipt);
                Reply::ok(json!({}))
            }
            ("GetQueueAttributes", ..) => Reply::ok(self.attributes(url, is_dead)),
            ("StartMessageMoveTask", .., Some(from)) if from.ends_with(DEAD_LETTERS) => {
                Reply::ok(self.move_back())
            }
            ("ListMessageMoveTasks", .., Some(from)) if from.ends_with(DEAD_LETTERS) => {
                Reply::ok(self.moves())
            }
            _ => Reply::error(400, "AWS.SimpleQueueService.UnsupportedOperation"),
        }
    }
}
