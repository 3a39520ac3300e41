//! Views: making, listing, changing, deleting.

use serde_json::{Value, json};
use simulated_notion::ROADMAP;

use crate::content::app::{App, Tasks, id_of};

fn view(tasks: &Tasks, more: &Value) -> Value {
    let mut body = json!({
        "data_source_id": tasks.source, "database_id": tasks.database, "name": "View", "type": "table",
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn board_by(tasks: &Tasks, property: &str, kind: &str) -> Value {
    json!({ "type": "board", "configuration": { "type": "board", "group_by": {
        "type": kind, "property_id": tasks.id(property), "group_by": "option", "sort": { "type": "manual" },
    } } })
}

#[tokio::test]
async fn a_board_groups_by_a_property_and_is_a_tab() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let board = app.make("views", view(&tasks, &board_by(&tasks, "Status", "status"))).await;
    let expected = json!({ "type": "database_id", "database_id": tasks.database });
    assert_eq!(
        (&board["object"], &board["type"], &board["parent"]),
        (&json!("view"), &json!("board"), &expected)
    );
    let url = format!(
        "https://www.notion.so/Tasks-{}?v={}",
        tasks.database.replace('-', ""),
        id_of(&board).replace('-', "")
    );
    assert_eq!(board["url"], url);
    let first = app.make("views", view(&tasks, &json!({ "position": { "type": "start" } }))).await;
    let after = json!({ "position": { "type": "after_view", "view_id": first["id"] } });
    let second = app.make("views", view(&tasks, &after)).await;
    let list = app.get(&format!("views?database_id={}", tasks.database)).await.json();
    let ids: Vec<_> = list["results"].as_array().unwrap().iter().map(|view| view["id"].clone()).collect();
    assert_eq!(ids[0], first["id"]);
    assert_eq!(ids[1], second["id"]);
    assert_eq!(ids[3], board["id"]);
    assert_eq!(list["type"], "view");
    let of_source = app.get(&format!("views?data_source_id={}", tasks.source)).await.json();
    assert_eq!(of_source["results"], list["results"]);
    assert_eq!(app.get("views").await.status, 400);
}

#[tokio::test]
async fn a_view_is_checked() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let mut by_name = board_by(&tasks, "Status", "status");
    by_name["configuration"]["group_by"]["property_id"] = "Status".into();
    let calendar = |property: &str| {
        json!({
            "type": "calendar", "configuration": { "type": "calendar", "date_property_id": tasks.id(property) },
        })
    };
    let cases = [
        (board_by(&tasks, "Kind", "select"), 200),
        (board_by(&tasks, "Who", "person"), 200),
        (board_by(&tasks, "Done", "checkbox"), 200),
        (board_by(&tasks, "Status", "select"), 400),
        (by_name, 400),
        (json!({ "type": "board" }), 400),
        (json!({ "type": "board", "configuration": { "type": "board" } }), 400),
        (json!({ "type": "board", "configuration": { "type": "table" } }), 400),
        (calendar("Due"), 200),
        (calendar("Kind"), 400),
        (json!({ "type": "calendar" }), 400),
        (json!({ "type": "poster" }), 400),
        (json!({ "database_id": null }), 400),
        (json!({ "view_id": ROADMAP }), 400),
        (json!({ "database_id": ROADMAP }), 404),
        (json!({ "filter": { "property": "Nope", "checkbox": { "equals": true } } }), 400),
        (json!({ "filter": { "property": "Done", "checkbox": { "equals": true } } }), 200),
        (json!({ "sorts": [{ "property": "Due", "direction": "up" }] }), 400),
        (json!({ "sorts": [{ "property": "Due", "direction": "ascending" }] }), 200),
        (json!({ "quick_filters": { "Nope": {} } }), 400),
        (json!({ "position": { "type": "after_view", "view_id": ROADMAP } }), 400),
    ];
    for (more, status) in cases {
        let answer = app.post("views", view(&tasks, &more)).await;
        assert_eq!(answer.status, status, "{more}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_view_may_come_with_a_linked_database_or_in_a_dashboard() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let linked = json!({
        "database_id": null, "create_database": { "parent": { "type": "page_id", "page_id": ROADMAP } },
    });
    let linked = app.make("views", view(&tasks, &linked)).await;
    let children = app.get(&format!("blocks/{ROADMAP}/children")).await.json();
    assert_eq!(children["results"][0]["id"], linked["parent"]["database_id"]);
    let dashboard = app.make("views", view(&tasks, &json!({ "type": "dashboard" }))).await;
    assert_eq!(dashboard["data_source_id"], Value::Null);
    let widget = view(&tasks, &json!({ "database_id": null, "view_id": dashboard["id"] }));
    let widget = app.make("views", widget).await;
    assert_eq!(widget["dashboard_view_id"], dashboard["id"]);
}

#[tokio::test]
async fn a_view_is_changed_and_deleted_but_not_the_last() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let made = id_of(&app.make("views", view(&tasks, &json!({}))).await);
    let path = format!("views/{made}");
    let changed = app
        .patch(&path, json!({ "name": "Other", "sorts": [{ "property": "Due", "direction": "descending" }] }))
        .await;
    assert_eq!(changed.json()["name"], "Other");
    assert_eq!(app.patch(&path, json!({ "configuration": { "type": "board" } })).await.status, 400);
    assert_eq!(app.delete(&path).await.json()["id"], made.as_str());
    assert_eq!(app.get(&path).await.status, 404);
    let list = app.get(&format!("views?database_id={}", tasks.database)).await.json();
    assert_eq!(app.delete(&format!("views/{}", id_of(&list["results"][0]))).await.status, 400);
}
