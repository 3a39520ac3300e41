//! Blocks to Markdown.

use serde_json::Value;

use super::inline;

/// A block that can be written as Markdown.
pub(crate) struct Writable {
    pub(crate) kind: String,
    pub(crate) content: Value,
    pub(crate) children: Vec<Writable>,
}

/// The Markdown of blocks. Each block is one line, apart from code, tables and quotes of several lines.
pub(crate) fn write(blocks: &[Writable]) -> String {
    let mut lines = Vec::new();
    level(blocks, 0, &mut lines);
    lines.join("\n")
}

fn level(blocks: &[Writable], depth: usize, lines: &mut Vec<String>) {
    let indent = "\t".repeat(depth);
    let mut number = 0;
    for block in blocks {
        number = if block.kind == "numbered_list_item" { number + 1 } else { 0 };
        if block.kind == "table" {
            lines.extend(table(block).into_iter().map(|line| format!("{indent}{line}")));
            continue;
        }
        lines.extend(text(block, number).lines().map(|line| format!("{indent}{line}")));
        level(&block.children, depth + 1, lines);
    }
}

fn text(block: &Writable, number: usize) -> String {
    let content = &block.content;
    let rich = || inline::write(&content["rich_text"]).replace('\n', "<br>");
    match block.kind.as_str() {
        "heading_1" => format!("# {}", rich()),
        "heading_2" => format!("## {}", rich()),
        "heading_3" => format!("### {}", rich()),
        "heading_4" => format!("#### {}", rich()),
        "bulleted_list_item" | "toggle" => format!("- {}", rich()),
        "numbered_list_item" => format!("{number}. {}", rich()),
        "to_do" => format!("- [{}] {}", if content["checked"] == true { "x" } else { " " }, rich()),
        "quote" | "callout" => {
            let quoted = inline::write(&content["rich_text"]);
            quoted.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
        }
        "code" => {
            let code = crate::content::rich_text::plain(&content["rich_text"]);
            let language = content["language"].as_str().unwrap_or_default();
            format!("```{language}\n{code}\n```")
        }
        "divider" => "---".to_owned(),
        "image" => {
            let url = content["external"]["url"].as_str().unwrap_or_default();
            format!("![{}]({url})", crate::content::rich_text::plain(&content["caption"]))
        }
        "embed" | "bookmark" => {
            let url = content["url"].as_str().unwrap_or_default();
            format!("[{url}]({url})")
        }
        "child_page" | "child_database" => {
            let tag = if block.kind == "child_page" { "page" } else { "database" };
            let part = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
            format!("<{tag} url=\"{}\">{}</{tag}>", part("url"), part("title"))
        }
        "paragraph" => beginning_escaped(&rich()),
        // Kinds without a form of their own.
        other => format!("<unknown type=\"{other}\"/>"),
    }
}

/// A paragraph that would be read as something else gets a backslash.
fn beginning_escaped(text: &str) -> String {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    if digits > 0 && text[digits..].starts_with(['.', ')']) {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    let begins = ["# ", "## ", "### ", "#### ", "- ", "+ ", ">", "|"];
    let is_mark = begins.iter().any(|mark| text.starts_with(mark)) || text == "---" || text == "___";
    if is_mark { format!("\\{text}") } else { text.to_owned() }
}

fn table(block: &Writable) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, row) in block.children.iter().enumerate() {
        let cells = row.content["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
        let written: Vec<_> =
            cells.iter().map(|cell| inline::write(cell).replace('|', "\\|").replace('\n', "<br>")).collect();
        lines.push(format!("| {} |", written.join(" | ")));
        if at == 0 {
            lines.push(format!("|{}", " --- |".repeat(cells.len())));
        }
    }
    lines
}
