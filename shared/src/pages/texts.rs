//! What the pages say: a method of `Language` for each message in `locales`, made by the build script.

// A message that no page shows fails the build. The compiler shows the line in `locales` with it.
#![deny(dead_code)]

use crate::language::Language;

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

    use super::*;

    /// The file of each language.
    fn file(language: Language) -> String {
        let path = format!("{}/locales/{}.ftl", env!("CARGO_MANIFEST_DIR"), language.tag());
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_message_of_every_language_is_what_fluent_itself_renders() {
        for language in Language::ALL {
            let mut bundle = FluentBundle::new(vec![language.tag().parse().unwrap()]);
            bundle.add_resource(FluentResource::try_new(file(language)).unwrap()).unwrap();
            let every_message = language.every_message();
            assert!(every_message.len() > 50, "{}", every_message.len());
            for (name, variables, text) in every_message {
                let arguments: FluentArgs<'_> = variables.iter().map(|name| (*name, *name)).collect();
                let pattern = bundle.get_message(name).unwrap().value().unwrap();
                let mut errors = Vec::new();
                let rendered = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
                assert_eq!((text.as_str(), &errors), (&*rendered, &Vec::new()), "{language:?}: {name}");
            }
        }
    }

    /// What typography asks for and what is easily lost in an editor.
    #[test]
    fn texts_are_written_as_their_language_wants() {
        for language in Language::ALL {
            for (name, _, text) in language.every_message() {
                let wrong: &[&str] = match language {
                    Language::En | Language::De | Language::Es => &["  ", "'", "\"", " ?", " !", "..."],
                    // Spaces before these do not break.
                    Language::Fr => &["  ", "'", "\"", " ?", " !", " ;", " :", "« ", " »", "..."],
                    Language::Ja => &["  ", "'", "\"", "?", "!", "、 ", "。 ", "..."],
                };
                let found: Vec<&&str> = wrong.iter().filter(|wrong| text.contains(**wrong)).collect();
                assert!(found.is_empty(), "{language:?}: {name} has {found:?}: {text}");
                assert!(!text.is_empty() && text.trim() == text, "{language:?}: {name}");
                let is_sentence = name.ends_with("-text") || name.starts_with("ask-");
                assert_eq!(text.ends_with(['.', '。']), is_sentence, "{language:?}: {name}: {text}");
            }
        }
    }

    /// A text that was copied from English and forgotten.
    #[test]
    fn no_text_is_left_in_english() {
        let same_in_both: HashSet<&str> = HashSet::from(["fact-workspace", "fact-person", "support"]);
        let english: Vec<_> = Language::En.every_message();
        for language in Language::ALL.into_iter().filter(|language| *language != Language::En) {
            for ((name, _, english), (_, _, text)) in english.iter().zip(language.every_message()) {
                assert!(*english != text || same_in_both.contains(name), "{language:?}: {name}: {text}");
            }
        }
    }
}
