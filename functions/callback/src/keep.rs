//! From the exchange on: no grant that Notion issued may be lost silently.
//!
//! Saved, else in the rescue queue, else given back, else an alarm; each step has its own part of the time.

use std::sync::Arc;
use std::time::Duration;

use shared::budget::Budget;
use shared::flow::Flow;
use shared::installation::{Grant, NewInstallation, Owner, canonical};
use shared::notion::TokenError;
use shared::pages::{Connected, Notice};
use shared::secret::{AccessToken, AuthorizationCode, ClientSecret};
use shared::secrets::Versioned;
use shared::store::{RescueRecord, Saved};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use crate::Callback;
use crate::outcome::Answer;
use crate::steps::InHand;

/// How often a revocation is tried.
const MAX_REVOCATIONS: u32 = 4;
/// How long each look at the store may take before a grant is given back, in milliseconds.
const LOOK_LIMIT_MS: u64 = 700;

/// What an exchange came to.
pub(crate) enum Kept {
    /// The claim knows the outcome.
    Done(Answer),
    /// The claim is still to be told, and perhaps a grant has to go back.
    Ended(Notice, Option<GiveBack>),
}

/// A grant on its way back to Notion, and what may be said of it in the log.
pub(crate) struct GiveBack {
    token: AccessToken,
    secret: Arc<Versioned<ClientSecret>>,
    bot_id: Option<String>,
    request_id: Option<String>,
}

impl Callback {
    /// Exchanges the code and keeps what comes of it.
    pub(crate) async fn exchange_and_keep(
        &self,
        flow: &Flow,
        attempt: &str,
        code: &AuthorizationCode,
        in_hand: InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Kept {
        let (exchanged, secret) = self.exchange(code, in_hand.client_secret, budget).await;
        let grant = match exchanged {
            Ok(grant) => grant,
            Err(error) => return exchange_failed(error, secret, line),
        };
        let exchanged_at = self.clock.now_millis();
        line.count(Metric::Exchanged);
        line.note("bot_id", grant.bot_id.as_str());
        line.note("workspace_id", grant.workspace_id.as_str());
        line.note("notion_request_id", grant.request_id.as_deref());
        let give_back = GiveBack {
            token: grant.access_token.clone(),
            secret,
            bot_id: Some(grant.bot_id.clone()),
            request_id: grant.request_id.clone(),
        };
        if !self.is_allowed(&grant) {
            line.reject("workspace");
            return Kept::Ended(Notice::NotAllowed, Some(give_back));
        }
        let client_id = &self.connection.client_id;
        let install = grant.seal(client_id, attempt, exchanged_at, &in_hand.key_ring.value, &*self.random);
        let connected = connected(&grant);
        match self.store.save(&install, &flow.claim_key, &connected, budget.save_by, &*self.random).await {
            Ok(saved @ (Saved::Current | Saved::Beside)) => {
                line.count(Metric::Saved);
                line.note("beside_a_newer_one", saved == Saved::Beside);
                Kept::Done(Answer::Flow(flow.id()))
            }
            Ok(Saved::TombstoneWins) => Kept::Ended(Notice::RemovedMeanwhile, Some(give_back)),
            Err(error) => {
                line.count(Metric::SaveFailed);
                tracing::error!(
                    alarm = "save_failed",
                    bot_id = grant.bot_id,
                    error = &error as &dyn std::error::Error,
                    "an installation could not be saved"
                );
                self.rescue(flow, install, give_back, budget, line).await
            }
        }
    }

    /// The table did not take it in time; whether it has after all is not known.
    async fn rescue(
        &self,
        flow: &Flow,
        installation: NewInstallation,
        give_back: GiveBack,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Kept {
        let record = RescueRecord { format: 1, claim: flow.claim_key.as_str().to_owned(), installation };
        match self.rescue.send(&record, budget.rescue_by).await {
            Ok(()) => {
                line.count(Metric::Rescued);
                Kept::Ended(Notice::Rescued, None)
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the rescue queue did not take it");
                // In this order: once the claim is settled, a save that is still under way can no longer come through;
                // only then does the row say for good whether the token is stored.
                let soon = || budget.revoke_by.min(Instant::now() + Duration::from_millis(LOOK_LIMIT_MS));
                let attempt = &record.installation.attempt;
                let settled = self.store.settle(&flow.claim_key, attempt, Notice::NotSaved, soon()).await;
                let stored = self.store.holds_token(&record.installation, soon()).await;
                if !matches!(stored, Ok(true)) {
                    self.give_back(Some(give_back), budget.revoke_by, line).await;
                }
                Kept::Done(match settled {
                    Ok(()) => Answer::Flow(flow.id()),
                    Err(_) => Answer::Reason(Notice::NotSaved),
                })
            }
        }
    }

    /// Gives a grant back, trying a few times until `deadline`: revoking twice does no harm.
    pub(crate) async fn give_back(&self, grant: Option<GiveBack>, deadline: Instant, line: &mut RequestLine) {
        let Some(grant) = grant else { return };
        let mut tries = 1;
        let error = loop {
            let error = match self.notion.revoke(&grant.secret.value, &grant.token, deadline).await {
                Ok(()) => return line.count(Metric::Revoked),
                Err(error) => error,
            };
            let again = Instant::now() + self.wait_before_retry(&error.0);
            let hopeless = matches!(
                error.0,
                TokenError::InvalidClient(_) | TokenError::Refused(_) | TokenError::Blocked(_)
            );
            if hopeless || tries == MAX_REVOCATIONS || again >= deadline {
                break error;
            }
            tokio::time::sleep_until(again).await;
            tries += 1;
        };
        line.count(Metric::OrphanedGrant);
        tracing::error!(
            alarm = "orphaned_grant",
            bot_id = grant.bot_id,
            notion_request_id = grant.request_id,
            error = &error as &dyn std::error::Error,
            "a grant is neither stored nor given back"
        );
    }

    fn is_allowed(&self, grant: &Grant) -> bool {
        self.allowed_workspaces
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&canonical(&grant.workspace_id)))
    }
}

fn exchange_failed(error: TokenError, secret: Arc<Versioned<ClientSecret>>, line: &mut RequestLine) -> Kept {
    let answer = error.answer();
    let request_id = answer.and_then(|answer| answer.request_id.clone());
    line.note("exchange", error.key());
    line.note("notion_status", answer.map(|answer| answer.status.as_u16()));
    line.note("notion_request_id", request_id.as_deref());
    if matches!(error, TokenError::InvalidGrant(_)) {
        line.count(Metric::CodeRejected);
    } else {
        line.count(Metric::ExchangeFailed);
        let alarm = error.key();
        let error = &error as &dyn std::error::Error;
        tracing::error!(alarm, notion_request_id = request_id, error, "the exchange failed");
    }
    match error {
        TokenError::InvalidGrant(_) => Kept::Ended(Notice::CodeRejected, None),
        TokenError::InvalidClient(_) | TokenError::Refused(_) => Kept::Ended(Notice::Misconfigured, None),
        TokenError::NotSent | TokenError::ComeBackLater(_) | TokenError::Blocked(_) => {
            Kept::Ended(Notice::Unavailable, None)
        }
        TokenError::OutcomeUnknown(_) => Kept::Ended(Notice::OutcomeUnknown, None),
        TokenError::Unusable { access_token: token, .. } => {
            Kept::Ended(Notice::Unavailable, Some(GiveBack { token, secret, bot_id: None, request_id }))
        }
    }
}

/// What the page says: the names that Notion gave, nothing that identifies more than it must.
fn connected(grant: &Grant) -> Connected {
    Connected {
        workspace_name: grant.workspace_name.clone(),
        person_name: match &grant.owner {
            Owner::User { name, email, .. } => name.clone().or_else(|| email.clone()),
            Owner::Workspace => None,
        },
        template_duplicated: grant.duplicated_template_id.is_some(),
    }
}
