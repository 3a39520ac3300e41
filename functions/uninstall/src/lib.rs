//! Uninstalls: revokes a person's grant at Notion and deletes its tokens. Only our own backend may call it.
//!
//! The input:
//!
//! - `subject`: the app's own name for a user, who disconnects; with `workspace_id`, and if need be `user_id`, if the
//!   subject has several installations. The subject is unlinked. If it was the last one, the installation is removed
//! - or `workspace_id`, `user_id`: removes the installation of this person for all its subjects; `user_id` is null if the
//!   workspace owns it
//! - `generation`, optional: remove only this one, so that a late message never removes a later install
//! - `forget`, optional; true: if the installation is removed, nothing about the person is kept, not even the row's key
//! - `caller`, optional: the caller's name for itself, for the audit
//!
//! It is safe to repeat, even late: a repeated message about one `generation` neither removes a later install nor
//! counts as a removal at its own time.
//!
//! The answer has `removed` (false: the subject was unlinked, and others are still linked), `revoked` and `generation`. If
//! `revoked` is false, the tokens stay sealed in the
//! tombstone, nothing is vended, and the sweep keeps trying to revoke them. `generation` 0 means that there was no
//! installation. Otherwise `error` is `other_generation`, `not_installed` (only with a `generation` or a `subject`),
//! `ambiguous`, `try_later`, `malformed`, `misconfigured` or `internal`.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::random::Random;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::backoff::Backoff;
use vault::budget::Budget;
use vault::installation::InstallationId;
use vault::protocol::Removal;
use vault::store::{Health, Installation, StoreError, TombstoneOutcome};
use vault::subject::Subject;
use vault::whose::{Found, Whose, ambiguous};
use vault::{NoSecrets, SetUpError, Vault, report_store};

/// The function's state.
pub struct Uninstall {
    vault: Vault,
}

/// What the input asks for.
struct UninstallRequest {
    whose: Whose,
    generation: Option<u64>,
    forget: bool,
}

impl Uninstall {
    /// Reads the settings of the vault.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        Ok(Self { vault: Vault::read(lookup, clock, random)? })
    }
}

impl UninstallRequest {
    fn read(input: &Value) -> Result<Self, &'static str> {
        let generation = match input.get("generation") {
            None | Some(Value::Null) => None,
            Some(number) => Some(number.as_u64().ok_or("generation must be a number")?),
        };
        let whose = Whose::read(input)?;
        if generation.is_some() && matches!(whose, Whose::Subject { .. }) {
            return Err("generation needs workspace_id and user_id: it counts the installs of one person");
        }
        Ok(Self {
            whose,
            generation,
            forget: match input.get("forget") {
                None | Some(Value::Null) => false,
                Some(flag) => flag.as_bool().ok_or("forget must be true or false")?,
            },
        })
    }
}

/// How far the tables are.
enum Step {
    /// The installation is a tombstone.
    Removed(Box<Installation>),
    /// Others are linked to it.
    Unlinked(Box<Installation>),
}

impl Uninstall {
    /// Writes the tombstone, or unlinks a subject that is not the last one.
    async fn remove(&self, request: &UninstallRequest, budget: &Budget) -> Result<Step, Answer> {
        let store = &self.vault.store;
        let id = match store.find(&request.whose, budget.claim_by).await {
            Ok(Found::One(id)) => id,
            Ok(Found::Nothing) => return Err(not_installed()),
            Ok(Found::Several(rows)) => return Err(ambiguous(&rows)),
            Err(error) => return Err(store_failed(&error)),
        };
        if let Some(subject) = request.whose.subject() {
            return self.disconnect(&id, subject, request, budget).await;
        }
        self.entomb(&id, request.generation, request.forget, budget).await
    }

    async fn entomb(
        &self,
        id: &InstallationId,
        generation: Option<u64>,
        forget: bool,
        budget: &Budget,
    ) -> Result<Step, Answer> {
        let entombing = self.vault.store.tombstone(
            id,
            &self.vault.connection.client_id,
            generation,
            forget,
            self.vault.clock.now_millis(),
            budget.claim_by,
        );
        match entombing.await {
            Ok(TombstoneOutcome::Removed(tombstone)) => Ok(Step::Removed(tombstone)),
            Ok(TombstoneOutcome::OtherGeneration(standing)) => Err(other_generation(&standing)),
            Ok(TombstoneOutcome::NotInstalled) => Err(not_installed()),
            Err(error) => Err(store_failed(&error)),
        }
    }

    /// Unlinks a subject. The last one takes the installation with it.
    async fn disconnect(
        &self,
        id: &InstallationId,
        subject: &Subject,
        request: &UninstallRequest,
        budget: &Budget,
    ) -> Result<Step, Answer> {
        let (store, mut backoff) = (&self.vault.store, Backoff::start());
        loop {
            let read = store.read_installation(id, budget.claim_by).await;
            let row = read.map_err(|error| store_failed(&error))?.map(Box::new);
            let Some(row) = row.filter(|row| row.subjects.contains(subject)) else {
                return Err(not_installed());
            };
            if row.health == Health::Removed {
                // A removal that was cut off. That the person is to be forgotten may be new.
                return self.entomb(id, Some(row.generation), request.forget, budget).await;
            }
            if request.generation.is_some_and(|generation| generation != row.generation) {
                return Err(other_generation(&row));
            }
            let done = if row.subjects.len() > 1 {
                let unlinking = store.unlink(&row, subject, budget.claim_by).await;
                unlinking.map(|done| done.then_some(Step::Unlinked(row)))
            } else {
                let now = self.vault.clock.now_millis();
                let entombing = store.tombstone_as_read(&row, request.forget, now, budget.claim_by).await;
                entombing.map(|tombstone| tombstone.map(Step::Removed))
            };
            match done {
                Ok(Some(step)) => return Ok(step),
                // Written in between.
                Ok(None) => {}
                Err(error) => return Err(store_failed(&error)),
            }
            backoff.wait(&*self.vault.random).await;
            if Instant::now() >= budget.claim_by {
                return Err(Answer::try_later(Duration::from_secs(1), "busy"));
            }
        }
    }
}

impl AnswersInJson for Uninstall {
    fn function(&self) -> &'static str {
        "uninstall"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.vault.clock
    }

    async fn warm_up(&self) {
        self.vault.warm_up().await;
    }

    /// Writes the tombstone first. From then on nothing is vended, whatever happens next.
    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        let request = match UninstallRequest::read(&asked.input) {
            Ok(request) => request,
            Err(message) => {
                line.reject("malformed");
                return malformed(message);
            }
        };
        line.note("subject", request.whose.subject().map(Subject::as_str));
        line.note("forget", request.forget);
        let budget = self.vault.budget(asked.deadline_ms);
        // Concurrently: neither may use up the other's time.
        let removing = Box::pin(self.remove(&request, &budget));
        let (removing, in_hand) = tokio::join!(removing, self.vault.secrets_in_hand(&budget, line));
        let tombstone = match removing {
            Ok(Step::Removed(tombstone)) => tombstone,
            Ok(Step::Unlinked(row)) => {
                line.count(Metric::Unlinked);
                line.note("installation", row.id.as_str());
                return Answer::success(
                    json!({"removed": false, "revoked": false, "generation": row.generation}),
                );
            }
            Err(answer) => return answer,
        };
        line.note("installation", tombstone.id.as_str());
        line.note("generation", tombstone.generation);
        // From here on it counts as removed. The sweep can do the rest.
        let removal = match in_hand {
            Ok(in_hand) => match self.vault.finish_removal(&tombstone, &in_hand, &budget, line).await {
                Ok(removal) => removal,
                Err(error) => return store_failed(&error),
            },
            Err(NoSecrets::Misconfigured | NoSecrets::Unavailable) => Removal::ToBeRevoked(None),
        };
        Answer::success(json!({
            "removed": true,
            "revoked": matches!(removal, Removal::Complete),
            "generation": tombstone.generation,
        }))
    }
}

fn not_installed() -> Answer {
    let message = "there is no such installation";
    Answer::error(StatusCode::NOT_FOUND, "not_installed", message)
}

fn other_generation(standing: &Installation) -> Answer {
    let message = "the installation has another generation and was not removed";
    Answer::error(StatusCode::CONFLICT, "other_generation", message).with("generation", standing.generation)
}

fn store_failed(error: &StoreError) -> Answer {
    report_store(error);
    Answer::try_later(Duration::from_secs(5), "store")
}
