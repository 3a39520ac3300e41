//! Prepares a person's workspace after they installed, from a recipe. Invoked by the queue of onboardings, which the bus
//! fills.
//!
//! A message names an installation. The function goes on where its ledger stands: it writes what it is about to make, makes
//! it, and writes what came of it. So whatever cuts it off, the next delivery of the message knows what may be under way, and
//! looks for it before it makes it again. What cannot be done now comes back later: nothing waits in here.
//!
//! It asks for tokens as any backend would, from the function `token`. It can open no token, and has no client secret.

mod content;
mod gaps;
mod ledger;
mod look;
mod make;
mod message;
mod run;
mod settle;
mod stop;
mod template;
mod tokens;

use std::time::Duration;

use recipe::Recipe;
use shared::clock::Clock;
use shared::config::{ConfigError, Lookup, PublicConnection, app_name, number, required};
use shared::entry::batch::{Batch, TakesBatches, item_id};
use shared::random::Random;
use shared::telemetry::{Measure, Metric, RequestLine};
use tokio::time::Instant;
use vault::store::Store;
use vault::work_queue::{Message, WorkQueue};
use vault::{SetUpError, aws, budget, http_client, report_store};

use crate::content::Content;
use crate::message::Asked;
use crate::stop::Stop;
use crate::tokens::Tokens;

/// How long a message may take if Lambda does not say, in seconds.
const MESSAGE_SECS: u64 = 55;
/// How long telling the queue may take, in seconds.
const SETTLE_SECS: u64 = 4;
/// How many requests a minute all onboardings may make together, unless `ONBOARDING_CALLS_PER_MINUTE` says otherwise: a third
/// of what Notion allows a connection in a workspace that is not on a Business plan.
const CALLS_PER_MINUTE: u64 = 60;
const MINUTE_MS: u64 = 60_000;

/// The function's state.
pub struct Onboard {
    store: Store,
    queue: WorkQueue,
    content: Content,
    tokens: Tokens,
    recipe: Recipe,
    client_id: String,
    app_name: String,
    call_ms: u64,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
}

/// The recipe that `RECIPE` names, of those that were in the folder `recipes` when this was built.
///
/// # Errors
///
/// [`ConfigError`]: it is not set, or there is none of this name.
pub fn compiled(lookup: &impl Lookup) -> Result<Recipe, SetUpError> {
    let name = required(lookup, "RECIPE")?;
    let recipes: Vec<Recipe> =
        serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/recipes.json"))).unwrap_or_default();
    let expected = "the name of a folder in `recipes` that was there when this was built";
    let found = recipes.into_iter().find(|recipe| recipe.name == name);
    Ok(found.ok_or(ConfigError::Invalid { variable: "RECIPE", expected })?)
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// There is nothing left to do.
    Done,
    /// It comes back after this time.
    Later(Duration),
    /// To the dead letters, for this reason.
    PutAside(&'static str),
}

impl Onboard {
    /// Reads the settings of the public connection, `APP_NAME`, the tables with `ONBOARDING_TABLE`, `ONBOARDING_QUEUE_URL`,
    /// `ONBOARDING_DEAD_LETTERS_URL`, `TOKEN_FUNCTION_NAME` and `ONBOARDING_CALLS_PER_MINUTE` (default 60, 6 to 600).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        recipe: Recipe,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let http = http_client::build()?;
        let connection = PublicConnection::read(lookup)?;
        let sdk = aws::config(lookup, http.clone())?;
        required(lookup, "ONBOARDING_TABLE")?;
        let expected = "a number of requests from 6 to 600";
        let calls = number(lookup, "ONBOARDING_CALLS_PER_MINUTE", 6..=600, expected)?;
        Ok(Self {
            store: Store::read(lookup, aws::dynamodb(lookup, &sdk))?,
            queue: WorkQueue::read(
                lookup,
                aws::sqs(lookup, &sdk),
                "ONBOARDING_QUEUE_URL",
                "ONBOARDING_DEAD_LETTERS_URL",
            )?,
            content: Content::new(http, connection.base_url.clone()),
            tokens: Tokens::read(lookup, &sdk)?,
            recipe,
            client_id: connection.client_id,
            app_name: app_name(lookup)?,
            call_ms: MINUTE_MS / calls.unwrap_or(CALLS_PER_MINUTE),
            clock: Box::new(clock),
            random: Box::new(random),
        })
    }

    /// What becomes of a message.
    async fn process(&self, message: &Message<'_>, deadline: Instant, line: &mut RequestLine) -> Fate {
        let Some(asked) = Asked::read(message.body) else {
            tracing::error!(
                alarm = "onboarding_unreadable",
                message_id = message.id,
                "a message names no installation"
            );
            return Fate::PutAside("it names no installation");
        };
        line.note("installation", asked.id.as_str());
        let age = message.age(self.clock.now_millis());
        let unreached = || Fate::Later(gaps::unreached(age, &*self.random));
        match Box::pin(self.onboard(&asked, deadline, line)).await {
            // A failure is in the ledger, and the event comes from there.
            Ok(()) | Err(Stop::NotOurs | Stop::Failed(_)) => Fate::Done,
            Err(Stop::Later(gap)) => {
                line.measure(Measure::OnboardingWaitSecs, age.as_secs());
                Fate::Later(gap)
            }
            Err(Stop::TakenOver) => Fate::Later(gaps::TAKEN_OVER),
            Err(Stop::Store(error)) => {
                report_store(&error);
                line.count(Metric::Unavailable);
                unreached()
            }
            Err(Stop::NoTokens(why)) => {
                tracing::warn!(why, "the token function gives no token: the onboarding waits");
                line.count(Metric::Unavailable);
                unreached()
            }
        }
    }

    /// Does to the queue what a message's fate demands. Returns whether it has to stay in the queue.
    async fn tell_queue(&self, message: &Message<'_>, fate: &Fate, deadline: Instant) -> bool {
        match fate {
            Fate::Done => false,
            Fate::PutAside(why) => !self.queue.put_aside(message, why, deadline).await,
            Fate::Later(gap) => {
                self.queue.hide(message, *gap, deadline).await;
                true
            }
        }
    }
}

impl TakesBatches for Onboard {
    fn function(&self) -> &'static str {
        "onboard"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    async fn handle(&self, batch: Batch, line: &mut RequestLine) -> Vec<String> {
        let Some(messages) = batch.records.iter().map(Message::read).collect::<Option<Vec<_>>>() else {
            line.reject("malformed");
            return batch.records.iter().map(item_id).collect();
        };
        let time_left = budget::time_left(batch.deadline_ms, &*self.clock);
        let time_left = time_left.unwrap_or(Duration::from_secs(MESSAGE_SECS));
        let deadline = Instant::now() + time_left.saturating_sub(Duration::from_secs(SETTLE_SECS));
        let mut again = Vec::new();
        for message in &messages {
            let fate = self.process(message, deadline, line).await;
            let settled_by = deadline.max(Instant::now()) + Duration::from_secs(SETTLE_SECS - 1);
            if self.tell_queue(message, &fate, settled_by).await {
                again.push(message.id.to_owned());
            }
        }
        again
    }
}
