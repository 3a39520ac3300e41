//! The client secret: reads it, verifies it with Notion, stores it.

use std::io::{IsTerminal as _, Read as _};
use std::time::Duration;

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use serde_json::json;
use shared::config::{ConfigError, PublicConnection};
use shared::secret::ClientSecret;
use tokio::time::Instant;
use vault::notion::{Notion, TokenError};
use vault::secrets::parse_client_secret;

use crate::aws::{Aws, in_words};
use crate::stack::{NoResource, Stack};

/// How long Notion may take to say whether it accepts a secret, in seconds.
const PROOF_LIMIT_SECS: u64 = 15;
/// The longest secret that is read, in bytes. Notion's have about fifty.
const MAX_SECRET_BYTES: u64 = 1024;

/// Whether to store a secret that Notion could not be asked about. One that Notion refuses is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Do not store it.
    Required,
    /// Store it.
    IfPossible,
}

/// Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// What was typed cannot be a client secret.
    #[error("{0}; nothing was stored")]
    Shape(&'static str),
    /// A secret is stored already.
    #[error("a client secret is stored already: `secret rotate` puts the next one in its place")]
    AlreadySet,
    /// No secret is stored.
    #[error("no client secret is stored yet: `secret set` stores the first one")]
    NotSet,
    /// Notion refuses it.
    #[error(
        "Notion does not accept this secret for client id {client_id}; compare both with the connection's \
         Configuration tab. Nothing was stored"
    )]
    Refused {
        /// The client id.
        client_id: String,
    },
    /// Notion gave no conclusive answer.
    #[error(
        "it is unknown whether the secret is right ({0}); try again, or add --without-proof. Nothing was stored"
    )]
    Unproven(TokenError),
    /// Standard input failed.
    #[error("the secret could not be read: {0}")]
    Input(std::io::Error),
    /// AWS failed.
    #[error("Secrets Manager: {0}")]
    Aws(String),
    /// The stack has no such secret.
    #[error("{0}; deploy the current template. Nothing was stored")]
    NoResource(#[from] NoResource),
    /// The stack's own settings are invalid.
    #[error("the stack's public connection is not valid ({0}); deploy again. Nothing was stored")]
    Connection(#[from] ConfigError),
}

impl SecretError {
    /// Whether the deployer must do something else first. Otherwise trying again may help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Unproven(_) | Self::Input(_) | Self::Aws(_))
    }
}

/// Stores the first client secret.
///
/// # Errors
///
/// [`SecretError`]; nothing was stored.
pub async fn set(aws: &Aws, stack: &Stack, proof: Proof) -> Result<String, SecretError> {
    if current(aws, stack).await?.is_some() {
        return Err(SecretError::AlreadySet);
    }
    let connection = stack.connection()?;
    let secret = read_secret(&connection.client_id)?;
    let proven = prove(aws, connection, &secret, proof).await?;
    store(aws, stack, &secret).await?;
    let (doctor, install_url) =
        (aws.commands.operator("doctor"), stack.output("InstallUrl").unwrap_or_default());
    Ok(format!("The client secret is stored{proven}. Next: {doctor}, then open {install_url}"))
}

/// Stores the next client secret. The present one stays as AWSPREVIOUS for functions that still use it, or for which
/// Notion refuses the new one.
///
/// # Errors
///
/// [`SecretError`]; nothing was stored.
pub async fn rotate(aws: &Aws, stack: &Stack, proof: Proof) -> Result<String, SecretError> {
    let present = current(aws, stack).await?.ok_or(SecretError::NotSet)?;
    let connection = stack.connection()?;
    let secret = read_secret(&connection.client_id)?;
    // Storing the same secret again would push the previous one out of AWSPREVIOUS, which installs in flight may
    // need.
    if present.is_ok_and(|present| present.is_same_as(&secret)) {
        return Ok("That is the client secret that is stored already; nothing was changed.".to_owned());
    }
    let proven = prove(aws, connection, &secret, proof).await?;
    store(aws, stack, &secret).await?;
    Ok(format!(
        "The new client secret is stored{proven}; functions use it within five minutes, or as soon as Notion \
         refuses the old one. Next: {}",
        aws.commands.operator("doctor")
    ))
}

/// The stored client secret, if there is one. If the value has another form, the form that it should have.
pub(crate) async fn current(
    aws: &Aws,
    stack: &Stack,
) -> Result<Option<Result<ClientSecret, &'static str>>, SecretError> {
    let id = stack.resource("ClientSecret")?;
    match aws.secrets_manager.get_secret_value().secret_id(id).send().await {
        Ok(answer) => Ok(answer.secret_string().filter(|text| !text.is_empty()).map(parse_client_secret)),
        // AWS also says so while the secret has no version.
        Err(error)
            if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
        {
            let described = aws.secrets_manager.describe_secret().secret_id(id).send().await;
            described.map(|_| None).map_err(|error| SecretError::Aws(in_words(&error)))
        }
        Err(error) => Err(SecretError::Aws(in_words(&error))),
    }
}

async fn store(aws: &Aws, stack: &Stack, secret: &ClientSecret) -> Result<(), SecretError> {
    let value = json!({"client_secret": secret.expose()}).to_string();
    let put = aws.secrets_manager.put_secret_value().secret_id(stack.resource("ClientSecret")?);
    put.secret_string(value).send().await.map_err(|error| SecretError::Aws(in_words(&error)))?;
    Ok(())
}

async fn prove(
    aws: &Aws,
    connection: PublicConnection,
    secret: &ClientSecret,
    proof: Proof,
) -> Result<&'static str, SecretError> {
    let client_id = connection.client_id.clone();
    match knows(aws, connection, secret).await {
        Ok(()) => Ok(", and Notion accepts it"),
        Err(TokenError::InvalidClient(_)) => Err(SecretError::Refused { client_id }),
        Err(_) if proof == Proof::IfPossible => Ok(" without asking Notion"),
        Err(error) => Err(SecretError::Unproven(error)),
    }
}

/// Whether Notion accepts `secret` for `connection`.
pub(crate) async fn knows(
    aws: &Aws,
    connection: PublicConnection,
    secret: &ClientSecret,
) -> Result<(), TokenError> {
    let notion = Notion::new(aws.http.clone(), connection);
    notion.knows_client(secret, Instant::now() + Duration::from_secs(PROOF_LIMIT_SECS)).await
}

/// Reads from a prompt that shows nothing, or from standard input if that is not a terminal.
fn read_secret(client_id: &str) -> Result<ClientSecret, SecretError> {
    let text = if std::io::stdin().is_terminal() {
        rpassword::prompt_password("Client secret (not shown): ").map_err(SecretError::Input)?
    } else {
        let mut text = String::new();
        let mut input = std::io::stdin().take(MAX_SECRET_BYTES + 1);
        input.read_to_string(&mut text).map_err(SecretError::Input)?;
        text
    };
    check_shape(text.trim(), client_id).map_err(SecretError::Shape)
}

/// Notion does not document what a client secret looks like. This catches what people paste by mistake.
fn check_shape(text: &str, client_id: &str) -> Result<ClientSecret, &'static str> {
    if text.is_empty() {
        return Err("no client secret was given");
    }
    if text.len() as u64 > MAX_SECRET_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a client secret is one line without spaces");
    }
    if text == client_id {
        return Err("that is the client id; the secret is below it in the Configuration tab");
    }
    if text.starts_with("ntn_") || text.starts_with("nrt_") {
        return Err("that is a token; the client secret is in the connection's Configuration tab");
    }
    if text.starts_with('{') {
        return Err("give only the client secret, without JSON around it");
    }
    ClientSecret::parse(text).map_err(|_| "no client secret was given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_client_secret_is_refused_with_what_it_is() {
        for (text, word) in [
            ("", "no client secret"),
            ("secret_a b", "without spaces"),
            ("the-client-id", "client id"),
            ("ntn_123", "token"),
            ("nrt_123", "token"),
            (r#"{"client_secret":"secret_abc"}"#, "without JSON"),
        ] {
            let error = check_shape(text, "the-client-id").unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert_eq!(check_shape("secret_abc", "the-client-id").unwrap().expose(), "secret_abc");
    }
}
