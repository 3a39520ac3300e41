//! Subjects: the app's own names for its users. Tokens by subject, disconnecting, what a settings page shows.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, GLOBEX, GRACE};

use crate::app::{Begun, Returned, in_globex};
use crate::harness::{World, ada, string};

async fn token(world: &World, input: Value) -> Value {
    world.ask("token", input).await
}

async fn disconnect(world: &World, subject: &str) -> Value {
    world.ask("uninstall", json!({"subject": subject, "caller": "the app"})).await
}

async fn list(world: &World, input: Value) -> Vec<Value> {
    let answer = world.ask("installations", input).await;
    assert!(answer["error"].is_null(), "{answer}");
    answer["installations"].as_array().unwrap().clone()
}

/// How many grants of this person are alive at Notion.
fn live_grants(world: &World, person: &str) -> usize {
    world.notion().grants().iter().filter(|grant| grant.person_id == person && !grant.revoked).count()
}

#[tokio::test]
async fn two_subjects_share_one_grant_until_the_last_disconnects() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let second = world.connected("user 2", |_| {}).await;
    assert_eq!(second["subjects"], json!(["user 1", "user 2"]));
    assert_eq!(world.installations().await.len(), 1);
    let (one, two) = (
        token(&world, json!({"subject": "user 1"})).await,
        token(&world, json!({"subject": "user 2"})).await,
    );
    assert_eq!(one["fingerprint"], two["fingerprint"]);

    assert_eq!(
        disconnect(&world, "user 1").await,
        json!({"removed": false, "revoked": false, "generation": 2})
    );
    assert_eq!(token(&world, json!({"subject": "user 1"})).await["error"], "not_installed");
    let kept = token(&world, json!({"subject": "user 2"})).await;
    assert!(world.works(kept["access_token"].as_str().unwrap()).await);
    assert_eq!(disconnect(&world, "user 1").await["error"], "not_installed", "again");

    assert_eq!(
        disconnect(&world, "user 2").await,
        json!({"removed": true, "revoked": true, "generation": 2})
    );
    assert!(!world.works(kept["access_token"].as_str().unwrap()).await);
    assert_eq!(token(&world, json!({"subject": "user 2"})).await["error"], "not_installed");
    assert_eq!(world.vend(json!({})).await["error"], "removed");
    assert_eq!(world.links().await, []);
}

/// Every order of connecting, reconnecting and disconnecting two subjects: 4 steps of 4 kinds each.
#[tokio::test]
async fn in_any_order_one_grant_lives_while_anyone_is_linked_and_none_after() {
    for order in 0..256 {
        let world = World::start().await;
        let mut linked = [false; 2];
        for step in 0..4 {
            let kind = order >> (2 * step) & 3;
            let (user, connects) = (kind & 1, kind & 2 == 0);
            let subject = format!("user {user}");
            if connects {
                world.connected(&subject, |_| {}).await;
            } else {
                disconnect(&world, &subject).await;
            }
            linked[user] = connects;
            let answers = [
                token(&world, json!({"subject": "user 0"})).await,
                token(&world, json!({"subject": "user 1"})).await,
            ];
            for (user, answer) in answers.iter().enumerate() {
                assert_eq!(answer["error"].is_null(), linked[user], "order {order}, step {step}: {answer}");
            }
            assert_eq!(world.links().await.len(), linked.iter().filter(|linked| **linked).count());
        }
        // What later installs have superseded is dropped by the sweep, which a setting lets revoke it.
        let anyone = linked.contains(&true);
        let live = world.vend(json!({})).await;
        assert_eq!(live["error"].is_null(), anyone, "order {order}: {live}");
        if !anyone {
            assert_eq!(live_grants(&world, ADA), 0, "order {order}");
        }
    }
}

#[tokio::test]
async fn a_subject_with_several_installations_has_to_say_which() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.connected("user 1", in_globex).await;
    let answer = token(&world, json!({"subject": "user 1"})).await;
    assert_eq!(answer["error"], "ambiguous");
    let mut workspaces: Vec<&str> = answer["installations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|facts| facts["workspace_id"].as_str().unwrap())
        .collect();
    workspaces.sort_unstable();
    let mut both = [ACME, GLOBEX];
    both.sort_unstable();
    assert_eq!(workspaces, both);
    for workspace in both {
        let live = token(&world, json!({"subject": "user 1", "workspace_id": workspace})).await;
        assert!(world.works(live["access_token"].as_str().unwrap()).await, "{live}");
    }
    assert_eq!(disconnect(&world, "user 1").await["error"], "ambiguous", "nothing is guessed");
    // Two people of one workspace: the workspace alone does not say which.
    world.connected("user 1", |approval| approval.person = GRACE.to_owned()).await;
    let in_acme = json!({"subject": "user 1", "workspace_id": ACME});
    assert_eq!(token(&world, in_acme.clone()).await["error"], "ambiguous");
    let mut of_grace = in_acme.clone();
    of_grace["user_id"] = GRACE.into();
    let mut answer = world.ask("uninstall", of_grace.clone()).await;
    assert_eq!(answer["removed"], true, "{answer}");
    answer = token(&world, in_acme).await;
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!(token(&world, of_grace).await["error"], "not_installed", "Grace's is not linked any more");
}

#[tokio::test]
async fn nobody_gets_a_token_for_a_subject_that_is_not_linked() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let mut of_ada = ada(json!({}));
    of_ada["subject"] = "user 2".into();
    assert_eq!(
        token(&world, of_ada.clone()).await["error"],
        "not_installed",
        "both ids are right, the subject is not"
    );
    of_ada["subject"] = "user 1".into();
    assert!(token(&world, of_ada).await["error"].is_null());
    // Byte for byte.
    for other in ["User 1", "user 1 ", "user  1", "user １"] {
        assert_eq!(token(&world, json!({"subject": other})).await["error"], "not_installed", "{other:?}");
    }
    for odd in [
        json!({"subject": ""}),
        json!({"subject": 1}),
        json!({"subject": "a\nb"}),
        json!({"subject": "user 1", "user_id": ADA}),
    ] {
        assert_eq!(token(&world, odd.clone()).await["error"], "malformed", "{odd}");
    }
}

#[tokio::test]
async fn removing_a_person_ends_every_link_and_forgetting_leaves_nothing() {
    let world = World::start().await;
    for forget in [false, true] {
        world.connected("user 1", |_| {}).await;
        world.connected("user 2", |_| {}).await;
        let answer = world.ask("uninstall", ada(json!({"forget": forget}))).await;
        assert_eq!((answer["removed"].as_bool(), answer["revoked"].as_bool()), (Some(true), Some(true)));
        assert_eq!(world.links().await, []);
        for row in world.installations().await {
            for name in ["subjects", "pending", "owned_since_ms", "claim_by_ms"] {
                assert!(!row.contains_key(name), "{name} is left: {row:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_install_over_a_removal_that_was_cut_off_has_none_of_its_links() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.notion().inject(
        simulated_notion::Endpoint::Revoke,
        simulated_notion::Fault::Status { status: 500, retry_after: None },
        9,
    );
    let answer = world.ask("uninstall", ada(json!({}))).await;
    assert_eq!(answer["revoked"], false);
    assert_eq!(world.links().await.len(), 1, "the links end with the tokens");
    assert_eq!(token(&world, json!({"subject": "user 1"})).await["error"], "removed");
    world.notion().clear_faults();
    world.connected("user 2", |_| {}).await;
    assert_eq!(world.links().await.iter().map(|link| link.0.as_str()).collect::<Vec<_>>(), ["user 2"]);
    assert_eq!(token(&world, json!({"subject": "user 1"})).await["error"], "not_installed");
    assert!(token(&world, json!({"subject": "user 2"})).await["error"].is_null());
}

#[tokio::test]
async fn the_sweep_ends_the_links_of_a_removal_that_was_cut_off() {
    let world = World::start().await;
    let fault = simulated_notion::Fault::Status { status: 503, retry_after: None };
    for forget in [false, true] {
        world.connected("user 1", |_| {}).await;
        world.notion().inject(simulated_notion::Endpoint::Revoke, fault.clone(), 9);
        let answer = world.ask("uninstall", json!({"subject": "user 1", "forget": forget})).await;
        assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(false)));
        world.notion().clear_faults();
        world.clock.advance_secs(1);
        let swept = world.ask("sweep", json!({})).await;
        assert_eq!((&swept["Removed"], &swept["Revoked"]), (&json!(1), &json!(1)), "{swept}");
        assert_eq!(world.links().await, []);
        assert!(world.installations().await.iter().all(|row| !row.contains_key("subjects")));
        assert_eq!(token(&world, json!({"subject": "user 1"})).await["error"], "not_installed");
    }
}

#[tokio::test]
async fn a_person_is_forgotten_also_if_that_is_said_after_a_removal_that_was_cut_off() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let fault = simulated_notion::Fault::Status { status: 503, retry_after: None };
    world.notion().inject(simulated_notion::Endpoint::Revoke, fault, 99);
    let input = json!({"subject": "user 1"});
    assert_eq!(world.ask("uninstall", input).await["revoked"], false);
    assert_eq!(world.ask("uninstall", json!({"subject": "user 1", "forget": true})).await["removed"], true);
    world.notion().clear_faults();
    world.clock.advance_secs(1);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    let row = world.row().await;
    assert!(string(&row, "installation_id").unwrap().starts_with("forgotten/"), "{row:?}");
}

#[tokio::test]
async fn nobody_is_uninstalled_because_a_name_is_missing_or_a_generation_says_too_little() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    for vague in [
        ada(json!({"subject": null})),
        ada(json!({"subject": ""})),
        json!({"subject": "user 1", "generation": 1}),
        json!({"subject": "user 1", "workspace_id": ACME, "generation": 1}),
    ] {
        assert_eq!(world.ask("uninstall", vague.clone()).await["error"], "malformed", "{vague}");
    }
    assert_eq!(token(&world, ada(json!({"subject": null}))).await["error"], "malformed");
    let exact = world.ask("uninstall", ada(json!({"subject": "user 1", "generation": 1}))).await;
    assert_eq!(exact["removed"], true);
}

#[tokio::test]
async fn a_settings_page_sees_what_is_connected_and_no_token() {
    let world = World::start().await;
    let mut one = [world.connected("user 1", |_| {}).await];
    one[0]["version"] = 2.into();
    assert_eq!(list(&world, json!({"subject": "user 1"})).await, one);
    assert_eq!(list(&world, json!({"workspace_id": ACME})).await, one);
    assert_eq!(list(&world, json!({"workspace_id": ACME, "user_id": ADA})).await, one);
    assert_eq!(list(&world, json!({"subject": "user 1", "workspace_id": ACME})).await, one);
    for nothing in [
        json!({"subject": "user 2"}),
        json!({"subject": "user 1", "workspace_id": GLOBEX}),
        json!({"workspace_id": GLOBEX}),
        json!({"workspace_id": ACME, "user_id": GRACE}),
        json!({"workspace_id": ACME, "user_id": null}),
    ] {
        assert_eq!(list(&world, nothing.clone()).await, Vec::<Value>::new(), "{nothing}");
    }
    for odd in [
        json!({}),
        json!({"user_id": ADA}),
        json!({"subject": "u", "user_id": ADA}),
        json!({"workspace_id": "a b"}),
        json!({"subject": "u", "after": "?"}),
        // A page of another workspace, and a user's name that is missing.
        json!({"subject": "u", "workspace_id": GLOBEX, "after": one[0]["installation"]}),
        json!({"workspace_id": GLOBEX, "after": one[0]["installation"]}),
        json!({"subject": null, "workspace_id": ACME}),
        json!({"subject": "", "workspace_id": ACME}),
    ] {
        assert_eq!(world.ask("installations", odd.clone()).await["error"], "malformed", "{odd}");
    }
    let begun = Begun::new(&world);
    let back: Returned = world.browser().connect(&begun, |approval| approval.person = GRACE.to_owned()).await;
    let healths: Vec<Value> = list(&world, json!({"workspace_id": ACME}))
        .await
        .iter()
        .map(|facts| facts["health"].clone())
        .collect();
    assert!(healths.contains(&"active".into()) && healths.contains(&"unclaimed".into()), "{healths:?}");
    drop(back);
    // A link that its row does not confirm.
    let stale = [("subject", "user 2"), ("installation_id", &format!("{ACME}/user/{ADA}"))];
    let stale = stale.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into();
    let client = world.stack.dynamodb().service().client();
    let put = client.put_item().table_name(dev::aws::LINKS_TABLE.0).set_item(Some(stale));
    put.send().await.unwrap();
    assert_eq!(list(&world, json!({"subject": "user 2"})).await, Vec::<Value>::new());
    disconnect(&world, "user 1").await;
    assert_eq!(list(&world, json!({"subject": "user 1"})).await, Vec::<Value>::new());
}
