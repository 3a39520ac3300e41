//! Data sources: another one in a database, and changes of a schema.

use serde_json::{Value, json};

use crate::content::app::{App, id_of, text};

#[tokio::test]
async fn a_database_can_have_several_data_sources() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let body = json!({
        "parent": { "type": "database_id", "database_id": tasks.database },
        "title": text("Archive"),
        "properties": { "Name": { "title": {} } },
    });
    let source = app.make("data_sources", body).await;
    assert_eq!(
        (&source["object"], &source["title"][0]["plain_text"]),
        (&json!("data_source"), &json!("Archive"))
    );
    let database = app.get(&format!("databases/{}", tasks.database)).await.json();
    assert_eq!(database["data_sources"][1], json!({ "id": source["id"], "name": "Archive" }));
    let views = app.get(&format!("views?data_source_id={}", id_of(&source))).await.json();
    assert_eq!(views["results"].as_array().unwrap().len(), 1);
    let row = json!({ "parent": { "database_id": tasks.database } });
    assert_eq!(app.post("pages", row).await.status, 400, "which data source is not said");
    let without_title = json!({
        "parent": { "database_id": tasks.database }, "properties": { "Name": { "rich_text": {} } },
    });
    assert_eq!(app.post("data_sources", without_title).await.status, 400);
}

#[tokio::test]
async fn properties_are_added_renamed_changed_and_removed() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let row = app.row(&tasks, "A", json!({ "Kind": { "select": { "name": "Bug" } } })).await;
    let path = format!("data_sources/{}", tasks.source);
    let bug = tasks.schema["Kind"]["select"]["options"][0]["id"].clone();
    let body = json!({ "title": text("Renamed"), "properties": {
        "Link": { "url": {} },
        "Kind": { "name": "Type", "select": { "options": [{ "id": bug, "name": "Defect" }] } },
        "Points": null,
        tasks.id("Done"): { "name": "Finished" },
    } });
    let changed = app.patch(&path, body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let source = changed.json();
    assert_eq!(source["title"][0]["plain_text"], "Renamed");
    assert_eq!(source["properties"]["Link"]["type"], "url");
    assert_eq!(source["properties"]["Type"]["id"], tasks.id("Kind"));
    assert_eq!(source["properties"]["Finished"]["id"], tasks.id("Done"));
    assert_eq!(source["properties"].get("Points"), None);
    let row = app.get(&format!("pages/{}", id_of(&row))).await.json();
    assert_eq!(row["properties"]["Type"]["select"]["name"], "Defect");
    for wrong in
        [json!({ "Task": null }), json!({ "Task": { "number": {} } }), json!({ "Second": { "title": {} } })]
    {
        assert_eq!(app.patch(&path, json!({ "properties": wrong })).await.status, 400, "{wrong}");
    }
    assert_eq!(app.patch(&path, json!({ "in_trash": true })).await.json()["in_trash"], Value::Bool(true));
}
