//! The metrics of a request that alarms use.

use serde_json::Value;
use simulated_notion::{Endpoint, Fault};

use crate::binaries;
use crate::harness::World;

#[tokio::test]
async fn a_made_up_code_fires_no_alarm_and_a_failure_does() {
    let world = World::start().await;
    let browser = world.browser();
    let granted = browser.granted().await;
    let (before, after) = granted.split_once("code=").unwrap();
    let state = after.split_once('&').unwrap().1;
    browser.follow(&format!("{before}code=made-up&{state}")).await;
    let line = world.last_line_with("CodeRejected");
    assert_eq!((&line["CodeRejected"], &line["ExchangeFailed"]), (&1.into(), &Value::Null), "{line}");

    world.notion().inject(Endpoint::Token, Fault::Status { status: 500, retry_after: None }, 1);
    browser.install_as(|_| {}).await;
    let line = world.last_line_with("ExchangeFailed");
    assert_eq!((&line["ExchangeFailed"], &line["CodeRejected"]), (&1.into(), &Value::Null), "{line}");
}

#[tokio::test]
async fn a_callback_says_how_old_the_client_secret_is() {
    let world = World::start().await;
    let browser = world.browser();
    for days in [0, 400] {
        world.clock.advance_secs(days * 86_400);
        browser.install_as(|_| {}).await;
        let line = world.last_line_with("ClientSecretAgeDays");
        assert_eq!(line["ClientSecretAgeDays"], days, "{line}");
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert!(metrics.iter().any(|metric| metric["Name"] == "ClientSecretAgeDays"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stack_has_its_own_metrics() {
    let world = World::start().await;
    let mut variables = world.stack.variables().clone();
    variables.insert("METRICS_NAMESPACE".to_owned(), "NotionInstall/one-of-two".to_owned());
    let install = binaries::start("install", &variables).await;
    let (_answer, line) = install.invoke(crate::harness::event("GET", "/install", "", &[])).await.unwrap();
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "NotionInstall/one-of-two", "{line}");
}
