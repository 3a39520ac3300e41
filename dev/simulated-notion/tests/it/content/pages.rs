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

#[tokio::test]
async fn a_page_is_changed_and_moved_into_the_trash_and_out_of_it() {
    let app = App::start().await;
    let id = app.page("Old").await;
    app.bench.advance_secs(60);
    let path = format!("pages/{id}");
    let body = json!({ "properties": titled("New"), "cover": { "external": { "url": "https://example.org/c.png" } } });
    let changed = app.patch(&path, body).await.json();
    assert_eq!(changed["properties"]["title"]["title"][0]["plain_text"], "New");
    assert_eq!(changed["cover"]["external"]["url"], "https://example.org/c.png");
    assert_eq!(changed["created_time"], "2024-09-28T20:07:00.000Z");
    assert_eq!(changed["last_edited_time"], "2024-09-28T20:08:00.000Z");
    assert_eq!(app.patch(&path, json!({ "in_trash": true })).await.json()["in_trash"], true);
    assert_eq!(app.get(&path).await.json()["in_trash"], true, "it is still answered");
    let refused = app.patch(&path, json!({ "properties": titled("Newer") })).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("validation_error")));
    assert_eq!(app.patch(&path, json!({ "in_trash": false })).await.json()["in_trash"], false);
    assert_eq!(app.patch(&path, json!({ "icon": null, "is_locked": true })).await.json()["is_locked"], true);
}

#[tokio::test]
async fn content_is_given_in_one_way_only() {
    let app = App::start().await;
    let paragraph = json!({ "paragraph": { "rich_text": text("x") } });
    let cases = [
        json!({ "markdown": "x", "children": [paragraph] }),
        json!({ "markdown": "x", "template": { "type": "default" } }),
        json!({ "template": { "type": "default" } }),
        json!({ "allow_async": true }),
        json!({ "position": { "type": "page_end" } }),
        json!({ "parent": { "workspace": false } }),
        json!({ "parent": { "type": "page_id" } }),
        json!({ "parent": {} }),
        json!({ "properties": { "Unknown": { "title": [] } } }),
        json!({ "unknown": 1 }),
        json!([]),
    ];
    for body in cases {
        let answer = app.post("pages", body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (400, json!("validation_error")),
            "{body}"
        );
    }
    assert!(app.bench.notion.content(ACME).made_by(&app.bench.notion.grants()[0].bot_id).is_empty());
}

#[tokio::test]
async fn complaints_name_the_field() {
    let app = App::start().await;
    let cases = [
        (
            json!({ "unknown": 1 }),
            "body failed validation: body.unknown should be not present, instead was `1`.",
        ),
        (
            json!({ "properties": { "title": { "title": "x" } } }),
            "body failed validation: body.properties.title.title should be an array, instead was `\"x\"`.",
        ),
        (
            json!({ "properties": { "title": { "title": [{ "text": {} }] } } }),
            "body failed validation: body.properties.title.title[0].text.content should be defined, instead was \
             `undefined`.",
        ),
        (json!({ "properties": { "Name": { "title": [] } } }), "Name is not a property that exists."),
        (json!({ "properties": { "title": { "rich_text": [] } } }), "title is expected to be title."),
    ];
    for (body, message) in cases {
        assert_eq!(app.post("pages", body).await.json()["message"], message);
    }
    let authorization = format!("Bearer {}", app.token);
    let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
    let not_json = crate::browser::send(&app.bench.notion, "POST", "/v1/pages", &headers, "{").await.unwrap();
    assert_eq!((not_json.status, not_json.json()["code"].clone()), (400, json!("invalid_json")));
}

#[tokio::test]
async fn local_addresses_lead_to_the_workspace_view() {
    let app = App::with(|settings| settings.urls = simulated_notion::Urls::Local).await;
    let page = app.make("pages", json!({ "properties": titled("A") })).await;
    let expected = format!("{}/workspace/{ACME}/{}", app.bench.notion.base_url(), id_of(&page));
    assert_eq!(page["url"], expected);
}
