//! Events of the queues of webhooks and of onboardings, which the bus fills.

use serde_json::{Value, json};
use vault::installation::InstallationId;
use vault::onboarding::order;

use super::sample::Sample;

const WORKSPACE_ID: &str = "00000000-0000-4000-8000-0000000000aa";
const USER_ID: &str = "00000000-0000-4000-8000-0000000000bb";
const SUBJECT: &str = "a sample user";

/// The samples with the time `arrived_at_ms`. Nobody has installed, so no workspace is prepared.
pub(super) fn samples(arrived_at_ms: u64) -> Vec<Sample> {
    let refused = event("install.refused", &json!({"flow": "5a3c5a3c5a3c5a3c", "reason": "refused"}));
    let id = InstallationId::of_user(WORKSPACE_ID, Some(USER_ID));
    let installed = installation(&id);
    let mut claimed = installed.clone();
    claimed["version"] = 2.into();
    claimed["previous_health"] = "unclaimed".into();
    claimed["subjects"] = json!([SUBJECT]);
    claimed["subject"] = SUBJECT.into();
    let sample = |name, about, queue, body: &Value| Sample {
        name,
        about,
        outcome: "ok",
        event: json!({"Records": [message(queue, body, arrived_at_ms)]}),
    };
    vec![
        sample(
            "webhook",
            "the queue of webhooks: an event for the app's endpoint",
            "webhook",
            &envelope(&refused, "claims"),
        ),
        sample(
            "onboard-installed",
            "the queue of onboardings: a person installed, and is no longer there",
            "onboarding",
            &envelope(&event("installation.installed", &installed), "installations"),
        ),
        sample(
            "onboard-claimed",
            "the app claimed an installation that is no longer there",
            "onboarding",
            &envelope(&event("installation.claimed", &claimed), "installations"),
        ),
        sample(
            "onboard-order",
            "the operator's order to prepare a workspace",
            "onboarding",
            &order(&id, true),
        ),
    ]
}

/// What an event says about an installation that is new.
fn installation(id: &InstallationId) -> Value {
    json!({
        "installation": id.to_opaque(),
        "workspace_id": WORKSPACE_ID,
        "user_id": USER_ID,
        "bot_id": "00000000-0000-4000-8000-0000000000cc",
        "generation": 1,
        "version": 1,
        "health": "active",
        "previous_health": null,
        "subjects": [],
        "duplicated_template_id": null,
    })
}

fn event(kind: &str, data: &Value) -> Value {
    json!({
        "id": "evt_5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c",
        "type": kind,
        "timestamp": "2026-11-22T00:00:00Z",
        "data": data,
    })
}

/// An event as the bus sends it, from the stream of `table`.
fn envelope(event: &Value, table: &str) -> Value {
    json!({
        "version": "0",
        "id": "5a3c5a3c-5a3c-4a3c-8a3c-5a3c5a3c5a3c",
        "detail-type": event["type"],
        "source": "notion-install",
        "account": "123456789012",
        "time": event["timestamp"],
        "region": "us-east-1",
        "resources": [format!("arn:aws:dynamodb:us-east-1:123456789012:table/{table}")],
        "detail": event,
    })
}

fn message(queue: &str, body: &Value, arrived_at_ms: u64) -> Value {
    json!({
        "messageId": "5a3c5a3c-5a3c-4a3c-8a3c-5a3c5a3c5a3c",
        "receiptHandle": "a-receipt",
        "body": body.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": arrived_at_ms.to_string(),
            "SenderId": "AROASAMPLE:sample",
            "SentTimestamp": arrived_at_ms.to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
        "awsRegion": "us-east-1",
    })
}
