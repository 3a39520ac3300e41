//! Tokens, from the function `token`: vended and audited as to any backend.

use std::time::Duration;

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use notion_token_client::{NotAnswered, Person, Token, TokenClient, TokenError};
use shared::config::{ConfigError, Lookup, required};
use vault::aws::{SdkConfig, endpoint};
use vault::installation::InstallationId;
use vault::onboarding::FailureReason;

use crate::stop::Stop;

/// The token function answers within 25 seconds.
const ANSWER: Duration = Duration::from_secs(27);
/// This function's name in the audit log.
const CALLER: &str = "onboard";

/// Where tokens come from.
#[derive(Debug)]
pub(crate) struct Tokens(TokenClient);

impl Tokens {
    /// Reads `TOKEN_FUNCTION_NAME`.
    pub(crate) fn read(lookup: &impl Lookup, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut config = Builder::from(sdk)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ANSWER).build())
            // What is not answered comes back with the message.
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(endpoint(lookup, "AWS_ENDPOINT_URL_LAMBDA"));
        let lambda = aws_sdk_lambda::Client::from_conf(config.build());
        let function = required(lookup, "TOKEN_FUNCTION_NAME")?;
        // Nothing is kept: each message asks whether the installation is still there.
        Ok(Self(TokenClient::new(lambda, function).called(CALLER).keep_for(Duration::ZERO)))
    }

    /// A live token.
    pub(crate) async fn get(&self, id: &InstallationId) -> Result<Token, Stop> {
        self.0.token(&person(id)).await.map_err(|error| stop(&error))
    }

    /// Another one than this, which Notion has refused.
    pub(crate) async fn other_than(&self, id: &InstallationId, refused: &Token) -> Result<Token, Stop> {
        self.0.refused(&person(id), refused).await.map_err(|error| stop(&error))
    }
}

fn person(id: &InstallationId) -> Person {
    match id.parts() {
        (workspace_id, Some(user_id)) => Person::user(workspace_id, user_id),
        (workspace_id, None) => Person::workspace(workspace_id),
    }
}

fn stop(error: &TokenError) -> Stop {
    match error {
        TokenError::NotInstalled { .. } | TokenError::Removed { .. } | TokenError::Unclaimed => Stop::NotOurs,
        TokenError::NeedsReinstall { .. } => Stop::failed(None, FailureReason::NeedsReinstall),
        TokenError::TryLater { retry_after, .. } => Stop::Later(*retry_after),
        TokenError::RefusedButAlive { .. } => Stop::NoTokens("refused_but_alive"),
        TokenError::Misconfigured => Stop::NoTokens("misconfigured"),
        TokenError::NotAnswered(NotAnswered::NotReached(_)) => Stop::NoTokens("not_reached"),
        TokenError::NotAnswered(NotAnswered::FunctionFailed { .. }) => Stop::NoTokens("function_error"),
        _ => Stop::NoTokens("unreadable"),
    }
}
