//! The beginning of a connect: an authorization request to the stack (RFC 6749 §4.1.1) with PKCE (RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

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
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system cannot supply random bytes")]
pub struct NoRandomness;

/// Begins a connect. `install_url` is the stack's output `InstallUrl`, `return_to` the key of one of its
/// `ReturnDestinations`.
///
/// # Errors
///
/// [`NoRandomness`].
pub fn begin(install_url: &str, return_to: &str) -> Result<Begun, NoRandomness> {
    let verifier = random::<32>()?;
    let state = random::<16>()?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    // Only letters, digits, '-' and '_': nothing has to be escaped.
    let url = format!("{install_url}?return_to={return_to}&code_challenge={challenge}&state={state}");
    Ok(Begun { url, verifier: verifier.into(), state })
}

impl Begun {
    /// To renew this installation (the field `installation` of its facts). If another person or workspace comes back,
    /// the claim says so before anything is linked.
    #[must_use]
    pub fn expecting(mut self, installation: &str) -> Self {
        self.url = format!("{}&expect={installation}", self.url);
        self
    }

    /// The verifier, to be kept in the user's session.
    #[must_use]
    pub fn verifier(&self) -> &str {
        self.verifier.expose_secret()
    }
}

fn random<const BYTES: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
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
        assert_eq!((begun.verifier().len(), begun.state.len()), (43, 22));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.verifier()));
        assert!(begun.url.starts_with("https://connect.example.com/install?return_to=app&code_challenge="));
        assert!(begun.url.contains(&challenge) && !begun.url.contains(begun.verifier()));
        let (code, verifier) = ("the code", begun.verifier());
        let claim = Claim { code, verifier, subject: "user 1", accept_different_account: false };
        let printed = format!("{begun:?} {claim:?}");
        for of_the_session in [&begun.state, begun.verifier(), &begun.url, code] {
            assert!(!printed.contains(of_the_session), "{printed}");
        }
        assert!(begun.expecting("abc").url.ends_with("&expect=abc"));
    }
}
