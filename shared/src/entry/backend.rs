//! From a direct invocation, or a request to an IAM-authorised route, to an answer in JSON: the one way in for functions
//! that only our own backend may call.
//!
//! Both ask the same and are answered the same. A route's answer also has a status and our headers. What a caller can act
//! on is an answer with `error`, never a function error: those are for what nobody foresaw.

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
use crate::telemetry::{Metric, RequestLine};

/// Longest name that a caller may give itself, in characters.
const MAX_CALLER_CHARS: usize = 256;

/// What was asked, and by whom.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The input.
    pub input: Value,
    /// Who asks, as IAM proved it to the route. Whoever may invoke the function directly could send an event that looks like
    /// the route's: of them `CloudTrail` knows, by the request's id.
    pub caller_arn: Option<String>,
    /// When the function has to be done; 0 if Lambda did not say.
    pub deadline_ms: u64,
}

/// What is answered. May hold an access token, so it cannot be printed.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The status on a route.
    pub status: StatusCode,
    /// The answer; one that is no success has `error` and `message`.
    pub body: Value,
    /// When to come again.
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
    /// What was asked for.
    #[must_use]
    pub fn success(body: Value) -> Self {
        Self { status: StatusCode::OK, body, retry_after: None }
    }

    /// Something else: `error` is a fixed key, `message` says what to do.
    #[must_use]
    pub fn error(status: StatusCode, error: &str, message: &str) -> Self {
        Self { status, body: json!({"error": error, "message": message}), retry_after: None }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body[field] = value.into();
        self
    }

    /// To be asked again after `wait`, and not before.
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

    /// What rings where somebody was not answered for a reason of ours: Lambda counts no error for it.
    fn failure_of_ours(&self) -> Option<Metric> {
        match (self.key(), self.body["reason"].as_str()) {
            ("internal", _) => Some(Metric::Panicked),
            ("misconfigured", _) => Some(Metric::Misconfigured),
            ("try_later", Some("broken_seal" | "secrets" | "store")) => Some(Metric::Unavailable),
            _ => None,
        }
    }

    /// The fixed key of the answer, for the request line.
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
    /// Does during INIT what the first request would have to wait for.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Answers one invocation; what it notes in `line` is the audit of it.
    fn handle(&self, asked: Invocation, line: &mut RequestLine) -> impl Future<Output = Answer> + Send;
}

/// Answers one event.
pub async fn answer(function: &impl AnswersInJson, event: &RawValue, context: Context) -> Box<RawValue> {
    // At the highest level, so that no log level drops the id from the lines.
    let span = tracing::error_span!("request", request_id = context.request_id);
    let answering = async {
        let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let mut line = RequestLine::begin(function.function());
        let answer = match invocation(&event, context.deadline) {
            None => {
                line.reject("malformed");
                malformed("the body must be a JSON object")
            }
            Some(asked) => {
                note_caller(&asked, &mut line);
                let handling = AssertUnwindSafe(Box::pin(function.handle(asked, &mut line))).catch_unwind();
                handling.await.unwrap_or_else(|_panic| {
                    tracing::error!(alarm = "panic", "the handler panicked");
                    let message = "an error of ours: see the function's log";
                    Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
                })
            }
        };
        if let Some(metric) = answer.failure_of_ours() {
            line.count(metric);
        }
        line.end(function.clock(), answer.key(), answer.status);
        as_the_event_wants_it(&event, &answer)
    };
    answering.instrument(span).await
}

/// The input was not what it must be.
#[must_use]
pub fn malformed(message: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "malformed", message)
}

/// Who asked, for the audit: as IAM proved it, and as the caller says.
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

/// What an event asks; `None` if it is no object.
fn invocation(event: &Value, deadline_ms: u64) -> Option<Invocation> {
    if !is_http(event) {
        let input = event.is_object().then(|| event.clone())?;
        return Some(Invocation { input, caller_arn: None, deadline_ms });
    }
    let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
    let decoded = match event.get("isBase64Encoded") {
        Some(Value::Bool(true)) => STANDARD.decode(body).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let input: Map<String, Value> = serde_json::from_slice(&decoded).ok()?;
    let arn = event.pointer("/requestContext/authorizer/iam/userArn").and_then(Value::as_str);
    Some(Invocation { input: input.into(), caller_arn: arn.map(str::to_owned), deadline_ms })
}

fn as_the_event_wants_it(event: &Value, answer: &Answer) -> Box<RawValue> {
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

/// Runs a function: starts the log, warms it up during INIT, and serves events until Lambda ends the process. If it could
/// not be set up, every caller is told so.
///
/// # Errors
///
/// What the Lambda runtime says when it cannot go on.
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

/// A function whose settings cannot be read: it says so to everyone, and does nothing else.
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
