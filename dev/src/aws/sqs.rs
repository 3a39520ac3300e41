//! A stand-in for the rescue queue: `SendMessage`.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::wire::{Reply, Service, lock};

/// The queue, in memory.
#[derive(Default)]
pub struct Queue(Mutex<Vec<String>>);

impl Queue {
    /// The bodies of the messages, in their order.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

impl Service for Queue {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        match (operation, request.get("MessageBody").and_then(Value::as_str)) {
            ("SendMessage", Some(message)) => {
                let mut messages = lock(&self.0);
                messages.push(message.to_owned());
                Reply::ok(json!({"MessageId": format!("message-{}", messages.len())}))
            }
            _ => Reply::error(400, "AWS.SimpleQueueService.UnsupportedOperation"),
        }
    }
}
