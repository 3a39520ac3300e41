//! From the exchange on: no grant that Notion issued may be lost silently.
//!
//! Saved, else in the rescue queue, else given back, else an alarm; each step has its own part of the time.

use shared::budget::Budget;
use shared::flow::Flow;
use shared::installation::{Grant, NewInstallation, Owner, canonical};
use shared::notion::TokenError;
use shared::pages::{Connected, Notice};
use shared::secret::{AccessToken, AuthorizationCode, ClientSecret};
use shared::store::{RescueRecord, Saved};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use crate::outcome::Answer;
use crate::{Callback, InHand};

/// A grant on its way back to Notion, and what may be said of it in the log.
struct Returning<'a> {
    token: &'a AccessToken,
    secret: &'a ClientSecret,
    bot_id: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl Callback {
    /// Exchanges and keeps. `Err` is an outcome that the claim does not know yet.
    pub(crate) async fn exchange_and_keep(
        &self,
        flow: &Flow,
        attempt: &str,
        code: &AuthorizationCode,
        in_hand: InHand,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<Answer, Notice> {
        let (exchanged, secret) = self.exchange(code, in_hand.client_secret, budget).await;
        let grant = match exchanged {
            Ok(grant) => grant,
            Err(error) => return Err(self.exchange_failed(&error, &secret.value, budget, line).await),
        };
        let exchanged_at = self.clock.now_millis();
        line.count(Metric::Exchanged);
        line.note("bot_id", grant.bot_id.as_str());
        line.note("workspace_id", grant.workspace_id.as_str());
        line.note("notion_request_id", grant.request_id.as_deref());
        let returning = Returning {
            token: &grant.access_token,
            secret: &secret.value,
            bot_id: Some(&grant.bot_id),
            request_id: grant.request_id.as_deref(),
        };
        if !self.is_allowed(&grant) {
            self.give_back(&returning, budget.revoke_by, line).await;
            line.reject("workspace");
            return Err(Notice::NotAllowed);
        }
        let install = grant.seal(
            &self.connection.client_id,
            attempt,
            exchanged_at,
            &in_hand.key_ring.value,
            &*self.random,
        );
        let connected = connected(&grant);
        match self.store.save(&install, &flow.claim_key, &connected, budget.save_by, &*self.random).await {
            Ok(saved @ (Saved::Current | Saved::Superseded)) => {
                line.count(Metric::Saved);
                if saved == Saved::Superseded {
                    line.note("superseded", true);
                }
                Ok(Answer::Flow(flow.id()))
            }
            Ok(Saved::TombstoneWins) => {
                self.give_back(&returning, budget.revoke_by, line).await;
                Err(Notice::RemovedMeanwhile)
            }
            Err(error) => {
                line.count(Metric::SaveFailed);
                tracing::error!(
                    alarm = "save_failed",
                    bot_id = grant.bot_id,
                    error = &error as &dyn std::error::Error,
                    "an installation could not be saved"
                );
                Ok(self.rescue(flow, install, &returning, budget, line).await)
            }
        }
    }

    /// The table did not take it. The URL carries the outcome then: the claim lies in the same store.
    async fn rescue(
        &self,
        flow: &Flow,
        installation: NewInstallation,
        returning: &Returning<'_>,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Answer {
        let record = RescueRecord { format: 1, claim: flow.claim_key.as_str().to_owned(), installation };
        match self.rescue.send(&record, budget.rescue_by).await {
            Ok(()) => {
                line.count(Metric::Rescued);
                Answer::Reason(Notice::Rescued)
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the rescue queue did not take it either"
                );
                self.give_back(returning, budget.revoke_by, line).await;
                Answer::Reason(Notice::NotSaved)
            }
        }
    }

    async fn give_back(&self, returning: &Returning<'_>, deadline: Instant, line: &mut RequestLine) {
        match self.notion.revoke(returning.secret, returning.token, deadline).await {
            Ok(()) => line.count(Metric::Revoked),
            Err(error) => {
                line.count(Metric::OrphanedGrant);
                tracing::error!(
                    alarm = "orphaned_grant",
                    bot_id = returning.bot_id,
                    request_id = returning.request_id,
                    error = &error as &dyn std::error::Error,
                    "a grant is neither stored nor given back"
                );
            }
        }
    }

    async fn exchange_failed(
        &self,
        error: &TokenError,
        secret: &ClientSecret,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Notice {
        let answer = error.answer();
        let request_id = answer.and_then(|answer| answer.request_id.as_deref());
        line.count(Metric::ExchangeFailed);
        line.note("exchange", error.key());
        line.note("notion_status", answer.map(|answer| answer.status.as_u16()));
        line.note("notion_request_id", request_id);
        // A code that is too old or used is the person's business; everything else is ours.
        if !matches!(error, TokenError::InvalidGrant(_)) {
            let alarm = error.key();
            tracing::error!(
                alarm,
                request_id,
                error = error as &dyn std::error::Error,
                "the exchange failed"
            );
        }
        match error {
            TokenError::InvalidGrant(_) => Notice::CodeRejected,
            TokenError::InvalidClient(_) | TokenError::Refused(_) => Notice::Misconfigured,
            TokenError::NotSent | TokenError::ComeBackLater(_) | TokenError::Blocked(_) => {
                Notice::Unavailable
            }
            TokenError::OutcomeUnknown(_) => Notice::OutcomeUnknown,
            TokenError::Unusable { access_token, .. } => {
                let returning = Returning { token: access_token, secret, bot_id: None, request_id };
                self.give_back(&returning, budget.revoke_by, line).await;
                Notice::Unavailable
            }
        }
    }

    fn is_allowed(&self, grant: &Grant) -> bool {
        let allowed = &self.allowed_workspaces;
        allowed.is_empty() || allowed.contains(&canonical(&grant.workspace_id))
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
