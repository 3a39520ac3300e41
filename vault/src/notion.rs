//! Notion's OAuth endpoints, as far as the functions call them.
//!
//! Each call is made once; whether it may be made again follows from the error alone (see [`TokenError`]).

mod error;
mod grant;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::budget::until;
use crate::http_client::{self, BodyError};
pub use error::{NotionAnswer, RetryAfter, RevokeError, TokenError};
pub use grant::{Grant, Owner, Renewed};
use shared::config::PublicConnection;
use shared::secret::{AccessToken, AuthorizationCode, ClientSecret, RefreshToken};

/// The API version that we speak (`Notion-Version`).
pub const NOTION_VERSION: &str = "2026-03-11";
/// Largest answer that is read, in bytes: names and an icon (which may be an image in a `data:` URL) are somebody else's
/// choice, and an answer that is left unread loses the tokens in it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A client of Notion's OAuth endpoints.
#[derive(Debug, Clone)]
pub struct Notion {
    http: reqwest::Client,
    connection: PublicConnection,
}

impl Notion {
    /// Speaks for `connection` over `http`.
    #[must_use]
    pub fn new(http: reqwest::Client, connection: PublicConnection) -> Self {
        Self { http, connection }
    }

    /// Exchanges an authorization code for tokens (RFC 6749 §4.1.3).
    ///
    /// The `redirect_uri` sent is the one of the authorization request, byte for byte. A code works once: after
    /// any error but those that [`TokenError`] calls not processed, never send it again.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub async fn exchange(
        &self,
        secret: &ClientSecret,
        code: &AuthorizationCode,
        deadline: Instant,
    ) -> Result<Grant, TokenError> {
        let body = json!({
            "grant_type": "authorization_code",
            "code": code.expose(),
            "redirect_uri": self.connection.redirect_uri,
        });
        let (answer, body) = self.post("/v1/oauth/token", secret, &body, deadline).await?;
        if answer.status.is_success() {
            wire::grant(&answer, &body)
        } else {
            Err(error::classify(answer, &body))
        }
    }

    /// Refreshes a grant (RFC 6749 §6). The refresh token is used up; whoever gets this answer has the only pair there is.
    ///
    /// # Errors
    ///
    /// [`TokenError`]. `InvalidGrant` may also mean that somebody else was faster.
    pub async fn refresh(
        &self,
        secret: &ClientSecret,
        refresh_token: &RefreshToken,
        deadline: Instant,
    ) -> Result<Renewed, TokenError> {
        let body = json!({"grant_type": "refresh_token", "refresh_token": refresh_token.expose()});
        let (answer, body) = self.post("/v1/oauth/token", secret, &body, deadline).await?;
        if answer.status.is_success() {
            wire::renewed(&answer, &body)
        } else {
            Err(error::classify(answer, &body))
        }
    }

    /// Whether an access token is alive (RFC 7662). One that Notion does not know is not.
    ///
    /// # Errors
    ///
    /// [`TokenError`]: it is not known then. What Notion says of an unknown token other than `"active": false` is not
    /// documented, so nothing else is taken for it.
    pub async fn introspect(
        &self,
        secret: &ClientSecret,
        token: &AccessToken,
        deadline: Instant,
    ) -> Result<bool, TokenError> {
        let body = json!({"token": token.expose()});
        let (answer, body) = self.post("/v1/oauth/introspect", secret, &body, deadline).await?;
        if answer.status.is_success() {
            wire::is_active(&answer, &body)
        } else {
            Err(error::classify(answer, &body))
        }
    }

    /// Gives a grant back (RFC 7009). A token that Notion no longer knows counts as given back.
    ///
    /// # Errors
    ///
    /// [`RevokeError`]: the grant may still be alive.
    pub async fn revoke(
        &self,
        secret: &ClientSecret,
        token: &AccessToken,
        deadline: Instant,
    ) -> Result<(), RevokeError> {
        let body = json!({"token": token.expose()});
        let (answer, body) =
            self.post("/v1/oauth/revoke", secret, &body, deadline).await.map_err(RevokeError)?;
        if answer.status.is_success() {
            return Ok(());
        }
        match error::classify(answer, &body) {
            TokenError::InvalidGrant(_) => Ok(()),
            other => Err(RevokeError(other)),
        }
    }

    /// Whether Notion knows the public connection by `secret`, found out without a person: a token that was never
    /// issued is introspected, and client authentication comes first (RFC 6749 §5.2).
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidClient`] if it does not; any other error leaves it open.
    pub async fn knows_client(&self, secret: &ClientSecret, deadline: Instant) -> Result<(), TokenError> {
        let body = json!({"token": "never-issued"});
        let (answer, body) = self.post("/v1/oauth/introspect", secret, &body, deadline).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match error::classify(answer, &body) {
            TokenError::InvalidGrant(_) => Ok(()),
            // What Notion says of an unknown token is not documented; that it looked at it is enough.
            TokenError::Refused(answer) | TokenError::Malformed(answer)
                if answer.status == http::StatusCode::BAD_REQUEST =>
            {
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Opens a connection ahead of the first exchange; the answer does not matter.
    pub async fn warm_up(&self) {
        if let Err(error) = self.http.head(&self.connection.base_url).send().await {
            tracing::debug!(
                error = &error.without_url() as &dyn std::error::Error,
                "Notion was not warmed up"
            );
        }
    }

    async fn post(
        &self,
        path: &str,
        secret: &ClientSecret,
        body: &Value,
        deadline: Instant,
    ) -> Result<(NotionAnswer, Vec<u8>), TokenError> {
        let request = self
            .http
            .post(format!("{}{path}", self.connection.base_url))
            .header(AUTHORIZATION, basic(&self.connection.client_id, secret))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(HeaderName::from_static("notion-version"), NOTION_VERSION)
            .body(body.to_string());
        let exchange = async {
            let response = request.send().await.map_err(|error| {
                if error.is_connect() { TokenError::NotSent } else { TokenError::OutcomeUnknown(None) }
            })?;
            let answer = NotionAnswer::of(&response);
            match http_client::read_body(response, MAX_BODY_BYTES).await {
                Ok(body) => Ok((answer, body)),
                // An error is an error whatever its body; a success that cannot be read is not known to be one.
                Err(BodyError::TooLarge | BodyError::Broken(_)) if !answer.status.is_success() => {
                    Ok((answer, Vec::new()))
                }
                Err(_) => Err(TokenError::OutcomeUnknown(Some(answer))),
            }
        };
        until(deadline, exchange).await.unwrap_or(Err(TokenError::OutcomeUnknown(None)))
    }
}

/// HTTP Basic with the raw client id and secret: Notion's SDKs do not form-encode them first (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &ClientSecret) -> HeaderValue {
    let credentials = STANDARD.encode(format!("{client_id}:{}", secret.expose()));
    #[expect(clippy::expect_used, reason = "base64 is a header value")]
    let mut value = HeaderValue::try_from(format!("Basic {credentials}")).expect("a header value");
    value.set_sensitive(true);
    value
}
