use super::*;
use crate::content::new_blocks::NewBlock;
use crate::content::rich_text::plain;

fn writable(block: NewBlock) -> Writable {
    Writable {
        kind: block.kind,
        content: block.content,
        children: block.children.into_iter().map(writable).collect(),
    }
}

fn rewritten(markdown: &str) -> String {
    write(&parse(markdown).into_iter().map(writable).collect::<Vec<_>>())
}

/// Kinds and texts, children in parentheses.
fn outline(blocks: &[NewBlock]) -> String {
    let each = blocks.iter().map(|block| {
        let inside =
            if block.children.is_empty() { String::new() } else { format!("({})", outline(&block.children)) };
        format!("{}:{}{inside}", block.kind, plain(&block.content["rich_text"]))
    });
    each.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_line_becomes_a_block_of_its_kind() {
    let cases = [
        ("# A", "heading_1:A"),
        ("#### A", "heading_4:A"),
        ("##### A", "paragraph:##### A"),
        ("one\ntwo\n\nthree", "paragraph:one paragraph:two paragraph:three"),
        ("- a\n* b\n+ c", "bulleted_list_item:a bulleted_list_item:b bulleted_list_item:c"),
        ("1. a\n2) b", "numbered_list_item:a numbered_list_item:b"),
        ("- [ ] a\n- [x] b", "to_do:a to_do:b"),
        ("> a\n> b", "quote:a\nb"),
        ("---", "divider:"),
        ("```rust\nlet a = 1;\n  # b\n```", "code:let a = 1;\n  # b"),
        ("```\nnot closed", "code:not closed"),
        (
            "- a\n\t- b\n\t\t- c\n- d",
            "bulleted_list_item:a(bulleted_list_item:b(bulleted_list_item:c)) bulleted_list_item:d",
        ),
        ("1. a\n   - b\n2. c", "numbered_list_item:a(bulleted_list_item:b) numbered_list_item:c"),
        ("| a | b |\n|---|---|\n| 1 |", "table:(table_row: table_row:)"),
        ("| only one line |", "paragraph:| only one line |"),
        ("![a](https://example.org/a.png)", "image:"),
        (
            "<page url=\"https://example.org\">A</page>",
            "paragraph:<page url=\"https://example.org\">A</page>",
        ),
    ];
    for (markdown, expected) in cases {
        assert_eq!(outline(&parse(markdown)), expected, "{markdown}");
    }
}

#[test]
fn styles_and_links_are_read() {
    let block =
        &parse("a **b *c* d** `e*` [f **g**](https://example.org/h) snake_case \\*i\\* 2 * 3 _j_ ~~k~~")[0];
    let items = block.content["rich_text"].as_array().unwrap();
    let described: Vec<_> = items
        .iter()
        .map(|item| {
            let styles: Vec<_> = ["bold", "italic", "code", "strikethrough"]
                .into_iter()
                .filter(|style| item["annotations"][*style] == true)
                .chain(item["href"].as_str())
                .collect();
            (item["plain_text"].as_str().unwrap(), styles.join("+"))
        })
        .collect();
    let expected = [
        ("a ", ""),
        ("b ", "bold"),
        ("c", "bold+italic"),
        (" d", "bold"),
        (" ", ""),
        ("e*", "code"),
        (" ", ""),
        ("f ", "https://example.org/h"),
        ("g", "bold+https://example.org/h"),
        (" snake_case *i* 2 * 3 ", ""),
        ("j", "italic"),
        (" ", ""),
        ("k", "strikethrough"),
    ];
    assert_eq!(described, expected.map(|(text, style)| (text, style.to_owned())));
}

#[test]
fn what_was_written_reads_the_same() {
    let texts = [
        "# A\n## B\n### C\n#### D\ntext **bold** *italic* `code` ~~struck~~ [link](https://example.org)",
        "- a\n\t- b\n\t\t1. c\n- [ ] d\n\t- [x] e",
        "> a\n> b\n---\n```rust\nfn main() {}\n```",
        "| a | b |\n| --- | --- |\n| **1** | 2 |",
        "\\# not a heading\n1\\. not a list\n\\- not a list",
        "a \\* b \\[c\\] snake_case \\_d\\_ {braces} \\<b>html\\</b> שלום 🧪",
    ];
    for text in texts {
        let once = rewritten(text);
        assert_eq!(once, text);
        assert_eq!(parse(&once), parse(text), "{text}");
    }
}

#[test]
fn the_first_heading_becomes_the_title() {
    let (title, rest) = heading_as_title("before\n# The **title**\nafter\n# Second").unwrap();
    assert_eq!(plain(&title), "The title");
    assert_eq!(rest, "before\nafter\n# Second");
    assert_eq!(heading_as_title("```\n# code\n```\n## second level"), None);
}

#[test]
fn hostile_text_is_only_text() {
    for text in [
        "**",
        "*",
        "`",
        "[",
        "[](",
        "[a]()",
        "**a",
        "_",
        "\\",
        "~~~~",
        "***a***",
        "``",
        "|",
        "|\n|-|",
        ">",
        "🧪*🧪*",
    ] {
        let _ = rewritten(text);
    }
    assert_eq!(outline(&parse("**a")), "paragraph:**a");
}
