//! What a person sees: a page in a browser, or problem details (RFC 9457) for a client that asks for JSON.
//!
//! The wording is fixed, in each language. Names from Notion are escaped by the template, shortened, and stripped of
//! control and direction characters. Nothing else from a request or from Notion is ever shown, but the address of a page
//! that was prepared, as a link.
//!
//! JSON is for programs, and for those who write them: its texts are in English, so that the same outcome always reads
//! the same. A program that shows an outcome to somebody has its own words for each `type`.

mod connected;
mod look;
mod notice;
mod texts;
mod visitor;

use std::borrow::Cow;
use std::sync::OnceLock;

use askama::Template as _;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde_json::{Map, Value, json};

use crate::app_request::BadAppRequest;
use crate::config::Branding;
use crate::language::Language;
pub use connected::{Connected, MAX_NAME_CHARS, Preparation};
use look::{Look, POLICY};
pub use notice::Notice;
pub use visitor::Visitor;

/// How often a waiting page reloads, in seconds.
pub const REFRESH_SECS: u64 = 2;

/// Builds every response to a browser.
#[derive(Debug, Clone)]
pub struct Pages {
    branding: Branding,
    /// Built for the first page: most processes of `install` never show one.
    look: OnceLock<Look>,
}

#[derive(askama::Template)]
#[template(path = "page.html")]
struct Page<'a> {
    language: Language,
    branding: &'a Branding,
    style: &'a str,
    links: Vec<(&'static str, &'a str)>,
    title: Cow<'static, str>,
    text: Cow<'static, str>,
    whom_to_ask: Option<String>,
    facts: Vec<Fact>,
    mood: &'static str,
    refresh_secs: Option<u64>,
    actions: Vec<(Cow<'static, str>, Cow<'a, str>)>,
}

struct Fact {
    name: &'static str,
    value: String,
    /// The tag of its language, if that is known and not the page's.
    language: Option<&'static str>,
}

impl Pages {
    /// Pages with this look.
    #[must_use]
    pub fn new(branding: Branding) -> Self {
        Self { branding, look: OnceLock::new() }
    }

    fn look(&self) -> &Look {
        self.look.get_or_init(|| Look::of(&self.branding))
    }

    /// A page with nothing on it but a title, a text and the app's links.
    fn page(
        &self,
        language: Language,
        mood: &'static str,
        title: Cow<'static, str>,
        text: Cow<'static, str>,
    ) -> Page<'_> {
        let Branding { support_url, privacy_url, terms_url, .. } = &self.branding;
        let links = [
            (language.support(), support_url),
            (language.privacy(), privacy_url),
            (language.terms(), terms_url),
        ];
        Page {
            language,
            branding: &self.branding,
            style: &self.look().css,
            links: links.into_iter().filter_map(|(label, url)| Some((label, url.as_deref()?))).collect(),
            title,
            text,
            whom_to_ask: None,
            facts: Vec::new(),
            mood,
            refresh_secs: None,
            actions: Vec::new(),
        }
    }

    /// Says on a page whom to ask: with a button, if there is a support.
    fn say_whom_to_ask<'a>(&'a self, page: &mut Page<'a>) {
        let (language, app) = (page.language, &self.branding.app_name);
        page.whom_to_ask = Some(match &self.branding.support_url {
            Some(url) => {
                page.actions.push((language.contact_support().into(), url.into()));
                language.ask_support(app)
            }
            None => language.ask_operator(app),
        });
    }

    /// The page for an outcome without details.
    #[must_use]
    pub fn notice(&self, notice: Notice, visitor: Visitor<'_>) -> Response<Body> {
        self.notice_with(notice.status(), notice, visitor)
    }

    /// The page for how a flow ended, at its clean URL. The page shows a failure, but showing it did not fail:
    /// however often somebody opens it, the status is not a server error.
    #[must_use]
    pub fn ended(&self, notice: Notice, visitor: Visitor<'_>) -> Response<Body> {
        let status = notice.status();
        self.notice_with(if status.is_server_error() { StatusCode::OK } else { status }, notice, visitor)
    }

    fn notice_with(&self, status: StatusCode, notice: Notice, visitor: Visitor<'_>) -> Response<Body> {
        let app = &self.branding.app_name;
        if visitor.wants_json() {
            let next = notice.action(Language::En).map(|_| visitor.install_url());
            let (title, text) = (notice.title(Language::En, app), notice.text(Language::En, app));
            return Self::problem(status, notice.key(), &title, &text, next);
        }
        let language = visitor.language();
        let mut page =
            self.page(language, notice.mood(), notice.title(language, app), notice.text(language, app));
        page.refresh_secs = (notice == Notice::InProgress).then_some(REFRESH_SECS);
        let action = notice.action(language).map(|label| (label.into(), visitor.install_url().into()));
        page.actions.extend(action);
        if notice.needs_help() {
            self.say_whom_to_ask(&mut page);
        }
        self.html(status, &page)
    }

    /// The page for a developer whose app sent a person to us with a request that cannot be served.
    #[must_use]
    pub fn bad_app_request(&self, problem: BadAppRequest, visitor: Visitor<'_>) -> Response<Body> {
        let (status, app) = (StatusCode::BAD_REQUEST, &self.branding.app_name);
        if visitor.wants_json() {
            let title = Language::En.bad_request_title(app);
            return Self::problem(status, problem.key(), &title, &problem.to_string(), None);
        }
        let language = visitor.language();
        let (title, text) = (language.bad_request_title(app), language.bad_request_text(app));
        let mut page = self.page(language, "bad", title.into(), text.into());
        page.facts.push(Fact {
            name: language.fact_developer(),
            value: problem.to_string(),
            language: Some(Language::En.tag()),
        });
        self.say_whom_to_ask(&mut page);
        self.html(status, &page)
    }

    /// The page after a successful installation.
    #[must_use]
    pub fn connected(&self, connected: &Connected, visitor: Visitor<'_>) -> Response<Body> {
        let [workspace, person] = connected.names();
        let landing_url = connected.preparation.as_ref().and_then(Preparation::landing_url);
        if visitor.wants_json() {
            let mut body = json!({
                "status": "connected",
                "workspace_name": workspace,
                "person_name": person,
                "template_duplicated": connected.template_duplicated,
            });
            if let Some(preparation) = &connected.preparation {
                body["onboarding"] = json!({"status": preparation.key(), "landing_url": landing_url});
            }
            return Self::json(StatusCode::OK, &body);
        }
        let (language, app) = (visitor.language(), &self.branding.app_name);
        let template = if connected.template_duplicated {
            language.template_added()
        } else {
            language.template_not_added()
        };
        let facts = [
            (language.fact_workspace(), workspace),
            (language.fact_person(), person),
            (language.fact_template(), Some(template.to_owned())),
        ];
        let facts =
            facts.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value?, language: None }));
        let landing = landing_url.map(|url| (language.open_in_notion().into(), url.into()));
        let next = self.branding.next_url.as_deref();
        let next = next.map(|url| (language.continue_to_app(app).into(), url.into()));
        let page = Page {
            facts: facts.collect(),
            refresh_secs: connected.is_watched().then_some(REFRESH_SECS),
            actions: landing.into_iter().chain(next).collect(),
            ..self.page(
                language,
                "good",
                language.connected_title(app).into(),
                connected.text(language).into(),
            )
        };
        self.html(StatusCode::OK, &page)
    }

    /// A redirect with cookies to set (`Set-Cookie` values).
    ///
    /// `status` is 302 for a redirect to Notion and 303 for one to a clean URL of ours.
    #[must_use]
    pub fn redirect(&self, status: StatusCode, location: &str, set_cookies: &[String]) -> Response<Body> {
        let mut response = Self::answer(status, Body::Empty);
        let headers = response.headers_mut();
        let Ok(location) = HeaderValue::from_str(location) else {
            return self.notice(Notice::Misconfigured, Visitor::of(&HeaderMap::new()));
        };
        headers.insert(header::LOCATION, location);
        for cookie in set_cookies {
            let Ok(cookie) = HeaderValue::from_str(cookie) else {
                return self.notice(Notice::Misconfigured, Visitor::of(&HeaderMap::new()));
            };
            headers.append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn html(&self, status: StatusCode, page: &Page<'_>) -> Response<Body> {
        let mut response = match page.render() {
            Ok(html) => Self::answer(status, Body::Text(html)),
            Err(error) => {
                tracing::error!(%error, "a page could not be rendered");
                Self::answer(StatusCode::INTERNAL_SERVER_ERROR, Body::Empty)
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.look().content_security_policy.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(page.language.tag()));
        response
    }

    /// Problem details (RFC 9457), in English. `next`: where the person starts over, relative to `/callback`.
    fn problem(
        status: StatusCode,
        key: &str,
        title: &str,
        detail: &str,
        next: Option<String>,
    ) -> Response<Body> {
        // A program gets the name in a title as it is, without the marks that keep its direction to itself on a page.
        let plain = |text: &str| text.replace(['\u{2068}', '\u{2069}'], "");
        let mut problem = Map::new();
        problem.insert("type".to_owned(), format!("urn:notion-install:{key}").into());
        problem.insert("title".to_owned(), plain(title).into());
        problem.insert("status".to_owned(), status.as_u16().into());
        problem.insert("detail".to_owned(), plain(detail).into());
        if let Some(next) = next {
            problem.insert("next".to_owned(), next.into());
        }
        let mut response = Self::text(status, &problem.into(), "application/problem+json");
        let language = HeaderValue::from_static(Language::En.tag());
        response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
        response
    }

    /// An answer for a program, with the same headers as a page.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
        let content_type = if status.is_success() { "application/json" } else { "application/problem+json" };
        Self::text(status, body, content_type)
    }

    fn text(status: StatusCode, body: &Value, content_type: &'static str) -> Response<Body> {
        let mut response = Self::answer(status, Body::Text(body.to_string()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// Every response starts here, so each has the full set of security headers.
    fn answer(status: StatusCode, body: Body) -> Response<Body> {
        const FIXED: [(HeaderName, &str); 8] = [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("x-robots-tag"), "noindex"),
        ];
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        for (name, value) in FIXED {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests;
