//! Round trips, as counted by the stand-ins.

use serde_json::json;
use simulated_notion::Endpoint;

use crate::app::{Begun, Returned};
use crate::harness::World;

struct Counted {
    dynamodb: usize,
    secrets: usize,
    queue: usize,
    notion: usize,
    connections: u64,
}

fn counted(world: &World) -> Counted {
    let notion = [Endpoint::Token, Endpoint::Revoke, Endpoint::Introspect];
    Counted {
        dynamodb: world.stack.dynamodb().calls().len(),
        secrets: world.stack.secrets_manager().calls().len(),
        queue: world.stack.queues().calls().len(),
        notion: notion.into_iter().map(|endpoint| world.notion().count(endpoint)).sum(),
        connections: world.stack.connections_accepted(),
    }
}

#[tokio::test]
async fn install_makes_no_connection_cold_or_warm() {
    let world = World::start().await;
    let browser = world.browser();
    for temperature in ["cold", "warm"] {
        let before = counted(&world);
        browser.install().await;
        let after = counted(&world);
        assert_eq!(after.connections - before.connections, 0, "{temperature}");
        assert_eq!(after.dynamodb + after.secrets, before.dynamodb + before.secrets, "{temperature}");
    }
}

#[tokio::test]
async fn callback_makes_three_trips_in_sequence_on_connections_that_init_opened() {
    let world = World::start().await;
    let browser = world.browser();
    for temperature in ["cold", "warm"] {
        let callback = {
            let authorize = browser.install().await;
            browser.allow(&authorize, |_| {})
        };
        let before = counted(&world);
        let operations = world.dynamodb_operations().len();
        browser.get(&callback).await;
        let after = counted(&world);
        assert_eq!(
            &world.dynamodb_operations()[operations..],
            ["PutItem", "TransactWriteItems"],
            "{temperature}"
        );
        assert_eq!(after.notion - before.notion, 1, "{temperature}");
        assert_eq!((after.secrets - before.secrets, after.queue - before.queue), (0, 0), "{temperature}");
        assert_eq!(
            after.connections - before.connections,
            0,
            "{temperature}: no new connection in the handler"
        );
    }
}

#[tokio::test]
async fn a_repeat_makes_one_trip_and_its_page_two() {
    let world = World::start().await;
    let browser = world.browser();
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |_| {});
    let page = browser.follow(&callback).await;
    let before = counted(&world).dynamodb;
    browser.get(&callback).await;
    assert_eq!(counted(&world).dynamodb - before, 1, "the claim that fails returns the row");
    browser.get(&page.url).await;
    assert_eq!(counted(&world).dynamodb - before, 3, "the claim, and the row with the names");
    let reads = world.stack.dynamodb().calls();
    for read in &reads[reads.len() - 2..] {
        assert!(
            read.operation == "GetItem" && read.body.contains("\"ConsistentRead\":true"),
            "{}",
            read.body
        );
    }
}

#[tokio::test]
async fn a_claim_makes_two_trips_a_repeat_one_and_a_vend_by_subject_two() {
    let world = World::start().await;
    for temperature in ["cold", "warm"] {
        let begun = Begun::new(&world);
        let returned = world.browser().connect(&begun, |_| {}).await;
        let before = counted(&world);
        let since = |operations: usize| world.dynamodb_operations().split_off(operations);
        world.ask("claim", begun.claim(&returned, "user 1")).await;
        assert_eq!(since(before.dynamodb), ["GetItem", "TransactWriteItems"], "{temperature}");
        let claimed = counted(&world);
        world.ask("claim", begun.claim(&returned, "user 1")).await;
        assert_eq!(since(claimed.dynamodb), ["GetItem"], "{temperature}");
        let repeated = counted(&world);
        world.ask("token", json!({"subject": "user 1"})).await;
        assert_eq!(since(repeated.dynamodb), ["Query", "GetItem"], "{temperature}");
        let vended = counted(&world);
        world.ask("installations", json!({"subject": "user 1"})).await;
        assert_eq!(since(vended.dynamodb), ["Query", "BatchGetItem"], "{temperature}");
        let listed = counted(&world);
        assert_eq!((listed.secrets, listed.notion), (before.secrets, before.notion), "{temperature}");
        assert_eq!(listed.connections, before.connections, "{temperature}: no new connection");
    }
}

#[tokio::test]
async fn an_install_for_an_app_makes_as_many_trips_as_any_and_a_reconnect_too() {
    let world = World::start().await;
    for round in ["the first install", "a reconnect"] {
        let (browser, begun) = (world.browser(), Begun::new(&world));
        let authorize = browser.begin(&begun, "").await;
        let callback = browser.allow(&authorize, |_| {});
        let operations = world.dynamodb_operations().len();
        let page = browser.get(&callback).await;
        assert_eq!(&world.dynamodb_operations()[operations..], ["PutItem", "TransactWriteItems"], "{round}");
        let returned = Returned::read(&world, &page);
        world.ask("claim", begun.claim(&returned, "user 1")).await;
    }
}

#[tokio::test]
async fn a_vend_of_a_live_token_makes_one_trip_and_a_refresh_four() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    let mut refused = None;
    for temperature in ["cold", "warm", "warm"] {
        let before = counted(&world);
        let live = world.vend(json!({})).await;
        let after = counted(&world);
        let read = world.stack.dynamodb().calls().pop().unwrap();
        assert!(
            read.operation == "GetItem" && read.body.contains("\"ConsistentRead\":true"),
            "{}",
            read.body
        );
        assert_eq!(after.dynamodb - before.dynamodb, 1, "{temperature}");
        assert_eq!((after.secrets, after.notion, after.queue), (before.secrets, before.notion, before.queue));
        assert_eq!(after.connections - before.connections, 0, "{temperature}");

        let operations = world.dynamodb_operations().len();
        let fingerprint = live["fingerprint"].clone();
        assert_ne!(refused, Some(fingerprint.clone()), "{temperature}");
        world.vend(json!({"refresh": true})).await;
        refused = Some(fingerprint);
        let done = counted(&world);
        assert_eq!(
            &world.dynamodb_operations()[operations..],
            ["GetItem", "UpdateItem", "UpdateItem"],
            "{temperature}: read, lease, save"
        );
        assert_eq!(done.notion - after.notion, 1, "{temperature}");
        assert_eq!((done.secrets, done.queue), (after.secrets, after.queue), "{temperature}");
        assert_eq!(done.connections - after.connections, 0, "{temperature}: no new connection");
    }
}
