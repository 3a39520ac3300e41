//! A record from the rescue queue may have been revoked, may be late, or may fit no row. It harms no healthy
//! installation and holds up no other record.

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{Fault, Reply};
use dev::stack::{NotionSide, SIMULATED_CLIENT_ID};
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Endpoint, Fault as NotionFault, Rotation};

use crate::harness::{World, number, person, string};
use crate::stampede::with_people;

const DAY_SECS: u64 = 86_400;
const ROTATIONS: [Rotation; 4] = [
    Rotation::Strict,
    Rotation::Grace { valid_refresh_tokens: 2 },
    Rotation::GraceUntilUsed,
    Rotation::FamilyRevocation,
];

fn refused_for_good() -> Fault {
    Fault::Answer(Reply::error(400, "AccessDeniedException"))
}

async fn sweep(world: &World) -> Value {
    world.ask("sweep", json!({})).await
}

/// An install whose record the queue accepted, but with a lost reply. The grant is revoked, and no claim says so.
async fn install_that_is_given_back(world: &World) {
    let browser = world.browser();
    let granted = browser.granted().await;
    let exchanges = world.notion().count(Endpoint::Token);
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, exchanges + 1).await;
        world.stack.dynamodb().inject("*", refused_for_good(), u32::MAX);
        world.stack.queues().inject("SendMessage", Fault::LostReply, u32::MAX);
        world.notion().release();
    };
    let (page, ()) = tokio::join!(browser.get(&granted), outage);
    assert_eq!(page.location(), "?reason=not_saved");
    assert_eq!(world.notion().count(Endpoint::Revoke), 1);
    assert!(!world.stack.queues().service().messages().is_empty());
    world.stack.dynamodb().clear_faults();
    world.stack.queues().clear_faults();
}

#[tokio::test]
async fn a_revoked_install_does_not_replace_a_healthy_one() {
    for claim_is_gone in [false, true] {
        for rotation in ROTATIONS {
            let case = format!("{rotation:?}, the claim is gone: {claim_is_gone}");
            let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
            world.notion().change_settings(|settings| settings.rotation = rotation);
            assert!(world.browser().install_as(|_| {}).await.is_connected());
            world.clock.advance_secs(60);
            install_that_is_given_back(&world).await;
            if claim_is_gone {
                let client = world.stack.dynamodb().service().client();
                for claim in world.claims().await {
                    let key = claim["claim"].clone();
                    client
                        .delete_item()
                        .table_name(dev::aws::CLAIMS_TABLE.0)
                        .key("claim", key)
                        .send()
                        .await
                        .unwrap();
                }
            }
            world.clock.advance_secs(120);
            let swept = sweep(&world).await;
            assert!(swept["NeedsReinstall"].is_null(), "{case}: {swept}");
            assert!(world.stack.queues().service().messages().is_empty(), "{case}");
            // At any time, a caller gets a working token, also after reporting one as refused.
            for _ in 0..2 {
                let vended = world.vend(json!({})).await;
                let token = vended["access_token"].as_str().unwrap_or_else(|| panic!("{case}: {vended}"));
                assert!(world.works(token).await, "{case}: {vended}");
                world.clock.advance_secs(300);
                sweep(&world).await;
            }
            let row = world.row().await;
            assert_eq!(string(&row, "health"), Some("active"), "{case}");
            assert!(row["superseded"].as_l().unwrap().is_empty(), "{case}: {row:?}");
        }
    }
}

#[tokio::test]
async fn a_rescued_pair_is_not_vended_before_notion_confirms_it() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    install_that_is_given_back(&world).await;
    world.clock.advance_secs(120);
    // The run that replays it cannot ask Notion.
    world.notion().inject(Endpoint::Introspect, NotionFault::Html(403), u32::MAX);
    sweep(&world).await;
    assert_eq!(string(&world.row().await, "health"), Some("unverified"));
    assert_eq!(world.vend(json!({})).await["error"], "try_later");
    world.notion().clear_faults();
    assert_eq!(world.vend(json!({})).await["error"], "needs_reinstall");
}

/// Revokes an access token as anybody with the client secret could.
pub(crate) async fn revoke(world: &World, access_token: &str) {
    let secret = world.stack.secrets_manager().service().current("notion-install/client-secret").unwrap();
    let http = vault::http_client::build().unwrap();
    let revoke = http.post(format!("{}/v1/oauth/revoke", world.notion().base_url()));
    let revoke = revoke.basic_auth(SIMULATED_CLIENT_ID, secret["client_secret"].as_str());
    let body = json!({"token": access_token}).to_string();
    let answer = revoke.header("content-type", "application/json").body(body).send().await.unwrap();
    assert!(answer.status().is_success());
}

#[tokio::test]
async fn when_the_current_pair_is_dead_a_live_superseded_one_is_promoted() {
    for by_sweep in [false, true] {
        let world = World::start().await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        let first = world.vend(json!({})).await;
        for _ in 0..2 {
            world.clock.advance_secs(60);
            assert!(world.browser().install_as(|_| {}).await.is_connected());
        }
        // The newest, and the one before it.
        for token in world.notion().grants()[0].access_tokens.iter().skip(1) {
            revoke(&world, token).await;
        }
        let current = world.vend(json!({})).await;
        let vended = if by_sweep {
            world.clock.advance_secs(DAY_SECS);
            for _ in 0..4 {
                assert!(sweep(&world).await["NeedsReinstall"].is_null());
                world.clock.advance_secs(300);
            }
            world.vend(json!({})).await
        } else {
            world.vend(json!({"refused_fingerprint": current["fingerprint"]})).await
        };
        assert_eq!(vended["access_token"], first["access_token"], "by the sweep: {by_sweep}");
        let row = world.row().await;
        assert_eq!((string(&row, "health"), number(&row, "generation")), (Some("active"), 3));
        // When that one is dead too, there is nothing left.
        world.notion().revoke_grants_of(ADA, ACME);
        let last = world.vend(json!({"refused_fingerprint": vended["fingerprint"]})).await;
        assert_eq!(last["error"], "needs_reinstall");
    }
}

/// Two people whose rows are in the same partition of the sweep's index.
async fn neighbours() -> [String; 2] {
    let ids: Vec<String> = (0..40).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect();
    let world = world_with(&ids).await;
    for id in &ids {
        world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
    }
    let rows = world.installations().await;
    let of = |shard: &str| {
        let of_shard = rows.iter().filter(|row| string(row, "due_shard") == Some(shard));
        of_shard.map(|row| string(row, "owner_user_id").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let shards = rows.iter().map(|row| of(string(row, "due_shard").unwrap()));
    let pair = shards.filter(|people| people.len() > 1).map(|people| [people[0].clone(), people[1].clone()]);
    pair.min().unwrap()
}

async fn world_with(ids: &[String]) -> World {
    World::start_with(|options| {
        let NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
        notion.workspaces = with_people(ids);
    })
    .await
}

/// A refresh whose new pair waits in the rescue queue.
async fn refresh_into_the_queue(world: &World, id: &str) {
    let asked = world.notion().count(Endpoint::Token);
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, asked + 1).await;
        world.stack.dynamodb().inject("UpdateItem", refused_for_good(), u32::MAX);
        world.notion().release();
    };
    let (vended, ()) = tokio::join!(world.ask("token", person(id, ACME, json!({"refresh": true}))), outage);
    assert_eq!(vended["reason"], "rescued", "{vended}");
    world.stack.dynamodb().clear_faults();
}

#[tokio::test]
async fn a_lease_is_not_taken_over_on_an_old_look_into_the_queue() {
    let ids = neighbours().await;
    for rotation in [Rotation::Strict, Rotation::FamilyRevocation] {
        let world = world_with(&ids).await;
        world.notion().change_settings(|settings| settings.rotation = rotation);
        for id in &ids {
            assert!(
                world
                    .browser()
                    .install_as(|approval| id.clone_into(&mut approval.person))
                    .await
                    .is_connected()
            );
        }
        world.clock.advance_secs(DAY_SECS);
        let [first, second] = &ids;
        refresh_into_the_queue(&world, second).await;
        // A sweep that looked into the queue just before. It found nothing there, and the second row in its index.
        let id = format!("{ACME}/user/{second}");
        let due = AttributeValue::N((world.clock_ms() - 1000).to_string());
        world.tamper(&id, "SET due_at_ms = :due", &[(":due", due)]).await;
        let earlier = AttributeValue::N((world.clock_ms() - 2000).to_string());
        world.tamper(&format!("{ACME}/user/{first}"), "SET due_at_ms = :due", &[(":due", earlier)]).await;
        let nothing = json!({"Attributes": {
            "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
        }});
        let queue = world.stack.queues();
        queue.inject("ReceiveMessage", Fault::Answer(Reply::ok(json!({}))), 2);
        queue.inject("GetQueueAttributes", Fault::Answer(Reply::ok(nothing)), 2);
        // It waits for Notion with the first row, for so long that the second row's lease ends.
        world.notion().inject(Endpoint::Introspect, NotionFault::Hold, 1);
        let meanwhile = async {
            world.notion().wait_for(Endpoint::Introspect, 1).await;
            world.clock.advance_secs(200);
            queue.clear_faults();
            world.notion().release();
        };
        let (swept, ()) = tokio::join!(sweep(&world), meanwhile);
        assert!(swept["NeedsReinstall"].is_null() && swept["Refreshed"].is_null(), "{rotation:?}: {swept}");
        world.clock.advance_secs(300);
        let swept = sweep(&world).await;
        assert_eq!(swept["Recovered"], 1, "{rotation:?}: {swept}");
        let vended = world.ask("token", person(second, ACME, json!({}))).await;
        let token = vended["access_token"].as_str().unwrap_or_else(|| panic!("{rotation:?}: {vended}"));
        assert!(world.works(token).await, "{rotation:?}: {vended}");
    }
}

#[tokio::test]
async fn a_dead_letter_waits_as_a_record_does() {
    for rotation in [Rotation::Strict, Rotation::FamilyRevocation] {
        let world = World::start().await;
        world.notion().change_settings(|settings| settings.rotation = rotation);
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        refresh_into_the_queue(&world, ADA).await;
        world.stack.queues().service().put_aside_all();
        for _ in 0..3 {
            world.clock.advance_secs(300);
            let swept = sweep(&world).await;
            assert!(
                swept["NeedsReinstall"].is_null() && swept["Refreshed"].is_null(),
                "{rotation:?}: {swept}"
            );
            assert!(world.vend(json!({})).await["access_token"].is_string(), "{rotation:?}");
            assert_eq!(world.vend(json!({"refresh": true})).await["reason"], "cut_off", "{rotation:?}");
        }
        assert_eq!(world.stack.queues().service().dead_letters().len(), 1, "read, but not deleted");
        world.stack.queues().service().bring_back_all();
        assert_eq!(sweep(&world).await["Recovered"], 1, "{rotation:?}");
        let vended = world.vend(json!({})).await;
        assert!(world.works(vended["access_token"].as_str().unwrap()).await, "{rotation:?}: {vended}");
    }
}

/// The claim of an install whose record is waiting was not cut off.
#[tokio::test]
async fn a_claim_whose_record_waits_in_the_queue_is_not_settled() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    let browser = world.browser();
    let granted = browser.granted().await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, 1).await;
        world.stack.dynamodb().inject("TransactWriteItems", refused_for_good(), u32::MAX);
        world.stack.dynamodb().inject("UpdateItem", refused_for_good(), u32::MAX);
        world.notion().release();
    };
    let (page, ()) = tokio::join!(browser.get(&granted), outage);
    assert_eq!(page.location(), "?reason=rescued", "the claim could not be updated");
    world.stack.dynamodb().clear_faults();
    world.stack.queues().service().put_aside_all();
    world.clock.advance_secs(120);
    assert!(sweep(&world).await["StuckClaim"].is_null());
    world.stack.queues().service().bring_back_all();
    assert_eq!(sweep(&world).await["Recovered"], 1);
    let claim = &world.claims().await[0];
    assert_eq!(string(claim, "outcome"), Some("connected"), "{claim:?}");
}

/// DynamoDB's answer for a row that would be too large, among the reasons of a cancelled transaction.
#[tokio::test]
async fn a_record_that_fits_no_row_does_not_block_others() {
    let ids = neighbours().await;
    let world = world_with(&ids).await;
    for id in &ids {
        assert!(
            world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await.is_connected()
        );
    }
    world.clock.advance_secs(DAY_SECS);
    world.stack.dynamodb().inject("TransactWriteItems", refused_for_good(), u32::MAX);
    for id in &ids {
        let page = world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
        assert_eq!(page.heading(), "Almost there");
    }
    world.stack.dynamodb().clear_faults();
    let reasons = [json!({"Code": "ValidationError", "Message": "Item size"}), json!({"Code": "None"})];
    let too_large = Reply {
        status: 400,
        body: json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [reasons[0], reasons[1], reasons[1]],
        }),
    };
    world.stack.dynamodb().inject("TransactWriteItems", Fault::Answer(too_large), 1);
    let swept = sweep(&world).await;
    assert_eq!((&swept["Recovered"], &swept["SweepFailed"]), (&json!(1), &json!(1)), "{swept}");
    assert!(swept["Verified"].as_u64() >= Some(1), "the rest of the run goes on: {swept}");
    world.clock.advance_secs(300);
    assert_eq!(sweep(&world).await["Recovered"], 1);
}
