//! Ids and the addresses made of them.

/// An id as it is stored: Notion accepts UUIDs with and without dashes, in either case. Anything else stays as it is.
pub(crate) fn normal(id: &str) -> String {
    let digits: String = id.chars().filter(|character| *character != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id.to_owned();
    }
    let digits = digits.to_ascii_lowercase();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Whether this is a UUID, with or without dashes.
pub(crate) fn is_uuid(id: &str) -> bool {
    let normal = normal(id);
    normal.len() == 36 && normal.matches('-').count() == 4
}

/// The 32 digits at the end of Notion's addresses.
pub(crate) fn without_dashes(id: &str) -> String {
    id.replace('-', "")
}

/// The readable part of an address: the words of the title with dashes between them. Empty if it has no such word.
pub(crate) fn slug(title: &str) -> String {
    let words =
        title.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_with_and_without_dashes() {
        let id = "4ead0000-0000-4000-8000-0000000000b1";
        for given in [id, "4ead0000000040008000000000000 0b1", "4EAD00000000400080000000000000B1"] {
            let is_id = !given.contains(' ');
            assert_eq!(normal(given) == id, is_id, "{given}");
            assert_eq!(is_uuid(given), is_id, "{given}");
        }
        assert_eq!(normal(&without_dashes(id)), id);
        assert!(!is_uuid("roadmap"));
    }

    #[test]
    fn a_slug_has_only_letters_digits_and_dashes() {
        assert_eq!(slug("  Start here: 100% <b>{x}</b> 🧪 שלום"), "Start-here-100-b-x-b");
        assert_eq!(slug("שלום"), "");
    }
}
