//! The content of the control page, as HTML or JSON. Neither contains a secret, a code or a token.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::connection::Connection;
use crate::content::time::to_the_millisecond;
use crate::control::facts;
use crate::endpoint::Endpoint;
use crate::notion::Notion;
use crate::pages::page;
use crate::request::text;
use crate::switches::SWITCHES;
use crate::traffic::Injection;
use crate::world::World;

#[derive(Template)]
#[template(path = "control.html")]
struct Control {
    switches: Vec<Row>,
    endpoints: Vec<String>,
    presets: Vec<(&'static str, &'static str)>,
    waiting: Vec<Waiting>,
    connections: Vec<Connection>,
    grants: Vec<GrantRow>,
    requests: Vec<RequestRow>,
    connections_accepted: u64,
    save_error: Option<String>,
    now: String,
    clock_is_stopped: bool,
    /// Ids and names.
    workspaces: Vec<(String, String)>,
}

struct Row {
    name: &'static str,
    about: &'static str,
    choices: Vec<String>,
    value: String,
    is_number: bool,
}

struct Waiting {
    requests: String,
    fault: String,
    times: u32,
}

struct GrantRow {
    person_id: String,
    person: String,
    workspace_id: String,
    workspace: String,
    connection: String,
    bot_id: String,
    pages: usize,
    access_tokens: usize,
    refresh_tokens: usize,
    revoked: bool,
}

struct RequestRow {
    number: usize,
    connection_number: u64,
    method: String,
    path: String,
    status: String,
}

/// Faults to choose from, as JSON, each with an explanation.
const PRESETS: &[(&str, &str)] = &[
    (r#""hold""#, "Hold until released"),
    (r#"{"delay_ms":3000}"#, "Delay of 3 seconds"),
    (r#""lost_reply""#, "Lost reply: processed, nothing sent"),
    (r#""drop_before_processing""#, "Connection closed before processing"),
    (r#"{"status":{"status":429,"retry_after":"2"}}"#, "429 with Retry-After: 2"),
    (r#"{"status":{"status":503}}"#, "503"),
    (r#"{"status":{"status":529}}"#, "529"),
    (r#"{"processed_then_5xx":500}"#, "500 after processing"),
    (r#"{"committed_then_503":{"names_resource":true}}"#, "503 that names what was committed"),
    (r#"{"committed_then_503":{"names_resource":false}}"#, "503 after a commit, without its id"),
    (r#"{"html":403}"#, "HTML block page, 403"),
    (r#""truncated""#, "Truncated answer"),
    (r#""huge""#, "Answer of 10 MB"),
    (r#""not_json""#, "200 that is not JSON"),
    (r#"{"patch_response":{"refresh_token":null}}"#, "refresh_token: null"),
    (r#"{"remove_fields":["token_type"]}"#, "No token_type"),
    (r#"{"error":{"status":400,"code":"invalid_grant"}}"#, "invalid_grant"),
    (r#"{"error":{"status":401,"code":"invalid_client"}}"#, "invalid_client"),
    (r#"{"status":{"status":401}}"#, "401 unauthorized"),
    (r#"{"status":{"status":403}}"#, "403 restricted_resource"),
    (r#"{"status":{"status":404}}"#, "404 object_not_found"),
    (r#"{"status":{"status":409}}"#, "409 conflict_error"),
    (r#"{"error":{"status":400,"code":"validation_error"}}"#, "400 validation_error"),
    (r#"{"response":{"status":418,"body":{"any":"JSON"}}}"#, "418 with JSON of your own"),
];

/// The page shows only the newest requests; the library returns all.
const REQUESTS_SHOWN: usize = 30;

/// The page, or the same as JSON with `Accept: application/json`.
pub(crate) async fn show(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if text(&headers, "accept").is_some_and(|accept| accept.contains("application/json")) {
        return axum::Json(facts::summary(&world)).into_response();
    }
    let (switches, connections, grants, workspaces, clock) = {
        let notion = world.notion();
        let values = serde_json::to_value(&notion.settings).unwrap_or_default();
        let rows = SWITCHES.iter().map(|switch| {
            let value = values[switch.name].to_string();
            let mut choices: Vec<_> = switch.choices.iter().map(ToString::to_string).collect();
            if !choices.contains(&value) {
                choices.push(value.clone());
            }
            let is_number = switch.name.ends_with("_secs");
            Row { name: switch.name, about: switch.about, choices, value, is_number }
        });
        let workspaces = notion.workspaces.iter().map(|workspace| {
            (workspace.id.clone(), workspace.name.as_ref().unwrap_or(&workspace.id).clone())
        });
        (
            rows.collect(),
            notion.memory.connections.clone(),
            grant_rows(&notion),
            workspaces.collect(),
            notion.clock.clone(),
        )
    };
    let traffic = world.traffic();
    let waiting = traffic.waiting().iter().map(|waiting| Waiting {
        requests: requests_of(waiting),
        fault: json_text(&waiting.fault),
        times: waiting.times,
    });
    let requests: Vec<_> = traffic.to_notion().collect();
    let requests = requests.into_iter().rev().take(REQUESTS_SHOWN).map(|(number, recorded)| RequestRow {
        number,
        connection_number: recorded.connection_number,
        method: recorded.method.clone(),
        path: recorded.path.clone(),
        status: recorded.status.map_or_else(|| "none".to_owned(), |status| status.to_string()),
    });
    let control = Control {
        switches,
        endpoints: Endpoint::ALL.iter().map(json_text).collect(),
        presets: PRESETS.to_vec(),
        waiting: waiting.collect(),
        connections,
        grants,
        requests: requests.collect(),
        connections_accepted: world.connections_accepted(),
        save_error: world.save_error(),
        now: to_the_millisecond(clock.now_ms()),
        clock_is_stopped: clock.is_stopped(),
        workspaces,
    };
    page(StatusCode::OK, &control)
}

fn grant_rows(notion: &Notion) -> Vec<GrantRow> {
    let grants = notion.grants().into_iter().map(|grant| {
        let member = notion.member(&grant.workspace_id, &grant.person_id);
        let person =
            member.map_or(&grant.person_id, |(_, person)| person.name.as_ref().unwrap_or(&person.email));
        let workspace = member.and_then(|(workspace, _)| workspace.name.as_ref());
        GrantRow {
            person: person.clone(),
            workspace: workspace.unwrap_or(&grant.workspace_id).clone(),
            connection: notion
                .connection(&grant.client_id)
                .map_or(grant.client_id, |known| known.name.clone()),
            pages: grant.pages.len(),
            access_tokens: grant.access_tokens.len(),
            refresh_tokens: grant.refresh_tokens.len(),
            revoked: grant.revoked,
            person_id: grant.person_id,
            workspace_id: grant.workspace_id,
            bot_id: grant.bot_id,
        }
    });
    grants.collect()
}

/// Which requests a fault waits for.
fn requests_of(waiting: &Injection) -> String {
    let endpoint = waiting.endpoint.as_ref().map(json_text);
    let parts = [endpoint.as_ref(), waiting.method.as_ref(), waiting.path.as_ref()];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn json_text(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Fault;

    #[test]
    fn every_preset_is_a_fault() {
        for (preset, about) in PRESETS {
            let fault = serde_json::from_str::<Fault>(preset);
            assert!(fault.is_ok(), "{about}: {preset}: {fault:?}");
        }
    }
}
