//! What people do with their pages, with the template and with the connection; and what a new recipe changes.

use serde_json::json;
use simulated_notion::{ACME, ADA, Capabilities, Endpoint};
use vault::installation::InstallationId;

use super::{made, notion, of_ada, recipe, settle, states, world};
use crate::harness::{World, ada};

/// The operator's order for Ada.
fn order(world: &World) {
    let order = vault::onboarding::order(&InstallationId::of_user(ACME, Some(ADA)), true);
    world.stack.queues().service().send_onboarding(&order.to_string());
}

#[tokio::test]
async fn what_the_person_deletes_or_no_longer_shares_is_not_made_again() {
    for unshares in [false, true] {
        let world = world(recipe("tracker"), |_| {}).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.stack.publish_changes().await.unwrap();
        // The person is quicker than the third step.
        world.notion().inject(Endpoint::CreateView, simulated_notion::Fault::DropBeforeProcessing, 1);
        world.stack.prepare_workspaces().await;
        let tasks = of_ada(&world).await["resources"][1]["id"].as_str().unwrap().to_owned();
        if unshares {
            world.notion().unshare(&tasks);
        } else {
            world.notion().delete(&tasks);
        }
        settle(&world).await;
        let prepared = of_ada(&world).await;
        assert_eq!(prepared["status"], "completed", "{prepared}");
        let states = states(&prepared);
        assert_eq!(states["home"], "made");
        assert_eq!(states["tasks"], "gone", "{states:?}");
        for step in ["board", "first-task", "second-task", "third-task"] {
            assert_eq!(states[step], "left_out", "{step}");
        }
        // Not by an order, and not by another install either.
        order(&world);
        settle(&world).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        settle(&world).await;
        assert_eq!(world.notion().count(Endpoint::CreateDatabase), 1);
    }
}

#[tokio::test]
async fn a_missing_capability_stops_it_and_the_next_install_goes_on() {
    let world = world(recipe("tracker"), |_| {}).await;
    let may_insert = |insert_content| {
        world.notion().change_connection(dev::stack::SIMULATED_CLIENT_ID, |connection| {
            connection.capabilities = Capabilities { insert_content, ..Capabilities::default() };
        });
    };
    may_insert(false);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    let prepared = of_ada(&world).await;
    assert_eq!(prepared["status"], "failed", "{prepared}");
    assert_eq!((&prepared["step"], &prepared["reason"]), (&json!("home"), &json!("missing_capability")));
    assert_eq!(prepared["capability"], "insert content");
    assert_eq!(world.notion().count(Endpoint::CreatePage), 1);
    let page = world.browser().install_as(|_| {}).await;
    assert!(page.body.contains("could not be prepared"), "{}", page.body);
    settle(&world).await;
    may_insert(true);
    // The deployer has changed the connection, and the person installs again, as Notion demands.
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    assert_eq!(of_ada(&world).await["status"], "completed");
}

#[tokio::test]
async fn a_recipe_builds_on_the_template_and_leaves_out_what_is_not_there() {
    let world = world(recipe("template"), |options| notion(options).settings.template_lag_secs = 90).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    let prepared = of_ada(&world).await;
    assert_eq!(prepared["status"], "completed", "{prepared}");
    assert_eq!(states(&prepared)["settings"], "made");
    for step in ["contacts", "customers", "you"] {
        assert_eq!(states(&prepared)[step], "left_out");
    }
    assert_eq!(prepared["resources"][0]["why"], "no template was duplicated");
    // With the template, the next install adds the rest. The settings are not made again.
    let browser = world.browser();
    let page = browser.install_as(|approval| {
        approval.duplicate_template = true;
        approval.pages.clear();
    });
    assert!(page.await.is_connected());
    settle(&world).await;
    let prepared = of_ada(&world).await;
    assert!(states(&prepared).values().all(|state| state == "made"), "{prepared}");
    let content = world.notion().content(ACME);
    assert_eq!(content.titled("Sample app settings").len(), 1);
    assert_eq!(content.titled("Customers").len(), 1);
    assert_eq!(content.titled("Ada").len(), 1);
}

#[tokio::test]
async fn a_new_recipe_adds_only_what_is_new() {
    let data = std::env::temp_dir().join(format!("onboarding-{}", std::process::id()));
    let keep = |options: &mut dev::stack::Options| options.data_dir = Some(data.clone());
    let mut shorter = recipe("tracker");
    shorter.steps.truncate(3);
    shorter.version = "0000000000000000".to_owned();
    let before = {
        let world = world(shorter, keep).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        settle(&world).await;
        assert_eq!(states(&of_ada(&world).await).len(), 3);
        made(&world)
    };
    let world = world(recipe("tracker"), keep).await;
    order(&world);
    settle(&world).await;
    let prepared = of_ada(&world).await;
    assert_eq!(states(&prepared).len(), 6, "{prepared}");
    let after = made(&world);
    assert_eq!(after.len(), before.len() + 3, "{after:?}");
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 0, "in this process");
    drop(world);
    std::fs::remove_dir_all(&data).unwrap();
}

#[tokio::test]
async fn somebody_who_is_removed_while_it_runs_is_not_touched_any_more() {
    let world = world(recipe("tracker"), |_| {}).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world.stack.publish_changes().await.unwrap();
    world.notion().inject(
        Endpoint::CreateDatabase,
        simulated_notion::Fault::Status { status: 429, retry_after: Some("30".to_owned()) },
        1,
    );
    world.stack.prepare_workspaces().await;
    world.ask("uninstall", ada(json!({"forget": true}))).await;
    let asked = world.notion().count(Endpoint::CreateDatabase);
    settle(&world).await;
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), asked);
    assert_eq!(super::clean::ledgers(&world).await, 0);
}

#[tokio::test]
async fn a_message_that_names_nobody_is_put_aside() {
    let world = world(recipe("tracker"), |_| {}).await;
    world.stack.queues().service().send_onboarding("{\"detail\": {}}");
    world.stack.prepare_workspaces().await;
    let queues = world.stack.queues().service();
    assert_eq!((queues.onboardings().len(), queues.onboarding_dead_letters().len()), (0, 1));
}

#[tokio::test]
async fn the_ledger_of_somebody_who_is_not_there_any_more_is_deleted() {
    let world = world(recipe("tracker"), |_| {}).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    settle(&world).await;
    let id = InstallationId::of_user(ACME, Some(ADA));
    let key = aws_sdk_dynamodb::types::AttributeValue::S(id.as_str().to_owned());
    let delete = world.stack.dynamodb().service().client().delete_item();
    delete.table_name(dev::aws::INSTALLATIONS_TABLE.0).key("installation_id", key).send().await.unwrap();
    order(&world);
    world.stack.prepare_workspaces().await;
    assert_eq!(super::clean::ledgers(&world).await, 0);
}
