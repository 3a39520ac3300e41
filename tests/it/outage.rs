//! DynamoDB is down for minutes while installs and refreshes go on. Everything goes into the rescue queue, and the
//! sweep saves it. If the queue is down too, everything is revoked at Notion, and counted.

use dev::aws::Fault;
use dev::stack::NotionSide;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::{ACME, Endpoint, Fault as NotionFault, Rotation};

use crate::harness::{Browser, Page, World, has_lease, number, person, string};
use crate::stampede::with_people;

const PEOPLE: usize = 40;

fn people() -> Vec<String> {
    (0..PEOPLE).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect()
}

/// A world whose functions have eight seconds, so that they soon give up on a store that is down.
async fn hurried(rotation: Rotation) -> World {
    World::start_with(|options| {
        options.function_timeout_ms = 8000;
        let NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
        notion.workspaces = with_people(&people());
        notion.settings.rotation = rotation;
    })
    .await
}

/// Half of the people refresh, the other half install. When Notion has received all their requests, `then` runs. Only
/// after that does Notion answer.
async fn in_flight(world: &World, then: impl FnOnce()) -> (Vec<Value>, Vec<Page>) {
    let ids = people();
    let (with, without) = ids.split_at(PEOPLE / 2);
    for id in with {
        let page = world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
        assert!(page.is_connected());
    }
    let before = join_all(with.iter().map(|id| world.ask("token", person(id, ACME, json!({}))))).await;
    let browsers: Vec<Browser<'_>> = without.iter().map(|_| world.browser()).collect();
    let mut callbacks = Vec::new();
    for (browser, id) in browsers.iter().zip(without) {
        let authorize = browser.install().await;
        callbacks.push(browser.allow(&authorize, |approval| id.clone_into(&mut approval.person)));
    }
    let exchanges = world.notion().count(Endpoint::Token);
    world.notion().inject(Endpoint::Token, NotionFault::Hold, u32::try_from(PEOPLE).unwrap());
    let vends = join_all(with.iter().zip(&before).map(|(id, before)| {
        world.ask("token", person(id, ACME, json!({"refused_fingerprint": before["fingerprint"]})))
    }));
    let arrivals = join_all(browsers.iter().zip(&callbacks).map(|(browser, callback)| browser.get(callback)));
    let outage = async {
        world.notion().wait_for(Endpoint::Token, exchanges + PEOPLE).await;
        then();
        world.notion().release();
    };
    let (refreshed, installed, ()) = tokio::join!(vends, arrivals, outage);
    (refreshed, installed)
}

#[tokio::test]
async fn what_the_table_rejects_waits_in_the_queue_and_the_sweep_saves_it() {
    for rotation in [Rotation::Strict, Rotation::FamilyRevocation] {
        let world = hurried(rotation).await;
        let down = || world.stack.dynamodb().inject("*", Fault::Down, u32::MAX);
        let (refreshed, installed) = in_flight(&world, down).await;
        assert!(refreshed.iter().all(|answer| answer["reason"] == "rescued"), "{refreshed:?}");
        assert!(installed.iter().all(|page| page.location() == "?reason=rescued"), "{:?}", installed[0]);
        assert_eq!(world.stack.queues().service().messages().len(), PEOPLE);

        // It stays down for ten minutes, while people and sweeps keep coming.
        let exchanges = world.notion().count(Endpoint::Token);
        for _ in 0..2 {
            world.clock.advance_secs(300);
            let swept = world.ask("sweep", json!({})).await;
            assert!(swept["SweepFailed"].as_u64() >= Some(1) && swept["Recovered"].is_null(), "{swept}");
            let vended = world.ask("token", person(&people()[0], ACME, json!({}))).await;
            assert_eq!((&vended["error"], &vended["reason"]), (&json!("try_later"), &json!("store")));
            let page = world.browser().install_as(|_| {}).await;
            assert_eq!(page.heading(), "Not available just now");
        }
        assert_eq!(world.notion().count(Endpoint::Token), exchanges, "no code and no refresh token is spent");

        world.stack.dynamodb().clear_faults();
        // Before the next sweep, a vend does not send the refresh token again.
        let refused = json!({"refresh": true});
        let vended = world.ask("token", person(&people()[0], ACME, refused)).await;
        assert_eq!(vended["reason"], "cut_off", "{vended}");
        let swept = world.ask("sweep", json!({})).await;
        assert_eq!(swept["Recovered"], PEOPLE, "{rotation:?}: {swept}");
        assert!(swept["NeedsReinstall"].is_null(), "{rotation:?}: {swept}");
        assert!(world.stack.queues().service().messages().is_empty());
        let rows = world.installations().await;
        assert_eq!(rows.len(), PEOPLE, "no duplicates");
        for row in &rows {
            assert_eq!((string(row, "health"), number(row, "generation")), (Some("active"), 1));
            assert!(!has_lease(row));
        }
        for id in people() {
            let vended = world.ask("token", person(&id, ACME, json!({}))).await;
            assert!(world.works(vended["access_token"].as_str().unwrap()).await, "{rotation:?}: {vended}");
        }
        assert_eq!(world.notion().count(Endpoint::Revoke), 0);
        assert!(!world.leaks.log().contains("orphaned_grant"));
    }
}

#[tokio::test]
async fn with_the_queue_down_too_everything_is_revoked_and_counted() {
    let world = hurried(Rotation::Strict).await;
    let down = || {
        world.stack.dynamodb().inject("*", Fault::Down, u32::MAX);
        world.stack.queues().inject("*", Fault::Down, u32::MAX);
    };
    let (refreshed, installed) = in_flight(&world, down).await;
    assert!(refreshed.iter().all(|answer| answer["error"] == "try_later"), "{refreshed:?}");
    assert!(installed.iter().all(|page| page.location() == "?reason=not_saved"), "{:?}", installed[0]);
    let log = world.leaks.log();
    assert_eq!(log.matches("\"Revoked\":1").count(), PEOPLE);
    assert!(!log.contains("orphaned_grant"));
    assert!(world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()));
    world.stack.dynamodb().clear_faults();
    world.stack.queues().clear_faults();
    // The rows still hold the consumed tokens. The sweep finds out and reports it.
    world.clock.advance_secs(200);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!(swept["NeedsReinstall"], PEOPLE / 2, "{swept}");
    assert_eq!(swept["StuckClaim"], PEOPLE / 2, "{swept}");
}
