//! The authorization request: what it must contain, and what Allow or Cancel leads to.
//!
//! Sources: Notion's authorization guide; RFC 6749 §4.1.1 and §4.1.2. The error page and the validation errors
//! are as seen live.

use std::borrow::Cow;

use axum::http::StatusCode;

use crate::connection::Connection;
use crate::error::NotionError;
use crate::grant::Authorization;
use crate::notion::Notion;
use crate::settings::OutsideScope;

/// A person's decision on an authorization request, for tests that do not need a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// The query of the authorization URL: what follows the `?`.
    pub authorize_query: String,
    /// The id of the person who decides.
    pub person: String,
    /// The id of the workspace they are in.
    pub workspace: String,
    /// The ids of the pages they select. Ids that the picker does not show are rejected.
    pub pages: Vec<String>,
    /// Whether they duplicate the connection's template instead of selecting pages.
    pub duplicate_template: bool,
    /// Whether they press Cancel instead of Allow.
    pub cancel: bool,
}

/// Where the browser goes after the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The redirect URI with the authorization response in its query (RFC 6749 §4.1.2).
    pub location: String,
}

impl Redirect {
    /// The first value of a query parameter, decoded: `code`, `state` or `error`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }
}

/// Why an authorization request fails, or the redirect that it leads to instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The query itself is broken: JSON with status 400.
    Query(NotionError),
    /// Notion's page "Something went wrong" with this explanation; never a redirect.
    Page(&'static str),
    /// The app is told on its redirect URI (RFC 6749 §4.1.2.1).
    Redirect(Redirect),
    /// The person can correct it on the consent page.
    Consent(&'static str),
}

pub(crate) const NO_PAGE: &str = "Select at least one page to continue";
pub(crate) const BAD_CLIENT: &str = "Missing or incomplete Client ID";
pub(crate) const BAD_REDIRECT_URI: &str = "Missing or invalid redirect_uri";

impl From<Refusal> for NotionError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Query(error) => error,
            Refusal::Page(text) | Refusal::Consent(text) => Self::invalid_request(text),
            Refusal::Redirect(redirect) => {
                let code = redirect.parameter("error").unwrap_or_default();
                Self::oauth(StatusCode::BAD_REQUEST, &code, Some("The app is told on its redirect URI."))
            }
        }
    }
}

/// The parameters of an authorization request (RFC 6749 §4.1.1, plus `owner`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorizationRequest {
    pub(crate) connection: Connection,
    /// Where the response is sent.
    pub(crate) redirect_uri: String,
    /// Whether the request named it. That decides what the token request must contain.
    pub(crate) names_redirect_uri: bool,
    pub(crate) state: Option<String>,
}

impl AuthorizationRequest {
    /// The redirect URI with these parameters added. Its own query is kept.
    fn redirect(&self, parameters: &[(&str, &str)]) -> Redirect {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        Redirect { location: format!("{}{separator}{query}", self.redirect_uri) }
    }

    /// An authorization error response (RFC 6749 §4.1.2.1).
    fn redirect_error(&self, notion: &Notion, error: &str, description: &str) -> Redirect {
        let mut parameters = vec![("error", error)];
        if notion.settings.error_description_on_redirect {
            parameters.push(("error_description", description));
        }
        match &self.state {
            Some(state) if notion.settings.cancel_carries_state => parameters.push(("state", state)),
            None if notion.settings.cancel_sends_empty_state => parameters.push(("state", "")),
            _ => {}
        }
        self.redirect(&parameters)
    }

    /// The host and port that the consent page warns about.
    pub(crate) fn redirect_host(&self) -> &str {
        let after_scheme =
            self.redirect_uri.split_once("://").map_or(self.redirect_uri.as_str(), |(_, rest)| rest);
        after_scheme.split(['/', '?']).next().unwrap_or_default()
    }
}

/// The query parameters that Notion knows, each at most once.
struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    const KNOWN: [&'static str; 5] = ["client_id", "redirect_uri", "response_type", "owner", "state"];

    fn parse(query: &'a str) -> Result<Self, Refusal> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        for name in Self::KNOWN {
            if pairs.iter().filter(|(key, _)| key == name).count() > 1 {
                return Err(Self::broken(name, "should be a string or `undefined`", "an array"));
            }
        }
        let query = Self(pairs);
        match query.value("client_id") {
            // Notion reads digits as a number, and says so in the error.
            Some(id) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(Self::broken("client_id", "should be a string or `undefined`", &format!("`{id}`")))
            }
            _ => Ok(query),
        }
    }

    fn broken(name: &str, should: &str, instead: &str) -> Refusal {
        Refusal::Query(NotionError::invalid_request(&format!(
            "query failed validation: query.{name} {should}, instead was {instead}."
        )))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(key, value)| (key == name).then_some(value.as_ref()))
    }
}

impl Notion {
    /// Checks the query of an authorization URL.
    ///
    /// # Errors
    ///
    /// - [`Refusal::Query`]: a parameter is repeated or of the wrong type
    /// - [`Refusal::Page`]: the client id or redirect URI is unknown
    /// - [`Refusal::Redirect`]: `response_type` or `owner` is missing or not supported
    pub(crate) fn authorization_request(&self, query: &str) -> Result<AuthorizationRequest, Refusal> {
        let query = Query::parse(query)?;
        if self.settings.code_challenge_breaks_authorize
            && let Some(challenge) = query.value("code_challenge")
        {
            return Err(Query::broken(
                "code_challenge",
                "should be not present",
                &format!("`\"{challenge}\"`"),
            ));
        }
        let connection = query.value("client_id").and_then(|id| self.connection(id));
        let connection = connection.ok_or(Refusal::Page(BAD_CLIENT))?.clone();
        let named = query.value("redirect_uri");
        let redirect_uri = match (named, connection.redirect_uris.as_slice()) {
            (Some(uri), registered) if registered.iter().any(|known| known == uri) => uri.to_owned(),
            (None, [only]) if self.settings.redirect_uri_may_be_omitted => only.clone(),
            _ => return Err(Refusal::Page(BAD_REDIRECT_URI)),
        };
        let request = AuthorizationRequest {
            connection,
            redirect_uri,
            names_redirect_uri: named.is_some(),
            state: query.value("state").map(str::to_owned),
        };
        let refuse =
            |error, description| Err(Refusal::Redirect(request.redirect_error(self, error, description)));
        match (query.value("response_type"), query.value("owner")) {
            (None, _) => refuse("invalid_request", "response_type is missing"),
            // Any other owner also gets a user's token: Notion's changelog of 2021-10-19.
            (Some("code"), None) => refuse("invalid_request", "owner is missing"),
            (Some("code"), Some(_)) => Ok(request),
            (Some(_), _) => refuse("unsupported_response_type", "response_type is not code"),
        }
    }

    /// The result of the person's decision. Allow issues a code; the grant begins with its exchange.
    ///
    /// # Errors
    ///
    /// Those of [`Notion::authorization_request`]; also [`Refusal::Consent`] for a person who is not a member, a page
    /// that the picker does not show, or no page at all, and the one chosen by
    /// [`Settings::outside_installation_scope`](crate::Settings).
    pub(crate) fn decide(&mut self, approval: Approval) -> Result<Redirect, Refusal> {
        let request = self.authorization_request(&approval.authorize_query)?;
        if approval.cancel {
            return Ok(request.redirect_error(self, "access_denied", "The user cancelled."));
        }
        if self.member(&approval.workspace, &approval.person).is_none() {
            return Err(Refusal::Consent("Choose a person who is a member of the workspace"));
        }
        self.check_installation_scope(&request, &approval.workspace)?;
        let (pages, duplicated_template_id) = self.chosen_pages(&request, &approval)?;

        let code = self.random.uuid();
        self.memory.secrets_issued.push(code.clone());
        let now = self.now_ms();
        self.memory.authorizations.push(Authorization {
            code: code.clone(),
            client_id: request.connection.client_id.clone(),
            redirect_uri: request.names_redirect_uri.then(|| request.redirect_uri.clone()),
            person_id: approval.person,
            workspace_id: approval.workspace,
            pages,
            duplicated_template_id,
            issued_at_ms: now,
            family: None,
            revoked: false,
        });
        let mut parameters = vec![("code", code.as_str())];
        parameters.extend(request.state.as_deref().map(|state| ("state", state)));
        Ok(request.redirect(&parameters))
    }

    /// Rejects a workspace outside the connection's installation scope.
    pub(crate) fn check_installation_scope(
        &self,
        request: &AuthorizationRequest,
        workspace_id: &str,
    ) -> Result<(), Refusal> {
        if request.connection.workspaces.covers(workspace_id) {
            return Ok(());
        }
        Err(match self.settings.outside_installation_scope {
            OutsideScope::ErrorPage => Refusal::Page("This connection cannot be installed in this workspace"),
            OutsideScope::AccessDenied => Refusal::Redirect(request.redirect_error(
                self,
                "access_denied",
                "The workspace is outside the installation scope.",
            )),
        })
    }

    /// The pages to share, and the id of the page made from the template if it was duplicated.
    fn chosen_pages(
        &mut self,
        request: &AuthorizationRequest,
        approval: &Approval,
    ) -> Result<(Vec<String>, Option<String>), Refusal> {
        let is_shown = |id: &String| self.page_shown(&approval.workspace, &approval.person, id).is_some();
        if !approval.pages.iter().all(is_shown) {
            return Err(Refusal::Consent("Select only pages from the list"));
        }
        let mut pages = approval.pages.clone();
        let template = request.connection.template.as_ref().filter(|_| approval.duplicate_template);
        let Some(title) = template else {
            let missing = pages.is_empty() && self.settings.require_page;
            return if missing { Err(Refusal::Consent(NO_PAGE)) } else { Ok((pages, None)) };
        };
        let made = self.duplicate_template(&approval.workspace, &approval.person, title);
        // Templates are checked at the start.
        let id = made.map_err(|_| Refusal::Consent("The template cannot be duplicated"))?;
        pages.push(id.clone());
        Ok((pages, Some(id)))
    }
}
