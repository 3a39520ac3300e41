//! The workspace in a browser.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, GLOBEX, MEETING_NOTES, ROADMAP};

use crate::browser::{Answer, send};
use crate::content::app::{App, id_of, text, titled};

async fn open(app: &App, path: &str) -> Answer {
    app.bench.get(path, &[]).await
}

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

#[tokio::test]
async fn the_sidebar_has_sections_and_the_tree() {
    let app = App::start().await;
    let top = app.page("Top").await;
    let below =
        app.make("pages", json!({ "parent": { "page_id": top }, "properties": titled("Below") })).await;
    app.bench.notion.delete(MEETING_NOTES);
    let page = open(&app, &format!("/workspace/{ACME}")).await;
    assert_eq!(page.status, 200);
    let shared = between(&page.body, "Shared</h2>", "<h2");
    assert!(
        shared.contains(ROADMAP) && !shared.contains(&top) && !shared.contains(MEETING_NOTES),
        "{shared}"
    );
    let ada = between(&page.body, "Private: Ada</h2>", "<h2");
    assert!(ada.contains(&top) && ada.contains(&id_of(&below)), "{ada}");
    let grace = between(&page.body, "Private: Grace</h2>", "<h2");
    assert!(!grace.contains(&top), "{grace}");
    assert!(between(&page.body, "Trash</h2>", "</nav>").contains(MEETING_NOTES));
    assert!(open(&app, "/control").await.body.contains(&format!("href=\"/workspace/{ACME}\"")));
}

#[tokio::test]
async fn a_page_shows_its_blocks() {
    let app = App::start().await;
    let markdown = "# Welcome\nHello **you**, see [this](https://example.org/a?b=c&d).\n## Next\n- one\n\t- two\n- [x] done\n1. first\n> quoted\n---\n\
                    ```rust\nfn main() {}\n```\n| a | b |\n| --- | --- |\n| 1 | 2 |";
    let body = json!({
        "markdown": markdown, "icon": { "emoji": "👋" }, "cover": { "external": { "url": "https://example.org/c.png" } },
    });
    let id = id_of(&app.make("pages", body).await);
    let page = open(&app, &format!("/workspace/{ACME}/{id}")).await;
    for expected in [
        "<h1 id=\"title\" dir=\"auto\">Welcome</h1>",
        "👋",
        "href=\"https://example.org/c.png\"",
        "<p dir=\"auto\">Hello <span class=\"bold\">you</span>, see <a class=\"\" href=\"https://example.org/a?b=c&#38;d\" rel=\"noreferrer\">this</a>.</p>",
        "<h3 dir=\"auto\">Next</h3>",
        "<ul><li dir=\"auto\">one<ul><li dir=\"auto\">two</li></ul>",
        "<s>done</s>",
        "<ol><li dir=\"auto\">first</li></ol>",
        "<blockquote dir=\"auto\">quoted</blockquote>",
        "<hr>",
        "<pre><code>fn main() {}</code></pre>",
        "<th scope=\"col\" dir=\"auto\">a</th>",
        "<td dir=\"auto\">2</td>",
        "Made by Demo connection",
    ] {
        assert!(page.body.contains(expected), "{expected} is missing in {}", page.body);
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!page.body.contains("<script"));
}

#[tokio::test]
async fn a_database_shows_its_views() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let done = json!({ "Status": { "status": { "name": "Done" } }, "Points": { "number": 3 } });
    let row = app.row(&tasks, "Finished", done).await;
    app.row(&tasks, "Open", json!({ "Kind": { "select": { "name": "Bug" } } })).await;
    let board = json!({
        "database_id": tasks.database, "data_source_id": tasks.source, "name": "By status", "type": "board",
        "configuration": { "type": "board", "group_by": {
            "type": "status", "group_by": "option", "property_id": tasks.id("Status"), "sort": { "type": "manual" },
        } },
    });
    let board = app.make("views", board).await;
    let filtered = json!({
        "database_id": tasks.database, "data_source_id": tasks.source, "name": "Bugs", "type": "list",
        "filter": { "property": "Kind", "select": { "equals": "Bug" } },
    });
    let filtered = app.make("views", filtered).await;
    let path = format!("/workspace/{ACME}/{}", tasks.database);
    let table = open(&app, &path).await.body;
    assert!(table.contains("<th scope=\"col\" dir=\"auto\">Points</th>"), "{table}");
    let first_row = between(&table, "<tbody>", "</tr>");
    assert!(first_row.contains(&format!("href=\"/workspace/{ACME}/{}\"", id_of(&row))), "{first_row}");
    assert!(
        first_row.contains(">3</td>")
            && first_row.contains("<span class=\"chip green\" dir=\"auto\">Done</span>")
    );
    assert!(table.contains("Default view") && table.contains("By status") && table.contains("Bugs"));
    let drawn = open(&app, &format!("{path}?view={}", id_of(&board))).await.body;
    let columns: Vec<_> = drawn.split("<section>").skip(1).collect();
    assert_eq!(columns.len(), 4, "no status, and each option");
    assert!(columns[0].contains("No Status") && columns[0].contains("Open"));
    assert!(columns[3].contains("Done") && columns[3].contains("Finished"));
    let listed = open(&app, &format!("{path}?view={}", id_of(&filtered))).await.body;
    let rows = between(&listed, "<ul class=\"rows\">", "</ul>");
    assert!(rows.contains("Open") && !rows.contains("Finished"), "{rows}");
    let row_page = open(&app, &format!("/workspace/{ACME}/{}", id_of(&row))).await.body;
    let properties = between(&row_page, "<dl id=\"properties\">", "</dl>");
    assert!(
        properties.contains("<dt dir=\"auto\">Status</dt>") && properties.contains("Done"),
        "{properties}"
    );
}

#[tokio::test]
async fn hostile_content_is_only_text() {
    let app = App::start().await;
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "{{ title }} {% raw %}",
        "[x](javascript:alert(1))",
        "שלום 🧪 &amp; ' \"",
        "</title><b>",
    ];
    for title in hostile {
        let markdown = format!("{title}\n- {title}\n```\n{title}\n```\n> {title}");
        let body = json!({ "properties": titled(title), "markdown": markdown, "icon": { "emoji": title } });
        let page = id_of(&app.make("pages", body).await);
        let database = json!({
            "parent": { "type": "page_id", "page_id": page }, "title": text(title), "description": text(title),
            "initial_data_source": { "properties": { title: { "title": {} }, "S": { "rich_text": {} }, "U": { "url": {} } } },
        });
        let database = app.make("databases", database).await;
        let row = json!({
            "parent": { "data_source_id": database["data_sources"][0]["id"] },
            "properties": {
                title: { "title": text(title) }, "S": { "rich_text": text(title) }, "U": { "url": "javascript:alert(1)" },
            },
        });
        let row = id_of(&app.make("pages", row).await);
        app.bench.notion.rename(&page, title);
        for id in [&page, &id_of(&database), &row] {
            let shown = open(&app, &format!("/workspace/{ACME}/{id}")).await;
            assert_eq!(shown.status, 200);
            for forbidden in ["<script", "<img", "</title><b>", "href=\"javascript:"] {
                assert!(!shown.body.contains(forbidden), "{forbidden} in {}", shown.body);
            }
            let escaped = title
                .replace('&', "&#38;")
                .replace('<', "&#60;")
                .replace('>', "&#62;")
                .replace('"', "&#34;")
                .replace('\'', "&#39;");
            assert!(shown.body.contains(&escaped), "{escaped} is missing in {}", shown.body);
        }
    }
}

#[tokio::test]
async fn links_inside_notion_and_short_addresses_lead_to_the_page() {
    let app = App::start().await;
    let url = format!("https://www.notion.so/Roadmap-{}", ROADMAP.replace('-', ""));
    let id = id_of(&app.make("pages", json!({ "markdown": format!("[there]({url})") })).await);
    let local = format!("/workspace/{ACME}/{ROADMAP}");
    assert!(open(&app, &format!("/workspace/{ACME}/{id}")).await.body.contains(&format!("href=\"{local}\"")));
    for address in [
        format!("/{}", ROADMAP.replace('-', "")),
        format!("/Roadmap-{}", ROADMAP.replace('-', "")),
        format!("/{ROADMAP}"),
    ] {
        let answer = open(&app, &address).await;
        assert_eq!((answer.status, answer.location()), (302, local.as_str()), "{address}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_other_sites_are_refused() {
    let app = App::start().await;
    for path in [
        "/workspace/unknown".to_owned(),
        format!("/workspace/{ACME}/unknown"),
        format!("/workspace/{GLOBEX}/{ROADMAP}"),
        "/🧪".replace('🧪', "%F0%9F%A7%AA"),
        "/00000000000040008000000000000000".to_owned(),
    ] {
        assert_eq!(open(&app, &path).await.status, 404, "{path}");
    }
    let path = format!("/workspace/{ACME}");
    assert_eq!(app.bench.get(&path, &[("host", "rebound.example")]).await.status, 403);
    let foreign = [("origin", "http://localhost:3000"), ("content-type", "application/json")];
    let body = json!({ "id": ROADMAP, "action": "delete" }).to_string();
    assert_eq!(
        send(&app.bench.notion, "POST", "/control/content", &foreign, &body).await.unwrap().status,
        403
    );
    assert!(!app.bench.notion.content(ACME).find(ROADMAP).unwrap().in_trash);
}

#[tokio::test]
async fn a_page_says_that_it_is_deleted_or_unshared() {
    let app = App::start().await;
    let id = app.page("Page").await;
    app.bench.notion.delete(&id);
    app.bench.notion.unshare(&id);
    let page = open(&app, &format!("/workspace/{ACME}/{id}")).await.body;
    assert!(
        page.contains("id=\"in-trash\"")
            && page.contains("id=\"is-unshared\"")
            && page.contains("id=\"restore\"")
    );
    let content = app.bench.notion.content(ACME);
    assert_eq!(content.find(&id).unwrap().private_to, [ADA]);
    let summary = app.bench.get("/control", &[("accept", "application/json")]).await.json();
    assert_ne!(summary["settings"]["urls"], Value::Null);
}
