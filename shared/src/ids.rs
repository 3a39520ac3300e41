//! Notion's ids as received: which are accepted, and the form in which they are stored.

/// The longest id that is accepted, in bytes.
const MAX_ID_BYTES: usize = 64;

/// A UUID in one form: Notion writes it with or without dashes. `None` if it is not a UUID.
#[must_use]
pub fn canonical_uuid(id: &str) -> Option<String> {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid.then(|| [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

/// An id in canonical form if it is a UUID, otherwise unchanged.
#[must_use]
pub fn canonical(id: &str) -> String {
    canonical_uuid(id).unwrap_or_else(|| id.to_owned())
}

/// `text`, if it looks like an id from Notion. Ids become parts of keys and appear in the log, so they must not
/// contain anything that looks like a separator.
#[must_use]
pub fn identifier(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uuid_is_one_id_however_it_is_written() {
        let dashed = "463558a3-725e-4f37-b6d3-0889894f68de";
        for written in [dashed, "463558a3725e4f37b6d30889894f68de", "463558A3-725E-4F37-B6D3-0889894F68DE"] {
            assert_eq!(canonical(written), dashed);
        }
        assert_eq!(canonical("not-a-uuid"), "not-a-uuid");
    }

    #[test]
    fn an_identifier_with_anything_odd_in_it_is_not_kept() {
        assert_eq!(identifier("d765f8e9-96bd-41a7-8fcb-4bd5595c1a55").as_deref().map(str::len), Some(36));
        for odd in ["", "a b", "a\nb", "<b>", &"a".repeat(65)] {
            assert_eq!(identifier(odd), None, "{odd:?}");
        }
    }
}
