//! Events of the tables' streams: one for each thing that an app hears of, and for what it does not.

use serde_json::{Value, json};

use super::sample::Sample;

const ROW: &str = "00000000-0000-4000-8000-0000000000aa/user/00000000-0000-4000-8000-0000000000bb";
const CLAIM: &str = "5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c";
const SUBJECT: &str = "a sample user";

/// The samples with the time `arrived_at_ms`.
pub(super) fn samples(arrived_at_ms: u64) -> Vec<Sample> {
    let live = |more: Value| row("active", more);
    let pending = |claimed_by: Value| {
        json!({"pending": {"L": [{"M": merged(
            json!({
                "code_hash": {"S": "a-hash"},
                "challenge": {"S": "a-challenge"},
                "expires_at_ms": {"N": "1"},
            }),
            claimed_by,
        )}]}})
    };
    let linked =
        json!({"subjects": {"L": [{"S": SUBJECT}]}, "owned_since_ms": {"N": "1"}, "version": {"N": "2"}});
    let claimed = merged(pending(json!({"claimed_by": {"S": SUBJECT}})), linked);
    let changes = [
        ("publish-installed", "a person installed", None, Some(live(json!({})))),
        (
            "publish-claimed",
            "the app claimed it for one of its users",
            Some(live(pending(json!({})))),
            Some(live(claimed.clone())),
        ),
        ("publish-refreshed", "a refresh: nothing that an app hears of", Some(live(json!({}))), {
            Some(live(json!({"version": {"N": "2"}, "refreshed_at_ms": {"N": "1"}})))
        }),
        (
            "publish-needs-reinstall",
            "its grant was found dead",
            Some(live(json!({}))),
            Some(row("needs_reinstall", json!({"version": {"N": "2"}}))),
        ),
        (
            "publish-removed",
            "it was removed",
            Some(live(claimed.clone())),
            Some(row("removed", merged(claimed, json!({"version": {"N": "3"}})))),
        ),
        (
            "publish-forgotten",
            "nothing of it is kept",
            Some(row("removed", json!({"version": {"N": "3"}}))),
            None,
        ),
        (
            "publish-unreadable",
            "a row that this release cannot read: reported, and skipped",
            None,
            Some(live(json!({"generation": {"S": "?"}}))),
        ),
    ];
    let of_rows = changes.into_iter().map(|(name, about, old, new)| Sample {
        name,
        about,
        outcome: "ok",
        event: records(&[change("installations", "installation_id", ROW, old, new, arrived_at_ms)]),
    });
    let claim = |outcome: &str| {
        json!({
            "claim": {"S": CLAIM}, "attempt": {"S": "an-attempt"}, "claimed_at": {"N": "1"},
            "expires_at": {"N": "2"}, "outcome": {"S": outcome},
        })
    };
    let of_claim = |name, about, old: Option<Value>, new: Option<Value>, by_ttl: bool| {
        let mut record = change("claims", "claim", CLAIM, old, new, arrived_at_ms);
        if by_ttl {
            record["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        }
        Sample { name, about, outcome: "ok", event: records(&[record]) }
    };
    of_rows
        .chain([
            of_claim("publish-refused", "a person pressed Cancel", None, Some(claim("refused")), false),
            of_claim("publish-expired", "DynamoDB deleted a claim", Some(claim("refused")), None, true),
        ])
        .collect()
}

fn records(records: &[Value]) -> Value {
    json!({"Records": records})
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// A row of the installations, whose seals are none.
fn row(health: &str, more: Value) -> Value {
    let row = json!({
        "installation_id": {"S": ROW},
        "workspace_id": {"S": "00000000-0000-4000-8000-0000000000aa"},
        "owner_user_id": {"S": "00000000-0000-4000-8000-0000000000bb"},
        "bot_id": {"S": "00000000-0000-4000-8000-0000000000cc"},
        "health": {"S": health},
        "generation": {"N": "1"},
        "version": {"N": "1"},
        "pair": {"L": [{"M": {
            "access": {"B": "AAAA"},
            "access_fingerprint": {"S": "a-fingerprint"},
            "exchanged_at_ms": {"N": "1"},
        }}]},
    });
    merged(row, more)
}

fn change(
    table: &str,
    key: &str,
    id: &str,
    old: Option<Value>,
    new: Option<Value>,
    arrived_at_ms: u64,
) -> Value {
    let name = match (&old, &new) {
        (None, _) => "INSERT",
        (Some(_), Some(_)) => "MODIFY",
        (Some(_), None) => "REMOVE",
    };
    let mut record = json!({
        "eventID": "5a3c5a3c5a3c5a3c5a3c5a3c5a3c5a3c",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": arrived_at_ms / 1000,
            "Keys": {key: {"S": id}},
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 512,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN":
            format!("arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-11-22T00:00:00.000"),
    });
    for (image, row) in [("OldImage", old), ("NewImage", new)] {
        if let Some(row) = row {
            record["dynamodb"][image] = row;
        }
    }
    record
}
