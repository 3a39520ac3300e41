//! Records every request and applies the injected faults.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::error::NotionError;
use crate::limits::{OverLimit, RateScope};
use crate::request::{basic_user, bearer};
use crate::settings::RateLimitCounts;
use crate::traffic::{Fault, Recorded};
use crate::wire::Cutter;
use crate::world::{World, insert, status};

/// Notion rejects bodies larger than 500 KB (request limits).
const BODY_LIMIT_BYTES: usize = 500_000;

/// The middleware around everything: records the request, then answers it, with a fault if one is waiting.
///
/// The work runs in its own task: a request takes effect even if its client gives up waiting, as on any server.
pub(crate) async fn record(
    State(world): State<Arc<World>>,
    ConnectInfo(wire): ConnectInfo<Cutter>,
    request: Request,
    next: Next,
) -> Response {
    let answered = tokio::spawn(answer(world, wire.clone(), request, next)).await;
    answered.ok().flatten().unwrap_or_else(|| {
        wire.cut();
        Response::default() // the cut wire sends no byte of it
    })
}

/// `None` if the connection must be cut.
async fn answer(world: Arc<World>, wire: Cutter, request: Request, next: Next) -> Option<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT_BYTES).await;
    let endpoint = Endpoint::at(head.method.as_str(), head.uri.path());
    let header = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
    };
    let recorded = Recorded {
        endpoint,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body: body.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default(),
        connection_number: wire.number,
        status: None,
    };
    // Before the request appears in the log: anyone who sees it there may release it.
    let released = *world.releases.borrow();
    let (at, fault) = {
        let mut traffic = world.traffic();
        let at = traffic.record(recorded);
        // HEAD has no effects, not even on the queue.
        let faulty = endpoint.filter(|_| head.method != Method::HEAD);
        (at, faulty.and_then(|endpoint| traffic.take_fault(endpoint)))
    };
    world.arrivals.send_replace(());

    let over_limit = endpoint.and_then(|endpoint| over_limit(&world, endpoint, &head.headers));
    let response = match (body, over_limit, fault) {
        (Ok(_), Some(over), _) => Some(rate_limited(&world, &over)),
        (Err(_), ..) => Some(world.refuse(too_large(endpoint))),
        (Ok(body), None, fault) => {
            let process = next.run(Request::from_parts(head, Body::from(body)));
            match fault {
                None => Some(process.await),
                Some(fault) => faulty(&world, endpoint, fault, released, process).await,
            }
        }
    };
    world.traffic().log[at].status = response.as_ref().map(|response| response.status().as_u16());
    response
}

/// A body above Notion's limit. Its status is documented for content only; the message is *invented*.
fn too_large(endpoint: Option<Endpoint>) -> NotionError {
    let is_content = endpoint.is_some_and(|endpoint| !endpoint.is_oauth());
    let status = if is_content { StatusCode::BAD_REQUEST } else { StatusCode::PAYLOAD_TOO_LARGE };
    NotionError::api(status, "validation_error", Some("The request body is larger than 500 KB."))
}

/// Counts the request by connection and workspace. Answers if it exceeds a limit.
fn over_limit(world: &World, endpoint: Endpoint, headers: &HeaderMap) -> Option<OverLimit> {
    let mut notion = world.notion();
    let (client_id, workspace_id) = match endpoint {
        // Opened in a browser.
        Endpoint::Authorize => return None,
        endpoint if endpoint.is_oauth() => (basic_user(headers)?, None),
        _ => {
            let (grant, _) = bearer(headers).and_then(|token| notion.pair_of_access_token(token))?;
            let grant = &notion.memory.grants[grant];
            (grant.client_id.clone(), Some(grant.workspace_id.clone()))
        }
    };
    let by_connection = match notion.settings.rate_limit_counts {
        RateLimitCounts::Connection => RateScope::Connection(client_id),
        RateLimitCounts::ConnectionAndWorkspace => {
            RateScope::ConnectionInWorkspace(client_id, workspace_id.clone())
        }
    };
    let settings = &notion.settings;
    let limits = (settings.requests_per_minute, settings.workspace_requests_per_minute);
    let now_ms = notion.now_ms();
    drop(notion);
    let mut traffic = world.traffic();
    let over = traffic.windows.count(by_connection, limits.0, now_ms);
    let in_workspace = workspace_id
        .and_then(|workspace_id| traffic.windows.count(RateScope::Workspace(workspace_id), limits.1, now_ms));
    over.or(in_workspace)
}

/// 429 with the wait in a header and, as text, in the body (documented).
fn rate_limited(world: &World, over: &OverLimit) -> Response {
    let retry_after = over.retry_after_secs.to_string();
    let mut error = NotionError::api(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        Some("You have been rate limited. Please try again in a few minutes."),
    );
    error.additional_data = Some(json!({ "rate_limit_reason": over.reason, "retry_after": retry_after }));
    let mut response = world.refuse(error);
    insert(response.headers_mut(), "retry-after", &retry_after);
    response
}

/// `None` if the server stops before the release.
async fn held(world: &World, released: u64, process: impl Future<Output = Response>) -> Option<Response> {
    let mut release = world.releases.subscribe();
    let mut stopping = world.stopping.clone();
    tokio::select! {
        Ok(_) = release.wait_for(|count| *count > released) => {}
        _ = stopping.wait_for(|stopping| *stopping) => return None,
    }
    Some(process.await)
}

/// `None` if the connection must be cut.
async fn faulty(
    world: &World,
    endpoint: Option<Endpoint>,
    fault: Fault,
    released: u64,
    process: impl Future<Output = Response>,
) -> Option<Response> {
    match fault {
        Fault::Hold => held(world, released, process).await,
        Fault::DelayMs(ms) => {
            let mut stopping = world.stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(ms)) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return None,
            }
            Some(process.await)
        }
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
