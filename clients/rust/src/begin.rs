//! The beginning of a connect: an authorization request to the stack (RFC 6749 §4.1.1) with PKCE (RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::InstallationsError;

/// Everything but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A connect that has begun. Keep `verifier` and `state` in the session of the user who is logged in, and send the
/// browser to `url`.
#[derive(Clone)]
pub struct Begun {
    /// The link for the browser.
    pub url: String,
    /// Proves in the claim that this backend has begun the connect. Keep it in the user's session, and nowhere else.
    pub verifier: SecretString,
    /// Comes back to the return destination. Compare it with the one in the session.
    pub state: String,
}

/// Shows nothing of it: `state` and `verifier` are the session's.
impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// The operating system cannot supply random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system cannot supply random bytes")]
pub struct NoRandomness;

/// Begins a connect. `install_url` is the stack's output `InstallUrl`, `return_to` the key of one of its
/// `ReturnDestinations`.
///
/// # Errors
///
/// [`NoRandomness`].
pub fn begin(install_url: &str, return_to: &str) -> Result<Begun, NoRandomness> {
    begin_with(install_url, return_to, |bytes| getrandom::fill(bytes).map_err(|_| NoRandomness))
}

/// Draws 32 bytes for the verifier, then 16 for the state.
pub(crate) fn begin_with(
    install_url: &str,
    return_to: &str,
    mut draw: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<Begun, NoRandomness> {
    let (mut verifier, mut state) = ([0; 32], [0; 16]);
    draw(&mut verifier)?;
    draw(&mut state)?;
    let (verifier, state) = (URL_SAFE_NO_PAD.encode(verifier), URL_SAFE_NO_PAD.encode(state));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let begun = Begun { url: install_url.to_owned(), verifier: verifier.into(), state: state.clone() };
    Ok(begun
        .with('?', "return_to", return_to)
        .with('&', "code_challenge", &challenge)
        .with('&', "state", &state))
}

impl Begun {
    /// To renew this installation (the field `installation` of its facts). If another person or workspace comes back,
    /// the claim says so before anything is linked.
    #[must_use]
    pub fn expecting(self, installation: &str) -> Self {
        self.with('&', "expect", installation)
    }

    /// In which languages the person reads, as BCP 47 tags separated by spaces, the best one first (`ui_locales` of
    /// OpenID Connect): `de-AT en`. Otherwise the browser says so.
    #[must_use]
    pub fn in_languages(self, ui_locales: &str) -> Self {
        self.with('&', "ui_locales", ui_locales)
    }

    /// The verifier, to be kept in the user's session.
    #[must_use]
    pub fn verifier(&self) -> &str {
        self.verifier.expose_secret()
    }

    /// The code in the query with which the browser came back (pairs, decoded), for the claim.
    ///
    /// # Errors
    ///
    /// [`InstallationsError::InvalidGrant`] if it is not the answer to this connect: `state` or `iss` (RFC 9207) is
    /// another one. [`InstallationsError::NotConnected`] if the person pressed Cancel, or the install failed.
    pub fn code_from<N: AsRef<str>, V: AsRef<str>>(
        &self,
        query: impl IntoIterator<Item = (N, V)>,
    ) -> Result<String, InstallationsError> {
        let query: Vec<(N, V)> = query.into_iter().collect();
        // A parameter that is repeated is none (RFC 6749 §3.1).
        let one = |name: &str| match query.iter().filter(|(of, _)| of.as_ref() == name).collect::<Vec<_>>()[..]
        {
            [(_, value)] => Some(value.as_ref()),
            _ => None,
        };
        let is_ours = one("state").is_some_and(|state| state.as_bytes().ct_eq(self.state.as_bytes()).into());
        if !is_ours || one("iss") != Some(origin(&self.url)) {
            return Err(InstallationsError::InvalidGrant);
        }
        if let Some(error) = one("error") {
            let reason = one("error_description").unwrap_or_default();
            return Err(InstallationsError::NotConnected {
                error: error.to_owned(),
                reason: reason.to_owned(),
            });
        }
        one("code").map(str::to_owned).ok_or(InstallationsError::InvalidGrant)
    }

    fn with(mut self, separator: char, name: &str, value: &str) -> Self {
        self.url.push(separator);
        self.url.push_str(name);
        self.url.push('=');
        self.url.extend(utf8_percent_encode(value, RESERVED));
        self
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installations::Claim;

    #[test]
    fn each_connect_has_a_verifier_of_its_own_and_the_link_has_only_its_hash() {
        let begun = begin("https://connect.example.com/install", "app").unwrap();
        let again = begin("https://connect.example.com/install", "app").unwrap();
        assert!(begun.verifier() != again.verifier() && begun.state != again.state);
        assert!(!begun.url.contains(begun.verifier()));
        let (code, verifier) = ("the code", begun.verifier());
        let claim = Claim { code, verifier, subject: "user 1", accept_different_account: false };
        let printed = format!("{begun:?} {claim:?}");
        for of_the_session in [&begun.state, begun.verifier(), &begun.url, code] {
            assert!(!printed.contains(of_the_session), "{printed}");
        }
    }

    #[test]
    fn only_the_answer_to_this_connect_has_its_code() {
        let begun = begin("http://localhost:3000/base/install", "app").unwrap();
        let iss = "http://localhost:3000";
        let came = |state, iss| begun.code_from([("code", "the code"), ("state", state), ("iss", iss)]);
        assert_eq!(came(&begun.state, iss).unwrap(), "the code");
        for (state, iss) in [
            ("", iss),
            ("another", iss),
            (&begun.state[1..], iss),
            (&begun.state, ""),
            (&begun.state, "http://localhost:3000/base"),
            (&begun.state, "http://localhost"),
        ] {
            assert!(matches!(came(state, iss), Err(InstallationsError::InvalidGrant)), "{state} {iss}");
        }
        let state = ("state", begun.state.as_str());
        let code = ("code", "c");
        let several = [vec![state, ("iss", iss)], vec![code, state], vec![code, ("iss", iss)]];
        for query in several.into_iter().chain([vec![code, code, state, ("iss", iss)]]) {
            assert!(matches!(begun.code_from(query), Err(InstallationsError::InvalidGrant)));
        }
        let refused = [state, ("iss", iss), ("error", "access_denied"), ("error_description", "refused")];
        let error = begun.code_from(refused).unwrap_err();
        assert_eq!(error.to_string(), r#"not connected: "access_denied", "refused""#);
    }
}
