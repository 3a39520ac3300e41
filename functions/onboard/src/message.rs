//! The messages of the queue: events of the bus, and orders of the operator.

use serde::Deserialize;
use vault::installation::InstallationId;

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

impl Asked {
    /// Reads the body of a message.
    pub(crate) fn read(body: &str) -> Option<Self> {
        let envelope: Envelope = serde_json::from_str(body).ok()?;
        let (installation, again) = match (envelope.detail, envelope.onboard) {
            (Some(detail), None) => (detail.data.installation, false),
            (None, Some(order)) => (order.installation, order.again),
            _ => return None,
        };
        Some(Self { id: InstallationId::of_opaque(&installation)?, again })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vault::onboarding::order;

    use super::*;

    #[test]
    fn an_event_and_an_order_name_an_installation() {
        let id = InstallationId::of_user("w", Some("u"));
        let event = json!({"detail-type": "installation.claimed", "detail": {"type": "installation.claimed", "data": {"installation": id.to_opaque()}}});
        assert_eq!(Asked::read(&event.to_string()), Some(Asked { id: id.clone(), again: false }));
        assert_eq!(Asked::read(&order(&id, true).to_string()), Some(Asked { id, again: true }));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"detail":{"data":{"installation":"x"}}}"#,
            r#"{"onboard":{"installation":1}}"#,
        ] {
            assert_eq!(Asked::read(body), None, "{body}");
        }
    }
}
