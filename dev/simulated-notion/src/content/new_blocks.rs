//! Blocks before they are stored: read from the `children` of a request, or made from Markdown.

use serde_json::{Map, Value, json};

use crate::content::input::Input;
use crate::content::rich_text::{self, ARRAY_LIMIT, TEXT_LIMIT};
use crate::error::NotionError;

/// Levels of `children` inside the blocks of one request (documented).
const NESTING_LIMIT: usize = 2;
/// Blocks of one request (documented).
const BLOCKS_LIMIT: usize = 1000;

/// A block that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewBlock {
    pub(crate) kind: String,
    /// What an answer has under the name of the kind.
    pub(crate) content: Value,
    pub(crate) children: Vec<NewBlock>,
}

impl NewBlock {
    /// A block of rich text without style.
    pub(crate) fn of_text(kind: &str, rich_text: &Value) -> Self {
        let mut content = json!({ "rich_text": rich_text, "color": "default" });
        if kind.starts_with("heading_") {
            content["is_toggleable"] = false.into();
        }
        Self { kind: kind.to_owned(), content, children: Vec::new() }
    }
}

/// How many blocks these are, with those inside them.
pub(crate) fn count(blocks: &[NewBlock]) -> usize {
    blocks.iter().map(|block| 1 + count(&block.children)).sum()
}

/// Kinds whose content is rich text and little else.
const WITH_TEXT: &[&str] = &[
    "paragraph",
    "heading_1",
    "heading_2",
    "heading_3",
    "heading_4",
    "bulleted_list_item",
    "numbered_list_item",
    "quote",
    "to_do",
    "toggle",
    "template",
    "callout",
    "code",
];
/// Kinds with an address or file.
const MEDIA: &[&str] = &["embed", "bookmark", "image", "video", "pdf", "file", "audio"];
const OTHERS: &[&str] = &[
    "divider",
    "breadcrumb",
    "table_of_contents",
    "equation",
    "table",
    "table_row",
    "column_list",
    "column",
    "synced_block",
    "link_to_page",
];

/// The blocks in the `children` of a request.
///
/// # Errors
///
/// `validation_error` if there are more than 100 in one array, more than 1,000 in all, more than two levels inside
/// them, an unknown kind, or wrong content.
pub(crate) fn read(children: &Input<'_>) -> Result<Vec<NewBlock>, NotionError> {
    let blocks = level(children, 0)?;
    at_most(&blocks, children)?;
    Ok(blocks)
}

/// # Errors
///
/// `validation_error` if there are more than 1,000 with those inside them.
pub(crate) fn at_most(blocks: &[NewBlock], of: &Input<'_>) -> Result<(), NotionError> {
    of.at_most("blocks.length", count(blocks), BLOCKS_LIMIT) // the path is invented
}

fn level(children: &Input<'_>, depth: usize) -> Result<Vec<NewBlock>, NotionError> {
    children.array(ARRAY_LIMIT)?.iter().map(|block| block_at(block, depth)).collect()
}

fn block_at(given: &Input<'_>, depth: usize) -> Result<NewBlock, NotionError> {
    let known = |key: &str| WITH_TEXT.contains(&key) || MEDIA.contains(&key) || OTHERS.contains(&key);
    let mut named = given.object()?.keys().map(String::as_str).filter(|key| known(key));
    let (Some(kind), None) = (named.next(), named.next()) else {
        // invented
        return Err(given.wrong("a block with the content of exactly one known type"));
    };
    if let Some(said) = given.some("type") {
        said.one_of(&[kind])?;
    }
    if let Some(object) = given.some("object") {
        object.one_of(&["block"])?;
    }
    let content = given.needed(kind)?;
    let children = match content.some("children") {
        Some(children) if depth >= NESTING_LIMIT && kind != "table" => {
            return Err(children.wrong("not present"));
        }
        Some(children) => level(&children, depth + 1)?,
        None => Vec::new(),
    };
    Ok(NewBlock { kind: kind.to_owned(), content: content_of(kind, &content)?, children })
}

/// The content of a block as an answer has it, from that of a request.
///
/// # Errors
///
/// `validation_error` if it has another shape.
pub(crate) fn content_of(kind: &str, given: &Input<'_>) -> Result<Value, NotionError> {
    given.object()?;
    if MEDIA.contains(&kind) {
        return media(kind, given);
    }
    if WITH_TEXT.contains(&kind) {
        return text(kind, given);
    }
    Ok(match kind {
        "equation" => json!({ "expression": given.needed("expression")?.text()? }),
        "table" => {
            let width = given.needed("table_width")?;
            let is_positive = width.value().as_u64().is_some_and(|width| width > 0);
            if !is_positive {
                return Err(width.wrong("≥ `1`"));
            }
            json!({
                "table_width": width.value(),
                "has_column_header": given.bool_of("has_column_header")?.unwrap_or_default(),
                "has_row_header": given.bool_of("has_row_header")?.unwrap_or_default(),
            })
        }
        "table_row" => {
            let cells = given.needed("cells")?.array(ARRAY_LIMIT)?;
            let cells: Value = cells.iter().map(rich_text::read).collect::<Result<_, _>>()?;
            json!({ "cells": cells })
        }
        "table_of_contents" => json!({ "color": given.text_of("color")?.unwrap_or("default") }),
        _ => {
            let mut content = given.object()?.clone();
            content.remove("children");
            Value::Object(content)
        }
    })
}

fn text(kind: &str, given: &Input<'_>) -> Result<Value, NotionError> {
    let mut content = Map::new();
    content.insert("rich_text".to_owned(), rich_text::read(&given.needed("rich_text")?)?);
    if kind == "code" {
        content.insert("language".to_owned(), given.needed("language")?.text()?.into());
        let caption = given.some("caption").map(|caption| rich_text::read(&caption)).transpose()?;
        content.insert("caption".to_owned(), caption.unwrap_or_else(|| json!([])));
        return Ok(Value::Object(content));
    }
    if kind != "template" {
        content.insert("color".to_owned(), given.text_of("color")?.unwrap_or("default").into());
    }
    if kind == "to_do" {
        content.insert("checked".to_owned(), given.bool_of("checked")?.unwrap_or_default().into());
    }
    if kind.starts_with("heading_") {
        content
            .insert("is_toggleable".to_owned(), given.bool_of("is_toggleable")?.unwrap_or_default().into());
    }
    if kind == "callout" {
        let icon = given.some("icon").map(|icon| icon.value().clone());
        content.insert("icon".to_owned(), icon.unwrap_or_default());
    }
    Ok(Value::Object(content))
}

fn media(kind: &str, given: &Input<'_>) -> Result<Value, NotionError> {
    let caption = given.some("caption").map(|caption| rich_text::read(&caption)).transpose()?;
    let caption = caption.unwrap_or_else(|| json!([]));
    if matches!(kind, "embed" | "bookmark") {
        return Ok(json!({ "url": given.needed("url")?.short_text(TEXT_LIMIT)?, "caption": caption }));
    }
    let url = given.needed("external")?.needed("url")?.short_text(TEXT_LIMIT)?;
    let mut content = json!({ "type": "external", "external": { "url": url }, "caption": caption });
    if kind == "file" {
        content["name"] = given.text_of("name")?.unwrap_or_default().into();
    }
    Ok(content)
}
