//! The request log.

use serde_json::{Value, json};
use simulated_notion::{Endpoint, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::documented::Control;
use crate::bench::{Bench, START_MS, exchange_body};
use crate::browser::{connect, request};

fn numbers(log: &Value) -> Vec<u64> {
    let requests = log["requests"].as_array().unwrap().iter();
    requests.map(|request| request["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn it_has_what_arrived_at_notion_and_no_secret() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    bench.get("/control", &[]).await;
    let pair = bench.pair().await;
    bench
        .get("/v1/nothing?state=xyz&a=b", &[("x-token", &pair.access), ("x-many", "1"), ("x-many", "2")])
        .await;
    bench.works(&pair.access).await;
    let log = control.get("/control/requests").await;
    assert_eq!(numbers(&log), [1, 2, 3]);
    let exchange = &log["requests"][0];
    let kept =
        ["endpoint", "method", "path", "query", "status", "at_ms", "body"].map(|name| exchange[name].clone());
    let body = r#"{"code":"[redacted]","grant_type":"authorization_code","redirect_uri":"http://localhost:3000/callback"}"#;
    let expected =
        json!(["token", "POST", "/v1/oauth/token", "", 200, START_MS, body]).as_array().unwrap().clone();
    assert_eq!(kept.to_vec(), expected);
    assert_eq!(exchange["headers"]["authorization"], "Basic [redacted]");
    let unknown = &log["requests"][1];
    assert_eq!((&unknown["endpoint"], &unknown["query"]), (&Value::Null, &json!("state=[redacted]&a=b")));
    assert_eq!(
        (&unknown["headers"]["x-token"], &unknown["headers"]["x-many"]),
        (&json!("[redacted]"), &json!("1, 2"))
    );
    assert_eq!(log["requests"][2]["headers"]["authorization"], "Bearer [redacted]");
    for secret in bench.notion.secrets_issued() {
        assert!(!log.to_string().contains(&secret), "{secret}");
    }

    let open = control.get("/control/requests?secrets=true").await;
    let bearer = format!("Bearer {}", pair.access);
    assert_eq!(open["requests"][2]["headers"]["authorization"], bearer.as_str());
    let recorded = bench.notion.requests();
    let exchange = recorded.iter().find(|request| request.endpoint == Some(Endpoint::Token)).unwrap();
    assert_eq!(open["requests"][0]["body"], exchange.body.as_str());
    assert_eq!(open["requests"][0]["connection_number"], exchange.connection_number);
}

#[tokio::test]
async fn it_is_filtered_and_counted() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let pair = bench.pair().await;
    bench.refresh("any").await;
    bench.works(&pair.access).await;
    bench.get("/v1/pages/4ead", &[]).await;
    bench.get("/v1/oauth/token", &[]).await;
    let cases: [(&str, &[u64]); 11] = [
        ("", &[1, 2, 3, 4, 5]),
        ("endpoint=token", &[1, 2, 5]),
        ("endpoint=token&method=post", &[1, 2]),
        ("endpoint=token&status=400", &[2]),
        ("path=/v1/pages/{id}", &[4]),
        ("path=/v1/pages", &[]),
        ("method=GET", &[3, 4, 5]),
        ("since=3", &[4, 5]),
        ("since=5", &[]),
        ("status=200", &[1, 3]),
        ("endpoint=search", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(numbers(&control.get(&format!("/control/requests?{query}")).await), expected, "{query}");
        assert_eq!(control.count(query).await, expected.len() as u64, "{query}");
    }
    assert_eq!(numbers(&control.get("/control/requests?newest=2").await), [4, 5]);
    assert_eq!(numbers(&control.get("/control/requests?method=POST&newest=1").await), [2]);
}

#[tokio::test]
async fn a_count_waits_for_requests_to_arrive_and_to_be_answered() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Hold, 1);
    let (mut arrived, mut answered) = (Control::of(&bench.notion), Control::of(&bench.notion));
    let body = exchange_body(&bench.code());
    let release = async {
        assert_eq!(arrived.count("endpoint=token&at_least=1").await, 1);
        assert_eq!(arrived.count("endpoint=token&status=200").await, 0);
        assert_eq!(arrived.get("/control/requests").await["requests"][0]["status"], Value::Null);
        arrived.post("/control/release", &json!({})).await;
    };
    let (count, answer, ()) =
        tokio::join!(answered.count("status=200&at_least=1"), bench.post("/v1/oauth/token", &body), release);
    assert_eq!((count, answer.status), (1, 200));
}

#[tokio::test]
async fn a_count_ends_with_its_time() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    bench.refresh("any").await;
    assert_eq!(control.count("at_least=2&wait_ms=0").await, 1);
}

#[tokio::test]
async fn a_count_ends_with_the_server() {
    let bench = Bench::start().await;
    let mut stream = connect(&bench.notion).await;
    let count = request(&bench.notion, "GET", "/control/requests/count?at_least=1", &[], "");
    stream.write_all(count.as_bytes()).await.unwrap();
    while !bench.notion.requests().iter().any(|request| request.path == "/control/requests/count") {
        tokio::task::yield_now().await;
    }
    bench.notion.stop().await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("{\"count\":0}"), "{answer}");
}

#[tokio::test]
async fn a_wrong_query_is_refused() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let cases = [
        ("/control/requests?endpoint=nothing", json!("endpoint")),
        ("/control/requests?since=-1", json!("since")),
        ("/control/requests?secret=true", json!("secret")),
        ("/control/requests?secrets=perhaps", json!("secrets")),
        ("/control/requests?at_least=1", json!("at_least")),
        ("/control/requests/count?newest=1", json!("newest")),
        ("/control/requests/count?wait_ms=30001", json!("wait_ms")),
        ("/control/people?a=b", json!("a")),
        ("/control/content", json!("workspace")),
        ("/control/content?workspace=nowhere", json!("workspace")),
    ];
    for (target, field) in cases {
        assert_eq!(control.wrong_query(target).await, field, "{target}");
    }
}
