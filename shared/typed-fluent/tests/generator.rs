//! What is generated, what is refused, and what the compiler makes of it.

#![expect(clippy::unwrap_used, reason = "test helpers may panic like tests")]

use std::process::Command;

use typed_fluent::{Source, generate};

const ENGLISH: &str = "\
-product = Notion
title = { $app } is connected to { -product }
late = This took too long
back = Back
";
const GERMAN: &str = "\
back = Zurück
late = Das hat zu lange gedauert
title = { $app } ist mit Notion verbunden
";

fn source<'a>(language: &'a str, path: &'a str, text: &'a str) -> Source<'a> {
    Source { language, path, text }
}

/// The mistakes, one a line, of a translation or, without one, of the reference itself.
fn mistakes(english: &str, german: Option<&str>) -> String {
    let german: Vec<Source<'_>> = german.map(|text| source("de", "de.ftl", text)).into_iter().collect();
    let mistakes = generate(source("en", "en.ftl", english), &german).err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_message_becomes_a_function_with_its_variables_as_parameters() {
    let code = generate(source("en", "en.ftl", ENGLISH), &[source("de", "de.ftl", GERMAN)]).unwrap();
    let expected = r#"impl Language {
    pub(crate) fn back(self) -> &'static str { // en.ftl:4
        match self {
            Self::En => "Back",
            Self::De => "Zurück",
        }
    }
    pub(crate) fn late(self) -> &'static str { // en.ftl:3
        match self {
            Self::En => "This took too long",
            Self::De => "Das hat zu lange gedauert",
        }
    }
    pub(crate) fn title(self, app: &str) -> String { // en.ftl:2
        match self {
            Self::En => ["\u{2068}", app, "\u{2069} is connected to Notion"].concat(),
            Self::De => ["\u{2068}", app, "\u{2069} ist mit Notion verbunden"].concat(),
        }
    }
"#;
    assert_eq!(code.split("    #[cfg(test)]").next(), Some(expected), "{code}");
}

#[test]
fn languages_with_the_same_text_share_it() {
    let code =
        generate(source("en", "en.ftl", "name = Name\n"), &[source("pt-br", "pt-br.ftl", "name = Name\n")]);
    assert!(code.unwrap().contains(r#"Self::En | Self::PtBr => "Name","#));
}

#[test]
fn a_translation_that_does_not_match_is_refused_with_file_and_line() {
    let cases = [
        (GERMAN.replace("late", "spät"), "de.ftl:2: Expected"),
        (GERMAN.replace("late = Das hat zu lange gedauert\n", ""), "en.ftl:3: `late` is missing in de.ftl"),
        (format!("{GERMAN}more = Mehr\n"), "de.ftl:4: `more` is not in en.ftl"),
        (GERMAN.replace("{ $app }", "Die App"), "de.ftl:3: `title` lacks $app"),
        (GERMAN.replace("$app", "$name"), "de.ftl:3: `title` lacks $app"),
        (GERMAN.replace("$app", "$name"), "de.ftl:3: `title` has no $name in en.ftl"),
        (GERMAN.replace("Zurück", "Zurück zu { $app }"), "de.ftl:1: `back` has no $app in en.ftl"),
        (format!("{GERMAN}back = Noch einmal\n"), "de.ftl:4: `back` is there twice"),
        (
            GERMAN.replace("Notion", "{ -product }"),
            "de.ftl:3: `title` has the term -product, which is not in this file",
        ),
    ];
    for (german, expected) in cases {
        let found = mistakes(ENGLISH, Some(&german));
        assert!(found.contains(expected), "{german}\n{found}");
    }
    assert_eq!(mistakes(ENGLISH, Some(GERMAN)), "");
}

#[test]
fn what_is_not_supported_is_refused_with_file_and_line() {
    let cases = [
        ("a = {", "en.ftl:1: Expected"),
        ("# x\n\na-B = x", "en.ftl:3: `a-B` must be of lower-case letters"),
        ("a_b = x", "en.ftl:1: `a_b` must be of lower-case letters"),
        ("a--b = x", "en.ftl:1: `a--b` must be of lower-case letters"),
        ("a = x\n    .b = y", "en.ftl:1: `a` has an attribute"),
        ("a =\n    .b = y", "en.ftl:1: `a` has no text"),
        ("a = x\n    y", "en.ftl:1: `a` has more than one line"),
        ("b = x\na = { $n ->\n    *[other] x\n}", "en.ftl:2: `a` has a selector"),
        ("a = { NUMBER($n) }", "en.ftl:1: `a` calls a function"),
        ("a = { b }\nb = x", "en.ftl:1: `a` has another message in it"),
        ("a = { \"x\" }", "en.ftl:1: `a` has a literal"),
        ("a = { 1 }", "en.ftl:1: `a` has a literal"),
        ("a = { { $n } }", "en.ftl:1: `a` has braces within braces"),
        ("a = { $aB }", "en.ftl:1: `a` has a variable that is not of lower-case letters"),
        ("-t = x\na = { -t(case: \"y\") }", "en.ftl:2: `a` has a term with an argument"),
        ("-t = x { $n }\na = { -t }", "en.ftl:1: the term -t must be text alone"),
        ("-t = x\n-t = y\na = { -t }", "en.ftl:2: the term -t is there twice"),
        ("a = x\n-t = y", "en.ftl:2: the term -t is not used"),
    ];
    for (english, expected) in cases {
        let found = mistakes(english, None);
        assert!(found.contains(expected), "{english}\n{found}");
    }
}

/// Compiles the code with a program that uses messages as `usage` does, and gives the compiler's complaints.
fn compile(case: &str, usage: &str) -> Result<(), String> {
    let code = generate(source("en", "en.ftl", ENGLISH), &[source("de", "de.ftl", GERMAN)]).unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{case}.rs"));
    let language = "pub enum Language { En, De }";
    let program = format!("pub fn usage(language: Language) -> String {{ {usage} }}");
    let texts = format!("#[deny(dead_code)] mod texts {{ use super::Language; {code} }}");
    std::fs::write(&file, format!("{language}\n{program}\n{texts}")).unwrap();
    let output = Command::new(option_env!("RUSTC").unwrap_or("rustc"))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir"])
        .arg(folder)
        .arg(&file)
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn the_compiler_refuses_a_message_that_nobody_uses_and_an_argument_that_is_missing() {
    assert_eq!(
        compile(
            "all_used",
            "[language.title(\"x\").as_str(), Language::En.back(), Language::De.late()].concat()"
        ),
        Ok(())
    );
    let unused = compile(
        "unused",
        "[language.title(\"x\").as_str(), Language::En.back(), Language::De.back()].concat()",
    )
    .unwrap_err();
    assert!(unused.contains("method `late` is never used") && unused.contains("// en.ftl:3"), "{unused}");
    let argument =
        compile("argument", "[language.title().as_str(), Language::En.back(), Language::De.late()].concat()")
            .unwrap_err();
    assert!(argument.contains("this method takes 1 argument"), "{argument}");
}
