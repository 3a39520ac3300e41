//! What strangers may put into an app's link: nothing leads anywhere but to Notion, and nobody is sent back to anything
//! that is not configured.

use std::io::Write as _;
use std::path::PathBuf;

use http::StatusCode;
use serde_json::Value;
use shared::query::encode;

use crate::app::{Begun, Returned};
use crate::harness::{World, event};

/// Whether the answer sends the browser only to Notion, or nowhere.
fn is_harmless(world: &World, answer: &Value) -> bool {
    let location = answer["headers"]["location"].as_str();
    let to_notion = format!("{}/v1/oauth/authorize?", world.notion().base_url());
    match answer["statusCode"].as_u64() {
        Some(302) => location.is_some_and(|location| location.starts_with(&to_notion)),
        Some(400) => location.is_none() && answer["cookies"].as_array().is_some_and(Vec::is_empty),
        _ => false,
    }
}

/// Opens `/install` with this query, which must send the browser nowhere else.
async fn open_harmlessly(world: &World, query: &str) -> Value {
    // An address that is not a URI never reaches the function over HTTP.
    let query: String = query.chars().filter(char::is_ascii).filter(|c| !c.is_ascii_whitespace()).collect();
    let answer = world.invoke(world.stack.install(), &event("GET", "/install", &query, &[])).await;
    assert!(is_harmless(world, &answer), "{query}: {answer}");
    answer
}

/// Pieces from which links are built: keys, other names for URLs, ways to hide one, ways to break a query.
const PIECES: [&str; 40] = [
    "app",
    "APP",
    "app ",
    "app%00",
    "app%0d%0aLocation:",
    "//evil.example",
    "///evil.example",
    "https:evil.example",
    "https://evil.example",
    "https%3A%2F%2Fevil.example",
    "%2f%2fevil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "app.evil.example",
    "app@evil.example",
    "app#",
    "app?",
    "app%20",
    "%61pp",
    "app&return_to=evil",
    "../app",
    "app/",
    "http://localhost/app/back",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "app%2e",
    "app%09",
    "\u{202e}app",
    "аpp",
    "app;",
    "app,app",
    "*",
    "null",
    "undefined",
    "0",
    "-1",
    "app=app",
];

#[tokio::test]
async fn ten_thousand_made_up_links_redirect_nobody_elsewhere() {
    let world = World::start().await;
    let challenge = Begun::new(&world).challenge();
    let (mut tried, mut started) = (0, 0);
    for key in PIECES {
        for more in PIECES {
            for shape in 0..7 {
                let query = match shape {
                    0 => format!("return_to={key}&code_challenge={challenge}&state={more}"),
                    1 => {
                        format!("return_to={}&code_challenge={challenge}&state={}", encode(key), encode(more))
                    }
                    2 => format!("return_to=app&code_challenge={challenge}&state={key}{more}"),
                    3 => format!("return_to={key}{more}&code_challenge={challenge}"),
                    4 => format!(
                        "return_to=app&code_challenge={challenge}&redirect_uri={}&next={more}",
                        encode(key)
                    ),
                    5 => format!(
                        "return_to=app&code_challenge={challenge}&expect={}",
                        encode(&format!("{key}{more}"))
                    ),
                    _ => format!("return_to={key}&code_challenge={more}&state=x"),
                };
                let answer = open_harmlessly(&world, &query).await;
                tried += 1;
                started += u32::from(answer["statusCode"] == 302);
            }
        }
    }
    assert!(tried >= 10_000, "{tried}");
    assert!(started > 1000 && started < tried - 1000, "some are good, others are not: {started} of {tried}");
}

/// The list of payloads is not part of the repository. `OPEN_REDIRECTS` names a file with one per line.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the list is outside of the repository")]
async fn known_redirect_payloads_redirect_nobody_elsewhere() {
    let Some(file) = std::env::var_os("OPEN_REDIRECTS").map(PathBuf::from) else {
        // Directly to the terminal, because the test runner would hide the line.
        let line = "\n*** NOT RUN: redirect payloads, because OPEN_REDIRECTS names no file ***\n\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let payloads = std::fs::read_to_string(file).unwrap();
    let world = World::start().await;
    let challenge = Begun::new(&world).challenge();
    let mut tried = 0;
    for payload in payloads.lines().filter(|line| !line.trim().is_empty()) {
        for value in [payload.to_owned(), encode(payload)] {
            for name in ["return_to", "state", "redirect_uri", "expect"] {
                let query = match name {
                    "return_to" => format!("return_to={value}&code_challenge={challenge}"),
                    name => format!("return_to=app&code_challenge={challenge}&{name}={value}"),
                };
                open_harmlessly(&world, &query).await;
                tried += 1;
            }
        }
    }
    assert!(tried >= 8 * 500, "{tried}");
}

#[tokio::test]
async fn a_swapped_or_tampered_cookie_returns_nobody_to_the_app() {
    let world = World::start().await;
    // Two flows of two apps' users: each cookie under the other's name.
    let (anna, ben) = (world.browser(), world.browser());
    let (of_anna, of_ben) = (Begun::new(&world), Begun::new(&world));
    let callback = {
        let authorize = anna.begin(&of_anna, "").await;
        anna.allow(&authorize, |_| {})
    };
    ben.begin(&of_ben, "").await;
    let name = anna.jar.lock().unwrap().keys().next().unwrap().clone();
    let (own, others) = {
        let of = |jar: &std::collections::BTreeMap<String, String>| jar.values().next().unwrap().clone();
        (of(&anna.jar.lock().unwrap()), of(&ben.jar.lock().unwrap()))
    };
    let mut tampered = vec![others, own[..own.len() - 1].to_owned(), format!("{own}A")];
    for at in 0..own.len() {
        let other = if own.as_bytes()[at] == b'A' { "B" } else { "A" };
        tampered.push(format!("{}{other}{}", &own[..at], &own[at + 1..]));
    }
    for value in tampered {
        anna.jar.lock().unwrap().insert(name.clone(), value);
        let page = anna.get(&callback).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "?reason=state_rejected"));
    }
    assert!(world.installations().await.is_empty() && world.claims().await.is_empty());
    anna.jar.lock().unwrap().insert(name, own);
    assert!(Returned::read(&world, &anna.get(&callback).await).code.is_some());
}
