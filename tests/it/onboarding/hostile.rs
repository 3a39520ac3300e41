//! Names that want to be more than names: nothing breaks out of its place, and no limit is exceeded.

use serde_json::Value;
use simulated_notion::{ACME, ADA, Item};

use super::{notion, of_ada, recipe, settle, world};

fn names() -> Vec<String> {
    [
        "# Heading\n\n- [ ] todo",
        "**bold** _it_ ~~s~~ `code` $x$",
        "[link](https://evil.example) ![i](https://evil.example/i.png)",
        "<script>alert(1)</script><page url=\"https://evil.example\">x</page>",
        "{{person.name|x}} {{tasks.url}} {color=\"red\"}",
        "https://evil.example www.evil.example",
        "\u{202e}gnitirw\u{202c} \u{2066}x\u{0}\u{7f}",
        "שלום עולם مرحبا",
        "👩‍💻👨‍👩‍👧‍👦 🏳️‍🌈",
        "a | b | c\n| - | - |",
        "&lt;b&gt; &amp; \"quotes\" 'and' \\backslashes\\",
        "1. one\n2. two",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(["x".repeat(10_000), "👩".repeat(10_000), "*".repeat(10_000)])
    .collect()
}

/// What a value looks like where it stands: on one line, shortened, without what controls others.
fn shown(name: &str) -> String {
    let line: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(60).collect()
}

/// Everything that Notion would show as something else than text.
fn other_than_text(markdown: &str) -> usize {
    let is_special = |line: &&str| {
        let is_tag = line.match_indices('<').any(|(at, _)| !line[..at].ends_with('\\'));
        line.trim_start().starts_with(['#', '>']) || is_tag
    };
    markdown.lines().filter(is_special).count()
}

#[tokio::test]
async fn nothing_breaks_out_and_limits_are_kept() {
    let plain = prepared_for("Ada").await;
    for name in names() {
        let home = prepared_for(&name).await;
        // The page has as many blocks of each kind as with a plain name.
        let lines = |markdown: &str| markdown.lines().count();
        assert_eq!(lines(&home.markdown), lines(&plain.markdown), "{name:.40}\n{}", home.markdown);
        assert_eq!(
            other_than_text(&home.markdown),
            other_than_text(&plain.markdown),
            "{name:.40}\n{}",
            home.markdown
        );
        let is_link =
            home.markdown.match_indices("](http").any(|(at, _)| !home.markdown[..at].ends_with('\\'));
        assert!(!is_link && !home.markdown.contains('\u{202e}'), "{}", home.markdown);
    }
}

/// The landing page of a person of this name, in a workspace of this name.
async fn prepared_for(name: &str) -> Item {
    let world = world(recipe("tracker"), |options| {
        let acme = notion(options).workspaces.iter_mut().find(|workspace| workspace.id == ACME).unwrap();
        acme.name = Some(name.to_owned());
        let person = acme.people.iter_mut().find(|person| person.id == ADA).unwrap();
        person.name = Some(name.to_owned());
    })
    .await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    let onboarding = of_ada(&world).await;
    assert_eq!(onboarding["status"], "completed", "{name:.40}: {onboarding}");
    // Nothing of a name is in the ledger, or in what the app hears.
    let text = onboarding.to_string();
    assert!(name.len() < 4 || !text.contains(&shown(name)), "{text}");
    let content = world.notion().content(ACME);
    let row = content.rows.iter().find(|row| row.title.starts_with("Look around")).unwrap();
    let title: String = row.title.chars().filter(|c| !c.is_control()).collect();
    assert_eq!(title, row.title);
    assert!(row.title.encode_utf16().count() <= "Look around, ".len() + 200, "{}", row.title);
    assert!(matches!(row.properties, Value::Object(_)));
    content.titled("Sample app: start here")[0].clone()
}
