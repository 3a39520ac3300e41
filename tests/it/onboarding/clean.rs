//! When nothing fails.

use serde_json::json;
use simulated_notion::{ACME, ADA, Endpoint, ItemKind};

use super::{made, of_ada, onboarding, recipe, settle, states, world};
use crate::app::Begun;
use crate::harness::{ada, person};

#[tokio::test]
async fn a_person_installs_and_finds_their_workspace_prepared() {
    let world = world(recipe("tracker"), |_| {}).await;
    let page = world.browser().install_as(|_| {}).await;
    assert!(
        page.body.contains("being prepared") && page.body.contains("http-equiv=\"refresh\""),
        "{}",
        page.body
    );
    assert_eq!(of_ada(&world).await["status"], "pending");

    let took_secs = settle(&world).await;
    assert!(took_secs < 20, "{took_secs}");
    let prepared = of_ada(&world).await;
    assert_eq!(prepared["status"], "completed", "{prepared}");
    assert!(states(&prepared).values().all(|state| state == "made"), "{prepared}");
    let content = world.notion().content(ACME);
    let home = content.titled("Sample app: start here")[0];
    assert_eq!(home.parent, None);
    assert_eq!(home.private_to, [ADA]);
    assert!(home.markdown.contains("Welcome, Ada"), "{}", home.markdown);
    let tasks = content.titled("Tasks").into_iter().find(|item| item.kind == ItemKind::Database).unwrap();
    assert_eq!(tasks.parent.as_deref(), Some(home.id.as_str()));
    let board = content.titled("Board")[0];
    assert_eq!((board.kind, board.parent.as_deref()), (ItemKind::View, Some(tasks.id.as_str())));
    let mut rows: Vec<&str> = content.rows.iter().map(|row| row.title.as_str()).collect();
    rows.sort_unstable();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1..], ["Invite your team", "Look around, Ada"]);
    let landing = prepared["landing_url"].as_str().unwrap();
    assert_eq!(landing, format!("https://www.notion.so/{}", home.id.replace('-', "")));

    // Whoever looks at the page again finds the link.
    let shown = world.browser();
    let page = shown.install_as(|_| {}).await;
    assert!(page.body.contains(landing) && page.body.contains("workspace is prepared"), "{}", page.body);
    // Installing again prepares nothing again.
    let before = made(&world);
    settle(&world).await;
    assert_eq!(made(&world), before);
    assert_eq!(world.notion().count(Endpoint::CreatePage), 4);
}

#[tokio::test]
async fn an_app_claims_and_hears_what_was_prepared() {
    let world = world(recipe("tracker"), |_| {}).await;
    let begun = Begun::new(&world);
    let returned = world.browser().connect(&begun, |_| {}).await;
    settle(&world).await;
    assert_eq!(made(&world), [], "nothing is made for nobody");
    let claim = begun.claim(&returned, "anna");
    let claimed = world.ask("claim", claim.clone()).await;
    assert_eq!(claimed["onboarding"]["status"], "pending", "{claimed}");
    settle(&world).await;
    let again = world.ask("claim", claim).await;
    assert_eq!(again["onboarding"]["status"], "completed", "{again}");
    assert_eq!(again["onboarding"], of_ada(&world).await);

    let feed = world.ask("feed", json!({})).await;
    let kinds: Vec<&str> =
        feed["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["installation.installed", "installation.claimed", "onboarding.completed"]);
    let completed = &feed["events"][2];
    assert!(crate::history::schema().is_valid(completed), "{completed}");
    assert_eq!(completed["data"]["user_id"], ADA);
    assert_eq!(completed["data"]["resources"].as_array().unwrap().len(), 6);
    assert_eq!(completed["data"]["landing_url"], again["onboarding"]["landing_url"]);
}

#[tokio::test]
async fn what_is_unclaimed_removed_or_dead_is_not_touched() {
    let world = world(recipe("tracker"), |_| {}).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world.stack.publish_changes().await.unwrap();
    world.ask("uninstall", ada(json!({}))).await;
    settle(&world).await;
    assert_eq!(made(&world), []);
    assert_eq!(world.notion().count(Endpoint::CreatePage), 0);
}

#[tokio::test]
async fn a_forgotten_person_has_no_ledger_and_is_prepared_again_if_they_come_back() {
    let world = world(recipe("tracker"), |_| {}).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    world.ask("uninstall", ada(json!({}))).await;
    // An uninstall keeps it: whoever comes back finds what is there.
    assert_eq!(ledgers(&world).await, 1);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 1);
    world.ask("uninstall", ada(json!({"forget": true}))).await;
    settle(&world).await;
    assert_eq!(ledgers(&world).await, 0);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 2);
}

pub(super) async fn ledgers(world: &crate::harness::World) -> usize {
    let table = dev::aws::ONBOARDING_TABLE.0;
    let rows = world.stack.dynamodb().service().client().scan().table_name(table).send().await.unwrap();
    rows.items().iter().filter(|row| row["onboarding_id"].as_s().unwrap() != "pace").count()
}

#[tokio::test]
async fn without_a_recipe_nobody_hears_of_onboarding() {
    let world = crate::harness::World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    let listed = world.ask("installations", person(ADA, ACME, json!({}))).await;
    assert_eq!(listed["installations"][0].get("onboarding"), None);
    assert!(onboarding(&world, ADA).await.is_null());
    let operations = world.dynamodb_operations();
    assert!(operations.iter().all(|operation| !operation.contains("onboarding")), "{operations:?}");
}
