//! Rich text as pieces with a style.

use serde_json::Value;

use crate::notion::Notion;

/// A piece of text with one style.
pub(super) struct Span {
    pub(super) text: String,
    /// Names of classes.
    pub(super) style: String,
    /// Only addresses that are safe to follow.
    pub(super) href: Option<String>,
}

/// The pieces of rich text.
pub(super) fn spans(notion: &Notion, rich_text: &Value) -> Vec<Span> {
    let items = rich_text.as_array().map(Vec::as_slice).unwrap_or_default();
    let span = |item: &Value| {
        let styles = ["bold", "italic", "strikethrough", "underline", "code"];
        let style = styles.into_iter().filter(|style| item["annotations"][*style] == true);
        Span {
            text: item["plain_text"].as_str().unwrap_or_default().to_owned(),
            style: style.collect::<Vec<_>>().join(" "),
            href: item["href"].as_str().and_then(|url| link(notion, url)),
        }
    };
    items.iter().map(span).collect()
}

/// Where a link leads. Notion's own addresses lead to the page here; anything but HTTP and e-mail is no link.
pub(super) fn link(notion: &Notion, url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let tail = path.char_indices().rev().nth(31).and_then(|(at, _)| path.get(at..));
    let known = tail.map(crate::content::id::normal).and_then(|id| notion.memory.content.get(&id));
    if let Some(node) = known.filter(|_| url.starts_with("https://www.notion.so/")) {
        return Some(format!("/workspace/{}/{}", node.workspace_id, node.id));
    }
    let is_safe = ["http://", "https://", "mailto:"].iter().any(|scheme| url.starts_with(scheme));
    is_safe.then(|| url.to_owned())
}

/// The emoji of an icon, or a picture frame for an icon that is a picture.
pub(super) fn icon(icon: &Value) -> String {
    match icon["emoji"].as_str() {
        Some(emoji) => emoji.to_owned(),
        None if icon.is_null() => String::new(),
        None => "🖼".to_owned(),
    }
}
