//! `recipe.toml` as it is written, with the place of everything.

use serde::Deserialize;
use toml::{Spanned, Table, Value};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipeFile {
    /// The page that people are sent to.
    pub(crate) landing: Option<Spanned<String>>,
    /// What to make, in order.
    #[serde(default)]
    pub(crate) resource: Vec<Spanned<Resource>>,
}

/// `[[resource]]`
#[expect(clippy::struct_field_names, reason = "the names are the file's")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resource {
    pub(crate) resource_id: Spanned<String>,
    pub(crate) r#type: Spanned<String>,
    pub(crate) parent: Option<Spanned<String>>,
    pub(crate) title: Option<Spanned<String>>,
    pub(crate) description: Option<Spanned<String>>,
    pub(crate) icon: Option<Spanned<String>>,
    pub(crate) cover: Option<Spanned<String>>,
    pub(crate) content: Option<Spanned<String>>,
    pub(crate) inline: Option<Spanned<bool>>,
    /// Of a database: a list of properties. Of a row: a table of values.
    pub(crate) properties: Option<Spanned<Properties>>,
    pub(crate) database: Option<Spanned<String>>,
    pub(crate) template: Option<Spanned<String>>,
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) view: Option<Spanned<String>>,
    pub(crate) group_by: Option<Spanned<String>>,
    pub(crate) date: Option<Spanned<String>>,
    pub(crate) filter: Option<Spanned<Table>>,
    pub(crate) sorts: Option<Spanned<Vec<Table>>>,
}

/// Of a database or of a row.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Properties {
    /// Of a database.
    Schema(Vec<Table>),
    /// Of a row.
    Values(Table),
}

/// A TOML value as JSON. `None` for a date, which Notion takes as a string.
pub(crate) fn json_of(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(yes) => (*yes).into(),
        Value::Datetime(_) => return None,
        Value::Array(values) => serde_json::Value::Array(values.iter().map(json_of).collect::<Option<_>>()?),
        Value::Table(table) => {
            let pairs = table.iter().map(|(name, value)| Some((name.clone(), json_of(value)?)));
            serde_json::Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}
