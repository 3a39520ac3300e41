//! Rows in DynamoDB's JSON: as streams, exports and AWS's own tools write them.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A row, by attribute name.
type Row = HashMap<String, AttributeValue>;

/// A row on one line; `None` if it has a type that this release does not know.
#[must_use]
pub fn to_line(row: &Row) -> Option<String> {
    map_to_json(row).map(|json| json.to_string())
}

/// The row on a line; `None` if it is none.
#[must_use]
pub fn from_line(line: &str) -> Option<Row> {
    map_from_json(serde_json::from_str::<Value>(line).ok()?.as_object()?)
}

/// The row in a JSON object; `None` if it is none.
#[must_use]
pub fn map_from_json(map: &Map<String, Value>) -> Option<Row> {
    map.iter().map(|(name, value)| Some((name.clone(), from_json(value)?))).collect()
}

fn map_to_json(map: &Row) -> Option<Value> {
    // Sorted by name, so that two exports of the same rows are equal.
    let fields = map.iter().map(|(name, value)| Some((name.clone(), to_json(value)?)));
    fields.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn to_json(value: &AttributeValue) -> Option<Value> {
    let encoded = |bytes: &Blob| STANDARD.encode(bytes.as_ref());
    Some(match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::B(bytes) => json!({"B": encoded(bytes)}),
        AttributeValue::Bool(flag) => json!({"BOOL": flag}),
        AttributeValue::Null(flag) => json!({"NULL": flag}),
        AttributeValue::L(list) => json!({"L": list.iter().map(to_json).collect::<Option<Vec<_>>>()?}),
        AttributeValue::M(map) => json!({"M": map_to_json(map)?}),
        AttributeValue::Ss(texts) => json!({"SS": texts}),
        AttributeValue::Ns(numbers) => json!({"NS": numbers}),
        AttributeValue::Bs(all) => json!({"BS": all.iter().map(encoded).collect::<Vec<_>>()}),
        _ => return None,
    })
}

fn from_json(value: &Value) -> Option<AttributeValue> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (kind, value) = object.iter().next()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let decoded = |value: &Value| STANDARD.decode(value.as_str()?).ok().map(Blob::new);
    let list = || value.as_array().map(Vec::as_slice);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?),
        "N" => AttributeValue::N(text(value)?),
        "B" => AttributeValue::B(decoded(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "L" => AttributeValue::L(list()?.iter().map(from_json).collect::<Option<_>>()?),
        "M" => AttributeValue::M(map_from_json(value.as_object()?)?),
        "SS" => AttributeValue::Ss(list()?.iter().map(text).collect::<Option<_>>()?),
        "NS" => AttributeValue::Ns(list()?.iter().map(text).collect::<Option<_>>()?),
        "BS" => AttributeValue::Bs(list()?.iter().map(decoded).collect::<Option<_>>()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_the_way_into_a_line_and_back() {
        let blob = || Blob::new([0, 1, 254, 255]);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let inner = Row::from([("ü".to_owned(), text("line\nbreak \"quoted\""))]);
        let all = [
            text(""),
            AttributeValue::N("18446744073709551615".to_owned()),
            AttributeValue::B(blob()),
            AttributeValue::Bool(false),
            AttributeValue::Null(true),
            AttributeValue::L(vec![AttributeValue::M(inner.clone()), AttributeValue::L(Vec::new())]),
            AttributeValue::M(inner),
            AttributeValue::Ss(vec!["a".to_owned()]),
            AttributeValue::Ns(vec!["1".to_owned()]),
            AttributeValue::Bs(vec![blob()]),
        ];
        let row: Row =
            all.into_iter().enumerate().map(|(n, value)| (format!("attribute{n}"), value)).collect();
        let line = to_line(&row).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(from_line(&line), Some(row));
    }

    #[test]
    fn what_is_no_row_is_none() {
        for line in [
            "",
            "[]",
            "{\"a\":1}",
            "{\"a\":{\"S\":1}}",
            "{\"a\":{\"B\":\"?\"}}",
            "{\"a\":{\"S\":\"\",\"N\":\"1\"}}",
            "{\"a\":{\"X\":1}}",
        ] {
            assert_eq!(from_line(line), None, "{line}");
        }
    }
}
