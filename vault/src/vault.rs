//! What every function that touches tokens needs: the connection, its secrets, the tables, Notion, a clock, randomness.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{Clock, UnixMillis};
use shared::config::{ConfigError, Lookup, PublicConnection, number};
use shared::flow::ClaimKey;
use shared::random::Random;
use shared::secret::{AccessToken, ClientSecret, RefreshToken};
use shared::telemetry::{Measure, RequestLine};

use crate::aws::Clients;
use crate::budget::{self, Budget, until};
use crate::code::CODE_LIFE_MS;
use crate::http_client;
use crate::installation::{InstallationId, NewInstallation};
use crate::notion::Notion;
use crate::report::report_secret;
use crate::seal::{KeyRing, OpenError, Sealed};
use crate::secrets::{Freshness, NoSecrets, Secrets, Versioned};
use crate::store::{Led, RescueQueue, Store, Terms};

/// How long INIT may wait for the warm-up, in milliseconds.
const WARM_UP_MS: u64 = 1500;
const IDLE_CHECK_DAYS: u64 = 7;
const CLAIM_WINDOW_MINUTES: u64 = 60;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// What every function that touches tokens needs.
pub struct Vault {
    /// The public connection.
    pub connection: PublicConnection,
    /// The client secret and the token key ring.
    pub secrets: Secrets,
    /// The tables.
    pub store: Store,
    /// The rescue queue.
    pub rescue: RescueQueue,
    /// Notion.
    pub notion: Notion,
    /// The clock.
    pub clock: Box<dyn Clock>,
    /// The randomness.
    pub random: Box<dyn Random>,
    idle_check_ms: u64,
    claim_window_ms: u64,
}

/// The function cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be set up.
    #[error(transparent)]
    HttpClient(#[from] http_client::ClientError),
}

/// Both secrets.
#[derive(Clone)]
pub struct InHand {
    /// The current client secret.
    pub client_secret: Arc<Versioned<ClientSecret>>,
    /// The token key ring.
    pub key_ring: Arc<Versioned<KeyRing>>,
}

impl Vault {
    /// Reads the settings of the public connection, `CLIENT_SECRET_ARN`, `TOKEN_KEY_RING_ARN`, `INSTALLATIONS_TABLE`,
    /// `CLAIMS_TABLE`, `LINKS_TABLE` and `RESCUE_QUEUE_URL`.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] naming the variable that is missing or wrong.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let connection = PublicConnection::read(lookup)?;
        let http = http_client::build()?;
        let clients = Clients::read(lookup, http.clone())?;
        Ok(Self {
            secrets: Secrets::read(lookup, clients.secrets_manager)?,
            store: Store::read(lookup, clients.dynamodb)?,
            rescue: RescueQueue::read(lookup, clients.sqs)?,
            notion: Notion::new(http, connection.clone()),
            connection,
            clock: Box::new(clock),
            random: Box::new(random),
            idle_check_ms: IDLE_CHECK_DAYS * DAY_MS,
            claim_window_ms: CLAIM_WINDOW_MINUTES * MINUTE_MS,
        })
    }

    /// Reads `IDLE_CHECK_DAYS` (default 7, 1 to 365): how long a token may go unproven before the sweep asks Notion
    /// about it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`].
    pub fn with_idle_check(mut self, lookup: &impl Lookup) -> Result<Self, ConfigError> {
        if let Some(days) = number(lookup, "IDLE_CHECK_DAYS", 1..=365, "a number of days from 1 to 365")? {
            self.idle_check_ms = DAY_MS * days;
        }
        Ok(self)
    }

    /// Reads `CLAIM_WINDOW_MINUTES` (default 60, 10 to 1440): how long an app has to claim an installation that it asked
    /// for.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`].
    pub fn with_claim_window(mut self, lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let expected = "a number of minutes from 10 to 1440";
        if let Some(minutes) = number(lookup, "CLAIM_WINDOW_MINUTES", 10..=1440, expected)? {
            self.claim_window_ms = MINUTE_MS * minutes;
        }
        Ok(self)
    }

    /// The terms of a save at this moment. `prompt`: the grant comes straight from Notion.
    #[must_use]
    pub fn terms(&self, prompt: bool) -> Terms {
        let now = self.clock.now_millis();
        let in_ms = |ms: u64| UnixMillis(now.0.saturating_add(ms));
        Terms { prompt, code_expires_at: in_ms(CODE_LIFE_MS), claim_by: in_ms(self.claim_window_ms) }
    }

    /// When the sweep next checks an installation that Notion has just said is alive.
    #[must_use]
    pub fn next_look(&self, now: UnixMillis) -> UnixMillis {
        UnixMillis(now.0.saturating_add(self.idle_check_ms))
    }

    /// Reads the secrets and opens the connections, all in parallel. The first request retries whatever fails.
    pub async fn warm_up(&self) {
        let all = async {
            let secrets = async {
                self.secrets.prefetch(&*self.clock).await;
                tokio::join!(
                    self.secrets.client_secret(Freshness::Cached, &*self.clock),
                    self.secrets.key_ring(Freshness::Cached, &*self.clock),
                )
            };
            tokio::join!(secrets, self.store.warm_up(), self.notion.warm_up())
        };
        if tokio::time::timeout(Duration::from_millis(WARM_UP_MS), all).await.is_err() {
            tracing::warn!(limit_ms = WARM_UP_MS, "the warm-up took too long and was abandoned");
        }
    }

    /// Divides the time of an invocation that ends at `deadline_ms`, which is 0 if Lambda did not say.
    #[must_use]
    pub fn budget(&self, deadline_ms: u64) -> Budget {
        Budget::of_invocation(deadline_ms, &*self.clock)
    }

    /// The time until `deadline_ms`. `None` if that is 0, because Lambda did not say.
    #[must_use]
    pub fn time_left(&self, deadline_ms: u64) -> Option<Duration> {
        budget::time_left(deadline_ms, &*self.clock)
    }

    /// Both secrets, from the cache while it is fresh. Records the age of the client secret in `line`.
    ///
    /// # Errors
    ///
    /// [`NoSecrets`]; the cause is in the log.
    pub async fn secrets_in_hand(
        &self,
        budget: &Budget,
        line: &mut RequestLine,
    ) -> Result<InHand, NoSecrets> {
        let both = async {
            let (client_secret, key_ring) = tokio::join!(
                self.secrets.client_secret(Freshness::Cached, &*self.clock),
                self.secrets.key_ring(Freshness::Cached, &*self.clock),
            );
            Ok(InHand { client_secret: client_secret?, key_ring: key_ring? })
        };
        let in_hand = match until(budget.secrets_by, Box::pin(both)).await {
            Ok(Ok(in_hand)) => in_hand,
            Ok(Err(error)) => return Err(report_secret(&error)),
            Err(_out_of_time) => {
                tracing::error!(alarm = "secrets", "the secrets could not be read in time");
                return Err(NoSecrets::Unavailable);
            }
        };
        if let Some(stored_at) = in_hand.client_secret.stored_at {
            let days = self.clock.now().days_since(stored_at);
            line.measure(Measure::ClientSecretAgeDays, days);
        }
        Ok(in_hand)
    }

    /// What the claim of a flow records about its installation.
    #[must_use]
    pub fn led(&self, claim: &ClaimKey, install: &NewInstallation, ring: &KeyRing) -> Led {
        // The app's code contains the seal, so a late save must not make another one.
        let sealed_key = install.claimable.as_ref().map(|claimable| claimable.sealed_key.clone());
        let seal = || ring.seal_row_key(claim.as_str(), install.id.as_str(), &*self.random);
        Led {
            installation: Some(sealed_key.unwrap_or_else(seal)),
            template_duplicated: install.duplicated_template_id.is_some(),
        }
    }

    /// Opens an access token. If its key is not in `ring`, reads the ring again past the cache.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open_access(
        &self,
        id: &InstallationId,
        sealed: &Sealed,
        ring: &KeyRing,
    ) -> Result<AccessToken, OpenError> {
        match ring.open_access(id.as_str(), sealed) {
            Err(OpenError::UnknownVersion(_)) => {
                self.newest_ring().await?.value.open_access(id.as_str(), sealed)
            }
            opened => opened,
        }
    }

    /// Opens a refresh token in the same way.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open_refresh(
        &self,
        id: &InstallationId,
        sealed: &Sealed,
        ring: &KeyRing,
    ) -> Result<RefreshToken, OpenError> {
        match ring.open_refresh(id.as_str(), sealed) {
            Err(OpenError::UnknownVersion(_)) => {
                self.newest_ring().await?.value.open_refresh(id.as_str(), sealed)
            }
            opened => opened,
        }
    }

    async fn newest_ring(&self) -> Result<Arc<Versioned<KeyRing>>, OpenError> {
        self.secrets.key_ring(Freshness::Now, &*self.clock).await.map_err(|error| {
            report_secret(&error);
            OpenError::RingNotRead
        })
    }
}
