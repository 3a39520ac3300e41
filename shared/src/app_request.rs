//! What an app asks for when it sends a person to `/install`: to be told how it ended, as a client of an OAuth server
//! would be (RFC 6749 §4.1 with PKCE, RFC 7636). The access that it gets is an installation.

use crate::pkce::CodeChallenge;
use crate::query::{BadQuery, Query};
use crate::return_destination::{ReturnDestinations, is_key};

const OF_AN_APP: [&str; 4] = ["return_to", "code_challenge", "code_challenge_method", "expect"];
/// The longest state of an app that is carried, in bytes.
pub const MAX_APP_STATE_BYTES: usize = 512;
/// The longest `expect`, in bytes: the base64url of the longest key of an installation.
pub const MAX_EXPECT_BYTES: usize = 180;

/// What the app asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct AppRequest {
    /// The key of the return destination.
    pub return_to: String,
    /// Only who has its verifier can claim the installation.
    pub challenge: CodeChallenge,
    /// The app's own state, which comes back unchanged.
    pub state: Option<String>,
    /// The installation that is to be renewed, as `installations` names it.
    pub expect: Option<String>,
}

/// Nothing of the app's may be in a log.
impl std::fmt::Debug for AppRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppRequest").finish_non_exhaustive()
    }
}

/// The request is the app's mistake. It gets our own page, never a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAppRequest {
    /// The query cannot be decoded.
    #[error("{0}")]
    Query(BadQuery),
    /// A parameter was sent twice.
    #[error("the parameter {0} was sent more than once")]
    Repeated(&'static str),
    /// The destination is not configured.
    #[error(
        "return_to is not the key of a configured return destination (ReturnDestinations in the template)"
    )]
    UnknownReturnTo,
    /// Parameters that make sense only with a destination.
    #[error("code_challenge, code_challenge_method and expect need return_to")]
    NoReturnTo,
    /// There is no challenge.
    #[error("return_to needs a code_challenge (RFC 7636)")]
    NoChallenge,
    /// It is no challenge.
    #[error(
        "code_challenge must be the SHA-256 of the code_verifier in base64url: 43 characters, no padding"
    )]
    Challenge,
    /// Another method.
    #[error("code_challenge_method must be S256")]
    Method,
    /// The app's state cannot be carried.
    #[error("state must have at most 512 characters, all of them printable ASCII")]
    State,
    /// It is no id of an installation.
    #[error("expect must be the `installation` of an answer of claim or installations")]
    Expect,
    /// The list of languages is too long.
    #[error("ui_locales must have at most 256 characters")]
    UiLocales,
}

impl BadAppRequest {
    /// The fixed key, for metrics and problem details.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Query(_) => "bad_query",
            Self::Repeated(_) => "repeated_parameter",
            Self::UnknownReturnTo => "unknown_return_to",
            Self::NoReturnTo => "no_return_to",
            Self::NoChallenge => "no_code_challenge",
            Self::Challenge => "bad_code_challenge",
            Self::Method => "bad_code_challenge_method",
            Self::State => "bad_state",
            Self::Expect => "bad_expect",
            Self::UiLocales => "bad_ui_locales",
        }
    }
}

impl From<BadQuery> for BadAppRequest {
    fn from(error: BadQuery) -> Self {
        match error {
            BadQuery::Repeated(name) => Self::Repeated(name),
            other => Self::Query(other),
        }
    }
}

impl AppRequest {
    /// Whether an undecoded query has a parameter that only an app sends.
    pub(crate) fn is_named_in(raw_query: &str) -> bool {
        OF_AN_APP.iter().any(|name| raw_query.contains(name))
    }

    /// Reads the request. `None` if no app asks for anything: then all parameters are ignored, also a `state` (session
    /// fixation).
    ///
    /// # Errors
    ///
    /// [`BadAppRequest`].
    pub(crate) fn read(
        query: &Query,
        destinations: &ReturnDestinations,
    ) -> Result<Option<Self>, BadAppRequest> {
        let Some(return_to) = query.one("return_to")? else {
            for name in &OF_AN_APP[1..] {
                if query.one(name)?.is_some() {
                    return Err(BadAppRequest::NoReturnTo);
                }
            }
            return Ok(None);
        };
        destinations.url(return_to).ok_or(BadAppRequest::UnknownReturnTo)?;
        if query.one("code_challenge_method")?.is_some_and(|method| method != "S256") {
            return Err(BadAppRequest::Method);
        }
        let challenge = query.one("code_challenge")?.ok_or(BadAppRequest::NoChallenge)?;
        let state = query.one("state")?.filter(|state| !state.is_empty());
        let expect = query.one("expect")?;
        if state.is_some_and(|state| !is_state(state)) {
            return Err(BadAppRequest::State);
        }
        if expect.is_some_and(|expect| !is_expect(expect)) {
            return Err(BadAppRequest::Expect);
        }
        Ok(Some(Self {
            return_to: return_to.to_owned(),
            challenge: CodeChallenge::parse(challenge).ok_or(BadAppRequest::Challenge)?,
            state: state.map(str::to_owned),
            expect: expect.map(str::to_owned),
        }))
    }

    /// Appends the request to the value of a flow cookie, in its only encoding.
    pub(crate) fn encode(&self, value: &mut Vec<u8>) {
        value.extend_from_slice(self.challenge.as_bytes());
        push_short(value, &self.return_to);
        push_short(value, self.expect.as_deref().unwrap_or_default());
        value.extend_from_slice(self.state.as_deref().unwrap_or_default().as_bytes());
    }

    /// Reads what [`AppRequest::encode`] wrote. `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (challenge, rest) = bytes.split_at_checked(32)?;
        let (return_to, rest) = split_short(rest)?;
        let (expect, state) = split_short(rest)?;
        let state = std::str::from_utf8(state).ok()?;
        let valid = is_key(return_to)
            && (expect.is_empty() || is_expect(expect))
            && (state.is_empty() || is_state(state));
        let if_any = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        valid.then_some(Self {
            return_to: return_to.to_owned(),
            challenge: CodeChallenge::from_bytes(challenge.try_into().ok()?),
            state: if_any(state),
            expect: if_any(expect),
        })
    }
}

/// Appends a text of at most 255 bytes, after its length.
fn push_short(value: &mut Vec<u8>, text: &str) {
    value.push(u8::try_from(text.len()).unwrap_or(0));
    value.extend_from_slice(text.as_bytes());
}

fn split_short(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// RFC 6749, appendix A.5.
fn is_state(text: &str) -> bool {
    text.len() <= MAX_APP_STATE_BYTES && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn is_expect(text: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_EXPECT_BYTES).contains(&text.len()) && text.bytes().all(base64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(raw_query: &str) -> Result<Option<AppRequest>, BadAppRequest> {
        let lookup = |_: &str| Some("app=https://app.example/back".to_owned());
        AppRequest::read(&Query::parse(raw_query)?, &ReturnDestinations::read(&lookup).unwrap())
    }

    #[test]
    fn every_mistake_of_an_app_is_named() {
        let with = |more: &str| format!("return_to=app&code_challenge={CHALLENGE}{more}");
        let cases = [
            ("return_to=app".to_owned(), BadAppRequest::NoChallenge),
            ("return_to=other".to_owned(), BadAppRequest::UnknownReturnTo),
            ("return_to=".to_owned(), BadAppRequest::UnknownReturnTo),
            ("return_to=https://app.example/back".to_owned(), BadAppRequest::UnknownReturnTo),
            (format!("code_challenge={CHALLENGE}&state=x"), BadAppRequest::NoReturnTo),
            ("expect=abc".to_owned(), BadAppRequest::NoReturnTo),
            ("return_to=app&code_challenge=short".to_owned(), BadAppRequest::Challenge),
            (format!("return_to=app&code_challenge={CHALLENGE}="), BadAppRequest::Challenge),
            (with("&code_challenge_method=plain"), BadAppRequest::Method),
            (with("&code_challenge_method="), BadAppRequest::Method),
            (with(&format!("&state={}", "s".repeat(513))), BadAppRequest::State),
            (with("&state=%C3%A9"), BadAppRequest::State),
            (with("&expect="), BadAppRequest::Expect),
            (with("&expect=a%2Fb"), BadAppRequest::Expect),
            (with("&state=a&state=b"), BadAppRequest::Repeated("state")),
            (with("&return_to=app"), BadAppRequest::Repeated("return_to")),
            (with("&code_challenge=x"), BadAppRequest::Repeated("code_challenge")),
            (with("&state=%"), BadAppRequest::Query(BadQuery::Encoding)),
        ];
        for (raw_query, expected) in cases {
            assert_eq!(read(&raw_query).err(), Some(expected), "{raw_query}");
        }
    }

    #[test]
    fn the_encoding_gives_back_what_went_in_and_nothing_else_is_accepted() {
        let state = "~".repeat(MAX_APP_STATE_BYTES);
        for more in ["", "&state=a%20b", &format!("&state={state}&expect={}", "e".repeat(MAX_EXPECT_BYTES))] {
            let request = read(&format!("return_to=app&code_challenge={CHALLENGE}{more}")).unwrap().unwrap();
            let mut bytes = Vec::new();
            request.encode(&mut bytes);
            assert_eq!(AppRequest::decode(&bytes), Some(request.clone()));
            for end in 0..37 {
                assert_eq!(AppRequest::decode(&bytes[..end]), None);
            }
            assert!(!format!("{request:?}").contains("app.") && !format!("{request:?}").contains("E9"));
        }
    }
}
