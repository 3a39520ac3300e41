//! From an outcome to a response.

use http::{HeaderMap, StatusCode};
use lambda_http::{Body, Response};
use shared::authorization::AuthorizationError;
use shared::clock::UnixSeconds;
use shared::flow::{Flow, FlowId};
use shared::language::Language;
use shared::pages::{Connected, Notice, Pages, Visitor};
use vault::store::{Claim, Led, Outcome};

/// After this time, a claim that still says `exchanging` was cut off, in seconds: the function's time limit (25) plus
/// clock skew.
const CUT_OFF_AFTER_SECS: u64 = 30;

/// The answer to a request.
pub(crate) enum Answer {
    /// Redirect to the flow's clean page.
    Flow(FlowId),
    /// Redirect to the clean page of a fixed reason.
    Reason(Notice),
    /// Redirect to the app that asked for the install. The location may hold a code.
    ToApp { location: String, key: &'static str },
    /// Redirect to `/install`.
    StartOver,
    /// Show a fixed page here.
    Notice(Notice),
    /// Show here how a flow ended. A failure that is shown was already reported when it happened.
    Ended(Notice),
    /// Show here that the connection was made.
    Connected(Connected),
}

/// An answer, and the language that was named for it.
pub(crate) struct Spoken {
    pub(crate) answer: Answer,
    named: Option<Language>,
}

impl Spoken {
    /// Locations are relative, because the deployment may have a path prefix.
    pub(crate) fn response(&self, pages: &Pages, headers: &HeaderMap) -> Response<Body> {
        let see = |location: &str| pages.redirect(StatusCode::SEE_OTHER, location, &[]);
        let visitor = Visitor { headers, named: self.named };
        match &self.answer {
            // The flow's cookie has the language.
            Answer::Flow(id) => see(&format!("?flow={}", id.as_str())),
            Answer::Reason(notice) => see(&notice.clean_url(self.named)),
            Answer::ToApp { location, .. } => see(location),
            Answer::StartOver => see("install"),
            Answer::Notice(notice) => pages.notice(*notice, visitor),
            Answer::Ended(notice) => pages.ended(*notice, visitor),
            Answer::Connected(connected) => pages.connected(connected, visitor),
        }
    }
}

impl From<Answer> for Spoken {
    /// In the language that the browser accepts.
    fn from(answer: Answer) -> Self {
        Self { answer, named: None }
    }
}

impl Answer {
    /// In the language that was named when the flow began.
    pub(crate) fn of(self, flow: &Flow) -> Spoken {
        self.in_language(flow.language)
    }

    pub(crate) fn in_language(self, named: Option<Language>) -> Spoken {
        Spoken { answer: self, named }
    }

    /// The fixed key, for the request line.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Flow(_) => "to_flow",
            Self::ToApp { key, .. } => key,
            Self::StartOver => "start_over",
            Self::Connected(_) => "connected",
            Self::Reason(notice) | Self::Notice(notice) | Self::Ended(notice) => notice.key(),
        }
    }
}

/// What a flow's page shows.
pub(crate) enum Page {
    /// The flow led to an installation.
    Connected(Led),
    /// Any other outcome, whose page has no details.
    Fixed(Notice),
}

/// The page of a flow with this claim.
pub(crate) fn page_of(claim: Option<Claim>, now: UnixSeconds) -> Page {
    Page::Fixed(match claim {
        None => Notice::Expired,
        Some(claim) => match claim.outcome {
            Outcome::Connected(led) => return Page::Connected(led),
            Outcome::Ended(notice) => notice,
            Outcome::Exchanging if now >= claim.claimed_at.plus_secs(CUT_OFF_AFTER_SECS) => {
                Notice::OutcomeUnknown
            }
            Outcome::Exchanging => Notice::InProgress,
        },
    })
}

/// The page for an error that Notion sent instead of a code.
pub(crate) fn notice_for(error: AuthorizationError) -> Notice {
    match error {
        AuthorizationError::AccessDenied => Notice::Refused,
        AuthorizationError::Misconfigured => Notice::Misconfigured,
        AuthorizationError::Unavailable | AuthorizationError::Unknown => Notice::Unavailable,
    }
}
