//! From a browser's request to a page: the entry point of the functions that anyone can call.
//!
//! Such a function always answers. If `lambda_http` cannot turn an event into a request (it panics on some), or if a
//! handler panics, the answer is a page of ours with all its headers, instead of API Gateway's own 500.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, StatusCode};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Context, LambdaEvent, Request, Response, Service as _, service_fn};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tracing::Instrument as _;

use super::{payload, start};
use crate::clock::{Clock, SystemClock};
use crate::config::{Branding, environment};
use crate::pages::{Notice, Pages, Visitor};
use crate::telemetry::{Metric, RequestLine};

/// What a function needs so that it can answer even if its handler cannot.
pub trait AlwaysAnswers: Send + Sync {
    /// The function's name, for its request lines.
    fn function(&self) -> &'static str;
    /// The pages.
    fn pages(&self) -> &Pages;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Does work during INIT, which Lambda does not throttle, so that the first request need not wait for it.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// The clean URL of a notice, for a function whose own URLs contain codes and states.
    fn clean_url(&self, _notice: Notice) -> Option<String> {
        None
    }
    /// Answers one request.
    fn handle(&self, request: Request) -> impl Future<Output = Response<Body>> + Send;
}

/// Answers one API Gateway HTTP API event (payload format 2.0).
pub async fn answer(function: &impl AlwaysAnswers, event: &RawValue, context: Context) -> Box<RawValue> {
    // At the highest level, so that the request id is in the lines at any log level.
    let span = tracing::error_span!("request", request_id = context.request_id);
    answer_in_span(function, event, context).instrument(span).await
}

async fn answer_in_span(function: &impl AlwaysAnswers, event: &RawValue, context: Context) -> Box<RawValue> {
    let Some(request) = readable(event) else {
        tracing::warn!("the event is not from an HTTP API with payload format 2.0");
        return last_resort(function, event, Notice::Malformed);
    };
    let service = service_fn(|request: Request| {
        function.handle(request).map(Ok::<Response<Body>, std::convert::Infallible>)
    });
    // `call` turns the event into a request, and may panic if the address is not a URI.
    let called = std::panic::catch_unwind(AssertUnwindSafe(|| {
        Adapter::from(service).call(LambdaEvent::new(request, context))
    }));
    let Ok(answering) = called else { return last_resort(function, event, Notice::Malformed) };
    match AssertUnwindSafe(answering).catch_unwind().await {
        Ok(Ok(response)) => {
            to_raw_value(&response).unwrap_or_else(|_| last_resort(function, event, Notice::Internal))
        }
        Ok(Err(never)) => match never {},
        Err(_panic) => {
            tracing::error!(alarm = "panic", "the handler panicked");
            last_resort(function, event, Notice::Internal)
        }
    }
}

/// Reads an event. `lambda_http` rejects a whole event because of one header or cookie that is not plain ASCII (a
/// proxy's city name, another app's cookie). Here such a header or cookie is left out.
fn readable(event: &RawValue) -> Option<LambdaRequest> {
    let text = event.get();
    if text.is_ascii() && !text.contains("\\u") {
        return serde_json::from_str(text).ok();
    }
    let mut event: Value = serde_json::from_str(text).ok()?;
    let is_plain = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)))
    };
    if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        headers.retain(|_, value| is_plain(value));
    }
    if let Some(cookies) = event.get_mut("cookies").and_then(Value::as_array_mut) {
        cookies.retain(is_plain);
    }
    serde_json::from_value(event).ok()
}

/// Runs a function: starts the log, warms the function up during INIT, and serves events until Lambda ends the
/// process. If it could not be set up, it answers every request with the page that says so: if it exited, API Gateway
/// would answer.
///
/// # Errors
///
/// The error of the Lambda runtime if it cannot continue.
pub async fn run<F: AlwaysAnswers, E: std::error::Error + 'static>(
    name: &'static str,
    set_up: impl FnOnce() -> Result<F, E>,
) -> Result<(), lambda_http::Error> {
    if let Some(function) = start(set_up) {
        function.warm_up().await;
        serve(&function).await
    } else {
        // Perhaps it is another setting that is wrong.
        let pages = Pages::new(Branding::read(&environment).unwrap_or_default());
        serve(&Misconfigured { function: name, pages, clock: SystemClock }).await
    }
}

async fn serve(function: &impl AlwaysAnswers) -> Result<(), lambda_http::Error> {
    let service = lambda_http::lambda_runtime::service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, lambda_http::Error>(answer(function, &event.payload, event.context).await)
    });
    lambda_http::lambda_runtime::run(service).await
}

/// Answers for a handler that cannot. Even then no code or state stays in the address bar.
fn last_resort(function: &impl AlwaysAnswers, event: &RawValue, notice: Notice) -> Box<RawValue> {
    let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
    let to_clean = event["rawQueryString"].as_str().is_some_and(holds_a_code_or_state);
    let accepted = event["headers"]["accept-language"].as_str().and_then(|text| text.parse().ok());
    let headers: HeaderMap = accepted.map(|languages| (ACCEPT_LANGUAGE, languages)).into_iter().collect();
    let response = match function.clean_url(notice).filter(|_| to_clean) {
        Some(url) => function.pages().redirect(StatusCode::SEE_OTHER, &url, &[]),
        None => function.pages().notice(notice, Visitor::of(&headers)),
    };
    let mut line = RequestLine::begin(function.function());
    match notice {
        Notice::Internal => line.count(Metric::Panicked),
        _ => line.reject("unreadable_event"),
    }
    line.end(function.clock(), notice.key(), response.status());
    payload(&response)
}

/// Whether a query has a code or a state and is not one of our clean URLs (which would redirect to itself).
fn holds_a_code_or_state(query: &str) -> bool {
    !query.starts_with("reason=") && ["code=", "state="].iter().any(|name| query.contains(name))
}

/// A function whose settings cannot be read. It says so to everyone, and does nothing else.
#[derive(Debug)]
pub struct Misconfigured<C> {
    /// The function's name.
    pub function: &'static str,
    /// The pages, in their default look.
    pub pages: Pages,
    /// The clock.
    pub clock: C,
}

impl<C: Clock> AlwaysAnswers for Misconfigured<C> {
    fn function(&self) -> &'static str {
        self.function
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    async fn handle(&self, request: Request) -> Response<Body> {
        let response = if request.uri().query().is_some_and(holds_a_code_or_state) {
            self.pages.redirect(StatusCode::SEE_OTHER, &Notice::Misconfigured.clean_url(None), &[])
        } else {
            self.pages.notice(Notice::Misconfigured, Visitor::of(request.headers()))
        };
        let mut line = RequestLine::begin(self.function);
        line.count(Metric::Misconfigured);
        line.end(&self.clock, Notice::Misconfigured.key(), response.status());
        response
    }
}
