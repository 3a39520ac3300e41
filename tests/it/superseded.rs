//! The sweep and the pairs that others replaced: kept while they live, never lost silently.

use serde_json::json;
use simulated_notion::{ACME, ADA, Endpoint, Fault as NotionFault};

use crate::harness::World;
use crate::sweep::{DAY_SECS, cut_off_while_refreshing, installed, sweep};

#[tokio::test]
async fn a_superseded_pair_whose_refresh_was_cut_off_is_reported() {
    let world = installed().await;
    cut_off_while_refreshing(&world).await;
    world.browser().install_as(|_| {}).await;
    // The new pair can be refreshed immediately: the lease moved with the old one.
    assert_eq!(world.vend(json!({"refresh": true})).await["health"], "active");
    // Nobody receives Notion's answer.
    let issued = world.notion().secrets_issued().len();
    world.notion().release();
    while world.notion().secrets_issued().len() == issued {
        tokio::task::yield_now().await;
    }
    world.expire_access_tokens();
    world.clock.advance_secs(8 * DAY_SECS);
    assert_eq!(sweep(&world).await["OrphanedGrant"], 1);
    assert!(world.row().await["superseded"].as_l().unwrap().is_empty());
}

/// A row with a fresh current pair and a superseded one whose access token has ended; it is due.
async fn with_an_ended_superseded_pair() -> World {
    let world = installed().await;
    world.browser().install_as(|_| {}).await;
    world.expire_access_tokens();
    assert_eq!(world.vend(json!({"refresh": true})).await["health"], "active");
    world.clock.advance_secs(8 * DAY_SECS);
    world
}

#[tokio::test]
async fn a_superseded_pair_whose_successor_was_lost_is_reported() {
    let world = with_an_ended_superseded_pair().await;
    world.notion().inject(Endpoint::Token, NotionFault::LostReply, 1);
    assert_eq!(sweep(&world).await["OrphanedGrant"], 1);
    let row = world.row().await;
    assert!(row["superseded"].as_l().unwrap().is_empty());
    assert_eq!(row["used_up"].as_l().unwrap().len(), 3, "nor is its token sent again");
}

#[tokio::test]
async fn the_successor_of_a_superseded_pair_is_kept_if_the_row_changed() {
    let world = with_an_ended_superseded_pair().await;
    let asked = world.notion().count(Endpoint::Token);
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let meanwhile = async {
        world.notion().wait_for(Endpoint::Token, asked + 1).await;
        assert_eq!(world.vend(json!({"refresh": true})).await["health"], "active");
        world.notion().release();
    };
    let (swept, ()) = tokio::join!(sweep(&world), meanwhile);
    assert!(swept["OrphanedGrant"].is_null(), "{swept}");
    let row = world.row().await;
    let (mut held, mut alive) = (world.open_all(&row), world.notion().grants()[0].refresh_tokens.clone());
    held.sort();
    alive.sort();
    assert_eq!((held.len(), held), (2, alive), "each live pair is kept");
    world.clock.advance_secs(8 * DAY_SECS);
    assert!(sweep(&world).await["OrphanedGrant"].is_null());
}

#[tokio::test]
async fn another_persons_grant_never_replaces_a_superseded_pair() {
    let world = with_an_ended_superseded_pair().await;
    let another = json!({"workspace_id": "60be0000-0000-4000-8000-00000000ffff"});
    world.notion().inject(Endpoint::Token, NotionFault::PatchResponse(another), 1);
    let swept = sweep(&world).await;
    assert_eq!(swept["Revoked"], 1, "{swept}");
    assert!(world.leaks.log().contains("\"alarm\":\"unusable\""));
}

/// Only Notion's refusal of its refresh token shows that the grant is dead.
#[tokio::test]
async fn a_superseded_pair_with_a_live_refresh_token_is_kept() {
    let world = installed().await;
    world.browser().install_as(|_| {}).await;
    for weeks in 1..4 {
        world.expire_access_tokens();
        world.clock.advance_secs(8 * DAY_SECS);
        assert!(sweep(&world).await["NeedsReinstall"].is_null());
        let row = world.row().await;
        let (mut held, mut alive) = (world.open_all(&row), world.notion().grants()[0].refresh_tokens.clone());
        held.sort();
        alive.sort();
        assert_eq!((held.len(), held), (2, alive), "{weeks}: each live pair is kept");
    }
    world.notion().revoke_grants_of(ADA, ACME);
    world.clock.advance_secs(8 * DAY_SECS);
    sweep(&world).await;
    assert!(world.row().await["superseded"].as_l().unwrap().is_empty());
}

#[tokio::test]
async fn superseded_pairs_are_kept_while_alive_or_revoked_if_configured() {
    for revoke in [false, true] {
        let world = World::start_with(|options| {
            options.variables.insert("REVOKE_SUPERSEDED".to_owned(), revoke.to_string());
        })
        .await;
        let browser = world.browser();
        browser.install_as(|_| {}).await;
        let first = world.vend(json!({})).await;
        browser.install_as(|_| {}).await;
        world.clock.advance_secs(DAY_SECS);
        let swept = sweep(&world).await;
        let left = world.row().await["superseded"].as_l().unwrap().len();
        assert_eq!((left, swept["Revoked"].as_u64()), if revoke { (0, Some(1)) } else { (1, None) });
        assert_eq!(world.works(first["access_token"].as_str().unwrap()).await, !revoke);
        assert_eq!(swept["Verified"], 1);
        // Once it is dead, it is dropped.
        world.notion().revoke_grants_of(ADA, ACME);
        world.clock.advance_secs(8 * DAY_SECS);
        sweep(&world).await;
        assert_eq!(world.row().await["superseded"].as_l().unwrap().len(), 0);
    }
}
