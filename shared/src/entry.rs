//! From a Lambda event to a handler's answer: the same code in Lambda, in the dev stack and in the tests.
//!
//! [`browser`] is the entry point for people and answers with pages. [`backend`] is the entry point for our own
//! backend and answers with JSON. [`batch`] is the entry point for AWS's streams and queues.

pub mod backend;
pub mod batch;
pub mod browser;

use lambda_http::{Body, Response};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::config::environment;
use crate::telemetry;

/// Starts the log and sets up a function. If that fails, the log says why.
fn start<F, E: std::error::Error + 'static>(set_up: impl FnOnce() -> Result<F, E>) -> Option<F> {
    telemetry::init(&environment);
    set_up()
        .inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::error!(alarm = "misconfigured", error, "cannot start");
        })
        .ok()
}

/// A response in API Gateway's form (payload format 2.0).
fn payload(response: &Response<Body>) -> Box<RawValue> {
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
