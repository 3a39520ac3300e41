//! The code with which an app's backend claims an installation.
//!
//! The base64url of `[64-digit claim key][32-byte secret of the flow][the row's key, sealed for that claim]`. The seal is
//! the one in the flow's claim and the secret is a hash of the flow's cookie, so every reload gives the same code. It
//! finds the row without an index. The row holds only its hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use shared::flow::{ClaimKey, Flow};
use shared::secret::InstallationCode;

use crate::seal::Sealed;

/// How long a code may be claimed, in milliseconds, counted from the moment at which the browser is sent back.
pub const CODE_LIFE_MS: u64 = 600_000;
/// The longest code that is read, in bytes.
const MAX_CODE_BYTES: usize = 1024;
const CLAIM_KEY_BYTES: usize = 64;
const SECRET_BYTES: usize = 32;

/// The code of a flow that led to the installation `sealed_key`.
///
/// # Panics
///
/// Never: what is encoded is not empty.
#[must_use]
pub fn code_of(flow: &Flow, sealed_key: &Sealed) -> InstallationCode {
    let mut bytes = flow.claim_key.as_str().as_bytes().to_vec();
    bytes.extend_from_slice(&flow.code_secret());
    bytes.extend_from_slice(sealed_key.as_bytes());
    #[expect(clippy::expect_used, reason = "what is encoded is not empty")]
    InstallationCode::parse(URL_SAFE_NO_PAD.encode(bytes)).expect("a code")
}

/// The hash of a code, as stored in the row.
#[must_use]
pub fn hash_of(code: &InstallationCode) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code.expose()))
}

/// What a code says: the claim of its flow, and the row's key, sealed for that claim. `None` if it is no code of ours.
#[must_use]
pub fn read(code: &InstallationCode) -> Option<(ClaimKey, Sealed)> {
    let text = code.expose();
    if text.len() > MAX_CODE_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (claim_key, rest) = bytes.split_at_checked(CLAIM_KEY_BYTES)?;
    let (_secret, sealed_key) = rest.split_at_checked(SECRET_BYTES)?;
    Some((ClaimKey::of_row(std::str::from_utf8(claim_key).ok()?), Sealed::from_bytes(sealed_key.to_vec())))
}
