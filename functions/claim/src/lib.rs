//! Links a finished install to one of the app's users: `POST /claim` (IAM-authorised) and direct invocations.
//!
//! Does what a token endpoint does for the flow that an app began at `/install` (RFC 6749 §4.1.3 with PKCE, RFC 7636
//! §4.5), but answers with the facts of an installation instead of a token. The input:
//!
//! - `code`: what the browser brought to the return destination
//! - `code_verifier`: from the session of the user who is logged in, which is what makes a forwarded link harmless
//! - `subject`: the app's own name for that user
//! - `accept_different_account`, optional; true: also if another person or workspace came back than `expect` named
//! - `caller`, optional: the caller's name for itself, for the audit
//!
//! The answer has the [`facts`] of the installation, with `onboarding` if a recipe is in use. It is safe to repeat: the same
//! claim again gets the same answer, but for how far the onboarding is.
//! Otherwise it has `error` and `message`: `invalid_grant` (unknown, expired, another verifier's, or claimed by another
//! subject: the log says which), `invalid_request`, `different_account`, `too_many_subjects`, `needs_reinstall`,
//! `removed`, `try_later`, `misconfigured`, `internal`.

mod decision;
mod request;

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use shared::clock::Clock;
use shared::config::{Lookup, PublicConnection};
use shared::entry::backend::{Answer, AnswersInJson, Invocation};
use shared::random::Random;
use shared::secret::InstallationCode;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::aws::Clients;
use vault::backoff::Backoff;
use vault::budget::{Budget, until};
use vault::installation::InstallationId;
use vault::onboarding::{Ledger, onboarding_facts};
use vault::seal::OpenError;
use vault::secrets::{Freshness, KeyRings, SecretError};
use vault::store::{Health, Installation, Store, StoreError};
use vault::subject::Subject;
use vault::{NoSecrets, SetUpError, code, facts, http_client, report_secret, report_store};

use crate::decision::{Decision, Refusal, decide};
use crate::request::ClaimRequest;

/// The function's state.
pub struct ClaimInstallation {
    connection: PublicConnection,
    key_rings: KeyRings,
    store: Store,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
}

impl ClaimInstallation {
    /// Reads the settings of the public connection, `TOKEN_KEY_RING_ARN` and the tables.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let connection = PublicConnection::read(lookup)?;
        let clients = Clients::read(lookup, http_client::build()?)?;
        Ok(Self {
            connection,
            key_rings: KeyRings::read(lookup, clients.secrets_manager)?,
            store: Store::read(lookup, clients.dynamodb)?,
            clock: Box::new(clock),
            random: Box::new(random),
        })
    }

    async fn claim(&self, request: &ClaimRequest, budget: &Budget, line: &mut RequestLine) -> Answer {
        let id = match until(budget.secrets_by, Box::pin(self.installation_of(&request.code, line))).await {
            Ok(Ok(Some(id))) => id,
            Ok(Ok(None)) => return refuse(Refusal::UnknownCode, line),
            Ok(Err(error)) => match report_secret(&error) {
                NoSecrets::Misconfigured => return Answer::misconfigured(),
                NoSecrets::Unavailable => return Answer::try_later(Duration::from_secs(5), "secrets"),
            },
            Err(_out_of_time) => return Answer::try_later(Duration::from_secs(5), "secrets"),
        };
        line.note("installation", id.as_str());
        let mut backoff = Backoff::start();
        loop {
            let (row, ledger) = tokio::join!(
                self.store.read_installation(&id, budget.save_by),
                self.store.read_ledger(&id, budget.save_by)
            );
            let (row, ledger) = match (row, ledger) {
                (Ok(Some(row)), Ok(ledger)) => (row, ledger),
                (Ok(None), _) => return refuse(Refusal::UnknownCode, line),
                (Err(error), _) | (_, Err(error)) => return store_failed(&error),
            };
            let now = self.clock.now_millis();
            let pending = match decide(&row, request, &self.connection.client_id, now) {
                Decision::Link(pending) => pending,
                Decision::Linked => return self.claimed(&row, ledger.as_ref(), line),
                Decision::Refuse(refusal) => return refuse(refusal, line),
                Decision::DifferentAccount { expected } => {
                    return self.different_account(&row, &expected, &request.subject, budget).await;
                }
                Decision::NeedsReinstall => return self.reinstall(Health::NeedsReinstall),
                Decision::Removed => return self.reinstall(Health::Removed),
                Decision::TooManySubjects => {
                    let message =
                        "the installation is linked to as many subjects as it can have: unlink one first";
                    return Answer::error(StatusCode::CONFLICT, "too_many_subjects", message);
                }
            };
            let linked = row.linked(&request.subject, pending, now);
            match self.store.link(&row, &request.subject, &linked, now, budget.save_by).await {
                Ok(true) => {
                    line.count(Metric::Claimed);
                    return self.claimed(&linked, ledger.as_ref(), line);
                }
                // Written in between, perhaps by a repeat of this very claim.
                Ok(false) => {}
                Err(error) => return store_failed(&error),
            }
            if Instant::now() >= budget.claim_by {
                return Answer::try_later(Duration::from_secs(1), "busy");
            }
            backoff.wait(&*self.random).await;
        }
    }

    fn claimed(&self, row: &Installation, ledger: Option<&Ledger>, line: &mut RequestLine) -> Answer {
        line.note("generation", row.generation);
        let mut facts = facts(row);
        if self.store.has_ledgers() {
            facts["onboarding"] = onboarding_facts(ledger);
        }
        Answer::success(facts)
    }

    /// The installation that a code is for; `None` if the code is not one of ours.
    async fn installation_of(
        &self,
        installation_code: &InstallationCode,
        line: &mut RequestLine,
    ) -> Result<Option<InstallationId>, SecretError> {
        let Some((claim_key, sealed)) = code::read(installation_code) else { return Ok(None) };
        let ring = self.key_rings.get(Freshness::Cached, &*self.clock).await?;
        let opened = match ring.value.open_row_key(claim_key.as_str(), &sealed) {
            Err(OpenError::UnknownVersion(_)) => {
                let ring = self.key_rings.get(Freshness::Now, &*self.clock).await?;
                ring.value.open_row_key(claim_key.as_str(), &sealed)
            }
            opened => opened,
        };
        let Ok(row_key) = opened else { return Ok(None) };
        line.note("flow", claim_key.flow_id().as_str());
        Ok(Some(InstallationId::of_row(&row_key)))
    }

    /// Another person or workspace came back than the app expected. Nothing was linked or replaced. What was expected
    /// came through the browser: its facts are told only if it is the subject's own.
    async fn different_account(
        &self,
        actual: &Installation,
        expected: &str,
        subject: &Subject,
        budget: &Budget,
    ) -> Answer {
        let message = "another person or workspace came back than the installation that `expect` named: nothing was \
                       linked; claim again with accept_different_account to accept it";
        let standing = match InstallationId::of_opaque(expected) {
            Some(id) => self.store.read_installation(&id, budget.save_by).await,
            None => Ok(None),
        };
        let expected = match standing {
            Ok(Some(row)) if row.health != Health::Removed && row.subjects.contains(subject) => facts(&row),
            Ok(_) => json!({"installation": expected}),
            Err(error) => return store_failed(&error),
        };
        Answer::error(StatusCode::CONFLICT, "different_account", message)
            .with("expected", expected)
            .with("actual", facts(actual))
    }

    fn reinstall(&self, health: Health) -> Answer {
        let (status, message) = match health {
            Health::Removed => {
                (StatusCode::GONE, "the installation was removed; the person may install again")
            }
            _ => (StatusCode::CONFLICT, "the grant is dead: the person has to install again"),
        };
        Answer::error(status, health.key(), message).with("install_url", self.connection.install_url())
    }
}

impl AnswersInJson for ClaimInstallation {
    fn function(&self) -> &'static str {
        "claim"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn warm_up(&self) {
        let ring = self.key_rings.get(Freshness::Cached, &*self.clock);
        let _reported_when_needed = tokio::join!(ring, self.store.warm_up());
    }

    fn malformed(&self, message: &str) -> Answer {
        invalid_request(message)
    }

    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        let request = match ClaimRequest::read(&asked.input) {
            Ok(request) => request,
            Err(message) => {
                line.reject("malformed");
                return invalid_request(message);
            }
        };
        line.note("subject", request.subject.as_str());
        let budget = Budget::of_invocation(asked.deadline_ms, &*self.clock);
        Box::pin(self.claim(&request, &budget, line)).await
    }
}

/// RFC 6749 §5.2.
fn invalid_request(message: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "invalid_request", message)
}

/// One answer for every reason: who tries codes learns nothing. The log tells them apart.
fn refuse(refusal: Refusal, line: &mut RequestLine) -> Answer {
    line.reject(refusal.key());
    line.count(Metric::ClaimRefused);
    let message = "the code is unknown, expired or used, or the code_verifier is not the one of its code_challenge: \
                   begin again at the install URL";
    Answer::error(StatusCode::BAD_REQUEST, "invalid_grant", message)
}

fn store_failed(error: &StoreError) -> Answer {
    report_store(error);
    Answer::try_later(Duration::from_secs(5), "store")
}
