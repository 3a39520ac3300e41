//! Calls to Notion's OAuth endpoints.
//!
//! Each call sends one request. Only the error says whether it may be repeated (see [`TokenError`]).

mod error;
mod grant;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, InvalidHeaderValue};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::budget::until;
use crate::http_client::{self, BodyError};
pub use error::{NotionAnswer, RetryAfter, RevokeError, TokenError};
pub use grant::{Grant, Introspection, Me, Owner, Renewed};
use shared::config::PublicConnection;
use shared::secret::{AccessToken, AuthorizationCode, ClientSecret, RefreshToken};

/// The API version that we use (`Notion-Version`).
pub const NOTION_VERSION: &str = "2026-03-11";
/// The largest answer that is read, in bytes. Names and icon (possibly an image in a `data:` URL) are chosen by others,
/// and an answer that is not read loses the tokens in it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A client of Notion's OAuth endpoints.
#[derive(Debug, Clone)]
pub struct Notion {
    http: reqwest::Client,
    connection: PublicConnection,
}

impl Notion {
    /// A client for `connection` that sends its requests with `http`.
    #[must_use]
    pub fn new(http: reqwest::Client, connection: PublicConnection) -> Self {
        Self { http, connection }
    }

    /// Exchanges an authorization code for tokens (RFC 6749 §4.1.3).
    ///
    /// Sends the `redirect_uri` of the authorization request, byte for byte. A code works once: never send it again,
    /// except after an error that [`TokenError`] calls not processed.
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

    /// Refreshes a grant (RFC 6749 §6). This consumes the refresh token, so the answer holds the only valid pair.
    ///
    /// # Errors
    ///
    /// [`TokenError`]. `InvalidGrant` may also mean that another process has already consumed the token.
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

    /// Whether an access token is alive (RFC 7662). A token that Notion does not know is not.
    ///
    /// # Errors
    ///
    /// [`TokenError`]: whether it is alive is unknown. Notion documents no other answer for an unknown token than
    /// `"active": false`, so no other answer counts as one.
    pub async fn introspect(
        &self,
        secret: &ClientSecret,
        token: &AccessToken,
        deadline: Instant,
    ) -> Result<Introspection, TokenError> {
        self.introspect_any(secret, token.expose(), deadline).await
    }

    /// The same of a refresh token, which this does not consume. Notion documents it for access tokens only, so that a
    /// refresh token is not active says nothing, unless Notion has called another one active.
    ///
    /// # Errors
    ///
    /// [`TokenError`]: whether it is alive is unknown.
    pub async fn introspect_refresh_token(
        &self,
        secret: &ClientSecret,
        token: &RefreshToken,
        deadline: Instant,
    ) -> Result<Introspection, TokenError> {
        self.introspect_any(secret, token.expose(), deadline).await
    }

    async fn introspect_any(
        &self,
        secret: &ClientSecret,
        token: &str,
        deadline: Instant,
    ) -> Result<Introspection, TokenError> {
        let (answer, body) =
            self.post("/v1/oauth/introspect", secret, &json!({"token": token}), deadline).await?;
        if answer.status.is_success() {
            wire::introspection(&answer, &body)
        } else {
            Err(error::classify(answer, &body))
        }
    }

    /// Whose an access token is: the bot that it acts as, and the bot's owner (`GET /v1/users/me`).
    ///
    /// # Errors
    ///
    /// [`TokenError`]. `Refused` with 401 if the token does not work, with 403 if the connection may not see users.
    pub async fn me(&self, token: &AccessToken, deadline: Instant) -> Result<Me, TokenError> {
        let bearer = bearer(token).map_err(|_| TokenError::NotSent)?;
        let request = self.http.get(format!("{}/v1/users/me", self.connection.base_url));
        let (answer, body) = send(request.header(AUTHORIZATION, bearer), deadline).await?;
        if answer.status.is_success() {
            wire::me(&answer, &body)
        } else {
            Err(error::classify(answer, &body))
        }
    }

    /// Revokes a grant (RFC 7009). A token that Notion no longer knows counts as revoked.
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

    /// Whether Notion accepts `secret` for the public connection. This needs no person's token: it introspects a token
    /// that was never issued, and Notion authenticates the client first (RFC 6749 §5.2).
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidClient`] if it does not. Any other error is inconclusive.
    pub async fn knows_client(&self, secret: &ClientSecret, deadline: Instant) -> Result<(), TokenError> {
        let body = json!({"token": "never-issued"});
        let (answer, body) = self.post("/v1/oauth/introspect", secret, &body, deadline).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match error::classify(answer, &body) {
            TokenError::InvalidGrant(_) => Ok(()),
            // How Notion answers for an unknown token is not documented. It is enough that it looked at the token.
            TokenError::Refused(answer) | TokenError::Malformed(answer)
                if answer.status == http::StatusCode::BAD_REQUEST =>
            {
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Opens a connection before the first exchange. The answer does not matter.
    pub async fn warm_up(&self) {
        if let Err(error) = self.http.head(&self.connection.base_url).send().await {
            tracing::debug!(
                error = &error.without_url() as &dyn std::error::Error,
                "the Notion warm-up failed"
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
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        send(request, deadline).await
    }
}

async fn send(
    request: reqwest::RequestBuilder,
    deadline: Instant,
) -> Result<(NotionAnswer, Vec<u8>), TokenError> {
    let request = request
        .header(ACCEPT, "application/json")
        .header(HeaderName::from_static("notion-version"), NOTION_VERSION);
    let exchange = async {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() { TokenError::NotSent } else { TokenError::OutcomeUnknown(None) }
        })?;
        let answer = NotionAnswer::of(&response);
        match http_client::read_body(response, MAX_BODY_BYTES).await {
            Ok(body) => Ok((answer, body)),
            // An error is an error, whatever its body. If the body of a success cannot be read, the outcome is
            // unknown.
            Err(BodyError::TooLarge | BodyError::Broken(_)) if !answer.status.is_success() => {
                Ok((answer, Vec::new()))
            }
            Err(_) => Err(TokenError::OutcomeUnknown(Some(answer))),
        }
    };
    until(deadline, exchange).await.unwrap_or(Err(TokenError::OutcomeUnknown(None)))
}

/// A bearer token (RFC 6750 §2.1).
fn bearer(token: &AccessToken) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// HTTP Basic with the raw client id and secret: Notion's SDKs do not form-encode them first (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &ClientSecret) -> HeaderValue {
    let credentials = STANDARD.encode(format!("{client_id}:{}", secret.expose()));
    #[expect(clippy::expect_used, reason = "base64 is a header value")]
    let mut value = HeaderValue::try_from(format!("Basic {credentials}")).expect("a header value");
    value.set_sensitive(true);
    value
}
