//! The end of a flow that an app asked for: the browser goes back to the app, however it ended.

use http::StatusCode;
use serde_json::{Value, json};
use simulated_notion::{Endpoint, Fault as NotionFault};

use crate::app::{Begun, Returned, in_globex};
use crate::harness::World;

#[tokio::test]
async fn after_an_install_the_app_gets_a_code_its_own_state_and_the_issuer() {
    let world = World::start().await;
    let begun = Begun::new(&world);
    let returned = world.browser().connect(&begun, |_| {}).await;
    assert_eq!(returned.state.as_deref(), Some(begun.state.as_str()));
    assert_eq!(returned.iss.as_deref(), Some(world.stack.url()));
    assert_eq!((returned.error, returned.error_description), (None, None));
    assert!(returned.code.unwrap().len() > 86);
    let line = world.last_line_with("Saved");
    assert_eq!(line["outcome"], "returned");
}

#[tokio::test]
async fn a_reload_a_second_tab_and_a_late_visit_go_to_the_same_place() {
    let world = World::start().await;
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let callback = {
        let authorize = browser.begin(&begun, "").await;
        browser.allow(&authorize, |_| {})
    };
    let first = browser.follow(&callback).await;
    let returned = Returned::read(&world, &first);
    let flow = world.last_line_with("flow")["flow"].as_str().unwrap().to_owned();
    for again in [callback.clone(), world.url(&format!("/callback?flow={flow}"))] {
        assert_eq!(browser.follow(&again).await.location(), first.location(), "{again}");
    }
    // The state has expired by then, and a new key seals.
    world.clock.advance_secs(1800);
    world.stack.rotate_key_ring("a-later-key-0123456789abcdefghijkl");
    world.clock.advance_secs(400);
    assert_eq!(browser.follow(&callback).await.location(), first.location());
    assert_eq!(Returned::read(&world, &browser.follow(&callback).await), returned);
    // Another browser learns nothing.
    let stranger = world.browser().follow(&callback).await;
    assert_eq!((stranger.status, stranger.location()), (StatusCode::FORBIDDEN, ""));
}

#[tokio::test]
async fn concurrent_repeats_end_at_the_same_place() {
    let world = World::start().await;
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let authorize = browser.begin(&begun, "").await;
    let callback = browser.allow(&authorize, |_| {});
    let pages = futures_util::future::join_all((0..20).map(|_| browser.follow(&callback))).await;
    assert!(pages.iter().all(|page| page.location() == pages[0].location()));
    assert!(Returned::read(&world, &pages[0]).code.is_some());
    assert_eq!(world.notion().count(Endpoint::Token), 1);
}

#[tokio::test]
async fn every_failure_has_an_error_of_the_rfc_and_a_fixed_key() {
    let world = World::start_with(|options| {
        options.variables.insert("ALLOWED_WORKSPACES".to_owned(), simulated_notion::ACME.to_owned());
    })
    .await;
    let refused = |error: &str, key: &str| (Some(error.to_owned()), Some(key.to_owned()));
    let ended = async |response: &str| {
        let (browser, begun) = (world.browser(), Begun::new(&world));
        let authorize = browser.begin(&begun, "").await;
        let state = authorize.split("state=").nth(1).unwrap();
        let callback = world.url(&format!("/callback?{response}&state={state}"));
        let first = browser.follow(&callback).await;
        assert_eq!(browser.follow(&callback).await.location(), first.location(), "a reload");
        let returned = Returned::read(&world, &first);
        assert_eq!(returned.state.as_deref(), Some(begun.state.as_str()));
        assert_eq!((returned.code, returned.iss.as_deref()), (None, Some(world.stack.url())));
        (returned.error, returned.error_description)
    };
    assert_eq!(ended("error=access_denied").await, refused("access_denied", "refused"));
    assert_eq!(ended("error=server_error").await, refused("temporarily_unavailable", "unavailable"));
    assert_eq!(ended("error=invalid_scope").await, refused("server_error", "misconfigured"));
    assert_eq!(ended("code=made-up").await, refused("temporarily_unavailable", "code_rejected"));

    let (browser, begun) = (world.browser(), Begun::new(&world));
    let other = browser.connect(&begun, in_globex).await;
    assert_eq!((other.error, other.error_description), refused("access_denied", "not_allowed"));
    assert!(world.installations().await.is_empty());

    world.notion().inject(Endpoint::Token, NotionFault::Status { status: 500, retry_after: None }, 1);
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let down = browser.connect(&begun, |_| {}).await;
    assert_eq!(down.error.as_deref(), Some("temporarily_unavailable"));

    // Too late: the state is not claimed any more, and nothing is exchanged.
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let authorize = browser.begin(&begun, "").await;
    let callback = browser.allow(&authorize, |_| {});
    world.clock.advance_secs(601);
    let late = Returned::read(&world, &browser.follow(&callback).await);
    assert_eq!((late.error, late.error_description), refused("temporarily_unavailable", "expired"));
}

#[tokio::test]
async fn an_app_that_asks_wrongly_gets_our_page_and_nobody_is_redirected() {
    let world = World::start().await;
    let challenge = Begun::new(&world).challenge();
    for (query, key) in [
        ("return_to=app".to_owned(), "no_code_challenge"),
        (format!("return_to=other&code_challenge={challenge}"), "unknown_return_to"),
        (format!("return_to=https://evil.example&code_challenge={challenge}"), "unknown_return_to"),
        (
            format!("return_to=app&code_challenge={challenge}&code_challenge_method=plain"),
            "bad_code_challenge_method",
        ),
        (format!("return_to=app&return_to=app&code_challenge={challenge}"), "repeated_parameter"),
        (format!("code_challenge={challenge}"), "no_return_to"),
        (format!("return_to=app&code_challenge={challenge}&state={}", "s".repeat(513)), "bad_state"),
    ] {
        let browser = world.browser();
        let url = world.url(&format!("/install?{query}"));
        let page = browser.get(&url).await;
        assert_eq!((page.status, page.location()), (StatusCode::BAD_REQUEST, ""), "{query}");
        assert!(page.body.contains("For the developer") && browser.jar.lock().unwrap().is_empty(), "{query}");
        let problem = browser.get_with(&url, &[("accept", "application/json")]).await;
        let problem: Value = serde_json::from_str(&problem.body).unwrap();
        assert_eq!(problem["type"], format!("urn:notion-install:{key}"), "{query}");
        assert_eq!(world.last_line_with("reason")["reason"], key);
    }
}

#[tokio::test]
async fn a_destination_that_is_removed_meanwhile_spends_nothing() {
    let world = World::start().await;
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let authorize = browser.begin(&begun, "").await;
    let callback = browser.allow(&authorize, |_| {});
    let variables = world.stack.variables().clone();
    let other = move |name: &str| match name {
        "RETURN_DESTINATIONS" => Some("another=https://app.example/back".to_owned()),
        "AWS_ACCESS_KEY_ID" => Some("callback".to_owned()),
        name => variables.get(name).cloned(),
    };
    let clock: std::sync::Arc<dyn shared::clock::Clock> = world.clock.clone();
    let changed = callback::Callback::read(&other, clock, shared::random::OsRandom).unwrap();
    let query = callback.split_once('?').unwrap().1;
    let event = crate::harness::event("GET", "/callback", query, &[("cookie", &browser.cookie())]);
    let answer = world.invoke(&changed, &event).await;
    assert_eq!(answer["headers"]["location"], "?reason=misconfigured");
    // Anybody can make up such a cookie, so it is not counted as a fault of the stack's.
    let line = world.last_line_with("reason");
    assert_eq!((&line["reason"], &line["Misconfigured"]), (&"unknown_return_to".into(), &Value::Null));
    assert_eq!(world.notion().count(Endpoint::Token), 0);
    // With the destination back, the same callback succeeds.
    assert!(Returned::read(&world, &browser.follow(&callback).await).code.is_some());
}

#[tokio::test]
async fn an_install_that_waits_in_the_rescue_queue_can_be_claimed_once_the_sweep_has_saved_it() {
    let world = World::start().await;
    let (browser, begun) = (world.browser(), Begun::new(&world));
    let authorize = browser.begin(&begun, "").await;
    let callback = browser.allow(&authorize, |_| {});
    let no_permission = dev::aws::Fault::Answer(dev::aws::Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("TransactWriteItems", no_permission, 1);
    let waiting = Returned::read(&world, &browser.follow(&callback).await);
    assert_eq!(waiting.error_description.as_deref(), Some("rescued"));
    assert_eq!(world.ask("sweep", json!({})).await["Recovered"], 1);
    let returned = Returned::read(&world, &browser.follow(&callback).await);
    let claimed = world.ask("claim", begun.claim(&returned, "user 1")).await;
    assert_eq!(claimed["subjects"], json!(["user 1"]), "{claimed}");
}
