//! The fixed outcomes. Each has one key, one status and one wording in each language.

use std::borrow::Cow;

use http::StatusCode;

use crate::install_request::UI_LOCALES;
use crate::language::Language;

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

    /// The URL of its page, relative to `/callback`. It contains neither code nor state. It has a language only if one was
    /// named: whoever opens it otherwise gets what their browser asks for.
    #[must_use]
    pub fn clean_url(self, named: Option<Language>) -> String {
        let language = named.map_or_else(String::new, |named| format!("&{UI_LOCALES}={}", named.tag()));
        format!("?reason={}{language}", self.key())
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

    pub(super) fn title(self, language: Language, app: &str) -> Cow<'static, str> {
        match self {
            Self::Refused => language.refused_title(app).into(),
            Self::InProgress => language.in_progress_title().into(),
            Self::OutcomeUnknown => language.outcome_unknown_title().into(),
            Self::Expired => language.expired_title().into(),
            Self::Malformed => language.malformed_title().into(),
            Self::StateRejected => language.state_rejected_title().into(),
            Self::CodeRejected => language.code_rejected_title().into(),
            Self::NotAllowed => language.not_allowed_title().into(),
            Self::Unavailable => language.unavailable_title().into(),
            Self::Rescued => language.rescued_title().into(),
            Self::NotSaved => language.not_saved_title().into(),
            Self::RemovedMeanwhile => language.removed_meanwhile_title().into(),
            Self::Misconfigured => language.misconfigured_title(app).into(),
            Self::StatusUnavailable => language.status_unavailable_title().into(),
            Self::NotAVisit => language.not_a_visit_title().into(),
            Self::MethodNotAllowed => language.method_not_allowed_title().into(),
            Self::Internal => language.internal_title().into(),
        }
    }

    pub(super) fn text(self, language: Language, app: &str) -> Cow<'static, str> {
        match self {
            Self::Refused => language.refused_text().into(),
            Self::InProgress => language.in_progress_text().into(),
            Self::OutcomeUnknown => language.outcome_unknown_text().into(),
            Self::Expired => language.expired_text().into(),
            Self::Malformed => language.malformed_text().into(),
            Self::StateRejected => language.state_rejected_text().into(),
            Self::CodeRejected => language.code_rejected_text().into(),
            Self::NotAllowed => language.not_allowed_text(app).into(),
            Self::Unavailable => language.unavailable_text().into(),
            Self::Rescued => language.rescued_text(app).into(),
            Self::NotSaved => language.not_saved_text().into(),
            Self::RemovedMeanwhile => language.removed_meanwhile_text().into(),
            Self::Misconfigured => language.misconfigured_text(app).into(),
            Self::StatusUnavailable => language.status_unavailable_text().into(),
            Self::NotAVisit => language.not_a_visit_text().into(),
            Self::MethodNotAllowed => language.method_not_allowed_text().into(),
            Self::Internal => language.internal_text().into(),
        }
    }

    /// The label of the button that leads to `/install`.
    pub(super) fn action(self, language: Language) -> Option<&'static str> {
        match self {
            Self::Refused | Self::RemovedMeanwhile => Some(language.connect()),
            Self::InProgress
            | Self::Rescued
            | Self::Misconfigured
            | Self::StatusUnavailable
            | Self::MethodNotAllowed => None,
            Self::NotAVisit => Some(language.start()),
            _ => Some(language.try_again()),
        }
    }

    /// Whether its page says whom to ask, because trying again may not help.
    pub(super) fn needs_help(self) -> bool {
        matches!(self, Self::NotAllowed | Self::Misconfigured | Self::Internal)
    }

    pub(super) fn mood(self) -> &'static str {
        match self {
            Self::Refused | Self::InProgress | Self::Rescued | Self::NotAVisit => "calm",
            _ => "bad",
        }
    }
}
