//! What went wrong at Notion, and what may be done next. Holds status and request id, never a body.

use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::StatusCode;
use serde_json::Value;
use shared::clock::UnixSeconds;
use shared::ids::identifier;
use shared::secret::AccessToken;

/// The parts of an answer that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotionAnswer {
    /// The status.
    pub status: StatusCode,
    /// `x-notion-request-id`. Absent if the network in front of Notion blocked the request.
    pub request_id: Option<String>,
    /// `Retry-After`, if it can be read.
    pub retry_after: Option<RetryAfter>,
}

/// When to try again (RFC 9110 §10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this many seconds.
    Secs(u64),
    /// At this moment.
    At(UnixSeconds),
}

impl RetryAfter {
    /// Reads it as it stands in the header, or in a body.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number too large to store is a very long time.
            return Some(Self::Secs(text.parse().unwrap_or(u64::MAX)));
        }
        let date = DateTime::from_str(text, Format::HttpDate).ok()?;
        Some(Self::At(UnixSeconds(u64::try_from(date.secs()).ok()?)))
    }

    /// How long to wait from `now`, at most an hour.
    #[must_use]
    pub fn wait(self, now: UnixSeconds) -> Duration {
        let secs = match self {
            Self::Secs(secs) => secs,
            Self::At(moment) => moment.0.saturating_sub(now.0),
        };
        Duration::from_secs(secs.min(3600))
    }
}

/// Why a request to Notion failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not processed: no connection was made. The same request may be sent again.
    #[error("no connection to Notion")]
    NotSent,
    /// Not processed: 429 or 529. The same request may be sent again, after `Retry-After`.
    #[error("Notion asks us to try again later (status {})", .0.status)]
    ComeBackLater(NotionAnswer),
    /// Not processed, but must not be repeated: Notion blocks us (`public_api_request_blocked`, or HTML from the
    /// network in front of it).
    #[error("Notion blocks the request (status {})", .0.status)]
    Blocked(NotionAnswer),
    /// `invalid_grant`: the code is unknown, expired, used, or was issued for another redirect URI.
    #[error("the grant is invalid")]
    InvalidGrant(NotionAnswer),
    /// `invalid_client`: Notion does not accept the client secret, or no longer. It did not look at the code.
    #[error("Notion does not accept the client secret")]
    InvalidClient(NotionAnswer),
    /// `invalid_request` or `validation_error`: Notion does not accept the form of the request. That may be the form of
    /// the code, for which Notion documents no rule. The rest of the request is ours.
    #[error("Notion refuses the form of the request (status {})", .0.status)]
    Malformed(NotionAnswer),
    /// Another error that Notion attributes to us, such as `unauthorized_client` or `test_env_error`.
    #[error("Notion refuses the request (status {})", .0.status)]
    Refused(NotionAnswer),
    /// Sent, then a 5xx, a reset, a timeout or an unreadable answer: the code may be spent. Never send it again.
    #[error("the outcome is unknown (status {:?})", .0.as_ref().map(|answer| answer.status.as_u16()))]
    OutcomeUnknown(Option<NotionAnswer>),
    /// Tokens were issued, but the response lacks something that we need: the grant must be revoked.
    #[error("the token response has no usable {field}")]
    Unusable {
        /// What is missing or wrong.
        field: &'static str,
        /// The token to revoke.
        access_token: AccessToken,
        /// The answer.
        answer: NotionAnswer,
    },
}

/// A grant could not be revoked.
#[derive(Debug, thiserror::Error)]
#[error("the grant could not be revoked")]
pub struct RevokeError(#[source] pub TokenError);

impl TokenError {
    /// The fixed key, for logs and metrics.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::ComeBackLater(_) => "come_back_later",
            Self::Blocked(_) => "blocked",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidClient(_) => "invalid_client",
            Self::Malformed(_) | Self::Refused(_) => "refused_by_notion",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Unusable { .. } => "unusable",
        }
    }

    /// Whether Notion has looked at the request and would give the same answer again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Refused(_))
    }

    /// What Notion answered, if it did.
    #[must_use]
    pub fn answer(&self) -> Option<&NotionAnswer> {
        match self {
            Self::NotSent => None,
            Self::OutcomeUnknown(answer) => answer.as_ref(),
            Self::ComeBackLater(answer)
            | Self::Blocked(answer)
            | Self::InvalidGrant(answer)
            | Self::InvalidClient(answer)
            | Self::Malformed(answer)
            | Self::Refused(answer)
            | Self::Unusable { answer, .. } => Some(answer),
        }
    }
}

impl NotionAnswer {
    /// Of a response, whose body is still to be read.
    #[must_use]
    pub fn of(response: &reqwest::Response) -> Self {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            status: response.status(),
            request_id: header("x-notion-request-id").and_then(identifier),
            retry_after: header("retry-after").and_then(RetryAfter::parse),
        }
    }
}

/// Classifies an error answer. Reads both forms: `error` as in RFC 6749 §5.2, and `code` as in Notion's API.
///
/// Anything unknown counts as the worst case: a code that may be spent.
pub(super) fn classify(mut answer: NotionAnswer, body: &[u8]) -> TokenError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let text = |pointer: &str| json.as_ref().and_then(|json| json.pointer(pointer)).and_then(Value::as_str);
    if answer.retry_after.is_none() {
        answer.retry_after = text("/additional_data/retry_after").and_then(RetryAfter::parse);
    }
    if answer.request_id.is_none() {
        answer.request_id = text("/request_id").and_then(identifier);
    }
    let code = text("/error").or_else(|| text("/code"));
    match (answer.status.as_u16(), code) {
        (429 | 529, _)
            if text("/additional_data/rate_limit_reason") == Some("public_api_request_blocked") =>
        {
            TokenError::Blocked(answer)
        }
        (429 | 529, _) => TokenError::ComeBackLater(answer),
        // 408 and 409 are temporary, and do not say whether the request was processed.
        (408 | 409 | 500.., _) => TokenError::OutcomeUnknown(Some(answer)),
        (_, Some("invalid_grant")) => TokenError::InvalidGrant(answer),
        (_, Some("invalid_client")) => TokenError::InvalidClient(answer),
        (400, Some("invalid_request" | "validation_error")) => TokenError::Malformed(answer),
        (400..=499, Some(_)) => TokenError::Refused(answer),
        (401 | 403, None) => TokenError::Blocked(answer),
        _ => TokenError::OutcomeUnknown(Some(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, body: &str) -> TokenError {
        let answer = NotionAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: None,
            retry_after: None,
        };
        classify(answer, body.as_bytes())
    }

    #[test]
    fn both_error_shapes_say_the_same() {
        for (status, code, key) in [
            (400, "invalid_grant", "invalid_grant"),
            (401, "invalid_client", "invalid_client"),
            (400, "invalid_request", "refused_by_notion"),
            (400, "unauthorized_client", "refused_by_notion"),
            (403, "test_env_error", "refused_by_notion"),
        ] {
            let shapes = [
                format!(r#"{{"error":"{code}","error_description":"x","request_id":"r-1"}}"#),
                format!(
                    r#"{{"object":"error","status":{status},"code":"{code}","message":"x","request_id":"r-1"}}"#
                ),
            ];
            for shape in shapes {
                let error = classified(status, &shape);
                assert_eq!(error.key(), key, "{status} {shape}");
                assert_eq!(error.answer().unwrap().request_id.as_deref(), Some("r-1"));
            }
        }
    }

    #[test]
    fn what_is_not_recognised_is_never_taken_for_a_dead_grant() {
        for (status, body, key) in [
            (400, "<html>", "outcome_unknown"),
            (400, "", "outcome_unknown"),
            (301, r#"{"error":"x"}"#, "outcome_unknown"),
            (403, "<html>", "blocked"),
            (429, "<html>", "come_back_later"),
            (529, r#"{"code":"service_overload"}"#, "come_back_later"),
            (429, r#"{"additional_data":{"rate_limit_reason":"public_api_request_blocked"}}"#, "blocked"),
            (500, r#"{"error":"invalid_grant"}"#, "outcome_unknown"),
            (503, r#"{"code":"service_unavailable"}"#, "outcome_unknown"),
            (409, r#"{"code":"conflict_error"}"#, "outcome_unknown"),
            (408, r#"{"code":"x"}"#, "outcome_unknown"),
        ] {
            assert_eq!(classified(status, body).key(), key, "{status} {body}");
        }
    }

    #[test]
    fn retry_after_is_also_read_from_the_body() {
        let error = classified(429, r#"{"code":"rate_limited","additional_data":{"retry_after":"7"}}"#);
        assert_eq!(error.answer().unwrap().retry_after, Some(RetryAfter::Secs(7)));
    }

    #[test]
    fn every_retry_after_is_a_wait_that_can_be_counted() {
        let now = UnixSeconds(1_795_305_600);
        for (text, wait_secs) in [
            ("0", Some(0)),
            (" 5 ", Some(5)),
            ("1000000000", Some(3600)),
            ("9999999999999999999", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 22 Nov 2026 00:00:30 GMT", Some(30)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let wait = RetryAfter::parse(text).map(|retry_after| retry_after.wait(now));
            assert_eq!(wait, wait_secs.map(Duration::from_secs), "Retry-After: {text}");
        }
    }
}
