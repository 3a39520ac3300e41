//! How Notion may answer an exchange, and what the person is told.

use dev::stack::SIMULATED_CLIENT_ID;
use serde_json::json;
use simulated_notion::{Endpoint, ErrorShape, Fault, OwnerShape};

use crate::harness::{World, string};

fn status(status: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status { status, retry_after: retry_after.map(str::to_owned) }
}

/// Injects one fault into the exchange. Checks how often the code was sent, what the person read, what the claim
/// says.
async fn assert_outcome(fault: Fault, exchanges: usize, heading: &str, outcome: &str) {
    let case = format!("{fault:?}").chars().take(80).collect::<String>();
    let world = World::start().await;
    world.notion().inject(Endpoint::Token, fault, 1);
    let browser = world.browser();
    let page = browser.install_as(|_| {}).await;
    assert_eq!(page.heading(), heading, "{case}");
    assert_eq!(world.notion().count(Endpoint::Token), exchanges, "{case}");
    assert_eq!(string(&world.claims().await[0], "outcome"), Some(outcome), "{case}");
    assert_eq!(world.installations().await.len(), usize::from(outcome == "connected"), "{case}");
    // A reload changes nothing.
    assert_eq!(browser.get(&page.url).await.heading(), heading, "{case}");
    // A new attempt works.
    assert!(browser.install_as(|_| {}).await.is_connected(), "{case}");
}

const CONNECTED: (&str, &str) = ("Sample app is connected to Notion", "connected");
const UNKNOWN: (&str, &str) = ("Notion did not answer in time", "outcome_unknown");
const UNAVAILABLE: (&str, &str) = ("Not available just now", "unavailable");
const MISCONFIGURED: (&str, &str) = ("Sample app is not set up correctly", "misconfigured");
const CODE_REJECTED: (&str, &str) = ("Notion did not accept this approval", "code_rejected");

#[tokio::test]
async fn what_notion_did_not_process_is_sent_again_if_the_wait_fits() {
    // The date has passed. An unreadable value counts as absent.
    for retry_after in [Some("0"), Some("1"), None, Some("Wed, 21 Oct 2026 07:28:00 GMT"), Some("-1")] {
        assert_outcome(status(429, retry_after), 2, CONNECTED.0, CONNECTED.1).await;
    }
    assert_outcome(status(529, Some("0")), 2, CONNECTED.0, CONNECTED.1).await;
}

#[tokio::test]
async fn a_wait_that_does_not_fit_is_not_waited_for() {
    for retry_after in [
        "60",
        "1000000000",
        "9999999999999999999",
        "99999999999999999999999",
        "Mon, 23 Nov 2026 00:00:00 GMT",
    ] {
        assert_outcome(status(429, Some(retry_after)), 1, UNAVAILABLE.0, UNAVAILABLE.1).await;
    }
    assert_outcome(status(529, Some("60")), 1, UNAVAILABLE.0, UNAVAILABLE.1).await;
}

#[tokio::test]
async fn a_code_that_may_be_spent_is_never_sent_again() {
    for fault in [
        status(500, None),
        status(502, None),
        status(503, Some("0")),
        status(504, None),
        Fault::ProcessedThen5xx(500),
        Fault::LostReply,
        Fault::DropBeforeProcessing,
        Fault::Truncated,
        Fault::Huge,
        Fault::NotJson,
        Fault::Html(503),
        Fault::Html(200),
        Fault::Body(json!([])),
        Fault::Body(json!({"token_type": "bearer"})),
        Fault::Body(json!({"access_token": ""})),
        Fault::Body(json!({"access_token": 5})),
        status(301, None),
        status(307, None),
        status(400, None),
    ] {
        let refused = matches!(fault, Fault::Status { status: 400, .. });
        let (heading, outcome) = if refused { CODE_REJECTED } else { UNKNOWN };
        assert_outcome(fault, 1, heading, outcome).await;
    }
}

/// Names and icons come from other people. An answer with tokens is parsed whatever they are.
#[tokio::test]
async fn a_name_or_icon_of_any_size_loses_no_tokens() {
    let world = World::start().await;
    for icon in [json!(format!("data:image/png;base64,{}", "A".repeat(300_000))), json!("\u{fffe}\u{ffff}")] {
        let patch = || Fault::PatchResponse(json!({"workspace_icon": icon, "workspace_name": icon}));
        world.notion().inject(Endpoint::Token, patch(), 1);
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.notion().inject(Endpoint::Token, patch(), 1);
        let vended = world.ask("token", crate::harness::ada(json!({"refresh": true}))).await;
        assert_eq!(vended["health"], "active", "{vended}");
        // Also through the rescue queue.
        let denied = dev::aws::Fault::Answer(dev::aws::Reply::error(400, "AccessDeniedException"));
        world.stack.dynamodb().inject("TransactWriteItems", denied, u32::MAX);
        world.notion().inject(Endpoint::Token, patch(), 1);
        assert_eq!(world.browser().install_as(|_| {}).await.heading(), "Almost there");
        world.stack.dynamodb().clear_faults();
        assert_eq!(world.ask("sweep", json!({})).await["Recovered"], 1);
    }
}

#[tokio::test]
async fn a_block_by_the_network_in_front_of_notion_does_not_spend_the_code() {
    assert_outcome(Fault::Html(403), 1, UNAVAILABLE.0, UNAVAILABLE.1).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_an_unknown_outcome() {
    // A function with six seconds in total gives the exchange two and a half.
    let world = World::start_with(|options| options.function_timeout_ms = 6000).await;
    world.notion().inject(Endpoint::Token, Fault::Hold, 1);
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!(page.heading(), UNKNOWN.0);
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    assert!(world.leaks.log().contains("\"alarm\":\"outcome_unknown\""));
}

#[tokio::test]
async fn a_notion_that_cannot_be_reached_was_sent_no_code() {
    let world = World::start_with(|options| {
        // A port on which nothing listens, and which is never assigned to a connection.
        options.variables.insert("NOTION_BASE_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    })
    .await;
    let browser = world.browser();
    let authorize = browser.install().await;
    let state = authorize.split("state=").nth(1).unwrap();
    let page = browser.follow(&world.url(&format!("/callback?code=unspent&state={state}"))).await;
    assert_eq!(page.heading(), UNAVAILABLE.0);
    let log = world.leaks.log();
    assert!(log.contains("\"alarm\":\"not_sent\"") && log.contains("\"exchange\":\"not_sent\""), "{log}");
}

#[tokio::test]
async fn a_secrets_manager_that_hangs_does_not_hold_a_refused_exchange_beyond_its_time() {
    let world = World::start_with(|options| options.function_timeout_ms = 6000).await;
    world.notion().rotate_secret(SIMULATED_CLIENT_ID, "secret_not_stored_yet");
    world.stack.secrets_manager().inject("*", dev::aws::Fault::Silent, u32::MAX);
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!(page.heading(), MISCONFIGURED.0);
    assert_eq!(string(&world.claims().await[0], "outcome"), Some("misconfigured"));
}

#[tokio::test]
async fn both_error_shapes_are_understood() {
    for shape in [ErrorShape::A, ErrorShape::B] {
        for (code, http, expected) in [
            ("invalid_grant", 400, CODE_REJECTED),
            ("invalid_request", 400, CODE_REJECTED),
            ("unauthorized_client", 400, MISCONFIGURED),
            ("unsupported_grant_type", 400, MISCONFIGURED),
            ("test_env_error", 403, MISCONFIGURED),
        ] {
            let world = World::start().await;
            world.notion().change_settings(|settings| settings.error_shape = shape);
            let fault =
                Fault::Error { status: http, code: code.to_owned(), message: Some("<b>x</b>".to_owned()) };
            world.notion().inject(Endpoint::Token, fault, 1);
            let page = world.browser().install_as(|_| {}).await;
            assert_eq!(page.heading(), expected.0, "{code} in shape {shape:?}");
            assert!(!page.body.contains("<b>"));
            assert_eq!(world.notion().count(Endpoint::Token), 1);
        }
    }
}

#[tokio::test]
async fn a_used_or_foreign_code_fires_no_alarm() {
    let world = World::start().await;
    let browser = world.browser();
    let authorize = browser.install().await;
    let state = authorize.split("state=").nth(1).unwrap();
    let page = browser.follow(&world.url(&format!("/callback?code=never-issued&state={state}"))).await;
    assert_eq!(page.heading(), CODE_REJECTED.0);
    assert!(!world.leaks.log().contains("\"alarm\":\"invalid_grant\""));
}

#[tokio::test]
async fn unusable_tokens_are_revoked() {
    for (what, fault) in [
        ("token_type mac", Fault::PatchResponse(json!({"token_type": "mac"}))),
        ("no token_type", Fault::RemoveFields(vec!["token_type".to_owned()])),
        ("no workspace", Fault::RemoveFields(vec!["workspace_id".to_owned()])),
        ("a workspace that could be two", Fault::PatchResponse(json!({"workspace_id": "a/user/b"}))),
        ("no bot", Fault::PatchResponse(json!({"bot_id": null}))),
        ("no owner", Fault::PatchResponse(json!({"owner": {}}))),
        (
            "an owner that is nobody",
            Fault::PatchResponse(json!({"owner": {"type": "workspace", "workspace": false}})),
        ),
    ] {
        let world = World::start().await;
        world.notion().inject(Endpoint::Token, fault, 1);
        let page = world.browser().install_as(|_| {}).await;
        assert_eq!(page.heading(), UNAVAILABLE.0, "{what}");
        assert_eq!(world.notion().count(Endpoint::Revoke), 1, "{what}");
        assert!(world.notion().grants()[0].access_tokens.is_empty(), "{what}");
        assert_eq!(world.installations().await.len(), 0, "{what}");
    }
    // `bearer` in any case is accepted (RFC 6749 §5.1).
    assert_outcome(Fault::PatchResponse(json!({"token_type": "BEARER"})), 1, CONNECTED.0, CONNECTED.1).await;
}

#[tokio::test]
async fn every_owner_and_every_optional_field_installs() {
    for (owner, owner_type, shown) in [
        (OwnerShape::Full, "user", Some("Ada")),
        (OwnerShape::WithoutEmail, "user", Some("Ada")),
        (OwnerShape::Partial, "user", None),
        (OwnerShape::WithoutName, "user", Some("ada@example.org")),
        (OwnerShape::LegacyUserWithoutType, "user", Some("Ada")),
        (OwnerShape::Workspace, "workspace", None),
        (OwnerShape::LegacyWorkspaceWithoutType, "workspace", None),
    ] {
        let world = World::start().await;
        world.notion().change_settings(|settings| {
            settings.owner = owner;
            settings.extra_fields = true;
        });
        let page = world.browser().install_as(|_| {}).await;
        assert!(page.is_connected(), "{owner:?}");
        assert_eq!(page.body.contains("<dt>Person"), shown.is_some(), "{owner:?}");
        assert!(shown.is_none_or(|name| page.body.contains(name)), "{owner:?}");
        let rows = world.installations().await;
        assert_eq!(string(&rows[0], "owner_type"), Some(owner_type), "{owner:?}");
        let id = string(&rows[0], "installation_id").unwrap();
        assert_eq!(id.ends_with("/workspace"), owner_type == "workspace", "{id}");
    }
    for fault in [
        Fault::PatchResponse(json!({"refresh_token": null})),
        Fault::PatchResponse(json!({"workspace_name": null, "workspace_icon": null})),
        Fault::PatchResponse(
            json!({"workspace_icon": "🎉", "expires_in": 3600, "scope": ["x"], "request_id": null}),
        ),
        Fault::PatchResponse(
            json!({"workspace_name": 5, "workspace_icon": {}, "duplicated_template_id": []}),
        ),
        Fault::RemoveFields(vec![
            "request_id".to_owned(),
            "refresh_token".to_owned(),
            "workspace_name".to_owned(),
        ]),
    ] {
        assert_outcome(fault, 1, CONNECTED.0, CONNECTED.1).await;
    }
}

#[tokio::test]
async fn a_rotated_client_secret_burns_no_code() {
    let world = World::start().await;
    let browser = world.browser();
    // Stored in Secrets Manager after the function cached the old one.
    world.store_client_secret("secret_second");
    world.notion().rotate_secret(SIMULATED_CLIENT_ID, "secret_second");
    assert!(browser.install_as(|_| {}).await.is_connected());
    assert_eq!(
        world.notion().count(Endpoint::Token),
        2,
        "once with the cached secret, once with the new one"
    );
    assert!(browser.install_as(|_| {}).await.is_connected());
    assert_eq!(world.notion().count(Endpoint::Token), 3, "the new one is cached");
    // Stored, but Notion still accepts only the previous one.
    world.store_client_secret("secret_third");
    world.clock.advance_secs(301);
    assert!(browser.install_as(|_| {}).await.is_connected());
    assert_eq!(world.notion().count(Endpoint::Token), 5, "AWSCURRENT, then AWSPREVIOUS");
    assert!(world.leaks.log().contains("previous_secret"));
}

#[tokio::test]
async fn a_secret_that_notion_does_not_accept_is_a_misconfiguration() {
    let world = World::start().await;
    world.notion().rotate_secret(SIMULATED_CLIENT_ID, "secret_regenerated_by_somebody");
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!(page.heading(), MISCONFIGURED.0);
    assert_eq!(world.notion().count(Endpoint::Token), 1, "there is no other version to try");
    assert!(world.leaks.log().contains("\"alarm\":\"invalid_client\""));
}
