//! Notion's error responses, in the two shapes it documents or sends.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::settings::ErrorShape;

/// An error answer of the simulated Notion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({status}){}", message.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct NotionError {
    /// The HTTP status.
    pub status: u16,
    /// `error` in shape A, `code` in shape B, for example `invalid_grant`.
    pub code: String,
    /// `error_description` in shape A, `message` in shape B.
    pub message: Option<String>,
    /// `additional_data` of the API envelope.
    pub additional_data: Option<Value>,
    /// Whether this is an error of the OAuth endpoints, whose shape [`ErrorShape`] decides. All others use the API
    /// envelope.
    pub oauth: bool,
}

impl NotionError {
    /// An error of the OAuth endpoints, with the codes of RFC 6749 §5.2.
    pub(crate) fn oauth(status: StatusCode, code: &str, message: Option<&str>) -> Self {
        Self { oauth: true, ..Self::api(status, code, message) }
    }

    /// An error in the API envelope.
    pub(crate) fn api(status: StatusCode, code: &str, message: Option<&str>) -> Self {
        Self {
            status: status.as_u16(),
            code: code.to_owned(),
            message: message.map(str::to_owned),
            additional_data: None,
            oauth: false,
        }
    }

    pub(crate) fn invalid_client() -> Self {
        Self::oauth(StatusCode::UNAUTHORIZED, "invalid_client", None)
    }

    pub(crate) fn invalid_grant(message: &str) -> Self {
        Self::oauth(StatusCode::BAD_REQUEST, "invalid_grant", Some(message))
    }

    pub(crate) fn invalid_request(message: &str) -> Self {
        Self::oauth(StatusCode::BAD_REQUEST, "invalid_request", Some(message))
    }

    /// A missing field, in the words of Notion's validator.
    pub(crate) fn undefined(field: &str) -> Self {
        Self::invalid_request(&format!(
            "body failed validation: body.{field} should be defined, instead was `undefined`."
        ))
    }

    /// 400 `validation_error` of the content endpoints.
    pub(crate) fn validation(message: &str) -> Self {
        Self::api(StatusCode::BAD_REQUEST, "validation_error", Some(message))
    }

    /// 404 `object_not_found`: it does not exist, or is not shared.
    pub(crate) fn not_found(message: &str) -> Self {
        Self::api(StatusCode::NOT_FOUND, "object_not_found", Some(message))
    }

    /// 404 for a path that is nothing at all. The message is *invented*.
    pub(crate) fn nothing_here() -> Self {
        Self::not_found("There is nothing here.")
    }

    /// 403 `restricted_resource`: a capability is missing, or a limit is reached.
    pub(crate) fn restricted(message: &str) -> Self {
        Self::api(StatusCode::FORBIDDEN, "restricted_resource", Some(message))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::api(StatusCode::UNAUTHORIZED, "unauthorized", Some("API token is invalid."))
    }

    pub(crate) fn missing_version() -> Self {
        Self::api(
            StatusCode::BAD_REQUEST,
            "missing_version",
            Some(
                "Notion-Version header failed validation: Notion-Version header should be defined, instead was \
                 undefined.",
            ),
        )
    }

    /// The body as JSON text.
    pub(crate) fn body(&self, shape: ErrorShape, request_id: &str) -> String {
        let message = self.message.as_deref();
        let body = if self.oauth && shape == ErrorShape::A {
            serde_json::to_string(&ShapeA { error: &self.code, error_description: message, request_id })
        } else {
            serde_json::to_string(&Envelope {
                object: "error",
                status: self.status,
                code: &self.code,
                message: message.unwrap_or(&self.code),
                // The OpenAPI document of the OAuth endpoints has no `request_id` in the body.
                request_id: (!self.oauth).then_some(request_id),
                additional_data: self.additional_data.as_ref(),
            })
        };
        body.unwrap_or_default()
    }
}

#[derive(Serialize)]
struct ShapeA<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Envelope<'a> {
    object: &'static str,
    status: u16,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_data: Option<&'a Value>,
}
