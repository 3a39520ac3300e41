//! What the simulator's own pages have in common: rendering, headers, the index, and access checks.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};

use crate::connection::Connection;
use crate::request::text;
use crate::world::{World, insert};

/// Notion's page "Something went wrong", and the simulator's own error pages.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    explanation: &'a str,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    connections: Vec<Connection>,
}

/// Renders a page: no script, no framing, no caching.
///
/// `form-action` is not in the policy: browsers also apply it to the redirect after Allow, whose target is another
/// origin. `Referrer-Policy: no-referrer` would make browsers send `Origin: null` with the forms.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = (status, Html(text)).into_response();
            let headers = response.headers_mut();
            insert(headers, "cache-control", "no-store");
            insert(headers, "referrer-policy", "same-origin");
            insert(headers, "x-content-type-options", "nosniff");
            insert(
                headers,
                "content-security-policy",
                "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
            );
            response
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The page "Something went wrong". The status is a guess; Notion's was not recorded.
pub(crate) fn problem(status: StatusCode, explanation: &str) -> Response {
    page(status, &Problem { explanation })
}

/// Redirects the browser.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return problem(StatusCode::BAD_REQUEST, crate::authorize::BAD_REDIRECT_URI);
    };
    (status, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

pub(crate) async fn index(State(world): State<Arc<World>>) -> Response {
    let connections = world.notion().memory.connections.clone();
    page(StatusCode::OK, &Index { connections })
}

/// `GET /healthz`: the simulator answers requests from the moment it accepts them.
pub(crate) async fn ready() -> Response {
    axum::Json(serde_json::json!({ "status": "ready" })).into_response()
}

pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/style.css"))
        .into_response()
}

/// Rejects requests that another site makes a browser send: a `Host` that is not ours (DNS rebinding), or a POST
/// whose `Origin` or `Sec-Fetch-Site` is not ours (cross-site request forgery). Tools that are not browsers send
/// neither header.
pub(crate) async fn refuse_foreign(
    State(world): State<Arc<World>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let is_own_host = text(headers, "host").is_some_and(|host| world.base_url.is_host(host));
    if is_own_host && (request.method().is_safe() || is_own_origin(headers)) {
        return next.run(request).await;
    }
    let explanation = "This request was made by another site.";
    let is_from_a_browser = text(headers, "accept").is_some_and(|accept| accept.contains("text/html"));
    if request.uri().path().starts_with("/control") && !is_from_a_browser {
        let body = serde_json::json!({ "error": explanation, "field": null });
        return (StatusCode::FORBIDDEN, axum::Json(body)).into_response();
    }
    problem(StatusCode::FORBIDDEN, explanation)
}

fn is_own_origin(headers: &HeaderMap) -> bool {
    let host = text(headers, "host").unwrap_or_default();
    let origin_is_own = match headers.get(header::ORIGIN) {
        // Either scheme: HTTPS may end at a proxy before the simulator.
        Some(origin) => ["http", "https"].iter().any(|scheme| *origin == format!("{scheme}://{host}")),
        None => true,
    };
    let site = text(headers, "sec-fetch-site").unwrap_or("none");
    origin_is_own && matches!(site, "none" | "same-origin")
}
