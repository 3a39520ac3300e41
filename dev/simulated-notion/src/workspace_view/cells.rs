//! The value of a property as it is shown in a table, on a card and on a row's page.

use serde_json::Value;

use super::blocks::title;
use super::spans::{Span, link, spans};
use crate::content::node::{Node, Property};
use crate::content::values;
use crate::notion::Notion;

/// A value of a row.
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) is_title: bool,
    pub(super) chips: Vec<Chip>,
    pub(super) spans: Vec<Span>,
}

/// An option.
pub(super) struct Chip {
    pub(super) name: String,
    /// One of Notion's names of colors.
    pub(super) color: String,
}

impl Cell {
    pub(super) fn is_empty(&self) -> bool {
        self.chips.is_empty() && self.spans.iter().all(|span| span.text.is_empty())
    }
}

/// A property's value in a row.
pub(super) fn cell(notion: &Notion, property: &Property, row: &Node) -> Cell {
    let stored = row.page().and_then(|page| page.values.get(&property.id));
    let answer = values::answer(property, row, stored);
    let value = &answer[&property.kind];
    let mut cell = Cell {
        name: property.name.clone(),
        is_title: property.kind == "title",
        chips: Vec::new(),
        spans: Vec::new(),
    };
    match property.kind.as_str() {
        "title" => cell.spans = vec![text(title(row))],
        "rich_text" => cell.spans = spans(notion, value),
        "select" | "status" => cell.chips.extend(chip(value)),
        "multi_select" => cell.chips.extend(value.as_array().into_iter().flatten().filter_map(chip)),
        "url" => {
            let url = value.as_str().unwrap_or_default();
            cell.spans = vec![Span { href: link(notion, url), ..text(url.to_owned()) }];
        }
        _ => cell.spans = vec![text(plain(notion, &property.kind, value, row))],
    }
    cell
}

fn text(text: String) -> Span {
    Span { text, style: String::new(), href: None }
}

fn chip(option: &Value) -> Option<Chip> {
    let field = |name: &str| option[name].as_str().map(str::to_owned);
    Some(Chip { name: field("name")?, color: field("color")? })
}

fn plain(notion: &Notion, kind: &str, value: &Value, row: &Node) -> String {
    let joined = |name: &dyn Fn(&Value) -> String| {
        value.as_array().into_iter().flatten().map(name).collect::<Vec<_>>().join(", ")
    };
    match kind {
        "checkbox" => if value == true { "☑" } else { "☐" }.to_owned(),
        "date" => {
            let part = |name: &str| value[name].as_str().unwrap_or_default();
            if value["end"].is_null() {
                part("start").to_owned()
            } else {
                format!("{} → {}", part("start"), part("end"))
            }
        }
        "people" => joined(&|person| user(notion, &row.workspace_id, &person["id"])),
        "created_by" | "last_edited_by" => user(notion, &row.workspace_id, &value["id"]),
        "relation" => joined(&|page| {
            let page = page["id"].as_str().and_then(|id| notion.memory.content.get(id));
            page.map(title).unwrap_or_default()
        }),
        "files" => joined(&|file| file["name"].as_str().unwrap_or_default().to_owned()),
        "unique_id" => {
            let prefix = value["prefix"].as_str().map(|prefix| format!("{prefix}-")).unwrap_or_default();
            format!("{prefix}{}", value["number"])
        }
        "formula" | "rollup" | "button" => String::new(),
        _ => match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    }
}

/// The name of a person or of a connection's bot.
pub(super) fn user(notion: &Notion, workspace_id: &str, id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    if let Some((_, person)) = notion.member(workspace_id, id) {
        return person.name.clone().unwrap_or_else(|| person.email.clone());
    }
    let grant = notion.memory.grants.iter().find(|grant| grant.bot_id == id);
    let connection = grant.and_then(|grant| notion.connection(&grant.client_id));
    connection.map_or_else(|| id.to_owned(), |connection| connection.name.clone())
}
