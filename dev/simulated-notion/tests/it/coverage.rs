//! `SUPPORTED.md`: which operations of Notion's API the simulator answers, asked at the wire.
//!
//! The lists of operations are facts about Notion's OpenAPI document, not a copy of it: method, path, tag. Write the page
//! anew after a change with `SUPPORTED=write cargo test -p simulated-notion --test it coverage`; take the lists from a
//! newer document with `NOTION_OPENAPI=openapi.json NOTION_OPENAPI_DATE=2027-01-31` besides.

#![expect(
    clippy::disallowed_methods,
    reason = "a generator that is also a test is told by variables what to write"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use simulated_notion::Endpoint;

use crate::bench::Bench;
use crate::browser::send;

#[derive(Serialize, Deserialize)]
struct Lists {
    lists: Vec<List>,
}

/// Operations that are published in one place.
#[derive(Serialize, Deserialize)]
struct List {
    name: String,
    source: String,
    date: String,
    operations: Vec<Operation>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Operation {
    tag: String,
    path: String,
    method: String,
}

impl List {
    /// The operations of an OpenAPI document.
    fn of_document(document: &Value, date: &str) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "patch", "delete"] {
                if let Some(operation) = item.get(method) {
                    let tag = operation["tags"][0].as_str().unwrap_or("Others").to_owned();
                    operations.push(Operation { tag, path: path.clone(), method: method.to_uppercase() });
                }
            }
        }
        operations.sort();
        Self {
            name: "Notion's OpenAPI document".to_owned(),
            source: "https://developers.notion.com/openapi.json".to_owned(),
            date: date.to_owned(),
            operations,
        }
    }
}

/// Whether there is a route: Notion's answer to any other path or method is `invalid_request_url`.
async fn is_answered(bench: &Bench, operation: &Operation) -> bool {
    let path = operation
        .path
        .split('/')
        .map(|step| if step.starts_with('{') { "4ead0000-0000-4000-8000-0000000000b1" } else { step });
    let path = path.collect::<Vec<_>>().join("/");
    let answer = send(&bench.notion, &operation.method, &path, &[], "").await.unwrap();
    let body = answer.json();
    let is_missing = body["code"] == "invalid_request_url";
    // Without credentials nothing goes further than this.
    assert!(is_missing || answer.status == 401, "{} {path}: {} {body}", operation.method, answer.status);
    !is_missing
}

fn page(lists: &Lists, notes: &BTreeMap<String, String>, answered: &BTreeSet<(&str, &str)>) -> String {
    let is_answered =
        |operation: &&Operation| answered.contains(&(operation.method.as_str(), operation.path.as_str()));
    let mut page = "# Supported operations\n\n\
        Written by a test that asks a running simulator for each operation, and that fails when this page is stale\n\
        (`tests/it/coverage.rs`). An operation counts if there is a route for it; the notes say what it leaves out.\n\
        All speak `Notion-Version: 2026-03-11`.\n"
        .to_owned();
    for List { name, source, date, operations } in &lists.lists {
        let count = operations.iter().filter(is_answered).count();
        write!(page, "\n## {count} of {}: {name}\n\n[Source]({source}), {date}.\n\n", operations.len())
            .unwrap();
        page += "| feature | answered | missing | notes |\n|---|---|---|---|\n";
        let tags: BTreeSet<_> = operations.iter().map(|operation| operation.tag.as_str()).collect();
        for tag in tags {
            let of_tag = || operations.iter().filter(|operation| operation.tag == tag);
            let named = |operation: &Operation| {
                format!("`{} {}`", operation.method, operation.path.trim_start_matches("/v1"))
            };
            let missing: Vec<_> = of_tag().filter(|operation| !is_answered(operation)).map(named).collect();
            let (count, all) = (of_tag().filter(is_answered).count(), of_tag().count());
            let note = if count == 0 { "" } else { notes.get(tag).map_or("", String::as_str) };
            writeln!(page, "| {tag} | {count} of {all} | {} | {note} |", missing.join(", ")).unwrap();
        }
    }
    page
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[tokio::test]
async fn the_page_of_supported_operations_is_up_to_date() {
    let lists_file = folder().join("coverage/operations.json");
    let supported_file = folder().join("SUPPORTED.md");
    let is_writing = std::env::var("SUPPORTED").is_ok_and(|value| value == "write");
    if let (true, Ok(document)) = (is_writing, std::env::var("NOTION_OPENAPI")) {
        let document = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
        let date = std::env::var("NOTION_OPENAPI_DATE").unwrap();
        let lists = Lists { lists: vec![List::of_document(&document, &date)] };
        std::fs::write(&lists_file, serde_json::to_string_pretty(&lists).unwrap() + "\n").unwrap();
    }
    let lists: Lists = serde_json::from_slice(&std::fs::read(&lists_file).unwrap()).unwrap();
    let notes = std::fs::read(folder().join("coverage/notes.json")).unwrap();
    let notes: BTreeMap<String, String> = serde_json::from_slice(&notes).unwrap();
    let bench = Bench::start().await;
    let mut answered = BTreeSet::new();
    for operation in lists.lists.iter().flat_map(|list| &list.operations) {
        if is_answered(&bench, operation).await {
            answered.insert((operation.method.as_str(), operation.path.as_str()));
        }
    }
    assert!(answered.len() > 30, "{answered:?}");
    let page = page(&lists, &notes, &answered);
    for tag in notes.keys() {
        assert!(page.contains(&format!("| {tag} |")), "coverage/notes.json: there is no {tag}");
    }
    let document = &lists.lists[0].operations;
    let of_document =
        document.iter().filter(|one| answered.contains(&(one.method.as_str(), one.path.as_str())));
    let claims = [
        format!("([{} operations](SUPPORTED.md))", answered.len()),
        format!("| {} of {} operations |", of_document.count(), document.len()),
    ];
    for claim in claims {
        assert!(include_str!("../../README.md").contains(&claim), "README.md: {claim}");
    }
    if is_writing {
        std::fs::write(&supported_file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&supported_file).unwrap();
    assert!(
        written == page,
        "SUPPORTED.md is stale; write it with SUPPORTED=write (see tests/it/coverage.rs)"
    );
}

/// Faults and counts know every operation that has a route.
#[tokio::test]
async fn every_answered_operation_has_an_endpoint() {
    let lists = std::fs::read(folder().join("coverage/operations.json")).unwrap();
    let lists: Lists = serde_json::from_slice(&lists).unwrap();
    let bench = Bench::start().await;
    for operation in lists.lists.iter().flat_map(|list| &list.operations) {
        if is_answered(&bench, operation).await {
            let Operation { method, path, .. } = operation;
            assert!(Endpoint::at(method, path).is_some(), "{method} {path}");
        }
    }
}

#[test]
fn a_document_is_read_as_its_operations() {
    let document = serde_json::json!({ "paths": {
        "/v1/b": { "parameters": [], "post": { "tags": ["Two", "Three"] }, "get": {} },
        "/v1/a": { "delete": { "tags": ["Two"] } },
    } });
    let list = List::of_document(&document, "2027-01-31");
    let read: Vec<_> = list
        .operations
        .iter()
        .map(|one| (one.tag.as_str(), one.method.as_str(), one.path.as_str()))
        .collect();
    assert_eq!(read, [("Others", "GET", "/v1/b"), ("Two", "DELETE", "/v1/a"), ("Two", "POST", "/v1/b")]);
}
