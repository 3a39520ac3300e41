//! The addresses of the workspace view.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::page;
use crate::content::id::{is_uuid, normal};
use crate::error::NotionError;
use crate::pages::{problem, redirect};
use crate::world::World;

/// `/workspace/…`, and what follows the host in Notion's addresses.
pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/workspace/{workspace_id}", get(workspace))
        .route("/workspace/{workspace_id}/{id}", get(item))
        .route("/{address}", get(by_address))
}

#[derive(Deserialize)]
struct Tab {
    view: Option<String>,
}

/// The sidebar alone.
async fn workspace(State(world): State<Arc<World>>, Path(workspace_id): Path<String>) -> Response {
    page::workspace(&world.notion(), &workspace_id).unwrap_or_else(nothing)
}

/// The sidebar and a page or database.
async fn item(
    State(world): State<Arc<World>>,
    Path((workspace_id, id)): Path<(String, String)>,
    Query(tab): Query<Tab>,
) -> Response {
    page::item(&world.notion(), &workspace_id, &normal(&id), tab.view.as_deref()).unwrap_or_else(nothing)
}

/// `/{32 digits}` and `/Title-{32 digits}`.
async fn by_address(State(world): State<Arc<World>>, Path(address): Path<String>) -> Response {
    let from_the_end = address.char_indices().rev().nth(31).map_or(0, |(at, _)| at);
    let id = [address.as_str(), &address[from_the_end..]].into_iter().find(|id| is_uuid(id)).map(normal);
    let workspace_id =
        id.as_ref().and_then(|id| Some(world.notion().memory.content.get(id)?.workspace_id.clone()));
    match (workspace_id, id) {
        (Some(workspace_id), Some(id)) => {
            redirect(StatusCode::FOUND, &format!("/workspace/{workspace_id}/{id}"))
        }
        _ => world.refuse(NotionError::nothing_here()),
    }
}

fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such page in this workspace.")
}
