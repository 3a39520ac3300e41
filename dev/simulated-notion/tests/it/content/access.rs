//! What a bot sees, and what its connection may do.

use serde_json::{Value, json};
use simulated_notion::{
    ACME, ADA, Capabilities, Connection, GRACE, InstallationScope, MEETING_NOTES, ROADMAP, SALARIES,
    UserInformation,
};

use crate::bench::{Bench, connection};
use crate::browser::send;
use crate::content::app::{App, id_of, titled};

#[tokio::test]
async fn a_bot_sees_what_was_picked_what_is_below_it_and_what_it_made() {
    let app = App::start().await;
    let below =
        app.make("pages", json!({ "parent": { "page_id": ROADMAP }, "properties": titled("Below") })).await;
    let own = app.page("Own").await;
    let grace = app.install(GRACE, ACME, ROADMAP).await;
    for (token, id, status) in [
        (&app.token, ROADMAP.to_owned(), 200),
        (&app.token, MEETING_NOTES.to_owned(), 404),
        (&app.token, SALARIES.to_owned(), 404),
        (&app.token, own.clone(), 200),
        (&grace, id_of(&below), 200),
        (&grace, own.clone(), 404),
    ] {
        for path in [format!("pages/{id}"), format!("blocks/{id}/children"), format!("pages/{id}/markdown")] {
            assert_eq!(app.send_as(token, "GET", &path, &Value::Null).await.status, status, "{path}");
        }
    }
    let answer = app.get(&format!("pages/{SALARIES}")).await.json();
    assert_eq!(answer["code"], "object_not_found");
    assert_eq!(
        answer["message"],
        format!(
            "Could not find page with ID: {SALARIES}. Make sure the relevant pages and databases are shared with your \
             integration \"Demo connection\"."
        )
    );
}

#[tokio::test]
async fn what_is_asked_for_must_be_of_the_kind() {
    let app = App::start().await;
    let tasks = app.tasks().await;
    for path in [
        format!("pages/{}", tasks.database),
        format!("databases/{}", tasks.source),
        format!("data_sources/{}", tasks.database),
        format!("views/{}", tasks.database),
        format!("blocks/{}", tasks.source),
        format!("databases/{ROADMAP}"),
    ] {
        assert_eq!(app.get(&path).await.status, 404, "{path}");
    }
    let answer = app.get("pages/roadmap").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("validation_error")));
    assert_eq!(app.get("nothing/here").await.json()["code"], "invalid_request_url");
}

#[tokio::test]
async fn a_token_that_does_not_work_and_a_missing_version_are_refused() {
    let app = App::start().await;
    let dead = app.send_as("ntn_unknown", "POST", "search", &json!({})).await;
    assert_eq!((dead.status, dead.json()["code"].clone()), (401, json!("unauthorized")));
    assert_eq!(dead.json()["message"], "API token is invalid.");
    let authorization = format!("Bearer {}", app.token);
    let mut headers = vec![("authorization", authorization.as_str())];
    let path = format!("/v1/pages/{ROADMAP}");
    let answer = send(&app.bench.notion, "GET", &path, &headers, "").await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("missing_version")));
    headers.push(("notion-version", "2022-06-28"));
    let answer = send(&app.bench.notion, "GET", &path, &headers, "").await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("validation_error")));
    app.bench.notion.revoke_grants_of(ADA, ACME);
    assert_eq!(app.get(&format!("pages/{ROADMAP}")).await.status, 401);
}

async fn with_capabilities(change: impl FnOnce(&mut Capabilities)) -> App {
    let app = App::start().await;
    let mut limited: Connection = connection();
    change(&mut limited.capabilities);
    app.bench.notion.register(limited);
    app
}

#[tokio::test]
async fn each_call_needs_its_capability() {
    let body = json!({ "properties": titled("x") });
    let app = with_capabilities(|capabilities| capabilities.insert_content = false).await;
    for path in ["pages", "databases", "data_sources", "views"] {
        let answer = app.post(path, body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (403, json!("restricted_resource")),
            "{path}"
        );
    }
    let children = format!("blocks/{ROADMAP}/children");
    assert_eq!(app.patch(&children, json!({ "children": [] })).await.status, 403);
    assert_eq!(app.get(&children).await.status, 200);

    let app = with_capabilities(|capabilities| capabilities.update_content = false).await;
    for path in [format!("pages/{ROADMAP}"), format!("blocks/{ROADMAP}"), format!("pages/{ROADMAP}/markdown")]
    {
        assert_eq!(app.patch(&path, json!({})).await.status, 403, "{path}");
    }
    assert_eq!(app.delete(&format!("blocks/{ROADMAP}")).await.status, 403);
    assert_eq!(app.post("pages", body.clone()).await.status, 200);

    let app = with_capabilities(|capabilities| capabilities.read_content = false).await;
    for path in [format!("pages/{ROADMAP}"), children.clone(), format!("views?database_id={ROADMAP}")] {
        assert_eq!(app.get(&path).await.status, 403, "{path}");
    }
    assert_eq!(app.post("search", json!({})).await.status, 403);
    let made = app.make("pages", body).await;
    let only = json!({ "object": "page", "id": made["id"], "request_id": made["request_id"] });
    assert_eq!(made, only, "it gets no more than the id of what it made");

    let app = with_capabilities(|capabilities| capabilities.user_information = UserInformation::None).await;
    assert_eq!(app.get("users").await.status, 403);
}

#[tokio::test]
async fn a_plan_limits_the_blocks_of_connections_for_selected_workspaces() {
    let app = App::with_options(|options| {
        options.connections[0].workspaces = InstallationScope::Selected(vec![ACME.to_owned()]);
        options.settings.block_limits.insert(ACME.to_owned(), 3);
    })
    .await;
    let page = app.make("pages", json!({ "properties": titled("x"), "markdown": "one\ntwo" })).await;
    let children = format!("blocks/{}/children", id_of(&page));
    let refused = app.patch(&children, json!({ "children": [{ "divider": {} }] })).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (403, json!("restricted_resource")));
    assert_eq!(app.post("pages", json!({})).await.status, 403);
    let parent = json!({ "parent": { "type": "workspace", "workspace": true } });
    assert_eq!(app.post("databases", parent).await.status, 403);
    app.bench.notion.register(connection());
    assert_eq!(app.post("pages", json!({})).await.status, 200, "a connection for any workspace has no limit");
}

#[tokio::test]
async fn a_new_bot_sees_what_the_earlier_one_made_only_if_the_switch_says_so() {
    for (sees, status) in [(false, 404), (true, 200)] {
        let app = App::with(|settings| settings.reinstall_sees_earlier_content = sees).await;
        let own = app.page("Own").await;
        app.bench.notion.revoke_grants_of(ADA, ACME);
        let token = app.bench.pair().await.access;
        assert_eq!(app.send_as(&token, "GET", &format!("pages/{own}"), &Value::Null).await.status, status);
    }
}

#[tokio::test]
async fn the_picker_shows_what_a_bot_made_to_its_person_only() {
    let app = App::start().await;
    let own = app.page("Made by the app").await;
    let shown = |person: &str| {
        format!("/install-integration?{}&person={person}&workspace={ACME}", crate::bench::QUERY)
    };
    let has = |bench: &Bench, person: &str| {
        let path = shown(person);
        let bench = bench.notion.clone();
        let own = own.clone();
        async move { send(&bench, "GET", &path, &[], "").await.unwrap().body.contains(&own) }
    };
    assert!(has(&app.bench, ADA).await);
    assert!(!has(&app.bench, GRACE).await);
}
