//! `GET /callback`: what Notion sends the person back to.
//!
//! The order is the point (see DESIGN.md): nothing is claimed before the request proves itself, nothing is
//! exchanged before the state is claimed and the secrets are in hand, nothing is answered before the tokens are
//! safe. Every outcome ends in a redirect to a clean URL, so that neither code nor state stays in the address bar.

mod exchange;
mod keep;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use lambda_http::{Body, Request, RequestExt as _, Response};
use shared::authorization::{AuthorizationError, AuthorizationResponse, MalformedResponse};
use shared::aws::Clients;
use shared::budget::{Budget, Limits, until};
use shared::clock::Clock;
use shared::config::{Branding, ConfigError, Lookup, PublicConnection, state_ttl_secs};
use shared::entry::AlwaysAnswers;
use shared::flow::{Flow, FlowCookies, FlowId};
use shared::http_client;
use shared::installation::canonical;
use shared::notion::Notion;
use shared::pages::{Notice, Pages};
use shared::query::Query;
use shared::random::{self, Random};
use shared::seal::KeyRing;
use shared::secret::{AuthorizationCode, ClientSecret};
use shared::secrets::{Freshness, SecretError, Secrets, Versioned};
use shared::store::{Claim, Claimed, Outcome, RescueQueue, Store};
use shared::telemetry::{Metric, RequestLine};
use shared::visit;

use outcome::{Answer, notice_for};

/// How long INIT may wait for the warm-up, in milliseconds.
const WARM_UP_MS: u64 = 1500;

/// What the function holds.
pub struct Callback {
    connection: PublicConnection,
    allowed_workspaces: Vec<String>,
    state_ttl_secs: u64,
    pages: Pages,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
    secrets: Secrets,
    store: Store,
    rescue: RescueQueue,
    notion: Notion,
}

/// The function cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be set up.
    #[error(transparent)]
    HttpClient(#[from] http_client::ClientError),
}

/// Both secrets that an exchange needs.
struct InHand {
    client_secret: Arc<Versioned<ClientSecret>>,
    key_ring: Arc<Versioned<KeyRing>>,
}

impl Callback {
    /// Reads the settings: those of the public connection and of the pages, `CLIENT_SECRET_ARN`,
    /// `TOKEN_KEY_RING_ARN`, `INSTALLATIONS_TABLE`, `CLAIMS_TABLE`, `RESCUE_QUEUE_URL`, and
    /// `ALLOWED_WORKSPACES` (workspace ids, separated by commas; default: any workspace).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] naming the variable that is missing or wrong.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let connection = PublicConnection::read(lookup)?;
        let http = http_client::build()?;
        let clients = Clients::read(lookup, http.clone())?;
        let allowed = lookup("ALLOWED_WORKSPACES").unwrap_or_default();
        Ok(Self {
            allowed_workspaces: allowed
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(canonical)
                .collect(),
            state_ttl_secs: state_ttl_secs(lookup)?,
            pages: Pages::new(Branding::read(lookup)?),
            clock: Box::new(clock),
            random: Box::new(random),
            secrets: Secrets::read(lookup, clients.secrets_manager)?,
            store: Store::read(lookup, clients.dynamodb)?,
            rescue: RescueQueue::read(lookup, clients.sqs)?,
            notion: Notion::new(http, connection.clone()),
            connection,
        })
    }

    /// Fetches the secrets and opens the connections, all at once, during INIT (which Lambda does not throttle).
    /// What fails is tried again by the first request.
    pub async fn warm_up(&self) {
        let all = async {
            tokio::join!(
                self.secrets.client_secret(Freshness::Cached, &*self.clock),
                self.secrets.key_ring(Freshness::Cached, &*self.clock),
                self.store.warm_up(),
                self.notion.warm_up(),
            )
        };
        if tokio::time::timeout(Duration::from_millis(WARM_UP_MS), all).await.is_err() {
            tracing::warn!(limit_ms = WARM_UP_MS, "the warm-up took too long and was left");
        }
    }

    async fn answer(&self, request: &Request, line: &mut RequestLine) -> Answer {
        if let Err(reason) = visit::check(request.method(), request.headers()) {
            line.reject(reason.key());
            return Answer::Notice(reason.notice());
        }
        let budget = self.budget(request);
        let Ok(query) = Query::parse(request.uri().query().unwrap_or_default()) else {
            line.reject("malformed");
            return Answer::Reason(Notice::Malformed);
        };
        match clean_page(&query) {
            Ok(None) => {}
            Ok(Some(CleanPage::Reason(notice))) => return Answer::Notice(notice),
            Ok(Some(CleanPage::Flow(id))) => return self.look(&id, request, &budget, line).await,
            Err(_malformed) => {
                line.reject("malformed");
                return Answer::Reason(Notice::Malformed);
            }
        }
        match AuthorizationResponse::read(&query) {
            Ok(response) => self.respond(response, request, &budget, line).await,
            // Nobody lands on the bare address by way of Notion; there is nothing to clean from it either.
            Err(MalformedResponse::Empty) if request.uri().query().unwrap_or_default().is_empty() => {
                line.reject("malformed");
                Answer::Notice(Notice::Malformed)
            }
            Err(_malformed) => {
                line.reject("malformed");
                Answer::Reason(Notice::Malformed)
            }
        }
    }

    async fn respond(
        &self,
        response: AuthorizationResponse,
        request: &Request,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Answer {
        let (state, outcome) = match response {
            AuthorizationResponse::GrantedWithoutState => {
                line.reject("no_state");
                return Answer::StartOver;
            }
            AuthorizationResponse::RefusedWithoutState { error } => {
                if error == AuthorizationError::AccessDenied {
                    line.count(Metric::Refused);
                }
                return Answer::Reason(notice_for(error));
            }
            AuthorizationResponse::Granted { code, state } => (state, Ok(code)),
            AuthorizationResponse::Refused { error, state } => (state, Err(error)),
        };
        let now = self.clock.now();
        let cookies = FlowCookies::of(request.headers());
        let flow = match Flow::of_state(&self.connection, &state, &cookies, now) {
            Ok(flow) => flow,
            Err(rejected) => {
                line.reject(rejected.key());
                return Answer::Reason(Notice::StateRejected);
            }
        };
        line.note("flow", flow.id().as_str());
        if !flow.is_open(now, self.state_ttl_secs) {
            return self.late(&flow, budget, line).await;
        }
        match outcome {
            Ok(code) => self.granted(&flow, &code, budget, line).await,
            Err(error) => self.refused(&flow, error, budget, line).await,
        }
    }

    /// Too late to claim; but a reload never turns a success into "expired".
    async fn late(&self, flow: &Flow, budget: &Budget, line: &mut RequestLine) -> Answer {
        match self.store.read_claim(&flow.claim_key, self.clock.now(), budget.claim_by).await {
            Ok(Some(_)) => {
                line.count(Metric::Repeated);
                Answer::Flow(flow.id())
            }
            Ok(None) => {
                line.reject("expired");
                Answer::Reason(Notice::Expired)
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a claim could not be read");
                Answer::Reason(Notice::StatusUnavailable)
            }
        }
    }

    /// Notion sent an error instead of a code. Claimed all the same, so that the state is spent and a reload shows
    /// the same page.
    async fn refused(
        &self,
        flow: &Flow,
        error: AuthorizationError,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Answer {
        let notice = notice_for(error);
        let attempt = random::attempt(&*self.random);
        match self.claim(flow, &attempt, Outcome::Ended(notice), budget).await {
            Ok(Claimed::Ours) => {
                if error == AuthorizationError::AccessDenied {
                    line.count(Metric::Refused);
                } else {
                    tracing::error!(
                        ?error,
                        alarm = "authorization_error",
                        "Notion refused the authorization"
                    );
                }
                Answer::Flow(flow.id())
            }
            Ok(Claimed::Before(_)) => {
                line.count(Metric::Repeated);
                Answer::Flow(flow.id())
            }
            // Nothing hangs on the claim of a refusal.
            Err(notice_instead) => {
                line.note("claim", notice_instead.key());
                Answer::Reason(notice)
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
        let in_hand = match until(budget.claim_by, Box::pin(self.secrets_in_hand())).await {
            Ok(Ok(in_hand)) => in_hand,
            Ok(Err(error)) => {
                let misconfigured = error.is_misconfiguration();
                tracing::error!(
                    alarm = if misconfigured { "misconfigured" } else { "secrets" },
                    error = &error as &dyn std::error::Error,
                    "a secret is not to be had"
                );
                return Answer::Reason(if misconfigured {
                    Notice::Misconfigured
                } else {
                    Notice::Unavailable
                });
            }
            Err(_out_of_time) => {
                tracing::error!(alarm = "secrets", "the secrets did not come in time");
                return Answer::Reason(Notice::Unavailable);
            }
        };
        let attempt = random::attempt(&*self.random);
        match self.claim(flow, &attempt, Outcome::Exchanging, budget).await {
            Ok(Claimed::Ours) => {}
            Ok(Claimed::Before(_)) => {
                line.count(Metric::Repeated);
                return Answer::Flow(flow.id());
            }
            Err(notice) => return Answer::Reason(notice),
        }
        match self.exchange_and_keep(flow, &attempt, code, in_hand, budget, line).await {
            Ok(answer) => answer,
            // The claim holds the outcome for whoever looks; if that cannot be written, the URL says it.
            Err(notice) => match self.store.settle(&flow.claim_key, &attempt, notice, budget.revoke_by).await
            {
                Ok(()) => Answer::Flow(flow.id()),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "an outcome could not be recorded"
                    );
                    Answer::Reason(notice)
                }
            },
        }
    }

    async fn secrets_in_hand(&self) -> Result<InHand, SecretError> {
        let (client_secret, key_ring) = tokio::join!(
            self.secrets.client_secret(Freshness::Cached, &*self.clock),
            self.secrets.key_ring(Freshness::Cached, &*self.clock),
        );
        Ok(InHand { client_secret: client_secret?, key_ring: key_ring? })
    }

    async fn claim(
        &self,
        flow: &Flow,
        attempt: &str,
        outcome: Outcome,
        budget: &Budget,
    ) -> Result<Claimed, Notice> {
        let now = self.clock.now();
        let claim = Claim {
            attempt: attempt.to_owned(),
            claimed_at: now,
            expires_at: flow.forget_at(now, self.state_ttl_secs),
            outcome,
        };
        self.store.claim(&flow.claim_key, &self.connection.client_id, &claim, budget.claim_by).await.map_err(
            |error| {
                tracing::error!(
                    alarm = "claim",
                    error = &error as &dyn std::error::Error,
                    "a state could not be claimed"
                );
                Notice::Unavailable
            },
        )
    }

    /// Shows how a flow stands, to the browser that holds its cookie.
    async fn look(&self, id: &FlowId, request: &Request, budget: &Budget, line: &mut RequestLine) -> Answer {
        line.note("flow", id.as_str());
        let now = self.clock.now();
        let cookies = FlowCookies::of(request.headers());
        let flow = match Flow::of_id(&self.connection, id, &cookies, now) {
            Ok(flow) => flow,
            Err(rejected) => {
                line.reject(rejected.key());
                return Answer::Notice(Notice::StateRejected);
            }
        };
        match self.store.read_claim(&flow.claim_key, now, budget.save_by).await {
            Ok(claim) => outcome::page_of(claim, now),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a claim could not be read");
                Answer::Notice(Notice::StatusUnavailable)
            }
        }
    }

    fn budget(&self, request: &Request) -> Budget {
        let deadline_ms = request.lambda_context_ref().map_or(0, |context| context.deadline);
        let remaining_ms = deadline_ms.saturating_sub(self.clock.now_millis().0);
        Budget::begin(Limits::default(), (deadline_ms > 0).then(|| Duration::from_millis(remaining_ms)))
    }
}

enum CleanPage {
    Flow(FlowId),
    Reason(Notice),
}

/// Whether the query asks for one of our own clean pages; a query with anything of Notion's in it does not.
fn clean_page(query: &Query) -> Result<Option<CleanPage>, MalformedResponse> {
    for name in ["code", "error", "state"] {
        if query.one(name)?.is_some() {
            return Ok(None);
        }
    }
    match (query.one("flow")?, query.one("reason")?) {
        (Some(id), None) => FlowId::parse(id).map(CleanPage::Flow).map(Some).ok_or(MalformedResponse::Empty),
        (None, Some(key)) => {
            Notice::parse(key).map(CleanPage::Reason).map(Some).ok_or(MalformedResponse::Empty)
        }
        (Some(_), Some(_)) => Err(MalformedResponse::Ambiguous),
        (None, None) => Ok(None),
    }
}

impl AlwaysAnswers for Callback {
    fn function(&self) -> &'static str {
        "callback"
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    #[tracing::instrument(name = "callback", skip_all)]
    async fn handle(&self, request: Request) -> Response<Body> {
        let mut line = RequestLine::begin(self.function());
        let answer = self.answer(&request, &mut line).await;
        let response = answer.response(&self.pages, request.headers());
        line.end(&*self.clock, answer.key(), response.status());
        response
    }
}
