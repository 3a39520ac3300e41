//! Runs on a schedule: finishes what was cut off, and checks idle installations.
//!
//! In this order, each part found by an index and limited, so that none holds up the next: the rescue queue, claims
//! that were cut off, installations that are due, tokens sealed with older keys. Whatever is done leaves its index,
//! so the next run continues where this one stopped. A grant is marked dead only by a refresh that Notion answers
//! with `invalid_grant` or, without a refresh token, by an introspection that says so. Notion's rate limit is needed
//! for people, so the sweep asks one question at a time, slowly, and stops once Notion asks it to come back later or
//! does not answer.

mod claims;
mod installations;
mod rescue;
mod rewrap;
mod run;
mod superseded;

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{ConfigError, Lookup, required};
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::random::Random;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::store::{RescueQueue, SHARDS};
use vault::{NoSecrets, SetUpError, Vault};

use crate::run::Run;

/// How long a run takes if Lambda does not say, in seconds.
const RUN_SECS: u64 = 200;
/// Nothing new is started in the last seconds of a run: one row may take as long as a whole function.
const LAST_ROW_SECS: u64 = 26;
/// The function's state.
pub struct Sweep {
    vault: Vault,
    pace: Duration,
    max_looks: u32,
    revoke_superseded: bool,
    /// The dead letters of the rescue queue. They are read, but never deleted.
    dead_letters: RescueQueue,
}

impl Sweep {
    /// Reads the settings of the vault, `RESCUE_DEAD_LETTERS_URL`, `IDLE_CHECK_DAYS`, `CLAIM_WINDOW_MINUTES`, `SWEEP_PACE_MS` (default 1000:
    /// the time between two questions to Notion), `SWEEP_MAX_LOOKS` (default 150: the questions of one run), and
    /// `REVOKE_SUPERSEDED` (default false: whether a pair that a later install replaced is revoked. Notion does not
    /// document whether that spares the later one).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let vault = Vault::read(lookup, clock, random)?.with_idle_check(lookup)?.with_claim_window(lookup)?;
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

    /// Every partition once. Each minute starts with another one, so that none is always last.
    fn shards(&self) -> impl Iterator<Item = u8> {
        let first = u8::try_from(self.vault.clock.now().0 / 60 % u64::from(SHARDS)).unwrap_or(0);
        (0..SHARDS).map(move |shard| (first + shard) % SHARDS)
    }

    /// Waits before each question to Notion.
    async fn keep_pace(&self, run: &mut Run<'_>) {
        run.looks_left = run.looks_left.saturating_sub(1);
        tokio::time::sleep(self.pace).await;
    }
}

/// Whether the input is meant for the sweep: `{}`, or only a `caller`. Any other event is not.
fn is_ours(input: &Value) -> bool {
    input.as_object().is_some_and(|input| {
        input.iter().all(|(name, value)| name == "caller" && (value.is_string() || value.is_null()))
    })
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
                "a sweep takes no input except `caller`, a string: this event was sent by mistake",
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
        // If the run has little time, at least half of it is used.
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
        Box::pin(self.process_due_installations(&mut run)).await;
        run.stop_if_unanswered();
        Box::pin(self.rewrap_seals(&mut run)).await;
        let complete = run.looks_left > 0 && !run.is_over();
        run.line.note("complete", complete);
        Answer::success(json!(run.line.counted())).with("complete", complete)
    }
}
