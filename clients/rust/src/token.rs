//! A live access token, and which one is wanted.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

/// A live access token. Cheap to clone; wiped when the last clone is dropped.
#[derive(Clone)]
pub struct Token(pub(crate) Arc<Answered>);

pub(crate) struct Answered {
    pub(crate) access_token: SecretString,
    pub(crate) fingerprint: String,
    pub(crate) version: u64,
    pub(crate) generation: u64,
    pub(crate) expires_at: Option<u64>,
}

impl Token {
    /// The token itself. Use it only in the `Authorization` header.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.0.access_token.expose_secret()
    }

    /// Identifies the token without revealing it; may be logged.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// How often the installation has changed.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// How often it has been installed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// When the token expires, in seconds since the epoch, if Notion said so. Today it does not.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = formatter.debug_struct("Token");
        token.field("fingerprint", &self.fingerprint()).field("version", &self.version());
        token.finish_non_exhaustive()
    }
}

/// Which token is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Live,
    /// Any token but the one with this fingerprint, which Notion refused.
    OtherThan(String),
}
