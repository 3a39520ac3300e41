//! What the control reads and how it answers: JSON in, JSON or 204 out; the forms of the control page get 303.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pages::{problem, redirect};
use crate::request::text;

/// The answer 422: what is wrong, and with which field, if it is one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Wrong {
    error: String,
    field: Option<String>,
}

impl Wrong {
    pub(super) fn field(field: &str, error: &str) -> Self {
        Self { error: error.to_owned(), field: Some(field.to_owned()) }
    }

    pub(super) fn whole(error: &str) -> Self {
        Self { error: error.to_owned(), field: None }
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(self)).into_response()
    }
}

impl From<(&'static str, &'static str)> for Wrong {
    fn from((field, error): (&'static str, &'static str)) -> Self {
        Self::field(field, error)
    }
}

/// A body without fields, which may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Reads a form or JSON, acts on it, and answers: 204, or 200 with what `action` gives.
pub(super) fn act<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &Bytes,
    action: impl FnOnce(T) -> Result<Option<Value>, Wrong>,
) -> Response {
    let is_form = is_form(headers);
    let read = if is_form { from_pairs(body) } else { from_json(body) };
    match read.and_then(action) {
        Ok(_) if is_form => redirect(StatusCode::SEE_OTHER, "/control"),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(value)) => axum::Json(value).into_response(),
        Err(wrong) if is_form => problem(StatusCode::UNPROCESSABLE_ENTITY, &wrong.error),
        Err(wrong) => wrong.into_response(),
    }
}

/// Reads a query and answers it with JSON. An unknown parameter or a wrong value gets 422.
pub(super) fn answer<T: DeserializeOwned>(
    query: Option<String>,
    tell: impl FnOnce(T) -> Result<Value, Wrong>,
) -> Response {
    match ask(query).and_then(tell) {
        Ok(value) => axum::Json(value).into_response(),
        Err(wrong) => wrong.into_response(),
    }
}

/// Reads a query.
///
/// # Errors
///
/// An unknown parameter, or a wrong value.
pub(super) fn ask<T: DeserializeOwned>(query: Option<String>) -> Result<T, Wrong> {
    from_pairs(query.unwrap_or_default().as_bytes())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn from_json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Wrong> {
    if body.is_empty() {
        return from_value(Value::Object(serde_json::Map::new()));
    }
    from_value(serde_json::from_slice(body).map_err(|error| Wrong::whole(&format!("No JSON: {error}")))?)
}

/// Fields whose value is never JSON.
const TEXTS: &[&str] = &[
    "back",
    "client_id",
    "endpoint",
    "id",
    "method",
    "new_secret",
    "now",
    "path",
    "person",
    "title",
    "workspace",
];

/// A form or query as JSON. A value is JSON if it parses and fits the field, otherwise it is text.
fn from_pairs<T: DeserializeOwned>(pairs: &[u8]) -> Result<T, Wrong> {
    let fields = form_urlencoded::parse(pairs).map(|(name, value)| {
        let json = serde_json::from_str(&value).ok().filter(|_| !TEXTS.contains(&name.as_ref()));
        (name.into_owned(), json.unwrap_or_else(|| value.into()))
    });
    from_value(Value::Object(fields.collect()))
}

/// Reads a value, and says which field is wrong.
pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        let error = error.into_inner().to_string();
        // The name of a missing field is only in the text, that of an unknown one sometimes.
        let named = |start: &str| error.strip_prefix(start)?.split('`').next().map(str::to_owned);
        let below = |name: String| path.as_ref().map_or(name.clone(), |path| format!("{path}.{name}"));
        let is_named = |name: &str| path.as_ref().is_some_and(|path| path.rsplit('.').next() == Some(name));
        let unknown = named("unknown field `").filter(|name| !is_named(name));
        let field = named("missing field `").or(unknown).map(below).or(path.clone());
        Wrong { error, field }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::traffic::Injection;

    #[test]
    fn a_form_sets_a_switch_by_its_bare_name() {
        let changes: serde_json::Map<String, Value> =
            from_pairs(b"rotation=family_revocation&code_lifetime_secs=5").unwrap();
        let settings = crate::Settings::default().with(changes);
        let settings = serde_json::from_value::<crate::Settings>(settings).unwrap();
        assert_eq!(settings.rotation, crate::Rotation::FamilyRevocation);
        assert_eq!(settings.code_lifetime_secs, 5);
    }

    #[test]
    fn the_wrong_field_is_named() {
        let cases = [
            (json!({ "endpoint": "token" }), "fault"),
            (json!({ "endpoint": "nothing", "fault": "hold" }), "endpoint"),
            (json!({ "endpoint": "token", "fault": "hold", "time": 1 }), "time"),
            (json!({ "endpoint": "token", "fault": "hold", "times": -1 }), "times"),
            (json!({ "endpoint": "token", "fault": { "status": {} } }), "fault.status.status"),
            (json!({ "endpoint": "token", "fault": { "status": { "s": 1 } } }), "fault.status.s"),
            (json!({ "endpoint": "token", "fault": { "html": "x" } }), "fault.html"),
        ];
        for (body, field) in cases {
            let wrong = from_value::<Injection>(body.clone()).unwrap_err();
            assert_eq!(wrong.field.as_deref(), Some(field), "{body}: {wrong:?}");
        }
        assert_eq!(from_value::<Injection>(json!([])).unwrap_err().field, None);
    }
}
