//! The Markdown of a page: what is in it, and that it fits into one request.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use toml::Spanned;

use super::Reading;
use crate::limits::{BLOCKS, TEXT_CHARS, length};
use crate::problem::{Problem, line_of};
use crate::text::Text;

impl Reading<'_> {
    /// Reads the Markdown file that `content` names.
    pub(super) fn content(&mut self, content: Option<&Spanned<String>>) -> Option<Text> {
        let content = content?;
        let name = content.get_ref();
        let is_plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
        if !is_plain {
            self.wrong(content.span(), "`content` is the name of a file in the recipe's folder");
            return None;
        }
        let file = self.folder.join(name);
        let source = match std::fs::read_to_string(&file) {
            Ok(source) => source.replace("\r\n", "\n"),
            Err(error) => {
                self.wrong(content.span(), format!("`{name}` cannot be read: {error}"));
                return None;
            }
        };
        let mut problems = Vec::new();
        let mut wrong = |at: usize, message: String| {
            problems.push(Problem { file: file.clone(), line: line_of(&source, at), message });
        };
        let text = match Text::markdown(&source) {
            Ok(text) => Some(text),
            Err((at, message)) => {
                wrong(at, message);
                None
            }
        };
        check_blocks(&source, &mut wrong);
        if let Some(text) = &text {
            for resource in text.resources().filter(|resource| !self.known.kinds.contains_key(*resource)) {
                let at = source.find(&format!("{resource}.")).unwrap_or(0);
                wrong(
                    at,
                    format!("there is no `{resource}` before this step: steps use what earlier ones made"),
                );
            }
        }
        let is_right = problems.is_empty();
        self.problems.extend(problems);
        text.filter(|_| is_right)
    }
}

/// Notion takes so many blocks, and so many characters in each. Nothing is filled in inside code, where nothing can be
/// escaped.
fn check_blocks(source: &str, wrong: &mut impl FnMut(usize, String)) {
    let (mut blocks, mut in_code) = (0, false);
    let mut block: Option<(usize, usize)> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    for (event, Range { start, end }) in Parser::new_ext(source, options).into_offset_iter() {
        let has_no_escapes = matches!(event, Event::Code(_)) || (in_code && matches!(event, Event::Text(_)));
        if has_no_escapes && let Some(at) = source[start..end].find("{{") {
            wrong(start + at, "a placeholder cannot stand in code: nothing can be escaped there".to_owned());
        }
        match event {
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::Item
                | Tag::TableRow
                | Tag::TableHead
                | Tag::HtmlBlock,
            ) => {
                blocks += 1;
                block = Some((start, 0));
            }
            Event::Start(Tag::CodeBlock(_)) => {
                blocks += 1;
                in_code = true;
                block = Some((start, 0));
            }
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Rule | Event::Start(Tag::BlockQuote(_) | Tag::Table(_)) => blocks += 1,
            Event::Text(_) | Event::Code(_) | Event::Html(_) | Event::InlineHtml(_) => {
                if let Some((at, characters)) = &mut block {
                    let before = *characters;
                    let part = &source[start..end];
                    *characters +=
                        Text::markdown(part).map_or_else(|_| length(part), |text| text.most_chars());
                    if before <= TEXT_CHARS && *characters > TEXT_CHARS {
                        let message = format!(
                            "Notion takes {TEXT_CHARS} characters in a block, and this one has up to {characters}"
                        );
                        wrong(*at, message);
                    }
                }
            }
            _ => {}
        }
    }
    if blocks > BLOCKS {
        wrong(
            0,
            format!(
                "Notion takes {BLOCKS} blocks in a request, and this has {blocks}: make several pages of it"
            ),
        );
    }
}
