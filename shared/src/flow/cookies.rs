//! The flow cookies: what their values say, and which of them a browser sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::rejected::FlowRejected;
use crate::app_request::AppRequest;
use crate::clock::UnixSeconds;
use crate::install_request::InstallRequest;
use crate::language::Language;
use crate::secret::FlowCookie;

/// How many flows one browser may have open. Beyond that, the oldest is dropped: API Gateway accepts 10,240 bytes of
/// headers.
pub const MAX_FLOWS: usize = 4;
/// The longest flow cookie that is read, in bytes: the fixed part and what an app asked for (less than 1 KiB), in base64.
pub const MAX_COOKIE_BYTES: usize = 1424;

pub(super) const COOKIE_PREFIX: &str = "__Host-notion_install_";
/// The versions of a cookie: each says what follows the time of issue. Those without a language are as old as the first
/// cookies. Each content has one version, so it has one encoding.
const PLAIN: u8 = 1;
const OF_AN_APP: u8 = 2;
const IN_A_LANGUAGE: u8 = 3;
const OF_AN_APP_IN_A_LANGUAGE: u8 = 4;
const NONCE_BYTES: usize = 32;
const LANGUAGE_BYTES: usize = 2;

/// What a cookie value says, besides the nonce.
pub(super) struct Content {
    pub(super) issued_at: UnixSeconds,
    pub(super) asked: InstallRequest,
}

impl Content {
    /// The value with this content and a nonce.
    pub(super) fn encode(&self, nonce: &[u8; NONCE_BYTES]) -> String {
        let InstallRequest { app, language } = &self.asked;
        let mut value = vec![match (app, language) {
            (None, None) => PLAIN,
            (Some(_), None) => OF_AN_APP,
            (None, Some(_)) => IN_A_LANGUAGE,
            (Some(_), Some(_)) => OF_AN_APP_IN_A_LANGUAGE,
        }];
        value.extend_from_slice(nonce);
        value.extend_from_slice(&self.issued_at.0.to_be_bytes());
        if let Some(language) = language {
            value.extend_from_slice(language.tag().as_bytes());
        }
        if let Some(app) = app {
            app.encode(&mut value);
        }
        URL_SAFE_NO_PAD.encode(value)
    }

    /// Rejects any value that we cannot have written.
    pub(super) fn read(value: &str) -> Result<Self, FlowRejected> {
        Self::decode(value).ok_or(FlowRejected::NotCanonical)
    }

    fn decode(value: &str) -> Option<Self> {
        if value.len() > MAX_COOKIE_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        if URL_SAFE_NO_PAD.encode(&bytes) != value {
            return None;
        }
        let (head, rest) = bytes.split_at_checked(1 + NONCE_BYTES)?;
        let (issued_at, rest) = rest.split_at_checked(8)?;
        let issued_at = UnixSeconds(u64::from_be_bytes(issued_at.try_into().ok()?));
        let (language, rest) = match head[0] {
            IN_A_LANGUAGE | OF_AN_APP_IN_A_LANGUAGE => {
                let (tag, rest) = rest.split_at_checked(LANGUAGE_BYTES)?;
                (Some(Language::of_tag(std::str::from_utf8(tag).ok()?)?), rest)
            }
            _ => (None, rest),
        };
        let app = match head[0] {
            PLAIN | IN_A_LANGUAGE if rest.is_empty() => None,
            OF_AN_APP | OF_AN_APP_IN_A_LANGUAGE => Some(AppRequest::decode(rest)?),
            _ => return None,
        };
        Some(Self { issued_at, asked: InstallRequest { app, language } })
    }
}

/// The flow cookies that a browser sent, without all others.
pub struct FlowCookies(Vec<(String, FlowCookie)>);

impl FlowCookies {
    /// Picks our cookies out of the `Cookie` headers (RFC 6265 §5.4).
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Self {
        let pairs = headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| name.starts_with(COOKIE_PREFIX));
        Self(
            pairs
                .filter_map(|(name, value)| Some((name.to_owned(), FlowCookie::parse(value).ok()?)))
                .collect(),
        )
    }

    pub(super) fn one(&self, name: &str) -> Result<&str, FlowRejected> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.expose());
        match (values.next(), values.next()) {
            (None, _) => Err(FlowRejected::NoCookie),
            (Some(value), None) => Ok(value),
            (Some(_), Some(_)) => Err(FlowRejected::RepeatedCookie),
        }
    }

    /// `Set-Cookie` values that make room for one more flow: they delete cookies that are not valid, then the oldest.
    #[must_use]
    pub fn make_room(&self) -> Vec<String> {
        let mut by_age: Vec<(Option<UnixSeconds>, &str)> =
            self.0.iter().map(|(name, value)| (issued_at(value.expose()), name.as_str())).collect();
        by_age.sort_unstable();
        let unreadable = by_age.iter().filter(|(issued_at, _)| issued_at.is_none()).count();
        let surplus = by_age.len().saturating_sub(MAX_FLOWS - 1).max(unreadable);
        by_age[..surplus].iter().map(|(_, name)| set_cookie(name, "", 0)).collect()
    }
}

fn issued_at(value: &str) -> Option<UnixSeconds> {
    Content::read(value).ok().map(|content| content.issued_at)
}

/// `__Host-` requires Secure, Path=/ and no Domain. Lax, because Notion sends the person back by a cross-site
/// navigation, for which the browser withholds a Strict cookie.
pub(super) fn set_cookie(name: &str, value: &str, max_age_secs: u64) -> String {
    format!("{name}={value}; Max-Age={max_age_secs}; Path=/; Secure; HttpOnly; SameSite=Lax")
}
