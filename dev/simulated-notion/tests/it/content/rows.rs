//! Rows: values that fit the schema, and values that do not.

use serde_json::{Value, json};
use simulated_notion::ADA;

use crate::content::app::{App, id_of, text};

#[tokio::test]
async fn a_row_has_every_property_of_the_schema() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let values = json!({
        "Status": { "status": { "name": "Done" } },
        "Kind": { "select": { "name": "Idea" } },
        "Tags": { "multi_select": [{ "name": "a" }, { "name": "b" }] },
        "Done": { "checkbox": true },
        "Due": { "date": { "start": "2026-11-25" } },
        "Points": { "number": 3 },
        "Who": { "people": [{ "id": ADA }] },
    });
    let row = app.row(&tasks, "Write", values).await;
    assert_eq!(
        row["parent"],
        json!({ "type": "data_source_id", "data_source_id": tasks.source, "database_id": tasks.database })
    );
    let value = |name: &str| {
        let property = &row["properties"][name];
        assert_eq!(property["id"], tasks.id(name));
        property[property["type"].as_str().unwrap()].clone()
    };
    assert_eq!(value("Task")[0]["plain_text"], "Write");
    assert_eq!(value("Status")["name"], "Done");
    assert_eq!(
        value("Kind"),
        json!({
            "id": tasks.schema["Kind"]["select"]["options"][1]["id"], "name": "Idea", "color": "default",
        })
    );
    assert_eq!(value("Tags")[1]["name"], "b");
    assert_eq!(value("Done"), true);
    assert_eq!(value("Due"), json!({ "start": "2026-11-25", "end": null, "time_zone": null }));
    assert_eq!(value("Points"), 3);
    assert_eq!(value("Who"), json!([{ "object": "user", "id": ADA }]));
    let empty = app.row(&tasks, "Empty", json!({})).await;
    let kinds = [
        ("Status", "status", Value::Null),
        ("Tags", "multi_select", json!([])),
        ("Done", "checkbox", json!(false)),
    ];
    for (name, kind, expected) in kinds {
        assert_eq!(empty["properties"][name][kind], expected, "{name}");
    }
}

#[tokio::test]
async fn unknown_options_are_made_for_a_select_and_refused_for_a_status() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let row = app.row(&tasks, "New", json!({ "Kind": { "select": { "name": "New" } } })).await;
    let source = app.get(&format!("data_sources/{}", tasks.source)).await.json();
    let option = &source["properties"]["Kind"]["select"]["options"][2];
    assert_eq!(option["name"], "New");
    assert_eq!(row["properties"]["Kind"]["select"]["id"], option["id"]);
    let body = json!({
        "parent": tasks.as_parent(),
        "properties": { "Status": { "status": { "name": "New" } } },
    });
    let refused = app.post("pages", body).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["message"], "Invalid status option. Status option \"New\" does not exist\".");
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let cases = [
        (json!({ "Nope": { "number": 1 } }), "Nope is not a property that exists."),
        (json!({ "Points": { "checkbox": true } }), "Points is expected to be number."),
        (
            json!({ "Points": { "number": "1" } }),
            "body failed validation: body.properties.Points.number should be a number, instead was `\"1\"`.",
        ),
        (
            json!({ "Done": { "checkbox": "yes" } }),
            "body failed validation: body.properties.Done.checkbox should be a boolean, instead was `\"yes\"`.",
        ),
        (
            json!({ "Due": { "date": { "start": "tomorrow" } } }),
            "body failed validation: body.properties.Due.date.start should be a valid ISO 8601 date string, instead \
             was `\"tomorrow\"`.",
        ),
        (
            json!({ "Kind": { "select": { "name": "a,b" } } }),
            "Invalid select option, commas not allowed: a,b",
        ),
        (
            json!({ "Who": { "people": [{ "id": "00000000-0000-4000-8000-000000000000" }] } }),
            "body failed validation: body.properties.Who.people[0].id should be a user, instead was \
             `\"00000000-0000-4000-8000-000000000000\"`.",
        ),
    ];
    for (properties, message) in cases {
        let answer =
            app.post("pages", json!({ "parent": tasks.as_parent(), "properties": properties })).await;
        assert_eq!((answer.status, answer.json()["message"].clone()), (400, json!(message)));
    }
    let rows = app.post(&format!("data_sources/{}/query", tasks.source), json!({})).await.json();
    assert_eq!(rows["results"], json!([]), "nothing was made");
}

#[tokio::test]
async fn a_row_is_changed_by_the_name_or_id_of_a_property_and_has_content() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let body = json!({ "parent": tasks.as_parent(), "markdown": "# From the heading\ntext" });
    let row = app.make("pages", body).await;
    assert_eq!(row["properties"]["Task"]["title"][0]["plain_text"], "From the heading");
    let id = id_of(&row);
    assert_eq!(app.get(&format!("pages/{id}/markdown")).await.json()["markdown"], "text");
    let body = json!({ "properties": { tasks.id("Points"): { "number": 5 }, "Done": { "checkbox": true } } });
    let changed = app.patch(&format!("pages/{id}"), body).await.json();
    assert_eq!(changed["properties"]["Points"]["number"], 5);
    assert_eq!(changed["properties"]["Done"]["checkbox"], true);
    let cleared =
        app.patch(&format!("pages/{id}"), json!({ "properties": { "Points": { "number": null } } })).await;
    assert_eq!(cleared.json()["properties"]["Points"]["number"], Value::Null);
}

#[tokio::test]
async fn relations_lead_to_rows_that_are_there_and_numbers_count_up() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let row = app.row(&tasks, "A", json!({})).await;
    let body = json!({
        "parent": { "type": "workspace", "workspace": true },
        "initial_data_source": { "properties": {
            "Name": { "title": {} },
            "Task": { "relation": { "data_source_id": tasks.source, "single_property": {} } },
            "No": { "unique_id": { "prefix": "N" } },
        } },
    });
    let source = id_of(&app.make("databases", body).await["data_sources"][0]);
    let with = |id: &str| {
        json!({
            "parent": { "data_source_id": source }, "properties": { "Name": { "title": text("x") }, "Task": { "relation": [{ "id": id }] } },
        })
    };
    let first = app.make("pages", with(&id_of(&row))).await;
    assert_eq!(first["properties"]["Task"]["relation"], json!([{ "id": row["id"] }]));
    assert_eq!(first["properties"]["No"]["unique_id"], json!({ "prefix": "N", "number": 1 }));
    let second = app.make("pages", with(&id_of(&row))).await;
    assert_eq!(second["properties"]["No"]["unique_id"]["number"], 2);
    assert_eq!(app.post("pages", with("00000000-0000-4000-8000-000000000000")).await.status, 404);
    let computed = json!({ "parent": { "data_source_id": source }, "properties": { "No": { "unique_id": { "number": 9 } } } });
    assert_eq!(app.post("pages", computed).await.status, 400);
}
