//! From the exchange on: no grant that Notion issued may be lost silently.
//!
//! Saved, else in the rescue queue, else given back, else an alarm; each step has its own part of the time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use shared::flow::Flow;
use shared::ids::canonical;
use shared::pages::Notice;
use shared::secret::{AuthorizationCode, ClientSecret};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::InHand;
use vault::budget::Budget;
use vault::installation::NewInstallation;
use vault::notion::{Grant, TokenError};
use vault::protocol::{GiveBack, Retries};
use vault::secrets::Versioned;
use vault::store::{Rescued, Save, Saved};

use crate::Callback;
use crate::outcome::Answer;

/// How long each look at the store may take before a grant is given back, in milliseconds.
const LOOK_LIMIT_MS: u64 = 700;

/// What an exchange came to.
pub(crate) enum Kept {
    /// The claim knows the outcome.
    Done(Answer),
    /// The claim is still to be told, and perhaps a grant has to go back.
    Ended(Notice, Option<GiveBack>),
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
        let vault = &self.vault;
        let deadline = budget.exchange_by;
        // A code works once: sent again is only what Notion did not process.
        let send = |secret: Arc<Versioned<ClientSecret>>| {
            async move { vault.notion.exchange(&secret.value, code, deadline).await }.boxed()
        };
        let exchange = vault.call(in_hand.client_secret, Retries::Never, deadline, &|| true, &send);
        let (exchanged, secret) = Box::pin(exchange).await;
        let grant = match exchanged {
            Ok(grant) => grant,
            Err(error) => return exchange_failed(error, secret, line),
        };
        // The window that cannot be closed begins: should the process end here, the tokens are gone.
        let answered = Instant::now();
        let exchanged_at = self.vault.clock.now_millis();
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
        let client_id = &self.vault.connection.client_id;
        let install =
            grant.seal(client_id, attempt, exchanged_at, &in_hand.key_ring.value, &*self.vault.random);
        let led = self.vault.led(&flow.claim_key, &install, &in_hand.key_ring.value);
        let save = Save { install: &install, claim: &flow.claim_key, led: &led, prompt: true };
        match self.vault.store.save(&save, budget.save_by, &*self.vault.random).await {
            Ok(saved @ (Saved::Current | Saved::Beside)) => {
                line.count(Metric::Saved);
                line.unsaved_for(answered.elapsed());
                line.note("beside_a_newer_one", saved == Saved::Beside);
                Kept::Done(Answer::Flow(flow.id()))
            }
            Ok(Saved::TombstoneWins) => {
                let standing = self.vault.store.read_installation(&install.id, budget.save_by).await;
                let in_use = matches!(standing, Ok(Some(row)) if row.uses(&install.pair.access_fingerprint));
                Kept::Ended(Notice::RemovedMeanwhile, (!in_use).then_some(give_back))
            }
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
        let (attempt, fingerprint) =
            (installation.attempt.clone(), installation.pair.access_fingerprint.clone());
        let id = installation.id.clone();
        let claim = flow.claim_key.as_str().to_owned();
        let record = Rescued::Install { claim, installation: Box::new(installation) }.record();
        match self.vault.rescue.send(&record, budget.rescue_by).await {
            Ok(()) => {
                line.count(Metric::Rescued);
                Kept::Ended(Notice::Rescued, None)
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the rescue queue did not take it");
                // In this order: once the claim is settled, a save that is still under way can no longer come through;
                // only then does the row say for good whether the token is stored.
                let soon = || budget.revoke_by.min(Instant::now() + Duration::from_millis(LOOK_LIMIT_MS));
                let store = &self.vault.store;
                let settled = store.settle(&flow.claim_key, &attempt, Notice::NotSaved, soon()).await;
                let row = store.read_installation(&id, soon()).await;
                if !row.is_ok_and(|row| row.is_some_and(|row| row.holds(&fingerprint))) {
                    self.vault.give_back(give_back, budget.revoke_by, line).await;
                }
                Kept::Done(match settled {
                    Ok(_) => Answer::Flow(flow.id()),
                    Err(_) => Answer::Reason(Notice::NotSaved),
                })
            }
        }
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
    // Anyone can send a code of any kind along with a state of their own: what that can cause wakes nobody.
    if matches!(error, TokenError::InvalidGrant(_) | TokenError::Malformed(_)) {
        line.count(Metric::CodeRejected);
    } else {
        line.count(Metric::ExchangeFailed);
        let alarm = error.key();
        let error = &error as &dyn std::error::Error;
        tracing::error!(alarm, notion_request_id = request_id, error, "the exchange failed");
    }
    match error {
        TokenError::InvalidGrant(_) | TokenError::Malformed(_) => Kept::Ended(Notice::CodeRejected, None),
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
