//! One run: from a message to the next thing that has to be waited for, or to the end.

use std::time::Duration;

use http::Method;
use notion_token_client::Token;
use recipe::Step;
use serde_json::Value;
use shared::clock::UnixMillis;
use shared::random;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::onboarding::{FailureReason, Ledger, OnboardingFailure, OnboardingStatus, StepState};
use vault::store::{Health, Installation};
use vault::work_queue::LONGEST_GAP;

use crate::content::Trouble;
use crate::gaps::{self, AHEAD, CALL, GIVE_UP_AFTER};
use crate::message::Asked;
use crate::stop::Stop;
use crate::{Onboard, ledger};

/// How long writing the ledger may take.
const SAVE: Duration = Duration::from_secs(6);
/// A step is begun only if there is this much time.
const STEP: Duration = Duration::from_secs(28);

/// A run.
pub(crate) struct Run<'a> {
    pub(crate) onboard: &'a Onboard,
    pub(crate) row: Installation,
    pub(crate) ledger: Ledger,
    token: Token,
    /// Whether Notion has refused a token in this run.
    was_refused: bool,
    /// Whether the ledger knows more than the table: what the last request made. It is written together with the next
    /// intent, or at the end of the run.
    pub(crate) is_unsaved: bool,
    deadline: Instant,
}

impl Onboard {
    /// Goes on with an installation's onboarding.
    pub(crate) async fn onboard(
        &self,
        asked: &Asked,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Result<(), Stop> {
        let (row, standing) = tokio::join!(
            self.store.read_installation(&asked.id, deadline),
            self.store.read_ledger(&asked.id, deadline)
        );
        let (row, standing) = (row?, standing?);
        if row.is_none() && standing.is_some() {
            // Forgotten while a run was about to write its ledger.
            self.store.delete_ledger(&asked.id, deadline).await?;
        }
        let row = row.filter(|row| self.is_ours(row)).ok_or(Stop::NotOurs)?;
        let now = self.clock.now_millis();
        let Some(mut ledger) = self.continued(&row, standing, asked.again, now) else { return Ok(()) };
        self.wait_for_turn(&mut ledger, now, deadline).await?;
        let token = match self.tokens.get(&row.id).await {
            Err(Stop::Failed(failure)) => {
                return Err(self.fail(&mut ledger, failure, deadline, line).await);
            }
            got => got?,
        };
        let mut run =
            Run { onboard: self, row, ledger, token, was_refused: false, is_unsaved: false, deadline };
        let ended = run.steps().await;
        line.note("onboarding", run.ledger.status.key());
        match ended {
            Ok(()) => {
                run.ledger.status = OnboardingStatus::Completed;
                run.save().await?;
                line.count(Metric::OnboardingCompleted);
                Ok(())
            }
            Err(Stop::Failed(failure)) => Err(self.fail(&mut run.ledger, failure, deadline, line).await),
            Err(Stop::NotOurs) => {
                // Removed, and perhaps forgotten, while this ran: a forgotten person has no ledger.
                if self.store.read_installation(&asked.id, deadline).await?.is_none() {
                    self.store.delete_ledger(&asked.id, deadline).await?;
                }
                Err(Stop::NotOurs)
            }
            Err(stop) => {
                if run.is_unsaved {
                    run.save().await?;
                }
                Err(stop)
            }
        }
    }

    /// Whether an installation is somebody's, active, and this connection's.
    pub(crate) fn is_ours(&self, row: &Installation) -> bool {
        matches!(row.health, Health::Active | Health::Unverified)
            && !row.is_unclaimed()
            && row.client_id == self.client_id
    }

    /// Nobody's onboarding takes the requests that people need: each waits for its turn, in the order in which they came.
    async fn wait_for_turn(
        &self,
        ledger: &mut Ledger,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<(), Stop> {
        if now.0 >= ledger.started_at_ms.saturating_add(as_ms(GIVE_UP_AFTER)) {
            // Whoever comes so late was not served for three days.
            ledger.turn_at_ms = Some(now.0);
        }
        let turn_at_ms = if let Some(turn_at_ms) = ledger.turn_at_ms {
            turn_at_ms
        } else {
            let settled = ledger.steps.iter().filter(|step| step.state.is_settled()).count();
            // One more, for what has to be looked up.
            let calls = self.recipe.steps.len().saturating_sub(settled) as u64 + 1;
            self.store.take_turn(calls * self.call_ms, now, deadline).await?.0
        };
        let wait_ms = turn_at_ms.saturating_sub(now.0);
        if wait_ms <= as_ms(AHEAD) {
            ledger.turn_at_ms = None;
            return Ok(());
        }
        if ledger.turn_at_ms != Some(turn_at_ms) {
            ledger.turn_at_ms = Some(turn_at_ms);
            self.save(ledger, deadline).await?;
        }
        // Rounded up: SQS counts seconds, and who comes too soon waits again.
        Err(Stop::Later(Duration::from_secs(wait_ms.div_ceil(1000)).min(LONGEST_GAP)))
    }

    async fn fail(
        &self,
        ledger: &mut Ledger,
        failure: OnboardingFailure,
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Stop {
        tracing::error!(
            alarm = "onboarding_failed",
            installation = ledger.id.as_str(),
            step = failure.step,
            reason = failure.reason.key(),
            capability = failure.capability,
            "a person's workspace is not prepared"
        );
        line.reject(failure.reason.key());
        ledger.status = OnboardingStatus::Failed;
        ledger.failure = Some(failure.clone());
        match self.save(ledger, deadline.max(Instant::now() + SAVE)).await {
            Ok(()) => {
                line.count(Metric::OnboardingFailed);
                Stop::Failed(failure)
            }
            Err(stop) => stop,
        }
    }

    /// Writes the ledger.
    pub(crate) async fn save(&self, ledger: &mut Ledger, deadline: Instant) -> Result<(), Stop> {
        let attempt = random::attempt(&*self.random);
        let by = deadline.min(Instant::now() + SAVE);
        if self.store.write_ledger(ledger, &attempt, by).await? { Ok(()) } else { Err(Stop::TakenOver) }
    }
}

pub(crate) fn as_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Run<'_> {
    pub(crate) fn now(&self) -> UnixMillis {
        self.onboard.clock.now_millis()
    }

    pub(crate) async fn save(&mut self) -> Result<(), Stop> {
        self.onboard.save(&mut self.ledger, self.deadline + SAVE).await?;
        self.is_unsaved = false;
        Ok(())
    }

    /// Every step, in order.
    async fn steps(&mut self) -> Result<(), Stop> {
        self.ledger.status = OnboardingStatus::Running;
        let recipe = &self.onboard.recipe;
        for step in &recipe.steps {
            loop {
                let state = self.ledger.step(&step.resource_id).map(|known| known.state);
                if state.is_some_and(StepState::is_settled) {
                    break;
                }
                self.must_have_time()?;
                match state {
                    Some(StepState::Intended) => self.settle(step).await?,
                    _ => self.make(step).await?,
                }
            }
        }
        Ok(())
    }

    /// Ends the run in time, and the onboarding after three days.
    fn must_have_time(&self) -> Result<(), Stop> {
        if self.now().0 >= self.ledger.started_at_ms.saturating_add(as_ms(GIVE_UP_AFTER)) {
            let unsettled = self.ledger.steps.iter().find(|step| !step.state.is_settled());
            return Err(Stop::failed(unsettled.map(|step| step.resource_id.as_str()), FailureReason::GaveUp));
        }
        if Instant::now() + STEP > self.deadline {
            return Err(Stop::Later(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// Sends a request, and once more with another token if the first is refused with 401: that was not processed.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, Trouble>, Stop> {
        loop {
            let by = Instant::now() + CALL;
            let content = &self.onboard.content;
            match content.call(&self.token, method.clone(), path, body, self.now().seconds(), by).await {
                Err(Trouble::Unauthorized) if !self.was_refused => {
                    self.was_refused = true;
                    self.token = self.onboard.tokens.other_than(&self.row.id, &self.token).await?;
                }
                Err(Trouble::Unauthorized) => return Err(Stop::failed(None, FailureReason::NeedsReinstall)),
                Err(Trouble::Later { wait, for_all: true }) => {
                    let until = self.now().plus(wait);
                    self.onboard.store.hold_turns(until, self.deadline + SAVE).await?;
                    return Ok(Err(Trouble::Later { wait, for_all: true }));
                }
                answered => return Ok(answered),
            }
        }
    }

    /// A request that only reads. `None`: there is no such thing, or it is not shared.
    pub(crate) async fn read(
        &mut self,
        step: &Step,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, Stop> {
        match self.call(method, path, body).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(Trouble::NotFound) => Ok(None),
            Err(Trouble::Later { wait, .. }) => Err(self.later(wait)),
            Err(Trouble::Forbidden) => Err(Stop::lacks(Some(&step.resource_id), "read content")),
            Err(Trouble::Invalid) => Err(Stop::failed(Some(&step.resource_id), FailureReason::InvalidRecipe)),
            Err(Trouble::NotProcessed | Trouble::Unknown { .. } | Trouble::Unauthorized) => {
                // What is intended stays intended.
                let state =
                    self.ledger.step(&step.resource_id).map_or(StepState::Waiting, |known| known.state);
                Err(self.tried(step, state).await?)
            }
        }
    }

    /// Notion wants fewer requests. If that goes on for long, it is asked less often than it would allow.
    pub(crate) fn later(&self, wait: Duration) -> Stop {
        let age_ms = self.now().0.saturating_sub(self.ledger.started_at_ms);
        let age = Duration::from_millis(age_ms);
        Stop::Later(gaps::spread(wait.max(gaps::limited(age)), &*self.onboard.random))
    }

    /// A try was in vain. Counts it, and says when to go on.
    pub(crate) async fn tried(&mut self, step: &Step, state: StepState) -> Result<Stop, Stop> {
        let now = self.now();
        let before = self.ledger.step(&step.resource_id).map(|known| (known.state, known.at_ms));
        let known = ledger::set(&mut self.ledger, step, state, now);
        if let Some((_, at_ms)) = before.filter(|(before, _)| *before == state) {
            // It counts from when it began: an intent is over at some time, and a template is readable.
            known.at_ms = at_ms;
        }
        known.tries += 1;
        let tries = known.tries;
        if tries >= gaps::MAX_TRIES {
            return Ok(Stop::failed(Some(&step.resource_id), FailureReason::NotionFailed));
        }
        self.save().await?;
        Ok(Stop::Later(gaps::after(tries, &*self.onboard.random)))
    }

    /// A step is not made: something is not there.
    pub(crate) async fn leave_out(&mut self, step: &Step, why: String) -> Result<(), Stop> {
        let now = self.now();
        ledger::set(&mut self.ledger, step, StepState::LeftOut, now).why = Some(why);
        self.save().await
    }
}
