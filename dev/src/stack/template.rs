//! What the simulated connection's template contains: `recipes/template` builds on it.

use serde_json::json;
use simulated_notion::{RowTemplate, Template, TemplateDatabase, TemplateRow};

/// The template's title.
pub(super) const TITLE: &str = "Getting started";

/// A page with a database of contacts.
pub(super) fn getting_started() -> Template {
    let title = |text: &str| json!({"title": [{"text": {"content": text}}]});
    Template {
        title: TITLE.to_owned(),
        icon: Some("👋".to_owned()),
        markdown: "Your contacts are below.".to_owned(),
        databases: vec![TemplateDatabase {
            title: "Contacts".to_owned(),
            properties: json!({
                "Name": {"title": {}},
                "Email": {"email": {}},
                "Stage": {"select": {"options": [{"name": "Lead", "color": "yellow"}, {"name": "Customer", "color": "green"}]}},
            }),
            rows: vec![TemplateRow {
                properties: json!({"Name": title("Grace Hopper"), "Stage": {"select": {"name": "Lead"}}}),
                markdown: String::new(),
            }],
            row_templates: vec![RowTemplate {
                name: "Contact".to_owned(),
                is_default: true,
                markdown: "## Notes".to_owned(),
                ..RowTemplate::default()
            }],
            views: Vec::new(),
        }],
        pages: Vec::new(),
    }
}
