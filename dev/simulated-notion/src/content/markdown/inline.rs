//! Styles and links inside a line.

use serde_json::{Value, json};

use crate::content::rich_text::{pieces, plain_annotations, styled};

/// What is being collected: text with the same style and link.
#[derive(Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent styles, not the states of one machine")]
struct Style {
    bold: bool,
    italic: bool,
    struck: bool,
    code: bool,
    url: Option<String>,
}

impl Style {
    fn annotations(&self) -> Value {
        let mut annotations = plain_annotations();
        annotations["bold"] = self.bold.into();
        annotations["italic"] = self.italic.into();
        annotations["strikethrough"] = self.struck.into();
        annotations["code"] = self.code.into();
        annotations
    }
}

/// Rich text from a line of Markdown.
pub(super) fn parse(text: &str) -> Value {
    let mut items = Vec::new();
    spans(text, &Style::default(), &mut items);
    Value::Array(items)
}

fn spans(text: &str, style: &Style, into: &mut Vec<Value>) {
    let mut plain = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix('\\').and_then(|rest| rest.chars().next())
            && escaped.is_ascii_punctuation()
        {
            plain.push(escaped);
            before = escaped;
            rest = &rest[2..];
            continue;
        }
        if let Some((inner, inner_style, after)) = span(rest, before, style) {
            flush(&mut plain, style, into);
            if inner_style.code {
                flush(&mut inner.to_owned(), &inner_style, into);
            } else {
                spans(inner, &inner_style, into);
            }
            rest = after;
            before = 'x';
            continue;
        }
        plain.push(first);
        before = first;
        rest = &rest[first.len_utf8()..];
    }
    flush(&mut plain, style, into);
}

/// A styled span at the beginning of `rest`: its inside, its style, and what follows.
fn span<'a>(rest: &'a str, before: char, outer: &Style) -> Option<(&'a str, Style, &'a str)> {
    let style = outer.clone();
    if let Some(code) = rest.strip_prefix('`') {
        let (inner, after) = code.split_once('`').filter(|(inner, _)| !inner.is_empty())?;
        return Some((inner, Style { code: true, ..style }, after));
    }
    if let Some(linked) = rest.strip_prefix('[') {
        let end = closing(linked, "]")?;
        let (url, after) = linked[end + 1..].strip_prefix('(')?.split_once(')')?;
        let is_url = !url.is_empty() && !url.contains(char::is_whitespace);
        return is_url.then(|| (&linked[..end], Style { url: Some(url.to_owned()), ..style }, after));
    }
    for (mark, style) in [
        ("**", Style { bold: true, ..style.clone() }),
        ("~~", Style { struck: true, ..style.clone() }),
        ("*", Style { italic: true, ..style.clone() }),
        ("_", Style { italic: true, ..style.clone() }),
    ] {
        let Some(inside) = rest.strip_prefix(mark) else { continue };
        // As in CommonMark: `snake_case` has no italics, and a mark followed by a space is only a character.
        if inside.starts_with(char::is_whitespace) || (mark == "_" && before.is_alphanumeric()) {
            continue;
        }
        if let Some(end) = closing(inside, mark).filter(|end| *end > 0) {
            return Some((&inside[..end], style, &inside[end + mark.len()..]));
        }
    }
    None
}

/// Where the closing mark is. Escaped characters do not count, nor does what is in inline code.
fn closing(text: &str, mark: &str) -> Option<usize> {
    let (mut at, mut in_code) = (0, false);
    while let Some(next) = text[at..].chars().next() {
        if next == '\\' {
            at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
            continue;
        }
        let is_double = mark.len() == 1 && mark != "]" && text[at..].starts_with(&mark.repeat(2));
        if !in_code && text[at..].starts_with(mark) {
            if is_double {
                at += 2;
                continue;
            }
            let after = text[at + mark.len()..].chars().next();
            let is_in_word = mark == "_" && after.is_some_and(char::is_alphanumeric);
            if !is_in_word && !text[..at].ends_with(char::is_whitespace) {
                // Of three asterisks in a row, the last two close the outer span.
                let is_inner = mark == "**" && text[at..].starts_with("***");
                return Some(if is_inner { at + 1 } else { at });
            }
        }
        if next == '`' && (in_code || text[at + 1..].contains('`')) {
            in_code = !in_code;
        }
        at += next.len_utf8();
    }
    None
}

fn flush(plain: &mut String, style: &Style, into: &mut Vec<Value>) {
    for piece in pieces(plain) {
        into.push(styled(piece, style.url.as_deref(), &style.annotations()));
    }
    plain.clear();
}

/// A line of Markdown from rich text.
pub(super) fn write(rich_text: &Value) -> String {
    let items = rich_text.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut joined: Vec<Value> = Vec::new();
    for item in items {
        // Long text comes in several elements.
        match joined.last_mut() {
            Some(last) if last["annotations"] == item["annotations"] && last["href"] == item["href"] => {
                let text = |item: &Value| item["plain_text"].as_str().unwrap_or_default().to_owned();
                last["plain_text"] = (text(last) + &text(item)).into();
            }
            _ => joined.push(json!({
                "plain_text": item["plain_text"], "annotations": item["annotations"], "href": item["href"],
            })),
        }
    }
    joined.iter().map(written).collect()
}

fn written(item: &Value) -> String {
    let text = item["plain_text"].as_str().unwrap_or_default();
    let has = |name: &str| item["annotations"][name] == true;
    let mut text = if has("code") { format!("`{text}`") } else { escaped(text) };
    for (name, mark) in [("italic", "*"), ("bold", "**"), ("strikethrough", "~~")] {
        if has(name) {
            text = format!("{mark}{text}{mark}");
        }
    }
    match item["href"].as_str() {
        Some(url) => format!("[{text}]({url})"),
        None => text,
    }
}

/// With a backslash before what would be a mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let in_word =
            before.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric());
        let is_mark =
            matches!(character, '\\' | '*' | '`' | '[' | ']' | '~' | '<') || (character == '_' && !in_word);
        if is_mark {
            escaped.push('\\');
        }
        escaped.push(character);
        before = character;
    }
    escaped
}
