//! Vending: one live token for the backend, or an answer that it can act on.

use dev::aws::{Fault, Reply};
use serde_json::{Value, json};
use simulated_notion::{
    ACME, ADA, Endpoint, ErrorShape, Fault as NotionFault, RefreshTokenOnExchange, UnknownIntrospection,
};

use crate::harness::{World, ada, has_lease, number, person, string};

/// A world in which Ada has installed.
async fn installed() -> World {
    let world = World::start().await;
    let page = world.browser().install_as(|_| {}).await;
    assert!(page.is_connected(), "{}", world.leaks.log());
    world
}

fn token(answer: &Value) -> &str {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}"))
}

fn refused(answer: &Value) -> Value {
    json!({"refused_fingerprint": answer["fingerprint"]})
}

#[tokio::test]
async fn a_stored_token_comes_back_with_its_fingerprint_and_nothing_of_the_refresh_token() {
    let world = installed().await;
    let answer = world.vend(json!({"caller": "the billing job"})).await;
    assert!(world.works(token(&answer)).await);
    assert_eq!(answer["health"], "active");
    let row = world.row().await;
    let pair = row["pair"].as_l().unwrap()[0].as_m().unwrap();
    assert_eq!(answer["fingerprint"].as_str(), string(pair, "access_fingerprint"));
    assert_eq!(answer["version"], number(&row, "version"));
    let fields: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["access_token", "fingerprint", "generation", "health", "version"]);
    // The audit: caller, person, token version. The world's leak search looks for the token itself.
    let line = world.last_line_with("Vended");
    assert_eq!((&line["caller_says"], &line["version"]), (&json!("the billing job"), &answer["version"]));
    assert_eq!(line["installation"], format!("{ACME}/user/{ADA}"));
    assert_eq!(world.notion().count(Endpoint::Token), 1, "nothing was refreshed");
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_late_callers_get_the_new_one() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    world.expire_access_tokens();
    assert!(!world.works(token(&before)).await);
    let after = world.vend(refused(&before)).await;
    assert!(world.works(token(&after)).await);
    assert_ne!(after["fingerprint"], before["fingerprint"]);
    let late = world.vend(refused(&before)).await;
    assert_eq!(late["access_token"], after["access_token"]);
    assert_eq!(world.notion().count(Endpoint::Token), 2, "one exchange, one refresh");
    let row = world.row().await;
    assert!(!has_lease(&row) && row.contains_key("refreshed_at_ms"), "{row:?}");
    assert_eq!(row["used_up"].as_l().unwrap().len(), 1);
}

#[tokio::test]
async fn a_forced_refresh_returns_a_pair_that_is_newer_than_the_request() {
    let world = installed().await;
    let first = world.vend(json!({"refresh": true})).await;
    let second = world.vend(json!({"refresh": true})).await;
    assert_ne!(first["fingerprint"], second["fingerprint"]);
    assert!(world.works(token(&second)).await);
    assert_eq!(world.notion().count(Endpoint::Token), 3);
    assert_eq!(world.row().await["used_up"].as_l().unwrap().len(), 2);
}

#[tokio::test]
async fn a_person_without_an_installation_can_be_sent_to_install() {
    let world = World::start().await;
    let answer = world.vend(json!({})).await;
    assert_eq!(
        (&answer["error"], &answer["install_url"]),
        (&json!("not_installed"), &json!(world.url("/install")))
    );
    for (input, named) in [
        (json!({}), "user_id"),
        (json!({"workspace_id": ACME}), "user_id"),
        (json!({"user_id": ADA}), "workspace_id"),
        (json!({"workspace_id": "a/b", "user_id": ADA}), "workspace_id"),
        (json!({"workspace_id": ACME, "user_id": "a b"}), "user_id"),
        (json!({"workspace_id": ACME, "user_id": 7}), "user_id"),
        (ada(json!({"refresh": "yes"})), "refresh"),
        (ada(json!({"refused_fingerprint": 7})), "refused_fingerprint"),
    ] {
        let answer = world.ask("token", input.clone()).await;
        assert_eq!(answer["error"], "malformed", "{input}: {answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(named), "{input}: {answer}");
    }
    let workspace = json!({"workspace_id": ACME, "user_id": null});
    assert_eq!(world.ask("token", workspace).await["error"], "not_installed");
}

#[tokio::test]
async fn a_dead_grant_is_marked_and_a_new_install_heals_it() {
    for shape in [ErrorShape::A, ErrorShape::B] {
        let world = installed().await;
        world.notion().change_settings(|settings| settings.error_shape = shape);
        let before = world.vend(json!({})).await;
        world.notion().revoke_grants_of(ADA, ACME);
        let answer = world.vend(refused(&before)).await;
        assert_eq!(answer["error"], "needs_reinstall", "{answer}");
        assert_eq!(answer["install_url"], world.url("/install"));
        assert_eq!(string(&world.row().await, "health"), Some("needs_reinstall"));
        assert_eq!(world.last_line_with("NeedsReinstall")["NeedsReinstall"], 1);
        // A dead token is never vended again, and Notion is not asked again.
        let asked = world.notion().count(Endpoint::Token);
        assert_eq!(world.vend(json!({})).await["error"], "needs_reinstall");
        assert_eq!(world.notion().count(Endpoint::Token), asked);
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        assert!(world.works(token(&world.vend(json!({})).await)).await);
        let row = world.row().await;
        assert!(!row.contains_key("needs_reinstall_at_ms") && number(&row, "generation") == 2, "{row:?}");
    }
}

#[tokio::test]
async fn an_undecided_refresh_marks_nothing_and_says_when_to_try_again() {
    let status = |status, retry_after: Option<&str>| NotionFault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
    };
    for (fault, reason, least_secs) in [
        (status(429, Some("120")), "come_back_later", 119),
        (status(529, Some("60")), "come_back_later", 59),
        (status(500, None), "outcome_unknown", 30),
        (status(503, None), "outcome_unknown", 30),
        (status(403, None), "refused_by_notion", 60),
        (status(404, None), "refused_by_notion", 60),
        (NotionFault::Html(403), "blocked", 60),
        (NotionFault::DropBeforeProcessing, "outcome_unknown", 30),
    ] {
        let case = format!("{fault:?}");
        let world = installed().await;
        let before = world.vend(json!({})).await;
        world.notion().inject(Endpoint::Token, fault, u32::MAX);
        let answer = world.vend(refused(&before)).await;
        assert_eq!((&answer["error"], &answer["reason"]), (&json!("try_later"), &json!(reason)), "{case}");
        assert!(answer["retry_after_secs"].as_u64().unwrap() >= least_secs, "{case}: {answer}");
        let row = world.row().await;
        assert_eq!(string(&row, "health"), Some("active"), "{case}");
        assert!(!has_lease(&row), "{case}: the lease was released");
        // Until then nobody asks Notion. The stored token is still vended to callers that did not see it fail.
        let asked = world.notion().count(Endpoint::Token);
        assert_eq!(world.vend(refused(&before)).await["error"], "try_later", "{case}");
        assert_eq!(world.vend(json!({})).await["access_token"], before["access_token"], "{case}");
        assert_eq!(world.notion().count(Endpoint::Token), asked, "{case}");
        // Then it works.
        world.notion().clear_faults();
        world.clock.advance_secs(answer["retry_after_secs"].as_u64().unwrap() + 1);
        let after = world.vend(refused(&before)).await;
        assert!(world.works(token(&after)).await, "{case}");
    }
}

#[tokio::test]
async fn a_lost_reply_allows_one_more_try() {
    // If Notion did not process the request, or keeps the previous token alive, the second try brings a pair.
    for (fault, works) in [
        (NotionFault::DropBeforeProcessing, true),
        (NotionFault::Status { status: 502, retry_after: None }, true),
        // Consumed, and the only pair is lost: that is then certain.
        (NotionFault::LostReply, false),
        (NotionFault::ProcessedThen5xx(500), false),
    ] {
        let case = format!("{fault:?}");
        let world = installed().await;
        let before = world.vend(json!({})).await;
        world.notion().inject(Endpoint::Token, fault, 1);
        let answer = world.vend(refused(&before)).await;
        assert_eq!(world.notion().count(Endpoint::Token), 3, "{case}: exchange, lost, once more");
        if works {
            assert!(world.works(token(&answer)).await, "{case}");
        } else {
            assert_eq!(answer["error"], "needs_reinstall", "{case}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let world = installed().await;
    world.notion().change_settings(|settings| settings.refresh_answers_null = true);
    let mut last = world.vend(json!({})).await;
    for _ in 0..3 {
        let next = world.vend(json!({"refresh": true})).await;
        assert!(world.works(token(&next)).await);
        assert_ne!(next["fingerprint"], last["fingerprint"]);
        last = next;
    }
    assert!(world.row().await["used_up"].as_l().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_introspected() {
    let world = World::start().await;
    world
        .notion()
        .change_settings(|settings| settings.refresh_token_on_exchange = RefreshTokenOnExchange::Null);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let before = world.vend(json!({})).await;
    // Refused without reason: it is alive, and there is no other.
    let alive = world.vend(refused(&before)).await;
    assert_eq!(
        (&alive["error"], &alive["fingerprint"]),
        (&json!("refused_but_alive"), &before["fingerprint"])
    );
    // Notion does not document any other answer for an unknown token, so it decides nothing.
    world.notion().revoke_grants_of(ADA, ACME);
    world
        .notion()
        .change_settings(|settings| settings.introspect_of_unknown_token = UnknownIntrospection::Refused);
    assert_eq!(world.vend(refused(&before)).await["error"], "try_later");
    assert_eq!(string(&world.row().await, "health"), Some("active"));
    world
        .notion()
        .change_settings(|settings| settings.introspect_of_unknown_token = UnknownIntrospection::Inactive);
    assert_eq!(world.vend(refused(&before)).await["error"], "needs_reinstall");
    assert_eq!(string(&world.row().await, "health"), Some("needs_reinstall"));
}

#[tokio::test]
async fn a_store_or_secret_failure_is_answered_as_try_later() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    world.stack.dynamodb().inject("GetItem", Fault::Answer(Reply::error(400, "AccessDeniedException")), 1);
    let answer = world.vend(json!({})).await;
    assert_eq!((&answer["error"], &answer["reason"]), (&json!("try_later"), &json!("store")));
    world.stack.dynamodb().inject("UpdateItem", Fault::Answer(Reply::error(400, "AccessDeniedException")), 1);
    assert_eq!(world.vend(refused(&before)).await["reason"], "store");
    assert_eq!(world.notion().count(Endpoint::Token), 1, "no refresh without a lease");
    world.clock.advance_secs(7 * 3600);
    world.stack.secrets_manager().inject(
        "*",
        Fault::Answer(Reply::error(500, "InternalServiceError")),
        u32::MAX,
    );
    assert_eq!(world.vend(json!({})).await["reason"], "secrets");
}

#[tokio::test]
async fn a_row_of_another_connection_is_neither_vended_nor_refreshed() {
    let world = installed().await;
    let id = format!("{ACME}/user/{ADA}");
    let other = aws_sdk_dynamodb::types::AttributeValue::S("another-client".to_owned());
    world.tamper(&id, "SET client_id = :other", &[(":other", other)]).await;
    for more in [json!({}), json!({"refresh": true})] {
        assert_eq!(world.vend(more).await["error"], "needs_reinstall");
    }
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    assert!(world.leaks.log().contains("\"alarm\":\"other_connection\""));
}

#[tokio::test]
async fn a_seal_that_was_moved_to_another_row_does_not_open() {
    let world = installed().await;
    let grace = simulated_notion::GRACE;
    assert!(
        world.browser().install_as(|approval| grace.clone_into(&mut approval.person)).await.is_connected()
    );
    let rows = world.installations().await;
    let of = |user: &str| rows.iter().find(|row| string(row, "owner_user_id") == Some(user)).unwrap();
    let id = string(of(ADA), "installation_id").unwrap();
    world.tamper(id, "SET pair = :pair", &[(":pair", of(grace)["pair"].clone())]).await;
    let answer = world.vend(json!({})).await;
    assert_eq!((&answer["error"], &answer["reason"]), (&json!("try_later"), &json!("broken_seal")));
    assert!(world.leaks.log().contains("\"alarm\":\"broken_seal\""));
    let answer = world.ask("token", person(grace, ACME, json!({}))).await;
    assert!(world.works(token(&answer)).await);
}
