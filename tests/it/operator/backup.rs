//! Exporting the table and importing rows: nothing from a backup is vended before Notion has confirmed it, and
//! nothing that happened since is undone.

use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dev::aws::INSTALLATIONS_TABLE;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use simulated_notion::{ACME, ADA, Endpoint, GRACE};

use super::process::{in_json, operator, said};
use crate::app::Begun;
use crate::harness::{Row, World, ada, number, person, string};
use crate::leaks::Leaks;

/// A test's own file, deleted when the test ends.
pub(super) struct Backup(pub(super) PathBuf);

impl Backup {
    pub(super) fn named(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("operator-{}-{name}.jsonl", std::process::id()));
        // From an earlier run that was cut off.
        let _none = std::fs::remove_file(&path);
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _none = std::fs::remove_file(&self.0);
    }
}

pub(super) async fn install(world: &World, whom: &'static str) {
    let whom = |approval: &mut simulated_notion::Approval| whom.clone_into(&mut approval.person);
    assert!(world.browser().install_as(whom).await.is_connected());
}

fn id_of(user: &str) -> String {
    format!("{ACME}/user/{user}")
}

async fn row_of(world: &World, user: &str) -> Option<Row> {
    let id = id_of(user);
    world.installations().await.into_iter().find(|row| string(row, "installation_id") == Some(&id))
}

async fn health_of(world: &World, user: &str) -> String {
    string(&row_of(world, user).await.unwrap(), "health").unwrap().to_owned()
}

/// As if the row had been deleted by another program.
pub(super) async fn lose(world: &World, user: &str) {
    let client = world.stack.dynamodb().service().client();
    let delete = client.delete_item().table_name(INSTALLATIONS_TABLE.0);
    delete.key("installation_id", AttributeValue::S(id_of(user))).send().await.unwrap();
}

async fn vend(world: &World, user: &str) -> Value {
    world.ask("token", person(user, ACME, json!({}))).await
}

/// Imports, and returns the counts: written, kept, forgotten, unreadable.
async fn import(world: &World, arguments: &[&str]) -> (i32, [u64; 4]) {
    let arguments: Vec<&str> = ["import"].into_iter().chain(arguments.iter().copied()).collect();
    let (code, json) = in_json(world, &arguments).await;
    let count = |name: &str| json[name].as_u64().unwrap_or_else(|| panic!("{json}"));
    let unreadable = json["unreadable"].as_array().unwrap().len() as u64;
    (code, [count("written"), count("kept_newer"), count("forgotten"), unreadable])
}

fn is_private(path: &Path) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777 == 0o600;
    #[cfg(not(unix))]
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_rows_are_unverified_until_notion_confirms_them() {
    let world = World::start().await;
    install(&world, ADA).await;
    install(&world, GRACE).await;
    let backup = Backup::named("lost");
    let (code, exported) = in_json(&world, &["export", backup.path()]).await;
    assert_eq!((code, &exported["rows"]), (0, &json!(2)), "{exported}");
    assert!(is_private(&backup.0));
    Leaks::saw_output(&std::fs::read_to_string(&backup.0).unwrap());
    let again = operator(&world, &["export", backup.path()], "").await;
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));

    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 2, 0, 0]), "nothing has changed");
    // The refresh token in the backup is consumed.
    let refreshed = world.ask("token", person(ADA, ACME, json!({"refresh": true}))).await;
    assert_eq!(refreshed["health"], "active");
    lose(&world, ADA).await;
    lose(&world, GRACE).await;
    assert_eq!(import(&world, &[backup.path()]).await, (0, [2, 0, 0, 0]));
    for user in [ADA, GRACE] {
        assert_eq!(health_of(&world, user).await, "unverified");
    }
    let asked = world.notion().count(Endpoint::Introspect);
    let live = vend(&world, GRACE).await;
    assert!(world.works(live["access_token"].as_str().unwrap()).await);
    assert_eq!(world.notion().count(Endpoint::Introspect), asked + 1);
    assert_eq!(health_of(&world, GRACE).await, "active");
    assert_eq!(vend(&world, ADA).await["error"], "needs_reinstall");
    assert_eq!(health_of(&world, ADA).await, "needs_reinstall");

    // The existing rows are newer now, so they stay, unless the backup must overwrite them.
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 2, 0, 0]));
    let before = number(&row_of(&world, GRACE).await.unwrap(), "version");
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [2, 0, 0, 0]));
    let grace = row_of(&world, GRACE).await.unwrap();
    assert_eq!(string(&grace, "health"), Some("unverified"));
    assert!(number(&grace, "version") > before, "versions only grow");
    // The sweep asks too, through its own index.
    world.clock.advance_secs(10 * 86_400);
    let (_, swept) = in_json(&world, &["sweep"]).await;
    assert_eq!(
        (&swept["counted"]["Verified"], &swept["counted"]["NeedsReinstall"]),
        (&json!(1), &json!(1)),
        "{swept}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_undoes_nothing_that_happened_since() {
    let world = World::start().await;
    install(&world, ADA).await;
    install(&world, GRACE).await;
    // So that the rows in the backup have higher versions than the later ones.
    for user in [ADA, GRACE] {
        world.ask("token", person(user, ACME, json!({"refresh": true}))).await;
    }
    let backup = Backup::named("since");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);

    // The table was lost, and Ada has installed again: the row has a lower version but is newer.
    lose(&world, ADA).await;
    install(&world, ADA).await;
    let live = vend(&world, ADA).await;
    assert_eq!(in_json(&world, &["revoke", ACME, GRACE, "--forget", "--yes"]).await.0, 0);
    for arguments in [&[backup.path()][..], &[backup.path(), "--overwrite", "--yes"]] {
        let written = u64::from(arguments.len() == 3);
        let counts = [written, 1 - written, 1, 0];
        assert_eq!(import(&world, arguments).await, (0, counts), "{arguments:?}");
        assert!(row_of(&world, GRACE).await.is_none(), "a forgotten person never comes back");
        if written == 0 {
            assert_eq!(vend(&world, ADA).await["fingerprint"], live["fingerprint"]);
        }
    }

    // A removal stays a removal, even if the table was lost before it.
    lose(&world, ADA).await;
    let (code, said) = in_json(&world, &["revoke", ACME, ADA, "--yes"]).await;
    assert!(
        code == 1 && said["said"].as_str().unwrap().contains("no installation"),
        "the tombstone is still there: {said}"
    );
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 1, 1, 0]));
    assert_eq!(vend(&world, ADA).await["error"], "removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwriting_asks_first_and_drops_no_pair() {
    let world = World::start().await;
    install(&world, ADA).await;
    let backup = Backup::named("overwritten");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    world.clock.advance_secs(60);
    install(&world, ADA).await;
    let live = vend(&world, ADA).await;
    // Nobody confirmed.
    let refused = operator(&world, &["import", backup.path(), "--overwrite"], "").await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--yes"), "{}", said(&refused));
    assert_eq!(vend(&world, ADA).await["fingerprint"], live["fingerprint"]);

    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [1, 0, 0, 0]));
    let row = row_of(&world, ADA).await.unwrap();
    assert_eq!(number(&row, "generation"), 3, "no generation is used twice");
    let held = world.open_all(&row);
    let alive = &world.notion().grants()[0].refresh_tokens;
    assert!(alive.len() == 2 && alive.iter().all(|token| held.contains(token)), "each is kept");
    // Again: the imported pair is not kept twice, and nothing is lost.
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [1, 0, 0, 0]));
    assert_eq!(world.open_all(&row_of(&world, ADA).await.unwrap()).len(), 2);
    // The pair from the backup turns out to be dead. The pair that it replaced takes its place.
    let first = world.notion().grants()[0].access_tokens[0].clone();
    crate::rescued::revoke(&world, &first).await;
    let after = vend(&world, ADA).await;
    assert_eq!(after["access_token"], live["access_token"], "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_grant_in_the_backup_replaces_no_live_one() {
    let world = World::start().await;
    // A pair with a refresh token is recognised by that token: the row has consumed it.
    world.notion().change_settings(|settings| {
        settings.refresh_token_on_exchange = simulated_notion::RefreshTokenOnExchange::Null;
    });
    install(&world, ADA).await;
    let dead = vend(&world, ADA).await;
    world.notion().revoke_grants_of(ADA, ACME);
    let reported = json!({"refused_fingerprint": dead["fingerprint"]});
    assert_eq!(world.ask("token", person(ADA, ACME, reported)).await["error"], "needs_reinstall");
    let backup = Backup::named("dead");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    world.clock.advance_secs(60);
    install(&world, ADA).await;
    let live = vend(&world, ADA).await;
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [0, 1, 0, 0]));
    assert_eq!(vend(&world, ADA).await["access_token"], live["access_token"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_never_overwrites_a_tombstone_with_tokens_to_revoke() {
    let world = World::start_with(|options| options.function_timeout_ms = 8000).await;
    install(&world, ADA).await;
    let backup = Backup::named("tombstone");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    world.notion().inject(Endpoint::Revoke, simulated_notion::Fault::Html(403), u32::MAX);
    let answer = world.ask("uninstall", person(ADA, ACME, json!({}))).await;
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(false)));
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [0, 1, 0, 0]));
    world.notion().clear_faults();
    world.clock.advance_secs(3601);
    assert_eq!(world.ask("sweep", json!({})).await["Removed"], 1);
    assert!(world.notion().grants()[0].access_tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_table_is_imported_with_who_was_forgotten() {
    let world = World::start().await;
    install(&world, ADA).await;
    install(&world, GRACE).await;
    let before = world.installations().await;
    assert_eq!(in_json(&world, &["revoke", ACME, GRACE, "--forget", "--yes"]).await.0, 0);
    // A backup that was not made at one moment: it has Grace's row and the mark that she was forgotten.
    restored_table(&world, before.into_iter().chain(world.installations().await).collect()).await;
    for row in world.installations().await {
        let client = world.stack.dynamodb().service().client();
        let delete = client.delete_item().table_name(INSTALLATIONS_TABLE.0);
        delete.key("installation_id", row["installation_id"].clone()).send().await.unwrap();
    }
    assert_eq!(import(&world, &["--table", "restored"]).await, (0, [2, 0, 1, 0]));
    assert!(row_of(&world, GRACE).await.is_none());
    assert_eq!(health_of(&world, ADA).await, "unverified");
    let backup = Backup::named("restored");
    let (_, exported) = in_json(&world, &["export", backup.path(), "--table", "restored"]).await;
    assert_eq!(exported["rows"], 3, "{exported}");

    // A line that is not a row is counted, and does not block the others.
    let text = std::fs::read_to_string(&backup.0).unwrap();
    let moved = text.replace(&id_of(ADA), &id_of("somebody-else"));
    std::fs::write(&backup.0, format!("no row\n{moved}")).unwrap();
    assert_eq!(import(&world, &[backup.path()]).await, (1, [0, 1, 1, 2]), "a line, and moved tokens");
    let missing = operator(&world, &["import", "/nonexistent/backup"], "").await;
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
    let missing = operator(&world, &["import", "--table", "no-such-table"], "").await;
    assert_eq!(missing.status.code(), Some(3), "{}", said(&missing));
}

/// A separate table with `rows`, like a restored one. Of two rows with one key, the later one counts.
async fn restored_table(world: &World, rows: Vec<Row>) {
    let client = world.stack.dynamodb().service().client();
    let (key, name) = (INSTALLATIONS_TABLE.1, "restored");
    let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
    let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(attribute.build().unwrap()).key_schema(schema.build().unwrap());
    create.send().await.unwrap();
    for row in rows {
        client.put_item().table_name(name).set_item(Some(row)).send().await.unwrap();
    }
}

/// The operator's clock is the real one: the stack's must not be behind it.
fn catch_up(world: &World) {
    let behind_ms = SystemClock.now_millis().0.saturating_sub(world.clock.now_millis().0);
    world.clock.advance_secs(behind_ms / 1000 + 1);
}

async fn lose_link(world: &World, subject: &str) {
    let client = world.stack.dynamodb().service().client();
    let delete = client.delete_item().table_name(dev::aws::LINKS_TABLE.0);
    let delete = delete.key("subject", AttributeValue::S(subject.to_owned()));
    delete.key("installation_id", AttributeValue::S(id_of(ADA))).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_installation_has_the_links_of_the_backup_unless_it_has_others_since() {
    let world = World::start().await;
    let claim = world.connected("user 1", |_| {}).await;
    let backup = Backup::named("links");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    // Lost with its links.
    lose_link(&world, "user 1").await;
    lose(&world, ADA).await;
    assert_eq!(world.ask("token", json!({"subject": "user 1"})).await["error"], "not_installed");
    assert_eq!(import(&world, &[backup.path()]).await, (0, [1, 0, 0, 0]));
    assert_eq!(world.links().await, [("user 1".to_owned(), id_of(ADA))]);
    assert!(world.ask("token", json!({"subject": "user 1"})).await["error"].is_null());
    let listed = world.ask("installations", json!({"subject": "user 1"})).await;
    assert_eq!(listed["installations"][0]["installation"], claim["installation"]);

    // Only the links are lost: the table of installations is the backup, and its row stays.
    lose_link(&world, "user 1").await;
    assert_eq!(world.ask("token", json!({"subject": "user 1"})).await["error"], "not_installed");
    let table = dev::aws::INSTALLATIONS_TABLE.0;
    assert_eq!(import(&world, &["--table", table]).await, (0, [0, 1, 0, 0]));
    assert_eq!(world.links().await, [("user 1".to_owned(), id_of(ADA))]);
    assert!(world.ask("token", json!({"subject": "user 1"})).await["error"].is_null());

    // Another user since: the links of now stay, whatever the backup says.
    world.connected("user 2", |_| {}).await;
    world.ask("uninstall", json!({"subject": "user 1"})).await;
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [1, 0, 0, 0]));
    assert_eq!(world.links().await, [("user 2".to_owned(), id_of(ADA))]);
    assert_eq!(world.ask("token", json!({"subject": "user 1"})).await["error"], "not_installed");
    assert!(world.ask("token", json!({"subject": "user 2"})).await["error"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_since_the_backup_is_not_given_back() {
    let world = World::start().await;
    let begun = Begun::new(&world);
    let back = world.browser().connect(&begun, |_| {}).await;
    // Between the install and its claim.
    let backup = Backup::named("unclaimed");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    assert!(world.ask("claim", begun.claim(&back, "user 1")).await["error"].is_null());
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [1, 0, 0, 0]));
    catch_up(&world);
    world.clock.advance_secs(2 * 3600);
    world.ask("sweep", json!({})).await;
    assert!(world.ask("token", json!({"subject": "user 1"})).await["error"].is_null());
    assert_eq!(world.links().await, [("user 1".to_owned(), id_of(ADA))]);

    // With the row, what was claimed is forgotten too. There is time to connect again before it is given back.
    lose(&world, ADA).await;
    lose_link(&world, "user 1").await;
    assert_eq!(import(&world, &[backup.path()]).await, (0, [1, 0, 0, 0]));
    catch_up(&world);
    world.ask("sweep", json!({})).await;
    assert_eq!(world.ask("token", ada(json!({}))).await["error"], "unclaimed");
    world.clock.advance_secs(86_500);
    assert_eq!(world.ask("sweep", json!({})).await["GivenBackUnclaimed"], 1);
    assert_eq!(health_of(&world, ADA).await, "removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_tombstone_ends_what_it_takes_over() {
    let world = World::start().await;
    world.connected("user 1", |_| {}).await;
    let active = Backup::named("active");
    assert_eq!(in_json(&world, &["export", active.path()]).await.0, 0);
    world.clock.advance_secs(60);
    assert_eq!(world.ask("uninstall", json!({"subject": "user 1"})).await["revoked"], true);
    let removed = Backup::named("removed");
    assert_eq!(in_json(&world, &["export", removed.path()]).await.0, 0);
    // An old backup first, then the newer one.
    lose(&world, ADA).await;
    assert_eq!(import(&world, &[active.path()]).await, (0, [1, 0, 0, 0]));
    assert_eq!(world.links().await.len(), 1);
    assert_eq!(import(&world, &[removed.path()]).await, (0, [1, 0, 0, 0]));
    catch_up(&world);
    world.ask("sweep", json!({})).await;
    let row = row_of(&world, ADA).await.unwrap();
    assert!(!row.contains_key("superseded") && !row.contains_key("subjects"), "{row:?}");
    assert_eq!(world.links().await, []);
}

/// What is put back is not news: nobody prepares a workspace for a person who installed a year ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_not_told_to_the_app_and_what_happens_afterwards_is() {
    let world = World::start().await;
    world.connected("user 1", |approval| ADA.clone_into(&mut approval.person)).await;
    let backup = Backup::named("not-news");
    in_json(&world, &["export", backup.path()]).await;
    lose(&world, ADA).await;
    world.publish().await;
    let before = world.feed().await.len();
    assert_eq!(import(&world, &[backup.path()]).await, (0, [1, 0, 0, 0]));
    world.publish().await;
    assert_eq!(world.feed().await.len(), before);
    world.ask("uninstall", json!({"subject": "user 1"})).await;
    world.publish().await;
    let events = world.feed().await;
    assert_eq!(events.len(), before + 1);
    assert_eq!(events[before]["type"], "installation.removed");
    // Its versions count from the backup's again, so an id of before must not come again.
    let ids: std::collections::BTreeSet<String> =
        events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), events.len());
}
