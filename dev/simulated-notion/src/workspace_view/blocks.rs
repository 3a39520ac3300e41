//! Blocks as HTML. Every text is escaped by the template.

use askama::Template;
use serde_json::Value;

use super::spans::{Span, icon, link, spans};
use crate::content::node::{Kind, Node};
use crate::content::rich_text::plain;
use crate::notion::Notion;

/// A block, or a list of the same kind of items.
#[derive(Template)]
#[template(path = "block.html")]
pub(super) struct BlockView {
    /// As in the API; `list` for consecutive items, with their kind in `of`.
    kind: String,
    of: String,
    spans: Vec<Span>,
    icon: String,
    href: Option<String>,
    text: String,
    is_checked: bool,
    rows: Vec<Vec<Vec<Span>>>,
    has_header: bool,
    children: Vec<BlockView>,
}

/// The blocks of a page.
pub(super) fn blocks(notion: &Notion, node: &Node) -> Vec<BlockView> {
    let mut views: Vec<BlockView> = Vec::new();
    for child in notion.children_shown(node) {
        let view = block(notion, child);
        let is_item = matches!(view.kind.as_str(), "bulleted_list_item" | "numbered_list_item" | "to_do");
        match views.last_mut() {
            Some(list) if is_item && list.kind == "list" && list.of == view.kind => list.children.push(view),
            _ if is_item => {
                let of = view.kind.clone();
                views.push(BlockView {
                    kind: "list".to_owned(),
                    of,
                    children: vec![view],
                    ..BlockView::empty()
                });
            }
            _ => views.push(view),
        }
    }
    views
}

impl BlockView {
    fn empty() -> Self {
        Self {
            kind: String::new(),
            of: String::new(),
            spans: Vec::new(),
            icon: String::new(),
            href: None,
            text: String::new(),
            is_checked: false,
            rows: Vec::new(),
            has_header: false,
            children: Vec::new(),
        }
    }
}

fn block(notion: &Notion, node: &Node) -> BlockView {
    let Kind::Block(block) = &node.kind else { return child(node) };
    let content = &block.content;
    let mut view = BlockView {
        kind: block.kind.clone(),
        spans: spans(notion, &content["rich_text"]),
        icon: icon(&content["icon"]),
        is_checked: content["checked"] == true,
        ..BlockView::empty()
    };
    match block.kind.as_str() {
        "code" => {
            view.text = plain(&content["rich_text"]);
            content["language"].as_str().unwrap_or_default().clone_into(&mut view.of);
        }
        "table" => {
            view.has_header = content["has_column_header"] == true;
            view.rows = notion.children_shown(node).into_iter().map(|row| cells(notion, row)).collect();
        }
        "equation" => content["expression"].as_str().unwrap_or_default().clone_into(&mut view.text),
        "embed" | "bookmark" | "image" | "video" | "pdf" | "file" | "audio" => {
            let url =
                content["url"].as_str().or_else(|| content["external"]["url"].as_str()).unwrap_or_default();
            view.href = link(notion, url);
            url.clone_into(&mut view.text);
            view.spans = spans(notion, &content["caption"]);
            view.of = std::mem::replace(&mut view.kind, "media".to_owned());
        }
        _ => view.children = blocks(notion, node),
    }
    view
}

fn cells(notion: &Notion, row: &Node) -> Vec<Vec<Span>> {
    let cells = row.block().and_then(|block| block.content["cells"].as_array());
    cells.into_iter().flatten().map(|cell| spans(notion, cell)).collect()
}

/// A page or database among the blocks.
fn child(node: &Node) -> BlockView {
    let own_icon = match &node.kind {
        Kind::Page(page) => icon(&page.icon),
        Kind::Database(database) => icon(&database.icon),
        _ => String::new(),
    };
    let usual = if node.database().is_some() { "▦" } else { "📄" };
    BlockView {
        kind: "child".to_owned(),
        icon: if own_icon.is_empty() { usual.to_owned() } else { own_icon },
        href: Some(format!("/workspace/{}/{}", node.workspace_id, node.id)),
        text: title(node),
        ..BlockView::empty()
    }
}

/// The title of a page or database; Notion's word for one that has none.
pub(super) fn title(node: &Node) -> String {
    let title = node.title().map_or_else(String::new, |title: &Value| plain(title));
    if title.is_empty() { "Untitled".to_owned() } else { title }
}
