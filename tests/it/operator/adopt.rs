//! Moving in: tokens that were kept elsewhere are proven, sealed and linked, and none is spent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulated_notion::{
    ACME, ADA, Approval, Connection, EDSGER, Endpoint, Fault, GLOBEX, GRACE, HANDBOOK, ROADMAP,
};

use super::backup::Backup;
use super::process::{in_json, operator, operator_on_variables, said};
use crate::harness::{Row, START, World, person, string};

/// What another system has of a grant.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) workspace_id: String,
    pub(super) user_id: String,
    pub(super) bot_id: String,
}

impl Kept {
    /// Its line, as a table would be exported.
    pub(super) fn line(&self, subject: &str) -> Value {
        json!({"subject": subject, "access_token": self.access_token, "refresh_token": self.refresh_token})
    }

    pub(super) fn line_with_ids(&self, subject: &str) -> Value {
        let mut line = self.line(subject);
        line["workspace_id"] = json!(self.workspace_id);
        line["user_id"] = json!(self.user_id);
        line["bot_id"] = json!(self.bot_id);
        line
    }

    pub(super) fn row_key(&self) -> String {
        format!("{}/user/{}", self.workspace_id, self.user_id)
    }
}

/// Another system with the same connection, or with another one.
pub(super) struct Elsewhere<'a> {
    world: &'a World,
    http: reqwest::Client,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
}

impl<'a> Elsewhere<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        let variables = world.stack.variables();
        let stored =
            world.stack.secrets_manager().service().current(&variables["CLIENT_SECRET_ARN"]).unwrap();
        Self {
            world,
            http: vault::http_client::build().unwrap(),
            client_id: variables["NOTION_CLIENT_ID"].clone(),
            client_secret: stored["client_secret"].as_str().unwrap().to_owned(),
            redirect_uri: variables["NOTION_REDIRECT_URI"].clone(),
        }
    }

    pub(super) fn with_another_connection(world: &'a World) -> Self {
        let redirect_uri = "http://localhost:1/callback".to_owned();
        world.notion().register(Connection::new("another", "secret_of_another", &redirect_uri));
        let (client_id, client_secret) = ("another".to_owned(), "secret_of_another".to_owned());
        Self { client_id, client_secret, redirect_uri, ..Self::of(world) }
    }

    /// Lets a person install there.
    pub(super) async fn installs(&self, user_id: &str, workspace_id: &str) -> Kept {
        let query = [
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", "code"),
            ("owner", "user"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let page = if workspace_id == GLOBEX { HANDBOOK } else { ROADMAP };
        let redirect = self.world.notion().approve(Approval {
            authorize_query: query,
            person: user_id.to_owned(),
            workspace: workspace_id.to_owned(),
            pages: vec![page.to_owned()],
            ..Approval::default()
        });
        let code = redirect.unwrap().parameter("code").unwrap();
        let body =
            json!({"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri});
        self.token(&body).await
    }

    /// Refreshes there, as the other system would.
    pub(super) async fn refreshes(&self, kept: &Kept) -> Kept {
        self.token(&json!({"grant_type": "refresh_token", "refresh_token": kept.refresh_token})).await
    }

    async fn token(&self, body: &Value) -> Kept {
        let url = format!("{}/v1/oauth/token", self.world.notion().base_url());
        let asked = self.http.post(url).basic_auth(&self.client_id, Some(&self.client_secret));
        let asked = asked.header("content-type", "application/json").body(body.to_string());
        let answer = asked.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Kept {
            access_token: text("/access_token").unwrap(),
            refresh_token: text("/refresh_token"),
            workspace_id: text("/workspace_id").unwrap(),
            user_id: text("/owner/user/id").unwrap(),
            bot_id: text("/bot_id").unwrap(),
        }
    }
}

pub(super) fn in_lines(lines: &[Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

/// What a run said about each line, by its number.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) said: String,
    entries: BTreeMap<u64, Value>,
}

impl Ran {
    pub(super) fn outcomes(&self) -> Vec<&str> {
        self.entries.values().map(|entry| entry["outcome"].as_str().unwrap()).collect()
    }

    pub(super) fn of_line(&self, number: u64) -> &Value {
        &self.entries[&number]
    }
}

pub(super) fn read_report(path: &std::path::Path) -> BTreeMap<u64, Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.map(|entry| (entry["line"].as_u64().unwrap(), entry)).collect()
}

/// Pipes the lines in.
async fn adopt_text(world: &World, text: &str, more: &[&str]) -> Ran {
    let report = Backup::named(&format!("report-{}", shared::random::attempt(&shared::random::OsRandom)));
    let usual = ["adopt", "-", "--calls-per-minute", "60000", "--report", report.path()];
    let output = operator(world, &[&usual[..], more].concat(), text).await;
    let written = std::fs::read_to_string(report.path()).unwrap_or_default();
    crate::leaks::Leaks::saw_output(&written);
    let entries = read_report(&report.0);
    assert_eq!(entries.len(), written.lines().count(), "{written}");
    Ran { code: output.status.code().unwrap(), said: said(&output), entries }
}

pub(super) async fn adopt(world: &World, lines: &[Value], more: &[&str]) -> Ran {
    adopt_text(world, &in_lines(lines), more).await
}

/// The world's clock at about the operator's, which is the system's.
pub(super) fn to_the_present(world: &World) {
    use shared::clock::Clock as _;
    let present = shared::clock::SystemClock.now_millis().0;
    world.clock.advance_secs(present.saturating_sub(START.0) / 1000 + 3600);
}

pub(super) async fn row_of(world: &World, kept: &Kept) -> Option<Row> {
    let rows = world.installations().await;
    rows.into_iter().find(|row| string(row, "installation_id") == Some(&kept.row_key()))
}

pub(super) async fn vend(world: &World, subject: &str) -> Value {
    world.ask("token", json!({"subject": subject})).await
}

/// How often tokens were issued or revoked.
pub(super) fn spent(world: &World) -> [usize; 2] {
    [Endpoint::Token, Endpoint::Revoke].map(|endpoint| world.notion().count(endpoint))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_is_proven_sealed_and_linked_and_a_second_run_asks_nobody() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    let edsger = there.installs(EDSGER, GLOBEX).await;
    let mut without_refresh = edsger.line("user 3");
    without_refresh.as_object_mut().unwrap().remove("refresh_token");
    let lines = [ada.line("user 1"), grace.line_with_ids("user 2"), without_refresh, ada.line("org:42")];
    let before = spent(&world);
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!(
        (ran.code, ran.outcomes()),
        (0, vec!["adopted", "adopted", "adopted", "linked"]),
        "{}",
        ran.said
    );
    assert!(ran.said.contains("4 lines: 3 adopted, 1 linked"), "{}", ran.said);
    assert_eq!(
        *ran.of_line(2),
        json!({"line": 2, "subject": "user 2", "outcome": "adopted", "installation_id": grace.row_key(),
            "refresh_token": "unproven", "why": null})
    );
    assert_eq!(ran.of_line(3)["refresh_token"], Value::Null);
    // They are at once what an install leaves.
    for (kept, subject) in [(&ada, "user 1"), (&grace, "user 2"), (&edsger, "user 3"), (&ada, "org:42")] {
        let row = row_of(&world, kept).await.unwrap();
        assert_eq!(string(&row, "health"), Some("active"));
        assert_eq!(world.open_access(&row), kept.access_token);
        assert_eq!(vend(&world, subject).await["access_token"], kept.access_token.as_str());
    }
    assert_eq!(world.open_refresh(&row_of(&world, &ada).await.unwrap()), ada.refresh_token);
    assert_eq!(world.links().await.len(), 4);
    let listed = world.ask("installations", json!({"subject": "user 1"})).await;
    let facts = &listed["installations"][0];
    assert_eq!(
        [&facts["user_name"], &facts["workspace_name"], &facts["subjects"]],
        [&json!("Ada"), &json!("Acme"), &json!(["user 1", "org:42"])]
    );
    // When Notion issued the tokens, to the second.
    assert_eq!(facts["installed_at"], json!(START.0 / 1000));

    let asked = world.notion().requests().len();
    let again = adopt(&world, &lines, &[]).await;
    assert_eq!((again.code, again.outcomes()), (0, vec!["already"; 4]));
    assert_eq!(world.notion().requests().len(), asked, "the table knows them");
    assert_eq!(spent(&world), before, "no token was spent");
    // docs/deploy.md, "Who may do what": a transaction is put, update and condition check.
    let calls = world.stack.dynamodb().calls();
    let own = calls.iter().filter(|call| call.caller == "operator").map(|call| call.operation.as_str());
    assert_eq!(own.collect::<BTreeSet<_>>(), BTreeSet::from(["GetItem", "Query", "TransactWriteItems"]));

    // The unproven refresh token is proven at its first use.
    let shown = |json: Value| json["installations"][0]["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(shown(in_json(&world, &["show", ACME, ADA]).await.1), "unproven");
    let renewed = world.ask("token", person(ADA, ACME, json!({"refresh": true}))).await;
    assert!(world.works(renewed["access_token"].as_str().unwrap()).await);
    assert_eq!(shown(in_json(&world, &["show", ACME, ADA]).await.1), "issued");
    // The file's tokens are consumed now, and still known.
    assert_eq!(adopt(&world, &lines, &[]).await.outcomes(), vec!["already"; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_or_not_alive_is_refused_line_by_line() {
    let world = World::start().await;
    let (there, foreign) = (Elsewhere::of(&world), Elsewhere::with_another_connection(&world));
    let ada = there.installs(ADA, ACME).await;
    let grace = there.installs(GRACE, ACME).await;
    let edsger = there.installs(EDSGER, GLOBEX).await;
    let another = foreign.installs(ADA, ACME).await;
    world.notion().revoke_grants_of(EDSGER, GLOBEX);
    let mut dead = edsger.line("user 3");
    dead["refresh_token"] = Value::Null;
    let with = |kept: &Kept, name: &str, value: &str| {
        let mut line = kept.line_with_ids("user 9");
        line[name] = value.into();
        line
    };
    let text = [
        in_lines(&[
            another.line("user 1"),
            dead,
            edsger.line("user 3"),
            with(&ada, "workspace_id", GLOBEX),
            with(&ada, "user_id", GRACE),
            with(&ada, "bot_id", &grace.bot_id),
        ]),
        format!("\n{{\"subject\":\"user 4\",\"access_token\":\"{}\"\n", ada.access_token),
        in_lines(&[json!({"subject": "user 5", "access_token": ada.access_token, "refreshToken": "x"})]),
        in_lines(&[json!({"subject": ada.access_token, "access_token": grace.access_token})]),
        in_lines(&[grace.line("user 2")]),
    ]
    .concat();
    let before = spent(&world);
    let ran = adopt_text(&world, &text, &[]).await;
    let expected = [
        "foreign", "dead", "expired", "mismatch", "mismatch", "mismatch", "invalid", "invalid", "invalid",
        "adopted",
    ];
    assert_eq!((ran.code, ran.outcomes()), (1, expected.to_vec()), "{}", ran.said);
    for (number, because) in [
        (4, "workspace_id"),
        (5, "user_id"),
        (6, "bot_id"),
        (8, "not a JSON object"),
        (9, "a field"),
        (10, "its subject is a token"),
    ] {
        let why = ran.of_line(number)["why"].as_str().unwrap();
        assert!(why.contains(because), "line {number}: {why}");
        assert!(ran.said.contains(&format!("line {number}")), "{}", ran.said);
    }
    assert!(!ran.said.contains("line 11"), "{}", ran.said);
    assert_eq!(world.installations().await.len(), 1);
    assert_eq!(spent(&world), before);
}

/// A known limit (SECURITY.md): Notion does not document that introspection refuses another connection's token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_happened_here_is_undone() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let ada = there.installs(ADA, ACME).await;
    to_the_present(&world);
    assert_eq!(adopt(&world, &[ada.line("user 1")], &[]).await.outcomes(), ["adopted"]);
    // The same person with other tokens, in the same file or in a later one.
    let second = there.installs(ADA, ACME).await;
    let ran = adopt(&world, &[second.line("user 1"), ada.line("user 1")], &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["duplicate", "already"]));
    assert_eq!(vend(&world, "user 1").await["access_token"], ada.access_token.as_str());

    // Ada installs here. Now that is hers, and the file is out of date.
    world.connected("user 1", |_| {}).await;
    let live = vend(&world, "user 1").await;
    let row = row_of(&world, &ada).await.unwrap();
    assert_ne!(live["access_token"], ada.access_token.as_str());
    assert!(
        world.open_all(&row).contains(ada.refresh_token.as_ref().unwrap()),
        "the adopted pair is kept aside"
    );
    let ran = adopt(&world, &[second.line("user 1"), second.line("user 2")], &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["installed", "duplicate"]), "{}", ran.said);
    assert_eq!(vend(&world, "user 1").await["access_token"], live["access_token"]);

    // Removed, then forgotten: tokens of another time do not bring anybody back.
    assert_eq!(in_json(&world, &["revoke", ACME, ADA, "--yes"]).await.0, 0);
    let third = there.installs(ADA, ACME).await;
    assert_eq!(adopt(&world, &[third.line("user 1")], &[]).await.outcomes(), ["removed"]);
    assert_eq!(in_json(&world, &["revoke", ACME, ADA, "--forget", "--yes"]).await.0, 0);
    let ran = adopt(&world, &[third.line("user 1")], &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["forgotten"]));
    assert!(row_of(&world, &ada).await.is_none() && world.links().await.is_empty());
    assert!(world.works(&third.access_token).await, "and none of it was revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_died_here_give_way_to_those_of_a_later_export() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let first = there.installs(ADA, ACME).await;
    assert_eq!(adopt(&world, &[first.line("user 1")], &[]).await.outcomes(), ["adopted"]);
    // The other system was not stopped, and consumed the refresh token.
    let second = there.refreshes(&first).await;
    let refused = world.ask("token", person(ADA, ACME, json!({"refresh": true}))).await;
    assert_eq!(refused["error"], "needs_reinstall");
    let dead = adopt(&world, &[first.line("user 1")], &[]).await;
    assert_eq!(dead.outcomes(), ["already"]);
    assert!(dead.of_line(1)["why"].as_str().unwrap().contains("install again"), "{}", dead.of_line(1));

    assert_eq!(adopt(&world, &[second.line("user 1")], &[]).await.outcomes(), ["adopted"]);
    assert_eq!(vend(&world, "user 1").await["access_token"], second.access_token.as_str());
    let renewed = world.ask("token", person(ADA, ACME, json!({"refresh": true}))).await;
    assert!(world.works(renewed["access_token"].as_str().unwrap()).await);
    world.publish().await;
    let types: Vec<String> =
        world.feed().await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(types, ["installation.adopted", "installation.needs_reinstall", "installation.recovered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_hears_of_each_and_no_workspace_is_prepared() {
    let world = crate::onboarding::world(crate::onboarding::recipe("tracker"), |_| {}).await;
    let there = Elsewhere::of(&world);
    let ada = there.installs(ADA, ACME).await;
    let ran = adopt(&world, &[ada.line("user 1"), ada.line("user 2")], &[]).await;
    assert_eq!(ran.outcomes(), ["adopted", "linked"]);
    crate::onboarding::settle(&world).await;
    let events = world.feed().await;
    let told: Vec<[&str; 2]> = events
        .iter()
        .map(|event| [event["type"].as_str().unwrap(), event["data"]["subject"].as_str().unwrap()])
        .collect();
    assert_eq!(told, [["installation.adopted", "user 1"], ["installation.adopted", "user 2"]]);
    let schema = crate::history::schema();
    for event in &events {
        assert!(schema.is_valid(event), "{:?}: {event}", schema.iter_errors(event).next());
    }
    assert_eq!(events[0]["data"]["previous_health"], Value::Null);
    assert_eq!(world.notion().count(Endpoint::CreatePage), 0, "nothing was begun");
    assert_eq!(crate::onboarding::of_ada(&world).await["status"], "pending");
    // Unless somebody orders it, or the person connects again.
    world.connected("user 1", |_| {}).await;
    crate::onboarding::settle(&world).await;
    assert_eq!(crate::onboarding::of_ada(&world).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    let again = there.installs(ADA, ACME).await;
    let expired = there.installs(EDSGER, GLOBEX).await;
    world.notion().revoke_grants_of(EDSGER, GLOBEX);
    assert_eq!(adopt(&world, &[grace.line("user 2")], &[]).await.outcomes(), ["adopted"]);
    let lines = [
        ada.line("user 1"),
        grace.line("user 2"),
        grace.line("user 3"),
        again.line("user 1"),
        expired.line("user 4"),
    ];
    let operations = world.dynamodb_operations().len();
    let ran = adopt(&world, &lines, &["--dry-run"]).await;
    let expected = ["would_adopt", "already", "would_link", "duplicate", "expired"];
    assert_eq!((ran.code, ran.outcomes()), (1, expected.to_vec()));
    let since = world.dynamodb_operations().split_off(operations);
    assert!(since.iter().all(|operation| ["GetItem", "Query"].contains(&operation.as_str())), "{since:?}");
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!(ran.outcomes(), ["adopted", "already", "linked", "duplicate", "expired"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_workspaces_that_may_be_connected_are_adopted() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, edsger) = (there.installs(ADA, ACME).await, there.installs(EDSGER, GLOBEX).await);
    let mut variables = world.stack.variables().clone();
    variables.insert("ALLOWED_WORKSPACES".to_owned(), ACME.to_owned());
    let arguments = ["--json", "adopt", "-", "--calls-per-minute", "60000"];
    let input = in_lines(&[ada.line("user 1"), edsger.line("user 2")]);
    let output = operator_on_variables(&world, variables, &arguments, &input).await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!(
        (output.status.code(), &json["outcomes"]),
        (Some(1), &json!({"adopted": 1, "not_allowed": 1}))
    );
    assert!(world.works(&edsger.access_token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_if_notion_says_so_and_stops_if_notion_is_down() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    let busy = |status| Fault::Status { status, retry_after: Some("1".to_owned()) };
    world.notion().inject(Endpoint::Introspect, busy(429), 1);
    world.notion().inject(Endpoint::UsersMe, busy(529), 1);
    world.notion().inject(Endpoint::UsersMe, Fault::LostReply, 1);
    world.notion().inject(Endpoint::Introspect, Fault::Truncated, 1);
    let ran = adopt(&world, &[ada.line("user 1")], &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (0, vec!["adopted"]), "{}", ran.said);

    world.notion().inject(Endpoint::Introspect, Fault::Html(403), 1);
    let lines = [ada.line("user 1"), grace.line("user 2")];
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (3, vec!["already"]));
    assert!(ran.said.contains("goes on where this one stopped"), "{}", ran.said);
    // The secret was rotated at Notion, and not here.
    world.notion().change_settings(|settings| settings.old_secret_dies_at_once = true);
    world.notion().rotate_secret(dev::stack::SIMULATED_CLIENT_ID, "secret_rotated");
    let ran = adopt(&world, &lines, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("secret rotate"), "{}", ran.said);
    world.store_client_secret("secret_rotated");
    assert_eq!(adopt(&world, &lines, &[]).await.outcomes(), ["already", "adopted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_read_holds_up_nobody_else() {
    let world = World::start().await;
    let there = Elsewhere::of(&world);
    let (ada, grace) = (there.installs(ADA, ACME).await, there.installs(GRACE, ACME).await);
    assert_eq!(adopt(&world, &[ada.line("user 1")], &[]).await.outcomes(), ["adopted"]);
    world.tamper(&ada.row_key(), "REMOVE generation", &[]).await;
    let ran = adopt(&world, &[ada.line("user 1"), grace.line("user 2")], &[]).await;
    assert_eq!((ran.code, ran.outcomes()), (1, vec!["unreadable", "adopted"]), "{}", ran.said);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_only_if_nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    let ada = Elsewhere::of(&world).installs(ADA, ACME).await;
    let file = Backup::named("tokens");
    std::fs::write(&file.0, in_lines(&[ada.line("user 1")])).unwrap();
    let set = |mode| std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(mode)).unwrap();
    let arguments = ["adopt", file.path(), "--calls-per-minute", "60000"];
    set(0o644);
    let refused = operator(&world, &arguments, "").await;
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains(&format!("chmod 600 {}", file.path())), "{}", said(&refused));
    assert_eq!(world.notion().count(Endpoint::Introspect), 0);
    set(0o400);
    let done = operator(&world, &arguments, "").await;
    assert!(done.status.success() && said(&done).contains("1 adopted"), "{}", said(&done));
    for (arguments, code) in [
        (&["adopt", "/nonexistent"][..], 1),
        (&["adopt", &ada.access_token], 2),
        (&["adopt", file.path(), "--report", file.path()], 2),
        (&["adopt", "--", "/dev/null"], 1),
    ] {
        let refused = operator(&world, arguments, "").await;
        assert_eq!(refused.status.code(), Some(code), "{}", said(&refused));
    }
}
