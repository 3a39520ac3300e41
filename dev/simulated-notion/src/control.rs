//! The actions of the control page: every switch and fault, from a browser or with curl.
//!
//! Each POST takes a form and answers 303 to the page, or takes JSON and answers 204. No page and no answer
//! contains a secret, a code or a token.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::content::person::Act;
use crate::endpoint::Endpoint;
use crate::pages::{problem, redirect};
use crate::request::text;
use crate::traffic::Fault;
use crate::world::World;

/// `POST /control/settings`: any of the switches; the others stay unchanged.
pub(crate) async fn settings(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |changes: Map<String, Value>| {
        let mut notion = world.notion();
        notion.settings = notion.settings.with(changes).map_err(|error| error.to_string())?;
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injection {
    endpoint: Endpoint,
    fault: Fault,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// `POST /control/faults`: `endpoint`, `fault` (JSON, see [`Fault`]) and `times`.
pub(crate) async fn inject(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |injection: Injection| {
        world.traffic().inject(injection.endpoint, injection.fault, injection.times);
        Ok(())
    })
}

/// `POST /control/faults/clear`: drops the waiting faults.
pub(crate) async fn clear_faults(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.traffic().clear_faults();
    done(is_json(&headers))
}

/// `POST /control/release`: lets held requests continue.
pub(crate) async fn release(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.releases.send_modify(|count| *count += 1);
    done(is_json(&headers))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    client_id: String,
    new_secret: String,
}

/// `POST /control/secret`: `client_id` and `new_secret`.
pub(crate) async fn rotate_secret(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    act(&headers, &body, |NewSecret { client_id, new_secret }| {
        let found = world.change(|notion| notion.rotate_secret(&client_id, &new_secret));
        if found { Ok(()) } else { Err("No connection has this client id.".to_owned()) }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    person: String,
    workspace: String,
}

/// `POST /control/revoke`: `person` and `workspace`, by id.
pub(crate) async fn revoke(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |Removal { person, workspace }| {
        world.change(|notion| notion.revoke_grants_of(&person, &workspace));
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deed {
    id: String,
    action: Action,
    title: Option<String>,
    /// The page of the workspace view to go back to.
    back: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Delete,
    Restore,
    Unshare,
    Rename,
}

/// `POST /control/content`: what a person does with a page or database: `id`, `action`, and `title` to rename.
pub(crate) async fn content(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut back = None;
    let answer = act(&headers, &body, |deed: Deed| {
        let act = match (deed.action, deed.title) {
            (Action::Delete, _) => Act::Delete,
            (Action::Restore, _) => Act::Restore,
            (Action::Unshare, _) => Act::Unshare,
            (Action::Rename, Some(title)) => Act::Rename(title),
            (Action::Rename, None) => return Err("Give the new title.".to_owned()),
        };
        let found = world.change(|notion| notion.act(&deed.id, &act));
        back = deed.back.filter(|back| back.starts_with("/workspace/"));
        if found { Ok(()) } else { Err("There is no page or database with this id.".to_owned()) }
    });
    match back {
        Some(back) if answer.status() == StatusCode::SEE_OTHER => redirect(StatusCode::SEE_OTHER, &back),
        _ => answer,
    }
}

/// Parses a form or JSON, acts on it, and answers accordingly.
fn act<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &Bytes,
    action: impl FnOnce(T) -> Result<(), String>,
) -> Response {
    let is_json = is_json(headers);
    let read = if is_json { serde_json::from_slice(body) } else { from_form(body) };
    match read.map_err(|error| error.to_string()).and_then(action) {
        Ok(()) => done(is_json),
        Err(text) => problem(StatusCode::UNPROCESSABLE_ENTITY, &text),
    }
}

/// A form as JSON. A value is JSON if it parses and fits the field, otherwise it is text.
fn from_form<T: DeserializeOwned>(body: &Bytes) -> serde_json::Result<T> {
    let fields = form_urlencoded::parse(body);
    let text_fields = ["client_id", "new_secret", "person", "workspace", "id", "title", "back"];
    let fields = fields.map(|(name, value)| {
        let json = serde_json::from_str(&value).ok().filter(|_| !text_fields.contains(&name.as_ref()));
        (name.into_owned(), json.unwrap_or_else(|| value.into()))
    });
    serde_json::from_value(Value::Object(fields.collect()))
}

fn is_json(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/json"))
}

fn done(is_json: bool) -> Response {
    if is_json { StatusCode::NO_CONTENT.into_response() } else { redirect(StatusCode::SEE_OTHER, "/control") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_sets_a_switch_by_its_bare_name() {
        let changes: Map<String, Value> =
            from_form(&Bytes::from_static(b"rotation=family_revocation&code_lifetime_secs=5")).unwrap();
        let settings = crate::Settings::default().with(changes).unwrap();
        assert_eq!(settings.rotation, crate::Rotation::FamilyRevocation);
        assert_eq!(settings.code_lifetime_secs, 5);
    }
}
