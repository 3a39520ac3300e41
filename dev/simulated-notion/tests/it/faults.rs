//! What can go wrong on the wire, and the record of requests.

use serde_json::json;
use simulated_notion::{Endpoint, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bench::{Bench, QUERY, basic, exchange_body};
use crate::browser::{connect, request, send, send_raw};

const TOKEN: &str = "/v1/oauth/token";

async fn exchange_raw(bench: &Bench) -> Vec<u8> {
    let authorization = basic("client", "secret_1");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = exchange_body(&bench.code()).to_string();
    send_raw(&bench.notion, "POST", TOKEN, &headers, &body).await
}

#[tokio::test]
async fn a_lost_reply_leaves_a_grant_and_no_byte() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::LostReply, 1);
    assert_eq!(exchange_raw(&bench).await, b"");
    assert_eq!(bench.notion.grants()[0].access_tokens.len(), 1);
    assert_eq!(bench.notion.requests()[0].status, None);
}

#[tokio::test]
async fn a_request_dropped_before_processing_leaves_nothing() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::DropBeforeProcessing, 1);
    assert_eq!(exchange_raw(&bench).await, b"");
    assert!(bench.notion.grants().is_empty());
    assert_eq!(bench.notion.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_truncated_answer_ends_in_the_middle_of_its_body() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Truncated, 1);
    let text = String::from_utf8(exchange_raw(&bench).await).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), announced.parse::<usize>().unwrap() / 2);
    assert!(body.starts_with("{\"access_token\":\"ntn_"), "{body}");
    assert_eq!(bench.notion.grants().len(), 1);
}

#[tokio::test]
async fn a_status_is_answered_in_the_envelope_without_processing() {
    let bench = Bench::start().await;
    let retry_after = Some("7".to_owned());
    let cases = [
        (429, "rate_limited"),
        (500, "internal_server_error"),
        (502, "bad_gateway"),
        (503, "service_unavailable"),
        (504, "gateway_timeout"),
        (529, "service_overload"),
    ];
    for (status, code) in cases {
        bench.notion.inject(Endpoint::Token, Fault::Status { status, retry_after: retry_after.clone() }, 1);
        let answer = bench.exchange(&bench.code()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(answer.json()["code"], code);
        let data = json!({ "retry_after": "7", "rate_limit_reason": "public_api_request_rate_limit" });
        assert_eq!(answer.json().get("additional_data"), (status == 429).then_some(&data), "{status}");
    }
    assert!(bench.notion.grants().is_empty());
}

#[tokio::test]
async fn a_500_after_processing_leaves_a_grant() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::ProcessedThen5xx(500), 1);
    assert_eq!(bench.exchange(&bench.code()).await.status, 500);
    assert_eq!(bench.notion.grants().len(), 1);
}

#[tokio::test]
async fn a_block_page_is_html_without_a_request_id() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Html(403), 1);
    let answer = bench.exchange(&bench.code()).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    assert!(answer.header("cf-ray").is_some());
    assert_eq!(answer.header("x-notion-request-id"), None);
}

#[tokio::test]
async fn answers_can_be_replaced_patched_and_thinned() {
    let bench = Bench::start().await;
    let faults = [
        Fault::Body(json!({ "access_token": "canary" })),
        Fault::PatchResponse(json!({ "refresh_token": null, "owner": { "type": "robot" }, "new": 1 })),
        Fault::RemoveFields(vec!["token_type".to_owned(), "owner.user.person".to_owned()]),
    ];
    for fault in faults {
        bench.notion.inject(Endpoint::Token, fault, 1);
    }
    let replaced = bench.exchange(&bench.code()).await;
    assert_eq!(replaced.json(), json!({ "access_token": "canary" }));
    let patched = bench.exchange(&bench.code()).await.json();
    assert_eq!(patched["refresh_token"], json!(null));
    assert_eq!(patched["owner"], json!({ "type": "robot" }));
    assert_eq!(patched["new"], 1);
    let thinned = bench.exchange(&bench.code()).await.json();
    assert_eq!(thinned.get("token_type"), None);
    assert_eq!(thinned["owner"]["user"].get("person"), None);
    assert_eq!(thinned["owner"]["user"]["name"], "Ada");
}

#[tokio::test]
async fn answers_can_be_huge_or_not_json() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Huge, 1);
    bench.notion.inject(Endpoint::Token, Fault::NotJson, 1);
    let huge = bench.exchange(&bench.code()).await;
    assert!(huge.body.len() > 10 * 1024 * 1024);
    assert!(huge.json()["access_token"].is_string());
    let not_json = bench.exchange(&bench.code()).await;
    assert_eq!(not_json.status, 200);
    assert_eq!(not_json.header("content-type"), Some("application/json; charset=utf-8"));
    assert!(serde_json::from_str::<serde_json::Value>(&not_json.body).is_err());
}

#[tokio::test]
async fn an_error_is_answered_in_the_current_shape() {
    let bench = Bench::start().await;
    let message = Some("Injected.".to_owned());
    let fault = Fault::Error { status: 400, code: "unauthorized_client".to_owned(), message };
    bench.notion.inject(Endpoint::Token, fault, 1);
    let body = bench.exchange(&bench.code()).await.json();
    assert_eq!(body["error"], "unauthorized_client");
    assert_eq!(body["error_description"], "Injected.");
}

#[tokio::test]
async fn faults_queue_per_endpoint_and_stop_when_spent() {
    let bench = Bench::start().await;
    let status = |status| Fault::Status { status, retry_after: None };
    bench.notion.inject(Endpoint::Token, status(500), 2);
    bench.notion.inject(Endpoint::Token, status(503), 1);
    bench.notion.inject(Endpoint::Authorize, status(502), 1);
    bench.notion.inject(Endpoint::Revoke, status(500), 0);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.refresh("any").await.status);
    }
    assert_eq!(statuses, [500, 500, 503, 400]);
    let path = format!("/v1/oauth/authorize?{QUERY}");
    assert_eq!(send(&bench.notion, "HEAD", &path, &[], "").await.unwrap().status, 302, "HEAD spends nothing");
    assert_eq!(bench.get(&path, &[]).await.status, 502);
    assert_eq!(bench.post("/v1/oauth/revoke", &json!({ "token": "any" })).await.status, 200);
}

#[tokio::test]
async fn cleared_faults_do_not_happen() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::LostReply, 5);
    bench.notion.clear_faults();
    assert_eq!(bench.exchange(&bench.code()).await.status, 200);
}

#[tokio::test]
async fn a_delay_is_followed_by_the_answer() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::DelayMs(1), 1);
    assert_eq!(bench.exchange(&bench.code()).await.status, 200);
}

#[tokio::test]
async fn a_held_request_is_processed_only_after_the_release() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Hold, 2);
    let (first, second) = (bench.code(), bench.code());
    let watch = async {
        bench.notion.wait_for(Endpoint::Token, 2).await;
        let before = bench.notion.grants();
        bench.notion.release();
        before
    };
    let (one, other, before) = tokio::join!(bench.exchange(&first), bench.exchange(&second), watch);
    assert!(before.is_empty());
    assert_eq!((one.status, other.status), (200, 200));
}

#[tokio::test]
async fn a_held_request_takes_effect_although_its_client_gave_up() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Hold, 1);
    let body = exchange_body(&bench.code());
    tokio::select! {
        _ = bench.try_post(TOKEN, &body) => unreachable!("nobody released it"),
        () = bench.notion.wait_for(Endpoint::Token, 1) => {}
    }
    bench.notion.release();
    while bench.notion.grants().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_may_make_so_many_requests_in_a_minute() {
    let bench = Bench::with(|settings| settings.requests_per_minute = Some(5)).await;
    let pair = bench.pair().await;
    for _ in 0..4 {
        assert!(bench.works(&pair.access).await);
    }
    let refused = bench.refresh(&pair.refresh).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    bench.advance_secs(59);
    assert!(!bench.works(&pair.access).await);
    bench.advance_secs(1);
    assert!(bench.works(&pair.access).await, "a new window starts at zero");
    assert_eq!(bench.refresh(&pair.refresh).await.status, 200, "a rejected request was not processed");
}

#[tokio::test]
async fn expires_in_is_sent_where_it_is_asked_for_and_the_life_is_limited() {
    for (lifetime, sends, expected) in
        [(None, true, json!(null)), (Some(3600), false, json!(null)), (Some(3600), true, json!(3600))]
    {
        let bench = Bench::with(|settings| {
            (settings.access_token_lifetime_secs, settings.sends_expires_in) = (lifetime, sends);
        })
        .await;
        let answer = bench.exchange(&bench.code()).await.json();
        assert_eq!(answer["expires_in"], expected);
    }
}

#[tokio::test]
async fn stopping_cuts_held_requests() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Hold, 1);
    let body = exchange_body(&bench.code());
    let stop = async {
        bench.notion.wait_for(Endpoint::Token, 1).await;
        bench.notion.clone().stop().await;
    };
    let (answer, ()) = tokio::join!(bench.try_post(TOKEN, &body), stop);
    assert!(answer.is_none());
}

#[tokio::test]
async fn requests_are_recorded_as_they_arrived() {
    let bench = Bench::start().await;
    let answer = send(&bench.notion, "POST", "/v1/oauth/token?a=b", &[("x-canary", "1")], "text").await;
    assert_eq!(answer.unwrap().status, 401);
    let requests = bench.notion.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].endpoint, Some(Endpoint::Token));
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", TOKEN));
    assert_eq!((requests[0].query.as_str(), requests[0].body.as_str()), ("a=b", "text"));
    assert_eq!(requests[0].header("x-canary"), Some("1"));
    assert_eq!(requests[0].status, Some(401));
    assert!(!format!("{requests:?}").contains("text"), "its Debug output shows no content");
}

#[tokio::test]
async fn requests_on_one_tcp_connection_share_its_number() {
    let bench = Bench::start().await;
    let mut stream = connect(&bench.notion).await;
    for _ in 0..2 {
        let text = request(&bench.notion, "GET", "/v1/users/me", &[], "");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            stream.read_buf(&mut answer).await.unwrap();
        }
    }
    bench.get("/v1/users/me", &[]).await;
    let numbers: Vec<_> = bench.notion.requests().iter().map(|recorded| recorded.connection_number).collect();
    assert_eq!(numbers, [1, 1, 2]);
    assert_eq!(bench.notion.connections_accepted(), 2);
}
