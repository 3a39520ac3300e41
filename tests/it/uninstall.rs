//! Uninstalling: nothing is vended any more, the grant is revoked, no token stays, whatever gets in the way.

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{Fault, Reply};
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Endpoint, Fault as NotionFault, UnknownIntrospection, UnknownRevocation};

use crate::harness::{World, ada, number, string};

async fn installed() -> World {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world
}

async fn uninstall(world: &World, more: Value) -> Value {
    world.ask("uninstall", ada(more)).await
}

/// Everything in the row that is not needed to know who was removed, and when.
fn left(row: &crate::harness::Row) -> Vec<&str> {
    let mut names: Vec<&str> = row.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

const TOMBSTONE: [&str; 13] = [
    "client_id",
    "exchanged_at_ms",
    "first_installed_at_ms",
    "generation",
    "health",
    "installation_id",
    "installed_at_ms",
    "owner_type",
    "owner_user_id",
    "removed_at_ms",
    "verified_at_ms",
    "version",
    "workspace_id",
];

#[tokio::test]
async fn an_uninstall_revokes_the_grant_and_leaves_a_tombstone() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    let answer = uninstall(&world, json!({"caller": "account deletion"})).await;
    assert_eq!(answer, json!({"removed": true, "revoked": true, "generation": 1}));
    assert!(!world.works(before["access_token"].as_str().unwrap()).await);
    assert_eq!(world.vend(json!({})).await["error"], "removed");
    let row = world.row().await;
    assert_eq!(string(&row, "health"), Some("removed"));
    let names: Vec<&str> = left(&row).into_iter().filter(|name| *name != "written_by").collect();
    assert_eq!(names, TOMBSTONE);
    assert_eq!(world.last_line_with("Removed")["caller_says"], "account deletion");
    // Again: nothing is left to do, and Notion is not asked.
    let revocations = world.notion().count(Endpoint::Revoke);
    assert_eq!(uninstall(&world, json!({})).await["revoked"], true);
    assert_eq!(world.notion().count(Endpoint::Revoke), revocations);
    // The person may install again.
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let row = world.row().await;
    assert_eq!((string(&row, "health"), number(&row, "generation")), (Some("active"), 2));
    assert_eq!(world.vend(json!({})).await["health"], "active");
}

#[tokio::test]
async fn superseded_pairs_are_revoked_too() {
    let world = installed().await;
    world.browser().install_as(|_| {}).await;
    world.browser().install_as(|_| {}).await;
    assert_eq!(uninstall(&world, json!({})).await["revoked"], true);
    assert!(world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()));
}

#[tokio::test]
async fn a_late_message_does_not_remove_a_reinstall() {
    let world = installed().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let answer = uninstall(&world, json!({"generation": 1})).await;
    assert_eq!((&answer["error"], &answer["generation"]), (&json!("other_generation"), &json!(2)));
    assert_eq!(world.vend(json!({})).await["health"], "active");
    assert_eq!(uninstall(&world, json!({"generation": 2})).await["removed"], true);
    for (input, error) in [(json!({"generation": "2"}), "malformed"), (json!({"forget": 1}), "malformed")] {
        assert_eq!(uninstall(&world, input).await["error"], error);
    }
    let nobody = json!({"workspace_id": ACME, "user_id": "somebody-else", "generation": 1});
    assert_eq!(world.ask("uninstall", nobody).await["error"], "not_installed");
}

#[tokio::test]
async fn a_refresh_in_flight_loses_to_it_and_its_pair_is_revoked() {
    let world = installed().await;
    let before = world.vend(json!({})).await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let refused = ada(json!({"refused_fingerprint": before["fingerprint"]}));
    let meanwhile = async {
        world.notion().wait_for(Endpoint::Token, 2).await;
        let answer = uninstall(&world, json!({})).await;
        world.notion().release();
        answer
    };
    let (vended, uninstalled) = tokio::join!(world.ask("token", refused), meanwhile);
    assert_eq!(uninstalled["removed"], true);
    assert_eq!(vended["error"], "removed");
    assert!(world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()));
    // The tombstone waited for it until its pair was revoked.
    assert_eq!(uninstalled["revoked"], false);
    world.clock.advance_secs(1);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    assert!(!world.row().await.contains_key("pair"));
    assert!(!world.leaks.log().contains("orphaned_grant"));
}

#[tokio::test]
async fn a_refresh_that_was_cut_off_before_it_is_reported() {
    let world = installed().await;
    crate::sweep::cut_off_while_refreshing(&world).await;
    assert_eq!(
        uninstall(&world, json!({})).await["revoked"],
        false,
        "another process may still be refreshing it"
    );
    world.clock.advance_secs(1);
    world.ask("sweep", json!({})).await;
    assert!(world.row().await.contains_key("pair"));
    world.clock.advance_secs(120);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!((&swept["Removed"], &swept["OrphanedGrant"]), (&json!(1), &json!(1)), "{swept}");
    assert!(!world.row().await.contains_key("pair"));
    world.notion().release();
}

#[tokio::test]
async fn an_install_in_flight_loses_to_it_and_a_later_one_does_not() {
    let world = installed().await;
    let callback = world.browser();
    let authorize = callback.install().await;
    let granted = callback.allow(&authorize, |_| {});
    let saves = || world.dynamodb_operations().iter().filter(|name| *name == "TransactWriteItems").count();
    let before = saves();
    world.stack.dynamodb().inject("TransactWriteItems", Fault::Down, u32::MAX);
    let meanwhile = async {
        // Exchanged before, saved after.
        while saves() == before {
            tokio::task::yield_now().await;
        }
        world.clock.advance_secs(1);
        let answer = uninstall(&world, json!({})).await;
        world.stack.dynamodb().clear_faults();
        answer
    };
    let (page, uninstalled) = tokio::join!(callback.follow(&granted), meanwhile);
    assert_eq!(uninstalled["removed"], true);
    assert_eq!(page.heading(), "The connection was removed");
    assert!(world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()));
    world.clock.advance_secs(1);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
}

#[tokio::test]
async fn what_notion_does_not_revoke_stays_sealed_and_the_sweep_continues() {
    for fault in [
        NotionFault::Status { status: 503, retry_after: None },
        NotionFault::Status { status: 429, retry_after: Some("100".to_owned()) },
        NotionFault::Html(403),
    ] {
        let case = format!("{fault:?}");
        let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.notion().inject(Endpoint::Revoke, fault, u32::MAX);
        let answer = uninstall(&world, json!({})).await;
        assert_eq!(answer, json!({"removed": true, "revoked": false, "generation": 1}), "{case}");
        assert_eq!(world.vend(json!({})).await["error"], "removed", "{case}");
        world.notion().clear_faults();
        world.clock.advance_secs(1);
        let swept = world.ask("sweep", json!({})).await;
        assert_eq!((&swept["Removed"], &swept["Revoked"]), (&json!(1), &json!(1)), "{case}: {swept}");
        assert!(!world.row().await.contains_key("pair"), "{case}");
        assert!(world.notion().grants()[0].access_tokens.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_token_that_notion_no_longer_knows_counts_as_revoked() {
    for answer in [UnknownRevocation::Ok, UnknownRevocation::BadRequest, UnknownRevocation::Unauthorized] {
        let world = installed().await;
        world.notion().change_settings(|settings| settings.revoke_of_unknown_token = answer);
        world.notion().revoke_grants_of(ADA, ACME);
        assert_eq!(uninstall(&world, json!({})).await["revoked"], true, "{answer:?}");
    }
    // But not if it is our client secret that Notion rejects.
    let world = installed().await;
    world.notion().rotate_secret(dev::stack::SIMULATED_CLIENT_ID, "secret_another");
    let answer = uninstall(&world, json!({})).await;
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_person_who_is_forgotten_leaves_a_hash_and_stays_away() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    // Exchanged before, and in the rescue queue while the person is forgotten.
    let browser = world.browser();
    world.stack.dynamodb().inject("TransactWriteItems", Fault::Down, u32::MAX);
    assert_eq!(browser.install_as(|_| {}).await.heading(), "Almost there");
    world.stack.dynamodb().clear_faults();
    world.clock.advance_secs(60);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    world.clock.advance_secs(60);
    let answer = uninstall(&world, json!({"forget": true})).await;
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(true)));
    let row = world.row().await;
    assert_eq!(left(&row), ["generation", "health", "installation_id", "removed_at_ms", "version"]);
    let key = string(&row, "installation_id").unwrap();
    assert!(key.starts_with("forgotten/") && !key.contains(ADA) && !key.contains(ACME), "{key}");
    assert_eq!(world.vend(json!({})).await["error"], "not_installed");

    let swept = world.ask("sweep", json!({})).await;
    assert_eq!((&swept["Revoked"], &swept["Recovered"]), (&json!(1), &Value::Null), "{swept}");
    assert_eq!(world.installations().await.len(), 1, "the hash, and no other row");
    assert!(world.notion().grants().iter().all(|grant| grant.access_tokens.is_empty()));
    assert!(world.stack.queues().service().messages().is_empty());
    // Forgetting again, and installing again.
    assert_eq!(uninstall(&world, json!({"forget": true})).await["revoked"], true);
    assert_eq!(world.installations().await.len(), 1);
    world.clock.advance_secs(60);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    assert_eq!(world.vend(json!({})).await["health"], "active");
}

fn nothing_lives(world: &World) -> bool {
    let grants = world.notion().grants();
    grants.iter().all(|grant| grant.access_tokens.is_empty() && grant.refresh_tokens.is_empty())
}

/// Revoking takes an access token. If that has ended by itself, the refresh token stays alive.
#[tokio::test]
async fn a_grant_whose_access_token_has_expired_is_revoked_too() {
    for (forget, unknown) in [(false, UnknownIntrospection::Inactive), (true, UnknownIntrospection::Refused)]
    {
        let world = installed().await;
        // A superseded one, too.
        world.browser().install_as(|_| {}).await;
        world.notion().change_settings(|settings| settings.introspect_of_unknown_token = unknown);
        world.expire_access_tokens();
        let answer = uninstall(&world, json!({"forget": forget})).await;
        assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(true)), "{answer}");
        assert!(nothing_lives(&world), "{:?}", world.notion().grants());
        assert!(!world.row().await.contains_key("pair"));
        assert!(!world.leaks.log().contains("orphaned_grant"));
    }
}

#[tokio::test]
async fn the_pair_of_its_last_refresh_is_not_lost() {
    // First nothing was sent; then the answer is lost; then the new pair cannot be revoked immediately.
    for (fault, orphaned) in [
        (NotionFault::Status { status: 429, retry_after: Some("100".to_owned()) }, false),
        (NotionFault::LostReply, true),
        (NotionFault::DropBeforeProcessing, false),
    ] {
        let case = format!("{fault:?}");
        let world = installed().await;
        world.expire_access_tokens();
        world.notion().inject(Endpoint::Token, fault, 2);
        assert_eq!(uninstall(&world, json!({})).await["revoked"], false, "{case}");
        assert_eq!(world.vend(json!({})).await["error"], "removed", "{case}");
        world.notion().clear_faults();
        world.clock.advance_secs(120);
        let swept = world.ask("sweep", json!({})).await;
        assert_eq!(swept["Removed"], 1, "{case}: {swept}");
        assert_eq!(swept["OrphanedGrant"].is_u64(), orphaned, "{case}: {swept}");
        assert!(orphaned || nothing_lives(&world), "{case}: {:?}", world.notion().grants());
    }
    let world = installed().await;
    world.expire_access_tokens();
    world.notion().inject(Endpoint::Revoke, NotionFault::Html(403), u32::MAX);
    assert_eq!(uninstall(&world, json!({})).await["revoked"], false);
    assert!(!nothing_lives(&world));
    world.notion().clear_faults();
    world.clock.advance_secs(1);
    let swept = world.ask("sweep", json!({})).await;
    assert_eq!((&swept["Removed"], &swept["OrphanedGrant"]), (&json!(1), &Value::Null), "{swept}");
    assert!(nothing_lives(&world));
}

#[tokio::test]
async fn a_pair_lost_with_an_answer_is_reported() {
    let world = installed().await;
    world.expire_access_tokens();
    // The second try is refused, because the first one consumed the token.
    world.notion().inject(Endpoint::Token, NotionFault::LostReply, 1);
    assert_eq!(uninstall(&world, json!({})).await["revoked"], true);
    assert!(!nothing_lives(&world));
    assert_eq!(world.last_line_with("OrphanedGrant")["OrphanedGrant"], 1);
}

#[tokio::test]
async fn one_pair_that_is_not_revoked_does_not_block_others() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    for _ in 0..3 {
        assert!(world.browser().install_as(|_| {}).await.is_connected());
    }
    let unknown = NotionFault::Error { status: 400, code: "invalid_request".to_owned(), message: None };
    world.notion().inject(Endpoint::Revoke, unknown, 1);
    let answer = uninstall(&world, json!({})).await;
    assert_eq!(answer["revoked"], false);
    // The next try starts where this one stopped, not with the tokens that were already revoked.
    world.clock.advance_secs(1);
    let revocations = world.notion().count(Endpoint::Revoke);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    assert!(world.notion().count(Endpoint::Revoke) > revocations);
    assert!(nothing_lives(&world));
}

/// A late message about a forgotten person must not restore their key permanently.
#[tokio::test]
async fn an_uninstall_of_a_forgotten_person_keeps_the_hash() {
    let world = installed().await;
    for more in [json!({"forget": true}), json!({}), json!({"forget": true}), json!({"generation": 1})] {
        uninstall(&world, more.clone()).await;
        let rows = world.installations().await;
        assert_eq!(rows.len(), 1, "{more}: {rows:?}");
        assert!(string(&rows[0], "installation_id").unwrap().starts_with("forgotten/"), "{more}");
        assert_eq!(number(&rows[0], "generation"), 1, "{more}");
    }
}

/// The pair of a refresh that waited in the rescue queue is revoked, and no alarm reports a danger that does not
/// exist.
#[tokio::test]
async fn a_rescued_refresh_that_is_revoked_settles_its_lease() {
    let world = installed().await;
    world.notion().inject(Endpoint::Token, NotionFault::Hold, 1);
    let outage = async {
        world.notion().wait_for(Endpoint::Token, 2).await;
        let denied = Fault::Answer(Reply::error(400, "AccessDeniedException"));
        world.stack.dynamodb().inject("UpdateItem", denied, u32::MAX);
        world.notion().release();
    };
    let (vended, ()) = tokio::join!(world.vend(json!({"refresh": true})), outage);
    assert_eq!(vended["reason"], "rescued");
    world.stack.dynamodb().clear_faults();
    uninstall(&world, json!({})).await;
    let mut orphaned = 0;
    for _ in 0..4 {
        world.clock.advance_secs(100);
        let swept = world.ask("sweep", json!({})).await;
        orphaned += swept["OrphanedGrant"].as_u64().unwrap_or(0);
    }
    assert!(nothing_lives(&world) && !world.row().await.contains_key("pair"), "{:?}", world.row().await);
    assert_eq!(orphaned, 0);
}

/// Names, addresses and Notion's ids: none of them is left in either table, and they were never in the claims.
#[tokio::test]
async fn nothing_of_a_person_who_is_forgotten_stays_in_a_claim() {
    let world = installed().await;
    let of_person = ["Ada", "ada@", "Acme", ADA, ACME];
    let claims = format!("{:?}", world.claims().await);
    assert!(claims.contains("connected"), "{claims}");
    assert!(of_person.iter().all(|text| !claims.contains(text)), "{claims}");
    assert_eq!(uninstall(&world, json!({"forget": true})).await["revoked"], true);
    let left = format!("{:?} {:?}", world.claims().await, world.installations().await);
    assert!(of_person.iter().all(|text| !left.contains(text)), "{left}");
}

/// The page of a flow takes the person's name from the row. When the row is gone, the page has no name.
#[tokio::test]
async fn the_page_of_a_flow_still_says_that_it_worked() {
    let world = World::start().await;
    let browser = world.browser();
    let page = browser.install_as(|_| {}).await;
    assert!(page.is_connected() && page.body.contains("Ada") && page.body.contains("Acme"), "{}", page.body);
    for forget in [false, true] {
        assert_eq!(uninstall(&world, json!({"forget": forget})).await["removed"], true);
        let again = browser.get(&page.url).await;
        assert!(again.is_connected() && !again.body.contains("Ada"), "{}", again.body);
    }
}

#[tokio::test]
async fn a_table_failure_is_answered_and_the_sweep_finishes_the_removal() {
    let world = installed().await;
    let denied = || Fault::Answer(Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("UpdateItem", denied(), 1);
    assert_eq!(uninstall(&world, json!({})).await["error"], "try_later");
    assert_eq!(world.vend(json!({})).await["health"], "active", "nothing was started");
    // Now the tombstone is written, and the last step fails.
    world.stack.dynamodb().inject("TransactWriteItems", denied(), 1);
    assert_eq!(uninstall(&world, json!({"forget": true})).await["error"], "try_later");
    assert_eq!(world.vend(json!({})).await["error"], "removed");
    world.clock.advance_secs(1);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    assert!(string(&world.row().await, "installation_id").unwrap().starts_with("forgotten/"));
}

#[tokio::test]
async fn what_cannot_be_revoked_is_reported_before_it_is_forgotten() {
    let id = format!("{ACME}/user/{ADA}");
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let broken = AttributeValue::B(vec![1, 0, 0, 0, 1].into());
    for (expression, value) in
        [("SET pair[0].client_id = :v", text("another-client")), ("SET pair[0].access = :v", broken)]
    {
        let world = installed().await;
        world.tamper(&id, expression, &[(":v", value)]).await;
        assert_eq!(uninstall(&world, json!({})).await["revoked"], true, "{expression}");
        assert_eq!(world.last_line_with("OrphanedGrant")["OrphanedGrant"], 1, "{expression}");
        assert!(world.leaks.log().contains("\"alarm\":\"orphaned_grant\""), "{expression}");
    }
    // A key may be restored; what was purged cannot.
    let world = installed().await;
    let sealed_by_a_key_to_come = AttributeValue::B([vec![1, 0, 0, 0, 9], vec![0; 60]].concat().into());
    world.tamper(&id, "SET pair[0].access = :v", &[(":v", sealed_by_a_key_to_come)]).await;
    assert_eq!(uninstall(&world, json!({})).await["revoked"], false);
    assert!(world.row().await.contains_key("pair"));
}
