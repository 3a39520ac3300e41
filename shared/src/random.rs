//! Randomness, as an argument.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A source of cryptographically secure random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

impl<T: Random + ?Sized> Random for std::sync::Arc<T> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// # Panics
    ///
    /// If the operating system has no randomness to give: nothing secure can be done without.
    #[expect(clippy::expect_used, reason = "no safe way to go on; the entry point answers with a 500 page")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// Draws `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut drawn = [0; N];
    random.fill(&mut drawn);
    drawn
}

/// Draws the nonce of one write or one attempt: 128 bits as base64url, 22 characters.
///
/// A conditional write that fails against its own lost success recognises itself by it.
#[must_use]
pub fn attempt(random: &dyn Random) -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>(random))
}
