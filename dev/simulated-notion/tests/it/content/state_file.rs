//! Content survives a restart.

use serde_json::json;
use simulated_notion::ACME;

use crate::bench::Bench;
use crate::content::app::{App, id_of};
use crate::restart::StateFile;

#[tokio::test]
async fn content_survives_a_restart() {
    let file = StateFile::new("content.json");
    let (content, token, row, source) = {
        let app = App { bench: file.bench().await, token: String::new() };
        let token = app.bench.pair().await.access;
        let app = App { token, ..app };
        let tasks = app.tasks().await;
        let row = app.row(&tasks, "Row", json!({ "Kind": { "select": { "name": "New" } } })).await;
        let trashed = app.page("Trashed").await;
        app.bench.notion.delete(&trashed);
        app.make("pages", json!({ "markdown": "# Page\n- one\n\t- two" })).await;
        app.bench.notion.rename(simulated_notion::ROADMAP, "Plan");
        let content = app.bench.notion.content(ACME);
        app.bench.notion.clone().stop().await;
        (content, app.token, id_of(&row), tasks.source)
    };
    let bench: Bench = file.bench().await;
    assert_eq!(bench.notion.content(ACME), content);
    let app = App { bench, token };
    assert_eq!(app.get(&format!("pages/{row}")).await.json()["properties"]["Kind"]["select"]["name"], "New");
    let rows = app.post(&format!("data_sources/{source}/query"), json!({})).await.json();
    assert_eq!(rows["results"][0]["id"], row.as_str());
    let fresh = app.page("Fresh").await;
    assert!(content.find(&fresh).is_none(), "the same seed continues where it stopped");
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_content() {
    let mut all = Vec::new();
    for _ in 0..2 {
        let app = App::start().await;
        let tasks = app.tasks().await;
        app.row(&tasks, "Row", json!({})).await;
        app.make("pages", json!({ "markdown": "# Page\ntext" })).await;
        all.push(app.bench.notion.content(ACME));
    }
    assert_eq!(all[0], all[1]);
}
