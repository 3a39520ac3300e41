//! Randomness, passed in as an argument.

use std::time::Duration;

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
    /// If the operating system cannot supply random bytes: nothing secure can be done without them.
    #[expect(
        clippy::expect_used,
        reason = "it is not safe to continue; the entry point answers with a 500 page"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system supplies random bytes");
    }
}

/// Draws `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut drawn = [0; N];
    random.fill(&mut drawn);
    drawn
}

/// `time`, and up to a tenth more, so that those who wait for the same thing do not come back together.
#[must_use]
pub fn up_to_a_tenth_more(time: Duration, random: &dyn Random) -> Duration {
    let draw = f64::from(u16::from_be_bytes(bytes(random))) / f64::from(u16::MAX);
    time.mul_f64(1.0 + draw / 10.0)
}

/// Draws a time between half of `longest_ms` and all of it, so that those who wait for the same thing do not come back
/// together.
#[must_use]
pub fn jittered(longest_ms: u64, random: &dyn Random) -> Duration {
    let draw = u64::from(u16::from_be_bytes(bytes(random)));
    Duration::from_millis(longest_ms / 2 + longest_ms * draw / (2 * u64::from(u16::MAX)))
}

/// Draws a nonce for one write or one attempt: 128 bits as base64url, 22 characters.
///
/// If a write succeeds but its reply is lost, the retry fails its condition. It recognises its own write by this
/// nonce.
#[must_use]
pub fn attempt(random: &dyn Random) -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>(random))
}
