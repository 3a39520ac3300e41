//! What the injected faults do to a request and its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::error::NotionError;
use crate::traffic::Fault;
use crate::world::{World, insert, status};

/// Processes the request, or not, and answers as the fault says. `None` if the connection must be cut.
pub(crate) async fn faulty(
    world: &World,
    endpoint: Option<Endpoint>,
    fault: Fault,
    process: impl Future<Output = Response>,
) -> Option<Response> {
    match fault {
        // These only come later.
        Fault::Hold | Fault::DelayMs(_) => Some(process.await),
        Fault::LostReply => {
            process.await;
            None
        }
        Fault::DropBeforeProcessing => None,
        Fault::Status { status, retry_after } => {
            Some(status_fault(world, endpoint, status, retry_after.as_deref()))
        }
        Fault::ProcessedThen5xx(status) => {
            process.await;
            Some(status_fault(world, endpoint, status, None))
        }
        Fault::CommittedThen503 { names_resource } => {
            Some(committed_fault(world, names_resource, process.await).await)
        }
        Fault::Response { status: number, body } => Some(world.answer_with(|_, _| {
            Ok((status(number), if body.is_null() { String::new() } else { body.to_string() }))
        })),
        Fault::Html(number) => Some(html_fault(world, number)),
        Fault::Error { status: number, code, message } => {
            let is_oauth = endpoint.is_some_and(Endpoint::is_oauth);
            let error = NotionError::api(status(number), &code, message.as_deref());
            Some(world.refuse(NotionError { oauth: is_oauth, ..error }))
        }
        Fault::Truncated => {
            let (head, body) = read(process.await).await;
            Some(Response::from_parts(head, Body::new(HalfBody::new(&body))))
        }
        Fault::NotJson => {
            process.await;
            Some(world.answer(|_, _| Ok("upstream connect error".to_owned())))
        }
        Fault::Body(body) => {
            process.await;
            Some(world.answer(|_, _| Ok(body.to_string())))
        }
        Fault::Huge => {
            let padding = json!({ "padding": "x".repeat(10 * 1024 * 1024 + 1) });
            Some(edit(process.await, |body| merge(body, padding)).await)
        }
        Fault::PatchResponse(patch) => Some(edit(process.await, |body| merge(body, patch)).await),
        Fault::RemoveFields(paths) => {
            let remove_all = |body: &mut Value| paths.iter().for_each(|path| remove(body, path));
            Some(edit(process.await, remove_all).await)
        }
    }
}

/// The API envelope with the code that Notion documents for the status (status codes, request limits).
fn status_fault(
    world: &World,
    endpoint: Option<Endpoint>,
    number: u16,
    retry_after: Option<&str>,
) -> Response {
    let code = match number {
        400 if endpoint.is_some_and(|endpoint| !endpoint.is_oauth()) => "validation_error",
        400 => "invalid_request",
        401 => "unauthorized",
        403 => "restricted_resource",
        404 => "object_not_found",
        409 => "conflict_error",
        429 => "rate_limited",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        529 => "service_overload",
        _ => "internal_server_error",
    };
    let mut error = NotionError::api(status(number), code, Some("Injected by the simulator."));
    if number == 429 {
        let mut data = json!({ "rate_limit_reason": "public_api_request_rate_limit" });
        if let Some(retry_after) = retry_after {
            data["retry_after"] = retry_after.into(); // a string, as documented
        }
        error.additional_data = Some(data);
    }
    let mut response = world.refuse(error);
    if let Some(retry_after) = retry_after {
        insert(response.headers_mut(), "retry-after", retry_after);
    }
    response
}

/// 503 although the request took effect. The fields are documented; their texts are *invented*.
async fn committed_fault(world: &World, names_resource: bool, processed: Response) -> Response {
    let (head, bytes) = read(processed).await;
    if !head.status.is_success() {
        return Response::from_parts(head, Body::from(bytes));
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let made = if body["id"].is_string() { &body["id"] } else { &body["results"][0]["id"] };
    let mut data =
        json!({ "retry_guidance": "The request may have been processed. Check before trying again." });
    if names_resource && made.is_string() {
        data["committed_resource_id"] = made.clone();
    }
    let mut error = NotionError::api(
        StatusCode::SERVICE_UNAVAILABLE,
        "service_unavailable",
        Some("Injected by the simulator."),
    );
    error.additional_data = Some(data);
    world.refuse(error)
}

fn html_fault(world: &World, number: u16) -> Response {
    let page = "<!DOCTYPE html><html><head><title>Attention Required!</title></head><body><h1>Sorry, you have \
                been blocked</h1></body></html>";
    let mut response = (status(number), axum::response::Html(page)).into_response();
    insert(response.headers_mut(), "cf-ray", &world.notion().random.ray());
    response
}

/// Changes a 200 answer that is a JSON object. All other answers stay unchanged. The key order becomes alphabetical.
async fn edit(response: Response, change: impl FnOnce(&mut Value)) -> Response {
    let (mut head, bytes) = read(response).await;
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(mut body) if head.status == StatusCode::OK => {
            change(&mut body);
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, Body::from(body.to_string()))
        }
        _ => Response::from_parts(head, Body::from(bytes)),
    }
}

async fn read(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (head, body) = response.into_parts();
    // The simulator's own answers are in memory, so reading them cannot fail.
    (head, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

fn merge(body: &mut Value, patch: Value) {
    if let (Value::Object(body), Value::Object(patch)) = (body, patch) {
        body.extend(patch);
    }
}

fn remove(body: &mut Value, path: &str) {
    let (parent, name) = match path.rsplit_once('.') {
        Some((parents, name)) => (body.pointer_mut(&format!("/{}", parents.replace('.', "/"))), name),
        None => (Some(body), path),
    };
    if let Some(Value::Object(fields)) = parent {
        fields.remove(name);
    }
}

/// Announces the full length and ends half way, which makes hyper close the connection.
struct HalfBody {
    announced: u64,
    half: Option<Bytes>,
    is_flushed: bool,
}

impl HalfBody {
    fn new(whole: &Bytes) -> Self {
        let announced = whole.len() as u64;
        Self { announced, half: Some(whole.slice(..whole.len() / 2)), is_flushed: false }
    }
}

impl HttpBody for HalfBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.is_flushed {
            // hyper flushes its buffer when a body is pending.
            self.is_flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
