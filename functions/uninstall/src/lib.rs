//! Uninstalls: revokes a person's grant at Notion and deletes its tokens. Only our own backend may call it.
//!
//! The input:
//!
//! - `workspace_id`, `user_id`: whose installation; `user_id` is null if the workspace owns it
//! - `generation`, optional: remove only this one, so that a late message never removes a later install
//! - `forget`, optional; true: nothing about the person is kept, not even the row's key
//! - `caller`, optional: the caller's name for itself, for the audit
//!
//! It is safe to repeat, even late: a repeated message about one `generation` neither removes a later install nor
//! counts as a removal at its own time.
//!
//! The answer has `removed`, `revoked` and `generation`. If `revoked` is false, the tokens stay sealed in the
//! tombstone, nothing is vended, and the sweep keeps trying to revoke them. `generation` 0 means that there was no
//! installation. Otherwise `error` is `other_generation`, `not_installed` (only with a `generation`), `try_later`,
//! `malformed`, `misconfigured` or `internal`.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::random::Random;
use shared::telemetry::RequestLine;
use vault::installation::InstallationId;
use vault::protocol::Removal;
use vault::store::{StoreError, TombstoneOutcome};
use vault::{NoSecrets, SetUpError, Vault, report_store};

/// The function's state.
pub struct Uninstall {
    vault: Vault,
}

/// What the input asks for.
struct UninstallRequest {
    id: InstallationId,
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
        Ok(Self {
            id: InstallationId::named(input)?,
            generation: match input.get("generation") {
                None | Some(Value::Null) => None,
                Some(number) => Some(number.as_u64().ok_or("generation must be a number")?),
            },
            forget: match input.get("forget") {
                None | Some(Value::Null) => false,
                Some(flag) => flag.as_bool().ok_or("forget must be true or false")?,
            },
        })
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
        line.note("installation", request.id.as_str());
        line.note("forget", request.forget);
        let vault = &self.vault;
        let budget = vault.budget(asked.deadline_ms);
        let entombed = vault.store.tombstone(
            &request.id,
            &vault.connection.client_id,
            request.generation,
            request.forget,
            vault.clock.now_millis(),
            budget.claim_by,
        );
        // Concurrently: neither may use up the other's time.
        let (entombed, in_hand) = tokio::join!(entombed, vault.secrets_in_hand(&budget, line));
        let tombstone = match entombed {
            Ok(TombstoneOutcome::Removed(tombstone)) => tombstone,
            Ok(TombstoneOutcome::OtherGeneration(standing)) => {
                let message = "the installation has another generation and was not removed";
                return Answer::error(StatusCode::CONFLICT, "other_generation", message)
                    .with("generation", standing.generation);
            }
            Ok(TombstoneOutcome::NotInstalled) => {
                let message = "there is no installation of this person in this workspace";
                return Answer::error(StatusCode::NOT_FOUND, "not_installed", message);
            }
            Err(error) => return store_failed(&error),
        };
        line.note("generation", tombstone.generation);
        // From here on it counts as removed. The sweep can do the rest.
        let removal = match in_hand {
            Ok(in_hand) => match vault.finish_removal(&tombstone, &in_hand, &budget, line).await {
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

fn store_failed(error: &StoreError) -> Answer {
    report_store(error);
    Answer::try_later(Duration::from_secs(5), "store")
}
