//! A person's decision without a browser.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::exchange::{Wrong, act};
use crate::authorize::Approval;
use crate::error::NotionError;
use crate::notion::Notion;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    /// Where the app sends the browser.
    authorize_url: String,
    /// An id or an e-mail address.
    person: String,
    /// May be left out for a person with only one.
    workspace: Option<String>,
    #[serde(default)]
    pages: Vec<String>,
    #[serde(default)]
    duplicate_template: bool,
    #[serde(default)]
    cancel: bool,
}

/// `POST /control/approve`: decides on an authorization request. Answers where the browser goes then.
pub(super) async fn approve(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    act(&headers, &body, |decision: Decision| {
        let authorize_query = query_of(&decision.authorize_url)?.to_owned();
        let decided = world.change(|notion| {
            let person = notion.person_named(&decision.person).ok_or_else(|| {
                Wrong::field("person", "No workspace has a person with this id or e-mail address.")
            })?;
            let approval = Approval {
                authorize_query,
                workspace: workspace_of(notion, &person, decision.workspace)?,
                person,
                pages: decision.pages,
                duplicate_template: decision.duplicate_template,
                cancel: decision.cancel,
            };
            notion.decide(approval).map_err(|refusal| Wrong::whole(&NotionError::from(refusal).to_string()))
        });
        Ok(Some(json!({ "location": decided?.location })))
    })
}

/// What follows the `?` of an authorization URL, of whatever host: an app may have Notion's in its code.
fn query_of(url: &str) -> Result<&str, Wrong> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    if place.ends_with("/v1/oauth/authorize") {
        return Ok(query.split('#').next().unwrap_or_default());
    }
    Err(Wrong::field("authorize_url", "Give the URL of an authorization request: …/v1/oauth/authorize?…"))
}

fn workspace_of(notion: &Notion, person: &str, given: Option<String>) -> Result<String, Wrong> {
    if let Some(given) = given {
        let is_known = notion.workspace(&given).is_some();
        return is_known
            .then_some(given)
            .ok_or_else(|| Wrong::field("workspace", "There is no such workspace."));
    }
    match notion.homes_of(person).as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(Wrong::field("workspace", "This person is in several workspaces: name one.")),
    }
}
