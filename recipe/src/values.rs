//! What the placeholders of a recipe stand for.

use std::collections::HashMap;

/// Something that an earlier step made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id at Notion.
    pub id: String,
    /// Its address.
    pub url: String,
    /// Of a database: its data source.
    pub data_source_id: Option<String>,
}

/// What the placeholders of a recipe stand for, for one installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The person's id, if an installation has one.
    pub person_id: Option<String>,
    /// The person's name.
    pub person_name: Option<String>,
    /// The person's e-mail address.
    pub person_email: Option<String>,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The app's name.
    pub app_name: String,
    /// The day of the request, in days since 1970-01-01 (UTC).
    pub today: i64,
    /// What was made so far, by `resource_id`.
    pub resources: HashMap<String, Resource>,
}

/// The address of a page, a database or a view in its short form: without the words of its title.
#[must_use]
pub fn short_url(id: &str) -> String {
    format!("https://www.notion.so/{}", id.replace('-', ""))
}
