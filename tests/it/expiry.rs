//! Notion sends no `expires_in` today. If an answer has it, it is used; without it, none is assumed.

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::{Endpoint, Fault, Rotation};

use crate::harness::{START, World};

const LIFETIME_SECS: u64 = 3600;

/// A world whose Notion says how long an access token works.
async fn expiring() -> World {
    let world = World::start().await;
    world.notion().change_settings(|settings| {
        settings.access_token_lifetime_secs = Some(LIFETIME_SECS);
        settings.sends_expires_in = true;
    });
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world
}

fn refreshes(world: &World) -> usize {
    world.notion().count(Endpoint::Token) - 1
}

#[tokio::test]
async fn a_token_is_refreshed_ahead_of_its_end_and_once_however_many_ask() {
    for rotation in
        [Rotation::Strict, Rotation::Grace { valid_refresh_tokens: 2 }, Rotation::FamilyRevocation]
    {
        let world = expiring().await;
        world.notion().change_settings(|settings| settings.rotation = rotation);
        let first = world.vend(json!({})).await;
        let expires_at = first["expires_at"].as_u64().unwrap();
        assert_eq!(expires_at / 60, START.0 / 1000 / 60 + LIFETIME_SECS / 60, "{first}");
        world.clock.advance_secs(LIFETIME_SECS - 300);
        assert_eq!(world.vend(json!({})).await["access_token"], first["access_token"]);
        assert_eq!(refreshes(&world), 0, "{rotation:?}");
        // Within the margin.
        world.clock.advance_secs(240);
        let answers = join_all((0..50).map(|_| world.vend(json!({})))).await;
        assert_eq!(refreshes(&world), 1, "{rotation:?}");
        for answer in answers {
            assert_ne!(answer["access_token"], first["access_token"], "{rotation:?}: {answer}");
            assert!(answer["expires_at"].as_u64().unwrap() > expires_at, "{rotation:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn while_notion_is_unreachable_a_live_token_is_still_vended() {
    let world = expiring().await;
    let first = world.vend(json!({})).await;
    world.clock.advance_secs(LIFETIME_SECS - 60);
    let busy = Fault::Status { status: 429, retry_after: Some("30".to_owned()) };
    world.notion().inject(Endpoint::Token, busy, u32::MAX);
    for _ in 0..3 {
        assert_eq!(world.vend(json!({})).await["access_token"], first["access_token"]);
    }
    assert_eq!(refreshes(&world), 1, "asked once; then all callers wait as long as Notion says");
    // Once it has expired, it is no longer vended.
    world.clock.advance_secs(61);
    assert_eq!(world.vend(json!({})).await["error"], "try_later");
    world.notion().clear_faults();
    world.clock.advance_secs(60);
    let after = world.vend(json!({})).await;
    assert!(world.works(after["access_token"].as_str().unwrap()).await, "{after}");
}

#[tokio::test]
async fn no_expiry_is_assumed() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    assert_eq!(world.vend(json!({})).await["expires_at"], Value::Null);
    // An invalid value counts as absent, and an answer without one says nothing about the new token.
    for odd in
        [json!(0), json!(-5), json!("soon"), json!(null), json!(1.5), json!({"secs": 5}), json!(u64::MAX)]
    {
        let patch = Fault::PatchResponse(json!({"expires_in": odd}));
        world.notion().inject(Endpoint::Token, patch, 1);
        let answer = world.vend(json!({"refresh": true})).await;
        assert!(answer["access_token"].is_string() && answer["expires_at"].is_null(), "{odd}: {answer}");
    }
    for plain in [json!(3600), json!("3600")] {
        world.notion().inject(Endpoint::Token, Fault::PatchResponse(json!({"expires_in": plain})), 1);
        let answer = world.vend(json!({"refresh": true})).await;
        assert!(answer["expires_at"].is_u64(), "{plain}: {answer}");
    }
    let answer = world.vend(json!({"refresh": true})).await;
    assert_eq!(answer["expires_at"], Value::Null, "{answer}");
}

#[tokio::test]
async fn a_very_short_life_does_not_refresh_at_every_vend() {
    let world = expiring().await;
    world.notion().change_settings(|settings| settings.access_token_lifetime_secs = Some(60));
    let first = world.vend(json!({"refresh": true})).await;
    for _ in 0..10 {
        assert_eq!(world.vend(json!({})).await["access_token"], first["access_token"]);
    }
    assert_eq!(refreshes(&world), 1);
    world.clock.advance_secs(50);
    assert_ne!(world.vend(json!({})).await["access_token"], first["access_token"]);
}

/// That one token is alive says nothing about another one, nor about itself after it expired.
#[tokio::test]
async fn an_introspection_counts_for_that_token_until_its_expiry() {
    let report = |answer: &Value| json!({"refused_fingerprint": answer["fingerprint"]});
    for of_the_first in [true, false] {
        let world = World::start().await;
        world.notion().change_settings(|settings| {
            settings.access_token_lifetime_secs = Some(300);
            settings.sends_expires_in = true;
        });
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        let first = world.vend(json!({})).await;
        let second = world.vend(report(&first)).await;
        // Fifteen seconds before the early refresh, and fifteen seconds before it expires.
        world.clock.advance_secs(if of_the_first { 210 } else { 285 });
        assert_eq!(world.vend(report(&second)).await["error"], "refused_but_alive");
        world.clock.advance_secs(20);
        let third = world.vend(report(if of_the_first { &first } else { &second })).await;
        assert!(third["access_token"].is_string(), "{third}");
        assert_ne!(third["fingerprint"], second["fingerprint"]);
        assert_eq!(refreshes(&world), 2);
    }
}
