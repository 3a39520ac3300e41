//! Queries: filters, sorts, pages.

use serde_json::{Value, json};

use crate::content::app::{App, Tasks};

async fn with_rows() -> (App, Tasks) {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let rows = [
        (
            "Alpha",
            json!({ "Status": { "status": { "name": "Done" } }, "Done": { "checkbox": true }, "Points": { "number": 2 } }),
        ),
        ("beta", json!({ "Kind": { "select": { "name": "Idea" } }, "Points": { "number": 10 } })),
        (
            "Gamma",
            json!({ "Kind": { "select": { "name": "Bug" } }, "Tags": { "multi_select": [{ "name": "x" }] } }),
        ),
        ("Delta", json!({ "Due": { "date": { "start": "2026-11-25" } }, "Points": { "number": 1 } })),
    ];
    for (title, properties) in rows {
        app.row(&tasks, title, properties).await;
        app.bench.advance_secs(60);
    }
    (app, tasks)
}

async fn titles(app: &App, tasks: &Tasks, body: Value) -> Vec<String> {
    let answer = app.post(&format!("data_sources/{}/query", tasks.source), body.clone()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    let title =
        |row: &Value| row["properties"]["Task"]["title"][0]["plain_text"].as_str().unwrap().to_owned();
    answer.json()["results"].as_array().unwrap().iter().map(title).collect()
}

#[tokio::test]
async fn filters_choose_rows() {
    let (app, tasks) = with_rows().await;
    let cases = [
        (json!({ "property": "Task", "title": { "equals": "alpha" } }), vec!["Alpha"]),
        (json!({ "property": "title", "title": { "contains": "ta" } }), vec!["beta", "Delta"]),
        (json!({ "property": "Status", "status": { "equals": "Done" } }), vec!["Alpha"]),
        (json!({ "property": "Status", "status": { "is_empty": true } }), vec!["beta", "Gamma", "Delta"]),
        (json!({ "property": "Kind", "select": { "equals": ["Bug", "Idea"] } }), vec!["beta", "Gamma"]),
        (
            json!({ "property": "Kind", "select": { "does_not_equal": "Bug" } }),
            vec!["Alpha", "beta", "Delta"],
        ),
        (json!({ "property": "Done", "checkbox": { "equals": true } }), vec!["Alpha"]),
        (json!({ "property": "Tags", "multi_select": { "contains": "x" } }), vec!["Gamma"]),
        (json!({ "property": "Points", "number": { "greater_than_or_equal_to": 2 } }), vec!["Alpha", "beta"]),
        (json!({ "property": "Due", "date": { "on_or_before": "2026-11-25" } }), vec!["Delta"]),
        (
            json!({ "timestamp": "created_time", "created_time": { "after": "2024-09-28T20:08:00.000Z" } }),
            vec!["Gamma", "Delta"],
        ),
        (
            json!({ "or": [
                { "property": "Done", "checkbox": { "equals": true } },
                { "and": [
                    { "property": "Kind", "select": { "equals": "Idea" } },
                    { "property": "Points", "number": { "equals": 10 } },
                ] },
            ] }),
            vec!["Alpha", "beta"],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(titles(&app, &tasks, json!({ "filter": filter })).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn sorts_put_empty_values_last() {
    let (app, tasks) = with_rows().await;
    let cases = [
        (json!([{ "property": "Task", "direction": "ascending" }]), ["Alpha", "beta", "Delta", "Gamma"]),
        (json!([{ "property": "Points", "direction": "ascending" }]), ["Delta", "Alpha", "beta", "Gamma"]),
        (json!([{ "property": "Points", "direction": "descending" }]), ["beta", "Alpha", "Delta", "Gamma"]),
        (json!([{ "property": "Kind", "direction": "ascending" }]), ["Gamma", "beta", "Alpha", "Delta"]),
        (
            json!([{ "timestamp": "created_time", "direction": "descending" }]),
            ["Delta", "Gamma", "beta", "Alpha"],
        ),
        (
            json!([{ "property": "Done", "direction": "descending" }, { "property": "Task", "direction": "descending" }]),
            ["Alpha", "Gamma", "Delta", "beta"],
        ),
    ];
    for (sorts, expected) in cases {
        assert_eq!(titles(&app, &tasks, json!({ "sorts": sorts })).await, expected, "{sorts}");
    }
}

#[tokio::test]
async fn wrong_queries_are_refused_even_without_rows() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    let cases = [
        json!({ "filter": { "property": "Nope", "title": { "equals": "x" } } }),
        json!({ "filter": { "property": "Task", "checkbox": { "equals": true } } }),
        json!({ "filter": { "property": "Task", "title": { "sounds_like": "x" } } }),
        json!({ "filter": { "or": [{ "or": [{ "or": [] }] }] } }),
        json!({ "sorts": [{ "property": "Nope", "direction": "ascending" }] }),
        json!({ "page_size": 0 }),
        json!({ "start_cursor": "00000000-0000-4000-8000-000000000000" }),
        json!({ "unknown": 1 }),
    ];
    for body in cases {
        let answer = app.post(&format!("data_sources/{}/query", tasks.source), body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (400, json!("validation_error")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_without_what_is_in_the_trash() {
    let (app, tasks) = with_rows().await;
    let path = format!("data_sources/{}/query", tasks.source);
    let first = app.post(&path, json!({ "page_size": 3 })).await.json();
    assert_eq!(
        (&first["object"], &first["type"], &first["has_more"]),
        (&json!("list"), &json!("page_or_data_source"), &json!(true))
    );
    let second =
        app.post(&path, json!({ "page_size": 3, "start_cursor": first["next_cursor"] })).await.json();
    assert_eq!(second["results"].as_array().unwrap().len(), 1);
    assert_eq!((&second["has_more"], &second["next_cursor"]), (&json!(false), &Value::Null));
    app.bench.notion.delete(first["results"][0]["id"].as_str().unwrap());
    assert_eq!(titles(&app, &tasks, json!({})).await, ["beta", "Gamma", "Delta"]);
    assert_eq!(titles(&app, &tasks, json!({ "in_trash": true })).await, ["Alpha"]);
}
