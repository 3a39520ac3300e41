//! Every fault at every call: the right end, or a failure that says what to do; never a loop. The table is in
//! docs/onboarding.md.

use serde_json::Value;
use simulated_notion::{Endpoint, Fault};

use super::{Made, made, of_ada, recipe, settle, states, world};
use crate::harness::World;

/// The calls that make something, and the step that meets the fault.
const CREATES: [(Endpoint, &str); 3] =
    [(Endpoint::CreatePage, "home"), (Endpoint::CreateDatabase, "tasks"), (Endpoint::CreateView, "board")];

/// How an onboarding is to end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// As after a clean run.
    AsClean,
    /// It stops, for this reason.
    Failed(&'static str),
}

fn error(status: u16, code: &str, message: &str) -> Fault {
    Fault::Error { status, code: code.to_owned(), message: Some(message.to_owned()) }
}

fn status(status: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status { status, retry_after: retry_after.map(str::to_owned) }
}

/// A fault that comes once, and how the onboarding ends.
fn once() -> Vec<(&'static str, Fault, End)> {
    vec![
        ("429", status(429, Some("30")), End::AsClean),
        ("529", status(529, Some("10")), End::AsClean),
        ("503 committed, with id", Fault::CommittedThen503 { names_resource: true }, End::AsClean),
        ("503 committed, without id", Fault::CommittedThen503 { names_resource: false }, End::AsClean),
        ("503 not committed", status(503, None), End::AsClean),
        ("500 not committed", status(500, None), End::AsClean),
        ("500 committed", Fault::ProcessedThen5xx(500), End::AsClean),
        ("502 committed", Fault::ProcessedThen5xx(502), End::AsClean),
        ("504 committed", Fault::ProcessedThen5xx(504), End::AsClean),
        ("lost reply", Fault::LostReply, End::AsClean),
        ("dropped before", Fault::DropBeforeProcessing, End::AsClean),
        ("half an answer", Fault::Truncated, End::AsClean),
        ("10 MB of answer", Fault::Huge, End::AsClean),
        ("not JSON", Fault::NotJson, End::AsClean),
        ("400", error(400, "validation_error", "body failed validation"), End::Failed("invalid_recipe")),
        ("401", error(401, "unauthorized", "API token is invalid."), End::AsClean),
        (
            "403",
            error(403, "restricted_resource", "Insufficient permissions"),
            End::Failed("missing_capability"),
        ),
        ("403 of the network", Fault::Html(403), End::AsClean),
        ("404", error(404, "object_not_found", "Could not find it"), End::AsClean),
        ("409", error(409, "conflict_error", "Conflict"), End::AsClean),
    ]
}

async fn installed() -> World {
    let world = world(recipe("tracker"), |_| {}).await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world
}

async fn clean() -> Made {
    let world = installed().await;
    settle(&world).await;
    made(&world)
}

/// The kinds of the events so far, of onboardings only, with their data.
async fn news(world: &World) -> Vec<Value> {
    let feed = world.ask("feed", serde_json::json!({})).await;
    let events = feed["events"].as_array().unwrap().iter();
    events.filter(|event| event["type"].as_str().unwrap().starts_with("onboarding.")).cloned().collect()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures of the run")]
async fn every_fault_at_every_call_has_the_right_end() {
    let expected = clean().await;
    eprintln!("| fault | page | database | view |\n|---|---|---|---|");
    for (name, fault, end) in once() {
        let mut row = Vec::new();
        for (endpoint, step) in CREATES {
            let world = installed().await;
            world.notion().inject(endpoint, fault.clone(), 1);
            let secs = settle(&world).await;
            let prepared = of_ada(&world).await;
            let news = news(&world).await;
            assert_eq!(news.len(), 1, "{name} {endpoint:?}: {news:?}");
            assert!(crate::history::schema().is_valid(&news[0]), "{}", news[0]);
            match end {
                End::AsClean => {
                    assert_eq!(prepared["status"], "completed", "{name} {endpoint:?}: {prepared}");
                    assert_eq!(made(&world), expected, "{name} {endpoint:?}");
                }
                End::Failed(reason) => {
                    assert_eq!(prepared["status"], "failed", "{name} {endpoint:?}: {prepared}");
                    assert_eq!((&prepared["step"], &prepared["reason"]), (&step.into(), &reason.into()));
                    assert_eq!(news[0]["data"]["reason"], reason);
                    assert_eq!(states(&prepared)[step], "pending");
                }
            }
            row.push(format!("{} after {secs} s", prepared["status"].as_str().unwrap()));
        }
        eprintln!("| {name} | {} |", row.join(" | "));
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures of the run")]
async fn a_fault_that_stays_ends_in_a_failure_and_never_in_a_loop() {
    let cases = [
        ("503", status(503, None), "notion_failed"),
        ("lost replies", Fault::DropBeforeProcessing, "notion_failed"),
        ("409", error(409, "conflict_error", "Conflict"), "notion_failed"),
        ("404", error(404, "object_not_found", "Could not find it"), "notion_failed"),
        ("401", error(401, "unauthorized", "API token is invalid."), "needs_reinstall"),
        ("429", status(429, Some("60")), "gave_up"),
        ("529", status(529, None), "gave_up"),
    ];
    for (name, fault, reason) in cases {
        let world = installed().await;
        world.notion().inject(Endpoint::CreateDatabase, fault, 1_000_000);
        super::settle_within(&world, 6000).await;
        let prepared = of_ada(&world).await;
        assert_eq!(prepared["status"], "failed", "{name}: {prepared}");
        assert_eq!(prepared["reason"], reason, "{name}: {prepared}");
        let asked = world.notion().count(Endpoint::CreateDatabase);
        eprintln!("{name}: {asked} requests, then failed ({reason})");
        // What was made before is told, and is not made again when it goes on.
        assert_eq!(states(&prepared)["home"], "made");
        world.notion().clear_faults();
        let order = vault::onboarding::order(
            &vault::installation::InstallationId::of_user(
                simulated_notion::ACME,
                Some(simulated_notion::ADA),
            ),
            true,
        );
        world.stack.queues().service().send_onboarding(&order.to_string());
        settle(&world).await;
        let prepared = of_ada(&world).await;
        assert_eq!(prepared["status"], "completed", "{name}: {prepared}");
        assert_eq!(made(&world), clean().await, "{name}");
        assert_eq!(news(&world).await.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn faults_of_the_calls_that_only_read_change_nothing() {
    let expected = clean().await;
    let reads = [
        Endpoint::GetPage,
        Endpoint::GetDatabase,
        Endpoint::GetDataSource,
        Endpoint::BlockChildren,
        Endpoint::QueryDataSource,
        Endpoint::ListViews,
        Endpoint::GetView,
        Endpoint::Search,
        Endpoint::UsersMe,
    ];
    let transient =
        [status(429, Some("5")), status(500, None), status(503, None), Fault::LostReply, Fault::NotJson];
    for (makes, _) in CREATES {
        for read in reads {
            for fault in &transient {
                let world = installed().await;
                world.notion().inject(makes, Fault::LostReply, 1);
                world.notion().inject(read, fault.clone(), 1);
                settle(&world).await;
                assert_eq!(of_ada(&world).await["status"], "completed", "{makes:?} {read:?} {fault:?}");
                assert_eq!(made(&world), expected, "{makes:?} {read:?} {fault:?}");
            }
        }
    }
}
