//! What people do with pages and databases, and what a connection then gets.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Approval, ROADMAP};

use crate::bench::QUERY;
use crate::browser::{send, submit};
use crate::content::app::{App, id_of, titled};

async fn act(app: &App, body: Value) -> u16 {
    let json = [("content-type", "application/json")];
    send(&app.bench.notion, "POST", "/control/content", &json, &body.to_string()).await.unwrap().status
}

#[tokio::test]
async fn a_deleted_page_is_answered_in_the_trash_and_nothing_is_made_below_it() {
    let app = App::start().await;
    let id = app.page("Page").await;
    assert_eq!(act(&app, json!({ "id": id, "action": "delete" })).await, 204);
    assert_eq!(app.get(&format!("pages/{id}")).await.json()["in_trash"], true);
    let below = json!({ "parent": { "page_id": id }, "properties": titled("Below") });
    let refused = app.post("pages", below.clone()).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("validation_error")));
    assert_eq!(app.patch(&format!("blocks/{id}/children"), json!({ "children": [] })).await.status, 400);
    let found = app.post("search", json!({ "query": "Page" })).await.json();
    assert_eq!(found["results"], json!([]));
    assert_eq!(act(&app, json!({ "id": id.replace('-', ""), "action": "restore" })).await, 204);
    assert_eq!(app.post("pages", below).await.status, 200);
}

#[tokio::test]
async fn an_unshared_page_does_not_exist_for_a_connection_until_it_is_picked_again() {
    let app = App::start().await;
    let id = app.page("Page").await;
    let below = json!({ "parent": { "page_id": id }, "properties": titled("Below") });
    let below = id_of(&app.make("pages", below).await);
    app.bench.notion.unshare(&id);
    for id in [&id, &below] {
        let answer = app.get(&format!("pages/{id}")).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("object_not_found")));
    }
    assert_eq!(app.post("search", json!({ "query": "Below" })).await.json()["results"], json!([]));
    assert!(app.bench.notion.content(ACME).find(&id).unwrap().is_unshared);
    let redirect = app.bench.notion.approve(Approval {
        authorize_query: QUERY.to_owned(),
        person: ADA.to_owned(),
        workspace: ACME.to_owned(),
        pages: vec![id.clone()],
        ..Approval::default()
    });
    app.bench.exchange(&redirect.unwrap().parameter("code").unwrap()).await;
    assert_eq!(app.get(&format!("pages/{below}")).await.status, 200);
}

#[tokio::test]
async fn a_picked_page_can_be_unshared_too_and_a_page_below_it_alone() {
    let app = App::start().await;
    let page = |title: &str| json!({ "parent": { "page_id": ROADMAP }, "properties": titled(title) });
    let one = id_of(&app.make("pages", page("One")).await);
    let two = id_of(&app.make("pages", page("Two")).await);
    app.bench.notion.unshare(&one);
    assert_eq!(app.get(&format!("pages/{one}")).await.status, 404);
    assert_eq!(app.get(&format!("pages/{two}")).await.status, 200);
    app.bench.notion.unshare(ROADMAP);
    assert_eq!(app.get(&format!("pages/{two}")).await.status, 404);
    assert!(app.bench.notion.grants()[0].pages.is_empty());
}

#[tokio::test]
async fn pages_and_databases_are_renamed() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    assert_eq!(act(&app, json!({ "id": ROADMAP, "action": "rename", "title": "Plan" })).await, 204);
    app.bench.notion.rename(&tasks.database, "To do");
    let page = app.get(&format!("pages/{ROADMAP}")).await.json();
    assert_eq!(page["properties"]["title"]["title"][0]["plain_text"], "Plan");
    assert_eq!(page["url"], format!("https://www.notion.so/Plan-{}", ROADMAP.replace('-', "")));
    let database = app.get(&format!("databases/{}", tasks.database)).await.json();
    assert_eq!(database["title"][0]["plain_text"], "To do");
}

#[tokio::test]
async fn forms_act_too_and_what_cannot_be_done_is_refused() {
    let app = App::start().await;
    let form = [("id", ROADMAP), ("action", "rename"), ("title", "2026")];
    let answer = submit(&app.bench.notion, "/control/content", &form).await;
    assert_eq!((answer.status, answer.location()), (303, "/control"));
    let back = format!("/workspace/{ACME}/{ROADMAP}");
    let form = [("id", ROADMAP), ("action", "delete"), ("title", "2026"), ("back", back.as_str())];
    let answer = submit(&app.bench.notion, "/control/content", &form).await;
    assert_eq!((answer.status, answer.location()), (303, back.as_str()));
    let content = app.bench.notion.content(ACME);
    let item = content.find(ROADMAP).unwrap();
    assert_eq!((item.title.as_str(), item.in_trash), ("2026", true));
    for wrong in [
        json!({ "id": ROADMAP, "action": "rename" }),
        json!({ "id": ROADMAP, "action": "burn" }),
        json!({ "id": "00000000-0000-4000-8000-000000000000", "action": "delete" }),
        json!({ "action": "delete" }),
    ] {
        assert_eq!(act(&app, wrong.clone()).await, 422, "{wrong}");
    }
    let away = [("id", ROADMAP), ("action", "restore"), ("back", "https://example.org/")];
    assert_eq!(submit(&app.bench.notion, "/control/content", &away).await.location(), "/control");
}
