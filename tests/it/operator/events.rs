//! `events` and `webhook`.

use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::process::{in_json, operator, operator_without_webhook, said};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_prints_what_was_published_and_a_replay_publishes_it_again() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.publish().await;
    let tail = operator(&world, &["events", "tail", "--since-start", "--no-follow"], "").await;
    assert!(tail.status.success(), "{}", said(&tail));
    let lines: Vec<String> = said(&tail).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("installation.installed") && lines[1].ends_with("user 1"), "{lines:?}");
    let from_now = operator(&world, &["events", "tail", "--no-follow"], "").await;
    assert_eq!(said(&from_now), "");
    let documents = operator(&world, &["--json", "events", "tail", "--since-start", "--no-follow"], "").await;
    let documents: Vec<Value> =
        said(&documents).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents, world.feed().await);

    let bus = world.stack.event_bus().service();
    let (code, answer) = in_json(&world, &["events", "replay", "--since", "2026-01-01T00:00:00Z"]).await;
    assert_eq!((code, answer["done"].clone()), (0, json!(true)), "{answer}");
    let events = bus.events();
    assert_eq!(events.len(), 4);
    assert_eq!(events[0]["detail"], events[2]["detail"]);
    for (arguments, code) in [
        (&["events", "replay", "--since", "yesterday"][..], 2),
        (&["events", "replay", "--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], 2),
    ] {
        assert_eq!(in_json(&world, arguments).await.0, code, "{arguments:?}");
    }
    assert_eq!(bus.events().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_secret_is_printed_only_if_asked_for_and_a_rotation_keeps_the_one_before_for_a_day() {
    let world = World::start().await;
    let old = world.stack.webhook_secret();
    let hidden = operator(&world, &["webhook", "secret"], "").await;
    assert!(hidden.status.success() && !said(&hidden).contains(&old), "{}", said(&hidden));
    let shown = operator(&world, &["webhook", "secret", "--show"], "").await;
    assert_eq!(said(&shown).trim(), old);

    let rotated = operator(&world, &["webhook", "rotate"], "").await;
    assert_eq!(rotated.status.code(), Some(1), "{}", said(&rotated));
    let new = world.stack.webhook_secret();
    assert!(new != old && !said(&rotated).contains(&new), "{}", said(&rotated));
    assert!(Webhook::new(&new).is_ok());
    let shown = operator(&world, &["webhook", "secret", "--show"], "").await;
    assert!(said(&shown).starts_with(&new) && said(&shown).contains("signs too"), "{}", said(&shown));
    // An app may still have the one from before the first rotation.
    let again = operator(&world, &["webhook", "rotate"], "").await;
    assert!(again.status.code() == Some(1) && said(&again).contains("--at-once"), "{}", said(&again));
    assert_eq!(world.stack.webhook_secret(), new);
    let at_once = operator(&world, &["webhook", "rotate", "--at-once"], "").await;
    assert!(said(&at_once).contains("no longer used"), "{}", said(&at_once));
    let newest = world.stack.webhook_secret();
    assert!(newest != new);
    let stored =
        world.stack.secrets_manager().service().current(&world.stack.variables()["WEBHOOK_SECRET_ARN"]);
    assert_eq!(stored.unwrap().as_object().unwrap().len(), 1, "nothing else signs");

    for arguments in [&["webhook", "secret"][..], &["webhook", "rotate"], &["webhook", "resume"]] {
        let none = operator_without_webhook(&world, arguments).await;
        assert_eq!(none.status.code(), Some(1), "{}", said(&none));
        assert!(said(&none).contains("WebhookUrl"), "{}", said(&none));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_endpoint_is_resumed_and_gets_what_was_given_up() {
    let gone = axum::Router::new().fallback(async || axum::http::StatusCode::GONE);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Without a path: the function writes the URL with one.
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let task = tokio::spawn(async move { axum::serve(listener, gone).await });
    let world = World::start_with(|options| {
        options.variables.insert("WEBHOOK_URL".to_owned(), url);
    })
    .await;
    world.connected("user 1", |_| {}).await;
    world.publish().await;
    world.stack.deliver_webhooks().await;
    let queues = world.stack.queues().service();
    assert_eq!((queues.webhooks().len(), queues.webhook_dead_letters().len()), (0, 2));
    task.abort();
    let (code, answer) = in_json(&world, &["webhook", "resume"]).await;
    assert_eq!(code, 0, "{answer}");
    assert_eq!((&answer["was_stopped"], &answer["sent_again"]), (&json!(true), &json!(2)), "{answer}");
    assert_eq!((queues.webhooks().len(), queues.webhook_dead_letters().len()), (2, 0));
    // It is asked again.
    world.stack.deliver_webhooks().await;
    assert_eq!(queues.webhooks().len(), 2, "nobody listens, so they come again");
    let (code, answer) = in_json(&world, &["webhook", "resume"]).await;
    assert_eq!((code, &answer["was_stopped"]), (0, &json!(false)), "{answer}");
}
