//! A second authorization: what happens to the earlier tokens, and which grant each token belongs to.

use serde_json::json;
use simulated_notion::{
    ACME, ADA, Connection, GLOBEX, GRACE, HANDBOOK, OldPair, ROADMAP, RefreshTokenOnExchange,
};

use crate::bench::{Bench, QUERY, connection};

#[tokio::test]
async fn a_second_authorization_keeps_or_kills_the_pair_before_it() {
    let cases =
        [(OldPair::Survives, true, 200), (OldPair::RefreshTokenDies, true, 400), (OldPair::Dies, false, 400)];
    for (old_pair, access_works, refresh_status) in cases {
        let bench = Bench::with(|settings| settings.old_pair_after_reauthorization = old_pair).await;
        let first = bench.pair().await;
        let second = bench.pair().await;
        assert_ne!(first.access, second.access);
        assert_eq!(bench.works(&first.access).await, access_works, "{old_pair:?}");
        assert_eq!(bench.refresh(&first.refresh).await.status, refresh_status, "{old_pair:?}");
        assert!(bench.works(&second.access).await);
        assert_eq!(bench.notion.grants().len(), 1);
    }
}

#[tokio::test]
async fn the_bot_survives_a_second_authorization_by_switch() {
    for survives in [true, false] {
        let bench = Bench::with(|settings| settings.bot_id_survives_reauthorization = survives).await;
        let first = bench.exchange(&bench.code()).await.json()["bot_id"].clone();
        let second = bench.exchange(&bench.code()).await.json()["bot_id"].clone();
        assert_eq!(first == second, survives);
    }
}

#[tokio::test]
async fn an_older_connection_answers_with_the_token_it_has_and_no_refresh_token() {
    let bench = Bench::start().await;
    bench.notion.register(Connection { created_before_2026_06_08: true, ..connection() });
    let first = bench.exchange(&bench.code()).await.json();
    let second = bench.exchange(&bench.code()).await.json();
    assert_eq!(first["refresh_token"], json!(null));
    assert_eq!(first["access_token"], second["access_token"]);
    bench.notion.change_settings(|settings| {
        settings.refresh_token_on_exchange = RefreshTokenOnExchange::Null;
    });
    bench.notion.register(connection());
    let third = bench.exchange(&bench.code()).await.json();
    assert_eq!(third["refresh_token"], json!(null));
    assert_ne!(third["access_token"], first["access_token"]);
}

#[tokio::test]
async fn two_people_and_two_workspaces_get_bots_of_their_own() {
    let bench = Bench::start().await;
    let ada = bench.code();
    let grace = bench.code_for(QUERY, GRACE, ACME, ROADMAP);
    let ada_elsewhere = bench.code_for(QUERY, ADA, GLOBEX, HANDBOOK);
    let (first, second, third) =
        tokio::join!(bench.exchange(&ada), bench.exchange(&grace), bench.exchange(&ada_elsewhere));
    let mut bots = [first, second, third].map(|answer| answer.json()["bot_id"].to_string()).to_vec();
    bots.sort_unstable();
    bots.dedup();
    assert_eq!(bots.len(), 3);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_tokens() {
    let (one, same) = (Bench::start().await, Bench::start().await);
    let other = Bench::with_options(|options| options.random_seed = Some(2)).await;
    let bodies = [
        one.exchange(&one.code()).await.body,
        same.exchange(&same.code()).await.body,
        other.exchange(&other.code()).await.body,
    ];
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[0], bodies[2]);
}
