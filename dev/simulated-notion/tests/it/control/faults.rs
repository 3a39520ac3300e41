//! Faults by endpoint, method and path; connections and people by JSON.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Endpoint, Fault, Injection, ROADMAP};

use super::documented::Control;
use crate::bench::{Bench, basic};
use crate::browser::send;

#[tokio::test]
async fn a_fault_waits_for_its_method_and_path() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let status = |status: u16| json!({ "status": { "status": status } });
    control
        .post(
            "/control/faults",
            &json!({ "method": "PATCH", "path": "/v1/pages/{id}", "fault": status(502) }),
        )
        .await;
    control
        .post("/control/faults", &json!({ "path": "/v1/pages/{id}", "fault": status(503), "times": 2 }))
        .await;
    control.post("/control/faults", &json!({ "endpoint": "get_page", "fault": status(504) })).await;
    let call =
        async |method: &str, path: &str| send(&bench.notion, method, path, &[], "").await.unwrap().status;
    assert_eq!(call("GET", "/v1/pages/4ead/markdown").await, 401);
    assert_eq!(call("HEAD", "/v1/pages/4ead").await, 401, "HEAD uses none up");
    assert_eq!(call("GET", "/v1/pages/4ead").await, 503);
    assert_eq!(call("PATCH", "/v1/pages/4ead").await, 502);
    assert_eq!(call("PATCH", "/v1/pages/5ead").await, 503);
    assert_eq!(call("GET", "/v1/pages/4ead").await, 504);
    assert_eq!(call("GET", "/v1/pages/4ead").await, 401);
    assert_eq!(control.get("/control/faults").await["faults"], json!([]));
}

#[tokio::test]
async fn a_fault_stands_in_for_an_endpoint_that_is_not_there() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let comment = json!({ "object": "comment", "id": "1" });
    let fault = json!({ "response": { "status": 201, "body": comment } });
    control
        .post("/control/faults", &json!({ "method": "post", "path": "/v1/comments", "fault": fault }))
        .await;
    let call = async || send(&bench.notion, "POST", "/v1/comments", &[], "{}").await.unwrap();
    let answer = call().await;
    assert_eq!((answer.status, answer.json()), (201, comment));
    assert_eq!(call().await.json()["code"], "invalid_request_url");

    let empty = Fault::Response { status: 204, body: Value::Null };
    bench.notion.inject_at(Injection::on("POST", "/v1/oauth/revoke", empty));
    let answer = bench.post("/v1/oauth/revoke", &json!({ "token": "any" })).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(bench.notion.count(Endpoint::Revoke), 1);
}

#[tokio::test]
async fn a_fault_that_could_not_happen_is_refused() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let cases = [
        (json!({ "fault": "hold" }), json!("endpoint")),
        (json!({ "method": "GET", "fault": "hold" }), json!("endpoint")),
        (json!({ "path": "/control/reset", "fault": "hold" }), json!("path")),
        (json!({ "endpoint": "token", "fault": { "html": 99 } }), json!("fault")),
        (json!({ "endpoint": "token", "fault": { "status": { "status": 600 } } }), json!("fault")),
        (
            json!({ "endpoint": "token", "fault": { "status": { "status": 500, "retry": 1 } } }),
            json!("fault.status.retry"),
        ),
        (json!({ "endpoint": "token", "fault": "slow" }), json!("fault")),
        (json!({ "endpoint": "token" }), json!("fault")),
    ];
    for (body, field) in cases {
        assert_eq!(control.wrong("/control/faults", &body).await, field, "{body}");
    }
    assert_eq!(control.get("/control/faults").await["faults"], json!([]));
}

#[tokio::test]
async fn a_connection_is_added_and_replaced_by_json() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let new =
        json!({ "client_id": "other", "client_secret": "secret_2", "redirect_uris": ["http://localhost/a"] });
    control.post("/control/connections", &new).await;
    let listed = control.get("/control/connections").await;
    assert!(!listed.to_string().contains("secret_"), "{listed}");
    let expected = json!({
        "client_id": "other",
        "name": "Demo connection",
        "redirect_uris": ["http://localhost/a"],
        "capabilities": {
            "read_content": true, "update_content": true, "insert_content": true, "user_information": "with_email",
        },
        "template": null,
        "created_before_2026_06_08": false,
        "workspaces": "any",
    });
    assert_eq!(listed["connections"][1], expected);
    let authorization = basic("other", "secret_2");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let answer = send(&bench.notion, "POST", "/v1/oauth/introspect", &headers, r#"{"token":"any"}"#).await;
    assert_eq!(answer.unwrap().json()["active"], false);

    let cases = [
        (json!({ "client_id": "a:b", "client_secret": "s", "redirect_uris": ["http://a"] }), "client_id"),
        (json!({ "client_id": "a", "client_secret": "", "redirect_uris": ["http://a"] }), "client_secret"),
        (json!({ "client_id": "a", "client_secret": "s", "redirect_uris": [] }), "redirect_uris"),
        (json!({ "client_id": "a", "client_secret": "s" }), "redirect_uris"),
    ];
    for (body, field) in cases {
        assert_eq!(control.wrong("/control/connections", &body).await, field, "{body}");
    }
}

#[tokio::test]
async fn people_workspaces_grants_and_content_are_listed() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let pair = bench.pair().await;
    let people = control.get("/control/people").await["people"].clone();
    let ada = people.as_array().unwrap().iter().find(|person| person["id"] == ADA).unwrap();
    assert_eq!((&ada["email"], ada["workspaces"].as_array().unwrap().len()), (&json!("ada@example.org"), 2));
    let workspaces = control.get("/control/workspaces").await["workspaces"].clone();
    assert_eq!((&workspaces[0]["id"], &workspaces[0]["roots"][0]), (&json!(ACME), &json!(ROADMAP)));

    let authorization = format!("Bearer {}", pair.access);
    let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
    let database = json!({ "parent": { "type": "page_id", "page_id": ROADMAP }, "title": [{ "text": { "content": "Tasks" } }] });
    let made = send(&bench.notion, "POST", "/v1/databases", &headers, &database.to_string()).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.body);
    let items = control.get(&format!("/control/content?workspace={ACME}")).await["items"].clone();
    let items = items.as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|item| &item["id"]).collect();
    for (at, item) in items.iter().enumerate() {
        let parent = &item["parent"];
        assert!(parent.is_null() || ids[..at].contains(&parent), "{item}");
    }
    assert!(items.iter().any(|item| item["title"] == "Tasks" && item["parent"] == ROADMAP), "{items:?}");

    control.post("/control/revoke", &json!({ "person": "ada@example.org", "workspace": ACME })).await;
    assert_eq!(control.get("/control/grants").await["grants"][0]["revoked"], true);
    let nobody = json!({ "person": "nobody", "workspace": ACME });
    assert_eq!(control.wrong("/control/revoke", &nobody).await, "person");
}
