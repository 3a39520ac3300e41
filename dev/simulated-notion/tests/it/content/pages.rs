//! Pages: making, reading, changing.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, ROADMAP};

use crate::content::app::{App, id_of, text, titled};

#[tokio::test]
async fn a_page_at_the_top_belongs_to_the_person_and_has_every_field() {
    let app = App::start().await;
    let made =
        app.make("pages", json!({ "properties": titled("Start here"), "icon": { "emoji": "🧪" } })).await;
    let id = id_of(&made);
    let bot = app.bench.notion.grants()[0].bot_id.clone();
    let title = json!([{
        "type": "text",
        "text": { "content": "Start here", "link": null },
        "annotations": {
            "bold": false, "italic": false, "strikethrough": false, "underline": false, "code": false,
            "color": "default",
        },
        "plain_text": "Start here",
        "href": null,
    }]);
    let expected = json!({
        "object": "page",
        "id": id,
        "created_time": "2024-09-28T20:07:00.000Z",
        "last_edited_time": "2024-09-28T20:07:00.000Z",
        "created_by": { "object": "user", "id": bot },
        "last_edited_by": { "object": "user", "id": bot },
        "parent": { "type": "workspace", "workspace": true },
        "in_trash": false,
        "is_archived": false,
        "is_locked": false,
        "url": format!("https://www.notion.so/Start-here-{}", id.replace('-', "")),
        "public_url": null,
        "properties": { "title": { "id": "title", "type": "title", "title": title } },
        "icon": { "type": "emoji", "emoji": "🧪" },
        "cover": null,
        "request_id": made["request_id"],
    });
    assert_eq!(made, expected);
    for given in [id.clone(), id.replace('-', "")] {
        let mut read = app.get(&format!("pages/{given}")).await.json();
        read["request_id"] = made["request_id"].clone();
        assert_eq!(read, expected);
    }
    let content = app.bench.notion.content(ACME);
    assert_eq!(content.find(&id).unwrap().private_to, [ADA]);
    assert_eq!(content.find(&id).unwrap().created_by, bot);
}

#[tokio::test]
async fn markdown_becomes_blocks_and_reads_back() {
    let app = App::start().await;
    let markdown = "# Welcome\nHello **you**, see [this](https://example.org).\n## Next\n- one\n\t- two\n- [x] done\n\
                    > quoted\n---\n```rust\nfn main() {}\n```\n| a | b |\n| --- | --- |\n| 1 | 2 |";
    let page = app.make("pages", json!({ "markdown": markdown })).await;
    assert_eq!(page["properties"]["title"]["title"][0]["plain_text"], "Welcome");
    let id = id_of(&page);
    let read = app.get(&format!("pages/{id}/markdown")).await.json();
    assert_eq!(read["markdown"], markdown.strip_prefix("# Welcome\n").unwrap());
    let children = app.get(&format!("blocks/{id}/children")).await.json();
    let kinds: Vec<_> = children["results"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    let expected =
        ["paragraph", "heading_2", "bulleted_list_item", "to_do", "quote", "divider", "code", "table"];
    assert_eq!(kinds, expected);
    assert_eq!(children["results"][0]["paragraph"]["rich_text"][1]["annotations"]["bold"], true);
    assert_eq!(children["results"][2]["has_children"], true);
    assert_eq!(children["results"][3]["to_do"]["checked"], true);
    assert_eq!(children["results"][0]["parent"], json!({ "type": "page_id", "page_id": id }));
}

#[tokio::test]
async fn a_child_is_among_the_blocks_of_its_parent() {
    let app = App::start().await;
    let below = json!({ "type": "page_id", "page_id": ROADMAP });
    let page = app.make("pages", json!({ "parent": below, "properties": titled("Child") })).await;
    let database = app.make("databases", json!({ "parent": below, "title": text("Table") })).await;
    let first = app
        .make(
            "pages",
            json!({ "parent": below, "properties": titled("First"), "position": { "type": "page_start" } }),
        )
        .await;
    let children = app.get(&format!("blocks/{ROADMAP}/children")).await.json()["results"].clone();
    let shown: Vec<Value> = children
        .as_array()
        .unwrap()
        .iter()
        .map(|block| json!([block["type"], block["id"], block[block["type"].as_str().unwrap()]["title"]]))
        .collect();
    let expected = [
        json!(["child_page", first["id"], "First"]),
        json!(["child_page", page["id"], "Child"]),
        json!(["child_database", database["id"], "Table"]),
    ];
    assert_eq!(shown, expected);
}
