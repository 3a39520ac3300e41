//! The client secret, the token key ring and the webhook secret, from Secrets Manager, cached for a short time.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::DateTime;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use serde_json::Value;
use shared::clock::{Clock, UnixSeconds};
use shared::config::{ConfigError, Lookup, required};
use shared::secret::ClientSecret;
use tokio::sync::Mutex;

use crate::seal::KeyRing;
use crate::webhook_keys::WebhookKeys;

/// How long a cached secret is used without reading it again, in seconds.
pub const FRESH_SECS: u64 = 300;
/// How long a cached secret is used if Secrets Manager does not answer, in seconds.
pub const STALE_SECS: u64 = 3600;
/// How long to wait for a fresh secret if there is a stale one, in milliseconds.
const REFRESH_LIMIT_MS: u64 = 1000;
/// How long to use a stale secret before trying to read it again, in seconds.
const ASK_AGAIN_SECS: u64 = 30;

/// Why a secret cannot be read. Never contains its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not return it.
    #[error("Secrets Manager did not return {secret}: {cause}")]
    NotGiven {
        /// The setting that names the secret.
        secret: &'static str,
        /// The service's error code, or the kind of failure.
        cause: String,
    },
    /// It was never stored.
    #[error(
        "{0} has no value: store the client secret (`secret set`), or restore what the stack generated (docs/runbook.md, \"A \
         secret is gone\")"
    )]
    NotStored(&'static str),
    /// It is malformed.
    #[error("{secret} must be {expected}")]
    Shape {
        /// The setting that names the secret.
        secret: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// A secret cannot be read: what that means for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSecrets {
    /// Only the deployer can fix it.
    Misconfigured,
    /// It may be readable later.
    Unavailable,
}

impl SecretError {
    /// Whether only the deployer can fix it.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        !matches!(self, Self::NotGiven { .. })
    }
}

/// A secret's value and its version.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Secrets Manager's `VersionId`.
    pub version_id: String,
    /// When the version was stored, if Secrets Manager says.
    pub stored_at: Option<UnixSeconds>,
}

/// Whether a cached value may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Yes, while it is fresh.
    Cached,
    /// No: read past the cache.
    Now,
}

/// The secrets of one process.
pub struct Secrets {
    client_secret: Cached<ClientSecret>,
    rings: KeyRings,
}

/// One secret, for a function that may read no other.
pub struct OneSecret<T> {
    client: Client,
    cached: Cached<T>,
}

/// The token key ring alone.
pub type KeyRings = OneSecret<KeyRing>;

impl<T> OneSecret<T> {
    /// The secret's value.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub async fn get(
        &self,
        freshness: Freshness,
        clock: &dyn Clock,
    ) -> Result<Arc<Versioned<T>>, SecretError> {
        self.cached.read(&self.client, freshness, clock).await
    }
}

impl KeyRings {
    /// Reads `TOKEN_KEY_RING_ARN`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        let cached = Cached::new(lookup, "TOKEN_KEY_RING_ARN", |text| {
            KeyRing::parse(text).map_err(|_| "the key ring that the stack generated")
        })?;
        Ok(Self { client, cached })
    }
}

impl OneSecret<WebhookKeys> {
    /// Reads `WEBHOOK_SECRET_ARN`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self { client, cached: Cached::new(lookup, "WEBHOOK_SECRET_ARN", WebhookKeys::parse)? })
    }
}

struct Cached<T> {
    setting: &'static str,
    secret_id: String,
    parse: fn(&str) -> Result<T, &'static str>,
    /// Locked during the request, so that concurrent callers cause only one.
    slot: Mutex<Option<Slot<T>>>,
}

struct Slot<T> {
    value: Arc<Versioned<T>>,
    read_at: UnixSeconds,
    /// When to read it again.
    ask_at: UnixSeconds,
}

impl<T> Slot<T> {
    fn fresh(value: &Arc<Versioned<T>>, now: UnixSeconds) -> Self {
        Self { value: Arc::clone(value), read_at: now, ask_at: now.plus_secs(FRESH_SECS) }
    }
}

impl Secrets {
    /// Reads `CLIENT_SECRET_ARN` and `TOKEN_KEY_RING_ARN`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self {
            client_secret: Cached::new(lookup, "CLIENT_SECRET_ARN", parse_client_secret)?,
            rings: KeyRings::read(lookup, client)?,
        })
    }

    /// Fills the cache with both secrets in one request, which needs only one connection and one TLS handshake. A
    /// secret that it does not get is read on its own when it is needed, and a failure is reported then.
    pub async fn prefetch(&self, clock: &dyn Clock) {
        let secret_ids = vec![self.client_secret.secret_id.clone(), self.rings.cached.secret_id.clone()];
        let now = clock.now();
        match self.rings.client.batch_get_secret_value().set_secret_id_list(Some(secret_ids)).send().await {
            Ok(answer) => {
                for entry in answer.secret_values() {
                    self.client_secret.keep_if_own(entry, now).await;
                    self.rings.cached.keep_if_own(entry, now).await;
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the secrets could not be prefetched");
            }
        }
    }

    /// The current client secret.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub async fn client_secret(
        &self,
        freshness: Freshness,
        clock: &dyn Clock,
    ) -> Result<Arc<Versioned<ClientSecret>>, SecretError> {
        self.client_secret.read(&self.rings.client, freshness, clock).await
    }

    /// The client secret before the last rotation, never cached.
    ///
    /// # Errors
    ///
    /// [`SecretError`], also if there is none.
    pub async fn previous_client_secret(&self) -> Result<Versioned<ClientSecret>, SecretError> {
        self.client_secret.fetch(&self.rings.client, "AWSPREVIOUS").await
    }

    /// The token key ring.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub async fn key_ring(
        &self,
        freshness: Freshness,
        clock: &dyn Clock,
    ) -> Result<Arc<Versioned<KeyRing>>, SecretError> {
        self.rings.get(freshness, clock).await
    }
}

impl<T> Cached<T> {
    fn new(
        lookup: &impl Lookup,
        setting: &'static str,
        parse: fn(&str) -> Result<T, &'static str>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { setting, secret_id: required(lookup, setting)?, parse, slot: Mutex::new(None) })
    }

    async fn read(
        &self,
        client: &Client,
        freshness: Freshness,
        clock: &dyn Clock,
    ) -> Result<Arc<Versioned<T>>, SecretError> {
        let mut slot = self.slot.lock().await;
        let now = clock.now();
        let usable = slot
            .as_mut()
            .filter(|slot| freshness == Freshness::Cached && now < slot.read_at.plus_secs(STALE_SECS));
        let fetch = || Box::pin(self.fetch(client, "AWSCURRENT"));
        let fetched = match usable {
            Some(slot) if now < slot.ask_at => return Ok(Arc::clone(&slot.value)),
            Some(slot) => {
                let limit = Duration::from_millis(REFRESH_LIMIT_MS);
                match tokio::time::timeout(limit, fetch()).await {
                    Ok(Ok(value)) => value,
                    failed => {
                        let error = failed.ok().and_then(Result::err);
                        let alarm =
                            error.as_ref().filter(|e| e.is_misconfiguration()).map(|_| "misconfigured");
                        let secret = self.setting;
                        tracing::warn!(alarm, secret, ?error, "still using the cached secret");
                        slot.ask_at = now.plus_secs(ASK_AGAIN_SECS);
                        return Ok(Arc::clone(&slot.value));
                    }
                }
            }
            None => fetch().await?,
        };
        let value = Arc::new(fetched);
        *slot = Some(Slot::fresh(&value, now));
        Ok(value)
    }

    /// Caches a value from a batch read, if it is this secret's and can be parsed.
    async fn keep_if_own(&self, entry: &SecretValueEntry, now: UnixSeconds) {
        if ![entry.arn(), entry.name()].contains(&Some(self.secret_id.as_str())) {
            return;
        }
        let Some(Ok(value)) = entry.secret_string().map(self.parse) else { return };
        let version_id = entry.version_id().unwrap_or_default().to_owned();
        let value = Arc::new(Versioned { value, version_id, stored_at: unix_seconds(entry.created_date()) });
        *self.slot.lock().await = Some(Slot::fresh(&value, now));
    }

    async fn fetch(&self, client: &Client, stage: &str) -> Result<Versioned<T>, SecretError> {
        let secret = self.setting;
        let answer =
            client.get_secret_value().secret_id(&self.secret_id).version_stage(stage).send().await.map_err(
                |error| match error.as_service_error() {
                    Some(service) if service.is_resource_not_found_exception() => {
                        SecretError::NotStored(secret)
                    }
                    Some(service) => {
                        let code = service.meta().code().unwrap_or("unknown");
                        SecretError::NotGiven { secret, cause: code.to_owned() }
                    }
                    None => SecretError::NotGiven { secret, cause: error.to_string() },
                },
            )?;
        let text = answer.secret_string().ok_or(SecretError::NotStored(secret))?;
        let value = (self.parse)(text).map_err(|expected| SecretError::Shape { secret, expected })?;
        let version_id = answer.version_id().unwrap_or_default().to_owned();
        Ok(Versioned { value, version_id, stored_at: unix_seconds(answer.created_date()) })
    }
}

fn unix_seconds(moment: Option<&DateTime>) -> Option<UnixSeconds> {
    moment.and_then(|moment| u64::try_from(moment.secs()).ok()).map(UnixSeconds)
}

/// Parses `{"client_secret": "…"}`. White space around the value is a copying mistake and is ignored.
///
/// # Errors
///
/// The expected form.
pub fn parse_client_secret(text: &str) -> Result<ClientSecret, &'static str> {
    const EXPECTED: &str = r#"JSON of the form {"client_secret": "…"}"#;
    let json: Value = serde_json::from_str(text).map_err(|_| EXPECTED)?;
    let secret = json.get("client_secret").and_then(Value::as_str).ok_or(EXPECTED)?.trim();
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EXPECTED);
    }
    ClientSecret::parse(secret).map_err(|_| EXPECTED)
}
