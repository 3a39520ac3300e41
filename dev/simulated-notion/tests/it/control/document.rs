//! The OpenAPI document says what is there: all of it, and nothing else.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, ROADMAP};

use super::documented::{Control, Document, Exchanged};
use crate::bench::{Bench, QUERY, REDIRECT_URI};
use crate::browser::send;

/// Objects whose names are not fixed.
const MAPS: [&str; 3] = ["/Request/properties/headers", "/Item/properties/properties", "/block_limits"];

#[tokio::test]
async fn it_is_served() {
    let bench = Bench::start().await;
    let answer = bench.get("/control/openapi.json", &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), Document::read().0);
}

#[tokio::test]
async fn every_operation_is_there_and_refuses_other_sites() {
    let bench = Bench::start().await;
    let document = Document::read();
    for (method, path) in document.operations() {
        let answer = send(&bench.notion, &method, &path, &[], "").await.unwrap();
        assert!(answer.status < 300 || answer.status == 422, "{method} {path}: {}", answer.status);
        let foreign = send(&bench.notion, &method, &path, &[("host", "rebound.example")], "").await.unwrap();
        if path == "/healthz" {
            assert_eq!(foreign.status, 200);
        } else {
            assert_eq!(foreign.status, 403, "{method} {path}");
            let problem = Exchanged {
                schema: json!({ "$ref": "#/components/schemas/Problem" }),
                value: foreign.json(),
            };
            assert_eq!(document.complaint(&problem), None, "{method} {path}");
        }
    }
    let foreign = [("origin", "http://localhost:3000"), ("content-type", "text/plain")];
    let answer = send(&bench.notion, "POST", "/control/reset", &foreign, "").await.unwrap();
    assert_eq!((answer.status, answer.json()["field"].clone()), (403, Value::Null));
}

#[test]
fn every_object_is_closed() {
    let document = Document::read();
    for (pointer, schema) in schemas(&document) {
        if schema["type"] != "object" || MAPS.iter().any(|map| pointer.ends_with(map)) {
            continue;
        }
        assert_eq!(schema["additionalProperties"], false, "{pointer}");
        assert!(schema["required"].is_array(), "{pointer}");
    }
}

/// Uses everything once, then takes each field out of the document: somebody has to notice.
#[tokio::test]
async fn each_field_of_the_document_is_used_and_checked() {
    let bench = Bench::start().await;
    let exchanged = everything(&bench).await;
    let document = Document::read();
    let fields: Vec<_> = schemas(&document)
        .into_iter()
        .flat_map(|(pointer, schema)| {
            let fields = schema["properties"].as_object().cloned().unwrap_or_default();
            fields.into_iter().map(move |(name, _)| (pointer.clone(), name))
        })
        .collect();
    assert!(fields.len() > 150, "{}", fields.len());
    let mut unnoticed = Vec::new();
    for (pointer, name) in &fields {
        let mut changed = document.clone();
        let schema = changed.0.pointer_mut(pointer).unwrap();
        schema["properties"].as_object_mut().unwrap().remove(name);
        schema["required"].as_array_mut().unwrap().retain(|required| required != name);
        let component = pointer.split('/').nth(3).unwrap();
        let mut concerned =
            exchanged.iter().filter(|exchanged| uses(&document, &exchanged.schema, component));
        if !concerned.any(|exchanged| changed.complaint(exchanged).is_some()) {
            unnoticed.push(format!("{pointer} {name}"));
        }
    }
    assert!(unnoticed.is_empty(), "never seen: {unnoticed:#?}");
}

/// Whether a schema refers to a component, directly or not.
fn uses(document: &Document, schema: &Value, component: &str) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(keyword, value)| match value.as_str() {
            Some(reference) if keyword == "$ref" => {
                let name = reference.rsplit('/').next().unwrap();
                name == component || uses(document, &document.0["components"]["schemas"][name], component)
            }
            _ => uses(document, value, component),
        }),
        Value::Array(items) => items.iter().any(|item| uses(document, item, component)),
        _ => false,
    }
}

/// Every schema of the document's components with where it is, nested ones included.
fn schemas(document: &Document) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        walk(schema, &format!("/components/schemas/{name}"), &mut found);
    }
    found
}

fn walk(schema: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    found.push((pointer.to_owned(), schema.clone()));
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{keyword}");
        match (keyword.as_str(), value) {
            ("properties", Value::Object(fields)) => {
                fields.iter().for_each(|(name, field)| walk(field, &format!("{pointer}/{name}"), found));
            }
            ("oneOf", Value::Array(choices)) => {
                choices
                    .iter()
                    .enumerate()
                    .for_each(|(at, choice)| walk(choice, &format!("{pointer}/{at}"), found));
            }
            ("items", item) => walk(item, &pointer, found),
            // `anyOf`, `if` and `then` are conditions on what stands beside them.
            _ => {}
        }
    }
}

/// Calls every operation, and gives and gets every field.
async fn everything(bench: &Bench) -> Vec<Exchanged> {
    let mut control = Control::of(&bench.notion);
    for body in [
        json!({ "advance_ms": 1, "stopped": true }),
        json!({ "now_ms": 1_767_225_600_000_u64 }),
        json!({ "now": "2026-01-01T00:00:00Z" }),
    ] {
        control.post("/control/clock", &body).await;
    }
    let capabilities = json!({
        "read_content": true, "update_content": true, "insert_content": true, "user_information": "with_email",
    });
    for (client_id, workspaces) in [("other", json!("any")), ("third", json!({ "selected": [ACME] }))] {
        let connection = json!({
            "client_id": client_id, "client_secret": "secret_2", "name": "Other", "redirect_uris": [REDIRECT_URI],
            "capabilities": capabilities, "template": "Tracker", "created_before_2026_06_08": false,
            "workspaces": workspaces,
        });
        control.post("/control/connections", &connection).await;
    }
    control.post("/control/secret", &json!({ "client_id": "third", "new_secret": "secret_3" })).await;
    let url = format!("{}/v1/oauth/authorize?{QUERY}", bench.notion.base_url());
    let decision = json!({
        "authorize_url": url, "person": ADA, "workspace": ACME, "pages": [ROADMAP], "duplicate_template": false,
        "cancel": false,
    });
    let location = control.post("/control/approve", &decision).await["location"].clone();
    let code =
        location.as_str().unwrap().split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(bench.exchange(&code).await.status, 200);

    let settings = control.get("/control/settings").await;
    control.post("/control/settings", &settings).await;
    let grace = json!({ "rotation": { "grace": { "valid_refresh_tokens": 2 } } });
    control.post("/control/settings", &grace).await;
    for fault in [
        json!("hold"),
        json!({ "delay_ms": 1 }),
        json!({ "status": { "status": 429, "retry_after": "1" } }),
        json!({ "response": { "status": 200, "body": null } }),
        json!({ "processed_then_5xx": 500 }),
        json!({ "committed_then_503": { "names_resource": true } }),
        json!({ "html": 403 }),
        json!({ "body": {} }),
        json!({ "patch_response": {} }),
        json!({ "remove_fields": ["a"] }),
        json!({ "error": { "status": 400, "code": "a", "message": "b" } }),
    ] {
        control.post("/control/faults", &json!({ "endpoint": "search", "fault": fault })).await;
    }
    let by_path = json!({ "method": "GET", "path": "/v1/pages/{id}", "fault": "hold", "times": 2 });
    control.post("/control/faults", &by_path).await;
    control.post("/control/content", &json!({ "id": ROADMAP, "action": "rename", "title": "Way" })).await;
    let from_the_view = json!({ "id": ROADMAP, "action": "delete", "back": "/workspace/1" });
    control.post("/control/content", &from_the_view).await;

    let acme = format!("/control/content?workspace={ACME}");
    let log = "endpoint=token&method=POST&path=/v1/oauth/token&status=200&since=0";
    for target in [
        "/healthz",
        "/control",
        "/control/openapi.json",
        "/control/clock",
        "/control/people",
        "/control/workspaces",
        "/control/connections",
        "/control/grants",
        "/control/faults",
        "/control/rates",
        &acme,
        &format!("/control/requests?{log}&newest=1&secrets=false"),
        &format!("/control/requests/count?{log}&at_least=1&wait_ms=1"),
    ] {
        control.get(target).await;
    }
    control.post("/control/revoke", &json!({ "person": ADA, "workspace": ACME })).await;
    control.post("/control/release", &json!({})).await;
    control.post("/control/faults/clear", &json!({})).await;
    control.post("/control/reset", &json!({})).await;
    assert_eq!(control.wrong("/control/reset", &json!({ "hard": true })).await, "hard");
    control.exchanged
}
