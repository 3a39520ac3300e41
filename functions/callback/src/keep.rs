//! From the exchange on: no grant that Notion issued may be lost silently.
//!
//! It is saved; otherwise put into the rescue queue; otherwise revoked; otherwise an alarm fires. Each step has its
//! own share of the time.

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
use vault::code::{code_of, hash_of};
use vault::installation::{Claimable, NewInstallation};
use vault::notion::{Grant, TokenError};
use vault::protocol::{GiveBack, Retries};
use vault::secrets::Versioned;
use vault::store::{Led, Rescued, Save, Saved};

use crate::Callback;
use crate::outcome::Answer;

/// How long each read and write of the store may take before a grant is revoked, in milliseconds.
const LOOK_LIMIT_MS: u64 = 700;

/// How an exchange ended.
pub(crate) enum Kept {
    /// The claim has the outcome.
    Done(Answer),
    /// The claim does not have the outcome yet, and there may be a grant to revoke.
    Ended(Notice, Option<GiveBack>),
}

impl Callback {
    /// Exchanges the code and stores the grant.
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
        // A code works once, so it is sent again only if Notion did not process it.
        let send = |secret: Arc<Versioned<ClientSecret>>| {
            async move { vault.notion.exchange(&secret.value, code, deadline).await }.boxed()
        };
        let exchange = vault.call(in_hand.client_secret, Retries::Never, deadline, &|| true, &send);
        let (exchanged, secret) = Box::pin(exchange).await;
        let grant = match exchanged {
            Ok(grant) => grant,
            Err(error) => return exchange_failed(error, secret, line),
        };
        // From here until the save, the tokens are only in memory. If the process ends now, they are lost.
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
        let mut install =
            grant.seal(client_id, attempt, exchanged_at, &in_hand.key_ring.value, &*self.vault.random);
        let led = self.vault.led(&flow.claim_key, &install, &in_hand.key_ring.value);
        install.claimable = claimable(flow, &led);
        let save =
            Save { install: &install, claim: &flow.claim_key, led: &led, terms: self.vault.terms(true) };
        match self.vault.store.save(&save, budget.save_by, &*self.vault.random).await {
            Ok(saved @ (Saved::Current | Saved::KeptAside)) => {
                line.count(Metric::Saved);
                line.unsaved_for(answered.elapsed());
                line.note("beside_a_newer_one", saved == Saved::KeptAside);
                Kept::Done(self.connected(flow, &led))
            }
            Ok(Saved::TombstoneWins) => {
                let standing = self.vault.store.read_installation(&install.id, budget.save_by).await;
                let fingerprint = &install.pair.access_fingerprint;
                let in_use = matches!(standing, Ok(Some(row)) if row.is_using_access_token(fingerprint));
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

    /// The save failed or timed out, and may still have succeeded.
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
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the rescue queue did not accept the tokens"
                );
                // In this order: once the claim is settled, a save that is still running cannot succeed any more.
                // Only then does the row show reliably whether the token is stored.
                let soon = || budget.revoke_by.min(Instant::now() + Duration::from_millis(LOOK_LIMIT_MS));
                let store = &self.vault.store;
                let settled = store.settle(&flow.claim_key, &attempt, Notice::NotSaved, soon()).await;
                let row = store.read_installation(&id, soon()).await;
                if !row.is_ok_and(|row| row.is_some_and(|row| row.has_access_token(&fingerprint))) {
                    self.vault.give_back(give_back, budget.revoke_by, line).await;
                }
                let in_plain_mode = match settled {
                    Ok(_) => Answer::Flow(flow.id()),
                    Err(_) => Answer::Reason(Notice::NotSaved),
                };
                Kept::Done(self.ended(flow, Notice::NotSaved, in_plain_mode))
            }
        }
    }

    fn is_allowed(&self, grant: &Grant) -> bool {
        self.allowed_workspaces
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&canonical(&grant.workspace_id)))
    }
}

/// With what the app that asked for the install may claim it.
fn claimable(flow: &Flow, led: &Led) -> Option<Claimable> {
    let (app, sealed_key) = (flow.app.as_ref()?, led.installation.as_ref()?);
    Some(Claimable {
        code_hash: hash_of(&code_of(flow, sealed_key)),
        challenge: app.challenge.to_text(),
        expect: app.expect.clone(),
        sealed_key: sealed_key.clone(),
    })
}

fn exchange_failed(error: TokenError, secret: Arc<Versioned<ClientSecret>>, line: &mut RequestLine) -> Kept {
    let answer = error.answer();
    let request_id = answer.and_then(|answer| answer.request_id.clone());
    line.note("exchange", error.key());
    line.note("notion_status", answer.map(|answer| answer.status.as_u16()));
    line.note("notion_request_id", request_id.as_deref());
    // Anyone can send any code with a state of their own, so what that can cause must not fire an alarm.
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
