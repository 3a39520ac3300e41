//! A hundred rotations of the client secret and a hundred of the key ring, while everything else goes on.

use dev::aws::{Fault, Reply};
use dev::stack::SIMULATED_CLIENT_ID;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, GRACE};

use crate::harness::{World, ada, string};

const ROTATIONS: usize = 100;

async fn refresh(world: &World) -> Value {
    let answer = world.vend(json!({"refresh": true})).await;
    assert_eq!(answer["health"], "active", "{answer}");
    answer
}

async fn install(world: &World) {
    let page = world.browser().install_as(|_| {}).await;
    assert!(page.is_connected(), "{}", page.heading());
}

#[tokio::test]
async fn a_hundred_client_secrets_fail_no_vend_and_burn_no_code() {
    let world = World::start().await;
    install(&world).await;
    for number in 0..ROTATIONS {
        let secret = format!("secret_rotated-{number}-0123456789abcdef");
        let rotate = async {
            // Like `operator secret rotate`: stored here, then in force at Notion, which invalidates the previous one
            // immediately.
            world.store_client_secret(&secret);
            tokio::task::yield_now().await;
            world.notion().rotate_secret(SIMULATED_CLIENT_ID, &secret);
        };
        let (_, (), (), live) =
            tokio::join!(refresh(&world), install(&world), rotate, world.vend(json!({})),);
        assert_eq!(live["health"], "active", "{live}");
        // After it is in force, each process still has its cached secret.
        tokio::join!(refresh(&world), install(&world));
        // A vend may have used the old one: caches live for five minutes.
        world.clock.advance_secs(301);
    }
    let log = world.leaks.log();
    for trouble in ["CodeRejected", "ExchangeFailed", "NeedsReinstall", "RefreshFailed", "OrphanedGrant"] {
        assert!(!log.contains(&format!("\"{trouble}\":1")), "{trouble}");
    }
    let vended = world.vend(json!({})).await;
    assert!(world.works(vended["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn a_hundred_keys_fail_no_vend_and_the_sweep_seals_everything_anew() {
    let world = World::start().await;
    install(&world).await;
    for number in 2..ROTATIONS + 2 {
        // Like `operator keys rotate`.
        world.stack.rotate_key_ring(&format!("{number:04}-0123456789abcdefghijklmnopqrstuvwxyz"));
        // One process already has the new key, another still seals with the old one.
        if number % 2 == 0 {
            world.clock.advance_secs(301);
        }
        tokio::join!(refresh(&world), install(&world), world.vend(json!({})));
        refresh(&world).await;
    }
    world.clock.advance_secs(301);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!(swept["Rewrapped"], 1, "{swept}");
    assert!(swept["SweepFailed"].is_null(), "{swept}");
    let row = world.row().await;
    let shard = row["seal_shard"].as_s().unwrap();
    assert!(shard.starts_with(&format!("{}/", ROTATIONS + 1)), "{shard}");
    assert!(world.ask("sweep", json!({})).await["Rewrapped"].is_null());
    let vended = world.vend(json!({})).await;
    assert!(world.works(vended["access_token"].as_str().unwrap()).await);
    assert!(!world.leaks.log().contains("broken_seal"));
}

#[tokio::test]
async fn a_broken_seal_does_not_block_the_other_rows() {
    let world = World::start().await;
    install(&world).await;
    world.browser().install_as(|approval| GRACE.clone_into(&mut approval.person)).await;
    let rows = world.installations().await;
    let pair_of = |user: &str| {
        let row = rows.iter().find(|row| string(row, "owner_user_id") == Some(user)).unwrap();
        row["pair"].clone()
    };
    world.tamper(&format!("{ACME}/user/{ADA}"), "SET pair = :pair", &[(":pair", pair_of(GRACE))]).await;
    world.stack.rotate_key_ring("a-new-key-0123456789abcdefghijklmnopqrstuvwxyz");
    world.clock.advance_secs(301);
    assert_eq!(world.ask("sweep", json!({})).await["Rewrapped"], 1, "the one that opens");
    assert_eq!(world.leaks.log().matches("\"alarm\":\"broken_seal\"").count(), 1);
    assert_eq!(world.ask("sweep", json!({})).await, json!({"complete": true}), "it was reported only once");
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_leaves_nothing_unrevoked() {
    let world = World::start().await;
    install(&world).await;
    // The uninstall function still has the previous ring.
    world.stack.rotate_key_ring("a-new-key-0123456789abcdefghijklmnopqrstuvwxyz");
    world.clock.advance_secs(301);
    refresh(&world).await;
    let live = world.vend(json!({})).await;
    let gone = || Fault::Answer(Reply::error(500, "InternalServiceError"));
    world.stack.secrets_manager().inject("*", gone(), u32::MAX);
    let answer = world.ask("uninstall", ada(json!({}))).await;
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(false)));
    assert!(world.works(live["access_token"].as_str().unwrap()).await);
    let log = world.leaks.log();
    assert!(log.contains("\"alarm\":\"secrets\"") && !log.contains("\"alarm\":\"broken_seal\""), "{log}");
    world.stack.secrets_manager().clear_faults();
    world.clock.advance_secs(1);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    assert!(!world.works(live["access_token"].as_str().unwrap()).await);
}
