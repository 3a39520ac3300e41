//! Lists in pages of at most 100, with a cursor.

use serde_json::{Value, json};

use crate::content::input::Input;
use crate::content::node::Node;
use crate::error::NotionError;

/// The largest `page_size` (documented).
const PAGE_SIZE_LIMIT: usize = 100;

/// One page of a list.
pub(crate) struct Page {
    pub(crate) ids: Vec<String>,
    /// The id of the first element of the next page, as at Notion.
    pub(crate) next_cursor: Option<String>,
}

/// The page of `ids` that `page_size` and `start_cursor` ask for.
///
/// # Errors
///
/// `validation_error` for a page size that is not between 1 and 100, and for a cursor that is not in the list.
pub(crate) fn page(ids: Vec<String>, asked: &Input<'_>) -> Result<Page, NotionError> {
    let size = match asked.some("page_size") {
        Some(size) => size_of(&size)?,
        None => PAGE_SIZE_LIMIT,
    };
    let start = match asked.text_of("start_cursor")? {
        Some(cursor) => {
            let cursor = crate::content::id::normal(cursor);
            ids.iter().position(|id| *id == cursor).ok_or_else(|| {
                NotionError::validation(&format!("start_cursor provided is invalid: {cursor}")) // invented
            })?
        }
        None => 0,
    };
    let next_cursor = ids.get(start + size).cloned();
    Ok(Page { ids: ids.into_iter().skip(start).take(size).collect(), next_cursor })
}

fn size_of(size: &Input<'_>) -> Result<usize, NotionError> {
    // In a query everything is text.
    let number = size.value().as_u64().or_else(|| size.value().as_str()?.parse().ok());
    let number =
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| size.wrong("a number"))?;
    size.at_most("", number, PAGE_SIZE_LIMIT)?;
    if number == 0 { Err(size.wrong("≥ `1`")) } else { Ok(number) }
}

/// The envelope of a list (SDK).
pub(crate) fn list(kind: &str, results: &[Value], next_cursor: Option<&String>) -> Value {
    json!({
        "object": "list",
        "results": results,
        "has_more": next_cursor.is_some(),
        "next_cursor": next_cursor,
        "type": kind,
        kind: {},
    })
}

/// The answer to a request for a list: the page of `nodes` that it asks for, each as `object` writes it.
///
/// # Errors
///
/// As [`page`].
pub(crate) fn answer(
    kind: &str,
    nodes: &[&Node],
    asked: &Input<'_>,
    object: impl Fn(&Node) -> Value,
) -> Result<Value, NotionError> {
    let page = page(nodes.iter().map(|node| node.id.clone()).collect(), asked)?;
    let shown = nodes.iter().skip_while(|node| Some(&node.id) != page.ids.first()).take(page.ids.len());
    let results: Vec<Value> = shown.map(|node| object(node)).collect();
    Ok(list(kind, &results, page.next_cursor.as_ref()))
}
