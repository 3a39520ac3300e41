//! What the tokens of a line are worth: what Notion says of them, what it does not say, and what is done then.

use serde_json::json;
use simulated_notion::{
    ACME, ADA, EDSGER, Endpoint, Fault, GLOBEX, GRACE, UnknownIntrospection, UserInformation,
};

use super::adopt::{Elsewhere, adopt, row_of, spent, to_the_present, vend};
use crate::harness::{World, person, string};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_is_called_dead_only_where_notion_knows_others() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    let edsger = there.installs(EDSGER, GLOBEX).await;
    world.notion().change_settings(|settings| {
        settings.introspect_accepts_refresh_token = true;
        settings.access_token_survives_refresh = true;
    });
    // Consumed, while the old access token goes on.
    for kept in [&ada, &edsger] {
        there.refreshes(kept).await;
    }
    let lines = [ada.line("user 1"), grace.line("user 2"), edsger.line("user 3")];
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!(ran.outcomes(), vec!["adopted"; 3]);
    let proofs: Vec<&str> =
        (1..=3).map(|line| ran.of_line(line)["refresh_token"].as_str().unwrap()).collect();
    assert_eq!(proofs, ["unproven", "proven", "dead"]);
    // What is known to be dead is not kept: its use would end what still works.
    assert_eq!(world.open_refresh(&row_of(&world, &edsger).await.unwrap()), None);
    assert_eq!(world.open_refresh(&row_of(&world, &grace).await.unwrap()), grace.refresh_token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notion_is_not_asked_for_ever_about_refresh_tokens_that_it_does_not_know() {
    let ids: Vec<String> = (0..9).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect();
    for unknown in [UnknownIntrospection::Inactive, UnknownIntrospection::Refused] {
        let world = World::start_with(|options| {
            let notion = crate::onboarding::notion(options);
            notion.workspaces = crate::stampede::with_people(&ids);
            notion.settings.introspect_of_unknown_token = unknown;
        })
        .await;
        let there = Elsewhere::of(&world);
        let mut lines = Vec::new();
        for id in &ids {
            lines.push(there.installs(id, ACME).await.line(&format!("user {id}")));
        }
        let ran = adopt(&world, &lines, &[]).await;
        assert_eq!(ran.outcomes(), vec!["adopted"; 9], "{unknown:?}");
        assert_eq!(world.notion().count(Endpoint::Introspect), 9 + 5, "{unknown:?}");
        assert_eq!(world.notion().count(Endpoint::UsersMe), 9);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_access_token_costs_its_refresh_token_only_if_that_is_asked_for() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    to_the_present(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    let edsger = there.installs(EDSGER, GLOBEX).await;
    there.refreshes(&grace).await;
    world.expire_access_tokens();
    let lines = [ada.line_with_ids("user 1"), grace.line_with_ids("user 2"), edsger.line("user 3")];
    let before = spent(&world);
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["expired"; 3]));
    let ran = adopt(&world, &lines, &["--refresh-expired", "--dry-run"]).await;
    assert_eq!(ran.outcomes(), ["would_adopt", "would_adopt", "expired"]);
    assert_eq!(spent(&world), before);
    assert_eq!(world.installations().await.len(), 0);

    let ran = adopt(&world, &lines, &["--refresh-expired"]).await;
    // Hers was alive; Grace's was consumed elsewhere; of Edsger it is not known whose it is.
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["adopted", "dead", "expired"]), "{}", ran.said);
    assert!(ran.of_line(3)["why"].as_str().unwrap().contains("workspace_id"), "{}", ran.of_line(3));
    let live = vend(&world, "user 1").await;
    assert!(world.works(live["access_token"].as_str().unwrap()).await);
    // The app can tell her to connect again.
    assert_eq!(vend(&world, "user 2").await["error"], "needs_reinstall");
    // Again: nothing is spent twice.
    let spent_now = spent(&world);
    let ran = adopt(&world, &lines, &["--refresh-expired"]).await;
    assert_eq!(ran.outcomes(), ["already", "already", "expired"]);
    assert_eq!(spent(&world), spent_now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_that_could_not_be_refreshed_at_once_is_saved_and_refreshed_later() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    to_the_present(&world);
    let ada = there.installs(ADA, ACME).await;
    world.expire_access_tokens();
    let lines = [ada.line_with_ids("user 1")];
    world.notion().inject(
        Endpoint::Token,
        Fault::Status { status: 529, retry_after: Some("30".to_owned()) },
        1,
    );
    let ran = adopt(&world, &lines, &["--refresh-expired"]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["unverified"]), "{}", ran.said);
    assert_eq!(string(&row_of(&world, &ada).await.unwrap(), "health"), Some("unverified"));
    world.clock.advance_secs(120);
    let ran = adopt(&world, &lines, &["--refresh-expired"]).await;
    assert_eq!((ran.code, ran.outcomes()), (0, vec!["adopted"]), "{}", ran.said);
    assert_eq!(string(&row_of(&world, &ada).await.unwrap(), "health"), Some("active"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_see_users_the_ids_of_a_line_count_only_if_told_so() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    world.notion().change_connection(dev::stack::SIMULATED_CLIENT_ID, |connection| {
        connection.capabilities.user_information = UserInformation::None;
    });
    let lines = [ada.line_with_ids("user 1"), grace.line("user 2")];
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["unidentified"; 2]));
    assert!(ran.of_line(1)["why"].as_str().unwrap().contains("--trust-ids"));
    let ran = adopt(&world, &lines, &["--trust-ids"]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["adopted", "unidentified"]));
    assert_eq!(vend(&world, "user 1").await["access_token"], ada.access_token.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_introspection_knew_foreign_tokens_they_would_be_found_at_their_first_refresh() {
    let world = World::start().await;
    let ada = Elsewhere::with_another_connection(&world).installs(ADA, ACME).await;
    world.notion().change_settings(|settings| settings.introspect_knows_tokens_of_others = true);
    assert_eq!(adopt(&world, &[ada.line("user 1")], &[]).await.outcomes(), ["adopted"]);
    let refreshed = world.ask("token", person(ADA, ACME, json!({"refresh": true}))).await;
    assert_eq!(refreshed["error"], "needs_reinstall");
    assert!(world.works(&ada.access_token).await, "the other connection lost nothing");
}
