//! Adds a key to the ring as stored in Secrets Manager, for a rotation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use shared::random::{self, Random};
use shared::secret::{KeyMaterial, KeyRingText};

use super::{BadKeyRing, KeyRing, KeyVersion};

/// Random bytes of a new key: 64 characters, as many as the seed that the stack generates.
const MATERIAL_BYTES: usize = 48;

/// Adds a new key to the ring in `text`, under the next version. The seed and the older keys stay unchanged, because
/// what they sealed must still open.
///
/// # Errors
///
/// [`BadKeyRing`] if `text` is not a key ring, or has no next version.
pub fn with_next_key(
    text: &KeyRingText,
    random: &dyn Random,
) -> Result<(KeyRingText, KeyVersion), BadKeyRing> {
    let KeyVersion(newest) = KeyRing::parse(text.expose())?.newest();
    let next = KeyVersion(newest.checked_add(1).ok_or(BadKeyRing)?);
    let drawn = random::bytes::<MATERIAL_BYTES>(random);
    let material = KeyMaterial::parse(URL_SAFE_NO_PAD.encode(drawn)).map_err(|_| BadKeyRing)?;
    let mut ring: Value = serde_json::from_str(text.expose()).map_err(|_| BadKeyRing)?;
    ring["keys"][next.0.to_string()] = material.expose().into();
    let text = KeyRingText::parse(ring.to_string()).map_err(|_| BadKeyRing)?;
    // Never store what a function could not read.
    KeyRing::parse(text.expose())?;
    Ok((text, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::OsRandom;
    use shared::secret::AccessToken;

    const SEED: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";

    fn text(json: &str) -> KeyRingText {
        KeyRingText::parse(json).unwrap()
    }

    #[test]
    fn a_new_key_joins_and_all_that_was_there_stays() {
        let first = text(&format!(r#"{{"seed":"{SEED}"}}"#));
        let (second, version) = with_next_key(&first, &OsRandom).unwrap();
        assert_eq!(version, KeyVersion(2));
        let (third, version) = with_next_key(&second, &OsRandom).unwrap();
        assert_eq!(version, KeyVersion(3));
        let [before, after]: [Value; 2] =
            [&second, &third].map(|text| serde_json::from_str(text.expose()).unwrap());
        assert_eq!((&after["seed"], &after["keys"]["2"]), (&SEED.into(), &before["keys"]["2"]));
        assert_eq!(after["keys"]["3"].as_str().unwrap().len(), 64);
        assert_ne!(after["keys"]["3"], after["keys"]["2"]);
        // What the first key sealed opens; the newest seals.
        let token = AccessToken::parse("ntn_token").unwrap();
        let [first, third] = [&first, &third].map(|text| KeyRing::parse(text.expose()).unwrap());
        let (sealed, fingerprint) = first.seal_access("row", &token, &OsRandom);
        assert_eq!(third.open_access("row", &sealed).unwrap().expose(), "ntn_token");
        let (sealed, again) = third.seal_access("row", &token, &OsRandom);
        assert_eq!((sealed.key_version(), fingerprint), (Some(KeyVersion(3)), again));
        assert_eq!(third.versions(), [KeyVersion(1), KeyVersion(2), KeyVersion(3)]);
    }

    #[test]
    fn what_is_no_ring_is_not_edited() {
        for json in ["{}", r#"{"seed":"short"}"#, r#"["seed"]"#, r#"{"seed":"","keys":{}}"#] {
            assert_eq!(with_next_key(&text(json), &OsRandom).err(), Some(BadKeyRing), "{json}");
        }
        let full = format!(r#"{{"seed":"{SEED}","keys":{{"{}":"{SEED}"}}}}"#, u32::MAX);
        assert_eq!(with_next_key(&text(&full), &OsRandom).err(), Some(BadKeyRing));
    }
}
