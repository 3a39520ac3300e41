//! A backend that reports live tokens as refused, for example because its header is wrong. Notion is asked before
//! another refresh.

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::{Endpoint, Fault, RefreshTokenOnExchange};

use crate::harness::{World, ada, has_lease, number};

async fn installed() -> World {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world
}

fn refused(answer: &Value) -> Value {
    json!({"refused_fingerprint": answer["fingerprint"]})
}

fn refreshes(world: &World) -> usize {
    world.notion().count(Endpoint::Token) - 1
}

#[tokio::test]
async fn a_thousand_reports_of_live_tokens_make_one_refresh() {
    let world = installed().await;
    let mut held = world.vend(json!({})).await;
    let mut said_alive = 0;
    for _ in 0..1000 {
        let answer = world.vend(refused(&held)).await;
        if answer["error"] == "refused_but_alive" {
            assert_eq!(answer["fingerprint"], held["fingerprint"], "{answer}");
            assert!(answer["message"].as_str().unwrap().contains("Authorization"), "{answer}");
            said_alive += 1;
        } else {
            assert!(answer["access_token"].is_string(), "{answer}");
            held = answer;
        }
    }
    assert_eq!((refreshes(&world), said_alive), (1, 999));
    let asked = world.notion().count(Endpoint::Introspect);
    assert!(asked < 40, "{asked} questions in a second or two");
    assert!(world.works(held["access_token"].as_str().unwrap()).await);
    assert_eq!(world.last_line_with("RefusedButAlive")["RefusedButAlive"], 1);
    assert!(world.leaks.log().contains("\"alarm\":\"refused_but_alive\""));
    // A request for the stored token gets it.
    assert_eq!(world.vend(json!({})).await["access_token"], held["access_token"]);
    assert!(!has_lease(&world.row().await));
}

#[tokio::test]
async fn several_workers_that_report_the_same_token_once_each_get_the_new_one() {
    let world = installed().await;
    let held = world.vend(json!({})).await;
    let answers = join_all((0..20).map(|_| world.vend(refused(&held)))).await;
    assert!(answers.iter().all(|answer| answer["access_token"].is_string()), "{answers:?}");
    assert_eq!((refreshes(&world), world.notion().count(Endpoint::Introspect)), (1, 0));
}

#[tokio::test]
async fn a_token_that_really_died_again_is_refreshed_at_its_second_report() {
    let world = installed().await;
    let mut held = world.vend(json!({})).await;
    for refreshed in 1..4 {
        world.expire_access_tokens();
        // Within the window after the previous report.
        world.notion().change_settings(|settings| settings.access_token_lifetime_secs = Some(60));
        world.clock.advance_secs(61);
        let answer = world.vend(refused(&held)).await;
        assert!(world.works(answer["access_token"].as_str().unwrap()).await, "{answer}");
        assert_eq!(refreshes(&world), refreshed);
        held = answer;
    }
    world.notion().revoke_grants_of(simulated_notion::ADA, simulated_notion::ACME);
    assert_eq!(world.vend(refused(&held)).await["error"], "needs_reinstall");
}

#[tokio::test]
async fn many_reports_at_once_ask_notion_once() {
    let world = installed().await;
    let first = world.vend(json!({})).await;
    let held = world.vend(refused(&first)).await;
    let answers = join_all((0..50).map(|_| world.vend(refused(&held)))).await;
    assert!(answers.iter().all(|answer| answer["error"] == "refused_but_alive"), "{answers:?}");
    assert_eq!((refreshes(&world), world.notion().count(Endpoint::Introspect)), (1, 1));
}

#[tokio::test]
async fn after_some_minutes_a_report_is_believed_again_and_no_answer_decides_nothing() {
    let world = installed().await;
    let first = world.vend(json!({})).await;
    let held = world.vend(refused(&first)).await;
    world.notion().inject(Endpoint::Introspect, Fault::Html(403), 1);
    let answer = world.vend(refused(&held)).await;
    assert_eq!((&answer["error"], &answer["reason"]), (&json!("try_later"), &json!("blocked")), "{answer}");
    let row = world.row().await;
    let pair = row["pair"].as_l().unwrap()[0].as_m().unwrap();
    assert!(
        !has_lease(&row) && !pair.contains_key("in_doubt"),
        "nothing was sent, so nothing is in doubt: {row:?}"
    );
    assert_eq!(refreshes(&world), 1);
    world.clock.advance_secs(3600);
    let later = world.vend(refused(&held)).await;
    assert!(later["access_token"].is_string(), "{later}");
    assert_eq!(refreshes(&world), 2);
}

#[tokio::test]
async fn the_only_token_is_reported_alive_and_not_vended_again() {
    let world = World::start().await;
    world
        .notion()
        .change_settings(|settings| settings.refresh_token_on_exchange = RefreshTokenOnExchange::Null);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let held = world.vend(json!({})).await;
    assert_eq!(world.vend(refused(&held)).await["error"], "refused_but_alive");
}

/// A new install starts with a clean slate.
#[tokio::test]
async fn an_install_forgets_the_reports_before_it() {
    let world = installed().await;
    let first = world.vend(json!({})).await;
    world.vend(refused(&first)).await;
    assert!(number(&world.row().await, "refused_at_ms") > 0);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let row = world.row().await;
    assert!(!row.contains_key("refused_at_ms") && !row.contains_key("found_alive_at_ms"), "{row:?}");
    assert_eq!(world.ask("token", ada(json!({}))).await["health"], "active");
}
