//! The SDK's clients, from Lambda's own environment: no credential chain, no STS, no metadata service.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::timeout::TimeoutConfig;
pub use aws_types::SdkConfig;
use aws_types::sdk_config::SharedCredentialsProvider;
use shared::config::{ConfigError, Lookup, required};

use crate::http_client::SdkHttpClient;

/// How long one attempt of an SDK call may take, in milliseconds. Deadlines over all attempts: see `budget`.
pub const ATTEMPT_TIMEOUT_MS: u64 = 2000;
/// How many attempts the SDK makes; the deadline usually ends them sooner.
pub const MAX_ATTEMPTS: u32 = 8;

/// The clients of one process.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Installations and claims.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Client secret and token key ring.
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    /// The rescue queue.
    pub sqs: LazySqs,
}

/// SQS's client, made when it is first needed: most processes end without having rescued anything, and making a client
/// costs 0.45 M instructions (the SDK reads a list of all Regions for each).
#[derive(Debug, Clone)]
pub struct LazySqs {
    config: aws_sdk_sqs::Config,
    client: Arc<OnceLock<aws_sdk_sqs::Client>>,
}

impl LazySqs {
    /// The client.
    #[must_use]
    pub fn get(&self) -> &aws_sdk_sqs::Client {
        self.client.get_or_init(|| aws_sdk_sqs::Client::from_conf(self.config.clone()))
    }
}

impl Clients {
    /// Makes the clients.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable; see [`config`].
    pub fn read(lookup: &impl Lookup, http: reqwest::Client) -> Result<Self, ConfigError> {
        let sdk = config(lookup, http)?;
        Ok(Self {
            dynamodb: dynamodb(lookup, &sdk),
            secrets_manager: secrets_manager(lookup, &sdk),
            sqs: sqs(lookup, &sdk),
        })
    }
}

/// What all clients have in common: credentials, timeouts, retries. Reads `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
///
/// # Errors
///
/// [`ConfigError`] naming the variable; Lambda sets them itself.
pub fn config(lookup: &impl Lookup, http: reqwest::Client) -> Result<SdkConfig, ConfigError> {
    let credentials = Credentials::new(
        required(lookup, "AWS_ACCESS_KEY_ID")?,
        required(lookup, "AWS_SECRET_ACCESS_KEY")?,
        lookup("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(required(lookup, "AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::no_cache())
        .http_client(SdkHttpClient(http))
        // Bodies are read to their end within the attempt's timeout.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(Duration::from_millis(ATTEMPT_TIMEOUT_MS))
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(MAX_ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(50))
                .with_max_backoff(Duration::from_secs(1)),
        )
        .build())
}

/// Where a service is, if not at AWS: the standard `AWS_ENDPOINT_URL_<SERVICE>`, or `AWS_ENDPOINT_URL`.
pub fn endpoint(lookup: &impl Lookup, of_service: &str) -> Option<String> {
    lookup(of_service).or_else(|| lookup("AWS_ENDPOINT_URL"))
}

/// The client of DynamoDB.
#[must_use]
pub fn dynamodb(lookup: &impl Lookup, sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(sdk);
    config.set_endpoint_url(endpoint(lookup, "AWS_ENDPOINT_URL_DYNAMODB"));
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// The client of Secrets Manager.
#[must_use]
pub fn secrets_manager(lookup: &impl Lookup, sdk: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let mut config = aws_sdk_secretsmanager::config::Builder::from(sdk);
    config.set_endpoint_url(endpoint(lookup, "AWS_ENDPOINT_URL_SECRETS_MANAGER"));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

/// The client of SQS.
#[must_use]
pub fn sqs(lookup: &impl Lookup, sdk: &SdkConfig) -> LazySqs {
    let mut config = aws_sdk_sqs::config::Builder::from(sdk);
    config.set_endpoint_url(endpoint(lookup, "AWS_ENDPOINT_URL_SQS"));
    LazySqs { config: config.build(), client: Arc::default() }
}
