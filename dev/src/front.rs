//! The HTTP front, in the role of API Gateway. It has the same routes (and the start page), turns each request into
//! an event, and the function's answer into a response.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use vault::http_client;

use crate::events::HttpRequest;
use crate::inside::Inside;
use crate::sample_app;
use crate::signed;
use crate::start_page;

/// API Gateway's limit for request line and headers together, in bytes.
pub const MAX_HEADER_BYTES: usize = 10_240;
/// API Gateway's limit for a body, in bytes.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

pub(crate) fn router(inside: Arc<Inside>) -> Result<Router, http_client::ClientError> {
    let router = Router::new()
        .merge(sample_app::router(Arc::clone(&inside), http_client::build()?))
        .route("/", get(start))
        .route("/live-events", get(live_events))
        .route("/client-secret", post(store_client_secret))
        .route("/installations/refresh", post(refresh))
        .route("/installations/uninstall", post(uninstall))
        .route("/sweep", post(sweep))
        .route("/install", get(install).head(undeclared))
        .route("/callback", get(callback).head(undeclared))
        .route("/claim", post(claim))
        .route("/installations", get(installations).head(undeclared))
        .route("/events", get(events).head(undeclared))
        .route("/token", post(token))
        .route("/uninstall", post(uninstall_route))
        .fallback(undeclared)
        .method_not_allowed_fallback(undeclared)
        .with_state(inside);
    Ok(router)
}

async fn start(State(inside): State<Arc<Inside>>) -> Response {
    match start_page::render(&inside).await {
        Ok(page) => ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The list of events on the start page.
async fn live_events(State(inside): State<Arc<Inside>>) -> Response {
    match start_page::events_html(&inside).await {
        Ok(list) => ([(header::CACHE_CONTROL, "no-store")], Html(list)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The secret typed into the start page: `aws secretsmanager put-secret-value` on this machine.
#[derive(serde::Deserialize)]
struct NewClientSecret {
    client_secret: String,
}

async fn store_client_secret(
    State(inside): State<Arc<Inside>>,
    _: OwnForm,
    Form(form): Form<NewClientSecret>,
) -> Response {
    match inside.store_client_secret(form.client_secret.trim()) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A form sent by the start page. Another site's page could post to localhost too.
pub(crate) struct OwnForm;

impl OwnForm {
    /// Whether a page of `url`'s origin sent it.
    pub(crate) fn is_sent_by(headers: &HeaderMap, url: &str) -> bool {
        headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == url.as_bytes())
    }
}

impl FromRequestParts<Arc<Inside>> for OwnForm {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(head: &mut Parts, inside: &Arc<Inside>) -> Result<Self, Self::Rejection> {
        Self::is_sent_by(&head.headers, &inside.url)
            .then_some(Self)
            .ok_or((StatusCode::FORBIDDEN, "This form belongs to the start page."))
    }
}

/// The installation that a button of the start page belongs to; no user for the workspace's own.
#[derive(serde::Deserialize)]
struct Chosen {
    workspace_id: String,
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    forget: bool,
}

async fn refresh(State(inside): State<Arc<Inside>>, _: OwnForm, Form(chosen): Form<Chosen>) -> Response {
    press(&inside, "token", &chosen.input("refresh", true)).await
}

async fn uninstall(State(inside): State<Arc<Inside>>, _: OwnForm, Form(chosen): Form<Chosen>) -> Response {
    press(&inside, "uninstall", &chosen.input("forget", chosen.forget)).await
}

async fn sweep(State(inside): State<Arc<Inside>>, _: OwnForm) -> Response {
    press(&inside, "sweep", &json!({})).await
}

impl Chosen {
    fn input(&self, wish: &str, wanted: bool) -> Value {
        let user_id = Some(self.user_id.as_str()).filter(|id| !id.is_empty());
        let mut input =
            json!({"workspace_id": self.workspace_id, "user_id": user_id, "caller": "the start page"});
        input[wish] = wanted.into();
        input
    }
}

/// Invokes a function and redirects to the start page, which shows the answer without the token.
async fn press(inside: &Inside, function: &str, input: &Value) -> Response {
    let mut answer = inside.ask(function, input).await;
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("access_token");
    }
    inside.say(format!("{function}: {answer}"));
    Redirect::to("/").into_response()
}

async fn install(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke(&inside, "install", request, None).await
}

async fn callback(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let throttle = inside.callback_throttle.as_ref();
    if !throttle.is_none_or(|throttle| throttle.lets_through(inside.clock.now_millis())) {
        return (StatusCode::TOO_MANY_REQUESTS, axum::Json(json!({"message": "Too Many Requests"})))
            .into_response();
    }
    invoke(&inside, "callback", request, None).await
}

async fn claim(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke_if_signed(&inside, "claim", request).await
}

async fn installations(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke_if_signed(&inside, "installations", request).await
}

async fn events(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke_if_signed(&inside, "feed", request).await
}

async fn token(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke_if_signed(&inside, "token", request).await
}

async fn uninstall_route(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    invoke_if_signed(&inside, "uninstall", request).await
}

/// An IAM-authorised route: the function is invoked only if the signature is valid for this request.
async fn invoke_if_signed(inside: &Inside, function: &str, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let forbidden = || (StatusCode::FORBIDDEN, axum::Json(json!({"message": "Forbidden"}))).into_response();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else { return forbidden() };
    let Some(access_key) = signed::signer(&head, &body) else { return forbidden() };
    let signed = Signed {
        caller_arn: format!("arn:aws:iam::123456789012:user/{access_key}"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    invoke(inside, function, Request::from_parts(head, axum::body::Body::empty()), Some(signed)).await
}

async fn undeclared() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({"message": "Not Found"}))).into_response()
}

/// The additional data of a signed request.
struct Signed {
    caller_arn: String,
    body: String,
}

async fn invoke(inside: &Inside, function: &str, request: Request, signed: Option<Signed>) -> Response {
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
    let mut event = request.event();
    if let Some(signed) = signed {
        event["requestContext"]["authorizer"] = json!({"iam": {"userArn": signed.caller_arn}});
        event["body"] = signed.body.into();
    }
    let Ok(event) = to_raw_value(&event) else { return undeclared().await };
    match Box::pin(inside.invoke(function, &event)).await {
        Some(answer) => response(&answer),
        None => undeclared().await,
    }
}

/// Turns a function's answer (payload format 2.0) into an HTTP response.
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
