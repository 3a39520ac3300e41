//! Hands a live access token to our own backend: `POST /token` (IAM-authorised) and direct invocations.
//!
//! The input:
//!
//! - `subject`: whose token, by the app's own name for the person; with `workspace_id`, and if need be `user_id`, if the
//!   subject has several installations
//! - or `workspace_id`, `user_id`: by Notion's ids; `user_id` is null if the workspace owns the installation
//! - `refused_fingerprint`, optional: the fingerprint of a token that Notion answered with 401. A different token is
//!   returned. If a report led to a new token minutes ago and Notion says that this one is alive, the answer is
//!   `refused_but_alive`
//! - `refresh`, optional; true: return a token from a refresh that ends after this request
//! - `caller`, optional: the caller's name for itself, for the audit
//!
//! The answer has `access_token`, `fingerprint`, `version`, `generation`, `health` and, if Notion said when the token
//! ends, `expires_at` (seconds since the epoch). Otherwise it has `error` (`not_installed`, `needs_reinstall`,
//! `removed`, `unclaimed`, `ambiguous` (with the subject's `installations`), `refused_but_alive`, `try_later`, `malformed`, `misconfigured`, `internal`), `message`, and what helps:
//! `install_url`, `retry_after_secs`. The refresh token never leaves the vault.

mod no_token;
mod vend;
mod want;

use std::time::Duration;

use serde_json::json;
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::random::Random;
use shared::telemetry::{Metric, RequestLine};
use vault::subject::Subject;
use vault::whose::Whose;
use vault::{NoSecrets, SetUpError, Vault};

use crate::want::Want;

/// The function's state.
pub struct Token {
    vault: Vault,
}

impl Token {
    /// Reads the settings of the vault, and `IDLE_CHECK_DAYS`.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        Ok(Self { vault: Vault::read(lookup, clock, random)?.with_idle_check(lookup)? })
    }
}

impl AnswersInJson for Token {
    fn function(&self) -> &'static str {
        "token"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.vault.clock
    }

    async fn warm_up(&self) {
        self.vault.warm_up().await;
    }

    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        let asked_at = self.vault.clock.now_millis();
        let read =
            Whose::read(&asked.input).and_then(|whose| Ok((whose, Want::read(&asked.input, asked_at)?)));
        let (whose, want) = match read {
            Ok(read) => read,
            Err(message) => {
                line.reject("malformed");
                return malformed(message);
            }
        };
        line.note("subject", whose.subject().map(Subject::as_str));
        line.note("want", want.key());
        let budget = self.vault.budget(asked.deadline_ms);
        let in_hand = match self.vault.secrets_in_hand(&budget, line).await {
            Ok(in_hand) => in_hand,
            Err(NoSecrets::Misconfigured) => return Answer::misconfigured(),
            Err(NoSecrets::Unavailable) => return Answer::try_later(Duration::from_secs(5), "secrets"),
        };
        let vended = match self.find(&whose, &budget).await {
            Ok(id) => {
                line.note("installation", id.as_str());
                self.vend(&id, whose.subject(), &want, &in_hand, &budget, line).await
            }
            Err(no_token) => Err(no_token),
        };
        match vended {
            Ok(vended) => {
                line.count(Metric::Vended);
                line.note("version", vended.version);
                line.note("fingerprint", vended.fingerprint.as_str());
                let answer = Answer::success(json!({
                    "access_token": vended.token.expose(),
                    "fingerprint": vended.fingerprint.as_str(),
                    "version": vended.version,
                    "generation": vended.generation,
                    "health": "active",
                }));
                match vended.expires_at_ms {
                    Some(expires_at_ms) => answer.with("expires_at", expires_at_ms / 1000),
                    None => answer,
                }
            }
            Err(no_token) => no_token.answer(&self.vault.connection, line),
        }
    }
}
