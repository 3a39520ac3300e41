//! From a direct invocation, or a request to an IAM-authorised route, to an answer in JSON: the entry point of the
//! functions that only our own backend may call.
//!
//! Both ways take the same input and return the same answer; a route's answer also has a status and our headers. If
//! the caller can act on a failure, it gets an answer with `error`. Lambda's function errors are for failures that
//! were not foreseen.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use lambda_http::Context;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use super::{payload, start};
use crate::clock::{Clock, SystemClock};
use crate::pages::Pages;
use crate::query::Query;
use crate::telemetry::{Metric, RequestLine};

/// The longest name that a caller may give itself, in characters.
const MAX_CALLER_CHARS: usize = 256;

/// The input of a call, and its caller.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The input.
    pub input: Value,
    /// The caller, as authenticated by IAM for a route. A principal that may invoke the function directly can send an
    /// event that looks like the route's; `CloudTrail` has its identity, under the request's id.
    pub caller_arn: Option<String>,
    /// When the function must be done; 0 if Lambda did not say.
    pub deadline_ms: u64,
}

/// An answer. It may hold an access token, so it cannot be printed.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The status on a route.
    pub status: StatusCode,
    /// The body. Unless the call succeeded, it has `error` and `message`.
    pub body: Value,
    /// How long the caller should wait before it asks again.
    pub retry_after: Option<Duration>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The answer to a call that succeeded.
    #[must_use]
    pub fn success(body: Value) -> Self {
        Self { status: StatusCode::OK, body, retry_after: None }
    }

    /// Any other answer: `error` is a fixed key, `message` says what to do.
    #[must_use]
    pub fn error(status: StatusCode, error: &str, message: &str) -> Self {
        Self { status, body: json!({"error": error, "message": message}), retry_after: None }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body[field] = value.into();
        self
    }

    /// The caller should ask again after `wait`, not before.
    #[must_use]
    pub fn try_later(wait: Duration, reason: &str) -> Self {
        let secs = wait.as_secs().max(1);
        let message = "not now: ask again after retry_after_secs";
        let answer = Self::error(StatusCode::SERVICE_UNAVAILABLE, "try_later", message);
        let answer = answer.with("reason", reason).with("retry_after_secs", secs);
        Self { retry_after: Some(Duration::from_secs(secs)), ..answer }
    }

    /// The function is not set up correctly; the log says how.
    #[must_use]
    pub fn misconfigured() -> Self {
        let message = "the function is not set up correctly: see its log, or operator doctor";
        Self::error(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", message)
    }

    /// The metric of the alarm for a failure of ours. Lambda counts no error, because the function did answer.
    fn alarm_metric(&self) -> Option<Metric> {
        match (self.key(), self.body["reason"].as_str()) {
            ("internal", _) => Some(Metric::Panicked),
            ("misconfigured", _) => Some(Metric::Misconfigured),
            ("try_later", Some("broken_seal" | "secrets" | "store")) => Some(Metric::Unavailable),
            _ => None,
        }
    }

    /// The answer's fixed key, for the request line.
    #[must_use]
    pub fn key(&self) -> &str {
        self.body["error"].as_str().unwrap_or("ok")
    }
}

/// A function that answers in JSON.
pub trait AnswersInJson: Send + Sync {
    /// The function's name, for its request lines.
    fn function(&self) -> &'static str;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Does work during INIT, so that the first request need not wait for it.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Whether its route is a `GET`, whose input is the query.
    fn reads_query(&self) -> bool {
        false
    }
    /// The answer to input without the required form.
    fn malformed(&self, message: &str) -> Answer {
        malformed(message)
    }
    /// Answers one invocation. What it notes in `line` is the audit record.
    fn handle(&self, asked: Invocation, line: &mut RequestLine) -> impl Future<Output = Answer> + Send;
}

/// Answers one event.
pub async fn answer(function: &impl AnswersInJson, event: &RawValue, context: Context) -> Box<RawValue> {
    // At the highest level, so that the request id is in the lines at any log level.
    let span = tracing::error_span!("request", request_id = context.request_id);
    let answering = async {
        let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let mut line = RequestLine::begin(function.function());
        let answer = match invocation(&event, function.reads_query(), context.deadline) {
            None => {
                line.reject("malformed");
                function.malformed(if function.reads_query() {
                    "a parameter of the query is repeated or cannot be decoded"
                } else {
                    "the body must be a JSON object"
                })
            }
            Some(asked) => {
                note_caller(&asked, &mut line);
                let handling = AssertUnwindSafe(Box::pin(function.handle(asked, &mut line))).catch_unwind();
                handling.await.unwrap_or_else(|_panic| {
                    tracing::error!(alarm = "panic", "the handler panicked");
                    let message = "internal error: see the function's log";
                    Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
                })
            }
        };
        if let Some(metric) = answer.alarm_metric() {
            line.count(metric);
        }
        line.end(function.clock(), answer.key(), answer.status);
        to_event_response(&event, &answer)
    };
    answering.instrument(span).await
}

/// The input does not have the required form.
#[must_use]
pub fn malformed(message: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "malformed", message)
}

/// Notes the caller for the audit: as authenticated by IAM, and as the caller names itself.
fn note_caller(asked: &Invocation, line: &mut RequestLine) {
    line.note("caller_arn", asked.caller_arn.as_deref());
    let said = asked.input.get("caller").and_then(Value::as_str);
    let plain = |text: &&str| {
        text.chars().count() <= MAX_CALLER_CHARS && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
    };
    line.note("caller_says", said.filter(plain));
}

fn is_http(event: &Value) -> bool {
    event.pointer("/requestContext/http").is_some()
}

/// The invocation that an event holds; `None` if it is not an object.
fn invocation(event: &Value, reads_query: bool, deadline_ms: u64) -> Option<Invocation> {
    if !is_http(event) {
        let input = event.is_object().then(|| event.clone())?;
        return Some(Invocation { input, caller_arn: None, deadline_ms });
    }
    let arn = event.pointer("/requestContext/authorizer/iam/userArn").and_then(Value::as_str);
    let caller_arn = arn.map(str::to_owned);
    if reads_query {
        let raw_query = event.get("rawQueryString").and_then(Value::as_str).unwrap_or_default();
        let input = Query::parse(raw_query).ok()?.into_object()?;
        return Some(Invocation { input, caller_arn, deadline_ms });
    }
    let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
    let decoded = match event.get("isBase64Encoded") {
        Some(Value::Bool(true)) => STANDARD.decode(body).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let input: Map<String, Value> = serde_json::from_slice(&decoded).ok()?;
    Some(Invocation { input: input.into(), caller_arn, deadline_ms })
}

fn to_event_response(event: &Value, answer: &Answer) -> Box<RawValue> {
    if is_http(event) {
        let mut response = Pages::json(answer.status, &answer.body);
        if let Some(wait) = answer.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        return payload(&response);
    }
    #[expect(clippy::expect_used, reason = "a JSON value is JSON")]
    to_raw_value(&answer.body).expect("JSON")
}

/// Runs a function: starts the log, warms the function up during INIT, and serves events until Lambda ends the
/// process. If it could not be set up, it answers every caller that it is misconfigured.
///
/// # Errors
///
/// The error of the Lambda runtime if it cannot continue.
pub async fn run<F: AnswersInJson, E: std::error::Error + 'static>(
    name: &'static str,
    set_up: impl FnOnce() -> Result<F, E>,
) -> Result<(), lambda_http::Error> {
    match start(set_up) {
        Some(function) => {
            function.warm_up().await;
            serve(&function).await
        }
        None => serve(&Misconfigured { function: name }).await,
    }
}

async fn serve(function: &impl AnswersInJson) -> Result<(), lambda_http::Error> {
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, lambda_http::Error>(answer(function, &event.payload, event.context).await)
    });
    lambda_runtime::run(service).await
}

/// A function whose settings cannot be read. It says so to everyone, and does nothing else.
struct Misconfigured {
    function: &'static str,
}

impl AnswersInJson for Misconfigured {
    fn function(&self) -> &'static str {
        self.function
    }

    fn clock(&self) -> &dyn Clock {
        &SystemClock
    }

    async fn handle(&self, _: Invocation, _: &mut RequestLine) -> Answer {
        Answer::misconfigured()
    }
}
