//! The sweep: finishes what was cut off, asks Notion about idle installations, and marks nothing dead that is alive.

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{Fault, Reply};
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Endpoint, Fault as NotionFault, GRACE, RefreshTokenOnExchange, Rotation};

use crate::harness::{World, ada, has_lease, number, person, string};

pub(crate) const DAY_SECS: u64 = 86_400;

pub(crate) async fn installed() -> World {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world
}

pub(crate) async fn sweep(world: &World) -> Value {
    world.ask("sweep", json!({})).await
}

#[tokio::test]
async fn an_idle_installation_is_checked_after_a_day_and_then_every_week() {
    let world = installed().await;
    assert_eq!(sweep(&world).await, json!({"complete": true}), "nothing is due");
    world.clock.advance_secs(DAY_SECS);
    assert_eq!(sweep(&world).await["Verified"], 1);
    assert_eq!(sweep(&world).await["Verified"], Value::Null, "it has had its turn");
    world.clock.advance_secs(7 * DAY_SECS + 60);
    assert_eq!(sweep(&world).await["Verified"], 1);
    assert_eq!(world.notion().count(Endpoint::Introspect), 2);
    assert_eq!(world.notion().count(Endpoint::Token), 1, "a live token is not refreshed");
    let reads = world.stack.dynamodb().calls();
    assert!(reads.iter().all(|call| call.operation != "Scan"), "by index only");
}

#[tokio::test]
async fn an_access_token_that_ended_is_refreshed_and_a_dead_grant_is_marked() {
    let world = installed().await;
    world.browser().install_as(|approval| GRACE.clone_into(&mut approval.person)).await;
    world.notion().revoke_grants_of(GRACE, ACME);
    world.expire_access_tokens();
    world.clock.advance_secs(DAY_SECS);
    let swept = sweep(&world).await;
    assert_eq!((&swept["Refreshed"], &swept["NeedsReinstall"]), (&json!(1), &json!(1)), "{swept}");
    let vended = world.vend(json!({})).await;
    assert!(world.works(vended["access_token"].as_str().unwrap()).await);
    assert_eq!(world.ask("token", person(GRACE, ACME, json!({}))).await["error"], "needs_reinstall");
    // A dead one is not asked about again.
    world.clock.advance_secs(2 * DAY_SECS);
    let asked = world.notion().requests().len();
    sweep(&world).await;
    world.clock.advance_secs(30 * DAY_SECS);
    let grace = world.installations().await;
    let grace = grace.iter().find(|row| string(row, "owner_user_id") == Some(GRACE)).unwrap();
    assert!(!grace.contains_key("due_shard"), "{grace:?}");
    assert_eq!(world.notion().requests().len(), asked);
}

#[tokio::test]
async fn without_a_refresh_token_only_an_introspection_that_says_so_marks() {
    let world = World::start().await;
    world
        .notion()
        .change_settings(|settings| settings.refresh_token_on_exchange = RefreshTokenOnExchange::Null);
    world.browser().install_as(|_| {}).await;
    world.notion().revoke_grants_of(ADA, ACME);
    world.clock.advance_secs(DAY_SECS);
    assert_eq!(sweep(&world).await["NeedsReinstall"], 1);
    assert_eq!(string(&world.row().await, "health"), Some("needs_reinstall"));
}

#[tokio::test]
async fn when_notion_does_not_answer_nothing_is_marked_and_the_sweep_stops_asking() {
    let status = |status, retry_after: Option<&str>| NotionFault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
    };
    for (fault, most) in [
        (status(429, Some("100")), 1),
        (NotionFault::Html(403), 1),
        (status(403, None), 5),
        (status(404, None), 5),
        // One more try each.
        (status(500, None), 10),
        (NotionFault::DropBeforeProcessing, 10),
    ] {
        let case = format!("{fault:?}");
        let world = World::start_with(|options| {
            let dev::stack::NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
            notion.workspaces = crate::stampede::with_people(&people(8));
        })
        .await;
        for id in people(8) {
            world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
        }
        world.clock.advance_secs(DAY_SECS);
        world.notion().inject(Endpoint::Introspect, fault, u32::MAX);
        let swept = sweep(&world).await;
        assert_eq!((&swept["NotionDown"], &swept["complete"]), (&json!(1), &json!(false)), "{case}: {swept}");
        assert!(world.notion().count(Endpoint::Introspect) <= most, "{case}");
        assert!(
            world.installations().await.iter().all(|row| string(row, "health") == Some("active")),
            "{case}"
        );
        // The rows that were asked about are due again in an hour, the others immediately.
        world.notion().clear_faults();
        world.clock.advance_secs(3601);
        assert_eq!(sweep(&world).await["Verified"], 8, "{case}");
    }
}

fn people(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect()
}

#[tokio::test]
async fn a_run_is_bounded_and_the_next_one_goes_on() {
    let world = World::start_with(|options| {
        options.variables.insert("SWEEP_MAX_LOOKS".to_owned(), "3".to_owned());
        let dev::stack::NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
        notion.workspaces = crate::stampede::with_people(&people(7));
    })
    .await;
    for id in people(7) {
        world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
    }
    world.clock.advance_secs(DAY_SECS);
    for (verified, complete) in [(3, false), (3, false), (1, true)] {
        let swept = sweep(&world).await;
        assert_eq!((&swept["Verified"], &swept["complete"]), (&json!(verified), &json!(complete)), "{swept}");
    }
}

#[tokio::test]
async fn a_poison_row_never_stops_the_page() {
    let world = installed().await;
    world.browser().install_as(|approval| GRACE.clone_into(&mut approval.person)).await;
    for (expression, value) in [
        ("SET health = :v", AttributeValue::S("a word of tomorrow".to_owned())),
        ("SET pair = :v", AttributeValue::L(vec![AttributeValue::S("no pair".to_owned())])),
    ] {
        world.clock.advance_secs(8 * DAY_SECS);
        world.tamper(&format!("{ACME}/user/{ADA}"), expression, &[(":v", value)]).await;
        let swept = sweep(&world).await;
        assert_eq!((&swept["SweepFailed"], &swept["Verified"]), (&json!(1), &json!(1)), "{swept}");
        // It waits behind the others, and is tried again.
        assert_eq!(sweep(&world).await["SweepFailed"], Value::Null);
        world.clock.advance_secs(3601);
        assert_eq!(sweep(&world).await["SweepFailed"], 1);
    }
}

#[tokio::test]
async fn a_row_of_another_connection_is_not_checked() {
    let world = installed().await;
    let other = AttributeValue::S("another-client".to_owned());
    world.tamper(&format!("{ACME}/user/{ADA}"), "SET client_id = :v", &[(":v", other)]).await;
    world.clock.advance_secs(DAY_SECS);
    sweep(&world).await;
    assert_eq!(world.notion().count(Endpoint::Introspect), 0);
}

#[tokio::test]
async fn a_claim_that_was_cut_off_is_reported_and_settled_once() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let flow = {
        let mut cut_off = Box::pin(browser.get(&callback));
        tokio::select! {
            _ = &mut cut_off => panic!("it was answered"),
            () = world.notion().wait_for(Endpoint::Token, 1) => {}
        }
        browser.get(&callback).await.location().to_owned()
    };
    assert_eq!(sweep(&world).await["StuckClaim"], Value::Null, "it may still be running");
    world.clock.advance_secs(61);
    assert_eq!(sweep(&world).await["StuckClaim"], 1);
    let claim = &world.claims().await[0];
    assert_eq!(string(claim, "outcome"), Some("outcome_unknown"));
    assert!(!claim.contains_key("exchanging_shard"));
    assert!(world.leaks.log().contains("\"alarm\":\"stuck_claim\""));
    assert_eq!(sweep(&world).await["StuckClaim"], Value::Null);
    let page = browser.get(&world.url(&format!("/callback{flow}"))).await;
    assert_eq!(page.heading(), "Notion did not answer in time");
    world.notion().release();
}

/// On a small stack, no run meets five inconclusive rows.
#[tokio::test]
async fn one_row_is_enough_to_notice_that_notion_rejects_us_or_is_down() {
    for secret_is_wrong in [true, false] {
        let world = installed().await;
        world.clock.advance_secs(DAY_SECS);
        if secret_is_wrong {
            world.notion().rotate_secret(dev::stack::SIMULATED_CLIENT_ID, "secret_another");
        } else {
            world.notion().inject(Endpoint::Introspect, NotionFault::DropBeforeProcessing, u32::MAX);
        }
        let swept = sweep(&world).await;
        assert_eq!(swept["NotionDown"], 1, "{swept}");
        assert!(world.leaks.log().contains("\"alarm\":\"notion_down\""));
        assert_eq!(string(&world.row().await, "health"), Some("active"));
    }
}

/// A postponed row is due again within the alarm's period. Otherwise the alarm would go on and off.
#[tokio::test]
async fn a_postponed_row_is_processed_again_within_the_alarms_hour() {
    let world = installed().await;
    let broken = AttributeValue::S("a word of tomorrow".to_owned());
    world.clock.advance_secs(DAY_SECS);
    world.tamper(&format!("{ACME}/user/{ADA}"), "SET health = :v", &[(":v", broken)]).await;
    let mut failed_at = Vec::new();
    for minute in (0..180).step_by(5) {
        if sweep(&world).await["SweepFailed"].is_u64() {
            failed_at.push(minute);
        }
        world.clock.advance_secs(300);
    }
    let template = include_str!("../../template.yaml");
    let alarm = template.split("  SweepPutsOffAlarm:").nth(1).unwrap();
    let period_secs: usize = alarm.split("Period: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(failed_at.len() > 2, "{failed_at:?}");
    assert!(failed_at.windows(2).all(|pair| (pair[1] - pair[0]) * 60 < period_secs), "{failed_at:?}");
}

/// A vend that takes the lease and then stops.
pub(crate) async fn cut_off_while_refreshing(world: &World) -> Value {
    let before = world.vend(json!({})).await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let asked = world.notion().count(Endpoint::Token);
    let refused = ada(json!({"refused_fingerprint": before["fingerprint"]}));
    let mut cut_off = Box::pin(world.ask("token", refused));
    tokio::select! {
        _ = &mut cut_off => panic!("it was answered"),
        () = world.notion().wait_for(Endpoint::Token, asked + 1) => {}
    }
    before
}

#[tokio::test]
async fn callers_wait_for_a_refresh_that_was_cut_off_and_then_leave_it_to_the_sweep() {
    let two_work = Rotation::Grace { valid_refresh_tokens: 2 };
    for rotation in [Rotation::Strict, two_work, Rotation::GraceUntilUsed, Rotation::FamilyRevocation] {
        for processed in [false, true] {
            let case = format!("{rotation:?}, processed: {processed}");
            let world = World::start_with(|options| options.function_timeout_ms = 3000).await;
            world.notion().change_settings(|settings| settings.rotation = rotation);
            world.browser().install_as(|_| {}).await;
            let before = cut_off_while_refreshing(&world).await;
            if processed {
                // Nobody receives Notion's answer.
                let issued = world.notion().secrets_issued().len();
                world.notion().release();
                while world.notion().secrets_issued().len() == issued {
                    tokio::task::yield_now().await;
                }
            }
            let refused = json!({"refused_fingerprint": before["fingerprint"]});
            assert_eq!(world.vend(refused.clone()).await["reason"], "refreshing", "{case}");
            world.clock.advance_secs(46);
            assert_eq!(world.vend(refused.clone()).await["reason"], "cut_off", "{case}");
            assert_eq!(sweep(&world).await["Refreshed"], Value::Null, "{case}: not yet");
            world.clock.advance_secs(60);
            let swept = sweep(&world).await;
            let lives = !processed || matches!(rotation, Rotation::Grace { .. } | Rotation::GraceUntilUsed);
            if lives {
                assert_eq!(swept["Refreshed"], 1, "{case}: {swept}");
                let after = world.vend(refused).await;
                assert!(world.works(after["access_token"].as_str().unwrap()).await, "{case}");
            } else {
                // The only pair is lost, and now the row says so.
                assert_eq!(swept["NeedsReinstall"], 1, "{case}: {swept}");
                assert_eq!(world.vend(refused).await["error"], "needs_reinstall", "{case}");
            }
            assert!(!has_lease(&world.row().await), "{case}");
            world.notion().release();
        }
    }
}

#[tokio::test]
async fn after_two_lost_replies_the_sweep_finds_out_even_if_the_access_token_lives() {
    let world = installed().await;
    world.notion().change_settings(|settings| settings.access_token_survives_refresh = true);
    let before = world.vend(json!({})).await;
    world.notion().inject(Endpoint::Token, NotionFault::LostReply, 2);
    // The first try consumed the token, so the second is refused; its answer is lost as well.
    let vended = world.vend(json!({"refused_fingerprint": before["fingerprint"]})).await;
    assert_eq!(vended["reason"], "outcome_unknown", "{vended}");
    assert!(world.works(before["access_token"].as_str().unwrap()).await);
    world.clock.advance_secs(31);
    assert_eq!(sweep(&world).await["NeedsReinstall"], 1);
}

#[tokio::test]
async fn a_failing_table_ends_the_run_and_nothing_is_lost() {
    let world = installed().await;
    world.clock.advance_secs(DAY_SECS);
    for operation in ["GetItem", "Query", "UpdateItem"] {
        world.stack.dynamodb().inject(
            operation,
            Fault::Answer(Reply::error(400, "AccessDeniedException")),
            u32::MAX,
        );
        let swept = sweep(&world).await;
        assert!(swept["SweepFailed"].as_u64().unwrap() >= 1, "{operation}: {swept}");
        world.stack.dynamodb().clear_faults();
    }
    assert_eq!(sweep(&world).await["Verified"], 1);
    assert_eq!(number(&world.row().await, "generation"), 1);
}

#[tokio::test]
async fn a_pair_that_the_sweep_cannot_save_is_rescued_by_the_next_one() {
    let world = World::start_with(|options| options.function_timeout_ms = 16_000).await;
    world.browser().install_as(|_| {}).await;
    world.expire_access_tokens();
    world.clock.advance_secs(DAY_SECS);
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, 2).await;
        world.stack.dynamodb().inject("UpdateItem", Fault::Down, u32::MAX);
        world.notion().release();
    };
    let (swept, ()) = tokio::join!(sweep(&world), outage);
    assert_eq!((&swept["Refreshed"], &swept["Rescued"]), (&json!(1), &json!(1)), "{swept}");
    world.stack.dynamodb().clear_faults();
    let swept = sweep(&world).await;
    assert_eq!((&swept["Recovered"], &swept["Verified"]), (&json!(1), &json!(1)), "{swept}");
    let vended = world.vend(json!({})).await;
    assert!(world.works(vended["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn a_lost_answer_stays_in_doubt_whatever_stops_the_second_try() {
    for second in [
        NotionFault::Status { status: 429, retry_after: Some("3000".to_owned()) },
        NotionFault::Html(403),
        NotionFault::Status { status: 404, retry_after: None },
    ] {
        let case = format!("{second:?}");
        let world = installed().await;
        world.notion().change_settings(|settings| settings.access_token_survives_refresh = true);
        let before = world.vend(json!({})).await;
        world.notion().inject(Endpoint::Token, NotionFault::LostReply, 1);
        world.notion().inject(Endpoint::Token, second, 1);
        let vended = world.vend(json!({"refused_fingerprint": before["fingerprint"]})).await;
        assert_eq!(vended["reason"], "outcome_unknown", "{case}: {vended}");
        world.clock.advance_secs(vended["retry_after_secs"].as_u64().unwrap() + 1);
        assert_eq!(sweep(&world).await["NeedsReinstall"], 1, "{case}");
    }
}

#[tokio::test]
async fn a_lease_is_not_taken_over_while_another_sweep_holds_the_record() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    world.notion().change_settings(|settings| settings.rotation = Rotation::FamilyRevocation);
    world.browser().install_as(|_| {}).await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, 2).await;
        world.stack.dynamodb().inject("UpdateItem", Fault::Down, u32::MAX);
        world.notion().release();
    };
    let (vended, ()) = tokio::join!(world.vend(json!({"refresh": true})), outage);
    assert_eq!(vended["reason"], "rescued");
    world.stack.dynamodb().clear_faults();
    world.clock.advance_secs(200);
    // The table fails after the run has received the record, which stays hidden from the next run.
    world.stack.dynamodb().inject("UpdateItem", Fault::Answer(Reply::error(400, "AccessDeniedException")), 1);
    assert_eq!(sweep(&world).await["Recovered"], Value::Null);
    let swept = sweep(&world).await;
    assert!(swept["Refreshed"].is_null() && swept["NeedsReinstall"].is_null(), "{swept}");
    world.clock.advance_secs(300);
    assert_eq!(sweep(&world).await["Recovered"], 1);
    let vended = world.vend(json!({})).await;
    assert!(
        world.works(vended["access_token"].as_str().unwrap()).await,
        "the old refresh token was not sent again"
    );
}
