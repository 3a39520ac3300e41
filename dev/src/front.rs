//! The HTTP front: API Gateway's part on this machine. Declares the same two routes (and the start page), turns each
//! request into an event, and the function's answer into a response.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use lambda_http::Context;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use shared::entry::{AlwaysAnswers, answer};

use crate::events::HttpRequest;
use crate::stack::Inside;
use crate::start_page;

/// What API Gateway takes of request line and headers together, in bytes.
pub const MAX_HEADER_BYTES: usize = 10_240;

pub(crate) fn router(inside: Arc<Inside>) -> Router {
    Router::new()
        .route("/", get(start))
        .route("/client-secret", post(store_client_secret))
        .route("/install", get(install).head(undeclared))
        .route("/callback", get(callback).head(undeclared))
        .fallback(undeclared)
        .method_not_allowed_fallback(undeclared)
        .with_state(inside)
}

async fn start(State(inside): State<Arc<Inside>>) -> Response {
    match start_page::render(&inside).await {
        Ok(page) => ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What the deployer types into the start page: `aws secretsmanager put-secret-value` on this machine.
#[derive(serde::Deserialize)]
struct NewClientSecret {
    client_secret: String,
}

async fn store_client_secret(
    State(inside): State<Arc<Inside>>,
    headers: HeaderMap,
    Form(form): Form<NewClientSecret>,
) -> Response {
    // Another site's page can post a form to localhost too.
    let is_own = |origin: &HeaderValue| origin.as_bytes() == inside.url.as_bytes();
    if !headers.get(header::ORIGIN).is_none_or(is_own) {
        return (StatusCode::FORBIDDEN, "This form belongs to the start page.").into_response();
    }
    match inside.store_client_secret(form.client_secret.trim()) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn install(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke(&inside, &inside.install, request).await
}

async fn callback(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke(&inside, &inside.callback, request).await
}

async fn undeclared() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({"message": "Not Found"}))).into_response()
}

async fn invoke(inside: &Inside, function: &impl AlwaysAnswers, request: Request) -> Response {
    let (head, _body) = request.into_parts();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> =
        head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if header_bytes + head.uri.to_string().len() > MAX_HEADER_BYTES {
        let body = axum::Json(json!({"message": "Request Header Fields Too Large"}));
        return (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, body).into_response();
    }
    let request = HttpRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        raw_query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        arrived_at_ms: inside.clock.now_millis().0,
        request_id: inside.next_request_id(),
    };
    let Ok(event) = to_raw_value(&request.event()) else {
        return undeclared().await;
    };
    let mut context = Context::default();
    context.request_id = request.request_id;
    context.deadline = inside.clock.now_millis().0 + inside.function_timeout_ms;
    let answer = answer(function, &event, context).await;
    inside.keep_answer(answer.get());
    response(&answer)
}

/// From a function's answer (payload format 2.0) to HTTP.
fn response(answer: &RawValue) -> Response {
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    let status = answer["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
    let Some(status) = status else {
        return (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(json!({"message": "Internal Server Error"})))
            .into_response();
    };
    let mut headers = HeaderMap::new();
    let fields = answer["headers"].as_object().into_iter().flatten();
    let cookies = answer["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let pairs = fields.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    for (name, value) in pairs.chain(cookies.map(|cookie| ("set-cookie", cookie))) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    (status, headers, answer["body"].as_str().unwrap_or_default().to_owned()).into_response()
}
