//! Reset, and the clock.

use serde_json::{Value, json};
use simulated_notion::{ACME, Endpoint, Fault, Injection, ROADMAP, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::documented::Control;
use crate::bench::{Bench, Pair, START_MS, basic, exchange_body};
use crate::browser::{Answer, connect, request, send, submit};
use crate::restart::StateFile;

#[tokio::test]
async fn a_reset_returns_to_the_beginning() {
    let bench = Bench::with_options(|options| {
        options.settings.code_lifetime_secs = 7;
        let lost = Injection::at(Endpoint::Revoke, Fault::LostReply);
        options.faults = vec![lost.clone().times(0), lost];
    })
    .await;
    let mut control = Control::of(&bench.notion);
    let seen = ["/control/connections", "/control/settings", "/control/faults", "/control/workspaces"];
    let mut before = Vec::new();
    for path in seen {
        before.push(control.get(path).await);
    }
    let content_before = bench.notion.content(ACME);

    let pair = bench.pair().await;
    assert_eq!(bench.try_post("/v1/oauth/revoke", &json!({ "token": "any" })).await.map(|_| ()), None);
    bench.notion.register(simulated_notion::Connection::new("other", "secret_2", "http://localhost/"));
    bench.notion.rotate_secret("client", "secret_9");
    bench.notion.change_settings(|settings| *settings = Settings::default());
    bench.notion.inject(Endpoint::Token, Fault::Hold, 1);
    bench.notion.rename(ROADMAP, "Elsewhere");
    control.post("/control/clock", &json!({ "advance_ms": 5_000, "stopped": true })).await;

    control.post("/control/reset", &json!({})).await;
    for (path, before) in seen.into_iter().zip(before) {
        assert_eq!(control.get(path).await, before, "{path}");
    }
    assert_eq!(bench.notion.content(ACME), content_before);
    assert_eq!(bench.notion.grants(), []);
    assert_eq!(control.get("/control/rates").await["rates"], json!([]));
    assert_eq!(control.get("/control/requests").await["requests"], json!([]));
    assert_eq!(bench.notion.count(Endpoint::Token), 0);
    let clock = control.get("/control/clock").await;
    assert_eq!(clock, json!({ "now_ms": START_MS, "now": "2024-09-28T20:07:41.083Z", "stopped": false }));
    assert!(!bench.works(&pair.access).await);
    assert_eq!(bench.notion.secrets_issued(), ["secret_1"]);
}

/// What a client sees of an exchange and a refresh, and what the log says of them.
async fn run(bench: &Bench) -> Vec<String> {
    let exchanged = bench.exchange(&bench.code()).await;
    let refreshed = bench.refresh(&Pair::of(&exchanged).refresh).await;
    let seen = |answer: &Answer| {
        let headers = answer.headers.iter().filter(|(name, _)| name != "date");
        format!("{} {:?} {}", answer.status, headers.collect::<Vec<_>>(), answer.body)
    };
    let mut log = Control::of(&bench.notion).get("/control/requests?secrets=true").await;
    for request in log["requests"].as_array_mut().unwrap() {
        request["connection_number"].take();
    }
    vec![seen(&exchanged), seen(&refreshed), log.to_string()]
}

#[tokio::test]
async fn a_run_after_a_reset_is_the_same_to_the_byte() {
    let bench = Bench::start().await;
    let first = run(&bench).await;
    bench.notion.reset().await.unwrap();
    assert_eq!(run(&bench).await, first);
    let unseeded = Bench::with_options(|options| options.random_seed = None).await;
    let first = run(&unseeded).await;
    unseeded.notion.reset().await.unwrap();
    assert_ne!(run(&unseeded).await, first, "ids are new without a seed");
}

#[tokio::test]
async fn a_request_that_waits_is_cut_by_a_reset_and_has_no_effect() {
    for fault in [Fault::Hold, Fault::DelayMs(3_600_000)] {
        let bench = Bench::start().await;
        bench.notion.inject(Endpoint::Token, fault.clone(), 1);
        let code = bench.code();
        let body = exchange_body(&code);
        let reset = async {
            bench.notion.wait_for(Endpoint::Token, 1).await;
            Control::of(&bench.notion).post("/control/reset", &json!({})).await;
            bench.notion.release();
        };
        let (answer, ()) = tokio::join!(bench.try_post("/v1/oauth/token", &body), reset);
        assert!(answer.is_none(), "{fault:?}");
        assert_eq!((bench.notion.grants().len(), bench.notion.count(Endpoint::Token)), (0, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn a_request_whose_body_arrives_after_a_reset_belongs_to_the_new_run() {
    let bench = Bench::start().await;
    let authorization = basic("client", "secret_1");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("connection", "close"),
    ];
    let text = request(&bench.notion, "POST", "/v1/oauth/token", &headers, &exchange_body("any").to_string());
    let (first, rest) = text.split_at(text.len() - 5);
    let mut stream = connect(&bench.notion).await;
    stream.write_all(first.as_bytes()).await.unwrap();
    bench.notion.reset().await.unwrap();
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(bench.notion.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_count_keeps_waiting_across_a_reset() {
    let bench = Bench::start().await;
    bench.refresh("any").await;
    let (mut waiting, mut control) = (Control::of(&bench.notion), Control::of(&bench.notion));
    let traffic = async {
        control.post("/control/reset", &json!({})).await;
        bench.refresh("any").await;
        bench.refresh("any").await;
    };
    let (count, ()) = tokio::join!(waiting.count("endpoint=token&at_least=2"), traffic);
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_reset_empties_the_state_file_too() {
    let file = StateFile::new("reset.json");
    let bench = file.bench().await;
    let pair = bench.pair().await;
    Control::of(&bench.notion).post("/control/reset", &json!({})).await;
    bench.notion.stop().await;
    let bench = file.bench().await;
    assert_eq!(bench.notion.grants(), []);
    assert!(!bench.works(&pair.access).await);
    assert_eq!(bench.exchange(&bench.code()).await.status, 200, "the connection is there again");
}

#[tokio::test]
async fn codes_tokens_windows_and_lags_follow_the_clock() {
    let bench = Bench::with(|settings| {
        settings.code_lifetime_secs = 60;
        settings.access_token_lifetime_secs = Some(3600);
        settings.requests_per_minute = Some(4);
        settings.search_lag_secs = 30;
    })
    .await;
    let mut control = Control::of(&bench.notion);
    let code = bench.code();
    control.post("/control/clock", &json!({ "advance_ms": 60_000 })).await;
    assert_eq!(bench.exchange(&code).await.json()["error"], "invalid_grant");

    control.post("/control/clock", &json!({ "advance_ms": 60_000 })).await;
    let pair = bench.pair().await;
    let authorization = format!("Bearer {}", pair.access);
    let page = json!({ "properties": { "title": [{ "text": { "content": "New" } }] } });
    let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
    let made = send(&bench.notion, "POST", "/v1/pages", &headers, &page.to_string()).await;
    assert_eq!(made.unwrap().status, 200);
    let found = async |query: &str| {
        let body = json!({ "query": query }).to_string();
        let answer = send(&bench.notion, "POST", "/v1/search", &headers, &body).await.unwrap();
        (answer.status, answer.json()["results"].as_array().map(Vec::len))
    };
    assert_eq!(found("New").await, (200, Some(0)));
    control.post("/control/clock", &json!({ "advance_ms": 30_000 })).await;
    assert_eq!(found("New").await, (200, Some(1)));
    assert_eq!(found("New").await.0, 429, "the fifth in its minute");
    control.post("/control/clock", &json!({ "advance_ms": 30_000 })).await;
    assert!(bench.works(&pair.access).await);
    control.post("/control/clock", &json!({ "advance_ms": 3_540_000 })).await;
    assert!(!bench.works(&pair.access).await);
}

#[tokio::test]
async fn the_clock_is_added_to_that_of_a_program_and_may_be_stopped() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let moved = control.post("/control/clock", &json!({ "now": "2026-01-01T01:00:00+01:00" })).await;
    assert_eq!(
        moved,
        json!({ "now_ms": 1_767_225_600_000_u64, "now": "2026-01-01T00:00:00.000Z", "stopped": false })
    );
    bench.advance_secs(1);
    assert_eq!(bench.notion.now_ms(), 1_767_225_601_000);
    control.post("/control/clock", &json!({ "stopped": true })).await;
    bench.advance_secs(1);
    assert_eq!(bench.notion.now_ms(), 1_767_225_601_000);
    let resumed = control.post("/control/clock", &json!({ "now_ms": 5_000, "stopped": false })).await;
    assert_eq!(resumed, json!({ "now_ms": 5_000, "now": "1970-01-01T00:00:05.000Z", "stopped": false }));
    bench.notion.advance_clock(std::time::Duration::from_secs(2));
    bench.advance_secs(1);
    assert_eq!(bench.notion.now_ms(), 8_000);
}

#[tokio::test]
async fn a_clock_can_be_stopped_from_the_beginning() {
    let bench = Bench::with_options(|options| options.clock_stopped_at_ms = Some(1_000)).await;
    let mut control = Control::of(&bench.notion);
    bench.advance_secs(9);
    control.post("/control/clock", &json!({ "advance_ms": 5 })).await;
    assert_eq!(bench.notion.now_ms(), 1_005);
    control.post("/control/reset", &json!({})).await;
    assert_eq!(control.get("/control/clock").await["now_ms"], 1_000);
}

#[tokio::test]
async fn a_wrong_move_of_the_clock_is_refused_and_has_no_effect() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let cases = [
        (json!({}), Value::Null),
        (json!({ "advance_ms": 1, "now_ms": 1 }), Value::Null),
        (json!({ "advance_ms": -1 }), json!("advance_ms")),
        (json!({ "advance_ms": u64::MAX }), json!("advance_ms")),
        (json!({ "now_ms": 253_402_300_800_000_u64 }), json!("now_ms")),
        (json!({ "now": "tomorrow" }), json!("now")),
        (json!({ "now": "1969-12-31T23:59:59Z" }), json!("now")),
        (json!({ "stopped": "yes" }), json!("stopped")),
        (json!({ "advance": 1 }), json!("advance")),
        (json!([]), Value::Null),
    ];
    for (body, field) in cases {
        assert_eq!(control.wrong("/control/clock", &body).await, field, "{body}");
    }
    assert_eq!(bench.notion.now_ms(), START_MS);
}

#[tokio::test]
async fn the_control_page_moves_the_clock_and_resets() {
    let bench = Bench::start().await;
    bench.pair().await;
    let moved = submit(&bench.notion, "/control/clock", &[("advance_ms", "1000")]).await;
    assert_eq!((moved.status, bench.notion.now_ms()), (303, START_MS + 1_000));
    assert!(bench.get("/control", &[]).await.body.contains("2024-09-28T20:07:42.083Z"));
    let reset = submit(&bench.notion, "/control/reset", &[]).await;
    assert_eq!((reset.status, reset.location()), (303, "/control"));
    assert_eq!(bench.notion.grants(), []);
}
