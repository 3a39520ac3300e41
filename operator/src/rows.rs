//! Unchanged rows of a table, from a scan with the deployer's own permissions, or from the lines of an exported file.
//! Tokens stay sealed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::aws::{Aws, in_words};
use crate::outcome::Failure;

/// How many lines of a file make a page.
const LINES_PER_PAGE: usize = 100;

/// A row, by attribute name.
pub(crate) type Row = HashMap<String, AttributeValue>;

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file written by `export`.
    File(PathBuf),
    /// A table, such as a restored one.
    Table(String),
}

/// The rows of a source, page by page.
pub(crate) enum Rows<'a> {
    File { lines: Lines<BufReader<File>>, read: usize },
    Table { aws: &'a Aws, name: &'a str, next: Option<Row>, is_over: bool },
}

impl<'a> Rows<'a> {
    pub(crate) fn of(aws: &'a Aws, source: &'a Source) -> Result<Self, Failure> {
        match source {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| unread(path, &error))?;
                Ok(Self::File { lines: BufReader::new(file).lines(), read: 0 })
            }
            Source::Table(name) => Ok(Self::of_table(aws, name)),
        }
    }

    pub(crate) fn of_table(aws: &'a Aws, name: &'a str) -> Self {
        Self::Table { aws, name, next: None, is_over: false }
    }

    /// The next page. What is not a row is an error with the reason. An empty page is the last one.
    pub(crate) async fn page(&mut self) -> Result<Vec<Result<Row, String>>, Failure> {
        match self {
            Self::File { lines, read } => {
                let mut page = Vec::new();
                for line in lines.by_ref().take(LINES_PER_PAGE) {
                    *read += 1;
                    let line = line.map_err(|error| Failure::Unknown(format!("line {read}: {error}")))?;
                    page.push(
                        from_line(&line).ok_or_else(|| format!("line {read} is not a row of an export")),
                    );
                }
                Ok(page)
            }
            Self::Table { aws, name, next, is_over } => {
                // A page may be empty without being the last.
                while !*is_over {
                    let scan = aws.dynamodb.scan().table_name(*name).consistent_read(true);
                    let answer = scan.set_exclusive_start_key(next.take()).send().await;
                    let answer =
                        answer.map_err(|error| Failure::Unknown(format!("{name}: {}", in_words(&error))))?;
                    *next = answer.last_evaluated_key().filter(|key| !key.is_empty()).cloned();
                    *is_over = next.is_none();
                    if !answer.items().is_empty() {
                        return Ok(answer.items().iter().cloned().map(Ok).collect());
                    }
                }
                Ok(Vec::new())
            }
        }
    }
}

fn unread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("{} cannot be read: {error}", path.display()))
}

/// A row in DynamoDB's JSON, on one line; `None` if it has a type that this release does not know.
pub(crate) fn to_line(row: &Row) -> Option<String> {
    map_to_json(row).map(|json| json.to_string())
}

fn from_line(line: &str) -> Option<Row> {
    map_from_json(serde_json::from_str::<Value>(line).ok()?.as_object()?)
}

fn map_to_json(map: &Row) -> Option<Value> {
    // Sorted by name, so that two exports of the same rows are equal.
    let fields = map.iter().map(|(name, value)| Some((name.clone(), to_json(value)?)));
    fields.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn map_from_json(map: &Map<String, Value>) -> Option<Row> {
    map.iter().map(|(name, value)| Some((name.clone(), from_json(value)?))).collect()
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
