//! The refresh grant and what it does to older tokens.

use serde_json::json;
use simulated_notion::{ACME, ADA, Connection, Rotation};

use crate::bench::{Bench, Pair, REDIRECT_URI, basic};
use crate::browser::send;

#[tokio::test]
async fn a_refresh_kills_the_old_pair_when_strict() {
    let bench = Bench::start().await;
    let first = bench.pair().await;
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    assert!(!bench.works(&first.access).await);
    assert!(bench.works(&second.access).await);
    let replay = bench.refresh(&first.refresh).await;
    assert_eq!((replay.status, replay.json()["error"].clone()), (400, json!("invalid_grant")));
    assert_eq!(bench.refresh(&second.refresh).await.status, 200, "a replay has no effect");
}

#[tokio::test]
async fn the_newest_two_refresh_tokens_work_within_a_grace_of_two() {
    let rotation = Rotation::Grace { valid_refresh_tokens: 2 };
    let bench = Bench::with(|settings| settings.rotation = rotation).await;
    let first = bench.pair().await;
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    let third = Pair::of(&bench.refresh(&first.refresh).await);
    assert_eq!(bench.refresh(&first.refresh).await.status, 400, "it is now the third newest");
    assert_eq!(bench.notion.grants()[0].refresh_tokens, [second.refresh, third.refresh]);
}

#[tokio::test]
async fn a_replay_kills_the_family_when_asked_for() {
    let bench = Bench::with(|settings| settings.rotation = Rotation::FamilyRevocation).await;
    let first = bench.pair().await;
    let other_family = bench.pair().await;
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    assert_eq!(bench.refresh(&first.refresh).await.status, 400);
    assert!(!bench.works(&second.access).await);
    assert_eq!(bench.refresh(&second.refresh).await.status, 400);
    assert!(bench.works(&other_family.access).await);
    assert!(!bench.notion.grants()[0].revoked);
}

#[tokio::test]
async fn a_used_refresh_token_works_until_a_successor_is_used() {
    let bench = Bench::with(|settings| settings.rotation = Rotation::GraceUntilUsed).await;
    let first = bench.pair().await;
    // The reply was lost; so was that to the next attempt.
    let lost = Pair::of(&bench.refresh(&first.refresh).await);
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    assert_ne!(lost.refresh, second.refresh);
    assert_eq!(bench.notion.grants()[0].refresh_tokens.len(), 3);
    let third = Pair::of(&bench.refresh(&second.refresh).await);
    let refused = bench.refresh(&first.refresh).await;
    assert_eq!((refused.status, refused.json()["error"].clone()), (400, json!("invalid_grant")));
    assert_eq!(
        bench.notion.grants()[0].refresh_tokens,
        [lost.refresh, second.refresh.clone(), third.refresh.clone()]
    );
    assert_eq!(bench.refresh(&second.refresh).await.status, 200, "the third was not used yet");
    bench.refresh(&third.refresh).await;
    assert_eq!(bench.refresh(&second.refresh).await.status, 400);
}

#[tokio::test]
async fn a_used_refresh_token_works_for_30_days_from_its_first_use() {
    let bench = Bench::with(|settings| settings.rotation = Rotation::GraceUntilUsed).await;
    let first = bench.pair().await;
    bench.advance_secs(90 * 24 * 3600);
    bench.refresh(&first.refresh).await;
    bench.advance_secs(30 * 24 * 3600 - 1);
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    bench.advance_secs(1);
    assert_eq!(bench.refresh(&first.refresh).await.status, 400);
    assert_eq!(bench.refresh(&second.refresh).await.status, 200);
}

#[tokio::test]
async fn a_successor_that_is_used_retires_its_predecessor_also_without_a_rotation() {
    let bench = Bench::with(|settings| settings.rotation = Rotation::GraceUntilUsed).await;
    let first = bench.pair().await;
    let second = Pair::of(&bench.refresh(&first.refresh).await);
    bench.notion.change_settings(|settings| settings.refresh_answers_null = true);
    assert_eq!(bench.refresh(&second.refresh).await.status, 200);
    assert_eq!(bench.refresh(&first.refresh).await.status, 400);
    assert_eq!(bench.refresh(&second.refresh).await.status, 200);
}

#[tokio::test]
async fn the_old_access_token_survives_a_refresh_by_switch() {
    let bench = Bench::with(|settings| settings.access_token_survives_refresh = true).await;
    let first = bench.pair().await;
    bench.refresh(&first.refresh).await;
    assert!(bench.works(&first.access).await);
}

#[tokio::test]
async fn a_null_refresh_token_leaves_the_one_sent_alive() {
    let bench = Bench::with(|settings| settings.refresh_answers_null = true).await;
    let first = bench.pair().await;
    let answer = bench.refresh(&first.refresh).await;
    assert_eq!(answer.json()["refresh_token"], json!(null));
    assert_eq!(bench.refresh(&first.refresh).await.status, 200);
}

#[tokio::test]
async fn another_client_cannot_refresh() {
    let bench = Bench::start().await;
    bench.notion.register(Connection::new("other", "secret_2", REDIRECT_URI));
    let pair = bench.pair().await;
    let authorization = basic("other", "secret_2");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = json!({ "grant_type": "refresh_token", "refresh_token": pair.refresh }).to_string();
    let answer = send(&bench.notion, "POST", "/v1/oauth/token", &headers, &body).await.unwrap();
    assert_eq!(answer.json()["error"], "invalid_grant");
    assert_eq!(bench.refresh(&pair.refresh).await.status, 200);
}

#[tokio::test]
async fn a_removed_connection_cannot_refresh_or_call() {
    let bench = Bench::start().await;
    let pair = bench.pair().await;
    bench.notion.revoke_grants_of(ADA, ACME);
    let answer = bench.refresh(&pair.refresh).await;
    assert_eq!(answer.json()["error_description"], "Invalid refresh token.");
    assert!(!bench.works(&pair.access).await);
    assert!(bench.notion.grants()[0].revoked);
}

#[tokio::test]
async fn an_access_token_dies_after_its_lifetime_if_it_has_one() {
    let bench = Bench::with(|settings| settings.access_token_lifetime_secs = Some(60)).await;
    let pair = bench.pair().await;
    bench.advance_secs(59);
    assert!(bench.works(&pair.access).await);
    bench.advance_secs(1);
    assert!(!bench.works(&pair.access).await);
    let fresh = Pair::of(&bench.refresh(&pair.refresh).await);
    assert!(bench.works(&fresh.access).await);
}
