use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::connected::display_name;
use super::*;
use crate::config::{Branding, Color};

fn branding() -> Branding {
    Branding {
        app_name: "Fish & Chips".to_owned(),
        app_color: Color::parse("#ffd400").unwrap(),
        next_url: Some("https://app.example/next?a=1&b=2".to_owned()),
        ..Branding::default()
    }
}

fn pages() -> Pages {
    Pages::new(branding())
}

/// With everything that a deployer can set.
fn full_pages() -> Pages {
    Pages::new(Branding {
        logo_url: Some("https://cdn.example:8443/logo.svg?a=1&b='".to_owned()),
        support_url: Some("mailto:help@app.example".to_owned()),
        privacy_url: Some("https://app.example/privacy?a&b".to_owned()),
        terms_url: Some("https://app.example/terms".to_owned()),
        ..branding()
    })
}

fn header_of(response: &Response<Body>, name: HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
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
        let page = pages().notice(notice, Visitor::of(&accept("text/html")));
        assert_eq!(page.status(), notice.status());
        let html = text(&page);
        assert!(html.starts_with("<!doctype html>") && html.contains("<h1>"), "{notice:?}");
        assert!(
            !html.contains("<script") && !html.contains("http://") && !html.contains("https://"),
            "{notice:?}"
        );
        assert_eq!(html.contains("http-equiv=\"refresh\""), notice == Notice::InProgress, "{notice:?}");

        let problem = pages().notice(notice, Visitor::of(&accept("application/json")));
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
    let html = text(&pages().connected(&connected, Visitor::of(&HeaderMap::new())));
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
    let html = text(&pages().connected(&Connected::default(), Visitor::of(&HeaderMap::new())));
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
        let page = pages().notice(Notice::Expired, Visitor::of(&accept(asked)));
        let content_type = page.headers()[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(content_type == "application/problem+json", json, "Accept: {asked}");
    }
    let connected = Connected { workspace_name: Some("Acme".to_owned()), ..Connected::default() };
    let response = pages().connected(&connected, Visitor::of(&accept("application/json")));
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let json: Value = serde_json::from_str(&text(&response)).unwrap();
    let expected = json!({"status": "connected", "workspace_name": "Acme", "person_name": null, "template_duplicated": false});
    assert_eq!(json, expected);
}

#[test]
fn the_policy_names_the_hash_of_the_style_that_is_sent() {
    let page = pages().notice(Notice::Expired, Visitor::of(&HeaderMap::new()));
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
        text(&pages().connected(&connected, Visitor::of(&HeaderMap::new())))
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

/// A text with what names are kept apart with.
fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

#[test]
fn a_page_is_in_the_language_that_was_named_or_else_in_the_one_that_the_browser_accepts() {
    let german = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, "de-CH,fr;q=0.5".parse().unwrap())]);
    let cases = [
        (HeaderMap::new(), None, "en", "was not connected"),
        (german.clone(), None, "de", "wurde nicht verbunden"),
        (german, Some(Language::Ja), "ja", "は連携されませんでした"),
    ];
    for (headers, named, tag, title) in cases {
        let page = pages().notice(Notice::Refused, Visitor { headers: &headers, named });
        assert_eq!(header_of(&page, header::CONTENT_LANGUAGE), tag);
        assert_eq!(header_of(&page, header::VARY), "accept, accept-language");
        let html = text(&page);
        assert!(html.starts_with(&format!("<!doctype html>\n<html lang=\"{tag}\" dir=\"ltr\">")), "{html}");
        // In the title, too, the name keeps its direction to itself.
        let title = format!("{}{}{title}", isolated("Fish &#38; Chips"), if tag == "ja" { "" } else { " " });
        assert!(html.contains(&format!("<title>{title}</title>")), "{html}");
        assert!(html.contains(&format!("<h1>{title}</h1>")), "{html}");
        // Who starts over keeps a language that was named; another one is asked for by the browser again.
        let target =
            named.map_or("href=\"install\"".to_owned(), |_| format!("href=\"install?ui_locales={tag}\""));
        assert!(html.contains(&target), "{html}");
    }
}

#[test]
fn every_page_of_every_language_is_whole() {
    let headers = HeaderMap::new();
    for language in Language::ALL {
        let visitor = Visitor { headers: &headers, named: Some(language) };
        let mut shown = Vec::new();
        for pages in [pages(), full_pages()] {
            shown.extend(Notice::ALL.map(|notice| pages.notice(notice, visitor)));
            shown.push(pages.bad_app_request(BadAppRequest::NoChallenge, visitor));
            shown.push(pages.connected(&Connected::default(), visitor));
        }
        for page in shown {
            let html = text(&page);
            assert!(html.ends_with("</body>\n</html>\n") || html.ends_with("</body>\n</html>"), "{html}");
            assert_eq!(header_of(&page, header::CONTENT_LANGUAGE), language.tag());
            assert_eq!(html.matches('\u{2068}').count(), html.matches('\u{2069}').count(), "{html}");
            assert!(!html.contains("$app") && !html.contains('{') || html.contains("<style>"), "{html}");
        }
    }
}

#[test]
fn json_is_in_english_and_has_no_marks_of_direction() {
    let headers = HeaderMap::from_iter([
        (header::ACCEPT, "application/json".parse().unwrap()),
        (header::ACCEPT_LANGUAGE, "de".parse().unwrap()),
    ]);
    let problem = pages().notice(Notice::Refused, Visitor { headers: &headers, named: Some(Language::Fr) });
    assert_eq!(header_of(&problem, header::CONTENT_LANGUAGE), "en");
    let expected = json!({
        "type": "urn:notion-install:refused",
        "title": "Fish & Chips was not connected",
        "status": 200,
        "detail": "You pressed Cancel at Notion, so nothing was connected and nothing was stored. You can connect at any time.",
        "next": "install?ui_locales=fr",
    });
    assert_eq!(serde_json::from_str::<Value>(&text(&problem)).unwrap(), expected);
}

#[test]
fn the_logo_may_be_loaded_from_its_origin_and_nothing_from_anywhere_else() {
    let plain = pages().notice(Notice::Expired, Visitor::of(&HeaderMap::new()));
    assert!(!text(&plain).contains("<img") && !text(&plain).contains("<footer"));
    assert!(!header_of(&plain, header::CONTENT_SECURITY_POLICY).contains("img-src"));
    let full = full_pages().notice(Notice::Expired, Visitor::of(&HeaderMap::new()));
    let policy = header_of(&full, header::CONTENT_SECURITY_POLICY);
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.ends_with("; img-src https://cdn.example:8443"),
        "{policy}"
    );
    let html = text(&full);
    let logo = "<img class=\"logo\" src=\"https://cdn.example:8443/logo.svg?a=1&#38;b=&#39;\" alt=\"\" height=\"48\" referrerpolicy=\"no-referrer\">";
    assert!(html.contains(logo), "{html}");
    for link in [
        "<a href=\"mailto:help@app.example\">Support</a>",
        "<a href=\"https://app.example/privacy?a&#38;b\">Privacy policy</a>",
        "<a href=\"https://app.example/terms\">Terms of use</a>",
    ] {
        assert!(html.contains(link), "{link}: {html}");
    }
}

#[test]
fn a_page_where_trying_again_does_not_help_says_whom_to_ask() {
    let headers = HeaderMap::new();
    for notice in Notice::ALL {
        let [plain, full] =
            [pages(), full_pages()].map(|pages| text(&pages.notice(notice, Visitor::of(&headers))));
        let asks = matches!(notice, Notice::Misconfigured | Notice::NotAllowed | Notice::Internal);
        assert_eq!(plain.contains("Please contact the people who run"), asks, "{notice:?}");
        assert_eq!(full.contains("href=\"mailto:help@app.example\">Contact support</a>"), asks, "{notice:?}");
        // Whether somebody was told depends on whether somebody subscribed.
        assert!(!plain.contains("been told"), "{notice:?}");
    }
    let page = text(&pages().bad_app_request(BadAppRequest::NoChallenge, Visitor::of(&headers)));
    assert!(page.contains("Please contact the people who run"), "{page}");
    assert!(page.contains("<bdi lang=\"en\">return_to needs a code_challenge"), "{page}");
}
