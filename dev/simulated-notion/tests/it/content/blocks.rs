//! Blocks: appending, reading, changing, deleting.

use serde_json::{Value, json};

use crate::content::app::{App, id_of, text};

fn paragraph(content: &str) -> Value {
    json!({ "type": "paragraph", "paragraph": { "rich_text": text(content) } })
}

async fn texts(app: &App, id: &str) -> Vec<String> {
    let children = app.get(&format!("blocks/{id}/children")).await.json();
    let text = |block: &Value| {
        let kind = block["type"].as_str().unwrap();
        block[kind]["rich_text"][0]["plain_text"].as_str().unwrap_or(kind).to_owned()
    };
    children["results"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn blocks_are_appended_where_the_request_says() {
    let app = App::start().await;
    let id = app.page("Page").await;
    let path = format!("blocks/{id}/children");
    let first = app.patch(&path, json!({ "children": [paragraph("b"), paragraph("d")] })).await.json();
    assert_eq!((&first["object"], &first["type"]), (&json!("list"), &json!("block")));
    let b = id_of(&first["results"][0]);
    app.patch(&path, json!({ "children": [paragraph("a")], "position": { "type": "start" } })).await;
    app.patch(&path, json!({ "children": [paragraph("c")], "position": { "type": "after_block", "after_block": { "id": b } } })).await;
    app.patch(&path, json!({ "children": [paragraph("e")], "position": { "type": "end" } })).await;
    app.patch(&path, json!({ "children": [paragraph("b2")], "after": b })).await;
    assert_eq!(texts(&app, &id).await, ["a", "b", "b2", "c", "d", "e"]);
    let wrong = json!({ "children": [paragraph("x")], "position": { "type": "after_block", "after_block": { "id": id } } });
    assert_eq!(app.patch(&path, wrong).await.status, 400);
}

#[tokio::test]
async fn blocks_of_every_kind_are_read_back_with_their_children() {
    let app = App::start().await;
    let id = app.page("Page").await;
    let children = json!([
        { "heading_2": { "rich_text": text("h"), "is_toggleable": true } },
        { "bulleted_list_item": { "rich_text": text("list"), "children": [
            { "to_do": { "rich_text": text("inner"), "checked": true, "children": [paragraph("innermost")] } },
        ] } },
        { "code": { "rich_text": text("x"), "language": "rust" } },
        { "callout": { "rich_text": text("note"), "icon": { "type": "emoji", "emoji": "💡" } } },
        { "bookmark": { "url": "https://example.org" } },
        { "image": { "external": { "url": "https://example.org/i.png" } } },
        { "table": { "table_width": 1, "children": [{ "table_row": { "cells": [text("cell")] } }] } },
        { "equation": { "expression": "e=mc^2" } },
        { "divider": {} },
    ]);
    let appended = app.patch(&format!("blocks/{id}/children"), json!({ "children": children })).await;
    assert_eq!(appended.status, 200, "{}", appended.body);
    let blocks = appended.json()["results"].clone();
    assert_eq!(blocks[0]["heading_2"]["is_toggleable"], true);
    assert_eq!(blocks[1]["has_children"], true);
    let inner = app.get(&format!("blocks/{}/children", id_of(&blocks[1]))).await.json();
    assert_eq!(inner["results"][0]["to_do"]["checked"], true);
    assert_eq!(inner["results"][0]["parent"], json!({ "type": "block_id", "block_id": blocks[1]["id"] }));
    assert_eq!(texts(&app, &id_of(&inner["results"][0])).await, ["innermost"]);
    assert_eq!(blocks[3]["callout"]["icon"]["emoji"], "💡");
    assert_eq!(blocks[4]["bookmark"]["url"], "https://example.org");
    assert_eq!(blocks[5]["image"]["type"], "external");
    let row = app.get(&format!("blocks/{}/children", id_of(&blocks[6]))).await.json();
    assert_eq!(row["results"][0]["table_row"]["cells"][0][0]["plain_text"], "cell");
    assert_eq!(
        app.patch(&format!("blocks/{}/children", id_of(&blocks[8])), json!({ "children": [paragraph("x")] }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_block_is_changed_and_deleted_and_a_page_is_a_block() {
    let app = App::start().await;
    let id = app.page("Page").await;
    let appended = app
        .patch(
            &format!("blocks/{id}/children"),
            json!({ "children": [paragraph("a"), { "to_do": { "rich_text": text("t") } }] }),
        )
        .await
        .json();
    let (a, to_do) = (id_of(&appended["results"][0]), id_of(&appended["results"][1]));
    let changed = app.patch(&format!("blocks/{to_do}"), json!({ "to_do": { "checked": true } })).await.json();
    assert_eq!(changed["to_do"]["checked"], true);
    assert_eq!(changed["to_do"]["rich_text"][0]["plain_text"], "t");
    assert_eq!(app.patch(&format!("blocks/{a}"), json!({ "to_do": { "checked": true } })).await.status, 400);
    let page = app.get(&format!("blocks/{id}")).await.json();
    assert_eq!((&page["type"], &page["child_page"]["title"]), (&json!("child_page"), &json!("Page")));
    assert_eq!(app.delete(&format!("blocks/{a}")).await.json()["in_trash"], true);
    assert_eq!(texts(&app, &id).await, ["t"]);
    assert_eq!(app.delete(&format!("blocks/{a}")).await.status, 400);
    assert_eq!(app.patch(&format!("blocks/{a}"), json!({ "in_trash": false })).await.status, 200);
    assert_eq!(texts(&app, &id).await, ["a", "t"]);
    app.delete(&format!("blocks/{id}")).await;
    assert_eq!(app.get(&format!("pages/{id}")).await.json()["in_trash"], true);
}

#[tokio::test]
async fn wrong_blocks_are_refused() {
    let app = App::start().await;
    let id = app.page("Page").await;
    let cases = [
        json!({ "unknown": {} }),
        json!({ "paragraph": {} }),
        json!({ "paragraph": { "rich_text": text("x") }, "quote": { "rich_text": [] } }),
        json!({ "type": "quote", "paragraph": { "rich_text": [] } }),
        json!({ "code": { "rich_text": [] } }),
        json!({ "image": {} }),
        json!({ "table": { "table_width": 0 } }),
        json!({ "to_do": { "rich_text": [], "checked": "yes" } }),
        json!({ "paragraph": { "rich_text": [{ "text": { "content": "x" }, "annotations": { "loud": true } }] } }),
    ];
    for block in cases {
        let answer = app.patch(&format!("blocks/{id}/children"), json!({ "children": [block] })).await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (400, json!("validation_error")),
            "{block}"
        );
    }
    assert!(texts(&app, &id).await.is_empty());
    assert_eq!(app.patch(&format!("blocks/{id}/children"), json!({})).await.status, 400);
}
