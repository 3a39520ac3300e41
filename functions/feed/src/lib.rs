//! Answers what was published, in the order of publication: for a backend that has neither a bus nor a public address, and
//! for catching up. Holds no secret, and reads only the log of events.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::telemetry::RequestLine;
use vault::budget::Budget;
use vault::event::EventId;
use vault::store::{EventLog, Logged};
use vault::{SetUpError, aws, http_client, report_store};

/// How many events an answer has at most, and by default.
const MAX_EVENTS: u16 = 100;

/// The function's state.
pub struct Feed {
    log: EventLog,
    clock: Box<dyn Clock>,
}

/// What is asked for.
struct Wanted {
    after: Option<EventId>,
    limit: u16,
}

impl Wanted {
    /// Reads `after`, an event's id, and `limit`, as a number or as text (a query has only text).
    fn read(input: &Value) -> Result<Self, &'static str> {
        let after = match input.get("after") {
            None | Some(Value::Null) => None,
            Some(id) => Some(id.as_str().and_then(EventId::parse).ok_or("after must be the id of an event")?),
        };
        let limit = match input.get("limit") {
            None | Some(Value::Null) => Some(MAX_EVENTS),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        };
        let limit = limit.filter(|limit| (1..=MAX_EVENTS).contains(limit));
        Ok(Self { after, limit: limit.ok_or("limit must be a number from 1 to 100")? })
    }
}

impl Feed {
    /// Reads `EVENTS_TABLE`.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(lookup: &impl Lookup, clock: impl Clock + 'static) -> Result<Self, SetUpError> {
        let sdk = aws::config(lookup, http_client::build()?)?;
        Ok(Self { log: EventLog::read(lookup, aws::dynamodb(lookup, &sdk))?, clock: Box::new(clock) })
    }
}

impl AnswersInJson for Feed {
    fn function(&self) -> &'static str {
        "feed"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn reads_query(&self) -> bool {
        true
    }

    async fn warm_up(&self) {
        self.log.warm_up().await;
    }

    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        let wanted = match Wanted::read(&asked.input) {
            Ok(wanted) => wanted,
            Err(message) => {
                line.reject("malformed");
                return malformed(message);
            }
        };
        let budget = Budget::of_invocation(asked.deadline_ms, &*self.clock);
        let page = self.log.after(wanted.after.as_ref(), wanted.limit, self.clock.now(), budget.save_by);
        match Box::pin(page).await {
            Ok(Some(page)) => {
                line.note("listed", page.events.len());
                let next = page.events.last().map(|last| &last.id).or(wanted.after.as_ref());
                let documents: Vec<Value> = page.events.iter().filter_map(document).collect();
                Answer::success(
                    json!({"events": documents, "next": next, "more": page.more, "missed": page.missed}),
                )
            }
            Ok(None) => {
                let message = "no such event is kept (any more): read the present state (installations), then all events \
                    that are kept, without `after`";
                Answer::error(StatusCode::GONE, "expired", message)
            }
            Err(error) => {
                report_store(&error);
                Answer::try_later(Duration::from_secs(5), "store")
            }
        }
    }
}

fn document(event: &Logged) -> Option<Value> {
    serde_json::from_str(event.document.get()).ok()
}
