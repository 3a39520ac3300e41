//! Rich text: what a request may contain, and what an answer does (SDK).

use serde_json::{Value, json};

use crate::content::input::{Input, length};
use crate::error::NotionError;

/// Elements in an array of rich text, and characters in one of them (documented).
pub(crate) const ARRAY_LIMIT: usize = 100;
/// Characters in one text and in one URL (documented).
pub(crate) const TEXT_LIMIT: usize = 2000;
/// Characters in one equation (documented).
const EQUATION_LIMIT: usize = 1000;

/// Rich text of a request, as an answer has it.
///
/// # Errors
///
/// `validation_error` if it has another shape, or is too long.
pub(crate) fn read(input: &Input<'_>) -> Result<Value, NotionError> {
    let items = input.array(ARRAY_LIMIT)?;
    items.iter().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn item(input: &Input<'_>) -> Result<Value, NotionError> {
    input.object()?;
    let named = input.text_of("type")?;
    let kind = ["text", "mention", "equation"]
        .into_iter()
        .find(|kind| input.some(kind).is_some() && named.is_none_or(|named| named == *kind));
    let annotations = annotations(input)?;
    match kind {
        Some("text") => {
            let text = input.needed("text")?;
            let content = text.needed("content")?.short_text(TEXT_LIMIT)?;
            let url = match text.some("link") {
                Some(link) => Some(link.needed("url")?.short_text(TEXT_LIMIT)?),
                None => None,
            };
            Ok(styled(content, url, &annotations))
        }
        Some("equation") => {
            let expression = input.needed("equation")?.needed("expression")?.short_text(EQUATION_LIMIT)?;
            Ok(json!({
                "type": "equation", "equation": { "expression": expression },
                "annotations": annotations, "plain_text": expression, "href": null,
            }))
        }
        Some(_) => {
            // The name of what is mentioned is not looked up.
            let mention = input.needed("mention")?;
            let plain = mention.object()?.keys().find(|name| *name != "type").map_or("", String::as_str);
            Ok(json!({
                "type": "mention", "mention": mention.value(),
                "annotations": annotations, "plain_text": format!("@{plain}"), "href": null,
            }))
        }
        None => {
            input.needed("text")?;
            Err(input.wrong("rich text with `text`, `mention` or `equation`"))
        }
    }
}

fn annotations(input: &Input<'_>) -> Result<Value, NotionError> {
    let mut all = plain_annotations();
    if let Some(given) = input.some("annotations") {
        given.only(&["bold", "italic", "strikethrough", "underline", "code", "color"])?;
        for (name, field) in given.fields()? {
            all[name] = if name == "color" { field.text()?.into() } else { field.bool()?.into() };
        }
    }
    Ok(all)
}

/// Text without any style.
pub(crate) fn plain_annotations() -> Value {
    json!({
        "bold": false, "italic": false, "strikethrough": false, "underline": false, "code": false,
        "color": "default",
    })
}

/// One element of an answer.
pub(crate) fn styled(content: &str, url: Option<&str>, annotations: &Value) -> Value {
    json!({
        "type": "text",
        "text": { "content": content, "link": url.map(|url| json!({ "url": url })) },
        "annotations": annotations,
        "plain_text": content,
        "href": url,
    })
}

/// Text without style, in as many elements as its length needs.
pub(crate) fn of_text(text: &str) -> Value {
    pieces(text).into_iter().map(|piece| styled(piece, None, &plain_annotations())).collect()
}

/// The text in pieces that are short enough for one element.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while length(rest) > TEXT_LIMIT {
        let mut units = 0;
        let end = rest.char_indices().find(|(_, character)| {
            units += character.len_utf16();
            units > TEXT_LIMIT
        });
        let (piece, remaining) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        pieces.push(piece);
        rest = remaining;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The text of rich text without its style.
pub(crate) fn plain(rich_text: &Value) -> String {
    let items = rich_text.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item["plain_text"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_split_without_cutting_a_character() {
        let text = "🧪".repeat(1500);
        let pieces = pieces(&text);
        assert_eq!(pieces.iter().map(|piece| length(piece)).collect::<Vec<_>>(), [2000, 1000]);
        assert_eq!(pieces.concat(), text);
        assert!(super::pieces("").is_empty());
    }
}
