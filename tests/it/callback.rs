//! `GET /callback`, step by step in order: when one step fails, the later ones leave no trace.

use http::StatusCode;
use serde_json::Value;
use simulated_notion::{Endpoint, GRACE};

use crate::harness::{Browser, World, event, string};

/// Nothing was claimed, exchanged or stored.
async fn assert_nothing_happened(world: &World, case: &str) {
    assert_eq!(world.notion().count(Endpoint::Token), 0, "{case}");
    assert_eq!(world.claims().await.len(), 0, "{case}");
    assert_eq!(world.installations().await.len(), 0, "{case}");
}

/// The query of a callback that would work.
async fn granted(browser: &Browser<'_>) -> String {
    browser.granted().await.split_once('?').unwrap().1.to_owned()
}

fn location(answer: &Value) -> &str {
    answer["headers"]["location"].as_str().unwrap_or("")
}

#[tokio::test]
async fn a_person_who_allows_gets_a_row_and_a_page() {
    let world = World::start().await;
    let browser = world.browser();
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |approval| approval.duplicate_template = true);
    let redirect = browser.get(&callback).await;
    assert_eq!(redirect.status, StatusCode::SEE_OTHER);
    assert!(redirect.location().starts_with("?flow=") && redirect.location().len() == 6 + 16);

    let page = browser.follow(&callback).await;
    assert!(page.is_connected(), "{page:?}");
    for shown in ["Acme", "Ada", "Added to your workspace"] {
        assert!(page.body.contains(shown), "{shown}");
    }
    let rows = world.installations().await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let grants = world.notion().grants();
    assert_eq!(world.open_access(row), grants[0].access_tokens[0]);
    assert_eq!(string(row, "bot_id"), Some(grants[0].bot_id.as_str()));
    assert_eq!(string(row, "owner_email"), Some("ada@example.org"));
    assert_eq!(string(row, "health"), Some("active"));
    assert!(string(row, "duplicated_template_id").is_some());
    let stored = format!("{row:?}");
    for token in grants[0].access_tokens.iter().chain(&grants[0].refresh_tokens) {
        assert!(!stored.contains(token.as_str()), "a token is in the row in the clear");
    }
}

#[tokio::test]
async fn the_exchange_is_sent_as_notion_documents_it() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
    assert!(page.is_connected());
    let requests = world.notion().requests();
    let exchange = requests.iter().find(|request| request.endpoint == Some(Endpoint::Token)).unwrap();
    assert_eq!((exchange.method.as_str(), exchange.path.as_str()), ("POST", "/v1/oauth/token"));
    assert_eq!(exchange.header("content-type"), Some("application/json"));
    assert_eq!(exchange.header("accept"), Some("application/json"));
    assert_eq!(exchange.header("notion-version"), Some("2026-03-11"));
    let basic = exchange.header("authorization").unwrap();
    assert!(basic.starts_with("Basic "));
    let code = query.split(['=', '&']).nth(1).unwrap();
    let expected = serde_json::json!({
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": world.url("/callback"),
    });
    assert_eq!(serde_json::from_str::<Value>(&exchange.body).unwrap(), expected);
    assert!(!exchange.body.contains("secret") && exchange.query.is_empty());
}

#[tokio::test]
async fn step_1_and_3_only_a_navigation_with_get_is_looked_at() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let cookie = browser.cookie();
    for (method, header, status) in [
        ("HEAD", ("accept", "*/*"), 405),
        ("POST", ("accept", "*/*"), 405),
        ("GET", ("sec-purpose", "prefetch"), 403),
        ("GET", ("sec-fetch-dest", "iframe"), 403),
        ("GET", ("sec-fetch-dest", "image"), 403),
    ] {
        let event = event(method, "/callback", &query, &[("cookie", &cookie), header]);
        let answer = world.invoke(world.stack.callback(), &event).await;
        assert_eq!(answer["statusCode"], status, "{method} {header:?}");
        assert_nothing_happened(&world, &format!("{method} {header:?}")).await;
    }
    // None of them used up the code or the state.
    assert!(browser.follow(&world.url(&format!("/callback?{query}"))).await.is_connected());
}

#[tokio::test]
async fn step_2_a_query_of_another_shape_is_refused() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let cookie = browser.cookie();
    let long = format!("{query}&x={}", "a".repeat(4096));
    let odd = [
        format!("{query}&code=again"),
        format!("{query}&state=again"),
        format!("{query}&error=access_denied"),
        format!("{query}&x=%zz"),
        format!("{query}&x=%00"),
        format!("{query}&x=%ff"),
        format!("{query}%"),
        query.replace("code=", "code=%0d%0aset-cookie:%20a=b"),
        query.replace("code=", "error_description=a&error_description=b&code="),
        query.split('&').nth(1).unwrap().to_owned(),
        long,
        "flow=x".to_owned(),
        "flow=0123456789abcdef&flow=0123456789abcdef".to_owned(),
        "flow=0123456789abcdef&reason=expired".to_owned(),
        "reason=unheard-of".to_owned(),
    ];
    for query in odd {
        let event = event("GET", "/callback", &query, &[("cookie", &cookie)]);
        let answer = world.invoke(world.stack.callback(), &event).await;
        assert_eq!(answer["statusCode"], 303, "{query}");
        assert_eq!(location(&answer), "?reason=malformed", "{query}");
        assert_nothing_happened(&world, &query).await;
    }
    let page = browser.follow(&world.url("/callback?code=a&code=b&state=c")).await;
    assert_eq!((page.status, page.heading()), (StatusCode::BAD_REQUEST, "This link is not complete"));
}

#[tokio::test]
async fn a_query_that_is_not_a_uri_still_gets_a_page() {
    let world = World::start().await;
    for query in ["code=a b&state=c", "code=\u{7f}", "code=\n", "x=\"<>\"", "x=ü"] {
        let answer = world.invoke(world.stack.callback(), &event("GET", "/callback", query, &[])).await;
        let cleaned = location(&answer).starts_with("?reason=");
        assert!(cleaned || answer["statusCode"] == 400 && !query.contains("code="), "{query:?}: {answer}");
        assert!(answer["headers"]["content-security-policy"].is_string(), "{query:?}");
        assert_nothing_happened(&world, query).await;
    }
    for event in [serde_json::json!({}), serde_json::json!([1]), serde_json::json!({"version": "1.0"})] {
        let answer = world.invoke(world.stack.callback(), &event).await;
        assert_eq!(answer["statusCode"], 400, "{event}");
    }
}

#[tokio::test]
async fn a_header_or_cookie_that_is_not_plain_ascii_is_ignored() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let cookie = format!("city=Zürich; {}; name=\u{1f600}", browser.cookie());
    let headers =
        [("cookie", cookie.as_str()), ("cloudfront-viewer-city", "Zürich"), ("user-agent", "a\u{1}b")];
    let answer = world.invoke(world.stack.callback(), &event("GET", "/callback", &query, &headers)).await;
    assert!(location(&answer).starts_with("?flow="), "{answer}");
    assert_eq!(world.installations().await.len(), 1);
}

#[tokio::test]
async fn step_4_without_this_browsers_cookie_nothing_is_burned() {
    let world = World::start().await;
    let (victim, attacker) = (world.browser(), world.browser());
    let query = granted(&victim).await;
    let callback = world.url(&format!("/callback?{query}"));
    // No cookie at all, then a cookie of another flow.
    let page = attacker.follow(&callback).await;
    assert_eq!(
        (page.status, page.heading()),
        (StatusCode::FORBIDDEN, "This link belongs to another browser")
    );
    attacker.install().await;
    assert_eq!(attacker.follow(&callback).await.status, StatusCode::FORBIDDEN);
    assert_nothing_happened(&world, "foreign browser").await;
    assert!(victim.follow(&callback).await.is_connected());
}

#[tokio::test]
async fn step_5_every_bit_flip_of_state_and_cookie_leaves_the_claims_empty() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let state = query.split("state=").nth(1).unwrap().to_owned();
    let (name, value) =
        browser.jar.lock().unwrap().first_key_value().map(|(n, v)| (n.clone(), v.clone())).unwrap();
    let mut refused = 0;
    for (what, text) in [("state", &state), ("cookie", &value)] {
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let flipped = String::from_utf8(bytes).unwrap();
                let (query, cookie) = match what {
                    "state" => (query.replace(&state, &shared::query::encode(&flipped)), value.clone()),
                    _ => (query.clone(), flipped),
                };
                let cookie = format!("{name}={cookie}");
                let event = event("GET", "/callback", &query, &[("cookie", &cookie)]);
                let answer = world.invoke(world.stack.callback(), &event).await;
                let reason = location(&answer);
                assert!(
                    reason == "?reason=state_rejected" || reason == "?reason=malformed",
                    "{what}, byte {at}, bit {bit}: {answer}"
                );
                refused += 1;
            }
        }
    }
    assert_eq!(refused, (state.len() + value.len()) * 7);
    assert_nothing_happened(&world, "bit flips").await;
    let calls = world.stack.dynamodb().calls().into_iter().filter(|call| call.caller == "callback");
    let operations: Vec<String> = calls.map(|call| call.operation).collect();
    assert_eq!(operations, ["GetItem"], "only the read of the warm-up");
    assert!(browser.follow(&world.url(&format!("/callback?{query}"))).await.is_connected());
}

#[tokio::test]
async fn step_5_every_other_encoding_of_the_same_bytes_leaves_the_claims_empty() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let state = query.split("state=").nth(1).unwrap().to_owned();
    let (name, value) =
        browser.jar.lock().unwrap().first_key_value().map(|(n, v)| (n.clone(), v.clone())).unwrap();
    let others = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        let last = text.chars().last().unwrap();
        // The last character has bits that belong to no byte.
        let unused_bits = ('A'..='Z').chain('a'..='z').chain('0'..='9').filter(|other| *other != last);
        let mut all: Vec<String> =
            unused_bits.map(|other| format!("{}{other}", &text[..text.len() - 1])).collect();
        all.extend([STANDARD.encode(&bytes), URL_SAFE.encode(&bytes), STANDARD_NO_PAD.encode(&bytes)]);
        all.extend([
            text.to_lowercase(),
            text.to_uppercase(),
            format!("{text} "),
            format!(" {text}"),
            format!("{text}\t"),
        ]);
        all.extend([
            bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
            format!("\"{text}\""),
        ]);
        all.retain(|other| other != text);
        all
    };
    for other in others(&state) {
        let query = query.replace(&state, &shared::query::encode(&other));
        let event = event("GET", "/callback", &query, &[("cookie", &format!("{name}={value}"))]);
        let answer = world.invoke(world.stack.callback(), &event).await;
        assert!(location(&answer).starts_with("?reason="), "state {other:?}: {answer}");
    }
    // White space around a cookie is not part of it (RFC 6265 §5.4 sends none). It is trimmed before the cookie is
    // read.
    for other in others(&value).into_iter().filter(|other| other.trim() != value) {
        let event = event("GET", "/callback", &query, &[("cookie", &format!("{name}={other}"))]);
        let answer = world.invoke(world.stack.callback(), &event).await;
        assert_eq!(location(&answer), "?reason=state_rejected", "cookie {other:?}");
    }
    assert_nothing_happened(&world, "encodings").await;
    assert!(browser.follow(&world.url(&format!("/callback?{query}"))).await.is_connected());
}

#[tokio::test]
async fn step_5_a_cookie_from_the_future_is_refused() {
    let world = World::start().await;
    world.clock.advance_secs(3600);
    let browser = world.browser();
    let query = granted(&browser).await;
    let earlier = World::start_with(|options| {
        options.variables.insert("NOTION_REDIRECT_URI".to_owned(), world.url("/callback"));
    })
    .await;
    let event = event("GET", "/callback", &query, &[("cookie", &browser.cookie())]);
    let answer = earlier.invoke(earlier.stack.callback(), &event).await;
    assert_eq!(location(&answer), "?reason=state_rejected");
    assert!(earlier.leaks.log().contains("cookie_from_the_future"));
    assert_eq!(earlier.claims().await.len(), 0);
}

#[tokio::test]
async fn step_6_an_expired_state_is_not_claimed() {
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    world.clock.advance_secs(600);
    let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
    assert_eq!((page.status, page.heading()), (StatusCode::BAD_REQUEST, "This took too long"));
    assert!(page.body.contains("href=\"install\""));
    assert_nothing_happened(&world, "expired").await;
}

#[tokio::test]
async fn step_7_without_secrets_in_hand_no_state_is_claimed_and_no_code_is_spent() {
    use dev::aws::{Fault, Reply};
    let world = World::start().await;
    let browser = world.browser();
    world.clock.advance_secs(3601);
    for (fault, heading) in [
        (Fault::Answer(Reply::error(400, "AccessDeniedException")), "Not available just now"),
        (Fault::Answer(Reply::error(400, "ResourceNotFoundException")), "Sample app is not set up correctly"),
        (
            Fault::Answer(Reply::ok(serde_json::json!({"SecretString": "{}", "VersionId": "1"}))),
            "Sample app is not set up correctly",
        ),
    ] {
        let query = granted(&browser).await;
        world.stack.secrets_manager().inject("*", fault, u32::MAX);
        let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
        assert_eq!(page.heading(), heading);
        assert_nothing_happened(&world, heading).await;
        world.stack.secrets_manager().clear_faults();
    }
    // A cached secret is used for an hour, whether Secrets Manager rejects the request or does not answer.
    assert!(browser.install_as(|_| {}).await.is_connected());
    world.clock.advance_secs(1000);
    world.stack.secrets_manager().inject(
        "*",
        Fault::Answer(Reply::error(400, "AccessDeniedException")),
        u32::MAX,
    );
    assert!(browser.install_as(|_| {}).await.is_connected());
}

#[tokio::test]
async fn step_8_if_the_state_cannot_be_claimed_no_code_is_spent() {
    use dev::aws::{Fault, Reply};
    let world = World::start().await;
    let browser = world.browser();
    let query = granted(&browser).await;
    let denied = Fault::Answer(Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("PutItem", denied, 1);
    let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
    assert_eq!((page.status, page.heading()), (StatusCode::OK, "Not available just now"));
    assert_eq!(world.last_line_with("Unavailable")["Unavailable"], 1, "the alarm's metric");
    assert_eq!(world.notion().count(Endpoint::Token), 0);
    // The state is not used up either: opening the link again works.
    assert!(browser.follow(&world.url(&format!("/callback?{query}"))).await.is_connected());
}

#[tokio::test]
async fn a_claim_whose_reply_was_lost_is_recognized() {
    use dev::aws::Fault;
    let world = World::start().await;
    let browser = world.browser();
    world.stack.dynamodb().inject("PutItem", Fault::LostReply, 1);
    assert!(browser.install_as(|_| {}).await.is_connected());
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    assert_eq!(world.claims().await.len(), 1);
}

#[tokio::test]
async fn step_9_cancel_ends_politely() {
    let world = World::start().await;
    let browser = world.browser();
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |approval| approval.cancel = true);
    assert!(callback.contains("error=access_denied"));
    let page = browser.follow(&callback).await;
    assert_eq!((page.status, page.heading()), (StatusCode::OK, "Sample app was not connected"));
    assert_eq!(world.notion().count(Endpoint::Token), 0);
    // The state is used up: a later code with this state is not exchanged.
    let state = authorize.split("state=").nth(1).unwrap();
    let later = browser.follow(&world.url(&format!("/callback?code=late&state={state}"))).await;
    assert_eq!(later.heading(), "Sample app was not connected");
    assert_eq!(world.notion().count(Endpoint::Token), 0);
    assert_eq!(string(&world.claims().await[0], "outcome"), Some("refused"));
}

#[tokio::test]
async fn every_other_error_of_rfc_6749_has_its_page() {
    let world = World::start().await;
    for (error, status, heading) in [
        ("server_error", 200, "Not available just now"),
        ("temporarily_unavailable", 200, "Not available just now"),
        ("invalid_request", 200, "Sample app is not set up correctly"),
        ("unauthorized_client", 200, "Sample app is not set up correctly"),
        ("unsupported_response_type", 200, "Sample app is not set up correctly"),
        ("invalid_scope", 200, "Sample app is not set up correctly"),
        ("<script>alert(1)</script>", 200, "Not available just now"),
    ] {
        let browser = world.browser();
        let authorize = browser.install().await;
        let state = authorize.split("state=").nth(1).unwrap();
        let error = shared::query::encode(error);
        let description = "error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E";
        let page =
            browser.follow(&world.url(&format!("/callback?error={error}&state={state}&{description}"))).await;
        assert_eq!((page.status.as_u16(), page.heading()), (status, heading), "{error}");
        assert!(!page.body.contains("alert"), "{error}");
    }
    assert_eq!(world.notion().count(Endpoint::Token), 0);
}

#[tokio::test]
async fn without_a_state_a_code_is_never_exchanged_and_a_cancel_is_still_polite() {
    let world = World::start().await;
    let browser = world.browser();
    let page = browser.get(&world.url("/callback?code=from-the-portal")).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "install"));
    let page = browser.get(&world.url("/callback?code=from-the-portal&state=")).await;
    assert_eq!(page.location(), "install");
    for query in ["error=access_denied&state=", "error=access_denied"] {
        let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
        assert_eq!(page.heading(), "Sample app was not connected", "{query}");
    }
    assert_nothing_happened(&world, "no state").await;
}

#[tokio::test]
async fn the_grant_of_a_workspace_that_is_not_served_is_revoked() {
    let world = World::start_with(|options| {
        options.variables.insert("ALLOWED_WORKSPACES".to_owned(), format!(" {} ", simulated_notion::GLOBEX));
    })
    .await;
    let browser = world.browser();
    let page = browser.install_as(|approval| GRACE.clone_into(&mut approval.person)).await;
    assert_eq!((page.status, page.heading()), (StatusCode::FORBIDDEN, "This workspace cannot be connected"));
    assert!(
        world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()),
        "{:?}",
        world.notion().grants()
    );
    assert_eq!(world.notion().count(Endpoint::Revoke), 1);
    assert_eq!(world.installations().await.len(), 0);
    assert_eq!(string(&world.claims().await[0], "outcome"), Some("not_allowed"));
}

#[tokio::test]
async fn a_served_workspace_is_accepted_however_its_id_is_written() {
    let world = World::start_with(|options| {
        let acme = simulated_notion::ACME.replace('-', "").to_uppercase();
        options
            .variables
            .insert("ALLOWED_WORKSPACES".to_owned(), format!("{}, {acme}", simulated_notion::GLOBEX));
    })
    .await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
}

#[tokio::test]
async fn a_flows_page_is_shown_only_to_its_own_browser() {
    let world = World::start().await;
    let browser = world.browser();
    let page = browser.install_as(|_| {}).await;
    assert!(page.is_connected());
    let stranger = world.browser().get(&page.url).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    assert!(!stranger.body.contains("Acme") && !stranger.body.contains("Ada"));
}
