//! Identifiers and tokens, drawn from a seed.

use sha2::{Digest as _, Sha256};

/// A stream of bytes: block *n* is `SHA-256(key || n)`.
///
/// The same seed gives the same stream in every version. The position is kept in the state file, so a restart with
/// the same seed does not issue the same tokens again.
pub(crate) struct Random {
    key: [u8; 32],
    drawn: u64,
}

impl Random {
    /// Continues the stream of `seed` after `drawn` blocks; without a seed, the key comes from the OS.
    ///
    /// # Errors
    ///
    /// Fails if the operating system cannot supply random bytes.
    pub(crate) fn new(seed: Option<u64>, drawn: u64) -> std::io::Result<Self> {
        let mut key = [0; 32];
        match seed {
            Some(seed) => key[..8].copy_from_slice(&seed.to_be_bytes()),
            None => getrandom::fill(&mut key).map_err(std::io::Error::other)?,
        }
        Ok(Self { key, drawn })
    }

    /// A stream of its own for what has a name: the same name gives the same ids in every run.
    pub(crate) fn named(name: &str) -> Self {
        Self { key: Sha256::digest(name).into(), drawn: 0 }
    }

    /// How many blocks have been drawn since the start of the stream.
    pub(crate) fn drawn(&self) -> u64 {
        self.drawn
    }

    fn block(&mut self) -> [u8; 32] {
        let block = Sha256::new().chain_update(self.key).chain_update(self.drawn.to_be_bytes()).finalize();
        self.drawn += 1;
        block.into()
    }

    /// A version 4 UUID (RFC 9562 §5.4), as Notion's codes and ids are.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = self.block();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = hex(&bytes[..16]);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// A short id, as properties have.
    pub(crate) fn word(&mut self) -> String {
        hex(&self.block()[..3])
    }

    /// A token of about 50 characters: `ntn_…` or `nrt_…`.
    pub(crate) fn token(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", &hex(&self.block())[..46])
    }

    /// A value for Cloudflare's `cf-ray`.
    pub(crate) fn ray(&mut self) -> String {
        format!("{}-SIM", &hex(&self.block())[..16])
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]])
        .map(char::from)
        .collect()
}
