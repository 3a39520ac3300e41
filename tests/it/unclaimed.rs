//! Installations that an app asked for and nobody claimed: never vended, and given back after the claim window.

use serde_json::{Value, json};
use simulated_notion::ADA;

use crate::app::{Begun, Returned};
use crate::harness::{World, string};

const WINDOW_SECS: u64 = 3600;

async fn sweep(world: &World) -> Value {
    world.ask("sweep", json!({})).await
}

async fn returned(world: &World) -> (Begun, Returned) {
    let begun = Begun::new(world);
    let returned = world.browser().connect(&begun, |_| {}).await;
    (begun, returned)
}

#[tokio::test]
async fn what_nobody_claims_is_given_back_after_the_window() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    let token = world.open_access(&world.row().await);
    world.clock.advance_secs(WINDOW_SECS - 60);
    assert_eq!(sweep(&world).await["GivenBackUnclaimed"], Value::Null, "not before");
    assert!(world.works(&token).await);
    assert_eq!(world.vend(json!({})).await["error"], "unclaimed");
    world.clock.advance_secs(120);
    let swept = sweep(&world).await;
    assert_eq!(
        (swept["GivenBackUnclaimed"].as_u64(), swept["Removed"].as_u64()),
        (Some(1), Some(1)),
        "{swept}"
    );
    assert!(!world.works(&token).await);
    let row = world.row().await;
    assert_eq!(string(&row, "health"), Some("removed"));
    assert!(!row.contains_key("pending") && !row.contains_key("claim_by_ms"), "{row:?}");
    assert_eq!(world.ask("claim", begun.claim(&back, "user 1")).await["error"], "removed");
    assert_eq!(world.vend(json!({})).await["error"], "removed");
}

#[tokio::test]
async fn what_is_claimed_is_never_given_back() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.clock.advance_secs(30 * WINDOW_SECS);
    sweep(&world).await;
    world.clock.advance_secs(300 * WINDOW_SECS);
    let swept = sweep(&world).await;
    assert_eq!(swept["GivenBackUnclaimed"], Value::Null);
    assert!(world.ask("token", json!({"subject": "user 1"})).await["error"].is_null());
    assert!(!world.row().await.contains_key("claim_by_ms"));
}

#[tokio::test]
async fn what_was_active_before_stays_although_nobody_claims_it() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    returned(&world).await;
    assert!(world.vend(json!({})).await["error"].is_null(), "it was vended before, and still is");
    world.clock.advance_secs(2 * WINDOW_SECS);
    assert_eq!(sweep(&world).await["GivenBackUnclaimed"], Value::Null);
    assert!(world.vend(json!({})).await["error"].is_null());
    // The same with a subject.
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    returned(&world).await;
    world.clock.advance_secs(2 * WINDOW_SECS);
    assert_eq!(sweep(&world).await["GivenBackUnclaimed"], Value::Null);
    assert!(world.ask("token", json!({"subject": "user 1"})).await["error"].is_null());
}

#[tokio::test]
async fn what_was_dead_before_is_nobodys_until_it_is_claimed() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world.notion().revoke_grants_of(ADA, simulated_notion::ACME);
    assert_eq!(world.vend(json!({"refresh": true})).await["error"], "needs_reinstall");
    let (begun, back) = returned(&world).await;
    assert_eq!(world.vend(json!({})).await["error"], "unclaimed");
    assert_eq!(world.ask("claim", begun.claim(&back, "user 1")).await["health"], "active");
    assert!(world.vend(json!({})).await["error"].is_null());
}

#[tokio::test]
async fn a_row_of_an_earlier_version_is_somebodys() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let id = string(&world.row().await, "installation_id").unwrap().to_owned();
    world.tamper(&id, "REMOVE owned_since_ms", &[]).await;
    assert!(world.vend(json!({})).await["error"].is_null());
    returned(&world).await;
    assert!(world.vend(json!({})).await["error"].is_null());
    world.clock.advance_secs(2 * WINDOW_SECS);
    assert_eq!(sweep(&world).await["GivenBackUnclaimed"], Value::Null);
}

#[tokio::test]
async fn an_install_without_an_app_takes_an_unclaimed_one_over() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    assert!(world.vend(json!({})).await["error"].is_null());
    world.clock.advance_secs(300);
    // The app may still claim it.
    assert_eq!(world.ask("claim", begun.claim(&back, "user 1")).await["subjects"], json!(["user 1"]));
    world.clock.advance_secs(2 * WINDOW_SECS);
    assert_eq!(sweep(&world).await["GivenBackUnclaimed"], Value::Null);
}

#[tokio::test]
async fn a_second_install_extends_the_window_and_both_codes_are_good() {
    let world = World::start().await;
    let (first, first_back) = returned(&world).await;
    world.clock.advance_secs(300);
    let (second, second_back) = returned(&world).await;
    world.clock.advance_secs(200);
    assert_eq!(world.ask("claim", first.claim(&first_back, "user 1")).await["subjects"], json!(["user 1"]));
    assert_eq!(
        world.ask("claim", second.claim(&second_back, "user 2")).await["subjects"],
        json!(["user 1", "user 2"])
    );
}

/// The sweep gives back, while the app claims: whatever comes first wins, and the other sees it.
#[tokio::test]
async fn a_claim_and_the_sweep_at_the_same_moment_have_one_winner() {
    for round in 0..20 {
        let world = World::start_with(|options| {
            options.variables.insert("CLAIM_WINDOW_MINUTES".to_owned(), "10".to_owned());
        })
        .await;
        let (begun, back) = returned(&world).await;
        // The clock moves with every look at it, so that the code is still valid and the window is over.
        let row = world.row().await;
        let id = string(&row, "installation_id").unwrap().to_owned();
        let now = aws_sdk_dynamodb::types::AttributeValue::N(world.clock_ms().to_string());
        world.tamper(&id, "SET claim_by_ms = :now, due_at_ms = :now", &[(":now", now)]).await;
        let claiming = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            world.ask("claim", begun.claim(&back, "user 1")).await
        };
        let (claimed, swept) = tokio::join!(claiming, sweep(&world));
        let given_back = swept["GivenBackUnclaimed"] == 1;
        assert_eq!(claimed["error"].is_null(), !given_back, "round {round}: {claimed} {swept}");
        assert_eq!(world.links().await.len(), usize::from(!given_back));
        let live = world.ask("token", json!({"subject": "user 1"})).await;
        assert_eq!(live["error"].is_null(), !given_back);
        if given_back {
            assert_eq!(claimed["error"], "removed");
        }
    }
}

#[tokio::test]
async fn a_claim_window_that_is_no_number_of_minutes_is_misconfigured() {
    for odd in ["0", "9", "1441", "an hour", "-1"] {
        let lookup = |name: &str| match name {
            "CLAIM_WINDOW_MINUTES" => Some(odd.to_owned()),
            "NOTION_REDIRECT_URI" => Some("http://localhost/callback".to_owned()),
            name => Some(format!("a-{name}").to_lowercase().replace('_', "-"))
                .filter(|_| !name.starts_with("NOTION_BASE") && !name.contains("ENDPOINT")),
        };
        let vault =
            vault::Vault::read(&lookup, shared::clock::SystemClock, shared::random::OsRandom).unwrap();
        assert!(vault.with_claim_window(&lookup).is_err(), "{odd}");
    }
}
