//! The client secret and the token key ring, from Secrets Manager, cached with a short life.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use serde_json::Value;
use shared::clock::{Clock, UnixSeconds};
use shared::config::{ConfigError, Lookup, required};
use shared::secret::ClientSecret;
use tokio::sync::Mutex;

use crate::seal::KeyRing;

/// How long a secret is used without asking again, in seconds.
pub const FRESH_SECS: u64 = 300;
/// How long a secret is used when Secrets Manager does not answer, in seconds.
pub const STALE_SECS: u64 = 3600;
/// How long to wait for a fresh secret while a stale one would do, in milliseconds.
const REFRESH_LIMIT_MS: u64 = 1000;
/// How long to go on with a stale secret before asking again, in seconds.
const ASK_AGAIN_SECS: u64 = 30;

/// Why a secret is not to be had. Never says what it holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not give it.
    #[error("Secrets Manager did not give {secret}: {cause}")]
    NotGiven {
        /// Which secret, by its setting.
        secret: &'static str,
        /// The service's error code, or the kind of failure.
        cause: String,
    },
    /// It was never stored.
    #[error("{0} has no value; the README says under Deploy how to store the client secret")]
    NotStored(&'static str),
    /// It has another shape.
    #[error("{secret} must be {expected}")]
    Shape {
        /// Which secret, by its setting.
        secret: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl SecretError {
    /// Whether only the deployer can put it right.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        !matches!(self, Self::NotGiven { .. })
    }
}

/// A value and the version that Secrets Manager gave it.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Secrets Manager's `VersionId`.
    pub version_id: String,
    /// When the version was stored, if Secrets Manager says so.
    pub stored_at: Option<UnixSeconds>,
}

/// Whether the cache will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// What is cached will do while it is fresh.
    Cached,
    /// Ask past the cache.
    Now,
}

/// The secrets of one process.
pub struct Secrets {
    client: Client,
    client_secret: Cached<ClientSecret>,
    key_ring: Cached<KeyRing>,
}

struct Cached<T> {
    setting: &'static str,
    secret_id: String,
    parse: fn(&str) -> Result<T, &'static str>,
    /// Held across the request, so that many callers make one.
    slot: Mutex<Option<Slot<T>>>,
}

struct Slot<T> {
    value: Arc<Versioned<T>>,
    read_at: UnixSeconds,
    /// When to ask again.
    ask_at: UnixSeconds,
}

impl Secrets {
    /// Reads `CLIENT_SECRET_ARN` and `TOKEN_KEY_RING_ARN`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self {
            client,
            client_secret: Cached::new(lookup, "CLIENT_SECRET_ARN", parse_client_secret)?,
            key_ring: Cached::new(lookup, "TOKEN_KEY_RING_ARN", |text| {
                KeyRing::parse(text).map_err(|_| "the key ring that the stack generated")
            })?,
        })
    }

    /// The client secret in force.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub async fn client_secret(
        &self,
        freshness: Freshness,
        clock: &dyn Clock,
    ) -> Result<Arc<Versioned<ClientSecret>>, SecretError> {
        self.client_secret.read(&self.client, freshness, clock).await
    }

    /// The client secret before the last rotation, never cached.
    ///
    /// # Errors
    ///
    /// [`SecretError`], also when there is none.
    pub async fn previous_client_secret(&self) -> Result<Versioned<ClientSecret>, SecretError> {
        self.client_secret.fetch(&self.client, "AWSPREVIOUS").await
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
        self.key_ring.read(&self.client, freshness, clock).await
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
                        tracing::warn!(alarm, secret, ?error, "going on with the secret in the cache");
                        slot.ask_at = now.plus_secs(ASK_AGAIN_SECS);
                        return Ok(Arc::clone(&slot.value));
                    }
                }
            }
            None => fetch().await?,
        };
        let value = Arc::new(fetched);
        *slot = Some(Slot { value: Arc::clone(&value), read_at: now, ask_at: now.plus_secs(FRESH_SECS) });
        Ok(value)
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
        let stored_at = answer.created_date().and_then(|at| u64::try_from(at.secs()).ok()).map(UnixSeconds);
        Ok(Versioned { value, version_id, stored_at })
    }
}

/// Reads `{"client_secret": "…"}`; white space around the value is a slip of copying, not part of it.
///
/// # Errors
///
/// What it should be.
pub fn parse_client_secret(text: &str) -> Result<ClientSecret, &'static str> {
    const EXPECTED: &str = r#"JSON of the form {"client_secret": "…"}"#;
    let json: Value = serde_json::from_str(text).map_err(|_| EXPECTED)?;
    let secret = json.get("client_secret").and_then(Value::as_str).ok_or(EXPECTED)?.trim();
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EXPECTED);
    }
    ClientSecret::parse(secret).map_err(|_| EXPECTED)
}
