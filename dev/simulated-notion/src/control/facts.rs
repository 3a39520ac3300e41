//! What the control knows, as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::{Nothing, Wrong, answer};
use crate::content::report::Item;
use crate::limits::RateScope;
use crate::notion::Notion;
use crate::traffic::Traffic;
use crate::workspace::Person;
use crate::world::World;

/// `GET /control/people`
pub(super) async fn list_people(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "people": people(&world.notion()) })))
}

/// `GET /control/workspaces`
pub(super) async fn list_workspaces(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "workspaces": workspaces(&world.notion()) })))
}

/// `GET /control/connections`
pub(super) async fn list_connections(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "connections": connections(&world.notion()) })))
}

/// `GET /control/grants`
pub(super) async fn list_grants(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "grants": grants(&world.notion()) })))
}

/// `GET /control/settings`
pub(super) async fn show_settings(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!(world.notion().settings)))
}

/// `GET /control/faults`: those that wait.
pub(super) async fn list_faults(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "faults": world.traffic().waiting() })))
}

/// `GET /control/rates`
pub(super) async fn list_rates(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |_: Nothing| Ok(json!({ "rates": rates(&world.traffic()) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    workspace: String,
}

/// `GET /control/content?workspace=…`: everything in a workspace, each item after what it is in.
pub(super) async fn list_content(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    answer(query, |of: Of| {
        let notion = world.notion();
        if notion.workspace(&of.workspace).is_none() {
            return Err(Wrong::field("workspace", "There is no workspace with this id."));
        }
        Ok(json!({ "items": content(&notion, &of.workspace) }))
    })
}

/// The content of the control page.
pub(crate) fn summary(world: &World) -> Value {
    let notion = world.notion();
    let traffic = world.traffic();
    json!({
        "settings": notion.settings,
        "connections": connections(&notion),
        "grants": grants(&notion),
        "faults": traffic.waiting(),
        "requests": traffic.log.len(),
        "connections_accepted": world.connections_accepted(),
        "save_error": world.save_error(),
    })
}

fn people(notion: &Notion) -> Vec<Value> {
    let mut people: BTreeMap<&str, (&Person, Vec<&str>)> = BTreeMap::new();
    for workspace in &notion.workspaces {
        for person in &workspace.people {
            people.entry(&person.id).or_insert((person, Vec::new())).1.push(&workspace.id);
        }
    }
    let people = people.into_values().map(|(person, workspaces)| {
        json!({
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "avatar_url": person.avatar_url,
            "workspaces": workspaces,
        })
    });
    people.collect()
}

fn workspaces(notion: &Notion) -> Vec<Value> {
    let workspaces = notion.workspaces.iter().map(|workspace| {
        json!({
            "id": workspace.id,
            "name": workspace.name,
            "icon": workspace.icon,
            "people": workspace.people.iter().map(|person| &person.id).collect::<Vec<_>>(),
            "roots": notion.memory.content.roots(&workspace.id),
        })
    });
    workspaces.collect()
}

fn connections(notion: &Notion) -> Vec<Value> {
    let connections = notion.memory.connections.iter().map(|connection| {
        json!({
            "client_id": connection.client_id,
            "name": connection.name,
            "redirect_uris": connection.redirect_uris,
            "capabilities": connection.capabilities,
            "template": connection.template,
            "created_before_2026_06_08": connection.created_before_2026_06_08,
            "workspaces": connection.workspaces,
        })
    });
    connections.collect()
}

fn grants(notion: &Notion) -> Vec<Value> {
    let grants = notion.grants().into_iter().map(|grant| {
        json!({
            "bot_id": grant.bot_id,
            "client_id": grant.client_id,
            "person": grant.person_id,
            "workspace": grant.workspace_id,
            "pages": grant.pages,
            "duplicated_template_id": grant.duplicated_template_id,
            "access_tokens": grant.access_tokens.len(),
            "refresh_tokens": grant.refresh_tokens.len(),
            "revoked": grant.revoked,
        })
    });
    grants.collect()
}

fn rates(traffic: &Traffic) -> Vec<Value> {
    let counters = traffic.windows.counters().into_iter().map(|(scope, counter)| {
        let (client_id, workspace) = match scope {
            RateScope::Connection(client_id) => (Some(client_id), None),
            RateScope::ConnectionInWorkspace(client_id, workspace) => (Some(client_id), workspace),
            RateScope::Workspace(workspace) => (None, Some(workspace)),
        };
        json!({
            "client_id": client_id,
            "workspace": workspace,
            "highest_per_minute": counter.highest,
            "refused": counter.refused,
        })
    });
    counters.collect()
}

/// The items of a workspace, each after what it is in.
fn content(notion: &Notion, workspace_id: &str) -> Vec<Value> {
    let content = notion.content(workspace_id);
    let mut waiting: Vec<&Item> = content.items().collect();
    let depth = |item: &Item| notion.memory.content.ancestry(&item.id).count();
    waiting.sort_by_key(|item| depth(item));
    waiting.into_iter().map(|item| json!(item)).collect()
}
