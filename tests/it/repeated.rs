//! Messages that are delivered twice, or late: every transport promises only at-least-once.

use dev::aws::Fault;
use serde_json::{Value, json};

use crate::harness::{World, ada, number, string};

async fn uninstall(world: &World, more: Value) -> Value {
    world.ask("uninstall", ada(more)).await
}

async fn install(world: &World) {
    world.clock.advance_secs(60);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world.clock.advance_secs(60);
}

#[tokio::test]
async fn the_generation_goes_on_after_a_person_was_forgotten() {
    let world = World::start().await;
    install(&world).await;
    let message = json!({"generation": 1, "forget": true});
    assert_eq!(uninstall(&world, message.clone()).await["removed"], true);
    install(&world).await;
    let answer = uninstall(&world, message.clone()).await;
    assert_eq!(
        (&answer["error"], &answer["generation"]),
        (&json!("other_generation"), &json!(2)),
        "{answer}"
    );
    assert_eq!(world.vend(json!({})).await["health"], "active");

    // Through a second forget, an uninstall without a generation, and one of a person without an installation.
    assert_eq!(uninstall(&world, json!({"forget": true})).await["removed"], true);
    assert_eq!(uninstall(&world, json!({"forget": true})).await["removed"], true);
    install(&world).await;
    assert_eq!(world.vend(json!({})).await["generation"], 3);
    assert_eq!(uninstall(&world, message).await["error"], "other_generation");

    // And over a tombstone that was written after the forget.
    assert_eq!(uninstall(&world, json!({"forget": true})).await["removed"], true);
    assert_eq!(uninstall(&world, json!({})).await["removed"], true);
    install(&world).await;
    assert_eq!(world.vend(json!({})).await["generation"], 4);
    // An install over an existing row, while the hash of the forgotten person is still there.
    install(&world).await;
    assert_eq!(world.vend(json!({})).await["generation"], 5);
}

#[tokio::test]
async fn a_lost_reply_to_a_save_after_a_forgetting_counts_the_install_once() {
    let world = World::start().await;
    install(&world).await;
    uninstall(&world, json!({"forget": true})).await;
    for lost in 1..4 {
        world.stack.dynamodb().inject("TransactWriteItems", Fault::LostReply, lost);
        install(&world).await;
        assert_eq!(world.vend(json!({})).await["generation"], u64::from(lost) + 1);
    }
}

#[tokio::test]
async fn a_repeated_uninstall_of_one_generation_spares_a_later_install_that_is_not_saved_yet() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    install(&world).await;
    let message = json!({"generation": 1});
    assert_eq!(uninstall(&world, message.clone()).await["removed"], true);
    let removed_at_ms = number(&world.row().await, "removed_at_ms");
    world.clock.advance_secs(60);
    world.stack.dynamodb().inject("TransactWriteItems", Fault::Down, u32::MAX);
    assert_eq!(world.browser().install_as(|_| {}).await.heading(), "Almost there");
    world.stack.dynamodb().clear_faults();
    world.clock.advance_secs(60);
    let again = uninstall(&world, message).await;
    assert_eq!(again, json!({"removed": true, "revoked": true, "generation": 1}));
    assert_eq!(number(&world.row().await, "removed_at_ms"), removed_at_ms, "the tombstone keeps its time");
    world.clock.advance_secs(60);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!((&swept["Recovered"], &swept["Revoked"]), (&json!(1), &Value::Null), "{swept}");
    let vended = world.vend(json!({})).await;
    assert_eq!(vended["generation"], 2, "{vended}");
    assert!(world.works(vended["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn a_request_to_forget_reaches_an_existing_tombstone_and_keeps_its_time() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    install(&world).await;
    assert_eq!(uninstall(&world, json!({"generation": 1})).await["removed"], true);
    let removed_at_ms = number(&world.row().await, "removed_at_ms");
    world.clock.advance_secs(60);
    assert_eq!(uninstall(&world, json!({"generation": 1, "forget": true})).await["revoked"], true);
    let row = world.row().await;
    assert!(string(&row, "installation_id").unwrap().starts_with("forgotten/"), "{row:?}");
    assert_eq!(number(&row, "removed_at_ms"), removed_at_ms);
}
