//! Faults on the content endpoints.

use serde_json::{Value, json};
use simulated_notion::{ACME, Endpoint, Fault, ROADMAP};

use crate::content::app::{App, id_of, titled};

#[tokio::test]
async fn a_503_may_hide_a_commit() {
    let app = App::start().await;
    for names_resource in [true, false] {
        app.bench.notion.inject(Endpoint::CreatePage, Fault::CommittedThen503 { names_resource }, 1);
        let title = format!("named: {names_resource}");
        let answer = app.post("pages", json!({ "properties": titled(&title) })).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (503, json!("service_unavailable")));
        let data = &answer.json()["additional_data"];
        assert!(data["retry_guidance"].is_string());
        let content = app.bench.notion.content(ACME);
        let made = content.titled(&title);
        assert_eq!(made.len(), 1, "it is committed");
        let id = json!(made[0].id);
        assert_eq!(data.get("committed_resource_id"), names_resource.then_some(&id));
    }
}

#[tokio::test]
async fn a_commit_of_blocks_names_the_first_and_a_failure_is_answered_as_it_is() {
    let app = App::start().await;
    let fault = Fault::CommittedThen503 { names_resource: true };
    app.bench.notion.inject(Endpoint::AppendBlocks, fault.clone(), 1);
    let path = format!("blocks/{ROADMAP}/children");
    let answer = app.patch(&path, json!({ "children": [{ "divider": {} }] })).await.json();
    let children = app.get(&path).await.json();
    assert_eq!(answer["additional_data"]["committed_resource_id"], children["results"][0]["id"]);
    app.bench.notion.inject(Endpoint::CreatePage, fault, 1);
    let refused = app.post("pages", json!({ "unknown": 1 })).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("validation_error")));
}

#[tokio::test]
async fn a_lost_reply_commits_and_a_dropped_request_does_not() {
    let app = App::start().await;
    for (fault, made) in
        [(Fault::LostReply, 1), (Fault::DropBeforeProcessing, 0), (Fault::ProcessedThen5xx(500), 1)]
    {
        let title = format!("{fault:?}");
        app.bench.notion.inject(Endpoint::CreatePage, fault, 1);
        let body = json!({ "properties": titled(&title) });
        let answer = app.try_send_as(&app.token, "POST", "pages", &body).await;
        assert!(answer.is_none_or(|answer| answer.status == 500));
        assert_eq!(app.bench.notion.content(ACME).titled(&title).len(), made, "{title}");
    }
    assert_eq!(app.bench.notion.count(Endpoint::CreatePage), 3);
}

#[tokio::test]
async fn errors_and_statuses_have_the_envelope() {
    let app = App::start().await;
    let statuses = [
        (400, "validation_error"),
        (401, "unauthorized"),
        (403, "restricted_resource"),
        (404, "object_not_found"),
        (409, "conflict_error"),
        (529, "service_overload"),
    ];
    for (status, code) in statuses {
        app.bench.notion.inject(Endpoint::Search, Fault::Status { status, retry_after: None }, 1);
        let answer = app.post("search", json!({})).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (status, json!(code)));
    }
    let message = Some("Said so.".to_owned());
    let fault = Fault::Error { status: 403, code: "restricted_resource".to_owned(), message };
    app.bench.notion.inject(Endpoint::Search, fault, 1);
    let body = app.post("search", json!({})).await.json();
    assert_eq!(
        (&body["object"], &body["code"], &body["message"]),
        (&json!("error"), &json!("restricted_resource"), &json!("Said so."))
    );
    assert_eq!(body["status"], 403);
    assert!(body["request_id"].is_string());
}

#[tokio::test]
async fn each_call_has_its_endpoint() {
    let app = App::start().await;
    let cases = [
        ("POST", "pages", Endpoint::CreatePage),
        ("GET", "pages/x", Endpoint::GetPage),
        ("PATCH", "pages/x", Endpoint::UpdatePage),
        ("GET", "pages/x/markdown", Endpoint::PageMarkdown),
        ("PATCH", "pages/x/markdown", Endpoint::PageMarkdown),
        ("POST", "databases", Endpoint::CreateDatabase),
        ("GET", "databases/x", Endpoint::GetDatabase),
        ("PATCH", "databases/x", Endpoint::OtherContent),
        ("POST", "data_sources", Endpoint::CreateDataSource),
        ("GET", "data_sources/x", Endpoint::GetDataSource),
        ("PATCH", "data_sources/x", Endpoint::OtherContent),
        ("POST", "data_sources/x/query", Endpoint::QueryDataSource),
        ("GET", "data_sources/x/templates", Endpoint::ListTemplates),
        ("POST", "views", Endpoint::CreateView),
        ("GET", "views", Endpoint::ListViews),
        ("GET", "views/x", Endpoint::GetView),
        ("PATCH", "views/x", Endpoint::OtherContent),
        ("DELETE", "views/x", Endpoint::OtherContent),
        ("GET", "blocks/x", Endpoint::OtherContent),
        ("DELETE", "blocks/x", Endpoint::OtherContent),
        ("GET", "blocks/x/children", Endpoint::BlockChildren),
        ("PATCH", "blocks/x/children", Endpoint::AppendBlocks),
        ("POST", "search", Endpoint::Search),
        ("GET", "users", Endpoint::Users),
        ("GET", "users/x", Endpoint::Users),
        ("GET", "users/me", Endpoint::UsersMe),
        ("GET", "async_tasks/x", Endpoint::AsyncTasks),
    ];
    for (method, path, endpoint) in cases {
        let before = app.bench.notion.count(endpoint);
        app.bench.notion.inject(endpoint, Fault::Status { status: 418, retry_after: None }, 1);
        assert_eq!(app.send_as(&app.token, method, path, &json!({})).await.status, 418, "{method} {path}");
        assert_eq!(app.bench.notion.count(endpoint), before + 1);
        assert_eq!(app.bench.notion.requests().last().unwrap().endpoint, Some(endpoint));
    }
}

#[tokio::test]
async fn answers_can_be_held_truncated_and_patched() {
    let app = App::start().await;
    let id = app.page("x").await;
    app.bench.notion.inject(Endpoint::GetPage, Fault::PatchResponse(json!({ "in_trash": true })), 1);
    app.bench.notion.inject(Endpoint::GetPage, Fault::Truncated, 1);
    app.bench.notion.inject(Endpoint::GetPage, Fault::Hold, 1);
    let path = format!("pages/{id}");
    assert_eq!(app.get(&path).await.json()["in_trash"], true);
    assert!(app.try_send_as(&app.token, "GET", &path, &Value::Null).await.is_none());
    let release = async {
        app.bench.notion.wait_for(Endpoint::GetPage, 3).await;
        app.bench.notion.release();
    };
    let (answer, ()) = tokio::join!(app.get(&path), release);
    assert_eq!(id_of(&answer.json()), id);
}
