//! A stand-in for the queues and their dead letters: sending, receiving, hiding, deleting, counting, moving back.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// After how many receipts a rescue record becomes a dead letter, as in the template.
pub const MAX_RECEIVES: u64 = 100;
/// For how long a message may be hidden, from when it was received, in milliseconds.
const MAX_HIDDEN_MS: u64 = 12 * 3_600_000;
/// The rescue queue's name.
const RESCUE: &str = "rescue";
/// The name of the queue of webhooks.
const WEBHOOKS: &str = "webhook";
/// The name of the queue of onboardings.
const ONBOARDINGS: &str = "onboarding";
/// The suffix of a queue's dead letters, in their URL and their ARN.
const DEAD_LETTERS: &str = "-dead-letters";

/// The queues, in memory. A received message stays hidden for its visibility timeout, by the functions' clock.
pub struct Queue {
    messages: Mutex<Vec<Message>>,
    /// The tasks that moved dead letters back: how many messages each moved.
    moves: Mutex<Vec<usize>>,
    clock: Arc<dyn Clock>,
}

struct Message {
    number: u64,
    /// The queue that it was sent to.
    queue: String,
    body: String,
    sent_at_ms: u64,
    receives: u64,
    received_at_ms: u64,
    visible_at_ms: u64,
    is_dead: bool,
}

/// A message that was received, for who takes the part of Lambda.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The message's id.
    pub message_id: String,
    /// The receipt handle.
    pub handle: String,
    /// The body.
    pub body: String,
    /// When it was sent, in milliseconds since the epoch.
    pub sent_at_ms: u64,
    /// How often it was received.
    pub receives: u64,
}

impl Receipt {
    /// The record of an event for Lambda, from a queue of this name.
    #[must_use]
    pub fn record(&self, queue: &str) -> Value {
        json!({
            "messageId": self.message_id,
            "receiptHandle": self.handle,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": self.receives.to_string(),
                "SentTimestamp": self.sent_at_ms.to_string(),
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
            "awsRegion": "us-east-1",
        })
    }
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

    /// The bodies of the rescued records in order, including hidden ones.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.bodies(Place::of(RESCUE))
    }

    /// The bodies of the rescue queue's dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<String> {
        self.bodies(Place { queue: RESCUE, is_dead: true })
    }

    /// The bodies of the webhooks that wait, in order, including hidden ones.
    #[must_use]
    pub fn webhooks(&self) -> Vec<String> {
        self.bodies(Place::of(WEBHOOKS))
    }

    /// The bodies of the webhooks that were given up.
    #[must_use]
    pub fn webhook_dead_letters(&self) -> Vec<String> {
        self.bodies(Place { queue: WEBHOOKS, is_dead: true })
    }

    /// The bodies of the messages that wait in the queue of onboardings, in order, including hidden ones.
    #[must_use]
    pub fn onboardings(&self) -> Vec<String> {
        self.bodies(Place::of(ONBOARDINGS))
    }

    /// The bodies of the queue of onboardings' dead letters.
    #[must_use]
    pub fn onboarding_dead_letters(&self) -> Vec<String> {
        self.bodies(Place { queue: ONBOARDINGS, is_dead: true })
    }

    /// When the next message of the queue of onboardings can be received, in milliseconds since the epoch.
    #[must_use]
    pub fn next_onboarding_at_ms(&self) -> Option<u64> {
        let messages = lock(&self.messages);
        let waiting = messages.iter().filter(|message| Place::of(ONBOARDINGS).holds(message));
        waiting.map(|message| message.visible_at_ms).min()
    }

    /// Delivers a rescued record a second time, as SQS may do with any message.
    pub fn deliver_again(&self, body: &str) {
        self.send(body, Place::of(RESCUE));
    }

    /// Moves every rescued record to the dead letters, as after too many receipts.
    pub fn put_aside_all(&self) {
        for message in lock(&self.messages).iter_mut().filter(|message| message.queue == RESCUE) {
            (message.is_dead, message.visible_at_ms) = (true, 0);
        }
    }

    /// Moves every dead letter back, as SQS does for the operator's `rescue`.
    pub fn bring_back_all(&self) {
        self.move_back(RESCUE);
    }

    /// Puts a webhook into its queue, as the bus's rule does.
    pub(crate) fn send_webhook(&self, body: &str) {
        self.send(body, Place::of(WEBHOOKS));
    }

    /// Receives webhooks as Lambda does.
    pub(crate) fn receive_webhooks(&self, most: usize, hidden_secs: u64) -> Vec<Receipt> {
        self.take(Place::of(WEBHOOKS), most, hidden_secs)
    }

    /// Puts a message into the queue of onboardings, as the bus's rule does.
    pub fn send_onboarding(&self, body: &str) {
        self.send(body, Place::of(ONBOARDINGS));
    }

    /// Receives messages of the queue of onboardings as Lambda does.
    #[must_use]
    pub fn receive_onboardings(&self, most: usize, hidden_secs: u64) -> Vec<Receipt> {
        self.take(Place::of(ONBOARDINGS), most, hidden_secs)
    }

    /// Deletes a message.
    pub fn delete(&self, handle: &str) {
        lock(&self.messages).retain(|message| message.receipt() != handle);
    }

    fn bodies(&self, place: Place<'_>) -> Vec<String> {
        let messages = lock(&self.messages);
        messages.iter().filter(|message| place.holds(message)).map(|message| message.body.clone()).collect()
    }

    fn send(&self, body: &str, place: Place<'_>) -> Value {
        let mut messages = lock(&self.messages);
        let number = messages.last().map_or(1, |last| last.number + 1);
        messages.push(Message {
            number,
            queue: place.queue.to_owned(),
            body: body.to_owned(),
            sent_at_ms: self.clock.now_millis().0,
            receives: 0,
            received_at_ms: 0,
            visible_at_ms: 0,
            is_dead: place.is_dead,
        });
        json!({"MessageId": format!("message-{number}")})
    }

    fn take(&self, place: Place<'_>, most: usize, hidden_secs: u64) -> Vec<Receipt> {
        let now = self.clock.now_millis().0;
        let mut messages = lock(&self.messages);
        let visible = |message: &&mut Message| place.holds(message) && message.visible_at_ms <= now;
        for message in messages.iter_mut().filter(visible) {
            message.is_dead |= message.queue == RESCUE && message.receives >= MAX_RECEIVES;
        }
        let taken = messages.iter_mut().filter(visible).take(most).map(|message| {
            message.receives += 1;
            message.received_at_ms = now;
            message.visible_at_ms = now + hidden_secs * 1000;
            Receipt {
                message_id: format!("message-{}", message.number),
                handle: message.receipt(),
                body: message.body.clone(),
                sent_at_ms: message.sent_at_ms,
                receives: message.receives,
            }
        });
        taken.collect()
    }

    fn receive(&self, request: &Value, place: Place<'_>) -> Value {
        let number = |name: &str, default: u64| request[name].as_u64().unwrap_or(default);
        let most = usize::try_from(number("MaxNumberOfMessages", 1)).unwrap_or(1);
        let received = self.take(place, most, number("VisibilityTimeout", 30));
        let received: Vec<Value> = received
            .into_iter()
            .map(|receipt| {
                json!({
                    "MessageId": receipt.message_id,
                    "ReceiptHandle": receipt.handle,
                    "Body": receipt.body,
                })
            })
            .collect();
        if received.is_empty() { json!({}) } else { json!({"Messages": received}) }
    }

    fn hide(&self, handle: &str, secs: u64) -> Reply {
        let now = self.clock.now_millis().0;
        match lock(&self.messages).iter_mut().find(|message| message.receipt() == handle) {
            Some(message) if now - message.received_at_ms + secs * 1000 > MAX_HIDDEN_MS => {
                Reply::error(400, "InvalidParameterValue")
            }
            Some(message) => {
                message.visible_at_ms = now + secs * 1000;
                Reply::ok(json!({}))
            }
            None => Reply::error(400, "ReceiptHandleIsInvalid"),
        }
    }

    fn attributes(&self, url: &str, place: Place<'_>) -> Value {
        let now = self.clock.now_millis().0;
        let messages = lock(&self.messages);
        let of_queue = messages.iter().filter(|message| place.holds(message));
        let (visible, hidden): (Vec<_>, Vec<_>) = of_queue.partition(|message| message.visible_at_ms <= now);
        let name = url.rsplit('/').next().unwrap_or_default();
        json!({"Attributes": {
            "ApproximateNumberOfMessages": visible.len().to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.len().to_string(),
            "QueueArn": format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
        }})
    }

    /// Moves all dead letters of a queue back immediately.
    fn move_back(&self, queue: &str) -> Value {
        let mut moved = 0;
        let place = Place { queue, is_dead: true };
        for message in lock(&self.messages).iter_mut().filter(|message| place.holds(message)) {
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

/// A queue, or its dead letters.
#[derive(Clone, Copy)]
struct Place<'a> {
    queue: &'a str,
    is_dead: bool,
}

impl<'a> Place<'a> {
    fn of(queue: &'a str) -> Self {
        Self { queue, is_dead: false }
    }

    /// From a URL or an ARN.
    fn named(name: &'a str) -> Self {
        let name = name.rsplit(['/', ':']).next().unwrap_or_default();
        match name.strip_suffix(DEAD_LETTERS) {
            Some(queue) => Self { queue, is_dead: true },
            None => Self::of(name),
        }
    }

    fn holds(&self, message: &Message) -> bool {
        (message.queue.as_str(), message.is_dead) == (self.queue, self.is_dead)
    }
}

impl Service for Queue {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let url = text("QueueUrl").unwrap_or_default();
        let place = Place::named(url);
        let from = text("SourceArn").map(Place::named).filter(|from| from.is_dead);
        match (operation, text("MessageBody"), text("ReceiptHandle"), from) {
            ("SendMessage", Some(message), ..) => Reply::ok(self.send(message, place)),
            ("ReceiveMessage", ..) => Reply::ok(self.receive(&request, place)),
            ("ChangeMessageVisibility", _, Some(handle), _) => {
                self.hide(handle, request["VisibilityTimeout"].as_u64().unwrap_or(0))
            }
            ("DeleteMessage", _, Some(handle), _) => {
                self.delete(handle);
                Reply::ok(json!({}))
            }
            ("GetQueueAttributes", ..) => Reply::ok(self.attributes(url, place)),
            ("StartMessageMoveTask", .., Some(from)) => Reply::ok(self.move_back(from.queue)),
            ("ListMessageMoveTasks", .., Some(_)) => Reply::ok(self.moves()),
            _ => Reply::error(400, "AWS.SimpleQueueService.UnsupportedOperation"),
        }
    }
}
