//! What appears later: in search, in the content of templates, after an asynchronous task.

use serde_json::{Value, json};

use crate::content::app::{App, id_of, titled};

#[tokio::test]
async fn search_finds_something_new_after_the_lag() {
    let app = App::with(|settings| settings.search_lag_secs = 5).await;
    app.page("Unique title").await;
    let found = async || {
        app.post("search", json!({ "query": "unique" })).await.json()["results"].as_array().unwrap().len()
    };
    assert_eq!(found().await, 0);
    app.bench.advance_secs(4);
    assert_eq!(found().await, 0);
    app.bench.advance_secs(1);
    assert_eq!(found().await, 1);
}

#[tokio::test]
async fn an_asynchronous_page_is_there_at_once_and_its_content_later() {
    let app = App::with(|settings| settings.async_task_secs = 10).await;
    let body = json!({ "properties": titled("Later"), "markdown": "text", "allow_async": true });
    let answer = app.post("pages", body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let task = answer.json();
    assert_eq!((&task["object"], &task["status"]), (&json!("async_task"), &json!("queued")));
    assert_eq!(task["operation"], json!({ "surface": "rest", "name": "create_page" }));
    let path = format!("async_tasks/{}", id_of(&task));
    let running = app.get(&path).await;
    assert_eq!((running.status, running.json()["status"].clone()), (200, json!("running")));
    assert!(running.json()["poll_after_seconds"].is_number());
    let page = id_of(&app.post("search", json!({ "query": "Later" })).await.json()["results"][0]);
    assert_eq!(app.get(&format!("pages/{page}/markdown")).await.json()["markdown"], "");
    app.bench.advance_secs(10);
    let done = app.get(&path).await.json();
    assert_eq!((&done["status"], &done["result"]["id"]), (&json!("succeeded"), &json!(page)));
    assert_eq!(done.get("poll_after_seconds"), None);
    assert_eq!(app.get(&format!("pages/{page}/markdown")).await.json()["markdown"], "text");
    let other = app.install(simulated_notion::GRACE, simulated_notion::ACME, simulated_notion::ROADMAP).await;
    assert_eq!(app.send_as(&other, "GET", &path, &Value::Null).await.status, 404);
}
