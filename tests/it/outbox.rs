//! What an app hears of it: from a write to the bus and the feed.

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{CLAIMS_TABLE, EVENTS_TABLE, Fault, INSTALLATIONS_TABLE, Reply};
use lambda_http::Context;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::entry::batch;
use simulated_notion::{ACME, ADA, Endpoint};
use vault::installation::InstallationId;

use crate::app::Begun;
use crate::harness::{World, ada, string};

impl World {
    /// Publishes what happened so far. Everything has to succeed.
    pub(crate) async fn publish(&self) {
        self.stack.publish_changes().await.unwrap();
        assert_eq!(self.stack.publish_changes().await.unwrap(), 0, "nothing is left");
    }

    /// Every event of the feed.
    pub(crate) async fn feed(&self) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.ask("feed", json!({"after": after, "limit": 7})).await;
            assert!(page["error"].is_null(), "{page}");
            events.extend(page["events"].as_array().unwrap().clone());
            after = page["next"].clone();
            if page["more"] == false {
                return events;
            }
        }
    }

    /// What `publish` answers to these records.
    pub(crate) async fn publish_records(&self, records: &[Value]) -> Value {
        let mut context = Context::default();
        context.deadline = self.clock_ms() + 25_000;
        let event = to_raw_value(&json!({"Records": records})).unwrap();
        let answer = batch::answer(&self.stack.functions().publish, &event, context).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// The records of a table's stream.
    pub(crate) async fn records(&self, table: &str) -> Vec<Value> {
        self.stack.dynamodb().service().changes(table, None, 1000).await.unwrap()
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn opaque(world_row: &std::collections::HashMap<String, AttributeValue>) -> String {
    InstallationId::of_row(string(world_row, "installation_id").unwrap()).to_opaque()
}

#[tokio::test]
async fn the_life_of_an_installation_is_told_in_order_and_names_no_more_than_it_must() {
    let world = World::start().await;
    // In plain mode, then for an app.
    world.browser().install_as(|_| {}).await;
    let row = world.row().await;
    world.connected("user 1", |_| {}).await;
    world.connected("user 2", |_| {}).await;
    world.vend(json!({"refresh": true})).await;
    world.ask("uninstall", json!({"subject": "user 1"})).await;
    world.ask("uninstall", json!({"subject": "user 2"})).await;
    world.ask("uninstall", ada(json!({"forget": true}))).await;
    world.publish().await;
    let events = world.feed().await;
    assert_eq!(
        types(&events),
        [
            "installation.installed",
            "installation.reinstalled",
            "installation.claimed",
            "installation.reinstalled",
            "installation.claimed",
            "installation.unlinked",
            "installation.removed",
            "installation.forgotten",
        ]
    );
    let installation = opaque(&row);
    let installed = &events[0]["data"];
    assert_eq!(
        *installed,
        json!({
            "installation": installation,
            "workspace_id": string(&row, "workspace_id"),
            "user_id": string(&row, "owner_user_id"),
            "bot_id": string(&row, "bot_id"),
            "generation": 1,
            "version": 1,
            "health": "active",
            "previous_health": null,
            "subjects": [],
            "duplicated_template_id": string(&row, "duplicated_template_id"),
        })
    );
    let subject = |at: usize| events[at]["data"]["subject"].as_str();
    assert_eq!(
        [subject(2), subject(4), subject(5), subject(6)],
        [Some("user 1"), Some("user 2"), Some("user 1"), None]
    );
    assert_eq!(events[5]["data"]["subjects"], json!(["user 2"]));
    // The app learns whom it was connected for.
    assert_eq!(events[6]["data"]["subjects"], json!(["user 2"]));
    assert_eq!(events[6]["data"]["previous_health"], "active");
    let forgotten = events[7]["data"].as_object().unwrap();
    assert_eq!(forgotten.keys().collect::<Vec<_>>(), ["generation", "installation_hash", "version"]);
    let versions: Vec<u64> = events.iter().map(|event| event["data"]["version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted(), "{versions:?}");
    // The same documents are on the bus.
    let on_bus = world.stack.event_bus().service().events();
    let details: Vec<&Value> = on_bus.iter().map(|event| &event["detail"]).collect();
    assert_eq!(details, events.iter().collect::<Vec<_>>());
    for event in &on_bus {
        assert_eq!(event["source"], "notion-install");
        assert_eq!(event["detail-type"], event["detail"]["type"]);
        assert_eq!(event["time"], event["detail"]["timestamp"]);
        let table = event["resources"][0].as_str().unwrap();
        assert!(table.ends_with(":table/installations"), "{table}");
    }
    let text = json!(on_bus).to_string();
    for personal in ["Ada", "ada@", "Acme", "avatar"] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
}

#[tokio::test]
async fn names_and_addresses_are_in_events_only_if_the_deployer_wants_them() {
    let world = World::start_with(|options| {
        options.variables.insert("EVENTS_CARRY_PERSONAL_DATA".to_owned(), "true".to_owned());
    })
    .await;
    world.browser().install_as(|_| {}).await;
    let row = world.row().await;
    world.publish().await;
    let event = &world.feed().await[0];
    assert!(crate::history::schema().is_valid(event), "{event}");
    let data = event["data"].clone();
    for (field, attribute) in
        [("workspace_name", "workspace_name"), ("user_name", "owner_name"), ("user_email", "owner_email")]
    {
        assert!(data[field].is_string(), "{field}");
        assert_eq!(data[field].as_str(), string(&row, attribute));
    }
}

#[tokio::test]
async fn a_grant_that_dies_and_comes_back_and_one_that_nobody_claims() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    world.notion().revoke_grants_of(ADA, ACME);
    assert_eq!(world.vend(json!({"refresh": true})).await["error"], "needs_reinstall");
    world.publish().await;
    assert_eq!(types(&world.feed().await), ["installation.installed", "installation.needs_reinstall"]);
    world.browser().install_as(|_| {}).await;
    world.publish().await;
    let events = world.feed().await;
    assert_eq!(types(&events)[2..], ["installation.reinstalled"]);
    assert_eq!(events[2]["data"]["previous_health"], "needs_reinstall");

    // Somebody else, for an app that never claims.
    world.browser().connect(&Begun::new(&world), crate::app::in_globex).await;
    world.clock.advance_secs(2 * 3600);
    world.ask("sweep", json!({})).await;
    world.publish().await;
    let events = world.feed().await;
    assert_eq!(types(&events)[3..], ["installation.installed", "installation.unclaimed"]);
    assert_eq!(events[4]["data"]["previous_health"], "unclaimed");
}

#[tokio::test]
async fn an_install_that_ends_otherwise_is_told_with_its_reason() {
    let world = World::start().await;
    let browser = world.browser();
    browser.install_as(|approval| approval.cancel = true).await;
    world.notion().inject(
        Endpoint::Token,
        simulated_notion::Fault::Status { status: 400, retry_after: None },
        1,
    );
    browser.install_as(|_| {}).await;
    // What has expired is deleted by DynamoDB, not by us.
    world.publish().await;
    let mut events = world.feed().await;
    events.sort_by_key(|event| event["type"].to_string());
    assert_eq!(types(&events), ["install.failed", "install.refused"]);
    assert_eq!(events[1]["data"]["reason"], "refused");
    let claims = world.claims().await;
    for event in &events {
        let flow = event["data"]["flow"].as_str().unwrap();
        let claim = claims.iter().find(|claim| string(claim, "claim").unwrap().starts_with(flow)).unwrap();
        assert_eq!(string(claim, "outcome"), event["data"]["reason"].as_str());
    }
}

#[tokio::test]
async fn what_is_delivered_again_has_the_same_ids_and_is_in_the_feed_once() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.publish().await;
    let before = world.feed().await;
    for _ in 0..3 {
        let records = world.records(INSTALLATIONS_TABLE.0).await;
        assert_eq!(world.publish_records(&records).await, json!({"batchItemFailures": []}));
    }
    assert_eq!(world.feed().await, before);
    let on_bus = world.stack.event_bus().service().events();
    assert_eq!(on_bus.len(), 4 * before.len());
    for event in &on_bus {
        assert!(before.contains(&event["detail"]), "{event}");
    }
}

#[tokio::test]
async fn an_event_that_the_bus_does_not_take_comes_again_and_nothing_after_it_is_lost() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.connected("user 2", |_| {}).await;
    let bus = world.stack.event_bus();
    bus.service().refuse_next(&["", "ThrottlingException"]);
    world.stack.publish_changes().await.unwrap();
    bus.inject("PutEvents", Fault::LostReply, 1);
    bus.inject("PutEvents", Fault::Answer(Reply::error(500, "InternalException")), 1);
    world.publish().await;
    let events = world.feed().await;
    assert_eq!(events.len(), 4);
    let on_bus = bus.service().events();
    for event in &events {
        assert!(on_bus.iter().any(|sent| sent["detail"] == *event), "{event}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_reported_and_does_not_hold_up_what_follows() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    let id = string(&world.row().await, "installation_id").unwrap().to_owned();
    let generation = AttributeValue::S("not a number".to_owned());
    world.tamper(&id, "SET generation = :g", &[(":g", generation)]).await;
    world.browser().install_as(crate::app::in_globex).await;
    world.publish().await;
    assert_eq!(types(&world.feed().await), ["installation.installed", "installation.installed"]);
    let log = world.leaks.log();
    assert!(log.contains(r#""alarm":"event_unreadable""#), "{log}");
    let line = world.last_line_with("EventUnreadable");
    assert_eq!(line["EventUnreadable"], 1, "{line}");
}

#[tokio::test]
async fn an_event_that_the_bus_will_never_take_is_reported_and_stays_in_the_feed() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    world.stack.event_bus().service().refuse_next(&["MalformedDetail"]);
    world.publish().await;
    assert_eq!(world.feed().await.len(), 2);
    assert_eq!(world.stack.event_bus().service().events().len(), 1);
    let log = world.leaks.log();
    assert!(log.contains(r#""alarm":"event_unreadable""#), "{log}");
}

#[tokio::test]
async fn if_the_log_does_not_answer_the_batch_comes_again_and_nothing_is_on_the_bus_before() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let fault = Fault::Answer(Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("TransactWriteItems", fault, 1);
    let records = world.records(INSTALLATIONS_TABLE.0).await;
    let answer = world.publish_records(&records).await;
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], records[0]["dynamodb"]["SequenceNumber"]);
    assert_eq!(world.stack.event_bus().calls().len(), 0);
    world.publish().await;
    assert_eq!(world.feed().await.len(), 2);
}

#[tokio::test]
async fn the_feed_goes_on_where_a_reader_stopped_and_says_if_that_is_too_long_ago() {
    let world = World::start_with(|options| {
        options.variables.insert("EVENTS_RETENTION_DAYS".to_owned(), "1".to_owned());
    })
    .await;
    let nothing = json!({"events": [], "next": null, "more": false, "missed": false});
    assert_eq!(world.ask("feed", json!({})).await, nothing);
    world.browser().install_as(|_| {}).await;
    world.publish().await;
    let first = world.ask("feed", json!({})).await;
    let id = first["next"].clone();
    assert_eq!(first["events"][0]["id"], id);
    let nothing = world.ask("feed", json!({"after": id})).await;
    assert_eq!(nothing, json!({"events": [], "next": id, "more": false, "missed": false}));
    world.browser().install_as(|_| {}).await;
    world.publish().await;
    let second = world.ask("feed", json!({"after": id})).await;
    assert_eq!(second["events"][0]["type"], "installation.reinstalled");

    world.clock.advance_secs(86_400);
    assert_eq!(world.ask("feed", json!({"after": id})).await["error"], "expired");
    assert_eq!(world.ask("feed", json!({})).await["events"], json!([]), "DynamoDB deletes late");
    assert_eq!(world.ask("feed", json!({"after": format!("evt_{:032x}", 1)})).await["error"], "expired");
    for input in [
        json!({"after": "x"}),
        json!({"after": 1}),
        json!({"limit": 0}),
        json!({"limit": 101}),
        json!({"limit": "x"}),
    ] {
        assert_eq!(world.ask("feed", input.clone()).await["error"], "malformed", "{input}");
    }
}

#[tokio::test]
async fn the_signed_route_answers_the_feed_and_nobody_else_gets_it() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    world.publish().await;
    let page = world.browser().get(&world.url("/events")).await;
    assert_eq!(page.status, 403);
    let event = crate::harness::event("GET", "/events", "limit=1", &[]);
    let answer = world.ask("feed", event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["events"][0]["type"], "installation.installed");
}

/// Many processes append at once: every event has a place of its own, and there is no place without an event.
#[tokio::test]
async fn concurrent_publishers_leave_no_gap_in_the_feed() {
    let world = World::start().await;
    for _ in 0..6 {
        world.connected("user 1", |_| {}).await;
    }
    let records = world.records(INSTALLATIONS_TABLE.0).await;
    let batches = records.iter().map(|record| world.publish_records(std::slice::from_ref(record)));
    for answer in futures_util::future::join_all(batches).await {
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    assert_eq!(world.feed().await.len(), 12);
}

/// Claims that DynamoDB deletes are not news, and neither is a claim that succeeded.
#[tokio::test]
async fn the_end_of_a_claim_is_not_an_event() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    let claim = string(&world.claims().await[0], "claim").unwrap().to_owned();
    let client = world.stack.dynamodb().service().client();
    client
        .delete_item()
        .table_name(CLAIMS_TABLE.0)
        .key("claim", AttributeValue::S(claim))
        .send()
        .await
        .unwrap();
    let records = world.records(CLAIMS_TABLE.0).await;
    assert_eq!(records.last().unwrap()["eventName"], "REMOVE");
    world.publish().await;
    assert_eq!(types(&world.feed().await), ["installation.installed"]);
}

/// Another program deleted a row. Nobody is told that it was forgotten: a backup may bring it back.
#[tokio::test]
async fn a_row_that_another_program_deleted_is_reported() {
    let world = World::start().await;
    world.browser().install_as(|_| {}).await;
    let id = string(&world.row().await, "installation_id").unwrap().to_owned();
    let client = world.stack.dynamodb().service().client();
    let delete = client.delete_item().table_name(INSTALLATIONS_TABLE.0);
    delete.key("installation_id", AttributeValue::S(id)).send().await.unwrap();
    world.publish().await;
    assert_eq!(types(&world.feed().await), ["installation.installed"]);
    let log = world.leaks.log();
    assert!(log.contains("that was not removed is gone"), "{log}");
}

/// However many events are there that have expired and are not deleted yet, a reader gets past them.
#[tokio::test]
async fn a_reader_gets_past_what_has_expired_and_is_not_deleted_yet() {
    let world = World::start_with(|options| {
        options.variables.insert("EVENTS_RETENTION_DAYS".to_owned(), "1".to_owned());
    })
    .await;
    for _ in 0..5 {
        world.browser().install_as(|_| {}).await;
    }
    world.publish().await;
    world.clock.advance_secs(86_401);
    world.browser().install_as(|_| {}).await;
    world.publish().await;
    let page = world.ask("feed", json!({"limit": 2})).await;
    assert_eq!(types(page["events"].as_array().unwrap()), ["installation.reinstalled"]);
    assert_eq!(page["more"], false, "{page}");
}

/// A place that cannot be seen yet is waited for, as long as it may only be late.
#[tokio::test]
async fn a_reader_waits_for_a_place_that_may_only_be_late() {
    let world = World::start().await;
    for _ in 0..3 {
        world.browser().install_as(|_| {}).await;
        world.publish().await;
    }
    let all = world.feed().await;
    let client = world.stack.dynamodb().service().client();
    let delete = client.delete_item().table_name(EVENTS_TABLE.0);
    let second = all[1]["id"].as_str().unwrap().to_owned();
    delete.key("event_id", AttributeValue::S(second)).send().await.unwrap();
    let page = world.ask("feed", json!({})).await;
    assert_eq!((page["events"].as_array().unwrap().len(), &page["more"]), (1, &json!(true)), "{page}");
    // There is nothing before it, so nobody is to ask again at once.
    let page = world.ask("feed", json!({"after": page["next"]})).await;
    assert_eq!((&page["events"], &page["more"]), (&json!([]), &json!(false)), "{page}");
    world.clock.advance_secs(301);
    // It was deleted. Who has the one before it has missed it, and is told.
    let page = world.ask("feed", json!({"after": all[0]["id"]})).await;
    assert_eq!((&page["events"], &page["missed"]), (&json!([all[2]]), &json!(true)), "{page}");
    let page = world.ask("feed", json!({})).await;
    assert_eq!((&page["events"], &page["missed"]), (&json!([all[0], all[2]]), &json!(false)), "{page}");
}

/// An event that is too large does not take the others with it: neither one for the bus, nor one for the log.
#[tokio::test]
async fn an_event_that_is_too_large_is_skipped_alone() {
    for name in ["x".repeat(300_000), "\"".repeat(210_000)] {
        let world = World::start_with(|options| {
            options.variables.insert("EVENTS_CARRY_PERSONAL_DATA".to_owned(), "true".to_owned());
        })
        .await;
        world.browser().install_as(|_| {}).await;
        let id = string(&world.row().await, "installation_id").unwrap().to_owned();
        world.publish().await;
        world.tamper(&id, "SET workspace_name = :n", &[(":n", AttributeValue::S(name))]).await;
        world.ask("uninstall", ada(json!({}))).await;
        world.browser().install_as(crate::app::in_globex).await;
        world.publish().await;
        let on_bus = world.stack.event_bus().service().events();
        let on_bus: Vec<&str> = on_bus.iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
        assert_eq!(on_bus, ["installation.installed", "installation.installed"]);
        let log = world.leaks.log();
        assert!(log.contains(r#""alarm":"event_unreadable""#), "{log}");
    }
}

/// If the table or the bus refuses what is not large, they are at fault: nothing is given up.
#[tokio::test]
async fn a_refusal_that_is_not_for_the_size_comes_again() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let refused = || Fault::Answer(Reply::error(400, "ValidationException"));
    world.stack.dynamodb().inject("TransactWriteItems", refused(), 2);
    world.stack.publish_changes().await.unwrap();
    assert_eq!(world.feed().await.len(), 0);
    world.stack.event_bus().inject("PutEvents", refused(), 2);
    world.stack.publish_changes().await.unwrap();
    world.publish().await;
    assert_eq!(world.feed().await.len(), 2);
    let on_bus = world.stack.event_bus().service().events();
    let ids: std::collections::BTreeSet<&str> =
        on_bus.iter().map(|event| event["detail"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
}

/// The schema knows the types that there are, and refuses what is none.
#[test]
fn the_schema_has_every_type_and_no_other_field() {
    let schema: Value = serde_json::from_str(include_str!("../../events/schemas/event-1.json")).unwrap();
    let text = schema.to_string();
    for kind in vault::event::EventType::ALL {
        assert!(text.contains(&format!("\"{}\"", kind.key())), "{}", kind.key());
    }
    let event = json!({
        "id": format!("evt_{:032x}", 1), "type": "installation.forgotten", "timestamp": "2026-11-22T00:00:00Z",
        "data": {"installation_hash": "0".repeat(64), "generation": 1, "version": 2},
    });
    let validator = crate::history::schema();
    assert!(validator.is_valid(&event));
    for (pointer, value) in [
        ("/type", json!("installation.renamed")),
        ("/id", json!("evt_1.2")),
        ("/timestamp", json!("yesterday")),
        ("/data/access_token", json!("x")),
        ("/data/generation", json!("1")),
    ] {
        let mut broken = event.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut broken } else { broken.pointer_mut(parent).unwrap() };
        parent[name] = value;
        assert!(!validator.is_valid(&broken), "{broken}");
    }
}
