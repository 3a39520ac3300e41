//! A process is killed or frozen at any await point, thousands of times. Nothing is lost silently, nothing healthy is
//! marked dead, and the window that cannot be closed is measured.
//!
//! A killed process is dropped where it is. A frozen one continues later, when others have taken over. Each seed
//! decides which process is stopped, after how many turns, and for how long. The people of one world have a seed each
//! and run at the same time.
//!
//! Each round also draws other events of a system that runs for years: a table that rejects some writes, so that
//! records wait in the rescue queue; records that are delivered twice, moved to the dead letters and moved back
//! later; claims that expire; uninstall messages that are delivered again, late; a panic while processing one row; a
//! clock that jumps while a sweep is between its look into the queue and its last row.

mod disturbances;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::INSTALLATIONS_TABLE;
use dev::stack::NotionSide;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::config::environment;
use simulated_notion::{ACME, Grant, Rotation};

use crate::harness::{Row, World, event, has_lease, person, string};
use crate::poison::Fuse;
use crate::stampede::with_people;

const PEOPLE: usize = 125;
/// How many uninstall messages may be delivered again.
const MESSAGES: usize = 12;
/// The largest number of turns for a process. A refresh or an install takes about as many.
const MOST_TURNS: u64 = 10;

/// How many rounds there are, unless `CRASH_ROUNDS` says otherwise: with 28, this module stops ten thousand processes.
pub(crate) fn rounds(default: usize) -> usize {
    environment("CRASH_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

/// `SplitMix64`: a sequence of numbers from a seed.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A process that gets a limited number of turns, until it is thawed.
pub(crate) struct Process<'a> {
    pub(crate) running: Pin<Box<dyn Future<Output = Value> + 'a>>,
    pub(crate) turns: u64,
}

impl Future for Process<'_> {
    /// Its answer; `None` if it was stopped.
    type Output = Option<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Value>> {
        if self.turns == 0 {
            return Poll::Ready(None);
        }
        self.turns -= 1;
        match self.running.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.turns == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What happens to a stopped process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    Killed,
    ThawedAtOnce,
    ThawedWhenItsLeaseHasEnded,
    ThawedAfterTheSweep,
}

#[derive(Default)]
struct Tally {
    seeds: usize,
    finished: usize,
    stopped: BTreeMap<Fate, usize>,
    flagged: usize,
    marked: usize,
    late: usize,
    killed_by_a_replay: usize,
    unsaved_us: Vec<u64>,
    /// How often each other event happened.
    happened: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Counts what a sweep reported.
    fn count(&mut self, swept: &Value) {
        let counted = |metric: &str| usize::try_from(swept[metric].as_u64().unwrap_or(0)).unwrap();
        self.flagged += counted("StuckClaim");
        self.marked += counted("NeedsReinstall");
        self.note("pairs that took a dead one's place", counted("Promoted"));
        self.note("records recovered", counted("Recovered"));
    }

    fn note(&mut self, what: &'static str, times: usize) {
        *self.happened.entry(what).or_default() += times;
    }
}

/// An uninstall message with a generation, which may be delivered again.
#[derive(Clone)]
struct Message {
    id: String,
    generation: u64,
    forget: bool,
}

struct Crowd {
    world: World,
    ids: Vec<String>,
    /// Notion may kill a family on a replay; see `killed_by_a_replay`.
    rotation: Rotation,
    fuse: Arc<Fuse>,
    messages: Mutex<Vec<Message>>,
}

impl Crowd {
    async fn gather(rotation: Rotation) -> Self {
        let ids: Vec<String> =
            (0..PEOPLE).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect();
        let fuse = Arc::new(Fuse::default());
        let random = Arc::clone(&fuse);
        let world = World::start_with(|options| {
            options.random = random;
            let NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
            notion.workspaces = with_people(&ids);
            notion.settings.rotation = rotation;
        })
        .await;
        let crowd = Self { world, ids, rotation, fuse, messages: Mutex::default() };
        for id in &crowd.ids {
            crowd.install(id).await;
        }
        crowd
    }

    async fn install(&self, id: &str) {
        let browser = self.world.browser();
        assert!(browser.install_as(|approval| id.clone_into(&mut approval.person)).await.is_connected());
    }

    async fn ask(&self, id: &str, more: Value) -> Value {
        self.world.ask("token", person(id, ACME, more)).await
    }

    /// A callback as Lambda would receive it, ready to be stopped.
    async fn callback(&self, id: &str) -> Value {
        let browser = self.world.browser();
        let authorize = browser.install().await;
        let url = browser.allow(&authorize, |approval| id.clone_into(&mut approval.person));
        let query = url.split_once('?').unwrap().1.to_owned();
        event("GET", "/callback", &query, &[("cookie", &browser.cookie()), ("sec-fetch-dest", "document")])
    }

    /// One round: each person's process is stopped as its seed says. Then everything recovers and is checked.
    async fn round(&self, number: usize, tally: &mut Tally) {
        let world = &self.world;
        let mut chance = Seed(0x5eed_0000 + number as u64);
        // They all share one process here. If one were stopped while it fetches the secrets, all others would stop
        // too.
        Box::pin(world.stack.functions().warm_up()).await;
        let before = join_all(self.ids.iter().map(|id| self.ask(id, json!({})))).await;
        let mut processes = Vec::new();
        for (index, (id, before)) in self.ids.iter().zip(&before).enumerate() {
            let mut seed = Seed((number * PEOPLE + index) as u64);
            let running: Pin<Box<dyn Future<Output = Value> + '_>> = match seed.below(10) {
                0 => {
                    let event = self.callback(id).await;
                    Box::pin(async move { world.invoke(world.stack.callback(), &event).await })
                }
                1 => Box::pin(self.uninstall(id, before, seed.below(3))),
                // Not a report: frequent reports are checked with Notion first.
                _ => Box::pin(self.ask(id, json!({"refresh": true}))),
            };
            let fate = match seed.below(6) {
                0 => Fate::ThawedAtOnce,
                1 => Fate::ThawedWhenItsLeaseHasEnded,
                2 => Fate::ThawedAfterTheSweep,
                _ => Fate::Killed,
            };
            processes.push((fate, Process { running, turns: 1 + seed.below(MOST_TURNS) }));
        }
        self.refuse_some_writes(&mut chance, tally);
        // Unconstrained: tokio would make some wait for another's turn, and one that is stopped there would hold up
        // the others.
        let ends =
            tokio::task::unconstrained(join_all(processes.iter_mut().map(|(_, process)| process))).await;
        let mut frozen = Vec::new();
        for ((fate, process), end) in processes.into_iter().zip(ends) {
            tally.seeds += 1;
            if end.is_some() {
                tally.finished += 1;
                continue;
            }
            *tally.stopped.entry(fate).or_default() += 1;
            // Killed processes are dropped here.
            if fate != Fate::Killed {
                frozen.push((fate, process));
            }
        }
        self.check().await;
        self.thaw(&mut frozen, Fate::ThawedAtOnce).await;
        world.stack.dynamodb().clear_faults();
        self.check().await;
        self.disturb_the_queue(&mut chance, tally);
        self.deliver_messages_again(&mut chance, tally).await;
        // A sweep in between, while the clock jumps.
        self.sweep_while_the_clock_jumps(&mut chance, tally).await;
        self.check().await;
        world.clock.advance_secs(46);
        self.thaw(&mut frozen, Fate::ThawedWhenItsLeaseHasEnded).await;
        self.check().await;
        world.clock.advance_secs(61);
        self.let_claims_expire(&mut chance, tally).await;
        world.stack.queues().service().bring_back_all();
        Box::pin(world.stack.functions().warm_up()).await;
        self.sweep_with_a_panic(&mut chance, tally).await;
        self.deliver_messages_again(&mut chance, tally).await;
        self.thaw(&mut frozen, Fate::ThawedAfterTheSweep).await;
        self.check().await;
        // A process that is thawed this late may leave its own lease, and a superseded pair. Received records stay
        // hidden for a while, and the row of the panic waits for its turn.
        for _ in 0..3 {
            world.clock.advance_secs(301);
            self.sweep(tally).await;
        }
        world.clock.advance_secs(3001);
        self.sweep(tally).await;
        self.nothing_is_lost(tally).await;
    }

    /// An uninstall: of whatever there is; of this generation; or of this generation with `forget`.
    async fn uninstall(&self, id: &str, before: &Value, kind: u64) -> Value {
        if kind == 0 {
            return self.world.ask("uninstall", person(id, ACME, json!({}))).await;
        }
        let message = Message {
            id: id.to_owned(),
            generation: before["generation"].as_u64().unwrap_or(0),
            forget: kind == 2,
        };
        self.keep(message.clone());
        self.deliver(&message).await
    }

    /// Keeps a message for a later delivery. The oldest one is dropped if there are too many.
    fn keep(&self, message: Message) {
        let mut messages = self.messages.lock().unwrap();
        if messages.len() == MESSAGES {
            messages.remove(0);
        }
        messages.push(message);
    }

    async fn deliver(&self, message: &Message) -> Value {
        let more = json!({"generation": message.generation, "forget": message.forget});
        self.world.ask("uninstall", person(&message.id, ACME, more)).await
    }

    async fn row_of(&self, id: &str) -> Option<Row> {
        let client = self.world.stack.dynamodb().service().client();
        let key = AttributeValue::S(format!("{ACME}/user/{id}"));
        let read = client.get_item().table_name(INSTALLATIONS_TABLE.0).key("installation_id", key);
        read.send().await.unwrap().item
    }

    async fn thaw(&self, frozen: &mut Vec<(Fate, Process<'_>)>, fate: Fate) {
        let (mut thawed, rest): (Vec<_>, Vec<_>) = frozen.drain(..).partition(|(when, _)| *when == fate);
        frozen.extend(rest);
        for (_, process) in &mut thawed {
            process.turns = u64::MAX;
        }
        join_all(thawed.iter_mut().map(|(_, process)| process)).await;
    }

    async fn sweep(&self, tally: &mut Tally) {
        loop {
            let swept = self.world.ask("sweep", json!({})).await;
            tally.count(&swept);
            assert!(swept["SweepFailed"].is_null() && swept["NotionDown"].is_null(), "{swept}");
            if swept["complete"] == true {
                return;
            }
        }
    }

    /// I3, at any moment: what is marked dead is dead.
    async fn check(&self) -> Vec<Row> {
        let rows = self.world.installations().await;
        let alive: BTreeSet<String> =
            self.world.notion().grants().into_iter().flat_map(|grant| grant.refresh_tokens).collect();
        for row in rows.iter().filter(|row| string(row, "health") == Some("needs_reinstall")) {
            let token = self.world.open_refresh(row).unwrap();
            assert!(!alive.contains(&token), "{:?}: a healthy installation is marked dead", self.rotation);
        }
        rows
    }

    /// I1, after recovery: every live token at Notion is in the row, or it was reported. Then everybody starts the
    /// next round.
    async fn nothing_is_lost(&self, tally: &mut Tally) {
        let world = &self.world;
        let rows = self.check().await;
        let by_person: BTreeMap<&str, &Row> =
            rows.iter().filter_map(|row| Some((string(row, "owner_user_id")?, row))).collect();
        let grants = world.notion().grants();
        let mut unaccounted = 0;
        let told = tally.flagged + self.orphans_told_of();
        for id in &self.ids {
            // A forgotten person has no row.
            let row = by_person.get(id.as_str()).copied();
            let held = row.map(|row| world.open_all(row)).unwrap_or_default();
            let of_person = grants.iter().filter(|grant| grant.person_id == *id);
            let lost = of_person.flat_map(Grant::living).filter(|token| !held.contains(*token)).count();
            let health = row.map_or("removed", |row| string(row, "health").unwrap());
            assert!(!row.is_some_and(has_lease), "{row:?}");
            assert!(health != "removed" || held.is_empty(), "the sweep ends a removal: {row:?}");
            // A pair was lost with its process. The row, its claim or an alarm must say so.
            if lost > 0 && health != "needs_reinstall" {
                unaccounted += 1;
            }
            match health {
                "active" | "unverified" => {
                    let vended = self.ask(id, json!({})).await;
                    if vended["error"] == "needs_reinstall" {
                        // It was thawed too late, and nobody has received a dead token for it.
                        assert_eq!(health, "unverified", "{vended}");
                        tally.late += 1;
                        continue;
                    }
                    let token = vended["access_token"].as_str().unwrap_or_else(|| panic!("{vended}"));
                    if !world.works(token).await {
                        self.killed_by_a_replay(id, &vended, tally).await;
                    }
                }
                "needs_reinstall" | "removed" => {}
                other => panic!("{other}"),
            }
        }
        // With grace, a repeated refresh leaves the lost pair alive next to the new one. Both are one grant, which
        // the row holds. All others were reported.
        let graceful = matches!(self.rotation, Rotation::Grace { .. });
        assert!(graceful || unaccounted <= told, "{unaccounted} lost, {told} told");
        for id in &self.ids {
            let row = self.row_of(id).await;
            if row.as_ref().and_then(|row| string(row, "health")) != Some("active") {
                world.notion().revoke_grants_of(id, ACME);
                self.install(id).await;
            }
        }
    }

    /// Alarms that name a bot of which something may still be alive.
    fn orphans_told_of(&self) -> usize {
        self.world.leaks.log().matches("\"alarm\":\"orphaned_grant\"").count()
    }

    /// A process can be frozen between its last look at the clock and the first byte, for so long that others
    /// refresh. Then it sends the old refresh token after all. Nothing can prevent that. If Notion kills the family
    /// for it, the next caller who uses the token learns that the grant is dead.
    async fn killed_by_a_replay(&self, id: &str, vended: &Value, tally: &mut Tally) {
        assert_eq!(self.rotation, Rotation::FamilyRevocation, "{id}");
        let again = self.ask(id, json!({"refused_fingerprint": vended["fingerprint"]})).await;
        let lives = match again["access_token"].as_str() {
            // A pair that it had replaced.
            Some(token) => self.world.works(token).await,
            None => again["error"] == "needs_reinstall",
        };
        assert!(lives, "{again}");
        tally.killed_by_a_replay += 1;
    }

    /// How long tokens are only in one process's memory, if nothing else uses its time.
    async fn open_window_us(&self) -> Vec<u64> {
        let id = &self.ids[0];
        let mut times = Vec::new();
        for _ in 0..200 {
            assert_eq!(self.ask(id, json!({"refresh": true})).await["health"], "active");
            times.push(self.world.last_line_with("unsaved_us")["unsaved_us"].as_u64().unwrap());
        }
        times.sort_unstable();
        times
    }
}

trait Living {
    fn living(&self) -> impl Iterator<Item = &String>;
}

impl Living for Grant {
    fn living(&self) -> impl Iterator<Item = &String> {
        self.refresh_tokens.iter()
    }
}

async fn stop_everybody(rotation: Rotation) -> Tally {
    let crowd = Crowd::gather(rotation).await;
    let mut tally = Tally::default();
    for number in 0..rounds(9) {
        crowd.world.clock.advance_secs(301);
        Box::pin(crowd.round(number, &mut tally)).await;
    }
    tally.unsaved_us = Box::pin(crowd.open_window_us()).await;
    tally
}

#[expect(clippy::print_stdout, reason = "the window is measured and printed")]
fn report(rotation: Rotation, tally: &Tally) {
    let at = |percent: usize| tally.unsaved_us[(tally.unsaved_us.len() - 1) * percent / 100];
    println!(
        "{rotation:?}: {} seeds, {} finished, {:?}; {} claims reported, {} grants marked dead, {} thawed too late, {} \
         killed by a replay; the open window, {} times: p50 {} us, p99 {} us",
        tally.seeds,
        tally.finished,
        tally.stopped,
        tally.flagged,
        tally.marked,
        tally.late,
        tally.killed_by_a_replay,
        tally.unsaved_us.len(),
        at(50),
        at(99),
    );
    for (what, times) in &tally.happened {
        println!("  {what}: {times}");
        // With grace no pair dies.
        let graceful = matches!(rotation, Rotation::Grace { .. });
        assert!(*times > 0 || graceful && what.starts_with("pairs"), "{what}");
    }
    assert!(tally.stopped.len() == 4 && tally.finished > 0, "every fate occurred");
    assert!(tally.flagged > 0, "a claim was cut off during the exchange");
}

#[tokio::test]
async fn stops_at_any_await_point_under_strict_rotation() {
    let tally = Box::pin(stop_everybody(Rotation::Strict)).await;
    report(Rotation::Strict, &tally);
    assert!(tally.marked > 0, "a pair was lost with its process");
}

#[tokio::test]
async fn stops_at_any_await_point_with_grace() {
    let rotation = Rotation::Grace { valid_refresh_tokens: 2 };
    let tally = Box::pin(stop_everybody(rotation)).await;
    report(rotation, &tally);
}

#[tokio::test]
async fn stops_at_any_await_point_where_a_replay_kills_the_family() {
    let tally = Box::pin(stop_everybody(Rotation::FamilyRevocation)).await;
    report(Rotation::FamilyRevocation, &tally);
    assert!(tally.marked > 0, "a pair was lost with its process");
}
