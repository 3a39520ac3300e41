//! Search by title.

use serde_json::{Value, json};
use simulated_notion::{MEETING_NOTES, ROADMAP};

use crate::content::app::{App, titled};

async fn found(app: &App, body: Value) -> Vec<String> {
    let answer = app.post("search", body.clone()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    let answer = answer.json();
    assert_eq!((&answer["object"], &answer["type"]), (&json!("list"), &json!("page_or_data_source")));
    let title = |found: &Value| {
        let title = if found["object"] == "page" {
            let properties = found["properties"].as_object().unwrap();
            properties.values().find(|value| value["type"] == "title").unwrap()["title"].clone()
        } else {
            found["title"].clone()
        };
        title[0]["plain_text"].as_str().unwrap().to_owned()
    };
    answer["results"].as_array().unwrap().iter().map(title).collect()
}

#[tokio::test]
async fn search_lists_what_the_bot_sees_newest_edit_first() {
    let app = App::start().await;
    app.bench.advance_secs(60);
    let tasks = app.tasks().await;
    app.bench.advance_secs(60);
    app.row(&tasks, "A task row", json!({})).await;
    app.bench.advance_secs(60);
    let body = json!({ "parent": { "page_id": ROADMAP }, "properties": titled("Task below") });
    app.make("pages", body).await;
    assert_eq!(found(&app, json!({})).await, ["Task below", "A task row", "Tasks", "Roadmap"]);
    assert_eq!(found(&app, json!({ "query": "TASK" })).await, ["Task below", "A task row", "Tasks"]);
    let filter = |value: &str| json!({ "filter": { "property": "object", "value": value } });
    assert_eq!(found(&app, filter("data_source")).await, ["Tasks"]);
    assert_eq!(found(&app, filter("page")).await, ["Task below", "A task row", "Roadmap"]);
    let ascending =
        json!({ "sort": { "timestamp": "last_edited_time", "direction": "ascending" }, "query": "task" });
    assert_eq!(found(&app, ascending).await, ["Tasks", "A task row", "Task below"]);
    assert!(!app.post("search", json!({})).await.body.contains(MEETING_NOTES));
}

#[tokio::test]
async fn what_is_in_the_trash_is_listed_only_if_asked_for() {
    let app = App::start().await;
    let kept = app.page("Kept").await;
    let trashed = app.page("Trashed").await;
    app.bench.notion.delete(&trashed);
    assert!(found(&app, json!({ "query": "ed" })).await.is_empty());
    assert_eq!(found(&app, json!({ "query": "kept" })).await, ["Kept"]);
    assert_eq!(found(&app, json!({ "filter": { "in_trash": true } })).await, ["Trashed"]);
    app.bench.notion.delete(&kept);
    app.bench.notion.restore(&trashed);
    assert_eq!(found(&app, json!({ "query": "trashed" })).await, ["Trashed"]);
}

#[tokio::test]
async fn search_answers_in_pages_and_refuses_what_it_does_not_know() {
    let app = App::start().await;
    for n in 0..3 {
        app.page(&format!("Page {n}")).await;
    }
    let first = app.post("search", json!({ "query": "page", "page_size": 2 })).await.json();
    assert_eq!(first["has_more"], true);
    let rest = json!({ "query": "page", "page_size": 2, "start_cursor": first["next_cursor"] });
    assert_eq!(found(&app, rest).await.len(), 1);
    for wrong in [
        json!({ "filter": { "property": "object", "value": "database" } }),
        json!({ "filter": {} }),
        json!({ "sort": { "timestamp": "created_time", "direction": "ascending" } }),
        json!({ "unknown": 1 }),
    ] {
        assert_eq!(app.post("search", wrong.clone()).await.status, 400, "{wrong}");
    }
}
