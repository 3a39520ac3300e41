//! Where the browser goes when an install that an app asked for is over. A request names a destination by its key and
//! never by its URL, so there is no open redirect.

use crate::config::{ConfigError, Lookup};
use crate::query::encode;

const VARIABLE: &str = "RETURN_DESTINATIONS";
/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 32;
/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 1024;
/// What we add to a destination's query. It must not have them itself.
const OURS: [&str; 5] = ["code", "error", "error_description", "iss", "state"];

/// The configured destinations, by key.
#[derive(Debug, Clone, Default)]
pub struct ReturnDestinations(Vec<(String, String)>);

impl ReturnDestinations {
    /// Reads `RETURN_DESTINATIONS`: `KEY=URL`, separated by spaces; not set means none. A URL is used exactly as it is
    /// written: https (http only on this machine), without a fragment; a query is kept.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`].
    pub fn read(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let invalid = |expected| ConfigError::Invalid { variable: VARIABLE, expected };
        let mut destinations: Vec<(String, String)> = Vec::new();
        for entry in lookup(VARIABLE).unwrap_or_default().split_ascii_whitespace() {
            let (key, url) = entry.split_once('=').ok_or(invalid("KEY=URL, separated by spaces"))?;
            if !is_key(key) {
                return Err(invalid("KEY=URL with keys of at most 32 letters, digits, '-' and '_'"));
            }
            if destinations.iter().any(|(known, _)| known == key) {
                return Err(invalid("KEY=URL with a different KEY for each URL"));
            }
            if !is_destination(url) {
                return Err(invalid(
                    "KEY=URL with URLs that are https (or http on localhost), without user name and fragment",
                ));
            }
            if has_our_parameters(url) {
                return Err(invalid("KEY=URL with URLs whose query has no code, state, iss or error"));
            }
            destinations.push((key.to_owned(), url.to_owned()));
        }
        Ok(Self(destinations))
    }

    /// The URL of a key.
    #[must_use]
    pub fn url(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, url)| url.as_str())
    }

    /// Every key with its URL.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, url)| (key.as_str(), url.as_str()))
    }
}

/// Whether `key` may be the key of a destination.
#[must_use]
pub fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(plain)
}

/// `url` with more parameters in its query, percent-encoded.
#[must_use]
pub fn with_parameters(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut location = url.to_owned();
    for (name, value) in parameters {
        location.push(if location.contains('?') { '&' } else { '?' });
        location.push_str(name);
        location.push('=');
        location.push_str(&encode(value));
    }
    location
}

fn is_destination(url: &str) -> bool {
    let (is_https, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://").unwrap_or_default()),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    url.len() <= MAX_URL_BYTES
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>`{|}^".contains(&byte))
        && is_host
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        // RFC 6761 §6.3: every name under `localhost.` resolves to this machine.
        && (is_https || ["localhost", "127.0.0.1"].contains(&host) || host.ends_with(".localhost"))
}

fn has_our_parameters(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| OURS.contains(&pair.split('=').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReturnDestinations, ConfigError> {
        ReturnDestinations::read(&|name: &str| (name == VARIABLE).then(|| text.to_owned()))
    }

    #[test]
    fn a_key_names_exactly_the_url_that_is_configured() {
        let both = read("app=https://app.example/notion?tab=1  dev=http://localhost:3000/back").unwrap();
        assert_eq!(both.url("app"), Some("https://app.example/notion?tab=1"));
        assert_eq!(both.url("dev"), Some("http://localhost:3000/back"));
        assert_eq!((both.url("APP"), both.url(""), both.iter().count()), (None, None, 2));
        assert_eq!(ReturnDestinations::read(&|_: &str| None).unwrap().iter().count(), 0);
    }

    #[test]
    fn what_is_no_destination_is_refused_at_start_up() {
        for odd in [
            "app",
            "=https://app.example/",
            "a b=https://app.example/",
            "app=http://app.example/",
            "app=https://user@app.example/",
            "app=https:///path",
            "app=https://app.example/#fragment",
            "app=https://app.example\\@evil.example/",
            "app=//app.example/",
            "app=javascript:alert(1)",
            "app=http://localhost.evil.example/",
            "app=http://localhost@evil.example/",
            "app=https://app.example:0/",
            "app=https://app.example:99999/",
            "app=https://app.example/ app=https://other.example/",
            "app=https://app.example/?code=1",
            "app=https://app.example/?a=1&state",
            "app=https://app.example/é",
            &format!("app=https://app.example/{}", "a".repeat(1024)),
            &format!("{}=https://app.example/", "a".repeat(33)),
        ] {
            assert!(matches!(read(odd), Err(ConfigError::Invalid { variable: VARIABLE, .. })), "{odd}");
        }
    }

    #[test]
    fn parameters_are_added_and_what_is_there_stays() {
        let added = [("code", "a b"), ("state", "x&y=z#é")];
        assert_eq!(
            with_parameters("https://app.example/back", &added),
            "https://app.example/back?code=a%20b&state=x%26y%3Dz%23%C3%A9"
        );
        assert_eq!(
            with_parameters("https://a.example/?t=1", &added[..1]),
            "https://a.example/?t=1&code=a%20b"
        );
    }
}
