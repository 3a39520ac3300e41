//! The OpenAPI document of the control.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

pub(super) const TEXT: &str = include_str!("../../openapi/control.json");

/// `GET /control/openapi.json`
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT).into_response()
}
