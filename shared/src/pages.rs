//! What a person sees: a page in a browser, or problem details (RFC 9457) for a client that asks for JSON.
//!
//! The wording is fixed. Names from Notion are escaped by the template, shortened, and stripped of control and
//! direction characters. Nothing else from a request or from Notion is ever shown, but the address of a page that was
//! prepared, as a link.

mod notice;

use std::sync::OnceLock;

use askama::Template as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::app_request::BadAppRequest;
use crate::config::Branding;
pub use notice::Notice;

/// The longest name that a page shows, in characters.
pub const MAX_NAME_CHARS: usize = 80;
/// How often a waiting page reloads, in seconds.
pub const REFRESH_SECS: u64 = 2;
const SAVED: &str = "Your approval is saved. You can close this page.";

/// What the page says about an installation. Holds no token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connected {
    /// The workspace's name, if it has one.
    pub workspace_name: Option<String>,
    /// The person's name, or the closest thing to it.
    pub person_name: Option<String>,
    /// Whether Notion duplicated the template into the workspace.
    pub template_duplicated: bool,
    /// How far the workspace is prepared; `None` if nothing is to be prepared.
    pub preparation: Option<Preparation>,
}

/// How far a workspace is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// Something is being made. `is_watched`: the page looks again by itself, as it may be a matter of seconds.
    UnderWay {
        /// Whether the page looks again.
        is_watched: bool,
        /// The address of the page to begin at, if it is there already.
        landing_url: Option<String>,
    },
    /// It is prepared.
    Done {
        /// The address of the page to begin at.
        landing_url: Option<String>,
    },
    /// It could not be prepared.
    Failed,
}

impl Preparation {
    fn key(&self) -> &'static str {
        match self {
            Self::UnderWay { .. } => "pending",
            Self::Done { .. } => "completed",
            Self::Failed => "failed",
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::UnderWay { is_watched: true, .. } => {
                "Your approval is saved. Your workspace is being prepared: that takes some seconds."
            }
            Self::UnderWay { .. } => {
                "Your approval is saved. Your workspace is still being prepared: what is made appears in the Private \
                 section of your Notion sidebar. You can close this page."
            }
            Self::Done { .. } => {
                "Your approval is saved, and your workspace is prepared. You can close this page."
            }
            Self::Failed => {
                "Your approval is saved, but your workspace could not be prepared. The connection works all the same."
            }
        }
    }

    /// The address of the page to begin at, if it can be a link.
    fn landing_url(&self) -> Option<&str> {
        let (Self::UnderWay { landing_url, .. } | Self::Done { landing_url }) = self else { return None };
        let url = landing_url.as_deref()?;
        let is_web =
            ["https://", "http://localhost:", "http://127.0.0.1:"].iter().any(|web| url.starts_with(web));
        (is_web && url.bytes().all(|byte| byte.is_ascii_graphic())).then_some(url)
    }
}

/// Builds every response to a browser.
#[derive(Debug, Clone)]
pub struct Pages {
    branding: Branding,
    style: OnceLock<Style>,
}

/// The style with the app's colours, and the policy that contains its hash. Built for the first page: most processes
/// of `install` never show one.
#[derive(Debug, Clone)]
struct Style {
    css: String,
    content_security_policy: HeaderValue,
}

/// For responses without a page.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(askama::Template)]
#[template(path = "page.html")]
struct Page<'a> {
    app_name: &'a str,
    style: &'a str,
    title: String,
    text: &'a str,
    facts: Vec<(&'static str, String)>,
    mood: &'static str,
    refresh_secs: Option<u64>,
    actions: Vec<(String, &'a str)>,
}

impl Pages {
    /// Pages with this look.
    #[must_use]
    pub fn new(branding: Branding) -> Self {
        Self { branding, style: OnceLock::new() }
    }

    fn style(&self) -> &Style {
        self.style.get_or_init(|| {
            let css = include_str!("../templates/style.css")
                .replace("--accent: #2f5d50", &format!("--accent: {}", self.branding.app_color))
                .replace(
                    "--on-accent: #ffffff",
                    &format!("--on-accent: {}", self.branding.app_color.readable_text()),
                );
            let hash = STANDARD.encode(Sha256::digest(&css));
            #[expect(clippy::expect_used, reason = "fixed text and base64 make a valid header value")]
            let content_security_policy =
                HeaderValue::try_from(format!("{POLICY}; style-src 'sha256-{hash}'"))
                    .expect("a header value");
            Style { css, content_security_policy }
        })
    }

    /// The page for an outcome without details.
    #[must_use]
    pub fn notice(&self, notice: Notice, headers: &HeaderMap) -> Response<Body> {
        self.notice_with(notice.status(), notice, headers)
    }

    /// The page for how a flow ended, at its clean URL. The page shows a failure, but showing it did not fail:
    /// however often somebody opens it, the status is not a server error.
    #[must_use]
    pub fn ended(&self, notice: Notice, headers: &HeaderMap) -> Response<Body> {
        let status = notice.status();
        self.notice_with(if status.is_server_error() { StatusCode::OK } else { status }, notice, headers)
    }

    fn notice_with(&self, status: StatusCode, notice: Notice, headers: &HeaderMap) -> Response<Body> {
        if wants_json(headers) {
            return Self::text(status, &notice.problem(status), "application/problem+json");
        }
        let action = notice.action().map(|(label, target)| (label.to_owned(), target));
        self.html(
            status,
            &Page {
                app_name: &self.branding.app_name,
                style: &self.style().css,
                title: notice.title(&self.branding.app_name),
                text: notice.text(),
                facts: Vec::new(),
                mood: notice.mood(),
                refresh_secs: (notice == Notice::InProgress).then_some(REFRESH_SECS),
                actions: action.into_iter().collect(),
            },
        )
    }

    /// The page for a developer whose app sent a person to us with a request that cannot be served.
    #[must_use]
    pub fn bad_app_request(&self, problem: BadAppRequest, headers: &HeaderMap) -> Response<Body> {
        let status = StatusCode::BAD_REQUEST;
        let title = format!("{} sent you here with a request that is not correct", self.branding.app_name);
        if wants_json(headers) {
            let body = json!({
                "type": format!("urn:notion-install:{}", problem.key()),
                "title": title,
                "status": status.as_u16(),
                "detail": problem.to_string(),
            });
            return Self::text(status, &body, "application/problem+json");
        }
        self.html(
            status,
            &Page {
                app_name: &self.branding.app_name,
                style: &self.style().css,
                title,
                text: "Nothing was started, and there is nothing that you can do here. The people who run the app \
                       can correct it.",
                facts: vec![("For the developer", problem.to_string())],
                mood: "bad",
                refresh_secs: None,
                actions: Vec::new(),
            },
        )
    }

    /// The page after a successful installation.
    #[must_use]
    pub fn connected(&self, connected: &Connected, headers: &HeaderMap) -> Response<Body> {
        let workspace = connected.workspace_name.as_deref().map(display_name).filter(|name| !name.is_empty());
        let person = connected.person_name.as_deref().map(display_name).filter(|name| !name.is_empty());
        if wants_json(headers) {
            let mut body = json!({
                "status": "connected",
                "workspace_name": workspace,
                "person_name": person,
                "template_duplicated": connected.template_duplicated,
            });
            if let Some(preparation) = &connected.preparation {
                body["onboarding"] =
                    json!({"status": preparation.key(), "landing_url": preparation.landing_url()});
            }
            return Self::json(StatusCode::OK, &body);
        }
        let app_name = &self.branding.app_name;
        let template = if connected.template_duplicated { "Added to your workspace" } else { "Not added" };
        let is_watched =
            matches!(connected.preparation, Some(Preparation::UnderWay { is_watched: true, .. }));
        let landing = connected.preparation.as_ref().and_then(Preparation::landing_url);
        let landing = landing.map(|url| ("Open it in Notion".to_owned(), url));
        let next = self.branding.next_url.as_deref().map(|url| (format!("Continue to {app_name}"), url));
        let facts = [("Workspace", workspace), ("Person", person), ("Template", Some(template.to_owned()))];
        self.html(
            StatusCode::OK,
            &Page {
                app_name,
                style: &self.style().css,
                title: format!("{app_name} is connected to Notion"),
                text: connected.preparation.as_ref().map_or(SAVED, Preparation::text),
                facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
                mood: "good",
                refresh_secs: is_watched.then_some(REFRESH_SECS),
                actions: landing.into_iter().chain(next).collect(),
            },
        )
    }

    /// A redirect with cookies to set (`Set-Cookie` values).
    ///
    /// `status` is 302 for a redirect to Notion and 303 for one to a clean URL of ours.
    #[must_use]
    pub fn redirect(&self, status: StatusCode, location: &str, set_cookies: &[String]) -> Response<Body> {
        let mut response = Self::answer(status, Body::Empty);
        let headers = response.headers_mut();
        let Ok(location) = HeaderValue::from_str(location) else {
            return self.notice(Notice::Misconfigured, &HeaderMap::new());
        };
        headers.insert(header::LOCATION, location);
        for cookie in set_cookies {
            let Ok(cookie) = HeaderValue::from_str(cookie) else {
                return self.notice(Notice::Misconfigured, &HeaderMap::new());
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
        headers.insert(header::CONTENT_SECURITY_POLICY, self.style().content_security_policy.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
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
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        for (name, value) in FIXED {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Whether the client asks for JSON instead of a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = |media_type: &str| {
        headers.get_all(header::ACCEPT).iter().any(|value| {
            value.to_str().is_ok_and(|text| {
                text.split(',').any(|range| range.split(';').next().is_some_and(|t| t.trim() == media_type))
            })
        })
    };
    (accepts("application/json") || accepts("application/problem+json")) && !accepts("text/html")
}

/// A name made safe to show: no control or direction characters, at most [`MAX_NAME_CHARS`].
fn display_name(name: &str) -> String {
    let directs = |c: char| matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut shown: String =
        name.chars().filter(|c| !c.is_control() && !directs(*c)).take(MAX_NAME_CHARS).collect();
    if name.chars().count() > MAX_NAME_CHARS {
        shown.push('…');
    }
    shown.trim().to_owned()
}

impl Notice {
    fn problem(self, status: StatusCode) -> Value {
        let mut problem = Map::new();
        problem.insert("type".to_owned(), format!("urn:notion-install:{}", self.key()).into());
        problem.insert("title".to_owned(), self.title("The app").into());
        problem.insert("status".to_owned(), status.as_u16().into());
        problem.insert("detail".to_owned(), self.text().into());
        if let Some((_, target)) = self.action() {
            problem.insert("next".to_owned(), target.into());
        }
        problem.into()
    }
}

#[cfg(test)]
mod tests;
