//! From an outcome to a response.

use http::{HeaderMap, StatusCode};
use lambda_http::{Body, Response};
use shared::authorization::AuthorizationError;
use shared::clock::UnixSeconds;
use shared::flow::FlowId;
use shared::pages::{Connected, Notice, Pages};
use vault::store::{Claim, Led, Outcome};

/// After how long a claim that still says `exchanging` has been cut off, in seconds: the function's time (25) and
/// some skew.
const CUT_OFF_AFTER_SECS: u64 = 30;

/// What a request comes to.
pub(crate) enum Answer {
    /// Go to the flow's clean page.
    Flow(FlowId),
    /// Go to the clean page of a fixed reason.
    Reason(Notice),
    /// Go to `/install`.
    StartOver,
    /// Show a fixed page here.
    Notice(Notice),
    /// Show here how a flow ended: what went wrong then went wrong then.
    Ended(Notice),
    /// Show that it worked, here.
    Connected(Connected),
}

impl Answer {
    /// Relative locations: the deployment may live under a path of its own.
    pub(crate) fn response(&self, pages: &Pages, headers: &HeaderMap) -> Response<Body> {
        let see = |location: &str| pages.redirect(StatusCode::SEE_OTHER, location, &[]);
        match self {
            Self::Flow(id) => see(&format!("?flow={}", id.as_str())),
            Self::Reason(notice) => see(&notice.clean_url()),
            Self::StartOver => see("install"),
            Self::Notice(notice) => pages.notice(*notice, headers),
            Self::Ended(notice) => pages.ended(*notice, headers),
            Self::Connected(connected) => pages.connected(connected, headers),
        }
    }

    /// The fixed key, for the request line.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Flow(_) => "to_flow",
            Self::StartOver => "start_over",
            Self::Connected(_) => "connected",
            Self::Reason(notice) | Self::Notice(notice) | Self::Ended(notice) => notice.key(),
        }
    }
}

/// What a flow's claim says of it.
pub(crate) enum Page {
    /// It led to an installation.
    Connected(Led),
    /// Anything else has a page without particulars.
    Fixed(Answer),
}

/// The page of a flow whose claim reads so.
pub(crate) fn page_of(claim: Option<Claim>, now: UnixSeconds) -> Page {
    Page::Fixed(Answer::Ended(match claim {
        None => Notice::Expired,
        Some(claim) => match claim.outcome {
            Outcome::Connected(led) => return Page::Connected(led),
            Outcome::Ended(notice) => notice,
            Outcome::Exchanging if now >= claim.claimed_at.plus_secs(CUT_OFF_AFTER_SECS) => {
                Notice::OutcomeUnknown
            }
            Outcome::Exchanging => Notice::InProgress,
        },
    }))
}

/// The page for an error that Notion sent instead of a code.
pub(crate) fn notice_for(error: AuthorizationError) -> Notice {
    match error {
        AuthorizationError::AccessDenied => Notice::Refused,
        AuthorizationError::Misconfigured => Notice::Misconfigured,
        AuthorizationError::Unavailable | AuthorizationError::Unknown => Notice::Unavailable,
    }
}
