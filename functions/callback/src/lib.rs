//! `GET /callback`: what Notion sends the person back to.
//!
//! The order is the point (see DESIGN.md): nothing is claimed before the request proves itself, nothing is
//! exchanged before the state is claimed and the secrets are in hand, nothing is answered before the tokens are
//! safe. Every outcome ends in a redirect to a clean URL, so that neither code nor state stays in the address bar.

mod keep;
mod outcome;
mod steps;

use lambda_http::{Body, Request, RequestExt as _, Response};
use shared::clock::Clock;
use shared::config::{Branding, Lookup, allowed_workspaces, state_ttl_secs};
use shared::entry::browser::AlwaysAnswers;
use shared::pages::{Notice, Pages};
use shared::random::Random;
use shared::telemetry::RequestLine;
use vault::budget::Budget;
use vault::{SetUpError, Vault};

/// What the function holds.
pub struct Callback {
    vault: Vault,
    allowed_workspaces: Option<Vec<String>>,
    state_ttl_secs: u64,
    pages: Pages,
}

impl Callback {
    /// Reads the settings: those of the vault and of the pages, and `ALLOWED_WORKSPACES` (workspace ids, separated by
    /// commas; default: any workspace).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] naming the variable that is missing or wrong.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        Ok(Self {
            vault: Vault::read(lookup, clock, random)?,
            allowed_workspaces: allowed_workspaces(lookup)?,
            state_ttl_secs: state_ttl_secs(lookup)?,
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
        Some(notice.clean_url())
    }

    async fn handle(&self, request: Request) -> Response<Body> {
        let mut line = RequestLine::begin(self.function());
        let answer = Box::pin(self.answer(&request, &mut line)).await;
        let response = answer.response(&self.pages, request.headers());
        line.end(&*self.vault.clock, answer.key(), response.status());
        response
    }
}
