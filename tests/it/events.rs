//! The sample events: the checked-in ones, fresh ones through `handle`, and both through the real binaries with the
//! Lambda Runtime API.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use dev::events::{Sample, checked_in, samples};
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock, UnixMillis};
use shared::config::PublicConnection;
use shared::random::OsRandom;

use crate::binaries;
use crate::harness::World;
use crate::leaks::Leaks;
use crate::onboarding::recipe;

/// Fresh samples for a world's connection. The granted ones have a code that its Notion issued.
async fn fresh(world: &World, now: UnixMillis) -> Vec<Sample> {
    let variables = world.stack.variables();
    let connection = PublicConnection::read(&|name: &str| variables.get(name).cloned()).unwrap();
    let browser = world.browser();
    let authorize = browser.install().await;
    let callback = browser.allow(&authorize, |_| {});
    let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let samples = samples(&connection, now, &OsRandom, code);
    for sample in &samples {
        for cookie in sample.event["cookies"].as_array().into_iter().flatten() {
            world.leaks.secret(cookie.as_str().unwrap().split_once('=').unwrap().1);
        }
    }
    samples
}

/// Which function an event is for.
fn function_of(name: &str) -> &str {
    name.split(['-', '.']).next().unwrap()
}

/// Whether it is an event from API Gateway.
fn is_http(event: &Value) -> bool {
    event["requestContext"]["http"].is_object()
}

fn last_outcome(log: &str) -> Option<String> {
    let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["event"] == "request")
        .map(|line| line["outcome"].as_str().unwrap().to_owned())
        .next()
}

#[test]
fn the_checked_in_events_are_the_generated_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let on_disk: BTreeMap<String, String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        // The schemas are not samples.
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    let generated: BTreeMap<String, String> = checked_in().unwrap().into_iter().collect();
    assert_eq!(
        on_disk.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "write them with: cargo run -- event --write events"
    );
    for (name, text) in generated {
        assert_eq!(on_disk[&name], text, "{name}: write it with: cargo run -- event --write events");
    }
}

#[tokio::test]
async fn every_fresh_event_has_its_outcome() {
    // The sample app compares the time of a webhook with the time of day.
    let world = World::start_with(|options| {
        options.clock = Arc::new(SystemClock);
        options.recipe = Some(recipe("tracker"));
    })
    .await;
    for sample in fresh(&world, SystemClock.now_millis()).await {
        let answer = match function_of(sample.name) {
            "install" => world.invoke(world.stack.install(), &sample.event).await,
            "callback" => world.invoke(world.stack.callback(), &sample.event).await,
            name => world.ask(name, sample.event).await,
        };
        assert_eq!(
            last_outcome(&world.leaks.log()).as_deref(),
            Some(sample.outcome),
            "{}: {answer}",
            sample.name
        );
    }
    assert_eq!(world.installations().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_binaries_answer_every_event_over_the_runtime_api() {
    let world = World::start().await;
    let mut variables = world.stack.variables().clone();
    variables.insert("RECIPE".to_owned(), "tracker".to_owned());
    let mut functions = HashMap::new();
    for name in dev::functions::NAMES {
        functions.insert(name, binaries::start(name, &variables).await);
    }
    for sample in fresh(&world, SystemClock.now_millis()).await {
        let http = is_http(&sample.event);
        let (answer, line) = functions[function_of(sample.name)].invoke(sample.event).await.unwrap();
        world.leaks.saw_answer(&answer.to_string());
        assert_eq!(
            answer["headers"]["content-security-policy"].is_string(),
            http,
            "{}: {answer}",
            sample.name
        );
        assert_eq!(line["outcome"], sample.outcome, "{}: {answer}", sample.name);
    }
    assert_eq!(world.installations().await.len(), 1, "the granted event installed");

    // The checked-in ones belong to another connection and another time. None of them is accepted.
    let exchanges = world.notion().count(simulated_notion::Endpoint::Token);
    for (name, text) in checked_in().unwrap() {
        let event: Value = serde_json::from_str(&text).unwrap();
        let method = event["requestContext"]["http"]["method"].clone();
        let http = is_http(&event);
        let (answer, line) = functions[function_of(&name)].invoke(event).await.unwrap();
        world.leaks.saw_answer(&answer.to_string());
        if !http {
            assert!(
                ["expired", "invalid_grant", "not_installed", "ok"]
                    .contains(&line["outcome"].as_str().unwrap()),
                "{name}: {answer}"
            );
            continue;
        }
        let status = answer["statusCode"].as_u64().unwrap();
        match name.as_str() {
            "install.json"
            | "install-app.json"
            | "install-language.json"
            | "install-language-unknown.json"
            | "install-two-tabs.json"
            | "install-state-in-link.json" => assert_eq!(status, 302, "{name}"),
            "token-route.json" | "uninstall-route.json" => assert_eq!(status, 404, "{name}"),
            _ if method == "HEAD" => assert_eq!(status, 405, "{name}"),
            _ => assert!([303, 200, 400, 403].contains(&status), "{name}: {answer}"),
        }
    }
    assert_eq!(world.notion().count(simulated_notion::Endpoint::Token), exchanges);
    for function in functions.values() {
        Leaks::saw_output(&function.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binary_without_settings_says_so_to_everyone_and_names_the_setting_in_the_log() {
    let world = World::start().await;
    for name in [
        "install",
        "callback",
        "claim-direct",
        "token-direct",
        "token-route",
        "uninstall",
        "sweep",
        "feed-direct",
        "publish-installed",
        "webhook",
    ] {
        let function = binaries::start(function_of(name), &HashMap::new()).await;
        let event = samples_of(&world, name).await;
        let http = is_http(&event);
        let (answer, line) = function.invoke(event).await.unwrap();
        let first = ["feed-direct", "publish-installed", "webhook"].contains(&name);
        let missing = if first { "AWS_SECRET_ACCESS_KEY" } else { "NOTION_CLIENT_ID" };
        let is_missing = format!("{missing} is not set");
        if name == "publish-installed" || name == "webhook" {
            // Everything has to come again.
            assert_eq!(
                (&line["outcome"], &line["Misconfigured"]),
                (&"come_again".into(), &1.into()),
                "{name}"
            );
            assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
            assert!(function.log().contains(&is_missing), "{}", function.log());
            continue;
        }
        assert_eq!(line["outcome"], "misconfigured", "{name}");
        if http {
            // The callback's event has a code and a state, which must not stay in the address bar.
            assert_eq!(answer["statusCode"], if name == "callback" { 303 } else { 500 }, "{name}");
            assert!(answer["headers"]["content-security-policy"].is_string(), "{name}");
        } else {
            assert_eq!(answer["error"], "misconfigured", "{name}");
        }
        let log = function.log();
        assert!(log.contains("\"alarm\":\"misconfigured\"") && log.contains(&is_missing), "{log}");
    }
}

async fn samples_of(world: &World, name: &str) -> Value {
    let samples = fresh(world, SystemClock.now_millis()).await;
    samples.into_iter().find(|sample| sample.name == name).unwrap().event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_callback_opens_its_connections_during_init() {
    let world = World::start().await;
    let callback = binaries::start("callback", world.stack.variables()).await;
    // A first event without effects ends INIT.
    let (answer, _line) = callback.invoke(crate::harness::event("HEAD", "/callback", "", &[])).await.unwrap();
    assert_eq!(answer["statusCode"], 405);
    let before = world.stack.connections_accepted();
    let (answer, line) = callback.invoke(samples_of(&world, "callback").await).await.unwrap();
    world.leaks.saw_answer(&answer.to_string());
    assert_eq!(line["Saved"], 1, "{answer}");
    assert_eq!(world.stack.connections_accepted(), before, "no new connection in the handler");
}
