//! The steps before the exchange, in order.

use std::time::Duration;

use lambda_http::Request;
use shared::authorization::{AuthorizationError, AuthorizationResponse, MalformedResponse};
use shared::flow::{Flow, FlowCookies, FlowId};
use shared::install_request::UI_LOCALES;
use shared::language::Language;
use shared::pages::{Connected, Notice, Preparation};
use shared::query::Query;
use shared::random;
use shared::secret::AuthorizationCode;
use shared::telemetry::{Metric, RequestLine};
use shared::visit;
use tokio::time::Instant;
use vault::budget::Budget;
use vault::installation::InstallationId;
use vault::onboarding::{Ledger, OnboardingStatus};
use vault::store::{Claim, Claimed, Installation, Led, Outcome, StoreError};
use vault::{NoSecrets, report_store};

use crate::Callback;
use crate::keep::Kept;
use crate::outcome::{Answer, Page, Spoken, notice_for, page_of};

/// For how long after the install the page looks by itself whether the workspace is prepared, in milliseconds.
const WATCHED_FOR_MS: u64 = 60_000;
/// How long recording an outcome may take, in milliseconds. If that fails, the URL carries the outcome.
const SETTLE_LIMIT_MS: u64 = 2000;

impl Callback {
    /// Checks the method, then the form of the query, then whether a person is navigating. The rest depends on the
    /// query.
    pub(crate) async fn answer(&self, request: &Request, line: &mut RequestLine) -> Spoken {
        if let Err(reason) = visit::check_method(request.method()) {
            line.reject(reason.key());
            return Answer::Notice(reason.notice()).into();
        }
        let budget = self.budget(request);
        let Ok(query) = Query::parse(request.uri().query().unwrap_or_default()) else {
            line.reject("malformed");
            return Answer::Reason(Notice::Malformed).into();
        };
        if let Err(reason) = visit::check_navigation(request.headers()) {
            line.reject(reason.key());
            return Answer::Notice(reason.notice()).into();
        }
        match clean_page(&query) {
            Ok(None) => {}
            Ok(Some(CleanPage::Reason(notice, named))) => return Answer::Ended(notice).in_language(named),
            Ok(Some(CleanPage::Flow(id))) => return self.look(&id, request, &budget, line).await,
            Err(_malformed) => {
                line.reject("malformed");
                return Answer::Reason(Notice::Malformed).into();
            }
        }
        match AuthorizationResponse::read(&query) {
            Ok(response) => Box::pin(self.respond(response, request, &budget, line)).await,
            // Notion never redirects to the bare address, and there is nothing in the URL to clean.
            Err(MalformedResponse::Empty) if request.uri().query().unwrap_or_default().is_empty() => {
                line.reject("malformed");
                Answer::Notice(Notice::Malformed).into()
            }
            Err(_malformed) => {
                line.reject("malformed");
                Answer::Reason(Notice::Malformed).into()
            }
        }
    }

    async fn respond(
        &self,
        response: AuthorizationResponse,
        request: &Request,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Spoken {
        let (state, outcome) = match response {
            AuthorizationResponse::GrantedWithoutState => {
                line.reject("no_state");
                return Answer::StartOver.into();
            }
            AuthorizationResponse::RefusedWithoutState { error } => {
                if error == AuthorizationError::AccessDenied {
                    line.count(Metric::Refused);
                }
                return Answer::Reason(notice_for(error)).into();
            }
            AuthorizationResponse::Granted { code, state } => (state, Ok(code)),
            AuthorizationResponse::Refused { error, state } => (state, Err(error)),
        };
        let now = self.vault.clock.now();
        let cookies = FlowCookies::of(request.headers());
        let flow = match Flow::of_state(&self.vault.connection, &state, &cookies, now) {
            Ok(flow) => flow,
            Err(rejected) => {
                line.reject(rejected.key());
                return Answer::Reason(Notice::StateRejected).into();
            }
        };
        line.note("flow", flow.id().as_str());
        let answer = if flow.is_open(now, self.state_ttl_secs) {
            match outcome {
                Ok(code) => Box::pin(self.granted(&flow, &code, budget, line)).await,
                Err(error) => self.refused(&flow, error, budget, line).await,
            }
        } else {
            self.late(&flow, budget, line).await
        };
        answer.of(&flow)
    }

    /// Too late to claim. But a reload must not turn a success into "expired".
    async fn late(&self, flow: &Flow, budget: &Budget, line: &mut RequestLine) -> Answer {
        match self.vault.store.read_claim(&flow.claim_key, self.vault.clock.now(), budget.claim_by).await {
            Ok(Some(claim)) => self.repeated(flow, claim, line),
            Ok(None) => {
                line.reject("expired");
                self.ended(flow, Notice::Expired, Answer::Reason(Notice::Expired))
            }
            Err(error) => {
                line.count(Metric::Unavailable);
                tracing::error!(error = &error as &dyn std::error::Error, "a claim could not be read");
                // That page reloads by itself.
                Answer::Flow(flow.id())
            }
        }
    }

    /// Notion sent an error instead of a code. The state is claimed all the same, so that it is used up and a reload
    /// shows the same page.
    async fn refused(
        &self,
        flow: &Flow,
        error: AuthorizationError,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Answer {
        let notice = notice_for(error);
        let attempt = random::attempt(&*self.vault.random);
        match self.claim(flow, &attempt, Outcome::Ended(notice), budget).await {
            Ok(Claimed::Ours) => {
                if error == AuthorizationError::AccessDenied {
                    line.count(Metric::Refused);
                } else {
                    // No alarm: anyone can send such a response with a state of their own.
                    tracing::warn!(?error, "Notion refused the authorization");
                    line.note("authorization_error", notice.key());
                }
                self.ended(flow, notice, Answer::Flow(flow.id()))
            }
            Ok(Claimed::Before(claim)) => self.repeated(flow, claim, line),
            // Nothing depends on the claim of a refusal.
            Err(notice_instead) => {
                line.count(Metric::Unavailable);
                line.note("claim", notice_instead.key());
                self.ended(flow, notice, Answer::Reason(notice))
            }
        }
    }

    async fn granted(
        &self,
        flow: &Flow,
        code: &AuthorizationCode,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Answer {
        let in_hand = match self.vault.secrets_in_hand(budget, line).await {
            Ok(in_hand) => in_hand,
            Err(no_secrets) => {
                let (metric, notice) = match no_secrets {
                    NoSecrets::Misconfigured => (Metric::Misconfigured, Notice::Misconfigured),
                    NoSecrets::Unavailable => (Metric::Unavailable, Notice::Unavailable),
                };
                line.count(metric);
                return self.ended(flow, notice, Answer::Reason(notice));
            }
        };
        if !self.can_return(flow) {
            // Before anything is spent. The deployer has removed the destination while the person was at Notion, or
            // somebody has made up a cookie, which must not fire an alarm.
            line.reject("unknown_return_to");
            return Answer::Reason(Notice::Misconfigured);
        }
        let attempt = random::attempt(&*self.vault.random);
        match self.claim(flow, &attempt, Outcome::Exchanging, budget).await {
            Ok(Claimed::Ours) => {}
            Ok(Claimed::Before(claim)) => return self.repeated(flow, claim, line),
            Err(notice) => {
                line.count(Metric::Unavailable);
                return self.ended(flow, notice, Answer::Reason(notice));
            }
        }
        match Box::pin(self.exchange_and_keep(flow, &attempt, code, in_hand, budget, line)).await {
            Kept::Done(answer) => answer,
            Kept::Ended(notice, give_back) => {
                // Concurrently: a slow revocation must not leave the flow without an outcome.
                let deadline = budget.revoke_by.min(Instant::now() + Duration::from_millis(SETTLE_LIMIT_MS));
                let give_back = async {
                    if let Some(grant) = give_back {
                        self.vault.give_back(grant, budget.revoke_by, line).await;
                    }
                };
                let settle = self.vault.store.settle(&flow.claim_key, &attempt, notice, deadline);
                let (settled, ()) = tokio::join!(settle, give_back);
                let in_plain_mode = match settled {
                    Ok(_) => Answer::Flow(flow.id()),
                    // The claim does not have the outcome, so the URL carries it.
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "an outcome could not be recorded");
                        Answer::Reason(notice)
                    }
                };
                self.ended(flow, notice, in_plain_mode)
            }
        }
    }

    /// The state was claimed before: the same answer again.
    fn repeated(&self, flow: &Flow, claim: Claim, line: &mut RequestLine) -> Answer {
        line.count(Metric::Repeated);
        match page_of(Some(claim), self.vault.clock.now()) {
            Page::Connected(led) => self.connected(flow, &led),
            Page::Fixed(notice) => self.ended(flow, notice, Answer::Flow(flow.id())),
        }
    }

    async fn claim(
        &self,
        flow: &Flow,
        attempt: &str,
        outcome: Outcome,
        budget: &Budget,
    ) -> Result<Claimed, Notice> {
        let now = self.vault.clock.now();
        let claim = Claim {
            attempt: attempt.to_owned(),
            claimed_at: now,
            expires_at: flow.forget_at(now, self.state_ttl_secs),
            outcome,
        };
        self.vault
            .store
            .claim(&flow.claim_key, &self.vault.connection.client_id, &claim, budget.claim_by)
            .await
            .map_err(|error| {
                tracing::error!(
                    alarm = "claim",
                    error = &error as &dyn std::error::Error,
                    "a state could not be claimed"
                );
                Notice::Unavailable
            })
    }

    /// Shows the state of a flow to the browser that holds its cookie.
    async fn look(&self, id: &FlowId, request: &Request, budget: &Budget, line: &mut RequestLine) -> Spoken {
        line.note("flow", id.as_str());
        let now = self.vault.clock.now();
        let cookies = FlowCookies::of(request.headers());
        let flow = match Flow::of_id(&self.vault.connection, id, &cookies, now) {
            Ok(flow) => flow,
            Err(rejected) => {
                line.reject(rejected.key());
                return Answer::Notice(Notice::StateRejected).into();
            }
        };
        let answer = match self.vault.store.read_claim(&flow.claim_key, now, budget.claim_by).await {
            Ok(claim) => match page_of(claim, now) {
                Page::Fixed(notice) => self.ended(&flow, notice, Answer::Ended(notice)),
                Page::Connected(led) if flow.app.is_some() && self.can_return(&flow) => {
                    self.connected(&flow, &led)
                }
                Page::Connected(led) => {
                    Answer::Connected(Box::pin(self.names_of(&flow, &led, budget, line)).await)
                }
            },
            Err(error) => {
                line.count(Metric::Unavailable);
                tracing::error!(error = &error as &dyn std::error::Error, "a claim could not be read");
                Answer::Notice(Notice::StatusUnavailable)
            }
        };
        answer.of(&flow)
    }

    /// What the page says about an installation. The names come from its row, because a claim has none. If the row is
    /// gone or cannot be read, the page shows no names.
    async fn names_of(&self, flow: &Flow, led: &Led, budget: &Budget, line: &mut RequestLine) -> Connected {
        let unnamed = Connected { template_duplicated: led.template_duplicated, ..Connected::default() };
        let Some(sealed) = &led.installation else { return unnamed };
        let Ok(in_hand) = self.vault.secrets_in_hand(budget, line).await else { return unnamed };
        let opened = in_hand.key_ring.value.open_row_key(flow.claim_key.as_str(), sealed);
        let Ok(id) = opened.map(|row_key| InstallationId::of_row(&row_key)) else { return unnamed };
        let store = &self.vault.store;
        let (row, ledger) = tokio::join!(
            store.read_installation(&id, budget.claim_by),
            store.read_ledger(&id, budget.claim_by)
        );
        match row {
            Ok(Some(row)) => Connected {
                preparation: self.preparation(&row, ledger),
                workspace_name: row.workspace_name,
                person_name: row.owner_name.or(row.owner_email),
                ..unnamed
            },
            _ => unnamed,
        }
    }

    /// How far the workspace is prepared. What cannot be read is not shown.
    fn preparation(
        &self,
        row: &Installation,
        ledger: Result<Option<Ledger>, StoreError>,
    ) -> Option<Preparation> {
        if !self.vault.store.has_ledgers() {
            return None;
        }
        let ledger = ledger.inspect_err(report_store).ok()?;
        let landing_url = ledger.as_ref().and_then(Ledger::landing_url).map(str::to_owned);
        let watched_until = row.installed_at_ms?.saturating_add(WATCHED_FOR_MS);
        let is_watched = self.vault.clock.now_millis().0 < watched_until;
        Some(match ledger.map(|ledger| ledger.status) {
            Some(OnboardingStatus::Completed) => Preparation::Done { landing_url },
            Some(OnboardingStatus::Failed) => Preparation::Failed,
            _ => Preparation::UnderWay { is_watched, landing_url },
        })
    }
}

enum CleanPage {
    Flow(FlowId),
    /// With the language that was named when the flow began.
    Reason(Notice, Option<Language>),
}

/// Whether the query asks for one of our own clean pages. A query with a parameter of Notion's does not.
fn clean_page(query: &Query) -> Result<Option<CleanPage>, MalformedResponse> {
    for name in ["code", "error", "state"] {
        if query.one(name)?.is_some() {
            return Ok(None);
        }
    }
    match (query.one("flow")?, query.one("reason")?) {
        (Some(id), None) => FlowId::parse(id).map(CleanPage::Flow).map(Some).ok_or(MalformedResponse::Empty),
        (None, Some(key)) => {
            let named = query.one(UI_LOCALES)?.and_then(Language::of_tag);
            let page = Notice::parse(key).map(|notice| CleanPage::Reason(notice, named));
            page.map(Some).ok_or(MalformedResponse::Empty)
        }
        (Some(_), Some(_)) => Err(MalformedResponse::Ambiguous),
        (None, None) => Ok(None),
    }
}
