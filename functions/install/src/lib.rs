//! `GET /install`: draws a nonce, keeps it in a cookie in this browser, and redirects the person to Notion with a
//! state that commits to it.
//!
//! An app that wants to know how it ends adds `return_to` (the key of a return destination), `code_challenge` (RFC
//! 7636, S256), `state` (its own, optional) and, to renew an installation, `expect`. They travel in the cookie. A
//! mistake among them gets a page of ours with 400, never a redirect. Without `return_to`, they are ignored. With or
//! without an app, `ui_locales` names the language of the pages (OpenID Connect Core §3.1.2.1); it travels in the cookie,
//! too.
//!
//! Anyone can call this, so it holds nothing: no secret, no network access, no permission. Requests store nothing.

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use shared::app_request::BadAppRequest;
use shared::authorization;
use shared::clock::Clock;
use shared::config::{Branding, ConfigError, Lookup, PublicConnection, state_ttl_secs};
use shared::entry::browser::AlwaysAnswers;
use shared::flow::{Flow, FlowCookies};
use shared::install_request::{InstallRequest, language_of};
use shared::pages::{Pages, Visitor};
use shared::random::Random;
use shared::return_destination::ReturnDestinations;
use shared::telemetry::{Metric, RequestLine};
use shared::visit;

/// The function's state.
pub struct Install {
    connection: PublicConnection,
    state_ttl_secs: u64,
    destinations: ReturnDestinations,
    pages: Pages,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
}

impl Install {
    /// Reads the settings of the public connection and of the pages, and `RETURN_DESTINATIONS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            connection: PublicConnection::read(lookup)?,
            state_ttl_secs: state_ttl_secs(lookup)?,
            destinations: ReturnDestinations::read(lookup)?,
            pages: Pages::new(Branding::read(lookup)?),
            clock: Box::new(clock),
            random: Box::new(random),
        })
    }

    fn start(&self, request: &Request) -> Result<Response<Body>, BadAppRequest> {
        let asked = InstallRequest::read(request.uri().query().unwrap_or_default(), &self.destinations)?;
        let flow = Flow::issue(&self.connection, asked, self.clock.now(), &*self.random);
        let mut cookies = FlowCookies::of(request.headers()).make_room();
        cookies.push(flow.set_cookie(self.state_ttl_secs));
        let notion = authorization::request_url(&self.connection, &flow.state);
        Ok(self.pages.redirect(StatusCode::FOUND, &notion, &cookies))
    }
}

impl AlwaysAnswers for Install {
    fn function(&self) -> &'static str {
        "install"
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn handle(&self, request: Request) -> Response<Body> {
        let visitor = || Visitor {
            headers: request.headers(),
            named: language_of(request.uri().query().unwrap_or_default()),
        };
        let mut line = RequestLine::begin(self.function());
        let (outcome, response) = match visit::check(request.method(), request.headers()) {
            Ok(()) => match self.start(&request) {
                Ok(response) => {
                    line.count(Metric::Started);
                    ("started", response)
                }
                Err(problem) => {
                    line.reject(problem.key());
                    (problem.key(), self.pages.bad_app_request(problem, visitor()))
                }
            },
            Err(reason) => {
                line.reject(reason.key());
                let notice = reason.notice();
                (notice.key(), self.pages.notice(notice, visitor()))
            }
        };
        line.end(&*self.clock, outcome, response.status());
        response
    }
}
