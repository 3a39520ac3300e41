//! The exchange, with every retry that is allowed and no other.

use std::sync::Arc;
use std::time::Duration;

use shared::budget::{Budget, until};
use shared::installation::Grant;
use shared::notion::TokenError;
use shared::random;
use shared::secret::{AuthorizationCode, ClientSecret};
use shared::secrets::{Freshness, Versioned};
use tokio::time::Instant;

use crate::Callback;

/// How many requests that Notion did not process may follow one another.
const MAX_TRIES: u32 = 3;
/// How long to wait before trying again where Notion names no time, in milliseconds.
const BACKOFF_MS: u64 = 250;
/// Time that has to be left for another try, in milliseconds.
const MIN_TRY_MS: u64 = 1000;

/// Which client secret is being tried.
enum Credential {
    /// The cached one; it may be out of date.
    Cached(Arc<Versioned<ClientSecret>>),
    /// AWSCURRENT, read past the cache, and the version that was refused before it.
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

impl Callback {
    /// Exchanges the code; gives the secret back that worked, for a revocation that may follow.
    ///
    /// Tried again are only requests that Notion did not process: no connection, 429 and 529 (if the wait fits),
    /// and `invalid_client` with another version of the secret.
    pub(crate) async fn exchange(
        &self,
        code: &AuthorizationCode,
        secret: Arc<Versioned<ClientSecret>>,
        budget: &Budget,
    ) -> (Result<Grant, TokenError>, Arc<Versioned<ClientSecret>>) {
        let mut credential = Credential::Cached(secret);
        let mut tries = 1;
        loop {
            let secret = Arc::clone(credential.secret());
            let error = match self.notion.exchange(&secret.value, code, budget.exchange_by).await {
                Ok(grant) => {
                    if matches!(credential, Credential::Previous(_)) {
                        tracing::warn!(
                            alarm = "previous_secret",
                            "Notion took the previous client secret only"
                        );
                    }
                    return (Ok(grant), secret);
                }
                Err(error) => error,
            };
            match &error {
                TokenError::InvalidClient(_) => {
                    let deadline = budget.exchange_by - Duration::from_millis(MIN_TRY_MS);
                    match until(deadline, Box::pin(self.other_credential(&credential))).await {
                        Ok(Some(other)) => credential = other,
                        _ => return (Err(error), secret),
                    }
                }
                TokenError::NotSent | TokenError::ComeBackLater(_) if tries < MAX_TRIES => {
                    let wait = self.wait_before_retry(&error);
                    // A code must not leave with no time for the answer.
                    if Instant::now() + wait + Duration::from_millis(MIN_TRY_MS) > budget.exchange_by {
                        return (Err(error), secret);
                    }
                    tokio::time::sleep(wait).await;
                    tries += 1;
                }
                _ => return (Err(error), secret),
            }
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

    /// What Notion asks for, else a quarter of a second or so.
    pub(crate) fn wait_before_retry(&self, error: &TokenError) -> Duration {
        if let Some(retry_after) = error.answer().and_then(|answer| answer.retry_after) {
            return retry_after.wait(self.clock.now());
        }
        let [draw] = random::bytes::<1>(&*self.random);
        Duration::from_millis(BACKOFF_MS / 2 + BACKOFF_MS * u64::from(draw) / 255)
    }
}
