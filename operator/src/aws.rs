//! The SDK's clients, with the credentials that the deployer's other tools use.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use shared::config::Lookup;
use vault::http_client::{self, SdkHttpClient};

use crate::commands::Commands;

/// How long one call may take with all its retries, in seconds.
const CALL_TIMEOUT_SECS: u64 = 20;
/// How long a function may take to answer, in seconds: longer than the sweep's timeout (240).
const INVOKE_TIMEOUT_SECS: u64 = 300;

/// AWS, as used by one deployer.
#[derive(Debug)]
pub struct Aws {
    /// For requests to Notion and to the stack's own pages.
    pub http: reqwest::Client,
    /// Stacks and their resources.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// Alarms.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The bus and its archive.
    pub eventbridge: aws_sdk_eventbridge::Client,
    /// Keys.
    pub kms: aws_sdk_kms::Client,
    /// The functions.
    pub lambda: aws_sdk_lambda::Client,
    /// Secrets.
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    /// Subscriptions to alarms.
    pub sns: aws_sdk_sns::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// The caller's identity.
    pub sts: aws_sdk_sts::Client,
    /// Builds the commands that are suggested.
    pub commands: Commands,
}

/// AWS cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No Region.
    #[error("no Region: give --region, or set AWS_REGION or the profile's region")]
    NoRegion,
    /// TLS.
    #[error(transparent)]
    Http(#[from] http_client::ClientError),
}

impl Aws {
    /// Finds the Region and credentials as AWS's own tools do: arguments, environment, profile. For `stack`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]. Whether the credentials are valid shows in the first call.
    pub async fn connect(
        stack: &str,
        region: Option<String>,
        profile: Option<&str>,
        lookup: &impl Lookup,
    ) -> Result<Self, ConnectError> {
        let http = http_client::build()?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(SdkHttpClient(http.clone()))
            .timeout_config(
                TimeoutConfig::builder().operation_timeout(Duration::from_secs(CALL_TIMEOUT_SECS)).build(),
            );
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        // AWS's command line and SAM also read this variable.
        if let Some(region) = region.or_else(|| lookup("AWS_REGION")).or_else(|| lookup("AWS_DEFAULT_REGION"))
        {
            loader = loader.region(Region::new(region));
        }
        let config: SdkConfig = loader.load().await;
        let region = config.region().ok_or(ConnectError::NoRegion)?.to_string();
        Ok(Self {
            http,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            eventbridge: aws_sdk_eventbridge::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            lambda: lambda(&config),
            secrets_manager: aws_sdk_secretsmanager::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            commands: Commands { stack: stack.to_owned(), region, profile: profile.map(str::to_owned) },
        })
    }
}

/// An invocation takes as long as the function runs. It is sent only once; whether to repeat it is the caller's
/// decision.
fn lambda(config: &SdkConfig) -> aws_sdk_lambda::Client {
    let timeouts =
        TimeoutConfig::builder().operation_timeout(Duration::from_secs(INVOKE_TIMEOUT_SECS)).build();
    let config = aws_sdk_lambda::config::Builder::from(config)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// A failed call in one line: the service's code and message, otherwise the kind of failure and its cause.
pub(crate) fn in_words<E, R>(error: &aws_sdk_sts::error::SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error {
        aws_sdk_sts::error::SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown error");
            format!("{code}: {}", service.err().message().unwrap_or("no message"))
        }
        other => {
            let mut words = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(error) = cause {
                words = format!("{words}: {error}");
                cause = error.source();
            }
            words
        }
    }
}
