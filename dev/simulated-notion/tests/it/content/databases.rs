//! Databases: making, reading, changing, and what a schema may contain.

use serde_json::{Value, json};
use simulated_notion::ROADMAP;

use crate::content::app::{App, id_of, text};

fn with(properties: &Value) -> Value {
    json!({
        "parent": { "type": "page_id", "page_id": ROADMAP },
        "initial_data_source": { "properties": properties },
    })
}

#[tokio::test]
async fn a_database_has_one_data_source_and_one_table_view() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let database = app.get(&format!("databases/{}", tasks.database)).await.json();
    let fields: Vec<_> = database.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "object",
        "id",
        "title",
        "description",
        "parent",
        "is_inline",
        "in_trash",
        "is_locked",
        "created_time",
        "last_edited_time",
        "data_sources",
        "icon",
        "cover",
        "url",
        "public_url",
        "request_id",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected, "as in the SDK's type");
    assert_eq!(database["title"][0]["plain_text"], "Tasks");
    assert_eq!(database["parent"], json!({ "type": "workspace", "workspace": true }));
    assert_eq!(database["data_sources"], json!([{ "id": tasks.source, "name": "Tasks" }]));
    let url = format!("https://www.notion.so/Tasks-{}", tasks.database.replace('-', ""));
    assert_eq!(database["url"], url);
    let views = app.get(&format!("views?database_id={}", tasks.database)).await.json();
    assert_eq!(views["results"].as_array().unwrap().len(), 1);
    let view = app.get(&format!("views/{}", id_of(&views["results"][0]))).await.json();
    assert_eq!((&view["type"], &view["data_source_id"]), (&json!("table"), &json!(tasks.source)));
    assert_eq!(view["parent"], json!({ "type": "database_id", "database_id": tasks.database }));
}

#[tokio::test]
async fn a_schema_has_ids_types_and_options() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    assert_eq!(tasks.id("Task"), "title");
    assert_eq!(tasks.schema["Kind"]["select"]["options"][0]["name"], "Bug");
    assert_eq!(tasks.schema["Kind"]["select"]["options"][0]["color"], "red");
    assert_eq!(tasks.schema["Points"]["number"], json!({ "format": "number" }));
    let status = &tasks.schema["Status"]["status"];
    let names = |of: &Value| of.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&status["options"]), ["Not started", "In progress", "Done"]);
    assert_eq!(names(&status["groups"]), ["To-do", "In progress", "Complete"]);
    assert_eq!(status["groups"][2]["option_ids"], json!([status["options"][2]["id"]]));
    let source = app.get(&format!("data_sources/{}", tasks.source)).await.json();
    assert_eq!(source["parent"], json!({ "type": "database_id", "database_id": tasks.database }));
    assert_eq!(source["database_parent"], json!({ "type": "workspace", "workspace": true }));
}

#[tokio::test]
async fn a_schema_is_checked() {
    let app = App::start().await;
    let cases = [
        (json!({}), 400),
        (json!({ "A": { "title": {} }, "B": { "title": {} } }), 400),
        (json!({ "A": { "title": {} }, "B": { "unknown": {} } }), 400),
        (json!({ "A": { "title": {} }, "B": { "type": "number", "select": {} } }), 400),
        (json!({ "A": { "title": {} }, "B": { "select": { "options": [{ "name": "a,b" }] } } }), 400),
        (
            json!({ "A": { "title": {} }, "B": { "select": { "options": [{ "name": "a" }, { "name": "a" }] } } }),
            400,
        ),
        (
            json!({ "A": { "title": {} }, "B": { "select": { "options": [{ "name": "a", "color": "x" }] } } }),
            400,
        ),
        (json!({ "A": { "title": {} }, "B": { "relation": {} } }), 400),
        (json!({ "A": { "title": {} }, "B": { "relation": { "data_source_id": ROADMAP } } }), 404),
        (json!({ "A": { "title": {} } }), 200),
    ];
    for (properties, status) in cases {
        let answer = app.post("databases", with(&properties)).await;
        assert_eq!(answer.status, status, "{properties}: {}", answer.body);
    }
    let all = [
        "rich_text",
        "number",
        "select",
        "multi_select",
        "status",
        "date",
        "people",
        "files",
        "checkbox",
        "url",
        "email",
        "phone_number",
        "formula",
        "rollup",
        "unique_id",
        "created_time",
        "created_by",
        "last_edited_time",
        "last_edited_by",
        "button",
        "place",
        "verification",
    ];
    let mut properties = json!({ "Name": { "title": {} } });
    for kind in all {
        properties[kind] = json!({ kind: {}, "description": "d" });
    }
    let database = app.make("databases", with(&properties)).await;
    let source = app.get(&format!("data_sources/{}", id_of(&database["data_sources"][0]))).await.json();
    for kind in all {
        assert_eq!(source["properties"][kind]["type"], kind);
        assert_eq!(source["properties"][kind]["description"], "d");
    }
}

#[tokio::test]
async fn without_properties_there_is_a_title_and_a_relation_may_go_both_ways() {
    let app = App::start().await;
    let parent = json!({ "type": "page_id", "page_id": ROADMAP });
    let first = app.make("databases", json!({ "parent": parent })).await;
    let first = id_of(&first["data_sources"][0]);
    let relation = json!({ "relation": { "data_source_id": first, "dual_property": {} } });
    let second = with(&json!({ "Name": { "title": {} }, "First": relation }));
    let mut second = second;
    second["title"] = text("Second");
    let second = app.make("databases", second).await;
    let source = app.get(&format!("data_sources/{first}")).await.json();
    assert_eq!(source["properties"]["Name"]["type"], "title");
    let back = &source["properties"]["Related to Second (First)"]["relation"];
    assert_eq!(back["data_source_id"], second["data_sources"][0]["id"]);
    assert_eq!(back["dual_property"]["synced_property_name"], "First");
}

#[tokio::test]
async fn a_parent_is_needed() {
    let app = App::start().await;
    let cases = [
        (json!({}), "body failed validation: body.parent should be defined, instead was `undefined`."),
        (
            json!({ "parent": { "type": "data_source_id" } }),
            "body failed validation: body.parent.type should be `\"page_id\"` or `\"workspace\"`, instead was \
             `\"data_source_id\"`.",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(app.post("databases", body).await.json()["message"], message);
    }
}

#[tokio::test]
async fn a_database_is_changed_moved_and_deleted() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let path = format!("databases/{}", tasks.database);
    let body = json!({
        "title": text("Work"), "description": text("d"), "is_inline": true, "icon": { "emoji": "🧪" },
        "parent": { "type": "page_id", "page_id": ROADMAP },
    });
    let changed = app.patch(&path, body).await.json();
    assert_eq!(changed["title"][0]["plain_text"], "Work");
    assert_eq!(changed["parent"], json!({ "type": "page_id", "page_id": ROADMAP }));
    assert_eq!(changed["is_inline"], true);
    let children = app.get(&format!("blocks/{ROADMAP}/children")).await.json();
    assert_eq!(children["results"][0]["child_database"]["title"], "Work");
    assert_eq!(app.patch(&path, json!({ "in_trash": true })).await.json()["in_trash"], true);
    assert_eq!(app.get(&path).await.json()["in_trash"], true);
    assert_eq!(app.get(&format!("data_sources/{}", tasks.source)).await.json()["in_trash"], true);
    let row = app.post("pages", json!({ "parent": tasks.as_parent() })).await;
    assert_eq!(row.status, 400, "nothing is made below what is in the trash");
    assert_eq!(app.get(&format!("blocks/{ROADMAP}/children")).await.json()["results"], json!([]));
}
