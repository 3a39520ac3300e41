//! Proof Key for Code Exchange (RFC 7636), with us as the server and the app's backend as the client. S256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::CodeVerifier;

/// A code challenge: the SHA-256 of a code verifier (RFC 7636 §4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

impl std::fmt::Debug for CodeChallenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeChallenge([redacted])")
    }
}

impl CodeChallenge {
    /// Reads the base64url of a SHA-256: 43 characters, without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The challenge of a verifier.
    #[must_use]
    pub fn of(verifier: &CodeVerifier) -> Self {
        Self(Sha256::digest(verifier.expose()).into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it is sent: the base64url of the bytes.
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether the verifier is the one that the challenge was made from, compared in constant time.
    #[must_use]
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        self.0.ct_eq(&Self::of(verifier).0).into()
    }
}

/// Reads a code verifier: 43 to 128 of the unreserved characters (RFC 7636 §4.1).
#[must_use]
pub fn verifier(text: &str) -> Option<CodeVerifier> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_verifier = (43..=128).contains(&text.len()) && text.bytes().all(unreserved);
    is_verifier.then(|| CodeVerifier::parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        assert!(challenge.is_met_by(&verifier(VERIFIER).unwrap()));
        assert_eq!(challenge.to_text(), CHALLENGE);
        // The method `plain` would let the challenge itself through.
        assert!(!challenge.is_met_by(&verifier(CHALLENGE).unwrap()));
        assert!(!format!("{challenge:?}").contains("E9"));
    }

    #[test]
    fn only_the_lengths_and_characters_of_the_rfc_are_accepted() {
        for odd in
            ["", &VERIFIER[1..], &"a".repeat(129), &VERIFIER.replace('-', "+"), &format!("{VERIFIER} ")]
        {
            assert!(verifier(odd).is_none(), "{odd}");
        }
        for odd in ["", &CHALLENGE[1..], &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+"), VERIFIER] {
            // The last character of a challenge has two bits that must be zero.
            let is_other = CodeChallenge::parse(odd).is_none_or(|challenge| challenge.to_text() == VERIFIER);
            assert!(is_other, "{odd}");
        }
    }
}
