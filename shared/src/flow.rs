//! One run through the install flow: the cookie, the state derived from it, and their names.
//!
//! `GET /install` draws a nonce and keeps it in a cookie. The `state` sent to Notion is a hash of that cookie.
//! Nothing is stored and no key is needed: only the browser that holds the cookie can show what the state was derived
//! from, and the state cannot be turned back into the cookie. (RFC 9700 §4.7.1 asks for a one-time `state` bound to
//! the user agent. The claim at the callback makes it one-time.)

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::UnixSeconds;
use crate::config::PublicConnection;
use crate::random::{self, Random};
use crate::secret::{FlowCookie, State};

/// How long a reload shows the outcome after the state has expired, in seconds.
pub const REPEAT_WINDOW_SECS: u64 = 3600;
/// How far apart the clocks of two of our machines may be, in seconds.
pub const CLOCK_SKEW_SECS: u64 = 60;
/// How many flows one browser may have open. Beyond that, the oldest is dropped: API Gateway accepts 10,240 bytes of
/// headers.
pub const MAX_FLOWS: usize = 4;
/// The longest flow cookie that is read, in bytes: the fixed part and a link of 1 KiB, in base64.
pub const MAX_COOKIE_BYTES: usize = 1424;

const COOKIE_PREFIX: &str = "__Host-notion_install_";
const COOKIE_VERSION: u8 = 1;
const NONCE_BYTES: usize = 32;
const STATE_TAG: &[u8] = b"notion-install state 1";
const CLAIM_TAG: &[u8] = b"notion-install claim 1";

/// The key of a flow's claim: a hash of the state, 64 hexadecimal digits. It reveals neither the state nor the
/// cookie, so it may be stored in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimKey(String);

/// The name of a flow, used in its cookie's name and in clean URLs: the first 16 digits of its claim key. Public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowId(String);

/// A flow that this browser started.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The value kept in the browser.
    pub cookie: FlowCookie,
    /// The value sent to Notion and back.
    pub state: State,
    /// The key of its claim in the table.
    pub claim_key: ClaimKey,
    /// When `/install` answered.
    pub issued_at: UnixSeconds,
}

/// Why a state or a flow cookie was rejected. The page does not tell these reasons apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlowRejected {
    /// This browser has no cookie for the state: the state is another browser's or forged, or cookies are off.
    #[error("this browser has no cookie for the state")]
    NoCookie,
    /// Two cookies with the same name: one may have been planted.
    #[error("two cookies have the name of this flow")]
    RepeatedCookie,
    /// The state is not the hash of the cookie.
    #[error("the state does not commit to the cookie")]
    Mismatch,
    /// The cookie is not in the encoding that we write.
    #[error("the cookie is not in its canonical encoding")]
    NotCanonical,
    /// The cookie's time of issue is in the future.
    #[error("the cookie was issued in the future")]
    FromTheFuture,
}

impl FlowRejected {
    /// The fixed key, for metrics.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NoCookie => "no_cookie",
            Self::RepeatedCookie => "repeated_cookie",
            Self::Mismatch => "state_mismatch",
            Self::NotCanonical => "cookie_not_canonical",
            Self::FromTheFuture => "cookie_from_the_future",
        }
    }
}

impl ClaimKey {
    /// The claim key as stored in the table.
    #[must_use]
    pub fn of_row(key: &str) -> Self {
        Self(key.to_owned())
    }

    fn of(state: &State) -> Self {
        let digest =
            Sha256::new().chain_update(CLAIM_TAG).chain_update([0]).chain_update(state.expose()).finalize();
        Self(digest.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}")))
    }

    /// The key as stored in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The flow that the claim belongs to. For a key that is not one of ours, an arbitrary prefix of it.
    #[must_use]
    pub fn flow_id(&self) -> FlowId {
        FlowId(self.0.get(..16).unwrap_or(&self.0).to_owned())
    }
}

impl FlowId {
    /// Reads a flow id from a URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (text.len() == 16 && is_hex).then(|| Self(text.to_owned()))
    }

    /// The id as used in URLs and cookie names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn cookie_name(&self) -> String {
        format!("{COOKIE_PREFIX}{}", self.0)
    }
}

impl Flow {
    /// Starts a flow: draws a 256-bit nonce and commits to it.
    #[must_use]
    pub fn issue(connection: &PublicConnection, now: UnixSeconds, random: &dyn Random) -> Self {
        let mut value = [0; 1 + NONCE_BYTES + 8];
        value[0] = COOKIE_VERSION;
        value[1..=NONCE_BYTES].copy_from_slice(&random::bytes::<NONCE_BYTES>(random));
        value[1 + NONCE_BYTES..].copy_from_slice(&now.0.to_be_bytes());
        Self::committed(connection, URL_SAFE_NO_PAD.encode(value), now)
    }

    /// Finds the flow of `state` among this browser's cookies.
    ///
    /// Of its age, only a time in the future is checked: see [`Flow::is_open`].
    ///
    /// # Errors
    ///
    /// [`FlowRejected`]. Nothing may be stored in that case.
    pub fn of_state(
        connection: &PublicConnection,
        state: &State,
        cookies: &FlowCookies,
        now: UnixSeconds,
    ) -> Result<Self, FlowRejected> {
        let flow = Self::of_id(connection, &ClaimKey::of(state).flow_id(), cookies, now)?;
        // The id above is public. This comparison decides, in constant time.
        if bool::from(flow.state.expose().as_bytes().ct_eq(state.expose().as_bytes())) {
            Ok(flow)
        } else {
            Err(FlowRejected::Mismatch)
        }
    }

    /// Finds the flow with this `id` among the browser's cookies.
    ///
    /// # Errors
    ///
    /// [`FlowRejected`], as for [`Flow::of_state`].
    pub fn of_id(
        connection: &PublicConnection,
        id: &FlowId,
        cookies: &FlowCookies,
        now: UnixSeconds,
    ) -> Result<Self, FlowRejected> {
        let value = cookies.one(&id.cookie_name())?;
        let issued_at = issued_at(value)?;
        if issued_at > now.plus_secs(CLOCK_SKEW_SECS) {
            return Err(FlowRejected::FromTheFuture);
        }
        let flow = Self::committed(connection, value.to_owned(), issued_at);
        if flow.id() == *id { Ok(flow) } else { Err(FlowRejected::Mismatch) }
    }

    fn committed(connection: &PublicConnection, value: String, issued_at: UnixSeconds) -> Self {
        let digest = Sha256::new()
            .chain_update(STATE_TAG)
            .chain_update([0])
            .chain_update(connection.digest())
            .chain_update(&value)
            .finalize();
        #[expect(clippy::expect_used, reason = "neither an encoded hash nor an encoded nonce is empty")]
        let (cookie, state) = (
            FlowCookie::parse(value).expect("a cookie value"),
            State::parse(URL_SAFE_NO_PAD.encode(digest)).expect("a state"),
        );
        let claim_key = ClaimKey::of(&state);
        Self { cookie, state, claim_key, issued_at }
    }

    /// The flow's public name.
    #[must_use]
    pub fn id(&self) -> FlowId {
        self.claim_key.flow_id()
    }

    /// Whether the state may still be claimed at `now`.
    #[must_use]
    pub fn is_open(&self, now: UnixSeconds, state_ttl_secs: u64) -> bool {
        now < self.issued_at.plus_secs(state_ttl_secs)
    }

    /// How long the outcome of this flow must be kept: as long as the cookie lives, plus the clock skew.
    #[must_use]
    pub fn forget_at(&self, claimed_at: UnixSeconds, state_ttl_secs: u64) -> UnixSeconds {
        claimed_at.max(self.issued_at).plus_secs(cookie_max_age_secs(state_ttl_secs) + CLOCK_SKEW_SECS)
    }

    /// The `Set-Cookie` value that keeps this flow in the browser.
    #[must_use]
    pub fn set_cookie(&self, state_ttl_secs: u64) -> String {
        set_cookie(&self.id().cookie_name(), self.cookie.expose(), cookie_max_age_secs(state_ttl_secs))
    }
}

fn cookie_max_age_secs(state_ttl_secs: u64) -> u64 {
    state_ttl_secs + REPEAT_WINDOW_SECS
}

/// `__Host-` requires Secure, Path=/ and no Domain. Lax, because Notion sends the person back by a cross-site
/// navigation, for which the browser withholds a Strict cookie.
fn set_cookie(name: &str, value: &str, max_age_secs: u64) -> String {
    format!("{name}={value}; Max-Age={max_age_secs}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// Reads `issued_at` from a cookie value. Rejects any value that we cannot have written.
fn issued_at(value: &str) -> Result<UnixSeconds, FlowRejected> {
    if value.len() > MAX_COOKIE_BYTES {
        return Err(FlowRejected::NotCanonical);
    }
    let bytes = URL_SAFE_NO_PAD.decode(value).map_err(|_| FlowRejected::NotCanonical)?;
    let (head, issued_at) = bytes.split_at_checked(1 + NONCE_BYTES).ok_or(FlowRejected::NotCanonical)?;
    let issued_at = <[u8; 8]>::try_from(issued_at).map_err(|_| FlowRejected::NotCanonical)?;
    if head[0] != COOKIE_VERSION || URL_SAFE_NO_PAD.encode(&bytes) != value {
        return Err(FlowRejected::NotCanonical);
    }
    Ok(UnixSeconds(u64::from_be_bytes(issued_at)))
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

    fn one(&self, name: &str) -> Result<&str, FlowRejected> {
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
            self.0.iter().map(|(name, value)| (issued_at(value.expose()).ok(), name.as_str())).collect();
        by_age.sort_unstable();
        let unreadable = by_age.iter().filter(|(issued_at, _)| issued_at.is_none()).count();
        let surplus = by_age.len().saturating_sub(MAX_FLOWS - 1).max(unreadable);
        by_age[..surplus].iter().map(|(_, name)| set_cookie(name, "", 0)).collect()
    }
}

#[cfg(test)]
mod tests;
