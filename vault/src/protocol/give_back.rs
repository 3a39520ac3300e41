//! Giving a grant back to Notion.

use std::sync::Arc;
use std::time::Duration;

use shared::secret::{AccessToken, ClientSecret};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use crate::installation::SealedPair;
use crate::notion::{Renewed, RevokeError, TokenError};
use crate::secrets::Versioned;
use crate::vault::Vault;

/// How often a revocation is tried.
const MAX_REVOCATIONS: u32 = 4;
/// How long it may take to find out whether a refused revocation was refused for the secret's sake, in milliseconds.
const PROOF_LIMIT_MS: u64 = 2000;

/// A grant on its way back to Notion, and what may be said of it in the log.
pub struct GiveBack {
    /// Its access token.
    pub token: AccessToken,
    /// The client secret that it was got with.
    pub secret: Arc<Versioned<ClientSecret>>,
    /// Its bot.
    pub bot_id: Option<String>,
    /// Notion's id of the answer that it came in.
    pub request_id: Option<String>,
}

impl GiveBack {
    /// What a refresh of the pair `before` brought.
    pub(super) fn of_refresh(
        before: &SealedPair,
        renewed: &Renewed,
        secret: Arc<Versioned<ClientSecret>>,
    ) -> Self {
        Self {
            token: renewed.access_token.clone(),
            secret,
            bot_id: Some(renewed.bot_id.clone().unwrap_or_else(|| before.bot_id.clone())),
            request_id: renewed.answer.request_id.clone(),
        }
    }
}

impl Vault {
    /// Gives a grant back that is stored nowhere; if that fails, an alarm names its bot.
    pub async fn give_back(&self, grant: GiveBack, deadline: Instant, line: &mut RequestLine) {
        let error = match self.revoke(&grant.token, &grant.secret, deadline).await {
            Ok(()) => return line.count(Metric::Revoked),
            Err(error) => error,
        };
        line.count(Metric::OrphanedGrant);
        tracing::error!(
            alarm = "orphaned_grant",
            bot_id = grant.bot_id,
            notion_request_id = grant.request_id,
            error = &error as &dyn std::error::Error,
            "a grant is neither stored nor given back"
        );
    }

    /// Revokes a token, trying a few times until `deadline`: revoking twice does no harm.
    ///
    /// # Errors
    ///
    /// [`RevokeError`]: it may still be alive.
    pub async fn revoke(
        &self,
        token: &AccessToken,
        secret: &Versioned<ClientSecret>,
        deadline: Instant,
    ) -> Result<(), RevokeError> {
        let mut tries = 1;
        loop {
            let error = match self.notion.revoke(&secret.value, token, deadline).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if matches!(error.0, TokenError::InvalidClient(_)) {
                // Notion may say so of a token that it no longer knows; then it knows us all the same.
                let proof_by = deadline.min(Instant::now() + Duration::from_millis(PROOF_LIMIT_MS));
                let known = self.notion.knows_client(&secret.value, proof_by).await;
                return if known.is_ok() { Ok(()) } else { Err(error) };
            }
            let again = Instant::now() + self.wait_before_retry(&error.0);
            let hopeless = error.0.is_refusal() || matches!(error.0, TokenError::Blocked(_));
            if hopeless || tries == MAX_REVOCATIONS || again >= deadline {
                return Err(error);
            }
            tokio::time::sleep_until(again).await;
            tries += 1;
        }
    }
}
