//! The fixed outcomes. Each has one key, one status and one wording.

use http::StatusCode;

/// An outcome whose page has no details. Its key is used in clean URLs (`?reason=…`), claims and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The person pressed Cancel at Notion.
    Refused,
    /// Another request of the same flow is still running. The page reloads by itself.
    InProgress,
    /// It is unknown whether Notion issued a grant. The person should start again.
    OutcomeUnknown,
    /// The person took longer than the state is valid.
    Expired,
    /// The query is not an authorization response.
    Malformed,
    /// The state is not this browser's, or not one of ours.
    StateRejected,
    /// Notion did not accept the code (`invalid_grant`): it is too old, or was used elsewhere.
    CodeRejected,
    /// The workspace is not one that this deployment serves. The grant is revoked at Notion.
    NotAllowed,
    /// Notion or our own store is not reachable at the moment.
    Unavailable,
    /// The tokens are safe in the rescue queue. The sweep finishes the installation from there.
    Rescued,
    /// The tokens could not be stored. They were revoked at Notion if Notion could be reached.
    NotSaved,
    /// The installation was removed while this install was running.
    RemovedMeanwhile,
    /// A problem that only the deployer can fix.
    Misconfigured,
    /// The outcome of a flow cannot be looked up at the moment.
    StatusUnavailable,
    /// Not a person who opens the link, but a prefetch, a frame or a script.
    NotAVisit,
    /// Not `GET`.
    MethodNotAllowed,
    /// An unforeseen error of ours.
    Internal,
}

const TRY_AGAIN: Option<(&str, &str)> = Some(("Try again", "install"));

impl Notice {
    /// Every notice, for tests and for parsing keys.
    pub const ALL: [Self; 17] = [
        Self::Refused,
        Self::InProgress,
        Self::OutcomeUnknown,
        Self::Expired,
        Self::Malformed,
        Self::StateRejected,
        Self::CodeRejected,
        Self::NotAllowed,
        Self::Unavailable,
        Self::Rescued,
        Self::NotSaved,
        Self::RemovedMeanwhile,
        Self::Misconfigured,
        Self::StatusUnavailable,
        Self::NotAVisit,
        Self::MethodNotAllowed,
        Self::Internal,
    ];

    /// The fixed key.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::InProgress => "in_progress",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
            Self::StateRejected => "state_rejected",
            Self::CodeRejected => "code_rejected",
            Self::NotAllowed => "not_allowed",
            Self::Unavailable => "unavailable",
            Self::Rescued => "rescued",
            Self::NotSaved => "not_saved",
            Self::RemovedMeanwhile => "removed_meanwhile",
            Self::Misconfigured => "misconfigured",
            Self::StatusUnavailable => "status_unavailable",
            Self::NotAVisit => "not_a_visit",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Internal => "internal",
        }
    }

    /// Parses a key.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.key() == key)
    }

    /// The URL of its page, relative to `/callback`. It contains neither code nor state.
    #[must_use]
    pub fn clean_url(self) -> String {
        format!("?reason={}", self.key())
    }

    /// The HTTP status of its page.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Refused => StatusCode::OK,
            Self::InProgress | Self::Rescued => StatusCode::ACCEPTED,
            Self::Expired | Self::Malformed | Self::CodeRejected => StatusCode::BAD_REQUEST,
            Self::StateRejected | Self::NotAllowed | Self::NotAVisit => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RemovedMeanwhile => StatusCode::CONFLICT,
            Self::OutcomeUnknown | Self::Unavailable | Self::NotSaved | Self::StatusUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Misconfigured | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn title(self, app_name: &str) -> String {
        match self {
            Self::Refused => format!("{app_name} was not connected"),
            Self::InProgress => "Just a moment".to_owned(),
            Self::OutcomeUnknown => "Notion did not answer in time".to_owned(),
            Self::Expired => "This took too long".to_owned(),
            Self::Malformed => "This link is not complete".to_owned(),
            Self::StateRejected => "This link belongs to another browser".to_owned(),
            Self::CodeRejected => "Notion did not accept this approval".to_owned(),
            Self::NotAllowed => "This workspace cannot be connected".to_owned(),
            Self::Unavailable => "Not available just now".to_owned(),
            Self::Rescued => "Almost there".to_owned(),
            Self::NotSaved => "Your approval could not be saved".to_owned(),
            Self::RemovedMeanwhile => "The connection was removed".to_owned(),
            Self::Misconfigured => format!("{app_name} is not set up correctly"),
            Self::StatusUnavailable => "We cannot look this up just now".to_owned(),
            Self::NotAVisit => "Open this link in a tab of its own".to_owned(),
            Self::MethodNotAllowed => "Method not allowed".to_owned(),
            Self::Internal => "Something went wrong on our side".to_owned(),
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Refused => {
                "You pressed Cancel at Notion, so nothing was connected and nothing was stored. You can connect \
                 at any time."
            }
            Self::InProgress => {
                "We are finishing your connection. This page reloads by itself. Please leave it open for a few seconds."
            }
            Self::OutcomeUnknown => {
                "We do not know whether Notion completed your approval. Please connect again; approving twice \
                 does no harm."
            }
            Self::Expired => "The approval must be finished within a few minutes. Please start again.",
            Self::Malformed => {
                "Something in the address is missing or appears twice. Please start again instead of reopening an \
                 old link."
            }
            Self::StateRejected => {
                "You have to finish in the browser in which you started, with cookies allowed. Please start again here."
            }
            Self::CodeRejected => "It may be too old, or used already. Please start again.",
            Self::NotAllowed => {
                "The app is only available to certain workspaces. The one you chose is not among them, so nothing \
                 was connected. If you meant another workspace, try again."
            }
            Self::Unavailable => "Nothing was connected. Please try again in a minute.",
            Self::Rescued => {
                "Your approval is safe, but finishing takes longer than usual. If the app does not work for you by \
                 tomorrow, please connect again."
            }
            Self::NotSaved => {
                "Our storage could not be reached, so your approval was not saved. Please try again in a few minutes."
            }
            Self::RemovedMeanwhile => {
                "The connection was removed while you were connecting. If you still want it, connect again."
            }
            Self::Misconfigured => {
                "This is not your fault, and trying again will not help. The people who run the app have been told."
            }
            Self::StatusUnavailable => {
                "At the moment we cannot see whether you are connected. Reload this page in a minute."
            }
            Self::NotAVisit => {
                "It was loaded in the background or inside another page, so nothing was started."
            }
            Self::MethodNotAllowed => "This address only accepts GET. Nothing was started.",
            Self::Internal => "Please try again. The people who run the app have been told.",
        }
    }

    /// The button: its label and its target, relative to `/callback`.
    pub(super) fn action(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Refused | Self::RemovedMeanwhile => Some(("Connect", "install")),
            Self::InProgress
            | Self::Rescued
            | Self::Misconfigured
            | Self::StatusUnavailable
            | Self::MethodNotAllowed => None,
            Self::NotAVisit => Some(("Start", "install")),
            _ => TRY_AGAIN,
        }
    }

    pub(super) fn mood(self) -> &'static str {
        match self {
            Self::Refused | Self::InProgress | Self::Rescued | Self::NotAVisit => "calm",
            _ => "bad",
        }
    }
}
