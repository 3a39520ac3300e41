//! The authorization request that we send (RFC 6749 §4.1.1) and the response that comes back (§4.1.2).

use crate::config::PublicConnection;
use crate::query::{BadQuery, Query, encode};
use crate::secret::{AuthorizationCode, State};

/// The longest authorization code that is accepted, in bytes.
pub const MAX_CODE_BYTES: usize = 2048;
/// The longest state that is accepted, in bytes. Ours have 43.
pub const MAX_STATE_BYTES: usize = 1024;

/// The URL that asks Notion for approval, with exactly the five parameters that Notion documents.
#[must_use]
pub fn request_url(connection: &PublicConnection, state: &State) -> String {
    format!(
        "{}?client_id={}&redirect_uri={}&response_type=code&owner=user&state={}",
        connection.authorize_url(),
        encode(&connection.client_id),
        encode(&connection.redirect_uri),
        encode(state.expose()),
    )
}

/// What Notion sent in the redirect back to us.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// `?code=…&state=…`: the person approved the installation.
    Granted {
        /// The code to exchange for tokens.
        code: AuthorizationCode,
        /// Must be verified before anything else happens.
        state: State,
    },
    /// `?error=…&state=…` (§4.1.2.1).
    Refused {
        /// The reason, as one of the codes that we know.
        error: AuthorizationError,
        /// Must be verified before anything else happens.
        state: State,
    },
    /// `?code=…` without a state, as from the ready-made link in Notion's portal. Never exchanged.
    GrantedWithoutState,
    /// `?error=…` with no state or an empty one. Notion sends it if the request had no state.
    RefusedWithoutState {
        /// The reason, as one of the codes that we know.
        error: AuthorizationError,
    },
}

/// The error codes of RFC 6749 §4.1.2.1. Any other text from Notion is never repeated to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationError {
    /// `access_denied`: the person pressed Cancel.
    AccessDenied,
    /// `server_error` or `temporarily_unavailable`: a problem at Notion; trying again may help.
    Unavailable,
    /// `invalid_request`, `unauthorized_client`, `unsupported_response_type`, `invalid_scope`: our mistake.
    Misconfigured,
    /// Anything else.
    Unknown,
}

impl AuthorizationError {
    fn parse(code: &str) -> Self {
        match code {
            "access_denied" => Self::AccessDenied,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            "invalid_request" | "unauthorized_client" | "unsupported_response_type" | "invalid_scope" => {
                Self::Misconfigured
            }
            _ => Self::Unknown,
        }
    }
}

/// The query is not an authorization response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedResponse {
    /// It cannot be decoded.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// Both a code and an error.
    #[error("the response has both a code and an error")]
    Ambiguous,
    /// Neither a code nor an error.
    #[error("the response has neither a code nor an error")]
    Empty,
    /// The code has a character that is not allowed in a code (RFC 6749, appendix A.11: printable ASCII only).
    #[error("the code has a character that is not allowed")]
    NotACode,
    /// A value that is longer than any that Notion sends.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

impl AuthorizationResponse {
    /// Reads the response from a query. Unknown parameters are ignored, as RFC 6749 requires.
    ///
    /// # Errors
    ///
    /// [`MalformedResponse`]. Answer it with a fixed page only.
    pub fn read(query: &Query) -> Result<Self, MalformedResponse> {
        for name in ["error_description", "error_uri"] {
            query.one(name)?;
        }
        let not_empty = |name| query.one(name).map(|value| value.filter(|text| !text.is_empty()));
        let (code, error, state) = (not_empty("code")?, not_empty("error")?, not_empty("state")?);
        if code.is_some_and(|code| code.len() > MAX_CODE_BYTES) {
            return Err(MalformedResponse::TooLong("code"));
        }
        if code.is_some_and(|code| !code.bytes().all(|byte| (b' '..=b'~').contains(&byte))) {
            return Err(MalformedResponse::NotACode);
        }
        if state.is_some_and(|state| state.len() > MAX_STATE_BYTES) {
            return Err(MalformedResponse::TooLong("state"));
        }
        let state = state.and_then(|state| State::parse(state).ok());
        match (
            code.and_then(|code| AuthorizationCode::parse(code).ok()),
            error.map(AuthorizationError::parse),
        ) {
            (Some(_), Some(_)) => Err(MalformedResponse::Ambiguous),
            (None, None) => Err(MalformedResponse::Empty),
            (Some(code), None) => Ok(match state {
                Some(state) => Self::Granted { code, state },
                None => Self::GrantedWithoutState,
            }),
            (None, Some(error)) => Ok(match state {
                Some(state) => Self::Refused { error, state },
                None => Self::RefusedWithoutState { error },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Result<AuthorizationResponse, MalformedResponse> {
        AuthorizationResponse::read(&Query::parse(raw)?)
    }

    #[test]
    fn what_rfc_6749_does_not_allow_is_refused() {
        let cases: &[(&str, MalformedResponse)] = &[
            ("", MalformedResponse::Empty),
            ("state=s", MalformedResponse::Empty),
            ("code=&state=s", MalformedResponse::Empty),
            ("code=c&error=access_denied&state=s", MalformedResponse::Ambiguous),
            ("code=c&code=d&state=s", BadQuery::Repeated("code").into()),
            ("code=c&state=s&state=s", BadQuery::Repeated("state").into()),
            ("error=a&error=a&state=s", BadQuery::Repeated("error").into()),
            (
                "error=a&error_description=x&error_description=y",
                BadQuery::Repeated("error_description").into(),
            ),
        ];
        for (raw, expected) in cases {
            assert_eq!(read(raw).unwrap_err(), *expected, "query: {raw}");
        }
        for (name, length) in [("code", MAX_CODE_BYTES), ("state", MAX_STATE_BYTES)] {
            let raw = format!(
                "{name}={}&{}=x",
                "a".repeat(length + 1),
                if name == "code" { "state" } else { "code" }
            );
            assert_eq!(read(&raw).unwrap_err(), MalformedResponse::TooLong(name));
        }
    }

    #[test]
    fn every_error_code_of_the_rfc_is_known() {
        let cases = [
            ("access_denied", AuthorizationError::AccessDenied),
            ("server_error", AuthorizationError::Unavailable),
            ("temporarily_unavailable", AuthorizationError::Unavailable),
            ("invalid_request", AuthorizationError::Misconfigured),
            ("unauthorized_client", AuthorizationError::Misconfigured),
            ("unsupported_response_type", AuthorizationError::Misconfigured),
            ("invalid_scope", AuthorizationError::Misconfigured),
            ("<script>", AuthorizationError::Unknown),
        ];
        for (code, expected) in cases {
            let raw = format!("error={code}&state=s&error_description=x&unknown=1&unknown=2");
            assert!(
                matches!(read(&raw), Ok(AuthorizationResponse::Refused { error, .. }) if error == expected),
                "error: {code}"
            );
        }
    }

    #[test]
    fn an_empty_state_is_no_state() {
        assert!(matches!(
            read("error=access_denied&state="),
            Ok(AuthorizationResponse::RefusedWithoutState { error: AuthorizationError::AccessDenied })
        ));
        assert!(matches!(read("code=c&state="), Ok(AuthorizationResponse::GrantedWithoutState)));
        assert!(matches!(read("code=c"), Ok(AuthorizationResponse::GrantedWithoutState)));
    }
}
