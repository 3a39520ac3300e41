//! From an event of a stream or a queue to the items that failed: the entry point of the functions that AWS invokes with
//! batches.
//!
//! The answer is Lambda's partial batch response (`ReportBatchItemFailures`): what is in it comes again, everything else
//! is done. A function that cannot start, or a handler that panics, fails the whole batch, so that nothing is lost.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use http::StatusCode;
use lambda_http::Context;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::start;
use crate::clock::{Clock, SystemClock};
use crate::telemetry::{Metric, RequestLine};

/// The records of an event.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The records, in order.
    pub records: Vec<Value>,
    /// When the function must be done; 0 if Lambda did not say.
    pub deadline_ms: u64,
}

/// The name by which a record comes again: a stream's sequence number, or a queue's message id. Of a record that has
/// neither, nothing: for Lambda that means that the whole batch has failed.
#[must_use]
pub fn item_id(record: &Value) -> String {
    let sequence_number = record.pointer("/dynamodb/SequenceNumber");
    let id = sequence_number.or_else(|| record.get("messageId")).and_then(Value::as_str);
    id.unwrap_or_default().to_owned()
}

/// A function that AWS invokes with batches.
pub trait TakesBatches: Send + Sync {
    /// The function's name, for its request lines.
    fn function(&self) -> &'static str;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Does work during INIT, so that the first batch need not wait for it.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Processes a batch. Returns the ids of the records that have to come again.
    fn handle(&self, batch: Batch, line: &mut RequestLine) -> impl Future<Output = Vec<String>> + Send;
}

/// Answers one event.
pub async fn answer(function: &impl TakesBatches, event: &RawValue, context: Context) -> Box<RawValue> {
    let span = tracing::error_span!("request", request_id = context.request_id);
    let answering = async {
        let mut line = RequestLine::begin(function.function());
        let mut event: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let Some(Value::Array(records)) = event.get_mut("Records").map(Value::take) else {
            line.reject("malformed");
            line.end(function.clock(), "malformed", StatusCode::BAD_REQUEST);
            let message =
                "this function takes the records of a stream or of a queue: this event was sent by mistake";
            return json!({"error": "malformed", "message": message});
        };
        line.note("records", records.len());
        let all: Vec<String> = records.iter().map(item_id).collect();
        let batch = Batch { records, deadline_ms: context.deadline };
        let handling = AssertUnwindSafe(Box::pin(function.handle(batch, &mut line))).catch_unwind();
        let handled = handling.await.inspect_err(|_panic| {
            tracing::error!(alarm = "panic", "the handler panicked");
        });
        let (outcome, failed) = match handled {
            Ok(failed) if failed.is_empty() => ("ok", failed),
            Ok(failed) => ("come_again", failed),
            Err(_panic) => {
                line.count(Metric::Panicked);
                ("internal", all)
            }
        };
        line.note("come_again", failed.len());
        line.end(function.clock(), outcome, StatusCode::OK);
        let items: Vec<Value> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
        json!({"batchItemFailures": items})
    };
    raw(&answering.instrument(span).await)
}

fn raw(answer: &Value) -> Box<RawValue> {
    #[expect(clippy::expect_used, reason = "a JSON value is JSON")]
    to_raw_value(answer).expect("JSON")
}

/// Runs a function: starts the log, warms the function up during INIT, and takes batches until Lambda ends the process.
///
/// # Errors
///
/// The error of the Lambda runtime if it cannot continue.
pub async fn run<F: TakesBatches, E: std::error::Error + 'static>(
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

async fn serve(function: &impl TakesBatches) -> Result<(), lambda_http::Error> {
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, lambda_http::Error>(answer(function, &event.payload, event.context).await)
    });
    lambda_runtime::run(service).await
}

/// A function whose settings cannot be read. Everything has to come again.
struct Misconfigured {
    function: &'static str,
}

impl TakesBatches for Misconfigured {
    fn function(&self) -> &'static str {
        self.function
    }

    fn clock(&self) -> &dyn Clock {
        &SystemClock
    }

    async fn handle(&self, batch: Batch, line: &mut RequestLine) -> Vec<String> {
        line.count(Metric::Misconfigured);
        batch.records.iter().map(item_id).collect()
    }
}
