//! One event for each way to invoke the functions that only our own backend, or a schedule, may call. They name a
//! person who has not installed, so they have no effect.

use serde_json::{Value, json};

use super::HttpRequest;
use super::sample::Sample;

const WORKSPACE_ID: &str = "00000000-0000-4000-8000-0000000000aa";
const SUBJECT: &str = "a sample user";
const USER_ID: &str = "00000000-0000-4000-8000-0000000000bb";

/// The samples with the time `arrived_at_ms`.
pub(super) fn samples(arrived_at_ms: u64) -> Vec<Sample> {
    let asked = json!({"workspace_id": WORKSPACE_ID, "user_id": USER_ID, "caller": "a sample event"});
    let with = |name: &str, value: Value| {
        let mut asked = asked.clone();
        asked[name] = value;
        asked
    };
    let claim = json!({
        "code": "a-made-up-code",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "subject": SUBJECT,
        "caller": "a sample event",
    });
    let of_subject = json!({"subject": SUBJECT, "caller": "a sample event"});
    vec![
        Sample {
            name: "claim-route",
            about: "POST /claim, signed: with a code that nobody issued",
            outcome: "invalid_grant",
            event: over_the_route("POST", "/claim", "", Some(&claim), arrived_at_ms),
        },
        Sample {
            name: "claim-direct",
            about: "a direct invocation to claim",
            outcome: "invalid_grant",
            event: claim.clone(),
        },
        Sample {
            name: "installations-route",
            about: "GET /installations, signed: of a user of the app",
            outcome: "ok",
            event: over_the_route("GET", "/installations", "subject=a%20sample%20user", None, arrived_at_ms),
        },
        Sample {
            name: "installations-direct",
            about: "a direct invocation: those of a workspace",
            outcome: "ok",
            event: json!({"workspace_id": WORKSPACE_ID, "caller": "a sample event"}),
        },
        Sample {
            name: "feed-route",
            about: "GET /events, signed: from the oldest that is kept",
            outcome: "ok",
            event: over_the_route("GET", "/events", "limit=10", None, arrived_at_ms),
        },
        Sample {
            name: "feed-direct",
            about: "a direct invocation: what came after an event that is no longer kept",
            outcome: "expired",
            event: json!({"after": "evt_00000000000000000000000000000000", "caller": "a sample event"}),
        },
        Sample {
            name: "token-subject",
            about: "a direct invocation for the token of a user of the app",
            outcome: "not_installed",
            event: of_subject.clone(),
        },
        Sample {
            name: "uninstall-route",
            about: "POST /uninstall, signed: a user of the app disconnects",
            outcome: "not_installed",
            event: over_the_route("POST", "/uninstall", "", Some(&of_subject), arrived_at_ms),
        },
        Sample {
            name: "token-route",
            about: "POST /token, signed: reports a token that Notion refused",
            outcome: "not_installed",
            event: over_the_route(
                "POST",
                "/token",
                "",
                Some(&with("refused_fingerprint", "the-refused-one".into())),
                arrived_at_ms,
            ),
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

fn over_the_route(
    method: &str,
    path: &str,
    raw_query: &str,
    asked: Option<&Value>,
    arrived_at_ms: u64,
) -> Value {
    let headers = [("content-type", "application/json"), ("host", "localhost:3000")];
    let request = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        raw_query: raw_query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        arrived_at_ms,
        request_id: "sample-request".to_owned(),
    };
    let mut event = request.event();
    if let Some(asked) = asked {
        event["body"] = asked.to_string().into();
    }
    event["requestContext"]["authorizer"] = json!({"iam": {
        "accountId": "123456789012",
        "callerId": "AROASAMPLE:sample",
        "userArn": "arn:aws:sts::123456789012:assumed-role/backend/sample",
    }});
    event
}
