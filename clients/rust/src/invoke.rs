//! One direct invocation of a function of the stack.

use std::sync::Arc;

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Map, Value};

/// The function did not answer in its own words.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotAnswered {
    /// It could not be invoked: throttled, no permission, no such function, no network.
    #[error("the function was not reached")]
    NotReached(#[source] Arc<aws_sdk_lambda::Error>),
    /// It failed. Its log has the request id.
    #[error("the function failed: see its log, request {}", request_id.as_deref().unwrap_or("unknown"))]
    FunctionFailed {
        /// Lambda's request id.
        request_id: Option<String>,
    },
    /// Another function answered, or a newer version of this one.
    #[error("the answer is not a known answer of the function")]
    Unreadable,
}

/// An answer, and Lambda's request id.
pub(crate) struct Answered {
    pub(crate) answer: Value,
    pub(crate) request_id: Option<String>,
}

/// Invokes a function. `caller` is for the audit log.
pub(crate) async fn invoke(
    lambda: &aws_sdk_lambda::Client,
    function_name: &str,
    mut input: Map<String, Value>,
    caller: Option<&str>,
) -> Result<Answered, NotAnswered> {
    if let Some(caller) = caller {
        input.insert("caller".to_owned(), caller.into());
    }
    let payload = Blob::new(Value::from(input).to_string());
    let asking = lambda.invoke().function_name(function_name).payload(payload);
    let answer = asking.send().await.map_err(not_reached)?;
    let request_id = answer.request_id().map(str::to_owned);
    if answer.function_error().is_some() {
        return Err(NotAnswered::FunctionFailed { request_id });
    }
    // The parser's error is dropped, because it may quote the answer.
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    let answer = serde_json::from_slice(payload).map_err(|_| NotAnswered::Unreadable)?;
    Ok(Answered { answer, request_id })
}

/// Drops the response: even if it could not be parsed as an answer, it may contain a token.
fn not_reached<E, R>(error: SdkError<E, R>) -> NotAnswered
where
    E: Into<aws_sdk_lambda::Error>,
    aws_sdk_lambda::Error: From<SdkError<E, R>>,
{
    let error = match error {
        SdkError::ResponseError(_) => return NotAnswered::Unreadable,
        SdkError::ServiceError(said) => said.into_err().into(),
        not_answered => not_answered.into(),
    };
    NotAnswered::NotReached(Arc::new(error))
}
