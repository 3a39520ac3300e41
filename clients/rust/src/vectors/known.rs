//! No field of a vector is passed over.

use serde_json::{Map, Value};

/// An object without fields that this replayer does not know.
pub(super) fn object<'a>(value: &'a Value, known: &[&str]) -> &'a Map<String, Value> {
    let object = value.as_object().unwrap();
    for name in object.keys() {
        assert!(known.contains(&name.as_str()), "not known to this replayer: {name}");
    }
    object
}
