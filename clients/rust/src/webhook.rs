//! Verifies the stack's webhooks: Standard Webhooks 1.0 (<https://www.standardwebhooks.com>) with symmetric keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use crate::clock::{Clock, SystemClock};
use crate::event::Event;

/// How far the time of a delivery may be off, in seconds, in either direction.
const TOLERANCE_SECS: u64 = 300;
/// How long a key may be (Standard Webhooks, "Signature scheme").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Verifies webhooks. Create one per process.
#[derive(Clone)]
pub struct WebhookVerifier {
    keys: Vec<SecretSlice<u8>>,
}

/// Without its keys.
impl fmt::Debug for WebhookVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WebhookVerifier").field("secrets", &self.keys.len()).finish_non_exhaustive()
    }
}

/// There is no secret, or one of them is not base64 of 24 to 64 bytes, with or without `whsec_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook secret is whsec_ and base64 of 24 to 64 bytes: `operator webhook secret --show` prints it"
)]
pub struct InvalidSecret;

/// Why a delivery is refused. Answer 401: it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// One of the three headers is missing, or not readable.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// `webhook-timestamp` is not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    InvalidTimestamp,
    /// It was signed more than five minutes ago.
    #[error("signed more than five minutes ago: is this clock right?")]
    TooOld,
    /// It was signed more than five minutes from now.
    #[error("signed more than five minutes from now: is this clock right?")]
    TooNew,
    /// None of the signatures is by one of the secrets, over this id, this time and exactly this body.
    #[error("no signature by a known secret: was the body parsed before?")]
    BadSignature,
    /// It is signed, but is not an event of this stack.
    #[error("signed, but not an event")]
    NotAnEvent,
}

impl WebhookVerifier {
    /// With the secrets that sign: one, or two while they are changed.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret`].
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecret> {
        let keys = secrets.into_iter().map(|secret| key_of(secret.as_ref()));
        let keys = keys.collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty());
        keys.map(|keys| Self { keys }).ok_or(InvalidSecret)
    }

    /// The event in a delivery. `headers` are pairs (a `&http::HeaderMap` is such a list), `body` is the body as it
    /// came, before anything parses it.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhook`].
    pub fn verify<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        body: &[u8],
    ) -> Result<Event, InvalidWebhook> {
        self.verify_at(SystemClock::start().since_epoch().as_secs(), headers, body)
    }

    pub(crate) fn verify_at<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        now_secs: u64,
        headers: impl IntoIterator<Item = (N, V)>,
        body: &[u8],
    ) -> Result<Event, InvalidWebhook> {
        let Delivery { id, timestamp, signatures } = Delivery::read(headers)?;
        let signed_at = seconds(&timestamp).ok_or(InvalidWebhook::InvalidTimestamp)?;
        if now_secs > signed_at.saturating_add(TOLERANCE_SECS) {
            return Err(InvalidWebhook::TooOld);
        }
        if signed_at > now_secs.saturating_add(TOLERANCE_SECS) {
            return Err(InvalidWebhook::TooNew);
        }
        let signatures =
            signatures.split(' ').filter_map(|each| STANDARD.decode(each.strip_prefix("v1,")?).ok());
        let is_signed = signatures.into_iter().any(|signature| {
            self.keys.iter().any(|key| is_by(key, &signature, &[id.as_bytes(), timestamp.as_bytes(), body]))
        });
        if !is_signed {
            return Err(InvalidWebhook::BadSignature);
        }
        let event = serde_json::from_slice(body).ok();
        event.and_then(|event| Event::read(&event)).ok_or(InvalidWebhook::NotAnEvent)
    }
}

/// The three headers.
struct Delivery {
    id: String,
    timestamp: String,
    signatures: String,
}

impl Delivery {
    fn read<N: AsRef<str>, V: AsRef<[u8]>>(
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidWebhook> {
        let (mut id, mut timestamp, mut signatures) = (None, None, None);
        for (name, value) in headers {
            let value = || str::from_utf8(value.as_ref()).ok().map(str::to_owned);
            match name.as_ref() {
                name if name.eq_ignore_ascii_case("webhook-id") => id = value(),
                name if name.eq_ignore_ascii_case("webhook-timestamp") => timestamp = value(),
                name if name.eq_ignore_ascii_case("webhook-signature") => signatures = value(),
                _ => {}
            }
        }
        Ok(Self {
            id: id.ok_or(InvalidWebhook::MissingHeader("webhook-id"))?,
            timestamp: timestamp.ok_or(InvalidWebhook::MissingHeader("webhook-timestamp"))?,
            signatures: signatures.ok_or(InvalidWebhook::MissingHeader("webhook-signature"))?,
        })
    }
}

/// Decimal digits, and nothing else: no sign, no space.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn key_of(secret: &str) -> Option<SecretSlice<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
    KEY_BYTES.contains(&key.len()).then(|| key.into())
}

/// Compares in constant time.
fn is_by(key: &SecretSlice<u8>, signature: &[u8], [id, timestamp, body]: &[&[u8]; 3]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret()) else { return false };
    for part in [id, b".".as_slice(), timestamp, b".".as_slice(), body] {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}
