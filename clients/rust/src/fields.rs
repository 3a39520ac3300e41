//! Reads the fields of an answer or an event.

use serde_json::Value;

/// The fields of a JSON object. One that is missing reads as null.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Value);

impl Fields<'_> {
    pub(crate) fn text(self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    pub(crate) fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// A list. `None` if one of its entries cannot be read.
    pub(crate) fn list<T>(self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        self.0.get(name)?.as_array()?.iter().map(read).collect()
    }

    pub(crate) fn texts(self, name: &str) -> Option<Vec<String>> {
        self.list(name, |each| each.as_str().map(str::to_owned))
    }
}
