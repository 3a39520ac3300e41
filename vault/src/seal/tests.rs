use shared::random::OsRandom;

use super::*;

const SEED: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";
const ROW: &str = "w/user/u";

fn ring(json: &str) -> KeyRing {
    KeyRing::parse(json).unwrap()
}

fn first_ring() -> KeyRing {
    ring(&format!(r#"{{"seed":"{SEED}"}}"#))
}

fn rotated_ring() -> KeyRing {
    ring(&format!(r#"{{"seed":"{SEED}","keys":{{"2":"{}"}}}}"#, SEED.to_uppercase()))
}

fn token(text: &str) -> AccessToken {
    AccessToken::parse(text).unwrap()
}

#[test]
fn what_is_sealed_opens_for_its_row_and_kind_only() {
    let ring = first_ring();
    for text in ["t", "ntn_token", &"x".repeat(4096), "non-ASCII: ü"] {
        let (sealed, _) = ring.seal_access(ROW, &token(text), &OsRandom);
        assert_eq!(ring.open_access(ROW, &sealed).unwrap().expose(), text);
        assert_eq!(ring.open_access("w/user/v", &sealed).err(), Some(OpenError::Broken));
        assert_eq!(ring.open_refresh(ROW, &sealed).err(), Some(OpenError::Broken));
        assert!(
            !sealed.as_bytes().windows(text.len()).any(|window| window == text.as_bytes()) || text.len() == 1
        );
    }
}

#[test]
fn every_bit_flip_and_every_cut_breaks_the_seal() {
    let ring = first_ring();
    let (sealed, _) = ring.seal_access(ROW, &token("ntn_token"), &OsRandom);
    for at in 0..sealed.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            assert!(ring.open_access(ROW, &Sealed::from_bytes(bytes)).is_err(), "byte {at}, bit {bit}");
        }
        let cut = Sealed::from_bytes(sealed.as_bytes()[..at].to_vec());
        assert!(ring.open_access(ROW, &cut).is_err(), "cut at {at}");
    }
}

#[test]
fn a_rotation_seals_with_the_newest_key_and_opens_with_the_older_ones() {
    let (before, after) = (first_ring(), rotated_ring());
    let (old, old_print) = before.seal_access(ROW, &token("ntn_token"), &OsRandom);
    let (new, new_print) = after.seal_access(ROW, &token("ntn_token"), &OsRandom);
    assert_eq!(after.open_access(ROW, &old).unwrap().expose(), "ntn_token");
    assert_eq!(before.open_access(ROW, &new).err(), Some(OpenError::UnknownVersion(KeyVersion(2))));
    // Rewrapping does not change what is compared.
    assert_eq!(old_print, new_print);
}

#[test]
fn equal_tokens_seal_differently_and_fingerprint_alike() {
    let ring = first_ring();
    let (a, a_print) = ring.seal_access(ROW, &token("ntn_token"), &OsRandom);
    let (b, b_print) = ring.seal_access("other/user/row", &token("ntn_token"), &OsRandom);
    let (_, c_print) = ring.seal_access(ROW, &token("ntn_token2"), &OsRandom);
    assert_ne!(a, b);
    assert_eq!(a_print, b_print);
    assert_ne!(a_print, c_print);
    let other = ring_with_other_seed().seal_access(ROW, &token("ntn_token"), &OsRandom).1;
    assert_ne!(a_print, other, "a fingerprint is keyed");
}

fn ring_with_other_seed() -> KeyRing {
    ring(&format!(r#"{{"seed":"{}"}}"#, SEED.replace('0', "9")))
}

#[test]
fn associated_data_cannot_be_read_in_two_ways() {
    let one = associated_data("ab", Kind::Access, KeyVersion(1));
    for other in [
        associated_data("a", Kind::Access, KeyVersion(1)),
        associated_data("ab", Kind::Refresh, KeyVersion(1)),
        associated_data("ab", Kind::Access, KeyVersion(2)),
        associated_data("abaccess", Kind::Access, KeyVersion(1)),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn what_is_no_ring_is_refused_and_a_ring_cannot_be_printed() {
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"seed":""}"#,
        r#"{"seed":"too short"}"#,
        r#"{"seed":5}"#,
        &format!(r#"{{"seed":"{SEED}","keys":[]}}"#),
        &format!(r#"{{"seed":"{SEED}","keys":{{"1":"{SEED}"}}}}"#),
        &format!(r#"{{"seed":"{SEED}","keys":{{"x":"{SEED}"}}}}"#),
        &format!(r#"{{"seed":"{SEED}","keys":{{"2":"{SEED}","02":"{SEED}"}}}}"#),
        &format!(r#"{{"seed":"{SEED}","keys":{{"+2":"{SEED}"}}}}"#),
        &format!(r#"{{"seed":"{SEED}","keys":{{"2":"short"}}}}"#),
    ] {
        assert_eq!(KeyRing::parse(bad).err(), Some(BadKeyRing), "ring: {bad}");
    }
    assert_eq!(format!("{:?}", rotated_ring()), "KeyRing { versions: [1, 2], .. }");
}

/// Stored data has this format. A change needs a new format byte and a way to read the old one.
#[test]
fn the_stored_format_is_this() {
    struct Fixed;
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }
    let (sealed, print) = first_ring().seal_access(ROW, &token("ntn_token"), &Fixed);
    let bytes = sealed.as_bytes();
    assert_eq!(&bytes[..5], &[1, 0, 0, 0, 1]);
    assert_eq!(&bytes[5..29], &[7; 24]);
    assert_eq!(bytes.len(), 29 + "ntn_token".len() + 16);
    assert_eq!(STANDARD.encode(&bytes[29..]), "4MJqUVQJrrmLY8qRm0mfM/O8x1o8oeFxoA==");
    assert_eq!(print.as_str(), "-rn2zSPjp20_HvcqVTPJUDHeI7DVquSG93MbEcJxIMk");
}
