//! Revokes a grant at Notion.

use std::sync::Arc;
use std::time::Duration;

use shared::secret::{AccessToken, ClientSecret};
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;

use crate::installation::SealedPair;
use crate::notion::{Renewed, RevokeError, TokenError};
use crate::secrets::Versioned;
use crate::vault::Vault;

/// How many times a revocation is tried.
const MAX_REVOCATIONS: u32 = 4;
/// How long to check whether Notion refused a revocation because of the secret, in milliseconds.
const PROOF_LIMIT_MS: u64 = 2000;

/// A grant to revoke, and what may be logged about it.
pub struct GiveBack {
    /// Its access token.
    pub token: AccessToken,
    /// The client secret with which it was obtained.
    pub secret: Arc<Versioned<ClientSecret>>,
    /// Notion's id of the authorization.
    pub bot_id: Option<String>,
    /// Notion's request id of the answer that it came in.
    pub request_id: Option<String>,
}

impl GiveBack {
    /// The grant that a refresh of `before` returned.
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
    /// `give_back`: revokes a grant that is stored nowhere. If that fails, an alarm names its bot.
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
            "a grant is neither stored nor revoked"
        );
    }

    /// Revokes a token. Tries a few times until `deadline`; revoking twice does no harm.
    ///
    /// # Errors
    ///
    /// [`RevokeError`]: the token may still be alive.
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
                // Notion may say so about a token that it no longer knows. In that case it still accepts our secret.
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
