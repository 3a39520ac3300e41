//! Scheduled: finishes what was cut off, and looks after idle installations.
//!
//! In this order, each part by an index, bounded, and none in the way of the next: the rescue queue, claims that were cut
//! off, installations that are due, seals of older keys. What is done leaves its index, so the next run goes on where this
//! one stopped. Nothing is marked dead but by a refresh that Notion refused with `invalid_grant`, or, where there is no
//! refresh token, by an introspection that says so. Notion's limits belong to people: one question at a time, slowly, and
//! none once it asks to come back later or does not answer.

mod claims;
mod installations;
mod rescue;
mod rewrap;
mod superseded;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use rescue::Waiting;
use serde_json::Value;
use shared::clock::{Clock, UnixMillis};
use shared::config::{ConfigError, Lookup, required};
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::random::Random;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::budget::{Budget, Limits};
use vault::installation::InstallationId;
use vault::notion::TokenError;
use vault::protocol::lapsed_before;
use vault::store::{RescueQueue, SHARDS, StoreError};
use vault::{InHand, NoSecrets, SetUpError, Vault, report_store};

/// How long a run takes where Lambda does not say, in seconds.
const RUN_SECS: u64 = 200;
/// What is left of the time when nothing new is begun, in seconds: one row may take a function's whole budget.
const LAST_ROW_SECS: u64 = 26;
/// After how many answers that decided nothing Notion counts as down.
const NOTION_IS_DOWN_AFTER: u32 = 5;

/// What the function holds.
pub struct Sweep {
    vault: Vault,
    pace: Duration,
    max_looks: u32,
    revoke_superseded: bool,
    /// What SQS has put aside of the rescue queue: looked at, never taken.
    dead_letters: RescueQueue,
}

/// One run.
struct Run<'a> {
    in_hand: InHand,
    /// When nothing new is begun.
    begins_until: Instant,
    /// When everything has to be over.
    ends_at: Instant,
    /// How many more questions Notion may be asked.
    looks_left: u32,
    /// How many in a row it did not answer.
    unanswered: u32,
    /// Whether it has said anything at all that decides.
    has_answered: bool,
    /// What waited in the rescue queue at the last look; `None` if that is not known.
    waiting: Option<Waiting>,
    line: &'a mut RequestLine,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.begins_until
    }

    /// One row's time, or one record's: that of a function, as long as the run has it.
    fn budget(&self) -> Budget {
        Budget::begin(Limits::default(), Some(self.ends_at.saturating_duration_since(Instant::now())))
    }

    fn may_ask(&self) -> bool {
        self.looks_left > 0 && !self.is_over()
    }

    /// Notion did not say anything that decides. Silence is about all rows; a refusal may be about this one.
    fn undecided(&mut self, error: &TokenError) {
        match error {
            // Nor will the next row be told anything else.
            TokenError::ComeBackLater(_) | TokenError::Blocked(_) | TokenError::InvalidClient(_) => {
                self.stop_asking(error.key());
            }
            TokenError::NotSent | TokenError::OutcomeUnknown(_) => self.unanswered(error.key()),
            _ => {
                self.line.count(Metric::SweepFailed);
                self.unanswered(error.key());
            }
        }
    }

    fn unanswered(&mut self, reason: &'static str) {
        self.unanswered += 1;
        if self.unanswered >= NOTION_IS_DOWN_AFTER {
            self.stop_asking(reason);
        }
    }

    fn answered(&mut self) {
        (self.unanswered, self.has_answered) = (0, true);
    }

    /// Leases of this installation that ended before this moment were never given back and may be taken over: the new pair
    /// of their holder did not wait in the rescue queue at the look into it, and came no later. `None`: none may.
    fn takeover(&self, id: &InstallationId) -> Option<UnixMillis> {
        let waiting = self.waiting.as_ref().filter(|waiting| !waiting.has_installation(id))?;
        Some(lapsed_before(waiting.looked_at))
    }

    /// Where few are asked about, a few that are not answered are all of them.
    fn tell_of_silence(&mut self) {
        if self.unanswered > 0 && !self.has_answered {
            self.stop_asking("no_answer");
        }
    }

    /// What came of one row: an error, or a panic, leaves it for the next run.
    fn dealt_with(&mut self, outcome: Option<Result<(), StoreError>>) {
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) => self.failed(&error),
            None => self.panicked(),
        }
    }

    /// Something panicked over one row or record, which is left.
    fn panicked(&mut self) {
        self.line.count(Metric::Panicked);
        self.line.count(Metric::SweepFailed);
    }

    fn stop_asking(&mut self, reason: &'static str) {
        if self.looks_left > 0 {
            self.line.count(Metric::NotionDown);
            self.line.note("stopped_asking", reason);
            tracing::error!(alarm = "notion_down", reason, "Notion is asked no more in this run");
        }
        self.looks_left = 0;
    }

    /// Something that is left for the next run.
    fn failed(&mut self, error: &StoreError) {
        self.line.count(Metric::SweepFailed);
        report_store(error);
    }
}

impl Sweep {
    /// Reads the settings of the vault, `RESCUE_DEAD_LETTERS_URL`, `IDLE_CHECK_DAYS`, `SWEEP_PACE_MS` (default 1000: the time between two questions
    /// to Notion), `SWEEP_MAX_LOOKS` (default 150: the questions of one run), and `REVOKE_SUPERSEDED` (default false:
    /// whether a pair that a later install replaced is revoked; whether that spares the later one is not known of Notion).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] naming the variable that is missing or wrong.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let vault = Vault::read(lookup, clock, random)?.with_idle_check(lookup)?;
        Ok(Self {
            dead_letters: vault.rescue.at(required(lookup, "RESCUE_DEAD_LETTERS_URL")?),
            vault,
            pace: Duration::from_millis(number(lookup, "SWEEP_PACE_MS", 1000)?.into()),
            max_looks: number(lookup, "SWEEP_MAX_LOOKS", 150)?,
            revoke_superseded: match lookup("REVOKE_SUPERSEDED").as_deref() {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => {
                    let expected = "true or false";
                    return Err(ConfigError::Invalid { variable: "REVOKE_SUPERSEDED", expected }.into());
                }
            },
        })
    }

    /// Every partition once; another one first each minute, so that none always comes last.
    fn shards(&self) -> impl Iterator<Item = u8> {
        let first = u8::try_from(self.vault.clock.now().0 / 60 % u64::from(SHARDS)).unwrap_or(0);
        (0..SHARDS).map(move |shard| (first + shard) % SHARDS)
    }

    /// Before each question to Notion.
    async fn keep_pace(&self, run: &mut Run<'_>) {
        run.looks_left = run.looks_left.saturating_sub(1);
        tokio::time::sleep(self.pace).await;
    }
}

/// Whether a sweep is what was meant: `{}`, or with who says so. A foreign event is not.
fn is_ours(input: &Value) -> bool {
    input.as_object().is_some_and(|input| {
        input.iter().all(|(name, value)| name == "caller" && (value.is_string() || value.is_null()))
    })
}

/// Deals with one row or record; nothing, if something panics over it: the others have their turn all the same.
async fn guarded<T>(dealing: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(dealing)
        .catch_unwind()
        .await
        .inspect_err(|_panic| {
            tracing::error!(alarm = "panic", "the sweep panicked over one row, and leaves it");
        })
        .ok()
}

fn number(lookup: &impl Lookup, variable: &'static str, default: u32) -> Result<u32, ConfigError> {
    let Some(text) = lookup(variable) else { return Ok(default) };
    text.parse().map_err(|_| ConfigError::Invalid { variable, expected: "a number" })
}

impl AnswersInJson for Sweep {
    fn function(&self) -> &'static str {
        "sweep"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.vault.clock
    }

    /// The answer is the run's summary: how often each metric was counted.
    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        if !is_ours(&asked.input) {
            line.reject("malformed");
            return malformed(
                "a sweep takes no input but `caller`, a text: whatever this is, it was sent by mistake",
            );
        }
        let began = Instant::now();
        let time_left = self.vault.time_left(asked.deadline_ms).unwrap_or(Duration::from_secs(RUN_SECS));
        let budget = self.vault.budget(asked.deadline_ms);
        let in_hand = match self.vault.secrets_in_hand(&budget, line).await {
            Ok(in_hand) => in_hand,
            Err(no_secrets) => {
                line.count(Metric::SweepFailed);
                return match no_secrets {
                    NoSecrets::Misconfigured => Answer::misconfigured(),
                    NoSecrets::Unavailable => Answer::try_later(Duration::from_mins(1), "secrets"),
                };
            }
        };
        // At least half of the time for a run that has little.
        let last_row = Duration::from_secs(LAST_ROW_SECS).min(time_left / 2);
        let ends_at = began + time_left.saturating_sub(Duration::from_secs(1));
        let mut run = Run {
            in_hand,
            begins_until: began + time_left.saturating_sub(last_row),
            ends_at,
            looks_left: self.max_looks,
            unanswered: 0,
            has_answered: false,
            waiting: None,
            line,
        };
        Box::pin(self.empty_rescue_queue(&mut run)).await;
        Box::pin(self.settle_claims(&mut run)).await;
        Box::pin(self.look_after_installations(&mut run)).await;
        run.tell_of_silence();
        Box::pin(self.rewrap_seals(&mut run)).await;
        let mut summary = run.line.counted();
        summary.insert("complete".to_owned(), (run.looks_left > 0 && !run.is_over()).into());
        run.line.note("complete", summary["complete"].clone());
        Answer::success(Value::Object(summary))
    }
}
