//! `GET /callback`: Notion redirects the person here.
//!
//! The order matters (see DESIGN.md). The request is verified before anything is claimed. The state is claimed and
//! the secrets are loaded before anything is exchanged. The tokens are safe before anything is answered. Every
//! outcome ends in a redirect to a clean URL, so that neither code nor state stays in the address bar, or back to the app
//! that asked for the install.

mod keep;
mod outcome;
mod returning;
mod steps;

use lambda_http::{Body, Request, RequestExt as _, Response};
use shared::clock::Clock;
use shared::config::{Branding, Lookup, allowed_workspaces, state_ttl_secs};
use shared::entry::browser::AlwaysAnswers;
use shared::pages::{Notice, Pages};
use shared::random::Random;
use shared::return_destination::ReturnDestinations;
use shared::telemetry::RequestLine;
use vault::budget::Budget;
use vault::{SetUpError, Vault};

/// The function's state.
pub struct Callback {
    vault: Vault,
    allowed_workspaces: Option<Vec<String>>,
    state_ttl_secs: u64,
    destinations: ReturnDestinations,
    pages: Pages,
}

impl Callback {
    /// Reads the settings: those of the vault and the pages, `ALLOWED_WORKSPACES` (workspace ids, separated by commas;
    /// default: any workspace), `RETURN_DESTINATIONS` and `CLAIM_WINDOW_MINUTES`.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        Ok(Self {
            vault: Vault::read(lookup, clock, random)?.with_claim_window(lookup)?,
            allowed_workspaces: allowed_workspaces(lookup)?,
            state_ttl_secs: state_ttl_secs(lookup)?,
            destinations: ReturnDestinations::read(lookup)?,
            pages: Pages::new(Branding::read(lookup)?),
        })
    }

    fn budget(&self, request: &Request) -> Budget {
        self.vault.budget(request.lambda_context_ref().map_or(0, |context| context.deadline))
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
        &*self.vault.clock
    }

    async fn warm_up(&self) {
        self.vault.warm_up().await;
    }

    fn clean_url(&self, notice: Notice) -> Option<String> {
        Some(notice.clean_url(None))
    }

    async fn handle(&self, request: Request) -> Response<Body> {
        let mut line = RequestLine::begin(self.function());
        let spoken = Box::pin(self.answer(&request, &mut line)).await;
        let response = spoken.response(&self.pages, request.headers());
        line.end(&*self.vault.clock, spoken.answer.key(), response.status());
        response
    }
}
