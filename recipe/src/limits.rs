//! Notion's limits, as documented for requests (2026-03-11), and how much room a value may take.
//!
//! A length is counted in UTF-16 units, as JavaScript does: Notion does not say how it counts, and no other way gives more.

/// The length of one text, and of an address.
pub(crate) const TEXT_CHARS: usize = 2000;
/// The length of an e-mail address or a telephone number.
pub(crate) const CONTACT_CHARS: usize = 200;
/// The elements of any array.
pub(crate) const ELEMENTS: usize = 100;
/// The blocks of one request.
pub(crate) const BLOCKS: usize = 1000;
/// The bytes of one request.
pub(crate) const REQUEST_BYTES: usize = 500_000;

/// The longest value that fills a placeholder: a longer name is cut.
pub(crate) const VALUE_CHARS: usize = 200;
/// The longest address of a resource. A longer one is replaced by the short form.
pub(crate) const ADDRESS_CHARS: usize = 300;

/// The length of a text.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}
