//! A database: its views as tabs, and the rows of one of them.

use askama::Template;
use serde_json::Value;

use super::board::columns;
use super::cells::{Cell, cell};
use crate::content::input::Input;
use crate::content::node::{Database, Node, Property, View};
use crate::notion::Notion;

/// The rows that are drawn; the API lists all.
const ROWS_SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "database.html")]
pub(super) struct DatabaseView {
    tabs: Vec<Tab>,
    /// `table`, `board`, or another type, which is drawn as a list.
    kind: String,
    names: Vec<String>,
    rows: Vec<Row>,
    columns: Vec<ColumnView>,
    more: usize,
    problem: Option<String>,
}

struct Tab {
    name: String,
    kind: String,
    href: String,
    is_open: bool,
}

struct Row {
    href: String,
    cells: Vec<Cell>,
}

struct ColumnView {
    name: String,
    color: String,
    cards: Vec<Row>,
}

/// The database with the view `wanted` open, or its first.
pub(super) fn database(
    notion: &Notion,
    node: &Node,
    database: &Database,
    wanted: Option<&str>,
) -> DatabaseView {
    let views = database.views.iter().filter_map(|id| {
        let node = notion.memory.content.get(id)?;
        Some((id, node.view()?))
    });
    let views: Vec<(&String, &View)> = views.collect();
    let open = views.iter().find(|(id, _)| wanted == Some(id.as_str())).or_else(|| views.first()).copied();
    let tabs = views.iter().map(|(id, view)| Tab {
        name: view.name.clone(),
        kind: view.kind.clone(),
        href: format!("/workspace/{}/{}?view={id}", node.workspace_id, node.id),
        is_open: open.is_some_and(|(known, _)| known == *id),
    });
    let mut shown = DatabaseView {
        tabs: tabs.collect(),
        kind: open.map_or_else(|| "table".to_owned(), |(_, view)| view.kind.clone()),
        names: Vec::new(),
        rows: Vec::new(),
        columns: Vec::new(),
        more: 0,
        problem: None,
    };
    if let Some((_, view)) = open {
        fill(notion, view, &mut shown);
    }
    shown
}

fn fill(notion: &Notion, view: &View, shown: &mut DatabaseView) {
    let source_node = view.data_source.as_ref().and_then(|id| notion.memory.content.get(id));
    let Some((source_node, source)) = source_node.and_then(|node| Some((node, node.data_source()?))) else {
        return;
    };
    let given = |value: &'static str, found: &Value| (!found.is_null()).then_some(value);
    let filter = given("filter", &view.filter).map(|name| Input::whole(name, &view.filter));
    let sorts = given("sorts", &view.sorts).map(|name| Input::whole(name, &view.sorts));
    let rows = match notion.rows(source_node, filter.as_ref(), sorts.as_ref(), false) {
        Ok(rows) => rows,
        // The schema changed after the view was made.
        Err(error) => {
            shown.problem = Some(error.to_string());
            return;
        }
    };
    shown.more = rows.len().saturating_sub(ROWS_SHOWN);
    let rows: Vec<&Node> = rows.into_iter().take(ROWS_SHOWN).collect();
    let schema: Vec<&Property> = source.schema.iter().filter(|property| is_visible(view, property)).collect();
    let drawn = |row: &Node| Row {
        href: format!("/workspace/{}/{}", row.workspace_id, row.id),
        cells: schema.iter().map(|property| cell(notion, property, row)).collect(),
    };
    let group = view.configuration["group_by"]["property_id"].as_str();
    let group = group.and_then(|id| source.schema.iter().find(|property| property.id == id));
    if let Some(property) = group.filter(|_| view.kind == "board") {
        let columns = columns(notion, property, &rows).into_iter().map(|column| ColumnView {
            name: column.name,
            color: column.color,
            cards: column.rows.into_iter().map(drawn).collect(),
        });
        shown.columns = columns.collect();
        return;
    }
    shown.names = schema.iter().map(|property| property.name.clone()).collect();
    shown.rows = rows.into_iter().map(drawn).collect();
}

fn is_visible(view: &View, property: &Property) -> bool {
    let settings = view.configuration["properties"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = settings.iter().find(|setting| setting["property_id"] == property.id.as_str());
    property.kind == "title" || own.is_none_or(|setting| setting["visible"] != false)
}
