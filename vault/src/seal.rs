//! Sealing tokens (and what says whose a flow was) before they reach a table, and fingerprinting them.
//!
//! Stored bytes: `[1-byte format = 1][4-byte key version][24-byte nonce][ciphertext and 16-byte tag]`, with
//! XChaCha20-Poly1305 (its nonce is long enough to be drawn at random for ever). The associated data names the
//! table, the row, what is sealed and the key version, so that a ciphertext copied to another row does not
//! open. A fingerprint is a keyed hash that does not change when a token is sealed anew.

mod ring_file;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::Sha256;

pub use ring_file::with_next_key;
use shared::random::{self, Random};
use shared::secret::{AccessToken, KeyMaterial, RefreshToken};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + 4;
const NONCE_BYTES: usize = 24;
const AAD_TAG: &[u8] = b"notion-install seal 1";
/// Shortest key material that is accepted, in characters: 32 of 62 are 190 bits.
const MIN_MATERIAL_CHARS: usize = 32;

/// Names a version of the sealing key; the newest seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyVersion(pub u32);

/// What a seal holds, and of which table. Current and previous tokens share a kind: moving one aside does not reseal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An access token, in an installation's row.
    Access,
    /// A refresh token, likewise.
    Refresh,
    /// The key of the row that a flow led to, in its claim: Notion's ids of workspace and person do not lie there open.
    RowKey,
}

impl Kind {
    /// The table's logical name (so that a restored table under another name still opens), and the kind's.
    fn names(self) -> [&'static [u8]; 2] {
        match self {
            Self::Access => [b"installations", b"access"],
            Self::Refresh => [b"installations", b"refresh"],
            Self::RowKey => [b"claims", b"installation"],
        }
    }
}

/// A sealed token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// A keyed hash of a token, as base64url: equal for equal tokens, worthless without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(String);

/// The token key ring.
///
/// Secrets Manager holds `{"seed": "…"}` as the stack generated it, and from the first rotation on also
/// `"keys": {"2": "…", …}`. The seed is the material of version 1 and of the fingerprint key for ever.
pub struct KeyRing {
    fingerprint_key: [u8; 32],
    keys: Vec<(KeyVersion, XChaCha20Poly1305)>,
}

/// The ring in Secrets Manager is not a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token key ring must be JSON with a \"seed\" of at least 32 characters and, if rotated, \"keys\" by version"
)]
pub struct BadKeyRing;

/// Why a seal did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed by a version that is not in the ring in memory: read it again past the cache.
    #[error("sealed with key version {}, which is not in the ring", .0.0)]
    UnknownVersion(KeyVersion),
    /// Changed, copied from elsewhere, or cut.
    #[error("the seal is broken")]
    Broken,
    /// Sealed by a version that may be in the newest ring, which cannot be read just now.
    #[error("the newest key ring cannot be read")]
    RingNotRead,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let versions: Vec<u32> = self.keys.iter().map(|(version, _)| version.0).collect();
        f.debug_struct("KeyRing").field("versions", &versions).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads the ring as Secrets Manager holds it.
    ///
    /// # Errors
    ///
    /// [`BadKeyRing`].
    pub fn parse(json: &str) -> Result<Self, BadKeyRing> {
        let ring: Value = serde_json::from_str(json).map_err(|_| BadKeyRing)?;
        let seed = material(ring.get("seed"))?;
        let mut keys = vec![(KeyVersion(1), sealing_key(&seed, KeyVersion(1)))];
        match ring.get("keys") {
            None => {}
            Some(Value::Object(later)) => {
                for (version, text) in later {
                    let number: u32 = version.parse().map_err(|_| BadKeyRing)?;
                    // "2" and "02" would be two keys of one version.
                    if number < 2 || number.to_string() != *version {
                        return Err(BadKeyRing);
                    }
                    let version = KeyVersion(number);
                    keys.push((version, sealing_key(&material(Some(text))?, version)));
                }
            }
            Some(_) => return Err(BadKeyRing),
        }
        keys.sort_unstable_by_key(|(version, _)| *version);
        Ok(Self { fingerprint_key: derive(&seed, b"notion-install fingerprint 1", &[]), keys })
    }

    /// Seals an access token for a row.
    #[must_use]
    pub fn seal_access(
        &self,
        row_key: &str,
        token: &AccessToken,
        random: &dyn Random,
    ) -> (Sealed, Fingerprint) {
        (self.seal(row_key, Kind::Access, token.expose(), random), self.fingerprint(token.expose()))
    }

    /// Seals a refresh token for a row.
    #[must_use]
    pub fn seal_refresh(
        &self,
        row_key: &str,
        token: &RefreshToken,
        random: &dyn Random,
    ) -> (Sealed, Fingerprint) {
        (self.seal(row_key, Kind::Refresh, token.expose(), random), self.fingerprint(token.expose()))
    }

    /// The version that seals now.
    #[must_use]
    pub fn newest(&self) -> KeyVersion {
        self.keys.last().map_or(KeyVersion(1), |(version, _)| *version)
    }

    /// Every version, the oldest first.
    #[must_use]
    pub fn versions(&self) -> Vec<KeyVersion> {
        self.keys.iter().map(|(version, _)| *version).collect()
    }

    /// The versions that have been replaced, the oldest first.
    #[must_use]
    pub fn replaced(&self) -> Vec<KeyVersion> {
        self.keys.iter().rev().skip(1).rev().map(|(version, _)| *version).collect()
    }

    /// What stands in the place of an installation whose person is forgotten: tells nothing without the key.
    #[must_use]
    pub fn forgotten_id(&self, row_key: &str) -> String {
        format!("forgotten/{}", self.keyed_hash(&[b"forgotten", row_key.as_bytes()].join(&0)).0)
    }

    /// Opens an access token of a row.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_access(&self, row_key: &str, sealed: &Sealed) -> Result<AccessToken, OpenError> {
        AccessToken::parse(self.open(row_key, Kind::Access, sealed)?).map_err(|_| OpenError::Broken)
    }

    /// Opens a refresh token of a row.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_refresh(&self, row_key: &str, sealed: &Sealed) -> Result<RefreshToken, OpenError> {
        RefreshToken::parse(self.open(row_key, Kind::Refresh, sealed)?).map_err(|_| OpenError::Broken)
    }

    /// Seals the key of an installation's row for a claim.
    #[must_use]
    pub fn seal_row_key(&self, claim_key: &str, row_key: &str, random: &dyn Random) -> Sealed {
        self.seal(claim_key, Kind::RowKey, row_key, random)
    }

    /// Opens the key of the row that a claim led to.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_row_key(&self, claim_key: &str, sealed: &Sealed) -> Result<String, OpenError> {
        self.open(claim_key, Kind::RowKey, sealed)
    }

    fn seal(&self, row_key: &str, kind: Kind, token: &str, random: &dyn Random) -> Sealed {
        #[expect(clippy::expect_used, reason = "version 1 is always there")]
        let (version, cipher) = self.keys.last().expect("a key");
        let nonce = random::bytes::<NONCE_BYTES>(random);
        let aad = associated_data(row_key, kind, *version);
        #[expect(clippy::expect_used, reason = "fails only beyond 256 GiB")]
        let ciphertext = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: token.as_bytes(), aad: &aad })
            .expect("a token is short");
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&version.0.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Sealed(sealed)
    }

    fn open(&self, row_key: &str, kind: Kind, sealed: &Sealed) -> Result<String, OpenError> {
        let (header, rest) = sealed.0.split_at_checked(HEADER_BYTES).ok_or(OpenError::Broken)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(OpenError::Broken)?;
        let [format, version @ ..] = header else {
            return Err(OpenError::Broken);
        };
        if *format != FORMAT {
            return Err(OpenError::Broken);
        }
        let version = KeyVersion(u32::from_be_bytes(version.try_into().map_err(|_| OpenError::Broken)?));
        let (_, cipher) = self
            .keys
            .iter()
            .find(|(known, _)| *known == version)
            .ok_or(OpenError::UnknownVersion(version))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| OpenError::Broken)?;
        let aad = associated_data(row_key, kind, version);
        let token =
            cipher.decrypt(&nonce, Payload { msg: ciphertext, aad: &aad }).map_err(|_| OpenError::Broken)?;
        String::from_utf8(token).map_err(|_| OpenError::Broken)
    }

    fn fingerprint(&self, token: &str) -> Fingerprint {
        self.keyed_hash(token.as_bytes())
    }

    fn keyed_hash(&self, bytes: &[u8]) -> Fingerprint {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.fingerprint_key).expect("a key");
        mac.update(bytes);
        Fingerprint(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

fn material(value: Option<&Value>) -> Result<KeyMaterial, BadKeyRing> {
    let text = value.and_then(Value::as_str).ok_or(BadKeyRing)?;
    if text.len() < MIN_MATERIAL_CHARS {
        return Err(BadKeyRing);
    }
    KeyMaterial::parse(text).map_err(|_| BadKeyRing)
}

fn derive(material: &KeyMaterial, purpose: &[u8], detail: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    #[expect(clippy::expect_used, reason = "32 bytes are one block")]
    Hkdf::<Sha256>::new(None, material.expose().as_bytes())
        .expand_multi_info(&[purpose, detail], &mut key)
        .expect("32 bytes");
    key
}

fn sealing_key(material: &KeyMaterial, version: KeyVersion) -> XChaCha20Poly1305 {
    let key = derive(material, b"notion-install seal 1", &version.0.to_be_bytes());
    XChaCha20Poly1305::new(&Key::from(key))
}

/// Each part behind its length, so that no two sets of parts give the same bytes.
fn associated_data(row_key: &str, kind: Kind, version: KeyVersion) -> Vec<u8> {
    let [table, kind] = kind.names();
    let parts = [AAD_TAG, table, row_key.as_bytes(), kind, &version.0.to_be_bytes()];
    parts
        .iter()
        .flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied()))
        .collect()
}

impl Fingerprint {
    /// The fingerprint as the table has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Fingerprint {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Sealed {
    /// Takes stored bytes; whether they are a seal shows when they are opened.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Which version of the key sealed it; `None` for what is no seal.
    #[must_use]
    pub fn key_version(&self) -> Option<KeyVersion> {
        let version = self.0.get(1..HEADER_BYTES)?;
        Some(KeyVersion(u32::from_be_bytes(version.try_into().ok()?)))
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
