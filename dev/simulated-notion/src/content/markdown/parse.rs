//! Markdown to blocks.

use serde_json::{Value, json};

use super::inline;
use crate::content::new_blocks::NewBlock;
use crate::content::rich_text;

/// How far a tab indents, in columns.
const TAB_COLUMNS: usize = 4;

/// A line with its indentation.
struct Line<'a> {
    columns: usize,
    text: &'a str,
    raw: &'a str,
}

impl<'a> Line<'a> {
    fn of(raw: &'a str) -> Self {
        let text = raw.trim_start_matches([' ', '\t']);
        let indent = &raw[..raw.len() - text.len()];
        let columns = indent.chars().map(|character| if character == '\t' { TAB_COLUMNS } else { 1 }).sum();
        Self { columns, text: text.trim_end(), raw }
    }
}

/// Splits off the first `# heading`: its text as rich text, and the Markdown without it. `None` if there is none.
pub(crate) fn heading_as_title(markdown: &str) -> Option<(Value, String)> {
    let mut in_code = false;
    let at = markdown.lines().position(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code && line.starts_with("# ")
    })?;
    let lines: Vec<_> = markdown.lines().collect();
    let title = inline::parse(lines[at].trim_start_matches("# ").trim());
    let rest = [&lines[..at], &lines[at + 1..]].concat().join("\n");
    Some((title, rest))
}

/// The blocks of a Markdown text. Items that are indented by two columns or more are inside the item before them.
pub(crate) fn parse(markdown: &str) -> Vec<NewBlock> {
    let lines: Vec<_> = markdown.lines().map(Line::of).collect();
    let mut at = 0;
    blocks(&lines, &mut at, 0)
}

fn blocks(lines: &[Line<'_>], at: &mut usize, columns: usize) -> Vec<NewBlock> {
    let mut blocks: Vec<NewBlock> = Vec::new();
    while let Some(line) = lines.get(*at) {
        if line.text.is_empty() {
            *at += 1;
            continue;
        }
        if line.columns < columns {
            break;
        }
        let parent = blocks.last_mut().filter(|parent| {
            line.columns >= columns + 2 && parent.kind.ends_with("list_item") || {
                line.columns >= columns + 2 && matches!(parent.kind.as_str(), "to_do" | "toggle")
            }
        });
        match parent {
            Some(parent) => parent.children.extend(self::blocks(lines, at, line.columns)),
            None => blocks.push(block(lines, at)),
        }
    }
    blocks
}

/// The block that begins at this line, which is not empty.
fn block(lines: &[Line<'_>], at: &mut usize) -> NewBlock {
    let line = &lines[*at];
    let text = line.text;
    if let Some(language) = text.strip_prefix("```") {
        return code(lines, at, language.trim());
    }
    if is_table(lines, *at) {
        return table(lines, at);
    }
    if text.starts_with('>') {
        return quote(lines, at);
    }
    *at += 1;
    if matches!(text, "---" | "***" | "___") {
        return NewBlock { kind: "divider".to_owned(), content: json!({}), children: Vec::new() };
    }
    for level in 1..=4 {
        if let Some(heading) = text.strip_prefix(&format!("{} ", "#".repeat(level))) {
            return NewBlock::of_text(&format!("heading_{level}"), &inline::parse(heading.trim()));
        }
    }
    if let Some(item) = ["- ", "* ", "+ "].iter().find_map(|mark| text.strip_prefix(mark)) {
        for (mark, checked) in [("[ ]", false), ("[x]", true), ("[X]", true)] {
            if let Some(to_do) = item.strip_prefix(mark) {
                let mut block = NewBlock::of_text("to_do", &inline::parse(to_do.trim()));
                block.content["checked"] = checked.into();
                return block;
            }
        }
        return NewBlock::of_text("bulleted_list_item", &inline::parse(item.trim()));
    }
    if let Some(item) = numbered(text) {
        return NewBlock::of_text("numbered_list_item", &inline::parse(item));
    }
    image(text).unwrap_or_else(|| NewBlock::of_text("paragraph", &inline::parse(text)))
}

fn numbered(text: &str) -> Option<&str> {
    let (number, item) = text.split_once(['.', ')'])?;
    let is_number =
        !number.is_empty() && number.len() < 10 && number.bytes().all(|byte| byte.is_ascii_digit());
    item.strip_prefix(' ').filter(|_| is_number).map(str::trim)
}

fn image(text: &str) -> Option<NewBlock> {
    let (caption, url) = text.strip_prefix("![")?.strip_suffix(')')?.split_once("](")?;
    let content =
        json!({ "type": "external", "external": { "url": url }, "caption": rich_text::of_text(caption) });
    Some(NewBlock { kind: "image".to_owned(), content, children: Vec::new() })
}

fn code(lines: &[Line<'_>], at: &mut usize, language: &str) -> NewBlock {
    let indent = lines[*at].columns;
    *at += 1;
    let mut code = Vec::new();
    while let Some(line) = lines.get(*at) {
        *at += 1;
        if line.text == "```" {
            break;
        }
        let own_indent = line.raw.len() - line.raw.trim_start_matches([' ', '\t']).len();
        code.push(&line.raw[indent.min(own_indent)..]);
    }
    let language = if language.is_empty() { "plain text" } else { language };
    let content =
        json!({ "rich_text": rich_text::of_text(&code.join("\n")), "language": language, "caption": [] });
    NewBlock { kind: "code".to_owned(), content, children: Vec::new() }
}

fn quote(lines: &[Line<'_>], at: &mut usize) -> NewBlock {
    let mut quoted = Vec::new();
    while let Some(text) = lines.get(*at).and_then(|line| line.text.strip_prefix('>')) {
        quoted.push(text.trim());
        *at += 1;
    }
    NewBlock::of_text("quote", &inline::parse(&quoted.join("\n")))
}

fn is_table(lines: &[Line<'_>], at: usize) -> bool {
    let is_rule = |text: &str| text.contains('-') && text.chars().all(|character| "|-: ".contains(character));
    lines[at].text.starts_with('|')
        && lines.get(at + 1).is_some_and(|line| line.text.starts_with('|') && is_rule(line.text))
}

fn table(lines: &[Line<'_>], at: &mut usize) -> NewBlock {
    let mut rows = vec![cells(lines[*at].text)];
    *at += 2; // the header and the rule
    while let Some(line) = lines.get(*at).filter(|line| line.text.starts_with('|')) {
        rows.push(cells(line.text));
        *at += 1;
    }
    let width = rows[0].len();
    let row = |mut cells: Vec<Value>| {
        cells.resize(width, json!([]));
        NewBlock { kind: "table_row".to_owned(), content: json!({ "cells": cells }), children: Vec::new() }
    };
    NewBlock {
        kind: "table".to_owned(),
        content: json!({ "table_width": width, "has_column_header": true, "has_row_header": false }),
        children: rows.into_iter().map(row).collect(),
    }
}

fn cells(row: &str) -> Vec<Value> {
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut characters = row.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek(), cells.last_mut()) {
            ('\\', Some('|'), Some(cell)) => {
                cell.push('|');
                characters.next();
            }
            ('|', ..) => cells.push(String::new()),
            (_, _, Some(cell)) => cell.push(character),
            (_, _, None) => {}
        }
    }
    cells.iter().map(|cell| inline::parse(cell.trim())).collect()
}
