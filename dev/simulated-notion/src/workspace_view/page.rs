//! A workspace with its sidebar, and a page or database in it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::blocks::{BlockView, blocks, title};
use super::cells::{Cell, cell, user};
use super::database::{DatabaseView, database};
use super::sidebar::{Section, sections};
use super::spans::{Span, icon, link, spans};
use crate::content::node::Kind;
use crate::content::time::to_the_minute;
use crate::notion::Notion;
use crate::pages::page;
use crate::workspace::Workspace;

#[derive(Template)]
#[template(path = "workspace.html")]
struct WorkspacePage {
    workspace_id: String,
    workspace: String,
    sections: Vec<Section>,
    item: Option<ItemView>,
}

/// A page or database.
struct ItemView {
    id: String,
    icon: String,
    cover: Option<String>,
    title: String,
    path: Vec<Crumb>,
    description: Vec<Span>,
    made_by: String,
    made_at: String,
    in_trash: bool,
    is_unshared: bool,
    properties: Vec<Cell>,
    blocks: Vec<BlockView>,
    database: Option<DatabaseView>,
}

/// Something above the page.
struct Crumb {
    title: String,
    href: String,
}

/// The sidebar alone. `None` if there is no such workspace.
pub(super) fn workspace(notion: &Notion, workspace_id: &str) -> Option<Response> {
    let workspace = notion.workspace(workspace_id)?;
    Some(respond(notion, workspace, None))
}

/// A page or database. `None` if there is none in this workspace.
pub(super) fn item(notion: &Notion, workspace_id: &str, id: &str, view: Option<&str>) -> Option<Response> {
    let workspace = notion.workspace(workspace_id)?;
    let node = notion.memory.content.get(id).filter(|node| node.workspace_id == workspace_id)?;
    let (icon_of, cover, description) = match &node.kind {
        Kind::Page(page) => (&page.icon, &page.cover, &Value::Null),
        Kind::Database(database) => (&database.icon, &database.cover, &database.description),
        _ => return None,
    };
    let mut path: Vec<Crumb> = notion
        .memory
        .content
        .ancestry(id)
        .skip(1)
        .filter(|above| matches!(above.kind, Kind::Page(_) | Kind::Database(_)))
        .map(|above| Crumb { title: title(above), href: format!("/workspace/{workspace_id}/{}", above.id) })
        .collect();
    path.reverse();
    let source = node.parent.as_ref().and_then(|parent| notion.memory.content.get(parent)?.data_source());
    let schema = source.map(|source| source.schema.as_slice()).unwrap_or_default();
    let properties = schema.iter().filter(|property| property.kind != "title");
    let item = ItemView {
        id: node.id.clone(),
        icon: icon(icon_of),
        cover: cover["external"]["url"].as_str().and_then(|url| link(notion, url)),
        title: title(node),
        path,
        description: spans(notion, description),
        made_by: user(notion, workspace_id, &node.created_by.as_str().into()),
        made_at: to_the_minute(node.created_at_ms),
        in_trash: notion.memory.content.is_in_trash(&node.id),
        is_unshared: node.is_unshared,
        properties: properties.map(|property| cell(notion, property, node)).collect(),
        blocks: if node.page().is_some() { blocks(notion, node) } else { Vec::new() },
        database: node.database().map(|found| database(notion, node, found, view)),
    };
    Some(respond(notion, workspace, Some(item)))
}

fn respond(notion: &Notion, workspace: &Workspace, item: Option<ItemView>) -> Response {
    let open = item.as_ref().map_or("", |item| item.id.as_str());
    let shown = WorkspacePage {
        workspace_id: workspace.id.clone(),
        workspace: workspace.name.clone().unwrap_or_else(|| workspace.id.clone()),
        sections: sections(notion, workspace, open),
        item,
    };
    page(StatusCode::OK, &shown)
}
