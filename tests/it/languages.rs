//! In which language a person gets a page, all the way through Notion and back, and what the deployer's links do.

use http::StatusCode;
use serde_json::Value;
use shared::language::Language;

use crate::app::{Begun, Returned};
use crate::harness::{Page, World, event};

fn language_of(page: &Page) -> &str {
    let tag = page.headers["content-language"].to_str().unwrap();
    assert!(page.body.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")), "{}", page.body);
    tag
}

const HTML: (&str, &str) = ("accept", "text/html");

#[tokio::test]
async fn a_language_that_is_named_at_install_holds_through_notion_and_back() {
    let world = World::start().await;
    let browser = world.browser();
    for (named, accepted, expected, heading) in [
        ("?ui_locales=de", "fr", "de", "Sample app ist mit Notion verbunden"),
        ("?utm_source=mail&ui_locales=pt-BR+ja", "fr", "ja", "Sample appとNotionの連携が完了しました"),
        ("?ui_locales=tlh", "fr", "fr", "La connexion entre Sample app et Notion est établie"),
        ("", "es-MX,es;q=0.9,en;q=0.8", "es", "Se ha conectado Sample app con Notion"),
        ("", "tlh", "en", "Sample app is connected to Notion"),
    ] {
        let headers = [HTML, ("accept-language", accepted)];
        let authorize = browser.get_with(&world.url(&format!("/install{named}")), &headers).await;
        assert_eq!(authorize.status, StatusCode::FOUND, "{named}");
        assert!(!authorize.location().contains("ui_locales"), "{}", authorize.location());
        let callback = browser.allow(authorize.location(), |_| {});
        let to_flow = browser.get_with(&callback, &headers).await;
        let location = to_flow.location();
        assert!(location.starts_with("?flow=") && !location.contains("ui_locales"), "{location}");
        let page = browser.get_with(&world.url(&format!("/callback{location}")), &headers).await;
        assert_eq!((language_of(&page), page.heading()), (expected, heading), "{named} {accepted}");
        assert_eq!(page.headers["vary"], "accept, accept-language");
    }
}

#[tokio::test]
async fn a_page_without_a_cookie_takes_the_language_along_in_its_clean_url() {
    let world = World::start().await;
    let browser = world.browser();
    let authorize = browser.get(&world.url("/install?ui_locales=de")).await;
    let callback = browser.allow(authorize.location(), |_| {});
    world.clock.advance_secs(601);
    let to_reason = browser.get(&callback).await;
    assert_eq!(to_reason.location(), "?reason=expired&ui_locales=de");
    // Anywhere, also without the cookie.
    let elsewhere = world.browser();
    let page = elsewhere.get(&world.url("/callback?reason=expired&ui_locales=de")).await;
    assert_eq!((language_of(&page), page.status), ("de", StatusCode::BAD_REQUEST));
    // And whoever tries again keeps it.
    assert!(page.body.contains("href=\"install?ui_locales=de\""), "{}", page.body);
    for (language, expected) in [("", "en"), ("tlh", "en"), ("DE", "en"), ("%3Cscript%3E", "en")] {
        let page =
            elsewhere.get(&world.url(&format!("/callback?reason=expired&ui_locales={language}"))).await;
        assert_eq!(language_of(&page), expected, "{language}");
        assert!(page.body.contains("href=\"install\"") && !page.body.contains("script"), "{}", page.body);
    }
    let twice = elsewhere.get(&world.url("/callback?reason=expired&ui_locales=de&ui_locales=fr")).await;
    assert_eq!(twice.location(), "?reason=malformed");
}

#[tokio::test]
async fn an_app_names_a_language_and_gets_its_own_answer_untouched() {
    let world = World::start().await;
    let browser = world.browser();
    let begun = Begun::new(&world);
    let authorize = browser.begin(&begun, "&ui_locales=ja").await;
    let returned = Returned::read(&world, &browser.get(&browser.allow(&authorize, |_| {})).await);
    assert_eq!(returned.state.as_deref(), Some(begun.state.as_str()));
    let claimed = world.ask("claim", begun.claim(&returned, "user 1")).await;
    assert_eq!(claimed["workspace_name"], "Acme", "{claimed}");
    // A mistake of the app is explained in that language; what the developer needs is in English.
    for (more, expected) in [("&ui_locales=fr&expect=%2F", "fr"), ("&expect=%2F", "en")] {
        let page = browser.get(&begun.link(&world, more)).await;
        assert_eq!((page.status, language_of(&page)), (StatusCode::BAD_REQUEST, expected));
        assert!(page.body.contains("<bdi lang=\"en\">expect must be"), "{}", page.body);
    }
    // So is one with the language itself, with and without an app.
    let too_long = format!("ui_locales=de{}", "+tlh".repeat(64));
    for link in [begun.link(&world, &format!("&{too_long}")), world.url(&format!("/install?{too_long}"))] {
        let page = browser.get(&link).await;
        assert_eq!((page.status, language_of(&page)), (StatusCode::BAD_REQUEST, "de"));
        assert!(page.body.contains("ui_locales must have at most 256 characters"), "{}", page.body);
        assert!(page.headers.get("set-cookie").is_none());
    }
    let twice = browser.get(&world.url("/install?ui_locales=de&ui_locales=fr")).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_answer_for_a_program_is_in_english() {
    let world = World::start().await;
    let browser = world.browser();
    for language in Language::ALL {
        let url = world.url(&format!("/callback?reason=refused&ui_locales={}", language.tag()));
        let json = [("accept", "application/json"), ("accept-language", language.tag())];
        let page = browser.get_with(&url, &json).await;
        assert_eq!(page.headers["content-language"], "en");
        let problem: Value = serde_json::from_str(&page.body).unwrap();
        assert_eq!(problem["title"], "Sample app was not connected");
        assert_eq!(problem["next"], format!("install?ui_locales={}", language.tag()));
    }
}

/// Nobody gets as far as choosing a language, and still the page is in one that the person reads.
#[tokio::test]
async fn answers_for_a_handler_that_cannot_are_in_the_language_of_the_browser() {
    let world = World::start().await;
    let mut unreadable = event("GET", "/install", "", &[("accept-language", "ja")]);
    unreadable["requestContext"] = Value::Null;
    let answer = world.invoke(world.stack.install(), &unreadable).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["content-language"]), (&400.into(), &"ja".into()));
    for odd in ["\u{7f}", "de\r\nx: y"] {
        unreadable["headers"]["accept-language"] = odd.into();
        let answer = world.invoke(world.stack.install(), &unreadable).await;
        assert_eq!(answer["headers"]["content-language"], "en", "{answer}");
    }
}

#[tokio::test]
async fn the_deployers_logo_and_links_are_on_every_page_and_in_the_policy() {
    let links = [
        ("APP_LOGO_URL", "https://cdn.example/logo.svg"),
        ("APP_SUPPORT_URL", "mailto:help@app.example"),
        ("APP_PRIVACY_URL", "https://app.example/privacy"),
        ("APP_TERMS_URL", "https://app.example/terms"),
    ];
    let world = World::start_with(|options| {
        options.variables.extend(links.map(|(name, url)| (name.to_owned(), url.to_owned())));
    })
    .await;
    let browser = world.browser();
    let mut pages = vec![browser.install_as(|_| {}).await];
    for path in ["/callback", "/callback?reason=misconfigured", "/install?return_to=other"] {
        let mut page = browser.get(&world.url(path)).await;
        if page.status.is_redirection() {
            page = browser.get(&world.url(&format!("/callback{}", page.location()))).await;
        }
        pages.push(page);
    }
    for page in pages {
        for (_, url) in links {
            assert!(page.body.contains(&format!("=\"{url}\"")), "{url}: {}", page.body);
        }
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("; img-src https://cdn.example"), "{policy}");
    }
}
