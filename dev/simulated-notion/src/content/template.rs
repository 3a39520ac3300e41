//! What a connection's template contains.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The content of a template. The page made from it has the title of the template.
///
/// It belongs to every [`Connection`](crate::Connection) whose `template` is its `title`. A template without content is
/// an empty page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// The title of the page, and what the consent page calls the template.
    pub title: String,
    /// An emoji.
    pub icon: Option<String>,
    /// The text of the page, as Markdown.
    pub markdown: String,
    /// Databases below the page.
    pub databases: Vec<TemplateDatabase>,
    /// Pages below the page.
    pub pages: Vec<Template>,
}

/// A database of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateDatabase {
    /// Its title.
    pub title: String,
    /// The schema, as in `initial_data_source.properties` of `POST /v1/databases`; null for the default.
    pub properties: Value,
    /// Its rows.
    pub rows: Vec<TemplateRow>,
    /// What a new row may begin with: `GET /v1/data_sources/{id}/templates`.
    pub row_templates: Vec<RowTemplate>,
    /// Views beside the default one: bodies of `POST /v1/views` without `data_source_id` and `database_id`. A property
    /// may be given by name.
    pub views: Vec<Value>,
}

/// A row of a database of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateRow {
    /// The values, as in `properties` of `POST /v1/pages`.
    pub properties: Value,
    /// The text of its page, as Markdown.
    pub markdown: String,
}

/// What a new row of a data source may begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowTemplate {
    /// Its name in the list of templates.
    pub name: String,
    /// Whether it is the default of its data source.
    pub is_default: bool,
    /// Values of a new row, as in `properties` of `POST /v1/pages`.
    pub properties: Value,
    /// The text of a new row, as Markdown.
    pub markdown: String,
}
