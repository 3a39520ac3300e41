//! The settings, read once at start-up. With an invalid setting, a function only reports that it is misconfigured.

mod branding;

use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

use crate::ids::canonical_uuid;
pub use branding::{Branding, Color, app_name};

/// How long a person may spend at Notion, in seconds, unless `STATE_TTL_SECS` is set.
pub const DEFAULT_STATE_TTL_SECS: u64 = 600;
/// The base URL of Notion's API.
pub const NOTION_BASE_URL: &str = "https://api.notion.com";

/// A setting is missing or invalid. Names the variable and the expected form, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A required variable is not set, or empty.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable has the wrong form.
    #[error("{variable} must be {expected}")]
    Invalid {
        /// The variable's name.
        variable: &'static str,
        /// The expected form.
        expected: &'static str,
    },
}

/// Looks up a variable. Tests use a map.
pub trait Lookup: Fn(&str) -> Option<String> {}
impl<F: Fn(&str) -> Option<String>> Lookup for F {}

/// The process environment as a [`Lookup`]. An empty variable counts as not set.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a required variable.
///
/// # Errors
///
/// [`ConfigError::Missing`].
pub fn required(lookup: &impl Lookup, variable: &'static str) -> Result<String, ConfigError> {
    lookup(variable).filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(variable))
}

/// A setting that is a number in a range; `None` if it is not set.
///
/// # Errors
///
/// [`ConfigError::Invalid`] outside of that range.
pub fn number(
    lookup: &impl Lookup,
    variable: &'static str,
    range: RangeInclusive<u64>,
    expected: &'static str,
) -> Result<Option<u64>, ConfigError> {
    let Some(text) = lookup(variable) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.map(Some).ok_or(ConfigError::Invalid { variable, expected })
}

/// The public connection as registered at Notion, without its client secret.
#[derive(Debug, Clone)]
pub struct PublicConnection {
    /// `NOTION_CLIENT_ID`, required.
    pub client_id: String,
    /// `NOTION_REDIRECT_URI`, required. Notion compares it byte for byte, so it is kept as written. It ends in
    /// `/callback` and is https, or http on localhost or one of its subdomains.
    pub redirect_uri: String,
    /// `NOTION_BASE_URL`: Notion's API, or a simulated one on this machine. Without a trailing slash.
    pub base_url: String,
}

impl PublicConnection {
    /// Reads `NOTION_CLIENT_ID`, `NOTION_REDIRECT_URI` and `NOTION_BASE_URL`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let connection = Self {
            client_id: required(lookup, "NOTION_CLIENT_ID")?,
            redirect_uri: required(lookup, "NOTION_REDIRECT_URI")?,
            base_url: lookup("NOTION_BASE_URL").unwrap_or_else(|| NOTION_BASE_URL.to_owned()),
        };
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        // A colon would end the user name in Basic authentication (RFC 7617 §2).
        if !printable(&connection.client_id) || connection.client_id.contains(':') {
            return Err(ConfigError::Invalid {
                variable: "NOTION_CLIENT_ID",
                expected: "the OAuth client id that Notion shows (printable, no colon, no space)",
            });
        }
        if !connection.redirect_uri_is_valid() {
            return Err(ConfigError::Invalid {
                variable: "NOTION_REDIRECT_URI",
                expected: "https://<host>/…/callback, or http://localhost:<port>/callback, without query or fragment",
            });
        }
        if connection.base_url != NOTION_BASE_URL && !is_on_this_machine(&connection.base_url) {
            return Err(ConfigError::Invalid {
                variable: "NOTION_BASE_URL",
                expected: "left out, or a simulated Notion at http://127.0.0.1:<port>, http://localhost:<port> or, from \
                           a container, http://host.docker.internal:<port>",
            });
        }
        Ok(connection)
    }

    fn redirect_uri_is_valid(&self) -> bool {
        let uri = &self.redirect_uri;
        let (is_https, rest) = match uri.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, uri.strip_prefix("http://").unwrap_or_default()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or_default();
        let host = authority.split(':').next().unwrap_or_default();
        uri.bytes().all(|byte| byte.is_ascii_graphic())
            && !uri.contains(['?', '#', '@', '\\', '*'])
            && !host.is_empty()
            // RFC 6761 §6.3: every name under `localhost.` resolves to this machine.
            && (is_https || host == "localhost" || host.ends_with(".localhost"))
            && (path == "callback" || path.ends_with("/callback"))
    }

    /// The URL where a person approves the installation.
    #[must_use]
    pub fn authorize_url(&self) -> String {
        format!("{}/v1/oauth/authorize", self.base_url)
    }

    /// The URL where an installation starts.
    #[must_use]
    pub fn install_url(&self) -> String {
        let base = self.redirect_uri.strip_suffix("callback").unwrap_or_default();
        format!("{base}install")
    }

    /// SHA-256 of the client id and the redirect URI. It binds a state to this public connection.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.client_id, &self.redirect_uri] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

fn is_on_this_machine(url: &str) -> bool {
    let authority = url.strip_prefix("http://").unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or_default();
    // Docker's name for the machine that runs the container.
    ["127.0.0.1", "localhost", "host.docker.internal"].contains(&host) && port.parse::<u16>().is_ok()
}

/// How long a state may be claimed, in seconds: `STATE_TTL_SECS`, default 600, from 60 to 3600.
///
/// # Errors
///
/// [`ConfigError::Invalid`] outside of that range.
pub fn state_ttl_secs(lookup: &impl Lookup) -> Result<u64, ConfigError> {
    let secs = number(lookup, "STATE_TTL_SECS", 60..=3600, "a number of seconds from 60 to 3600")?;
    Ok(secs.unwrap_or(DEFAULT_STATE_TTL_SECS))
}

/// The workspaces that may be connected: `ALLOWED_WORKSPACES`, ids separated by commas. If not set, any workspace
/// may.
///
/// # Errors
///
/// [`ConfigError::Invalid`] if it is set but is not a list of ids: a typo must not admit every workspace.
pub fn allowed_workspaces(lookup: &impl Lookup) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(text) = lookup("ALLOWED_WORKSPACES") else { return Ok(None) };
    let ids = text.split(',').map(|id| canonical_uuid(id.trim()));
    ids.collect::<Option<_>>().map(Some).ok_or(ConfigError::Invalid {
        variable: "ALLOWED_WORKSPACES",
        expected: "workspace ids (UUIDs) separated by commas, or not set",
    })
}

#[cfg(test)]
mod tests;
