//! `GET /callback`: what Notion sends the person back to.
//!
//! The order is the point (see DESIGN.md): nothing is claimed before the request proves itself, nothing is
//! exchanged before the state is claimed and the secrets are in hand, nothing is answered before the tokens are
//! safe. Every outcome ends in a redirect to a clean URL, so that neither code nor state stays in the address bar.

mod exchange;
mod keep;
mod outcome;
mod steps;

use std::time::Duration;

use lambda_http::{Body, Request, RequestExt as _, Response};
use shared::aws::Clients;
use shared::budget::{Budget, Limits};
use shared::clock::Clock;
use shared::config::{Branding, ConfigError, Lookup, PublicConnection, allowed_workspaces, state_ttl_secs};
use shared::entry::AlwaysAnswers;
use shared::http_client;
use shared::notion::Notion;
use shared::pages::{Notice, Pages};
use shared::random::Random;
use shared::secrets::{Freshness, Secrets};
use shared::store::{RescueQueue, Store};
use shared::telemetry::RequestLine;

/// How long INIT may wait for the warm-up, in milliseconds.
const WARM_UP_MS: u64 = 1500;

/// What the function holds.
pub struct Callback {
    connection: PublicConnection,
    allowed_workspaces: Option<Vec<String>>,
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
        Ok(Self {
            allowed_workspaces: allowed_workspaces(lookup)?,
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

    fn budget(&self, request: &Request) -> Budget {
        let deadline_ms = request.lambda_context_ref().map_or(0, |context| context.deadline);
        let remaining_ms = deadline_ms.saturating_sub(self.clock.now_millis().0);
        Budget::begin(Limits::default(), (deadline_ms > 0).then(|| Duration::from_millis(remaining_ms)))
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

    /// Fetches the secrets and opens the connections, all at once. What fails is tried again by the first request.
    async fn warm_up(&self) {
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

    fn clean_url(&self, notice: Notice) -> Option<String> {
        Some(notice.clean_url())
    }

    async fn handle(&self, request: Request) -> Response<Body> {
        let mut line = RequestLine::begin(self.function());
        let answer = Box::pin(self.answer(&request, &mut line)).await;
        let response = answer.response(&self.pages, request.headers());
        line.end(&*self.clock, answer.key(), response.status());
        response
    }
}
