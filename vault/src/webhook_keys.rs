//! The keys that sign webhooks, and the signature (Standard Webhooks 1.0, `v1`: HMAC-SHA256 over `id.timestamp.body`).
//!
//! In Secrets Manager they stand as `{"secret": …, "previous": …, "previous_until": …}`. The stack generates `secret`:
//! 64 letters and digits, which are the base64 of 48 bytes. A rotation keeps the one before as `previous` until
//! `previous_until` (in seconds since the epoch); meanwhile both sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::clock::UnixSeconds;
use shared::random::{self, Random};
use shared::secret::WebhookSecret;

/// How long a secret still signs after it was replaced, in seconds: a day.
pub const OVERLAP_SECS: u64 = 86_400;
/// The prefix of a secret as the app has it.
const PREFIX: &str = "whsec_";
/// The shortest and the longest key, in bytes (Standard Webhooks, "Signature scheme").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const EXPECTED: &str =
    "the webhook secret that the stack generated, or one that `operator webhook rotate` stored";

/// The keys in force.
#[derive(Debug, Clone)]
pub struct WebhookKeys {
    current: WebhookSecret,
    /// The one before, and until when it signs too.
    previous: Option<(WebhookSecret, UnixSeconds)>,
}

impl WebhookKeys {
    /// Parses the secret's value.
    ///
    /// # Errors
    ///
    /// What the value should be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let json: Value = serde_json::from_str(text).map_err(|_| EXPECTED)?;
        let secret = |name: &str| json.get(name).and_then(Value::as_str).map(secret_of);
        let current = secret("secret").flatten().ok_or(EXPECTED)?;
        let previous = match secret("previous") {
            None => None,
            Some(previous) => {
                let until = json.get("previous_until").and_then(Value::as_u64).ok_or(EXPECTED)?;
                Some((previous.ok_or(EXPECTED)?, UnixSeconds(until)))
            }
        };
        Ok(Self { current, previous })
    }

    /// The value to store instead of one that must not be used any more: a new secret alone.
    #[must_use]
    pub fn drawn(random: &dyn Random) -> String {
        json!({"secret": new_secret(random)}).to_string()
    }

    /// The value to store after a rotation: a new secret, and this one for another day.
    #[must_use]
    pub fn rotated(&self, now: UnixSeconds, random: &dyn Random) -> String {
        json!({
            "secret": new_secret(random),
            "previous": self.current.expose(),
            "previous_until": now.plus_secs(OVERLAP_SECS).0,
        })
        .to_string()
    }

    /// The secret as the app has to have it.
    #[must_use]
    pub fn current(&self) -> &WebhookSecret {
        &self.current
    }

    /// Until when the one before signs too, if it does.
    #[must_use]
    pub fn previous_until(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        self.previous.as_ref().map(|(_, until)| *until).filter(|until| now < *until)
    }

    /// The header `webhook-signature`: one signature, or two while a rotation lasts.
    #[must_use]
    pub fn signature(&self, id: &str, timestamp: UnixSeconds, body: &str) -> String {
        let previous = self.previous.as_ref().filter(|(_, until)| timestamp < *until);
        let secrets = [&self.current].into_iter().chain(previous.map(|(secret, _)| secret));
        let signatures = secrets.filter_map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key_of(secret.expose())?).ok()?;
            for part in [id, ".", &timestamp.0.to_string(), ".", body] {
                mac.update(part.as_bytes());
            }
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn new_secret(random: &dyn Random) -> String {
    PREFIX.to_owned() + &STANDARD.encode(random::bytes::<48>(random))
}

/// A secret with its prefix, which the generated one lacks; `None` if it is not one.
fn secret_of(text: &str) -> Option<WebhookSecret> {
    let secret = format!("{PREFIX}{}", text.strip_prefix(PREFIX).unwrap_or(text));
    key_of(&secret)?;
    WebhookSecret::parse(secret).ok()
}

fn key_of(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::OsRandom;

    const GENERATED: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: UnixSeconds = UnixSeconds(1_795_305_600);

    fn keys(json: &Value) -> Result<WebhookKeys, &'static str> {
        WebhookKeys::parse(&json.to_string())
    }

    /// The example of the specification's libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let keys = keys(&json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})).unwrap();
        assert_eq!(
            keys.signature(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                UnixSeconds(1_614_265_330),
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_the_stack_generates_is_a_secret_and_a_rotation_keeps_it_for_a_day() {
        let generated = keys(&json!({"secret": GENERATED})).unwrap();
        assert_eq!(generated.current().expose(), format!("whsec_{GENERATED}"));
        assert_eq!(generated.previous_until(NOW), None);
        let rotated = WebhookKeys::parse(&generated.rotated(NOW, &OsRandom)).unwrap();
        assert!(!rotated.current().is_same_as(generated.current()));
        let of = |keys: &WebhookKeys, at| keys.signature("evt_1", at, "{}");
        let during = of(&rotated, NOW.plus_secs(OVERLAP_SECS - 1));
        assert_eq!(during.split(' ').count(), 2);
        assert_eq!(during.split(' ').nth(1), Some(of(&generated, NOW.plus_secs(OVERLAP_SECS - 1)).as_str()));
        assert_eq!(of(&rotated, NOW.plus_secs(OVERLAP_SECS)).split(' ').count(), 1);
        assert_eq!(rotated.previous_until(NOW), Some(NOW.plus_secs(OVERLAP_SECS)));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for json in [
            json!({}),
            json!({"secret": ""}),
            json!({"secret": "short"}),
            json!({"secret": "whsec_not base64 at all, and long enough to be one"}),
            json!({"secret": GENERATED, "previous": GENERATED}),
            json!({"secret": GENERATED, "previous": "x", "previous_until": 1}),
        ] {
            assert!(keys(&json).is_err(), "{json}");
        }
        assert!(WebhookKeys::parse("").is_err());
    }
}
