//! From a Lambda event to a handler's answer: the one way in, in Lambda, in the dev stack and in the tests.
//!
//! An HTTP function always answers. What `lambda_http` cannot turn into a request (it panics on some), and a
//! handler that panics, get a page of ours with all its headers instead of API Gateway's own 500.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Context, LambdaEvent, Request, Response, Service as _, service_fn};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::pages::{Notice, Pages};
use crate::telemetry::{Metric, RequestLine};

/// What a function needs to answer even when its handler cannot.
pub trait AlwaysAnswers: Send + Sync {
    /// The function's name, for its request lines.
    fn function(&self) -> &'static str;
    /// The pages.
    fn pages(&self) -> &Pages;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Answers one request.
    fn handle(&self, request: Request) -> impl Future<Output = Response<Body>> + Send;
}

/// Answers one API Gateway HTTP API event (payload format 2.0).
pub async fn answer(function: &impl AlwaysAnswers, event: &RawValue, context: Context) -> Box<RawValue> {
    let Ok(request) = serde_json::from_str::<LambdaRequest>(event.get()) else {
        tracing::warn!("the event is not one of an HTTP API, payload format 2.0");
        return last_resort(function, Notice::Malformed);
    };
    let service = service_fn(|request: Request| {
        function.handle(request).map(Ok::<Response<Body>, std::convert::Infallible>)
    });
    // Turning the event into a request happens in `call`, and may panic on an address that is no URI.
    let called = std::panic::catch_unwind(AssertUnwindSafe(|| {
        Adapter::from(service).call(LambdaEvent::new(request, context))
    }));
    let Ok(answering) = called else {
        return last_resort(function, Notice::Malformed);
    };
    match AssertUnwindSafe(answering).catch_unwind().await {
        Ok(Ok(response)) => {
            to_raw_value(&response).unwrap_or_else(|_| last_resort(function, Notice::Internal))
        }
        Ok(Err(never)) => match never {},
        Err(_panic) => last_resort(function, Notice::Internal),
    }
}

/// Serves events until Lambda ends the process.
///
/// # Errors
///
/// What the Lambda runtime says when it cannot go on.
pub async fn serve(function: &impl AlwaysAnswers) -> Result<(), lambda_http::Error> {
    let service = lambda_http::lambda_runtime::service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, lambda_http::Error>(answer(function, &event.payload, event.context).await)
    });
    lambda_http::lambda_runtime::run(service).await
}

fn last_resort(function: &impl AlwaysAnswers, notice: Notice) -> Box<RawValue> {
    let response = function.pages().notice(notice, &http::HeaderMap::new());
    let mut line = RequestLine::begin(function.function());
    match notice {
        Notice::Internal => line.count(Metric::Panicked),
        _ => line.reject("unreadable_event"),
    }
    line.end(function.clock(), notice.key(), response.status());
    let headers: serde_json::Map<String, Value> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let body = match response.body() {
        Body::Text(text) => text.as_str(),
        _ => "",
    };
    let answer = json!({
        "statusCode": response.status().as_u16(),
        "headers": headers,
        "body": body,
        "isBase64Encoded": false,
        "cookies": [],
    });
    #[expect(clippy::expect_used, reason = "a JSON value is JSON")]
    to_raw_value(&answer).expect("JSON")
}

/// A function whose settings cannot be read: it says so to everyone, and does nothing else.
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
        let response = self.pages.notice(Notice::Misconfigured, request.headers());
        RequestLine::begin(self.function).end(&self.clock, Notice::Misconfigured.key(), response.status());
        response
    }
}
