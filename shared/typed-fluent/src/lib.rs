//! Generates a Rust function for each message of [Fluent](https://projectfluent.org) files: at build time, so that a
//! program parses nothing when it runs, and a mistake in a translation fails the build.
//!
//! One file is the reference. A message of it becomes a method of an enum `Language`, whose variants are named after
//! the files (`en.ftl`: `En`). A variable becomes a parameter. All files have to have the same messages with the same
//! variables.
//!
//! Of Fluent, this is what texts without numbers and dates need: text, variables (`{ $name }`), and terms
//! (`{ -term }`) for words that recur. Attributes, selectors, functions and literals are refused; so is a text of more
//! than one line, because a line break would show as a space, also in a language without spaces.
//!
//! A variable within a text is put between U+2068 and U+2069, as Fluent's own libraries do: a name in another direction
//! then does not reorder what stands around it (Unicode Standard Annex 9, §2.4.2).

mod code;
mod read;
mod source;

use std::collections::BTreeSet;

use read::Messages;
pub use source::{Mistake, Source};

/// The code: `impl Language { … }`, for a module that has `Language` in scope.
///
/// A method is `pub(crate)` and ends its first line with the place of the message in the reference file. So the
/// compiler's lint `dead_code`, if denied there, finds messages that nobody uses, and shows where they are. Under
/// `cfg(test)` there is `every_message`: the name of each message, its variables, and its text with each variable's
/// name as its value.
///
/// # Errors
///
/// Every [`Mistake`] in any of the files.
pub fn generate(reference: Source<'_>, translations: &[Source<'_>]) -> Result<String, Vec<Mistake>> {
    let mut mistakes = BTreeSet::new();
    let all: Vec<Messages<'_>> = std::iter::once(&reference)
        .chain(translations)
        .map(|source| Messages::read(*source, &mut mistakes))
        .collect();
    let (of_reference, others) = all.split_at(1);
    for translation in others {
        compare(&of_reference[0], translation, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(code::of(&all)) } else { Err(mistakes.into_iter().collect()) }
}

/// Notes what a translation lacks, or has beyond the reference.
fn compare(reference: &Messages<'_>, translation: &Messages<'_>, mistakes: &mut BTreeSet<Mistake>) {
    for (name, wanted) in &reference.messages {
        let Some(message) = translation.messages.get(name) else {
            let what = format!("`{name}` is missing in {}", translation.source.path);
            mistakes.insert(reference.mistake(wanted.line, what));
            continue;
        };
        for variable in wanted.variables().difference(&message.variables()) {
            mistakes.insert(translation.mistake(message.line, format!("`{name}` lacks ${variable}")));
        }
        for variable in message.variables().difference(&wanted.variables()) {
            let what = format!("`{name}` has no ${variable} in {}", reference.source.path);
            mistakes.insert(translation.mistake(message.line, what));
        }
    }
    for (name, message) in &translation.messages {
        if !reference.messages.contains_key(name) {
            let what = format!("`{name}` is not in {}", reference.source.path);
            mistakes.insert(translation.mistake(message.line, what));
        }
    }
}
