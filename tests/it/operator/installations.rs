//! Showing installations, and having the functions act on them.

use dev::aws::{Fault, MAX_RECEIVES, Reply};
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Endpoint, Fault as NotionFault, GRACE};
use vault::http_client;

use super::process::{in_json, operator, said};
use crate::app::Begun;
use crate::harness::{World, number, person, string};

/// A world in which Ada and Grace have installed.
async fn installed() -> World {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let grace = |approval: &mut simulated_notion::Approval| GRACE.clone_into(&mut approval.person);
    assert!(world.browser().install_as(grace).await.is_connected());
    world
}

fn people(listed: &Value) -> Vec<&str> {
    let rows = listed["installations"].as_array().unwrap().iter();
    let mut people: Vec<&str> = rows.map(|row| row["owner_user_id"].as_str().unwrap()).collect();
    people.sort_unstable();
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_are_listed_and_shown_without_their_tokens() {
    let world = installed().await;
    for arguments in [&["list"][..], &["list", "--workspace", ACME]] {
        let (code, listed) = in_json(&world, arguments).await;
        assert_eq!((code, people(&listed)), (0, vec![GRACE, ADA]), "{listed}");
        assert_eq!(listed["installations"][0]["health"], "active");
    }
    let (code, nobody) = in_json(&world, &["list", "--workspace", "somewhere-else"]).await;
    assert_eq!((code, people(&nobody).len()), (0, 0));
    let list = operator(&world, &["list"], "").await;
    assert!(said(&list).contains("refreshed never, verified 2026-11-22"), "{}", said(&list));

    let (code, shown) = in_json(&world, &["show", ACME, ADA]).await;
    let row = &shown["installations"][0];
    assert_eq!((code, &row["owner_user_id"], &row["key_versions"]), (0, &json!(ADA), &json!([1])), "{shown}");
    let vended = world.vend(json!({})).await;
    assert_eq!((&row["fingerprint"], &row["version"]), (&vended["fingerprint"], &vended["version"]));
    let (_, by_bot) = in_json(&world, &["show", "--bot", row["bot_id"].as_str().unwrap()]).await;
    assert_eq!(by_bot, shown);

    for (arguments, code) in [
        (&["show", ACME, "-"][..], 1),
        (&["show", "--bot", "no-such-bot"], 1),
        (&["show", ACME, "a b"], 2),
        (&["show", ACME], 2),
    ] {
        let output = operator(&world, arguments, "").await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_row_is_reported_and_hides_no_other() {
    let world = installed().await;
    world.tamper(&format!("{ACME}/user/{ADA}"), "REMOVE health", &[]).await;
    let (code, listed) = in_json(&world, &["list"]).await;
    assert_eq!((code, people(&listed)), (1, vec![GRACE]), "{listed}");
    assert!(listed["unreadable"][0]["error"].as_str().unwrap().contains("health"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_brings_a_new_pair_that_is_not_shown() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    let (code, refreshed) = in_json(&world, &["refresh", ACME, ADA]).await;
    let after = world.vend(json!({})).await;
    assert_eq!((code, &refreshed["health"]), (0, &json!("active")), "{refreshed}");
    assert_eq!(
        (&refreshed["fingerprint"], &refreshed["version"]),
        (&after["fingerprint"], &after["version"])
    );
    assert_ne!(before["fingerprint"], after["fingerprint"]);
    assert!(refreshed.get("access_token").is_none());

    let nobody = operator(&world, &["refresh", ACME, "nobody"], "").await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said(&nobody).contains(&world.url("/install")), "{}", said(&nobody));
    let down = NotionFault::Status { status: 503, retry_after: None };
    world.notion().inject(Endpoint::Token, down, u32::MAX);
    let later = operator(&world, &["refresh", ACME, ADA], "").await;
    assert_eq!(later.status.code(), Some(3));
    assert!(said(&later).contains("try again in"), "{}", said(&later));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_is_removed_after_confirmation() {
    let world = installed().await;
    let unasked = operator(&world, &["revoke", ACME, ADA], "").await;
    assert_eq!(unasked.status.code(), Some(2));
    assert!(said(&unasked).contains("--yes"), "{}", said(&unasked));
    let (code, other) = in_json(&world, &["revoke", ACME, ADA, "--generation", "7", "--yes"]).await;
    assert_eq!(code, 1, "{other}");
    assert!(other["said"].as_str().unwrap().contains("generation 1"), "{other}");
    assert_eq!(world.vend(json!({})).await["health"], "active", "nothing was removed");

    let (code, removed) = in_json(&world, &["revoke", ACME, ADA, "--generation", "1", "--yes"]).await;
    assert_eq!((code, &removed["removed"], &removed["revoked"]), (0, &json!(true), &json!(true)));
    assert_eq!(world.vend(json!({})).await["error"], "removed");
    let (code, _) = in_json(&world, &["revoke", ACME, GRACE, "--forget", "--yes"]).await;
    assert_eq!(code, 0);
    assert_eq!(world.ask("token", person(GRACE, ACME, json!({}))).await["error"], "not_installed");

    let (code, swept) = in_json(&world, &["sweep"]).await;
    assert_eq!((code, &swept["complete"], &swept["counted"]), (0, &json!(true), &json!({})), "{swept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ring_is_rotated_while_tokens_are_vended() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    let (code, progress) = in_json(&world, &["keys", "progress"]).await;
    assert_eq!((code, &progress["older_rows"]), (0, &json!(0)), "{progress}");

    // The answer to the last step is lost. It was done all the same, and is not done twice.
    world.stack.secrets_manager().inject("UpdateSecretVersionStage", Fault::LostReply, 1);
    let (code, rotated) = in_json(&world, &["keys", "rotate"]).await;
    assert_eq!((code, &rotated["version"]), (0, &json!(2)), "{rotated}");
    let ring: Value = serde_json::from_str(&world.stack.key_ring()).unwrap();
    assert_eq!(ring["keys"].as_object().unwrap().len(), 1);
    assert_eq!(world.vend(json!({})).await["access_token"], before["access_token"]);

    let (code, progress) = in_json(&world, &["keys", "progress"]).await;
    assert_eq!((code, &progress["older_rows"]), (1, &json!(2)), "{progress}");
    // The functions read the ring again.
    world.clock.advance_secs(301);
    let (code, swept) = in_json(&world, &["sweep"]).await;
    assert_eq!((code, &swept["counted"]["Rewrapped"]), (0, &json!(2)), "{swept}");
    let (code, progress) = in_json(&world, &["keys", "progress"]).await;
    let keys = json!([{"version": 1, "rows": 0}, {"version": 2, "rows": 2}]);
    assert_eq!((code, &progress["keys"]), (0, &keys), "{progress}");
    assert_eq!(world.vend(json!({})).await["access_token"], before["access_token"]);
    let (_, shown) = in_json(&world, &["show", ACME, ADA]).await;
    assert_eq!(shown["installations"][0]["key_versions"], json!([2]));
    assert_eq!(people(&in_json(&world, &["list"]).await.1), [GRACE, ADA]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_rotation_leaves_the_ring_unchanged() {
    let world = installed().await;
    let before = world.stack.key_ring();
    let refused = Fault::Answer(Reply::error(400, "InvalidParameterException"));
    world.stack.secrets_manager().inject("UpdateSecretVersionStage", refused, 1);
    let output = operator(&world, &["keys", "rotate"], "").await;
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(world.stack.key_ring(), before);
    // The next one works.
    assert_eq!(in_json(&world, &["keys", "rotate"]).await.1["version"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_saved_once_the_cause_is_gone() {
    let world = World::start().await;
    let denied = Fault::Answer(Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("TransactWriteItems", denied, u32::MAX);
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!(page.heading(), "Almost there");
    // Received again and again, but never saved.
    let http = http_client::build().unwrap();
    let queue = &world.stack.variables()["RESCUE_QUEUE_URL"];
    for _ in 0..=MAX_RECEIVES {
        let receive =
            http.post(world.stack.aws_url().unwrap()).header("x-amz-target", "AmazonSQS.ReceiveMessage");
        let body = json!({"QueueUrl": queue, "VisibilityTimeout": 0}).to_string();
        receive.body(body).send().await.unwrap();
    }
    let service = world.stack.queues().service();
    assert_eq!((service.messages().len(), service.dead_letters().len()), (0, 1));

    // While the problem lasts, the record keeps waiting, and the operator says so.
    let (code, rescued) = in_json(&world, &["rescue"]).await;
    assert_eq!(code, 1, "{rescued}");
    assert_eq!(rescued["after"], json!({"rescue": 1, "dead_letters": 0}), "{rescued}");
    world.stack.dynamodb().clear_faults();
    world.clock.advance_secs(300);
    let (code, rescued) = in_json(&world, &["rescue"]).await;
    assert_eq!((code, &rescued["before"]["rescue"]), (0, &json!(1)), "{rescued}");
    assert_eq!(rescued["swept"]["counted"]["Recovered"], 1, "{rescued}");
    assert_eq!(rescued["after"], json!({"rescue": 0, "dead_letters": 0}), "{rescued}");
    let row = world.row().await;
    assert_eq!((string(&row, "health"), number(&row, "generation")), (Some("active"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_the_app_are_shown_and_disconnected() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.connected("user 2", |_| {}).await;
    let grace = Begun::new(&world);
    world.browser().connect(&grace, |approval| GRACE.clone_into(&mut approval.person)).await;
    let (code, listed) = in_json(&world, &["list", "--subject", "user 1"]).await;
    assert_eq!((code, people(&listed)), (0, vec![ADA]), "{listed}");
    assert_eq!(listed["installations"][0]["subjects"], json!(["user 1", "user 2"]));
    let (_, shown) = in_json(&world, &["show", "--subject", "user 2"]).await;
    assert_eq!(shown["installations"][0]["owner_user_id"], ADA, "{shown}");
    assert_eq!(
        said(&operator(&world, &["show", "--subject", "nobody"], "").await).matches("there is no").count(),
        1
    );
    let list = said(&operator(&world, &["list"], "").await);
    assert!(list.contains("of user 1, user 2") && list.contains("unclaimed"), "{list}");

    let (code, kept) = in_json(&world, &["revoke", "--subject", "user 1", "--yes"]).await;
    assert_eq!((code, &kept["removed"]), (0, &json!(false)), "{kept}");
    assert!(world.ask("token", json!({"subject": "user 2"})).await["error"].is_null());
    let again = operator(&world, &["revoke", "--subject", "user 1", "--yes"], "").await;
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    let (code, removed) = in_json(&world, &["revoke", "--subject", "user 2", "--yes"]).await;
    assert_eq!(
        (code, &removed["removed"], &removed["revoked"]),
        (0, &json!(true), &json!(true)),
        "{removed}"
    );
    assert_eq!(world.links().await, []);
    let odd = operator(&world, &["list", "--subject", ""], "").await;
    assert_eq!(odd.status.code(), Some(2), "{}", said(&odd));
}
