//! The run of a test: its beginning and its clock.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::{Nothing, Wrong, act, answer};
use crate::clock::{Clock, LATEST_MS};
use crate::content::time::{from_rfc3339, to_the_millisecond};
use crate::world::World;

/// `POST /control/reset`: back to the beginning.
pub(super) async fn reset(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let checked = act(&headers, &body, |_: Nothing| Ok(None));
    if checked.status() == StatusCode::UNPROCESSABLE_ENTITY {
        return checked;
    }
    match world.reset().await {
        Ok(()) => checked,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `GET /control/clock`
pub(super) async fn clock(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(reading(&world.notion().clock)))
}

/// What to do with the clock: at most one of the first three, then `stopped`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_ms: Option<u64>,
    now_ms: Option<u64>,
    /// RFC 3339.
    now: Option<String>,
    stopped: Option<bool>,
}

/// `POST /control/clock`: moves it forward or to a time, stops it, lets it run on. Answers what it shows then.
pub(super) async fn set_clock(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |wanted: Move| {
        let named = match wanted.now.as_deref() {
            Some(text) => Some(from_rfc3339(text).ok_or_else(|| {
                Wrong::field("now", "Give a time since 1970 as RFC 3339 has it: 2026-01-31T12:00:00Z.")
            })?),
            None => None,
        };
        let given = [wanted.advance_ms, wanted.now_ms, named].iter().flatten().count();
        if given > 1 {
            return Err(Wrong::whole("Give one of advance_ms, now_ms and now."));
        }
        if given == 0 && wanted.stopped.is_none() {
            return Err(Wrong::whole("Give advance_ms, now_ms, now or stopped."));
        }
        let mut notion = world.notion();
        let clock = &mut notion.clock;
        if let Some(by_ms) = wanted.advance_ms {
            if by_ms > LATEST_MS - clock.now_ms() {
                return Err(Wrong::field("advance_ms", "The clock ends with the year 9999."));
            }
            clock.advance(by_ms);
        }
        if let Some(now_ms) = wanted.now_ms.or(named) {
            if now_ms > LATEST_MS {
                return Err(Wrong::field("now_ms", "The clock ends with the year 9999."));
            }
            clock.set(now_ms);
        }
        match wanted.stopped {
            Some(true) => clock.stop(),
            Some(false) => clock.resume(),
            None => {}
        }
        Ok(Some(reading(clock)))
    })
}

fn reading(clock: &Clock) -> Value {
    let now_ms = clock.now_ms();
    json!({ "now_ms": now_ms, "now": to_the_millisecond(now_ms), "stopped": clock.is_stopped() })
}
