//! A stand-in for the rescue queue: `SendMessage`, `ReceiveMessage`, `DeleteMessage`.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// The queue, in memory. A message that was received stays hidden for its visibility timeout, by the functions' clock.
pub struct Queue {
    messages: Mutex<Vec<Message>>,
    clock: Arc<dyn Clock>,
}

struct Message {
    number: u64,
    body: String,
    receives: u64,
    visible_at_ms: u64,
}

impl Message {
    /// Of its last receipt: an earlier one takes nothing off any more.
    fn receipt(&self) -> String {
        format!("receipt-{}-{}", self.number, self.receives)
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { messages: Mutex::default(), clock }
    }

    /// The bodies of the messages, in their order, hidden ones included.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        lock(&self.messages).iter().map(|message| message.body.clone()).collect()
    }

    fn send(&self, body: &str) -> Value {
        let mut messages = lock(&self.messages);
        let number = messages.last().map_or(1, |last| last.number + 1);
        messages.push(Message { number, body: body.to_owned(), receives: 0, visible_at_ms: 0 });
        json!({"MessageId": format!("message-{number}")})
    }

    fn receive(&self, request: &Value) -> Value {
        let number = |name: &str, default: u64| request[name].as_u64().unwrap_or(default);
        let (now, hidden_secs) = (self.clock.now_millis().0, number("VisibilityTimeout", 30));
        let most = usize::try_from(number("MaxNumberOfMessages", 1)).unwrap_or(1);
        let mut messages = lock(&self.messages);
        let visible = messages.iter_mut().filter(|message| message.visible_at_ms <= now).take(most);
        let received: Vec<Value> = visible
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
}

impl Service for Queue {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        match (operation, text("MessageBody"), text("ReceiptHandle")) {
            ("SendMessage", Some(message), _) => Reply::ok(self.send(message)),
            ("ReceiveMessage", ..) => Reply::ok(self.receive(&request)),
            ("DeleteMessage", _, Some(receipt)) => {
                lock(&self.messages).retain(|message| message.receipt() != receipt);
                Reply::ok(json!({}))
            }
            _ => Reply::error(400, "AWS.SimpleQueueService.UnsupportedOperation"),
        }
    }
}
