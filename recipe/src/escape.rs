//! How a value is written so that it stays a value: in plain text, in Markdown, in an address.
//!
//! A name is somebody's choice. Whatever it contains, it must not become a heading, a link, a tag or a second line.

use crate::limits::{ADDRESS_CHARS, VALUE_CHARS, length};

/// The characters that mean something to Notion's Markdown anywhere in a line.
const ALWAYS: &[char] = &['\\', '*', '~', '`', '$', '[', ']', '<', '>', '{', '}', '|', '^', '&'];
/// Those that mean something at the beginning of a line or of a list's item.
const AT_THE_BEGINNING: &[char] = &['#', '-', '+', '=', ':', '!', '@'];

/// One line, of a limited length, without characters that control how others are shown.
pub(crate) fn plain(value: &str) -> String {
    let controls = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || ('\u{e0000}'..='\u{e007f}').contains(&c)
    };
    let clean = value.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !controls(*c));
    let clean: String = clean.collect();
    let words: Vec<&str> = clean.split(' ').filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if length(&line) <= VALUE_CHARS {
        return line;
    }
    let mut room = VALUE_CHARS - 1;
    let fits = |c: &char| {
        let had = room;
        room = room.saturating_sub(c.len_utf16());
        had >= c.len_utf16()
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

/// The same in Markdown: shown as it is, wherever it stands in a line.
pub(crate) fn markdown(value: &str) -> String {
    let value = plain(value);
    let mut written = String::with_capacity(value.len() + 8);
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let mut before: Option<char> = None;
    for (at, c) in value.char_indices() {
        let rest = &value[at..];
        let after = rest.chars().nth(1);
        let in_a_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let escaped = ALWAYS.contains(&c)
            || (at == 0 && AT_THE_BEGINNING.contains(&c))
            // A numbered item: `1.` or `1)`.
            || (at == digits && digits > 0 && (c == '.' || c == ')'))
            || (c == '_' && !(in_a_word(before) && in_a_word(after)))
            // What would become a link by itself.
            || rest.starts_with("://")
            || (c == '.' && value[..at].to_ascii_lowercase().ends_with("www"));
        if escaped {
            written.push('\\');
        }
        written.push(c);
        before = Some(c);
    }
    written
}

/// An address inside a link or a tag: nothing that would end it. `None` if it is no address of the web, or too long.
pub(crate) fn address(url: &str) -> Option<String> {
    let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let mut written = String::new();
    for c in parsed.as_str().chars() {
        match c {
            '(' | ')' | '<' | '>' | '"' | '\'' | '[' | ']' | '{' | '}' | '\\' | '`' | '|' | '*' | '~'
            | '^' | '$' => {
                written.extend(format!("%{:02X}", u32::from(c)).chars());
            }
            c => written.push(c),
        }
    }
    (written.len() <= ADDRESS_CHARS).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(plain("  Ada \n\t Lovelace\u{202e}\u{0} "), "Ada Lovelace");
        let long = plain(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), VALUE_CHARS);
        assert!(long.ends_with('…'));
        let wide = plain(&"👩".repeat(10_000));
        assert_eq!((length(&wide), wide.chars().count()), (VALUE_CHARS - 1, 100));
        assert_eq!(plain("שלום 👩‍💻 名前"), "שלום 👩‍💻 名前");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Ada Lovelace",
            "J. R. Smith-Jones",
            "O'Brien & Söhne",
            "C# Team",
            "ada_lovelace@example.org",
            "3M",
        ] {
            let written = markdown(name);
            assert_eq!(written, name.replace('&', "\\&"));
        }
    }

    /// What a Markdown reader takes the value for: the text alone, in one paragraph.
    fn shown(before: &str, value: &str) -> (String, usize) {
        use pulldown_cmark::{Event, Options, Parser, Tag};
        let source = format!("{before}{}\n", markdown(value));
        let (mut text, mut other) = (String::new(), 0);
        for event in Parser::new_ext(&source, Options::all().difference(Options::ENABLE_SMART_PUNCTUATION)) {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::Start(Tag::Paragraph | Tag::List(_) | Tag::Item) | Event::End(_) => {}
                _ => other += 1,
            }
        }
        (text, other)
    }

    #[test]
    fn nothing_breaks_out_of_a_name() {
        let names = [
            "# Heading",
            "## x",
            "- item",
            "+ item",
            "* item",
            "1. item",
            "23) item",
            "> quote",
            "--- ",
            "===",
            "```",
            "`code`",
            "**bold**",
            "_it_",
            "__b__",
            "~~x~~",
            "[a](https://evil.example)",
            "![a](https://evil.example/a.png)",
            "<script>alert(1)</script>",
            "<page url=\"https://evil.example\">x</page>",
            "https://evil.example",
            "www.evil.example",
            "a|b|c",
            "&lt;b&gt;",
            "{{person.name}}",
            "{color=\"red\"}",
            "$x$",
            "\\",
            "\\*",
            "x\\",
            "@everyone",
            ": x",
            "[ ] todo",
            "[x] done",
            "[^1]",
            "^sup^",
            "<!-- x",
            "=== x",
            "![[x]]",
            "a\n# b",
        ];
        for name in names {
            let expected = plain(name);
            for before in ["", "Hello ", "- ", "a **b** "] {
                let prefix = if before.starts_with('a') {
                    "a b ".to_owned()
                } else {
                    before.trim_start_matches("- ").to_owned()
                };
                let (text, other) = shown(before, name);
                let of_the_prefix = usize::from(before.starts_with('a'));
                assert_eq!(
                    text,
                    format!("{prefix}{expected}").trim_end(),
                    "{before:?} {name:?} {}",
                    markdown(name)
                );
                assert_eq!(other, of_the_prefix, "{before:?} {name:?} {}", markdown(name));
            }
        }
    }

    #[test]
    fn an_address_stays_an_address() {
        assert_eq!(address("https://www.notion.so/a-b").as_deref(), Some("https://www.notion.so/a-b"));
        assert_eq!(
            address("https://x.example/a)b\"c<d>").as_deref(),
            Some("https://x.example/a%29b%22c%3Cd%3E")
        );
        for refused in [
            "javascript:alert(1)",
            "data:text/html,x",
            "no address",
            &format!("https://x.example/{}", "a".repeat(400)),
        ] {
            assert_eq!(address(refused), None, "{refused}");
        }
    }
}
