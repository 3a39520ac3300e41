//! Records every request, counts it for the rate limits, and answers it, with a fault if one is waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use crate::endpoint::Endpoint;
use crate::error::NotionError;
use crate::faulty::faulty;
use crate::limits::{OverLimit, RateScope};
use crate::request::{basic_user, bearer};
use crate::settings::RateLimitCounts;
use crate::traffic::{Fault, Recorded};
use crate::wire::Cutter;
use crate::world::{World, insert};

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
    // A reset waits for those at work, and is itself a request to the control.
    let is_control = head.uri.path().starts_with("/control");
    let mut at_work = if is_control { None } else { Some(world.at_work.read().await) };
    let recorded = Recorded {
        endpoint,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body: body.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default(),
        connection_number: wire.number,
        at_ms: world.notion().now_ms(),
        status: None,
    };
    // Before the request appears in the log: anyone who sees it there may release it.
    let released = *world.releases.borrow();
    let (run, at, fault) = {
        let mut traffic = world.traffic();
        // HEAD has no effects, not even on the queue.
        let fault = if head.method == Method::HEAD { None } else { traffic.take_fault(&recorded) };
        (*world.runs.borrow(), traffic.record(recorded), fault)
    };
    world.arrivals.send_replace(());

    let over_limit = endpoint.and_then(|endpoint| over_limit(&world, endpoint, &head.headers));
    let response = match (body, over_limit, fault) {
        (Ok(_), Some(over), _) => Some(rate_limited(&world, &over)),
        (Err(_), ..) => Some(world.refuse(too_large(endpoint))),
        (Ok(body), None, fault) => {
            let process = next.run(Request::from_parts(head, Body::from(body)));
            if matches!(fault, Some(Fault::Hold | Fault::DelayMs(_))) {
                drop(at_work.take());
                waited(&world, fault.as_ref(), released, run).await?;
                at_work = Some(world.at_work.read().await);
                if *world.runs.borrow() != run {
                    return None;
                }
            }
            match fault {
                None => Some(process.await),
                Some(fault) => faulty(&world, endpoint, fault, process).await,
            }
        }
    };
    {
        let mut traffic = world.traffic();
        // A request to the control may have been recorded before a reset.
        if *world.runs.borrow() == run {
            traffic.log[at].status = response.as_ref().map(|response| response.status().as_u16());
        }
    }
    drop(at_work);
    world.arrivals.send_replace(());
    response
}

/// Waits as the fault says. `None` if the server stops or is reset before that: then the connection must be cut.
async fn waited(world: &World, fault: Option<&Fault>, released: u64, run: u64) -> Option<()> {
    let mut release = world.releases.subscribe();
    let mut stopping = world.stopping.clone();
    let mut runs = world.runs.subscribe();
    let wait = async {
        match fault {
            Some(Fault::DelayMs(ms)) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            _ => {
                // The sender is in the world, which is here.
                let _ = release.wait_for(|count| *count > released).await;
            }
        }
    };
    tokio::select! {
        () = wait => Some(()),
        _ = stopping.wait_for(|stopping| *stopping) => None,
        _ = runs.wait_for(|number| *number != run) => None,
    }
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
