//! A thousand random histories of installations, published by functions that are killed, delivered to again, out of
//! order across shards, with a bus and a log that fail: the app hears of every change exactly once, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev::aws::{CLAIMS_TABLE, Fault, INSTALLATIONS_TABLE, Reply};
use dev::stack::NotionSide;
use lambda_http::Context;
use publish::Publish;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::entry::batch;
use shared::random::OsRandom;
use simulated_notion::{ACME, Endpoint};

use crate::app::Begun;
use crate::crash::{Process, Seed};
use crate::harness::{World, person, string};
use crate::stampede::with_people;

const PEOPLE: usize = 90;
const WORLDS: u64 = 6;
/// What each person's history has at least.
const STEPS: usize = 7;
/// How many shards each table's stream has.
const SHARDS: usize = 3;
/// How long an app has to claim, in seconds.
const CLAIM_WINDOW_SECS: u64 = 3600;

/// What the app is to hear: the type, the installation (or its hash), the generation, the subject. No history has the
/// same twice.
type News = (String, String, u64, String);

/// An installation as the test expects it to be.
#[derive(Debug, Clone, Default)]
struct Expected {
    generation: u64,
    state: State,
    subjects: BTreeSet<String>,
    /// Whether it is somebody's: installed without an app, or claimed.
    is_owned: bool,
    /// Whether its grant is dead at Notion, and we do not know it.
    is_dead_unknown: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nobody,
    Active,
    Dead,
    Removed,
}

struct Histories {
    world: World,
    people: Vec<String>,
    expected: BTreeMap<String, Expected>,
    news: Vec<News>,
    refused: usize,
    failed: usize,
    seed: Seed,
}

/// The schema that consumers get. It allows no field but those that are documented.
pub(crate) fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../events/schemas/event-1.json")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn opaque(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{ACME}/user/{id}"))
}

impl Histories {
    async fn begin(number: u64) -> Self {
        let people: Vec<String> =
            (0..PEOPLE).map(|person| format!("b0000000-0000-4000-{number:04}-{person:012}")).collect();
        let world = World::start_with(|options| {
            let NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
            notion.workspaces = with_people(&people);
        })
        .await;
        let expected = people.iter().map(|id| (id.clone(), Expected::default())).collect();
        Self { world, people, expected, news: Vec::new(), refused: 0, failed: 0, seed: Seed(number) }
    }

    fn hear(&mut self, kind: &str, id: &str, subject: &str) {
        let generation = self.expected[id].generation;
        self.news.push((format!("installation.{kind}"), opaque(id), generation, subject.to_owned()));
    }

    fn one(&mut self, id: &str) -> &mut Expected {
        self.expected.get_mut(id).unwrap()
    }

    async fn install(&mut self, id: &str, for_app: bool) -> Option<(Begun, crate::app::Returned)> {
        let browser = self.world.browser();
        let connected = if for_app {
            let begun = Begun::new(&self.world);
            let returned = browser.connect(&begun, |approval| id.clone_into(&mut approval.person)).await;
            assert!(returned.code.is_some(), "{returned:?}");
            Some((begun, returned))
        } else {
            let page = browser.install_as(|approval| id.clone_into(&mut approval.person)).await;
            assert!(page.is_connected(), "{page:?}");
            None
        };
        let before = self.expected[id].state;
        let one = self.one(id);
        one.generation += 1;
        match before {
            State::Nobody | State::Removed => {
                one.subjects.clear();
                one.is_owned = !for_app;
            }
            State::Dead => one.is_owned = !for_app || !one.subjects.is_empty(),
            State::Active => one.is_owned |= !for_app,
        }
        (one.state, one.is_dead_unknown) = (State::Active, false);
        let kind = if matches!(before, State::Active | State::Dead) { "reinstalled" } else { "installed" };
        self.hear(kind, id, "");
        connected
    }

    async fn step(&mut self, id: &str) {
        let subject = format!("{} of {id}", self.seed.below(2));
        match self.seed.below(12) {
            0 | 1 => drop(self.install(id, false).await),
            2..=4 => {
                let (begun, returned) = self.install(id, true).await.unwrap();
                let claim = begun.claim(&returned, &subject);
                // The app may claim late, twice, or never.
                if self.seed.below(4) > 0 {
                    let claimed = self.world.ask("claim", claim.clone()).await;
                    assert!(claimed["error"].is_null(), "{claimed}");
                    self.world.ask("claim", claim).await;
                    let one = self.one(id);
                    one.subjects.insert(subject.clone());
                    one.is_owned = true;
                    self.hear("claimed", id, &subject);
                }
            }
            5 | 6 => {
                let vended = self.world.ask("token", person(id, ACME, json!({"refresh": true}))).await;
                let one = self.one(id);
                let may_vend = one.state == State::Active && one.is_owned;
                assert_eq!(vended["error"].is_null(), may_vend && !one.is_dead_unknown, "{vended} {one:?}");
                if may_vend && one.is_dead_unknown {
                    one.state = State::Dead;
                    self.hear("needs_reinstall", id, "");
                }
            }
            7 => {
                self.world.notion().revoke_grants_of(id, ACME);
                let one = self.one(id);
                one.is_dead_unknown |= one.state == State::Active;
            }
            8 => {
                self.world.ask("uninstall", json!({"subject": subject})).await;
                if self.one(id).subjects.contains(&subject) && self.one(id).state != State::Removed {
                    if self.one(id).subjects.len() == 1 {
                        self.hear("removed", id, "");
                        self.one(id).state = State::Removed;
                    } else {
                        self.one(id).subjects.remove(&subject);
                        self.hear("unlinked", id, &subject);
                    }
                }
            }
            9 => self.remove(id, false).await,
            10 => self.remove(id, true).await,
            _ => {
                let is_refused = self.seed.below(2) == 0;
                let browser = self.world.browser();
                if is_refused {
                    browser.install_as(|approval| approval.cancel = true).await;
                    self.refused += 1;
                } else {
                    let fault = simulated_notion::Fault::Status { status: 400, retry_after: None };
                    self.world.notion().inject(Endpoint::Token, fault, 1);
                    browser.install_as(|approval| id.clone_into(&mut approval.person)).await;
                    self.failed += 1;
                }
            }
        }
    }

    async fn remove(&mut self, id: &str, forget: bool) {
        let removed = self.world.ask("uninstall", person(id, ACME, json!({"forget": forget}))).await;
        assert!(removed["error"].is_null() || removed["error"] == "not_installed", "{removed}");
        let one = self.one(id).clone();
        if matches!(one.state, State::Active | State::Dead) {
            let kind = if one.is_owned || !one.subjects.is_empty() { "removed" } else { "unclaimed" };
            self.hear(kind, id, "");
        }
        if forget {
            if one.state != State::Nobody {
                let hash = Sha256::digest(opaque(id));
                let hash = hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                self.news.push(("installation.forgotten".to_owned(), hash, one.generation, String::new()));
            }
            // The generation continues.
            *self.one(id) = Expected { generation: one.generation, ..Expected::default() };
        } else if one.state != State::Nobody {
            self.one(id).state = State::Removed;
        }
    }

    /// The window of every claim ends, and the sweep gives back what nobody has.
    async fn give_back(&mut self) {
        self.world.clock.advance_secs(CLAIM_WINDOW_SECS + 60);
        for _ in 0..20 {
            if self.world.ask("sweep", json!({})).await["complete"] == true {
                break;
            }
        }
        let rows = self.world.installations().await;
        for id in self.people.clone() {
            let one = &self.expected[&id];
            // What is due for another reason is looked at as well, and may be found dead.
            let row = rows.iter().find(|row| string(row, "owner_user_id") == Some(&id));
            let is_dead = row.is_some_and(|row| string(row, "health") == Some("needs_reinstall"));
            if one.state == State::Active && one.is_dead_unknown && is_dead {
                self.hear("needs_reinstall", &id, "");
                self.one(&id).state = State::Dead;
            }
            let one = &self.expected[&id];
            if matches!(one.state, State::Active | State::Dead) && !one.is_owned && one.subjects.is_empty() {
                self.hear("unclaimed", &id, "");
                self.one(&id).state = State::Removed;
            }
        }
    }

    /// Publishes everything so far, under everything that may go wrong. Returns how many functions were killed.
    async fn publish_under_fire(&mut self) -> usize {
        let mut shards: Vec<Vec<Value>> = vec![Vec::new(); 2 * SHARDS];
        for (table, first) in [(INSTALLATIONS_TABLE.0, 0), (CLAIMS_TABLE.0, SHARDS)] {
            let records = self.world.stack.dynamodb().service().changes(table, None, 100_000).await.unwrap();
            for record in records {
                // The changes of one row are in one shard, in order.
                let key = record["dynamodb"]["Keys"].to_string();
                let of_key = Sha256::digest(key.as_bytes())[0];
                shards[first + usize::from(of_key) % SHARDS].push(record);
            }
        }
        let (mut done, mut killed) = (vec![0; shards.len()], 0);
        let mut function = self.new_publish();
        while let Some(shard) = self.next_shard(&shards, &done) {
            let from = match self.seed.below(8) {
                // Delivered again, from somewhere before.
                0 => self.below(done[shard] + 1),
                _ => done[shard],
            };
            let to = (from + 1 + self.below(20)).min(shards[shard].len());
            self.disturb();
            let mut context = Context::default();
            context.deadline = self.world.clock_ms() + 25_000;
            let event = to_raw_value(&json!({"Records": &shards[shard][from..to]})).unwrap();
            let turns = match self.seed.below(2) {
                0 => 1 + self.seed.below(16),
                _ => u64::MAX,
            };
            let answer = {
                let running: Pin<Box<dyn Future<Output = Value> + '_>> = Box::pin(async {
                    let answer = batch::answer(&function, &event, context).await;
                    serde_json::from_str(answer.get()).unwrap()
                });
                tokio::task::unconstrained(Process { running, turns }).await
            };
            let Some(answer) = answer else {
                killed += 1;
                function = self.new_publish();
                continue;
            };
            let failed = answer["batchItemFailures"][0]["itemIdentifier"].as_str();
            let passed = match failed {
                None => to,
                Some(failed) => {
                    let is_it = |record: &Value| batch::item_id(record) == failed;
                    from + shards[shard][from..to].iter().position(is_it).unwrap()
                }
            };
            done[shard] = done[shard].max(passed);
        }
        // The last one may not have been met.
        self.world.stack.event_bus().clear_faults();
        self.world.stack.dynamodb().clear_faults();
        killed
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.seed.below(bound as u64)).unwrap()
    }

    fn new_publish(&self) -> Publish {
        let variables = self.world.stack.variables();
        let lookup = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("publish".to_owned()),
            name => variables.get(name).cloned(),
        };
        let clock = std::sync::Arc::<crate::harness::FrozenClock>::clone(&self.world.clock);
        Publish::read(&lookup, clock, OsRandom).unwrap()
    }

    fn next_shard(&mut self, shards: &[Vec<Value>], done: &[usize]) -> Option<usize> {
        let open: Vec<usize> =
            (0..shards.len()).filter(|shard| done[*shard] < shards[*shard].len()).collect();
        if open.is_empty() { None } else { Some(open[self.below(open.len())]) }
    }

    fn disturb(&mut self) {
        let (bus, dynamodb) = (self.world.stack.event_bus(), self.world.stack.dynamodb());
        bus.clear_faults();
        dynamodb.clear_faults();
        match self.seed.below(12) {
            0 => bus.inject("PutEvents", Fault::LostReply, 1),
            1 => bus.inject("PutEvents", Fault::Down, 1),
            2 => bus.inject("PutEvents", Fault::Answer(Reply::error(400, "AccessDeniedException")), 1),
            3 => bus.service().refuse_next(&["", "InternalFailure", "", "ThrottlingException"]),
            4 => dynamodb.inject("TransactWriteItems", Fault::LostReply, 1),
            5 => dynamodb.inject(
                "TransactWriteItems",
                Fault::Answer(Reply::error(400, "AccessDeniedException")),
                1,
            ),
            _ => {}
        }
    }

    /// What was heard is what happened.
    async fn check(&mut self) {
        let feed = self.world.feed().await;
        let mut by_id: BTreeMap<String, &Value> = BTreeMap::new();
        let schema = schema();
        for event in &feed {
            let broken: Vec<String> = schema.iter_errors(event).map(|error| error.to_string()).collect();
            assert!(broken.is_empty(), "{event}: {broken:?}");
            let id = event["id"].as_str().unwrap().to_owned();
            assert!(by_id.insert(id, event).is_none(), "twice in the feed: {event}");
        }
        // The bus may have it twice, with the same content.
        let on_bus = self.world.stack.event_bus().service().events();
        for sent in &on_bus {
            let event = &sent["detail"];
            assert_eq!(by_id[event["id"].as_str().unwrap()], event, "two contents under one id");
        }
        let on_bus: BTreeSet<&str> =
            on_bus.iter().map(|sent| sent["detail"]["id"].as_str().unwrap()).collect();
        assert_eq!(on_bus, by_id.keys().map(String::as_str).collect(), "on the bus, in the feed");
        let mut heard: Vec<News> = Vec::new();
        let (mut refused, mut failed) = (0, 0);
        let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for event in &feed {
            let (kind, data) = (event["type"].as_str().unwrap(), &event["data"]);
            match kind {
                "install.refused" => refused += 1,
                "install.failed" => failed += 1,
                _ => {
                    let named = data["installation"].as_str().or(data["installation_hash"].as_str()).unwrap();
                    let (generation, version) =
                        (data["generation"].as_u64().unwrap(), data["version"].as_u64().unwrap());
                    // In the feed, the changes of one installation are in order.
                    let before = last.insert(named, (generation, version));
                    assert!(before.is_none_or(|before| before <= (generation, version)), "{event}");
                    let subject = data["subject"].as_str().unwrap_or_default();
                    heard.push((kind.to_owned(), named.to_owned(), generation, subject.to_owned()));
                }
            }
        }
        heard.sort_unstable();
        self.news.sort_unstable();
        let (heard_once, happened): (BTreeSet<&News>, BTreeSet<&News>) =
            (heard.iter().collect(), self.news.iter().collect());
        let missing: Vec<_> = happened.difference(&heard_once).take(5).collect();
        let surplus: Vec<_> = heard_once.difference(&happened).take(5).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}, surplus {surplus:#?}");
        assert_eq!(heard, self.news);
        assert_eq!((refused, failed), (self.refused, self.failed));
    }
}

/// Returns how many histories it had, how many events they caused, and how many functions were killed.
async fn some_histories(number: u64) -> (usize, usize, usize) {
    let mut histories = Histories::begin(number).await;
    let mut killed = 0;
    for step in 0..STEPS {
        for id in histories.people.clone() {
            histories.step(&id).await;
        }
        if step % 3 == 2 {
            histories.give_back().await;
        }
        if step == STEPS / 2 {
            killed += histories.publish_under_fire().await;
        }
    }
    histories.give_back().await;
    killed += histories.publish_under_fire().await;
    histories.check().await;
    (PEOPLE, histories.news.len() + histories.refused + histories.failed, killed)
}

#[expect(clippy::print_stderr, reason = "the counts are the result")]
async fn all(worlds: std::ops::Range<u64>) {
    let (mut people, mut events, mut killed) = (0, 0, 0);
    for number in worlds {
        let counts = some_histories(number).await;
        (people, events, killed) = (people + counts.0, events + counts.1, killed + counts.2);
    }
    eprintln!("{people} histories, {events} events, {killed} functions killed");
    assert!(people >= 500 && events > 3 * people && killed > 200, "{people}, {events}, {killed}");
}

#[tokio::test]
async fn the_app_hears_of_every_change_exactly_once_whatever_fails() {
    all(0..WORLDS).await;
}

#[tokio::test]
async fn and_of_nothing_else_in_as_many_other_histories() {
    all(WORLDS..2 * WORLDS).await;
}
