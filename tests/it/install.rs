//! `GET /install`.

use std::collections::HashSet;

use http::StatusCode;
use shared::query::Query;

use crate::harness::{World, event};

#[tokio::test]
async fn it_sends_the_person_to_notion_with_exactly_five_parameters() {
    let world = World::start().await;
    let authorize = world.browser().install().await;
    let (endpoint, query) = authorize.split_once('?').unwrap();
    assert_eq!(endpoint, format!("{}/v1/oauth/authorize", world.notion().base_url()));
    let names: Vec<&str> = query.split('&').map(|pair| pair.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["client_id", "redirect_uri", "response_type", "owner", "state"]);
    let query = Query::parse(query).unwrap();
    assert_eq!(query.one("client_id"), Ok(Some(dev::stack::SIMULATED_CLIENT_ID)));
    assert_eq!(query.one("redirect_uri"), Ok(Some(world.url("/callback").as_str())));
    assert_eq!(query.one("response_type"), Ok(Some("code")));
    assert_eq!(query.one("owner"), Ok(Some("user")));
    assert_eq!(query.one("state").unwrap().unwrap().len(), 43);
}

#[tokio::test]
async fn a_state_in_the_request_is_not_used() {
    let world = World::start().await;
    let page =
        world.browser().get(&world.url("/install?state=chosen&redirect_uri=https://evil.example")).await;
    assert_eq!(page.status, StatusCode::FOUND);
    assert!(!page.location().contains("chosen") && !page.location().contains("evil"));
}

#[tokio::test]
async fn no_header_changes_the_redirect() {
    let world = World::start().await;
    let endpoint = format!("{}/v1/oauth/authorize?", world.notion().base_url());
    for name in
        ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "origin", "referer"]
    {
        for value in ["evil.example", "host=evil.example;proto=http", "https://evil.example/callback"] {
            let answer =
                world.invoke(world.stack.install(), &event("GET", "/install", "", &[(name, value)])).await;
            let location = answer["headers"]["location"].as_str().unwrap_or("");
            let known = location.starts_with(&endpoint) && !location.contains("evil");
            // For an address that is not a URI, the answer is a page of ours.
            assert!(known || answer["statusCode"] == 400, "{name}: {value}: {answer}");
            assert!(answer["headers"]["content-security-policy"].is_string());
        }
    }
}

#[tokio::test]
async fn head_prefetch_and_frames_start_nothing() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], u16);
    let world = World::start().await;
    let cases: &[Case] = &[
        ("HEAD", &[], 405),
        ("POST", &[], 405),
        ("PUT", &[], 405),
        ("DELETE", &[], 405),
        ("OPTIONS", &[("origin", "https://evil.example")], 405),
        ("TRACE", &[], 405),
        ("POST", &[("x-http-method-override", "GET")], 405),
        ("GET", &[("sec-purpose", "prefetch")], 403),
        ("GET", &[("purpose", "prefetch")], 403),
        ("GET", &[("sec-fetch-dest", "iframe")], 403),
        ("GET", &[("sec-fetch-dest", "image")], 403),
        ("GET", &[("sec-fetch-dest", "empty")], 403),
    ];
    for (method, headers, status) in cases {
        let answer = world.invoke(world.stack.install(), &event(method, "/install", "", headers)).await;
        assert_eq!(answer["statusCode"], *status, "{method} {headers:?}");
        assert_eq!(answer["cookies"], serde_json::json!([]), "{method} {headers:?}");
        assert!(answer["headers"].get("location").is_none());
        assert!(answer["headers"].get("access-control-allow-origin").is_none());
    }
    // API Gateway declares only GET.
    let head = world.browser().get_with(&world.url("/install"), &[("sec-purpose", "prefetch")]).await;
    assert_eq!(head.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_hit_starts_a_flow_of_its_own_and_stores_nothing() {
    let world = World::start().await;
    let browser = world.browser();
    let mut states = HashSet::new();
    for _ in 0..6 {
        states.insert(browser.install().await);
    }
    assert_eq!(states.len(), 6);
    assert_eq!(browser.jar.lock().unwrap().len(), 4, "the oldest flows are dropped beyond four");
    assert!(world.claims().await.is_empty() && world.installations().await.is_empty());
}

#[tokio::test]
async fn four_flows_with_the_largest_cookies_fit_into_what_api_gateway_takes() {
    let world = World::start().await;
    let browser = world.browser();
    let value = "A".repeat(shared::flow::MAX_COOKIE_BYTES);
    for flow in 0..shared::flow::MAX_FLOWS {
        browser.jar.lock().unwrap().insert(format!("__Host-notion_install_{flow:016x}"), value.clone());
    }
    let usual = [
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "de-CH,de;q=0.9,en-GB;q=0.8,en;q=0.7,fr;q=0.6"),
        (
            "user-agent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
        ),
        ("sec-ch-ua", "\"Chromium\";v=\"156\", \"Microsoft Edge\";v=\"156\", \"Not?A_Brand\";v=\"99\""),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "cross-site"),
        ("referer", "https://app.notion.com/"),
        ("upgrade-insecure-requests", "1"),
    ];
    // A code of 2 KiB, the longest that is accepted.
    let query = format!("code={}&state={}", "c".repeat(2048), "s".repeat(43));
    let page = browser.get_with(&world.url(&format!("/callback?{query}")), &usual).await;
    assert_eq!(page.location(), "?reason=state_rejected", "{}", page.status);
    // None of these four is a cookie of ours. A new flow drops them all.
    browser.install().await;
    assert_eq!(browser.jar.lock().unwrap().len(), 1);
}
