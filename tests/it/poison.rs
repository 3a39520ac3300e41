//! Rows and records of an unforeseen form: each is skipped, counted and reported, and the others are processed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::random::{OsRandom, Random};
use simulated_notion::GRACE;

use crate::binaries;
use crate::harness::{START, World, event};

const DAY_SECS: u64 = 86_400;

#[tokio::test]
async fn an_invalid_claim_key_does_not_stop_the_sweep() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let secs = |secs: u64| AttributeValue::N((START.0 / 1000 + secs).to_string());
    // One in each partition of the index, so that at least one comes first.
    for (number, key) in ["k", "ü", "0123456789abcde", "0123456789abcdeü"].iter().cycle().take(16).enumerate()
    {
        let claim = HashMap::from([
            ("claim".to_owned(), text(&format!("{key}{}", "x".repeat(number / 4)))),
            ("attempt".to_owned(), text("somebody")),
            ("outcome".to_owned(), text("exchanging")),
            ("exchanging_shard".to_owned(), text(&format!("{number:x}"))),
            ("claimed_at".to_owned(), secs(0)),
            ("expires_at".to_owned(), secs(2 * DAY_SECS)),
        ]);
        let put = world.stack.dynamodb().service().client().put_item();
        put.table_name(dev::aws::CLAIMS_TABLE.0).set_item(Some(claim)).send().await.unwrap();
    }
    world.clock.advance_secs(DAY_SECS);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!((&swept["StuckClaim"], &swept["Verified"]), (&json!(16), &json!(1)), "{swept}");
}

/// Panics once when armed. It is the one thing of ours that the processing of any row may call.
#[derive(Default)]
pub(crate) struct Fuse {
    is_lit: AtomicBool,
}

impl Fuse {
    pub(crate) fn light(&self) {
        self.is_lit.store(true, Ordering::SeqCst);
    }

    pub(crate) fn put_out(&self) {
        self.is_lit.store(false, Ordering::SeqCst);
    }
}

impl Random for Fuse {
    fn fill(&self, bytes: &mut [u8]) {
        assert!(!self.is_lit.swap(false, Ordering::SeqCst), "the fuse");
        OsRandom.fill(bytes);
    }
}

#[tokio::test]
async fn a_panic_over_one_row_does_not_stop_the_sweep_and_is_reported() {
    let fuse = Arc::new(Fuse::default());
    let random = Arc::clone(&fuse);
    let world = World::start_with(|options| options.random = random).await;
    for person in [simulated_notion::ADA, GRACE] {
        let page = world.browser().install_as(|approval| person.clone_into(&mut approval.person)).await;
        assert!(page.is_connected());
    }
    world.expire_access_tokens();
    world.clock.advance_secs(DAY_SECS);
    fuse.light();
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!(
        (&swept["Refreshed"], &swept["Panicked"], &swept["SweepFailed"]),
        (&json!(1), &json!(1), &json!(1)),
        "{swept}"
    );
    assert!(world.leaks.log().contains("\"alarm\":\"panic\""));
    // It waits behind the others, and is processed again.
    world.clock.advance_secs(3601);
    assert_eq!(world.ask("sweep", json!({})).await["Refreshed"], 1);
}

#[tokio::test]
async fn a_panic_in_any_function_fires_the_same_alarm() {
    let fuse = Arc::new(Fuse::default());
    let random = Arc::clone(&fuse);
    let world = World::start_with(|options| options.random = random).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let before = world.vend(json!({})).await;
    fuse.light();
    let answer = world.vend(json!({"refused_fingerprint": before["fingerprint"]})).await;
    assert_eq!(answer["error"], "internal");
    assert_rings("Panicked", &world.last_line_with("Panicked"));
    fuse.light();
    let answer = world.invoke(world.stack.install(), &event("GET", "/install", "", &[])).await;
    assert_eq!(answer["statusCode"], 500);
    assert_rings("Panicked", &world.last_line_with("Panicked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_could_not_start_counts_every_call() {
    let world = World::start().await;
    for (name, input) in [
        ("sweep", json!({})),
        ("token", json!({"workspace_id": "w", "user_id": null})),
        ("uninstall", json!({})),
        ("install", event("GET", "/install", "", &[])),
        ("callback", event("GET", "/callback", "", &[])),
    ] {
        let mut variables = world.stack.variables().clone();
        variables.remove("NOTION_CLIENT_ID");
        let function = binaries::start(name, &variables).await;
        let (answer, line) = function.invoke(input).await.unwrap();
        assert!(answer["error"] == "misconfigured" || answer["statusCode"] == 500, "{name}: {answer}");
        assert_rings("Misconfigured", &line);
    }
}

/// One alarm covers all functions, so the metric is also written without a dimension.
fn assert_rings(metric: &str, line: &Value) {
    assert_eq!(line[metric], 1, "{line}");
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let of_all = directives.iter().find(|directive| directive["Dimensions"] == json!([[]]));
    let of_all = of_all.unwrap_or_else(|| panic!("{metric} of all functions: {line}"));
    assert!(of_all["Metrics"].as_array().unwrap().iter().any(|named| named["Name"] == metric), "{line}");
    let template = include_str!("../../template.yaml");
    let alarm =
        template.split(&format!("  {metric}Alarm:\n")).nth(1).unwrap_or_else(|| panic!("{metric}Alarm"));
    let alarm = alarm.split("TreatMissingData").next().unwrap();
    assert!(
        alarm.contains(&format!("MetricName: {metric}\n")) && alarm.contains("Threshold: 1\n"),
        "{alarm}"
    );
    assert!(!alarm.contains("Dimensions:"), "{alarm}");
}
