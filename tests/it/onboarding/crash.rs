//! A function is killed at each of its await points; then at any, hundreds of workspaces long, with events that arrive
//! twice, out of order and at the same time, and with a Notion that fails now and then. In the end each workspace is as
//! after one clean run: nothing is there twice, nothing is missing.

use std::collections::HashMap;
use std::pin::Pin;

use dev::aws::Receipt;
use futures_util::future::join_all;
use lambda_http::Context;
use onboard::Onboard;
use recipe::Recipe;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::config::environment;
use shared::entry::batch;
use simulated_notion::{ADA, Endpoint, Fault};

use super::{Made, made_by_each, notion, onboarding, recipe, settle, states, world};
use crate::crash::{Process, Seed};
use crate::harness::World;
use crate::stampede::with_people;

/// How many worlds there are for each recipe, unless `ONBOARDING_CRASH_WORLDS` says otherwise: with 25, three thousand
/// workspaces are prepared.
const WORLDS_PER_RECIPE: u64 = 3;
/// How many people each world has.
const PEOPLE: usize = 60;
/// The largest number of turns for a process: about as many as a whole run of the tracker takes.
const MOST_TURNS: u64 = 30;
/// How long a killed function's message is hidden, in seconds.
const HIDDEN_SECS: u64 = 360;
/// How often a person's messages may come back.
const MOST_ROUNDS: usize = 300;
/// How many faults a person's onboarding meets at most: fewer than the tries of a step.
const MOST_FAULTS: u64 = 4;

#[derive(Default)]
struct Tally {
    people: usize,
    runs: usize,
    killed: usize,
    faults: usize,
    at_once: usize,
}

struct Workshop {
    world: World,
    recipe: Recipe,
    function: Onboard,
    seed: Seed,
    tally: Tally,
}

/// What a function may meet at Notion. None of them says that the recipe is wrong.
fn fault(seed: &mut Seed) -> (Endpoint, Fault) {
    let endpoints = [
        Endpoint::CreatePage,
        Endpoint::CreatePage,
        Endpoint::CreateDatabase,
        Endpoint::CreateView,
        Endpoint::GetPage,
        Endpoint::GetDatabase,
        Endpoint::BlockChildren,
        Endpoint::QueryDataSource,
        Endpoint::ListViews,
        Endpoint::Search,
        Endpoint::GetDataSource,
        Endpoint::UsersMe,
    ];
    let status = |status, retry_after: Option<&str>| Fault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
    };
    let faults = [
        Fault::LostReply,
        Fault::DropBeforeProcessing,
        Fault::CommittedThen503 { names_resource: true },
        Fault::CommittedThen503 { names_resource: false },
        Fault::ProcessedThen5xx(502),
        Fault::Truncated,
        status(503, None),
        status(500, None),
        status(409, None),
        status(429, Some("7")),
        status(529, Some("3")),
    ];
    let pick = |seed: &mut Seed, count: usize| usize::try_from(seed.below(count as u64)).unwrap();
    let endpoint = endpoints[pick(seed, endpoints.len())];
    (endpoint, faults[pick(seed, faults.len())].clone())
}

impl Workshop {
    async fn open(recipe: Recipe, people: &[String], number: u64) -> Self {
        let mut seed = Seed(number);
        let (search_lag_secs, template_lag_secs) = (seed.below(600), seed.below(40));
        let world = world(recipe.clone(), |options| {
            // The turns of many people at once are another test's.
            options.variables.insert("ONBOARDING_CALLS_PER_MINUTE".to_owned(), "600".to_owned());
            let notion = notion(options);
            notion.workspaces = with_people(people);
            notion.settings.search_lag_secs = search_lag_secs;
            notion.settings.template_lag_secs = template_lag_secs;
        })
        .await;
        let function = Self::new_function(&world, &recipe);
        Self { world, recipe, function, seed, tally: Tally::default() }
    }

    /// A process that knows nothing.
    fn new_function(world: &World, recipe: &Recipe) -> Onboard {
        let variables: HashMap<String, String> = world.stack.variables().clone();
        let lookup = move |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("onboard".to_owned()),
            name => variables.get(name).cloned(),
        };
        let clock = std::sync::Arc::clone(&world.clock);
        Onboard::read(&lookup, recipe.clone(), clock, shared::random::OsRandom).unwrap()
    }

    /// Runs the function on a message; `None` if it was killed.
    async fn run(&self, receipt: &Receipt, turns: u64) -> Option<Value> {
        let mut context = Context::default();
        context.deadline = self.world.clock_ms() + 60_000;
        let event = to_raw_value(&json!({"Records": [receipt.record("onboarding")]})).unwrap();
        let running: Pin<Box<dyn Future<Output = Value> + '_>> = Box::pin(async move {
            let answer = batch::answer(&self.function, &event, context).await;
            serde_json::from_str(answer.get()).unwrap()
        });
        Process { running, turns }.await
    }

    /// What killed processes had sent has arrived when this returns: the runtime has one thread, and these go last.
    async fn quiesce(&self) {
        for _ in 0..3 {
            assert!(!self.world.works("no token").await);
        }
    }

    /// Prepares one person's workspace under everything that may go wrong.
    async fn prepare(&mut self, id: &str) {
        install(&self.world, &self.recipe, id).await;
        self.world.stack.publish_changes().await.unwrap();
        let queue = self.world.stack.queues().service();
        let event = queue.onboardings().pop().unwrap();
        // At least once, and in any order.
        for _ in 0..self.seed.below(2) {
            queue.send_onboarding(&event);
        }
        let mut faults = self.seed.below(MOST_FAULTS + 1);
        for _ in 0..MOST_ROUNDS {
            let queue = self.world.stack.queues().service();
            let most = 1 + usize::from(self.seed.below(3) == 0);
            let received = queue.receive_onboardings(most, HIDDEN_SECS);
            if received.is_empty() {
                let Some(at_ms) = queue.next_onboarding_at_ms() else { return };
                self.world.clock.advance_secs(at_ms.saturating_sub(self.world.clock_ms()) / 1000 + 1);
                continue;
            }
            if faults > 0 && self.seed.below(2) == 0 {
                let (endpoint, fault) = fault(&mut self.seed);
                self.world.notion().inject(endpoint, fault, 1);
                faults -= 1;
                self.tally.faults += 1;
            }
            let mut turns = Vec::new();
            for _ in &received {
                turns.push(if self.seed.below(3) > 0 { 1 + self.seed.below(MOST_TURNS) } else { u64::MAX });
            }
            let runs = received.iter().zip(&turns).map(|(receipt, turns)| self.run(receipt, *turns));
            let answers = tokio::task::unconstrained(join_all(runs)).await;
            self.tally.runs += answers.len();
            self.tally.at_once += usize::from(answers.len() > 1);
            self.world.notion().clear_faults();
            for (receipt, answer) in received.iter().zip(answers) {
                match answer {
                    None => {
                        self.tally.killed += 1;
                        self.quiesce().await;
                        // The function knows nothing but its connections. A new one is dear here.
                        if self.seed.below(4) == 0 {
                            self.function = Self::new_function(&self.world, &self.recipe);
                        }
                    }
                    Some(answer) if answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty) => {
                        self.world.stack.queues().service().delete(&receipt.handle);
                    }
                    Some(_) => {}
                }
            }
        }
        panic!("it never ends: {}", onboarding(&self.world, id).await);
    }
}

/// A person installs; for a recipe that builds on a template, with the template.
async fn install(world: &World, recipe: &Recipe, person: &str) {
    let browser = world.browser();
    let page = browser.install_as(|approval| {
        person.clone_into(&mut approval.person);
        if recipe.name == "template" {
            approval.duplicate_template = true;
            approval.pages.clear();
        }
    });
    assert!(page.await.is_connected());
}

impl Workshop {
    /// Prepares one person's workspace with a function that is killed once, after so many turns. Returns whether it was.
    async fn prepare_killed_at(&mut self, id: &str, turns: u64) -> bool {
        install(&self.world, &self.recipe, id).await;
        self.world.stack.publish_changes().await.unwrap();
        let received = self.world.stack.queues().service().receive_onboardings(1, HIDDEN_SECS);
        let answer = tokio::task::unconstrained(self.run(&received[0], turns)).await;
        if answer
            .as_ref()
            .is_some_and(|answer| answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty))
        {
            self.world.stack.queues().service().delete(&received[0].handle);
        }
        self.quiesce().await;
        settle(&self.world).await;
        answer.is_none()
    }

    /// Everybody is prepared as after one clean run.
    async fn check(&self, people: &[String], expected: &Made) {
        // The content of a row that was made from a template follows later.
        self.world.clock.advance_secs(1000);
        let mut made = made_by_each(&self.world);
        for id in people {
            let prepared = onboarding(&self.world, id).await;
            assert_eq!(prepared["status"], "completed", "{id}: {prepared}");
            assert!(states(&prepared).values().all(|state| state == "made"), "{id}: {prepared}");
            assert_eq!(made.remove(id).unwrap_or_default(), *expected, "{id}: {prepared}");
        }
    }
}

/// What one clean run makes.
async fn clean_run(recipe: &Recipe) -> Made {
    let world = world(recipe.clone(), |_| {}).await;
    install(&world, recipe, ADA).await;
    settle(&world).await;
    let prepared = onboarding(&world, ADA).await;
    assert_eq!(prepared["status"], "completed", "{prepared}");
    made_by_each(&world).remove(ADA).unwrap()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures of the run")]
async fn functions_that_are_killed_anywhere_make_everything_once() {
    let worlds =
        environment("ONBOARDING_CRASH_WORLDS").map_or(WORLDS_PER_RECIPE, |worlds| worlds.parse().unwrap());
    let mut all = Tally::default();
    for name in ["tracker", "template"] {
        let recipe = recipe(name);
        let expected = clean_run(&recipe).await;
        assert!(expected.len() >= recipe.steps.len() - 1, "{expected:?}");
        for number in 0..worlds {
            let people: Vec<String> =
                (0..PEOPLE).map(|person| format!("c0000000-0000-4000-{number:04}-{person:012}")).collect();
            let mut workshop = Workshop::open(recipe.clone(), &people, number).await;
            for id in &people {
                workshop.prepare(id).await;
            }
            workshop.check(&people, &expected).await;
            let tally = workshop.tally;
            all.people += people.len();
            all.runs += tally.runs;
            all.killed += tally.killed;
            all.faults += tally.faults;
            all.at_once += tally.at_once;
        }
    }
    eprintln!(
        "{} workspaces, {} runs, {} killed, {} beside another of the same person, {} faults",
        all.people, all.runs, all.killed, all.at_once, all.faults
    );
    let people = all.people;
    assert!(
        all.runs >= 4 * people
            && all.killed >= people / 2
            && all.at_once >= people / 8
            && all.faults >= people / 2
    );
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures of the run")]
async fn a_function_that_is_killed_at_any_of_its_await_points_makes_everything_once() {
    for name in ["tracker", "template"] {
        let recipe = recipe(name);
        let expected = clean_run(&recipe).await;
        let people: Vec<String> =
            (0..400).map(|person| format!("d0000000-0000-4000-8000-{person:012}")).collect();
        let mut workshop = Workshop::open(recipe, &people, 7).await;
        let mut points = 0;
        for (turns, id) in (1..).zip(&people) {
            points += 1;
            if !workshop.prepare_killed_at(id, turns).await {
                break;
            }
        }
        assert!((8..people.len()).contains(&points), "{points}");
        workshop.check(&people[..points], &expected).await;
        eprintln!("{name}: killed at each of {} await points", points - 1);
    }
}
