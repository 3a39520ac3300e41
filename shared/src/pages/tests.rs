use super::*;
use crate::config::{Branding, Color};

fn pages() -> Pages {
    Pages::new(Branding {
        app_name: "Fish & Chips".to_owned(),
        app_color: Color::parse("#ffd400").unwrap(),
        next_url: Some("https://app.example/next?a=1&b=2".to_owned()),
    })
}

fn accept(media_types: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, media_types.parse().unwrap())])
}

fn text(response: &Response<Body>) -> String {
    match response.body() {
        Body::Text(text) => text.clone(),
        _ => String::new(),
    }
}

#[test]
fn every_notice_has_a_page_a_problem_and_a_key_of_its_own() {
    for notice in Notice::ALL {
        let page = pages().notice(notice, &accept("text/html"));
        assert_eq!(page.status(), notice.status());
        let html = text(&page);
        assert!(html.starts_with("<!doctype html>") && html.contains("<h1>"), "{notice:?}");
        assert!(
            !html.contains("<script") && !html.contains("http://") && !html.contains("https://"),
            "{notice:?}"
        );
        assert_eq!(html.contains("http-equiv=\"refresh\""), notice == Notice::InProgress, "{notice:?}");

        let problem = pages().notice(notice, &accept("application/json"));
        let json: Value = serde_json::from_str(&text(&problem)).unwrap();
        assert_eq!(json["status"], notice.status().as_u16(), "{notice:?}");
        assert_eq!(json["type"], format!("urn:notion-install:{}", notice.key()));
        assert_eq!(Notice::parse(notice.key()), Some(notice));
    }
    assert_eq!(Notice::parse("<script>"), None);
}

#[test]
fn names_are_escaped_capped_and_freed_of_what_directs() {
    let connected = Connected {
        workspace_name: Some("<script>alert(1)</script>\u{202e}\u{0}\r\n\"'&".to_owned()),
        person_name: Some("x".repeat(500)),
        template_duplicated: true,
        preparation: None,
    };
    let html = text(&pages().connected(&connected, &HeaderMap::new()));
    assert!(!html.contains("<script") && !html.contains('\u{202e}') && !html.contains('\u{0}'));
    assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
    assert!(html.contains(&format!("{}…<", "x".repeat(MAX_NAME_CHARS))));
    assert!(html.contains("Fish &#38; Chips") && html.contains("next?a=1&#38;b=2"));
    for (name, shown) in [("  Acme ", "Acme"), ("\u{200b}\u{2066}", ""), ("A\tB", "AB"), ("日本語", "日本語")]
    {
        assert_eq!(display_name(name), shown);
    }
}

#[test]
fn a_workspace_without_a_name_still_has_a_page() {
    let html = text(&pages().connected(&Connected::default(), &HeaderMap::new()));
    assert!(!html.contains("<dt>Workspace") && !html.contains("<dt>Person") && html.contains("<dt>Template"));
}

#[test]
fn json_is_for_clients_that_ask_for_it() {
    for (asked, json) in [
        ("application/json", true),
        ("application/problem+json, */*;q=0.1", true),
        ("text/html,application/json", false),
        ("*/*", false),
        ("application/jsonp", false),
    ] {
        let page = pages().notice(Notice::Expired, &accept(asked));
        let content_type = page.headers()[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(content_type == "application/problem+json", json, "Accept: {asked}");
    }
    let connected = Connected { workspace_name: Some("Acme".to_owned()), ..Connected::default() };
    let response = pages().connected(&connected, &accept("application/json"));
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let json: Value = serde_json::from_str(&text(&response)).unwrap();
    let expected = json!({"status": "connected", "workspace_name": "Acme", "person_name": null, "template_duplicated": false});
    assert_eq!(json, expected);
}

#[test]
fn the_policy_names_the_hash_of_the_style_that_is_sent() {
    let page = pages().notice(Notice::Expired, &HeaderMap::new());
    let html = text(&page);
    let style = html.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    assert!(style.contains("--accent: #ffd400") && style.contains("--on-accent: #000000"));
}

#[test]
fn a_location_or_cookie_that_is_no_header_value_becomes_an_error_page() {
    for (location, cookie) in [("a\r\nb: c", "x=y"), ("?flow=x", "x=y\nz")] {
        let response = pages().redirect(StatusCode::SEE_OTHER, location, &[cookie.to_owned()]);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().get(header::LOCATION).is_none());
    }
}

#[test]
fn the_page_says_what_is_prepared_and_where_it_is() {
    let url = "https://www.notion.so/0123456789abcdef0123456789abcdef";
    let landing_url = || Some(url.to_owned());
    let page = |preparation| {
        let connected = Connected { preparation: Some(preparation), ..Connected::default() };
        text(&pages().connected(&connected, &HeaderMap::new()))
    };
    let watched = page(Preparation::UnderWay { is_watched: true, landing_url: None });
    assert!(watched.contains("being prepared") && watched.contains("http-equiv=\"refresh\""));
    let later = page(Preparation::UnderWay { is_watched: false, landing_url: landing_url() });
    assert!(later.contains("Private section") && !later.contains("http-equiv"));
    assert!(later.contains(&format!("href=\"{url}\">Open it in Notion")));
    let done = page(Preparation::Done { landing_url: landing_url() });
    assert!(
        done.contains("is prepared") && done.contains("Open it in Notion") && done.contains("Continue to")
    );
    let failed = page(Preparation::Failed);
    assert!(failed.contains("could not be prepared") && !failed.contains("Open it"));
    for wrong in ["javascript:alert(1)", "http://evil.example/", "https://a b", "//x"] {
        let page = page(Preparation::Done { landing_url: Some(wrong.to_owned()) });
        assert!(!page.contains("Open it in Notion"), "{wrong}");
    }
}
