//! A subject: the backend's own name for one of its users ("user 4711"), or for anything else that has installations.

use serde_json::Value;

/// The longest subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// The backend's own name for a person. Opaque, and compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl Subject {
    /// Reads 1 to [`MAX_SUBJECT_BYTES`] bytes of text without control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The subject in a caller's input; `None` if the input does not have the field. Null is refused: a backend without a
    /// user's name must not get what belongs to all.
    ///
    /// # Errors
    ///
    /// What the input must contain.
    pub fn named(input: &Value) -> Result<Option<Self>, &'static str> {
        const SUBJECT: &str = "subject must be a text of 1 to 256 bytes without control characters";
        match input.get("subject") {
            None => Ok(None),
            Some(Value::String(text)) => Self::parse(text).map(Some).ok_or(SUBJECT),
            Some(_) => Err(SUBJECT),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
