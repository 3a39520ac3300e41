//! Installing again, and several people: one row per person and workspace.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use simulated_notion::{EDSGER, Endpoint, GLOBEX, GRACE, HANDBOOK, OldPair};

use crate::harness::{World, ada, number, string};

/// Makes the connection one from before 2026-06-08.
fn make_older(world: &World) {
    let secret = world.notion().secrets_issued()[0].clone();
    let mut old =
        simulated_notion::Connection::new(dev::stack::SIMULATED_CLIENT_ID, &secret, &world.url("/callback"));
    old.created_before_2026_06_08 = true;
    world.notion().register(old);
}

#[tokio::test]
async fn installing_again_updates_the_row_whether_or_not_the_bot_id_changes() {
    for survives in [true, false] {
        let world = World::start().await;
        world.notion().change_settings(|settings| settings.bot_id_survives_reauthorization = survives);
        for generation in 1..=3 {
            // With another browser each time, as on another day.
            assert!(world.browser().install_as(|_| {}).await.is_connected());
            let rows = world.installations().await;
            assert_eq!(rows.len(), 1, "bot_id survives: {survives}");
            assert_eq!(number(&rows[0], "generation"), generation);
            assert_eq!(number(&rows[0], "version"), generation);
            assert_eq!(rows[0]["superseded"].as_l().unwrap().len() as u64, generation - 1);
            let grants = world.notion().grants();
            let newest = grants.last().unwrap();
            assert_eq!(string(&rows[0], "bot_id"), Some(newest.bot_id.as_str()));
            assert_eq!(Some(&world.open_access(&rows[0])), newest.access_tokens.last());
        }
        let rows = world.installations().await;
        assert!(number(&rows[0], "first_installed_at_ms") < number(&rows[0], "installed_at_ms"));
    }
}

#[tokio::test]
async fn every_person_of_a_workspace_has_a_row_of_their_own() {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    assert!(
        world.browser().install_as(|approval| GRACE.clone_into(&mut approval.person)).await.is_connected()
    );
    // The same person in another workspace, and somebody without a name there.
    for person in [simulated_notion::ADA, EDSGER] {
        let page = world
            .browser()
            .install_as(|approval| {
                person.clone_into(&mut approval.person);
                GLOBEX.clone_into(&mut approval.workspace);
                approval.pages = vec![HANDBOOK.to_owned()];
            })
            .await;
        assert!(page.is_connected());
    }
    let rows = world.installations().await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| number(row, "generation") == 1));
    let tokens: std::collections::HashSet<String> = rows.iter().map(|row| world.open_access(row)).collect();
    assert_eq!(tokens.len(), 4, "each row opens to its own token");
}

/// Connections from before 2026-06-08 return their existing token. A token to be revoked for an earlier removal may
/// be the current one by now.
#[tokio::test]
async fn a_token_that_is_current_again_is_not_revoked() {
    for forget in [false, true] {
        let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
        make_older(&world);
        let down = dev::aws::Fault::Answer(dev::aws::Reply::error(400, "AccessDeniedException"));
        world.stack.dynamodb().inject("TransactWriteItems", down, u32::MAX);
        assert_eq!(world.browser().install_as(|_| {}).await.heading(), "Almost there");
        world.stack.dynamodb().clear_faults();
        world.clock.advance_secs(60);
        assert_eq!(world.ask("uninstall", ada(json!({"forget": forget}))).await["removed"], true);
        world.clock.advance_secs(60);
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.clock.advance_secs(60);
        world.ask("sweep", json!({})).await;
        assert!(world.stack.queues().service().messages().is_empty());
        let vended = world.vend(json!({})).await;
        assert!(world.works(vended["access_token"].as_str().unwrap()).await, "{forget}: {vended}");
    }
}

/// The save was late. In between, the person was removed and has installed again with the same token.
#[tokio::test]
async fn a_late_callback_does_not_revoke_what_is_current_again() {
    let world = World::start().await;
    make_older(&world);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let removed_at_ms = AttributeValue::N((world.clock_ms() + 60_000).to_string());
    let id = string(&world.row().await, "installation_id").unwrap().to_owned();
    world.tamper(&id, "SET removed_at_ms = :at", &[(":at", removed_at_ms)]).await;
    assert!(!world.browser().install_as(|_| {}).await.is_connected());
    assert_eq!(world.notion().count(Endpoint::Revoke), 0);
    let vended = world.vend(json!({})).await;
    assert!(world.works(vended["access_token"].as_str().unwrap()).await, "{vended}");
}

#[tokio::test]
async fn an_older_connection_hands_out_the_same_token_and_nothing_is_superseded() {
    let world = World::start().await;
    world.notion().change_settings(|settings| {
        settings.old_pair_after_reauthorization = OldPair::Survives;
    });
    make_older(&world);
    let browser = world.browser();
    assert!(browser.install_as(|_| {}).await.is_connected());
    let first = world.open_access(&world.installations().await[0]);
    assert!(browser.install_as(|_| {}).await.is_connected());
    let rows = world.installations().await;
    assert_eq!(world.open_access(&rows[0]), first);
    assert_eq!(number(&rows[0], "generation"), 2);
    assert_eq!(rows[0]["superseded"].as_l().unwrap().len(), 0);
    let pair = rows[0]["pair"].as_l().unwrap()[0].as_m().unwrap();
    assert!(!pair.contains_key("refresh"), "older connections give no refresh token");
}

#[tokio::test]
async fn two_tabs_install_two_people_whichever_ends_first() {
    let world = World::start().await;
    let browser = world.browser();
    let (first, second) = (browser.install().await, browser.install().await);
    let ada = browser.allow(&first, |_| {});
    let grace = browser.allow(&second, |approval| GRACE.clone_into(&mut approval.person));
    assert!(browser.follow(&grace).await.body.contains("Grace"));
    assert!(browser.follow(&ada).await.body.contains("Ada"));
    assert_eq!(world.installations().await.len(), 2);
}

#[tokio::test]
async fn two_installs_of_one_person_at_once_leave_one_row_and_keep_both_pairs() {
    let world = World::start().await;
    let (a, b) = (world.browser(), world.browser());
    let (first, second) = (a.install().await, b.install().await);
    let (first, second) = (a.allow(&first, |_| {}), b.allow(&second, |_| {}));
    let (first, second) = tokio::join!(a.follow(&first), b.follow(&second));
    assert!(first.is_connected() && second.is_connected());
    let rows = world.installations().await;
    assert_eq!(rows.len(), 1);
    let pairs = rows[0]["pair"].as_l().unwrap().len() + rows[0]["superseded"].as_l().unwrap().len();
    assert_eq!(pairs, 2, "neither pair is lost");
}

#[tokio::test]
async fn the_same_token_from_two_tabs_at_once_is_one_grant_and_both_see_success() {
    let world = World::start().await;
    make_older(&world);
    let (a, b) = (world.browser(), world.browser());
    for _ in 0..5 {
        let (first, second) = (a.install().await, b.install().await);
        let (first, second) = (a.allow(&first, |_| {}), b.allow(&second, |_| {}));
        let (first, second) = tokio::join!(a.follow(&first), b.follow(&second));
        assert!(first.is_connected() && second.is_connected());
    }
    let rows = world.installations().await;
    assert_eq!((rows.len(), rows[0]["superseded"].as_l().unwrap().len()), (1, 0));
}
