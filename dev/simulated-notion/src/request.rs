//! What the OAuth endpoints read from a request: client authentication, version, body.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::connection::Connection;
use crate::error::NotionError;
use crate::notion::Notion;

/// The fields of a JSON or form body.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// Parses a body by its content type. A body that is neither JSON nor an accepted form counts as empty, so a
    /// client that forgot the header is told which field is missing.
    ///
    /// # Errors
    ///
    /// `invalid_json` if the text is not JSON, `invalid_request` if it is not an object.
    pub(crate) fn parse(headers: &HeaderMap, bytes: &Bytes, accept_form: bool) -> Result<Self, NotionError> {
        let content_type = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if content_type == "application/x-www-form-urlencoded" && accept_form {
            let pairs = form_urlencoded::parse(bytes);
            return Ok(Self(pairs.map(|(key, value)| (key.into_owned(), value.into())).collect()));
        }
        if content_type != "application/json" {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(NotionError::invalid_request("body failed validation: body should be an object.")),
            Err(_) => Err(NotionError::api(
                axum::http::StatusCode::BAD_REQUEST,
                "invalid_json",
                Some("Error parsing JSON body."),
            )),
        }
    }

    /// A text field; `None` if it is missing.
    ///
    /// # Errors
    ///
    /// `invalid_request` if it is not text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, NotionError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(NotionError::invalid_request(&format!(
                "body failed validation: body.{name} should be a string, instead was `{other}`."
            ))),
        }
    }
}

/// A header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer")
}

/// The user name of HTTP Basic, whether or not it is known.
pub(crate) fn basic_user(headers: &HeaderMap) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials(headers, "basic")?).ok()?).ok()?;
    decoded.split_once(':').map(|(user, _)| user.to_owned())
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) = text(headers, "authorization")?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(credentials.trim())
}

impl Notion {
    /// Identifies the connection by HTTP Basic: base64 of the raw `client_id:client_secret`. Credentials in the body
    /// and Bearer are rejected.
    ///
    /// # Errors
    ///
    /// `invalid_client`; also `test_env_error` and `missing_version` if the settings ask for them.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<Connection, NotionError> {
        if self.settings.test_environment {
            return Err(NotionError::oauth(axum::http::StatusCode::FORBIDDEN, "test_env_error", None));
        }
        let credentials = credentials(headers, "basic").ok_or_else(NotionError::invalid_client)?;
        let decoded =
            BASE64_STANDARD.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(NotionError::invalid_client)?;
        let (client_id, secret) = decoded.split_once(':').ok_or_else(NotionError::invalid_client)?;
        let connection = self.connection(client_id).filter(|known| self.accepts_secret(known, secret));
        let connection = connection.ok_or_else(NotionError::invalid_client)?;
        if self.settings.require_notion_version && !headers.contains_key("notion-version") {
            return Err(NotionError::missing_version());
        }
        Ok(connection.clone())
    }
}
