//! Short forms for DynamoDB's attribute values.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::seal::Sealed;

/// A row, by attribute name.
pub(super) type Row = HashMap<String, AttributeValue>;

pub(super) fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

pub(super) fn integer(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok())
}

pub(super) fn list<'a>(row: &'a Row, name: &str) -> &'a [AttributeValue] {
    row.get(name).and_then(|value| value.as_l().ok()).map_or(&[], Vec::as_slice)
}

pub(super) fn sealed(row: &Row, name: &str) -> Option<Sealed> {
    Some(Sealed::from_bytes(row.get(name)?.as_b().ok()?.as_ref().to_vec()))
}

/// Inserts a string, if there is one.
pub(super) fn insert_text(row: &mut Row, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        row.insert(name.to_owned(), string(value));
    }
}
