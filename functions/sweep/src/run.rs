//! One run: how much time it has, what Notion has answered in it, what is waiting in the rescue queue.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use shared::clock::UnixMillis;
use shared::flow::ClaimKey;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::budget::{Budget, Limits};
use vault::installation::InstallationId;
use vault::notion::TokenError;
use vault::protocol::lapsed_before;
use vault::store::{StoreError, Whose};
use vault::{InHand, report_store};

/// After how many inconclusive answers in a row Notion counts as down.
const NOTION_IS_DOWN_AFTER: u32 = 5;

/// One run.
pub(crate) struct Run<'a> {
    pub(crate) in_hand: InHand,
    /// Until when anything new may be started.
    pub(crate) begins_until: Instant,
    /// When everything must be done.
    pub(crate) ends_at: Instant,
    /// How many more questions Notion may be asked.
    pub(crate) looks_left: u32,
    /// How many questions in a row Notion has not answered.
    pub(crate) unanswered: u32,
    /// Whether Notion has given any conclusive answer.
    pub(crate) has_answered: bool,
    /// What was waiting in the rescue queue at the last look; `None` if that is not known.
    pub(crate) waiting: Option<Waiting>,
    pub(crate) line: &'a mut RequestLine,
}

impl Run<'_> {
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.begins_until
    }

    /// The time for one row or one record: that of a function, if the run has that much left.
    pub(crate) fn budget(&self) -> Budget {
        Budget::begin(Limits::default(), Some(self.ends_at.saturating_duration_since(Instant::now())))
    }

    pub(crate) fn may_ask(&self) -> bool {
        self.looks_left > 0 && !self.is_over()
    }

    /// Notion's answer was inconclusive. Silence concerns all rows, a refusal may concern only this one.
    pub(crate) fn undecided(&mut self, error: &TokenError) {
        match error {
            // Notion would answer the same for the next row.
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

    pub(crate) fn unanswered(&mut self, reason: &'static str) {
        self.unanswered += 1;
        if self.unanswered >= NOTION_IS_DOWN_AFTER {
            self.stop_asking(reason);
        }
    }

    pub(crate) fn answered(&mut self) {
        (self.unanswered, self.has_answered) = (0, true);
    }

    /// Leases of this installation that ended before this moment were never released and may be taken over: their
    /// holder's new pair was not in the rescue queue at the look, and cannot have been added since. `None`: no lease
    /// may be taken over.
    pub(crate) fn takeover(&self, id: &InstallationId) -> Option<UnixMillis> {
        let waiting = self.waiting.as_ref().filter(|waiting| !waiting.has_installation(id))?;
        Some(lapsed_before(waiting.looked_at))
    }

    /// Stops asking if Notion answered none of the questions: a run with few rows may have too few to reach the
    /// limit.
    pub(crate) fn stop_if_unanswered(&mut self) {
        if self.unanswered > 0 && !self.has_answered {
            self.stop_asking("no_answer");
        }
    }

    /// The result of one row. After an error or a panic, it is left for the next run.
    pub(crate) fn record_result(&mut self, outcome: Option<Result<(), StoreError>>) {
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) => self.failed(&error),
            None => self.panicked(),
        }
    }

    /// A panic occurred for one row or record, which is skipped.
    pub(crate) fn panicked(&mut self) {
        self.line.count(Metric::Panicked);
        self.line.count(Metric::SweepFailed);
    }

    pub(crate) fn stop_asking(&mut self, reason: &'static str) {
        if self.looks_left > 0 {
            self.line.count(Metric::NotionDown);
            self.line.note("stopped_asking", reason);
            tracing::error!(alarm = "notion_down", reason, "Notion is not asked again in this run");
        }
        self.looks_left = 0;
    }

    /// Counts something that is left for the next run.
    pub(crate) fn failed(&mut self, error: &StoreError) {
        self.line.count(Metric::SweepFailed);
        report_store(error);
    }
}

/// What was waiting in the rescue queue and among its dead letters, at the moment of the look.
pub(crate) struct Waiting {
    /// The moment. Everything that was put into the queue before it is known.
    pub(crate) looked_at: UnixMillis,
    pub(crate) whose: Vec<Whose>,
}

impl Waiting {
    pub(crate) fn has_installation(&self, id: &InstallationId) -> bool {
        self.whose.iter().any(|whose| whose.id == *id)
    }

    pub(crate) fn has_claim(&self, key: &ClaimKey) -> bool {
        self.whose.iter().any(|whose| whose.claim.as_ref() == Some(key))
    }
}

/// Processes one row or record. `None` if that panics: the others are processed all the same.
pub(crate) async fn guarded<T>(dealing: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(dealing)
        .catch_unwind()
        .await
        .inspect_err(|_panic| {
            tracing::error!(alarm = "panic", "the sweep panicked while processing one row, and skips it");
        })
        .ok()
}
