//! The address of the AWS stand-ins: Lambda's Invoke, and the other services.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::json;
use serde_json::value::RawValue;
use simulated_notion::wire::Cutter;

use crate::aws::{Call, caller_of};
use crate::inside::Inside;

pub(crate) fn router(inside: Arc<Inside>) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(other_services)
        .with_state(inside)
}

async fn other_services(
    State(inside): State<Arc<Inside>>,
    ConnectInfo(wire): ConnectInfo<Cutter>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    inside.services.answer(wire, &headers, body).await
}

/// Answers with the function's answer. For the invocation type `Event` too, the function is done before the response
/// is sent.
async fn invoke(
    State(inside): State<Arc<Inside>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    inside.note_invocation(Call {
        caller: caller_of(&headers),
        operation: "InvokeFunction".to_owned(),
        body: json!({"FunctionName": name}).to_string(),
        connection_number: 0,
    });
    let error = |status: StatusCode, code: &'static str| {
        let message = axum::Json(json!({"Type": "User", "Message": "from the stand-in"}));
        (status, [("x-amzn-errortype", code)], message).into_response()
    };
    let Ok(event) = serde_json::from_slice::<Box<RawValue>>(&body) else {
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException");
    };
    match Box::pin(inside.invoke(&name, &event)).await {
        Some(answer) => {
            let content_type = (header::CONTENT_TYPE.as_str(), "application/json");
            let version = ("x-amz-executed-version", "$LATEST");
            ([content_type, version], answer.get().to_owned()).into_response()
        }
        None => error(StatusCode::NOT_FOUND, "ResourceNotFoundException"),
    }
}
