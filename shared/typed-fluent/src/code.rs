//! From messages to Rust.

use std::fmt::Write as _;

use crate::read::{Message, Messages, Piece};

/// Keeps the direction of a variable's value to itself, as Fluent's own libraries do.
const FIRST_STRONG_ISOLATE: &str = "\u{2068}";
const POP_DIRECTIONAL_ISOLATE: &str = "\u{2069}";

/// The methods of all messages. The first language is the reference.
pub(crate) fn of(languages: &[Messages<'_>]) -> String {
    let reference = &languages[0];
    let mut code = String::from("impl Language {\n");
    let mut every = String::new();
    for (name, message) in &reference.messages {
        let function = snake_case(name);
        let variables: Vec<&str> = message.variables().into_iter().collect();
        let mut parameters = String::from("self");
        for variable in &variables {
            let _ = write!(parameters, ", {}: &str", snake_case(variable));
        }
        let result = if variables.is_empty() { "&'static str" } else { "String" };
        let place = format!("{}:{}", reference.source.path, message.line);
        let _ = write!(
            code,
            "    pub(crate) fn {function}({parameters}) -> {result} {{ // {place}\n        match self {{\n"
        );
        for (variants, text) in arms(languages, name) {
            let _ = writeln!(code, "            {variants} => {text},");
        }
        code.push_str("        }\n    }\n");
        let values: Vec<String> = variables.iter().map(|variable| format!("{variable:?}")).collect();
        let values = values.join(", ");
        let owned = if variables.is_empty() { ".to_owned()" } else { "" };
        let _ = write!(every, "({name:?}, &[{values}], self.{function}({values}){owned}), ");
    }
    let _ = writeln!(
        code,
        "    #[cfg(test)]\n    fn every_message(self) -> Vec<(&'static str, &'static [&'static str], String)> {{\n        \
         vec![{every}]\n    }}"
    );
    code.push_str("}\n");
    code
}

/// The arms of a message's `match`. Languages with the same text share one.
fn arms(languages: &[Messages<'_>], name: &str) -> Vec<(String, String)> {
    let mut arms: Vec<(String, String)> = Vec::new();
    for language in languages {
        let Some(message) = language.messages.get(name) else { continue };
        let (variant, text) = (format!("Self::{}", variant(language.source.language)), expression(message));
        match arms.iter_mut().find(|(_, same)| *same == text) {
            Some((variants, _)) => *variants = format!("{variants} | {variant}"),
            None => arms.push((variant, text)),
        }
    }
    arms
}

fn expression(message: &Message<'_>) -> String {
    let is_alone = message.pieces.len() == 1;
    let (mut parts, mut text) = (Vec::new(), String::new());
    for piece in &message.pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::Variable(name) => {
                let (before, after) =
                    if is_alone { ("", "") } else { (FIRST_STRONG_ISOLATE, POP_DIRECTIONAL_ISOLATE) };
                text.push_str(before);
                parts.push(format!("{text:?}"));
                parts.push(snake_case(name));
                after.clone_into(&mut text);
            }
        }
    }
    if parts.is_empty() {
        return format!("{text:?}");
    }
    parts.push(format!("{text:?}"));
    parts.retain(|part| part != "\"\"");
    format!("[{}].concat()", parts.join(", "))
}

/// `de` is `De`, `pt-br` is `PtBr`.
fn variant(language: &str) -> String {
    let capitalized = language.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    capitalized.collect()
}

fn snake_case(name: &str) -> String {
    name.replace('-', "_")
}
