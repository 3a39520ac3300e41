//! The log of the requests to Notion: what arrived, and how often.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::{Wrong, answer, ask};
use super::redaction::Redaction;
use crate::endpoint::Endpoint;
use crate::traffic::{Recorded, Traffic};
use crate::world::World;

/// How long a count waits at most, in milliseconds of real time.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Which requests to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    endpoint: Option<Endpoint>,
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    since: usize,
    /// The newest so many.
    newest: Option<usize>,
    #[serde(default)]
    secrets: bool,
}

/// Which requests to count, and for how many to wait.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    endpoint: Option<Endpoint>,
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    since: usize,
    #[serde(default)]
    at_least: usize,
    #[serde(default = "longest")]
    wait_ms: u64,
}

fn longest() -> u64 {
    LONGEST_WAIT_MS
}

/// Requests that have everything given.
struct Wanted<'a> {
    endpoint: Option<Endpoint>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    status: Option<u16>,
    /// Only those with a higher number.
    since: usize,
}

impl Wanted<'_> {
    fn among<'t>(&self, traffic: &'t Traffic) -> impl Iterator<Item = (usize, &'t Recorded)> {
        traffic.to_notion().filter(|(number, request)| {
            *number > self.since
                && request.is(self.endpoint, self.method, self.path)
                && self.status.is_none_or(|status| request.status == Some(status))
        })
    }
}

/// `GET /control/requests`: the requests to Notion, oldest first, without secrets unless asked for.
pub(super) async fn list(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |list: List| {
        let wanted = Wanted {
            endpoint: list.endpoint,
            method: list.method.as_deref(),
            path: list.path.as_deref(),
            status: list.status,
            since: list.since,
        };
        let notion = world.notion();
        let redaction = if list.secrets { Redaction::None } else { Redaction::of(&notion) };
        let traffic = world.traffic();
        let found: Vec<_> = wanted.among(&traffic).collect();
        let skipped = list.newest.map_or(0, |newest| found.len().saturating_sub(newest));
        let requests = found.into_iter().skip(skipped);
        let requests: Vec<_> = requests.map(|(number, request)| entry(number, request, &redaction)).collect();
        Ok(json!({ "requests": requests }))
    })
}

/// `GET /control/requests/count`: how many there are, at once or when there are `at_least` so many.
pub(super) async fn count(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let count: Count = match ask(query) {
        Ok(count) => count,
        Err(wrong) => return wrong.into_response(),
    };
    if count.wait_ms > LONGEST_WAIT_MS {
        return Wrong::field("wait_ms", "A count waits for 30000 milliseconds at most.").into_response();
    }
    let wanted = Wanted {
        endpoint: count.endpoint,
        method: count.method.as_deref(),
        path: count.path.as_deref(),
        status: count.status,
        since: count.since,
    };
    let so_far = || wanted.among(&world.traffic()).count();
    let mut changes = world.arrivals.subscribe();
    let mut stopping = world.stopping.clone();
    let enough = async {
        // An error means that the world is gone, and this request with it.
        while so_far() < count.at_least && changes.changed().await.is_ok() {}
    };
    tokio::select! {
        () = enough => {}
        () = tokio::time::sleep(Duration::from_millis(count.wait_ms)) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    axum::Json(json!({ "count": so_far() })).into_response()
}

fn entry(number: usize, request: &Recorded, redaction: &Redaction) -> Value {
    let mut headers = serde_json::Map::new();
    for (name, value) in &request.headers {
        let value = redaction.header(name, value);
        // Lines of the same name are one list (RFC 9110 §5.3).
        match headers.get_mut(name) {
            Some(Value::String(known)) => *known = format!("{known}, {value}"),
            _ => {
                headers.insert(name.clone(), value.into());
            }
        }
    }
    json!({
        "number": number,
        "at_ms": request.at_ms,
        "endpoint": request.endpoint,
        "method": request.method,
        "path": request.path,
        "query": redaction.form(&request.query),
        "headers": headers,
        "body": redaction.body(&request.body),
        "status": request.status,
        "connection_number": request.connection_number,
    })
}
