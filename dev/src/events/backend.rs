//! One event for each way to invoke the functions that only our own backend, or a schedule, may call. They name a
//! person who has not installed, so they have no effect.

use serde_json::{Value, json};

use super::HttpRequest;
use super::sample::Sample;

const WORKSPACE_ID: &str = "00000000-0000-4000-8000-0000000000aa";
const USER_ID: &str = "00000000-0000-4000-8000-0000000000bb";

/// The samples with the time `arrived_at_ms`.
pub(super) fn samples(arrived_at_ms: u64) -> Vec<Sample> {
    let asked = json!({"workspace_id": WORKSPACE_ID, "user_id": USER_ID, "caller": "a sample event"});
    let with = |name: &str, value: Value| {
        let mut asked = asked.clone();
        asked[name] = value;
        asked
    };
    vec![
        Sample {
            name: "token-route",
            about: "POST /token, signed: reports a token that Notion refused",
            outcome: "not_installed",
            event: over_the_route(&with("refused_fingerprint", "the-refused-one".into()), arrived_at_ms),
        },
        Sample {
            name: "token-direct",
            about: "a direct invocation for a token",
            outcome: "not_installed",
            event: asked.clone(),
        },
        Sample {
            name: "uninstall",
            about: "a message that names a generation",
            outcome: "not_installed",
            event: with("generation", 1.into()),
        },
        Sample {
            name: "sweep",
            about: "the schedule",
            outcome: "ok",
            event: json!({"caller": "the schedule"}),
        },
    ]
}

fn over_the_route(asked: &Value, arrived_at_ms: u64) -> Value {
    let headers = [("content-type", "application/json"), ("host", "localhost:3000")];
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: "/token".to_owned(),
        raw_query: String::new(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        arrived_at_ms,
        request_id: "sample-request".to_owned(),
    };
    let mut event = request.event();
    event["body"] = asked.to_string().into();
    event["requestContext"]["authorizer"] = json!({"iam": {
        "accountId": "123456789012",
        "callerId": "AROASAMPLE:sample",
        "userArn": "arn:aws:sts::123456789012:assumed-role/backend/sample",
    }});
    event
}
