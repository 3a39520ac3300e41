//! A stand-in for EventBridge's buses: takes events, and keeps them in order for who takes the part of a rule.

use std::sync::{Arc, Mutex};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// The bus's name.
pub const EVENT_BUS: &str = "notion-install";
const ARN: &str = "arn:aws:events:us-east-1:123456789012";
/// How many entries a call may have (EventBridge's quota).
const MAX_ENTRIES: usize = 10;
/// The largest call, in bytes.
const MAX_CALL_BYTES: usize = 256 * 1024;

/// The bus, in memory.
pub struct EventBus {
    /// The envelopes of the events.
    events: Mutex<Vec<Value>>,
    /// Codes with which the next entries are refused.
    refusals: Mutex<Vec<&'static str>>,
    clock: Arc<dyn Clock>,
}

impl EventBus {
    /// An empty bus.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { events: Mutex::default(), refusals: Mutex::default(), clock }
    }

    /// Every event so far, as a target of a rule gets it.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        lock(&self.events).clone()
    }

    /// Refuses the next entries, one for each code; an empty code takes one.
    pub fn refuse_next(&self, codes: &[&'static str]) {
        lock(&self.refusals).extend(codes);
    }

    fn put(&self, entry: &Value) -> Value {
        let mut refusals = lock(&self.refusals);
        let refusal = (!refusals.is_empty()).then(|| refusals.remove(0)).filter(|code| !code.is_empty());
        drop(refusals);
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let detail: Option<Value> = serde_json::from_str(text("Detail")).ok();
        let invalid = || {
            let known = text("EventBusName") == EVENT_BUS;
            let named = !text("Source").is_empty() && !text("DetailType").is_empty();
            let detailed = detail.as_ref().is_some_and(Value::is_object);
            (!(known && named)).then_some("InvalidArgument").or((!detailed).then_some("MalformedDetail"))
        };
        if let Some(code) = refusal.or_else(invalid) {
            return json!({"ErrorCode": code, "ErrorMessage": "from the stand-in"});
        }
        let mut events = lock(&self.events);
        // Unlike ours, each call makes a new one.
        let id = format!("bus-event-{}", events.len() + 1);
        let at = entry["Time"].as_f64().map_or_else(
            || DateTime::from_millis(i64::try_from(self.clock.now_millis().0).unwrap_or(0)),
            DateTime::from_secs_f64,
        );
        events.push(json!({
            "version": "0",
            "id": id,
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": "123456789012",
            "time": at.fmt(Format::DateTime).unwrap_or_default(),
            "region": "us-east-1",
            "resources": entry.get("Resources").cloned().unwrap_or_else(|| json!([])),
            "detail": detail,
        }));
        json!({"EventId": id})
    }

    /// Puts the events of a time on the bus again. Everything is in the archive, at once.
    fn replay(&self, request: &Value) -> Reply {
        let moment = |name: &str| request[name].as_f64().map(DateTime::from_secs_f64);
        let (Some(since), Some(until), Some(name)) =
            (moment("EventStartTime"), moment("EventEndTime"), request["ReplayName"].as_str())
        else {
            return Reply::error(400, "ValidationException");
        };
        let mut events = lock(&self.events);
        let is_of_then = |event: &&Value| {
            let at = DateTime::from_str(event["time"].as_str().unwrap_or_default(), Format::DateTime);
            event.get("replay-name").is_none()
                && at.is_ok_and(|at| (since.secs()..=until.secs()).contains(&at.secs()))
        };
        let again: Vec<Value> = events.iter().filter(is_of_then).cloned().collect();
        events.extend(again.into_iter().map(|mut event| {
            event["replay-name"] = name.into();
            event
        }));
        Reply::ok(json!({"ReplayArn": format!("{ARN}:replay/{name}"), "State": "STARTING"}))
    }
}

impl Service for EventBus {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        match operation {
            "DescribeEventBus" => {
                let arn = format!("{ARN}:event-bus/{EVENT_BUS}");
                return Reply::ok(json!({"Name": EVENT_BUS, "Arn": arn}));
            }
            "DescribeArchive" => {
                let name = request["ArchiveName"].as_str().unwrap_or_default();
                return Reply::ok(
                    json!({"ArchiveName": name, "ArchiveArn": format!("{ARN}:archive/{name}")}),
                );
            }
            "StartReplay" => return self.replay(&request),
            _ => {}
        }
        let Some(entries) = request["Entries"].as_array().filter(|_| operation == "PutEvents") else {
            return Reply::error(400, "ValidationException");
        };
        if entries.is_empty() || entries.len() > MAX_ENTRIES || body.len() > MAX_CALL_BYTES {
            return Reply::error(400, "ValidationException");
        }
        let put: Vec<Value> = entries.iter().map(|entry| self.put(entry)).collect();
        let failed = put.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
        Reply::ok(json!({"FailedEntryCount": failed, "Entries": put}))
    }
}
