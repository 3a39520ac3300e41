//! The routes, and the JSON endpoints.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;

use crate::error::NotionError;
use crate::request::{Body, bearer};
use crate::world::World;
use crate::{api, consent, control, pages, recorder, workspace_view};

/// All routes of the simulator. Needs [`Cutter`](crate::wire::Cutter) as connection info.
pub(crate) fn router(world: Arc<World>) -> Router {
    let own_pages = Router::new()
        .route("/install-integration", get(consent::show).post(consent::decide))
        .merge(control::routes())
        .merge(workspace_view::routes())
        .route_layer(from_fn_with_state(Arc::clone(&world), pages::refuse_foreign));
    Router::new()
        .route("/", get(pages::index))
        .route("/style.css", get(pages::style))
        .route("/healthz", get(pages::ready))
        .route("/v1/oauth/authorize", get(consent::authorize))
        .route("/v1/oauth/token", post(token))
        .route("/v1/oauth/introspect", post(introspect))
        .route("/v1/oauth/revoke", post(revoke))
        .route("/v1/users/me", get(me))
        .merge(api::routes())
        .merge(own_pages)
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&world), recorder::record))
        .with_state(world)
}

async fn token(State(world): State<Arc<World>>, headers: HeaderMap, bytes: Bytes) -> Response {
    world.answer(|notion, request_id| {
        let connection = notion.authenticate(&headers)?;
        let body = Body::parse(&headers, &bytes, notion.settings.accept_form_bodies)?;
        let issued = notion.token(&connection, &body)?;
        json(&notion.token_body(issued, request_id))
    })
}

async fn introspect(State(world): State<Arc<World>>, headers: HeaderMap, bytes: Bytes) -> Response {
    world.answer(|notion, request_id| {
        let connection = notion.authenticate(&headers)?;
        let body = Body::parse(&headers, &bytes, notion.settings.accept_form_bodies)?;
        let found = notion.introspect(&connection, &body)?;
        json(&notion.introspection_body(found, request_id))
    })
}

async fn revoke(State(world): State<Arc<World>>, headers: HeaderMap, bytes: Bytes) -> Response {
    world.answer(|notion, request_id| {
        let connection = notion.authenticate(&headers)?;
        let body = Body::parse(&headers, &bytes, notion.settings.accept_form_bodies)?;
        notion.revoke(&connection, &body)?;
        notion.revocation_body(request_id).map_or(Ok(String::new()), |body| json(&body))
    })
}

async fn me(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.answer(|notion, request_id| {
        let grant = notion.me(bearer(&headers), headers.contains_key("notion-version"))?;
        json(&notion.me_body(grant, request_id))
    })
}

async fn unknown_path(State(world): State<Arc<World>>, uri: axum::http::Uri) -> Response {
    world.refuse(if uri.path().starts_with("/v1/") {
        NotionError::api(StatusCode::BAD_REQUEST, "invalid_request_url", Some("Invalid request URL."))
    } else {
        NotionError::nothing_here()
    })
}

async fn wrong_method(State(world): State<Arc<World>>) -> Response {
    world.refuse(NotionError::api(
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request_url",
        Some("Invalid request method."),
    ))
}

fn json(body: &impl Serialize) -> Result<String, NotionError> {
    serde_json::to_string(body).map_err(|error| {
        NotionError::api(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", Some(&error.to_string()))
    })
}
