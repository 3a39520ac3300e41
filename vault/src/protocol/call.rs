//! Calls Notion, with the retries that are allowed and no others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use shared::random;
use shared::secret::ClientSecret;
use tokio::time::Instant;

use crate::budget::until;
use crate::notion::TokenError;
use crate::secrets::{Freshness, Versioned};
use crate::vault::Vault;

/// How many requests are sent at most if Notion processes none of them.
const MAX_TRIES: u32 = 3;
/// How long to wait before trying again if Notion names no time, in milliseconds.
const BACKOFF_MS: u64 = 250;
/// The time that must be left for another try, in milliseconds.
pub(super) const MIN_TRY_MS: u64 = 1000;

/// Whether a request may be sent again although Notion may have processed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// Never: a code works once.
    Never,
    /// Once, after a lost reply: a refresh or an introspection.
    Once,
}

/// The client secret that is being tried.
enum Credential {
    /// The cached one; it may be out of date.
    Cached(Arc<Versioned<ClientSecret>>),
    /// AWSCURRENT, read past the cache, and the version that Notion refused before it.
    Current(Arc<Versioned<ClientSecret>>, String),
    /// AWSPREVIOUS: Notion may not know the newest one yet.
    Previous(Arc<Versioned<ClientSecret>>),
}

impl Credential {
    fn secret(&self) -> &Arc<Versioned<ClientSecret>> {
        match self {
            Self::Cached(secret) | Self::Current(secret, _) | Self::Previous(secret) => secret,
        }
    }
}

impl Vault {
    /// Sends `request` as long as `may_send` is true. Also returns the secret that was sent last, for a revocation that
    /// may follow.
    ///
    /// Requests that Notion did not process are retried: no connection, 429 and 529 (if the wait fits), and
    /// `invalid_client` with another version of the secret. Beyond that, only what `retries` allows.
    pub async fn call<'a, T>(
        &'a self,
        secret: Arc<Versioned<ClientSecret>>,
        retries: Retries,
        deadline: Instant,
        may_send: &(dyn Fn() -> bool + Send + Sync),
        request: &(
             dyn Fn(Arc<Versioned<ClientSecret>>) -> BoxFuture<'a, Result<T, TokenError>> + Send + Sync
         ),
    ) -> (Result<T, TokenError>, Arc<Versioned<ClientSecret>>) {
        let mut credential = Credential::Cached(secret);
        let (mut tries, mut lost) = (1, None);
        loop {
            let secret = Arc::clone(credential.secret());
            if !may_send() {
                return (Err(lost.unwrap_or(TokenError::NotSent)), secret);
            }
            let error = match request(Arc::clone(&secret)).await {
                Ok(answer) => {
                    if matches!(credential, Credential::Previous(_)) {
                        tracing::warn!(
                            alarm = "previous_secret",
                            "Notion accepts only the previous client secret"
                        );
                    }
                    return (Ok(answer), secret);
                }
                Err(error) => error,
            };
            match &error {
                TokenError::InvalidClient(_) => {
                    let deadline = deadline - Duration::from_millis(MIN_TRY_MS);
                    match until(deadline, Box::pin(self.other_credential(&credential))).await {
                        Ok(Some(other)) => credential = other,
                        _ => return (Err(lost.unwrap_or(error)), secret),
                    }
                    continue;
                }
                TokenError::NotSent | TokenError::ComeBackLater(_) if tries < MAX_TRIES => tries += 1,
                TokenError::OutcomeUnknown(_) if retries == Retries::Once && lost.is_none() => {}
                // Notion looked at it, which settles the outcome of the request before.
                TokenError::InvalidGrant(_) => return (Err(error), secret),
                // Whatever stops the second request, the outcome of the first is unknown.
                _ => return (Err(lost.unwrap_or(error)), secret),
            }
            let wait = self.wait_before_retry(&error);
            // Send only if there is time left for the answer.
            if Instant::now() + wait + Duration::from_millis(MIN_TRY_MS) > deadline {
                return (Err(lost.unwrap_or(error)), secret);
            }
            if matches!(error, TokenError::OutcomeUnknown(_)) {
                lost = Some(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn other_credential(&self, refused: &Credential) -> Option<Credential> {
        if let Credential::Cached(cached) = refused {
            let current = self.secrets.client_secret(Freshness::Now, &*self.clock).await.ok()?;
            if current.version_id != cached.version_id {
                return Some(Credential::Current(current, cached.version_id.clone()));
            }
        }
        let tried = match refused {
            Credential::Cached(_) => None,
            Credential::Current(_, tried) => Some(tried),
            Credential::Previous(_) => return None,
        };
        let previous = self.secrets.previous_client_secret().await.ok()?;
        (Some(&previous.version_id) != tried).then(|| Credential::Previous(Arc::new(previous)))
    }

    /// The wait that Notion asks for, otherwise about a quarter of a second.
    #[must_use]
    pub fn wait_before_retry(&self, error: &TokenError) -> Duration {
        if let Some(retry_after) = error.answer().and_then(|answer| answer.retry_after) {
            return retry_after.wait(self.clock.now());
        }
        let [draw] = random::bytes::<1>(&*self.random);
        Duration::from_millis(BACKOFF_MS / 2 + BACKOFF_MS * u64::from(draw) / 255)
    }
}
