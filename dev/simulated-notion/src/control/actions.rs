//! The actions of the control page: every switch and fault, from a browser or with curl.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::exchange::{Nothing, Wrong, act, from_value};
use crate::connection::Connection;
use crate::content::person::Act;
use crate::pages::redirect;
use crate::traffic::Injection;
use crate::world::World;

/// `POST /control/settings`: any of the switches; the others stay unchanged.
pub(super) async fn settings(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |changes: Map<String, Value>| {
        let mut notion = world.notion();
        notion.settings = from_value(notion.settings.with(changes))?;
        Ok(None)
    })
}

/// `POST /control/faults`: see [`Injection`].
pub(super) async fn inject(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |injection: Injection| {
        if let Some(problem) = injection.problem() {
            return Err(problem.into());
        }
        world.traffic().inject(injection);
        Ok(None)
    })
}

/// `POST /control/faults/clear`: drops the waiting faults.
pub(super) async fn clear_faults(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    act(&headers, &body, |_: Nothing| {
        world.traffic().clear_faults();
        Ok(None)
    })
}

/// `POST /control/release`: lets held requests continue.
pub(super) async fn release(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |_: Nothing| {
        world.releases.send_modify(|count| *count += 1);
        Ok(None)
    })
}

/// `POST /control/connections`: adds a connection, or replaces the one with the same client id.
pub(super) async fn register(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |connection: Connection| {
        if let Some(problem) = connection.problem() {
            return Err(problem.into());
        }
        world.change(|notion| notion.register(connection));
        Ok(None)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    client_id: String,
    new_secret: String,
}

/// `POST /control/secret`: `client_id` and `new_secret`.
pub(super) async fn rotate_secret(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    act(&headers, &body, |NewSecret { client_id, new_secret }| {
        let found = world.change(|notion| notion.rotate_secret(&client_id, &new_secret));
        if found { Ok(None) } else { Err(Wrong::field("client_id", "No connection has this client id.")) }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    person: String,
    workspace: String,
}

/// `POST /control/revoke`: `person`, by id or e-mail address, and `workspace`.
pub(super) async fn revoke(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |Removal { person, workspace }| {
        world.change(|notion| {
            let person = notion.person_named(&person).ok_or_else(|| {
                Wrong::field("person", "No workspace has a person with this id or e-mail address.")
            })?;
            notion.revoke_grants_of(&person, &workspace);
            Ok(None)
        })
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
pub(super) async fn content(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut back = None;
    let answer = act(&headers, &body, |deed: Deed| {
        let act = match (deed.action, deed.title) {
            (Action::Delete, _) => Act::Delete,
            (Action::Restore, _) => Act::Restore,
            (Action::Unshare, _) => Act::Unshare,
            (Action::Rename, Some(title)) => Act::Rename(title),
            (Action::Rename, None) => return Err(Wrong::field("title", "Give the new title.")),
        };
        let found = world.change(|notion| notion.act(&deed.id, &act));
        back = deed.back.filter(|back| back.starts_with("/workspace/"));
        if found { Ok(None) } else { Err(Wrong::field("id", "There is no page or database with this id.")) }
    });
    match back {
        Some(back) if answer.status() == StatusCode::SEE_OTHER => redirect(StatusCode::SEE_OTHER, &back),
        _ => answer,
    }
}
