//! The operator is killed while it adopts, again and again, and started again with the same file until it is done: before
//! and after a write took effect, in the middle of a request to Notion, and anywhere else. In the end nobody is lost,
//! nobody is there twice, no token was spent, and none is in any output.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{Fault, INSTALLATIONS_TABLE, LINKS_TABLE};
use serde_json::{Value, json};
use simulated_notion::{ACME, Endpoint};
use tokio::process::Child;

use super::adopt::{Elsewhere, Kept, in_lines, read_report};
use super::backup::Backup;
use super::process::{operator_command, said};
use crate::crash::Seed;
use crate::harness::{Row, World, number, string};
use crate::leaks::Leaks;

/// How many people there are, unless `ADOPT_PEOPLE` says otherwise.
const PEOPLE: usize = 120;
/// How often a run is killed for each seed, unless `ADOPT_KILLS` says otherwise.
const KILLS: u64 = 12;
/// How many worlds there are, unless `ADOPT_SEEDS` says otherwise.
const SEEDS: u64 = 2;

fn from_environment<T: std::str::FromStr>(name: &str, usual: T) -> T {
    let set = shared::config::environment(name);
    set.map_or(usual, |text| text.parse().ok().unwrap_or_else(|| panic!("{name} is no number")))
}

/// What the file has of a person, and what has to be in the tables in the end.
struct Brought {
    kept: Kept,
    subjects: Vec<String>,
}

/// The file: each person once; some also for a second subject, some a second time with tokens of a later install elsewhere,
/// and lines that cannot be adopted.
async fn file(
    world: &World,
    ids: &[String],
    seed: &mut Seed,
) -> (Vec<Value>, Vec<Brought>, BTreeSet<String>) {
    let there = Elsewhere::of(world);
    let (mut lines, mut brought, mut refused) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (at, id) in ids.iter().enumerate() {
        let kept = there.installs(id, ACME).await;
        let subject = format!("user {at}");
        let line = if seed.below(2) == 0 { kept.line(&subject) } else { kept.line_with_ids(&subject) };
        lines.push(line);
        let mut subjects = vec![subject];
        match seed.below(12) {
            0 => {
                subjects.push(format!("org {at}"));
                lines.push(kept.line(&subjects[1]));
            }
            // Twice the same.
            1 => lines.push(kept.line(&subjects[0])),
            2 => {
                let later = there.installs(id, ACME).await;
                lines.push(later.line(&format!("late {at}")));
                refused.insert(format!("late {at}"));
            }
            3 => {
                lines.push(
                    json!({"subject": format!("odd {at}"), "access_token": format!("ntn_never_issued_{at}")}),
                );
                refused.insert(format!("odd {at}"));
            }
            _ => {}
        }
        brought.push(Brought { kept, subjects });
    }
    (lines, brought, refused)
}

#[derive(Default, Debug)]
struct Tally {
    killed: BTreeMap<&'static str, u64>,
    finished_before: u64,
    starts: u64,
}

struct Killer<'a> {
    world: &'a World,
    seed: Seed,
    tally: Tally,
    output: Backup,
}

impl Killer<'_> {
    /// Starts the operator, and kills it where the seed says. Returns its exit code if it was faster.
    async fn run(&mut self, file: &str, report: &str, most_lines: u64) -> Option<i32> {
        let arguments = ["adopt", file, "--calls-per-minute", "60000", "--report", report];
        let mut command = operator_command(self.world, &arguments).await;
        // Into a file: a pipe that nobody reads would hold it up.
        let output = File::options().create(true).append(true).open(&self.output.0).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut child = command.spawn().unwrap();
        self.tally.starts += 1;
        let (dynamodb, notion) = (self.world.stack.dynamodb(), self.world.notion());
        let after = 1 + self.seed.below(most_lines);
        let later = |count: usize| count + usize::try_from(after).unwrap();
        let place = match self.seed.below(5) {
            // The write never arrives, or it arrives and nobody hears of it.
            kind @ (0 | 1) => {
                let (fault, place) = if kind == 0 {
                    (Fault::Silent, "before a write")
                } else {
                    (Fault::SilentAfterwards, "after a write")
                };
                let writes = dynamodb.count("TransactWriteItems");
                let killed = async {
                    dynamodb.wait_for("TransactWriteItems", later(writes)).await;
                    dynamodb.inject("TransactWriteItems", fault, 1);
                    dynamodb.wait_for("TransactWriteItems", later(writes) + 1).await;
                };
                Self::until(&mut child, killed).await.then_some(place)
            }
            2 => {
                let reads = dynamodb.count("GetItem");
                Self::until(&mut child, dynamodb.wait_for("GetItem", later(reads)))
                    .await
                    .then_some("at a read")
            }
            3 => {
                let asked = notion.count(Endpoint::Introspect);
                let reached = notion.wait_for(Endpoint::Introspect, later(asked));
                Self::until(&mut child, reached).await.then_some("at an introspection")
            }
            _ => {
                let asked = notion.count(Endpoint::UsersMe);
                let reached = notion.wait_for(Endpoint::UsersMe, later(asked));
                Self::until(&mut child, reached).await.then_some("at users/me")
            }
        };
        if let Some(place) = place {
            child.start_kill().unwrap();
            *self.tally.killed.entry(place).or_default() += 1;
        } else {
            self.tally.finished_before += 1;
        }
        let status = child.wait().await.unwrap();
        dynamodb.clear_faults();
        if place.is_some() { None } else { status.code() }
    }

    /// Whether `reached` came before the end of the process.
    async fn until(child: &mut Child, reached: impl Future<Output = ()>) -> bool {
        tokio::select! {
            _ = child.wait() => false,
            () = reached => true,
        }
    }
}

/// Every row of a table.
async fn all(world: &World, table: &str) -> Vec<Row> {
    let client = world.stack.dynamodb().service().client();
    let mut pages = client.scan().table_name(table).into_paginator().send();
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await {
        rows.extend(page.unwrap().items().to_vec());
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_nobody_is_lost_and_nobody_is_there_twice() {
    let people = from_environment("ADOPT_PEOPLE", PEOPLE);
    let (kills, seeds) = (from_environment("ADOPT_KILLS", KILLS), from_environment("ADOPT_SEEDS", SEEDS));
    for seed in 0..seeds {
        let ids: Vec<String> = (0..people).map(|n| format!("a0000000-0000-4000-8000-{n:012}")).collect();
        let world = World::start_with(|options| {
            crate::onboarding::notion(options).workspaces = crate::stampede::with_people(&ids);
        })
        .await;
        Box::pin(one_world(&world, &ids, Seed(seed), kills)).await;
    }
}

#[expect(clippy::print_stdout, reason = "how often it was killed, and where, is printed")]
async fn one_world(world: &World, ids: &[String], mut seed: Seed, kills: u64) {
    let (lines, brought, refused) = file(world, ids, &mut seed).await;
    let tokens = Backup::named(&format!("killed-{}", seed.0));
    let report = Backup::named(&format!("killed-report-{}", seed.0));
    write_private(&tokens, &in_lines(&lines));
    let spent = || [Endpoint::Token, Endpoint::Revoke].map(|endpoint| world.notion().count(endpoint));
    let before = spent();
    let most_lines = (2 * ids.len() as u64 / kills).max(2);
    let output = Backup::named(&format!("killed-output-{}", seed.0));
    let mut killer = Killer { world, seed, tally: Tally::default(), output };
    let mut code = None;
    while code.is_none() && killer.tally.starts < kills {
        code = killer.run(tokens.path(), report.path(), most_lines).await;
    }
    let arguments = ["adopt", tokens.path(), "--calls-per-minute", "60000", "--report", report.path()];
    let last = operator_command(world, &arguments).await.stdin(Stdio::null()).output().await.unwrap();
    assert_eq!(last.status.code(), Some(i32::from(!refused.is_empty())), "{}", said(&last));

    // None lost, none twice: each has one row, written once and once more for each further subject, with their tokens.
    let rows: BTreeMap<String, Row> = all(world, INSTALLATIONS_TABLE.0)
        .await
        .into_iter()
        .map(|row| (string(&row, "installation_id").unwrap().to_owned(), row))
        .collect();
    assert_eq!(rows.len(), brought.len());
    let mut linked = BTreeSet::new();
    for Brought { kept, subjects } in &brought {
        let row = rows.get(&kept.row_key()).unwrap_or_else(|| panic!("{} is lost", kept.row_key()));
        assert_eq!(world.open_access(row), kept.access_token);
        assert_eq!(world.open_refresh(row), kept.refresh_token);
        assert_eq!((number(row, "generation"), number(row, "version")), (1, subjects.len() as u64));
        assert_eq!(string(row, "health"), Some("active"));
        assert!(row["superseded"].as_l().unwrap().is_empty());
        let in_row: Vec<&String> =
            row["subjects"].as_l().unwrap().iter().map(|s| s.as_s().unwrap()).collect();
        assert_eq!(in_row, subjects.iter().collect::<Vec<_>>());
        linked.extend(subjects.iter().map(|subject| (subject.clone(), kept.row_key())));
    }
    let text = |row: &Row, name: &str| row.get(name).map(AttributeValue::as_s).unwrap().unwrap().clone();
    let in_table: BTreeSet<(String, String)> = all(world, LINKS_TABLE.0)
        .await
        .iter()
        .map(|row| (text(row, "subject"), text(row, "installation_id")))
        .collect();
    assert_eq!(in_table, linked);
    assert_eq!(spent(), before, "no token was spent");

    // The app hears once of each.
    while world.stack.publish_changes().await.unwrap() > 0 {}
    let told: Vec<(String, String)> = world
        .stack
        .event_bus()
        .service()
        .events()
        .iter()
        .map(|event| (&event["detail-type"], &event["detail"]["data"]["subject"]))
        .map(|(kind, subject)| (kind.as_str().unwrap().to_owned(), subject.as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told.len(), linked.len());
    let expected = linked.iter().map(|(subject, _)| ("installation.adopted".to_owned(), subject.clone()));
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected.collect());

    // The report has each line's last word.
    let entries = read_report(&report.0);
    assert_eq!(entries.len(), lines.len());
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, entry) in lines.iter().zip(entries.values()) {
        assert_eq!(entry["subject"], line["subject"]);
        let outcome = entry["outcome"].as_str().unwrap();
        *outcomes.entry(outcome).or_default() += 1;
        let is_refused = refused.contains(line["subject"].as_str().unwrap());
        let expected: &[&str] =
            if is_refused { &["duplicate", "dead"] } else { &["adopted", "linked", "already"] };
        assert!(expected.contains(&outcome), "{entry}");
    }
    let written = std::fs::read_to_string(&report.0).unwrap();
    let output = std::fs::read_to_string(&killer.output.0).unwrap() + &said(&last);
    Leaks::saw_output(&output);
    Leaks::saw_output(&written);
    let stopped: u64 = killer.tally.killed.values().sum();
    println!(
        "{} people, {} lines: started {} times, killed {stopped} times ({:?}); {outcomes:?}; {} bytes of output and report",
        ids.len(),
        lines.len(),
        killer.tally.starts + 1,
        killer.tally.killed,
        output.len() + written.len(),
    );
    assert!(stopped * 2 >= kills, "hardly any run was killed: {:?}", killer.tally);
}

fn write_private(to: &Backup, text: &str) {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&to.0).unwrap().write_all(text.as_bytes()).unwrap();
}
