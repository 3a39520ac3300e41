//! Every kind of response has the full set of headers and nothing that identifies a person or the stack.

use http::HeaderMap;
use shared::pages::Notice;

use crate::harness::{Browser, World, event};

const EXPECTED: [(&str, &str); 9] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("vary", "accept, accept-language"),
    ("x-robots-tag", "noindex"),
];

fn assert_headers(headers: &HeaderMap, case: &str) {
    for (name, value) in EXPECTED {
        assert_eq!(headers.get(name).map(|v| v.to_str().unwrap()), Some(value), "{case}: {name}");
    }
    let policy = headers["content-security-policy"].to_str().unwrap();
    for directive in [
        "default-src 'none'",
        "base-uri 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{case}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{case}: {policy}");
    for absent in ["server", "x-powered-by", "access-control-allow-origin"] {
        assert!(headers.get(absent).is_none(), "{case}: {absent}");
    }
}

async fn check(browser: &Browser<'_>, case: &str, path_and_query: &str) {
    for accept in ["text/html", "application/json"] {
        let url = browser.world.url(path_and_query);
        let page = browser.get_with(&url, &[("accept", accept), ("origin", "https://evil.example")]).await;
        assert_headers(&page.headers, case);
        if page.status.is_redirection() {
            assert!(page.body.is_empty(), "{case}");
            continue;
        }
        let content_type = page.headers["content-type"].to_str().unwrap();
        assert_eq!(
            content_type.starts_with("text/html; charset=utf-8"),
            accept == "text/html",
            "{case}: {content_type}"
        );
        assert!(!page.body.contains("<script") && !page.body.contains("://"), "{case}");
    }
}

#[tokio::test]
async fn every_kind_of_response_has_every_header() {
    let world = World::start().await;
    let browser = world.browser();
    check(&browser, "install", "/install").await;
    check(&browser, "callback alone", "/callback").await;
    check(&browser, "malformed", "/callback?code=%zz").await;
    check(&browser, "start over", "/callback?code=c").await;
    check(&browser, "refused", "/callback?error=access_denied&state=").await;
    check(&browser, "foreign", "/callback?code=c&state=s").await;
    check(&browser, "foreign page", "/callback?flow=0123456789abcdef").await;
    for notice in Notice::ALL {
        check(&browser, notice.key(), &format!("/callback?reason={}", notice.key())).await;
    }
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |_| {});
    let redirect = browser.get(&callback).await;
    assert_headers(&redirect.headers, "granted");
    check(&browser, "connected", &format!("/callback{}", redirect.location())).await;
}

#[tokio::test]
async fn other_methods_unreadable_events_and_panics_get_every_header_too() {
    struct Panics(bool);
    impl shared::random::Random for Panics {
        fn fill(&self, bytes: &mut [u8]) {
            assert!(!self.0, "ntn_a-message-that-must-not-be-seen");
            bytes.fill(1);
        }
    }
    let world = World::start().await;
    let variables = world.stack.variables().clone();
    let lookup = |name: &str| variables.get(name).cloned();
    let panicking = install::Install::read(&lookup, shared::clock::SystemClock, Panics(true)).unwrap();
    let calm = install::Install::read(&lookup, shared::clock::SystemClock, Panics(false)).unwrap();
    let misconfigured = shared::entry::browser::Misconfigured {
        function: "callback",
        pages: shared::pages::Pages::new(shared::config::Branding::default()),
        clock: shared::clock::SystemClock,
    };
    let get = event("GET", "/install", "", &[]);
    for (case, answer, status) in [
        ("405", world.invoke(&calm, &event("PUT", "/install", "", &[])).await, 405),
        ("no event", world.invoke(&calm, &serde_json::json!({"version": "2.0"})).await, 400),
        ("panic", world.invoke(&panicking, &get).await, 500),
        ("misconfigured", world.invoke(&misconfigured, &get).await, 500),
    ] {
        assert_eq!(answer["statusCode"], status, "{case}");
        let headers = answer["headers"].as_object().unwrap().iter();
        let headers: HeaderMap = headers
            .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()))
            .collect();
        assert_headers(&headers, case);
        assert!(answer["body"].as_str().unwrap().starts_with("<!doctype html>"), "{case}");
        assert!(!answer.to_string().contains("ntn_"), "{case}");
    }
    // None of these answers leaves a code in the address bar or redirects in circles.
    let granted = event("GET", "/callback", "code=unspent&state=s", &[("cookie", "state=1; code=2")]);
    let answer = world.invoke(&misconfigured, &granted).await;
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["location"]),
        (&303.into(), &"?reason=misconfigured".into())
    );
    let clean = event("GET", "/callback", "reason=misconfigured", &[("cookie", "state=1; code=2")]);
    assert_eq!(world.invoke(&misconfigured, &clean).await["statusCode"], 500);
    let log = world.leaks.log();
    assert!(log.contains("\"alarm\":\"panic\"") && log.contains("\"Panicked\":1"), "{log}");
    assert!(!log.contains("ntn_a-message"));
}

#[tokio::test]
async fn a_client_that_asks_for_json_gets_the_outcome_as_json() {
    let world = World::start().await;
    let browser = world.browser();
    let page = browser.install_as(|_| {}).await;
    let json = browser.get_with(&page.url, &[("accept", "application/json")]).await;
    let outcome: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(outcome["status"], "connected");
    assert_eq!(outcome["workspace_name"], "Acme");
    let problem = browser
        .get_with(&world.url("/callback?reason=expired"), &[("accept", "application/problem+json")])
        .await;
    assert_eq!(problem.headers["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&"urn:notion-install:expired".into(), &400.into()));
    assert_eq!(problem["next"], "install");
}

#[tokio::test]
async fn routes_that_are_not_declared_do_not_exist() {
    let world = World::start().await;
    let browser = world.browser();
    for path in ["/install/", "/callback/", "/INSTALL", "/token", "/favicon.ico", "/.env"] {
        assert_eq!(browser.get(&world.url(path)).await.status, 404, "{path}");
    }
    let huge = "a".repeat(dev::front::MAX_HEADER_BYTES);
    let refused = browser.get_with(&world.url("/install"), &[("x-large", &huge)]).await;
    assert_eq!(refused.status, 431);
}

#[tokio::test]
async fn a_request_line_says_what_happened_and_how_long_it_took() {
    let world = World::start().await;
    let browser = world.browser();
    browser.install_as(|_| {}).await;
    let log = world.leaks.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["event"] == "request" && line["Exchanged"] == 1)
        .collect();
    let line = lines.iter().find(|line| line["workspace_id"] == simulated_notion::ACME).unwrap();
    assert_eq!(
        (&line["function"], &line["outcome"], &line["status"]),
        (&"callback".into(), &"to_flow".into(), &303.into())
    );
    assert_eq!(line["Saved"], 1);
    assert!(line["request_id"].as_str().unwrap().starts_with("local-"));
    assert_eq!((&line["level"], line["timestamp"].as_str().unwrap().len()), (&"INFO".into(), 27));
    assert!(line["DurationMs"].is_u64() && line["flow"].is_string() && line["bot_id"].is_string());
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "NotionInstall");
    for metric in directive["Metrics"].as_array().unwrap() {
        assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
    }
    for set in directive["Dimensions"].as_array().unwrap() {
        assert!(set.as_array().unwrap().iter().all(|name| line[name.as_str().unwrap()].is_string()), "{set}");
    }
}
