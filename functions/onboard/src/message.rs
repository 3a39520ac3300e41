//! The messages of the queue: events of the bus, and orders of the operator.

use serde::Deserialize;
use serde_json::{Value, json};
use vault::installation::InstallationId;

/// A message of the queue.
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    pub(crate) receipt: &'a str,
    pub(crate) body: &'a str,
    pub(crate) sent_at_ms: u64,
}

/// What a message asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: InstallationId,
    /// Also if it has stopped for good, and what was left out too.
    pub(crate) again: bool,
}

/// The bus's envelope around an event, or an order.
#[derive(Deserialize)]
struct Envelope {
    detail: Option<Detail>,
    onboard: Option<Order>,
}

#[derive(Deserialize)]
struct Detail {
    data: Named,
}

#[derive(Deserialize)]
struct Named {
    installation: String,
}

#[derive(Deserialize)]
struct Order {
    installation: String,
    #[serde(default)]
    again: bool,
}

/// The operator's order to prepare an installation's workspace. `again`: also if it has stopped for good.
#[must_use]
pub fn order(id: &InstallationId, again: bool) -> Value {
    json!({"onboard": {"installation": id.to_opaque(), "again": again}})
}

impl<'a> Message<'a> {
    pub(crate) fn read(record: &'a Value) -> Option<Self> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let sent_at_ms = record.pointer("/attributes/SentTimestamp")?.as_str()?.parse().ok()?;
        Some(Self {
            id: text("messageId")?,
            receipt: text("receiptHandle")?,
            body: text("body")?,
            sent_at_ms,
        })
    }

    pub(crate) fn asked(&self) -> Option<Asked> {
        let envelope: Envelope = serde_json::from_str(self.body).ok()?;
        let (installation, again) = match (envelope.detail, envelope.onboard) {
            (Some(detail), None) => (detail.data.installation, false),
            (None, Some(order)) => (order.installation, order.again),
            _ => return None,
        };
        Some(Asked { id: InstallationId::of_opaque(&installation)?, again })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Option<Asked> {
        Message { id: "m", receipt: "r", body, sent_at_ms: 0 }.asked()
    }

    #[test]
    fn an_event_and_an_order_name_an_installation() {
        let id = InstallationId::of_user("w", Some("u"));
        let event = json!({"detail-type": "installation.claimed", "detail": {"type": "installation.claimed", "data": {"installation": id.to_opaque()}}});
        assert_eq!(asked(&event.to_string()), Some(Asked { id: id.clone(), again: false }));
        assert_eq!(asked(&order(&id, true).to_string()), Some(Asked { id, again: true }));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"detail":{"data":{"installation":"x"}}}"#,
            r#"{"onboard":{"installation":1}}"#,
        ] {
            assert_eq!(asked(body), None, "{body}");
        }
    }
}
