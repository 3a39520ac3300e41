//! Once a token exists, it is never lost silently: saved, otherwise rescued, otherwise revoked, otherwise an alarm.

use dev::aws::{Fault, Reply};
use serde_json::{Value, json};
use simulated_notion::{Endpoint, Fault as NotionFault};
use vault::seal::KeyRing;
use vault::store::{RescueRecord, Rescued};

use crate::harness::{World, number, string};

const SAVE: &str = "TransactWriteItems";

/// A world whose functions have eight seconds, so that they soon give up on a store that is down.
async fn hurried() -> World {
    World::start_with(|options| options.function_timeout_ms = 8000).await
}

fn error(status: u16, code: &str) -> Fault {
    Fault::Answer(Reply::error(status, code))
}

fn cancelled(reasons: &[&str]) -> Fault {
    let reasons: Vec<Value> = reasons.iter().map(|code| json!({"Code": code})).collect();
    Fault::Answer(Reply {
        status: 400,
        body: json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "cancelled",
            "CancellationReasons": reasons,
        }),
    })
}

#[tokio::test]
async fn a_transient_save_failure_is_retried() {
    for fault in [
        Fault::Down,
        Fault::LostReply,
        error(500, "InternalServerError"),
        error(400, "ThrottlingException"),
        error(400, "ProvisionedThroughputExceededException"),
        error(400, "TransactionInProgressException"),
        cancelled(&["TransactionConflict", "None"]),
        cancelled(&["None", "ThrottlingError"]),
    ] {
        let case = format!("{fault:?}");
        let world = World::start().await;
        world.stack.dynamodb().inject(SAVE, fault, 2);
        assert!(world.browser().install_as(|_| {}).await.is_connected(), "{case}");
        let rows = world.installations().await;
        assert_eq!((rows.len(), number(&rows[0], "generation")), (1, 1), "{case}");
        assert_eq!(world.notion().count(Endpoint::Token), 1, "{case}");
    }
}

#[tokio::test]
async fn a_store_that_stays_down_sends_the_sealed_installation_to_the_queues() {
    for fault in [
        Fault::Down,
        Fault::Silent,
        error(500, "InternalServerError"),
        error(400, "AccessDeniedException"),
        error(400, "ValidationException"),
        error(400, "ResourceNotFoundException"),
    ] {
        let case = format!("{fault:?}");
        let world = hurried().await;
        let browser = world.browser();
        world.stack.dynamodb().inject(SAVE, fault, u32::MAX);
        let page = browser.install_as(|_| {}).await;
        assert_eq!((page.status.as_u16(), page.heading()), (202, "Almost there"), "{case}");
        assert_eq!(browser.get(&page.url).await.heading(), "Almost there", "{case}: a reload says the same");
        assert_eq!(world.notion().count(Endpoint::Revoke), 0, "{case}");

        let messages = world.stack.queues().service().messages();
        let [message] = &messages[..] else { panic!("{case}: {messages:?}") };
        let record: RescueRecord = serde_json::from_str(message).unwrap();
        let token = &world.notion().grants()[0].access_tokens[0];
        assert!(!message.contains(token.as_str()), "{case}: the token is in the queue in the clear");
        let ring = KeyRing::parse(&world.stack.key_ring()).unwrap();
        let Rescued::Install { claim, installation } = record.rescued else { panic!("{case}: {message}") };
        let opened = ring.open_access(installation.id.as_str(), &installation.pair.access).unwrap();
        assert_eq!(opened.expose(), token, "{case}");
        assert_eq!(string(&world.claims().await[0], "claim"), Some(claim.as_str()), "{case}");
        let log = world.leaks.log();
        assert!(log.contains("\"alarm\":\"save_failed\"") && log.contains("\"Rescued\":1"), "{case}");
    }
}

#[tokio::test]
async fn with_the_queue_down_too_the_grant_is_revoked() {
    let world = hurried().await;
    world.stack.dynamodb().inject(SAVE, Fault::Down, u32::MAX);
    world.stack.queues().inject("*", Fault::Down, u32::MAX);
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!((page.status.as_u16(), page.heading()), (200, "Your approval could not be saved"));
    assert!(world.notion().grants()[0].access_tokens.is_empty());
    assert!(world.leaks.log().contains("\"Revoked\":1"));
    assert!(!world.leaks.log().contains("orphaned_grant"));
}

#[tokio::test]
async fn if_everything_fails_an_alarm_names_the_bot_and_no_token() {
    for revoke in [
        NotionFault::Status { status: 500, retry_after: None },
        NotionFault::DropBeforeProcessing,
        NotionFault::Hold,
    ] {
        let world = hurried().await;
        world.stack.dynamodb().inject(SAVE, Fault::Down, u32::MAX);
        world.stack.queues().inject("*", Fault::Silent, u32::MAX);
        world.notion().inject(Endpoint::Revoke, revoke, u32::MAX);
        let page = world.browser().install_as(|_| {}).await;
        assert_eq!(page.heading(), "Your approval could not be saved");
        let bot_id = world.notion().grants()[0].bot_id.clone();
        let log = world.leaks.log();
        let alarm = log.lines().find(|line| line.contains("\"alarm\":\"orphaned_grant\"")).unwrap();
        assert!(alarm.contains(&bot_id) && alarm.contains("request_id"), "{alarm}");
        assert!(log.contains("\"OrphanedGrant\":1"));
    }
}

#[tokio::test]
async fn a_lost_reply_does_not_count_an_installation_twice() {
    let world = World::start().await;
    let browser = world.browser();
    for generation in 1..=3 {
        world.stack.dynamodb().inject(SAVE, Fault::LostReply, 1);
        assert!(browser.install_as(|_| {}).await.is_connected());
        let rows = world.installations().await;
        assert_eq!((rows.len(), number(&rows[0], "generation")), (1, generation));
        assert_eq!(rows[0]["superseded"].as_l().unwrap().len() as u64, generation - 1);
    }
}

#[tokio::test]
async fn the_tokens_are_saved_even_if_the_claim_is_gone() {
    let world = World::start().await;
    let browser = world.browser();
    world.stack.dynamodb().inject(SAVE, cancelled(&["None", "None", "ConditionalCheckFailed"]), 1);
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |_| {});
    let page = browser.get(&callback).await;
    assert!(page.location().starts_with("?flow="), "{}", page.location());
    assert_eq!(world.installations().await.len(), 1);
    assert_eq!(world.notion().count(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_in_the_url() {
    let world = World::start().await;
    world.notion().inject(Endpoint::Token, NotionFault::Status { status: 500, retry_after: None }, 1);
    world.stack.dynamodb().inject("UpdateItem", error(400, "AccessDeniedException"), u32::MAX);
    let page = world.browser().install_as(|_| {}).await;
    assert!(page.url.ends_with("?reason=outcome_unknown"), "{}", page.url);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_has_its_own_page() {
    let world = World::start().await;
    let browser = world.browser();
    let page = browser.install_as(|_| {}).await;
    world.stack.dynamodb().inject("GetItem", error(400, "AccessDeniedException"), 1);
    let again = browser.get(&page.url).await;
    assert_eq!((again.status.as_u16(), again.heading()), (503, "We cannot look this up just now"));
    assert!(browser.get(&page.url).await.is_connected());
}

#[tokio::test]
async fn a_slow_revocation_does_not_leave_the_flow_without_an_outcome() {
    let world = World::start_with(|options| {
        options.function_timeout_ms = 8000;
        options.variables.insert("ALLOWED_WORKSPACES".to_owned(), simulated_notion::GLOBEX.to_owned());
    })
    .await;
    world.notion().inject(Endpoint::Revoke, NotionFault::Hold, 1);
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!(page.heading(), "This workspace cannot be connected");
    assert_eq!(string(&world.claims().await[0], "outcome"), Some("not_allowed"));
    assert!(world.leaks.log().contains("\"alarm\":\"orphaned_grant\""));
}

#[tokio::test]
async fn a_transient_revocation_failure_is_retried() {
    let world = hurried().await;
    world.stack.dynamodb().inject(SAVE, Fault::Down, u32::MAX);
    world.stack.queues().inject("*", Fault::Down, u32::MAX);
    world.notion().inject(Endpoint::Revoke, NotionFault::Status { status: 503, retry_after: None }, 1);
    world.browser().install_as(|_| {}).await;
    assert_eq!(world.notion().count(Endpoint::Revoke), 2);
    assert!(world.notion().grants()[0].access_tokens.is_empty());
    assert!(!world.leaks.log().contains("orphaned_grant"));
}

#[tokio::test]
async fn a_token_in_the_row_is_not_revoked() {
    // Every reply of the table is lost, so nobody knows that the first write succeeded. The queue is down too.
    let world = hurried().await;
    world.stack.dynamodb().inject(SAVE, Fault::LostReply, 1);
    world.stack.dynamodb().inject(SAVE, Fault::Down, u32::MAX);
    world.stack.queues().inject("*", Fault::Down, u32::MAX);
    let page = world.browser().install_as(|_| {}).await;
    assert!(page.is_connected(), "{}", page.heading());
    assert_eq!(world.notion().count(Endpoint::Revoke), 0);
    let row = &world.installations().await[0];
    assert_eq!(world.open_access(row), world.notion().grants()[0].access_tokens[0]);
}

#[tokio::test]
async fn an_install_that_loses_to_a_removal_revokes_its_grant() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    // Like a tombstone of the uninstall function, with a removal after the next exchange.
    let id = world.installations().await[0]["installation_id"].clone();
    let table = dev::aws::INSTALLATIONS_TABLE.0;
    let client = world.stack.dynamodb().service().client();
    client
        .update_item()
        .table_name(table)
        .key("installation_id", id)
        .update_expression("SET health = :removed, removed_at_ms = :later REMOVE pair")
        .expression_attribute_values(
            ":removed",
            aws_sdk_dynamodb::types::AttributeValue::S("removed".to_owned()),
        )
        .expression_attribute_values(
            ":later",
            aws_sdk_dynamodb::types::AttributeValue::N(u64::MAX.to_string()),
        )
        .send()
        .await
        .unwrap();
    let page = world.browser().install_as(|_| {}).await;
    assert_eq!((page.status.as_u16(), page.heading()), (409, "The connection was removed"));
    assert_eq!(world.notion().count(Endpoint::Revoke), 1);
    assert_eq!(string(&world.installations().await[0], "health"), Some("removed"));
}
