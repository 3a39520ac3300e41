//! One run through the install flow: the cookie, the state derived from it, and their names.
//!
//! `GET /install` draws a nonce and keeps it in a cookie. The `state` sent to Notion is a hash of that cookie.
//! Nothing is stored and no key is needed: only the browser that holds the cookie can show what the state was derived
//! from, and the state cannot be turned back into the cookie. What an app asked for travels in the cookie too, and so does
//! the language of the pages. (RFC 9700 §4.7.1 asks for a one-time `state` bound to the user agent. The claim at the
//! callback makes it one-time.)

mod cookies;
mod rejected;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app_request::AppRequest;
use crate::clock::UnixSeconds;
use crate::config::PublicConnection;
use crate::install_request::InstallRequest;
use crate::language::Language;
use crate::random::{self, Random};
use crate::secret::{FlowCookie, State};
use cookies::{COOKIE_PREFIX, Content, set_cookie};
pub use cookies::{FlowCookies, MAX_COOKIE_BYTES, MAX_FLOWS};
pub use rejected::FlowRejected;

/// How long a reload shows the outcome after the state has expired, in seconds.
pub const REPEAT_WINDOW_SECS: u64 = 3600;
/// How far apart the clocks of two of our machines may be, in seconds.
pub const CLOCK_SKEW_SECS: u64 = 60;

const STATE_TAG: &[u8] = b"notion-install state 1";
const CLAIM_TAG: &[u8] = b"notion-install claim 1";
const CODE_TAG: &[u8] = b"notion-install code 1";

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
    /// What an app asked for, if one sent the person.
    pub app: Option<AppRequest>,
    /// The language of its pages, if the app or a link named one.
    pub language: Option<Language>,
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
    pub fn issue(
        connection: &PublicConnection,
        asked: InstallRequest,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Self {
        let content = Content { issued_at: now, asked };
        Self::committed(connection, content.encode(&random::bytes(random)), content)
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
        let content = Content::read(value)?;
        if content.issued_at > now.plus_secs(CLOCK_SKEW_SECS) {
            return Err(FlowRejected::FromTheFuture);
        }
        let flow = Self::committed(connection, value.to_owned(), content);
        if flow.id() == *id { Ok(flow) } else { Err(FlowRejected::Mismatch) }
    }

    fn committed(
        connection: &PublicConnection,
        value: String,
        Content { issued_at, asked: InstallRequest { app, language } }: Content,
    ) -> Self {
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
        Self { cookie, state, claim_key, issued_at, app, language }
    }

    /// The secret part of the code with which the app's backend claims the installation: a hash of the cookie, so that a
    /// reload gives the same one, and nobody without the cookie can make it.
    #[must_use]
    pub fn code_secret(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(CODE_TAG)
            .chain_update([0])
            .chain_update(self.cookie.expose())
            .finalize()
            .into()
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

#[cfg(test)]
mod tests;
