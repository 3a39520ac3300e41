//! Views of databases.

use std::ops::Range;

use serde_json::Value;

use super::Reading;
use crate::file::{Resource, json_of};
use crate::limits::{ELEMENTS, TEXT_CHARS, length};
use crate::step::{GroupBy, Make, View};

const KINDS: [&str; 6] = ["table", "board", "list", "calendar", "timeline", "gallery"];
/// What the columns of a board can be.
const GROUPS: [&str; 5] = ["status", "select", "multi_select", "people", "checkbox"];
const DATES: [&str; 3] = ["date", "created_time", "last_edited_time"];

impl Reading<'_> {
    pub(super) fn view(&mut self, resource: &Resource, at: &Range<usize>) -> Option<Make> {
        let database = self.database_of(resource.database.as_ref(), at)?;
        let Some(name) = resource.name.as_ref().filter(|name| !name.get_ref().is_empty()) else {
            self.wrong(at.clone(), "`name` is missing or empty");
            return None;
        };
        if length(name.get_ref()) > TEXT_CHARS {
            self.wrong(name.span(), format!("the name has at most {TEXT_CHARS} characters"));
        }
        let Some(kind) = &resource.view else {
            self.wrong(at.clone(), format!("`view` is missing: {}", KINDS.join(", ")));
            return None;
        };
        let kind_text = kind.get_ref().as_str();
        if !KINDS.contains(&kind_text) {
            self.wrong(
                kind.span(),
                format!("there is no view `{kind_text}`; a recipe can have {}", KINDS.join(", ")),
            );
            return None;
        }
        let group_by = match &resource.group_by {
            Some(property) => {
                let kind = self.property_type(&database, property.get_ref(), &GROUPS, &property.span())?;
                Some(GroupBy { property: property.get_ref().clone(), r#type: kind })
            }
            None => None,
        };
        if group_by.is_some() != (kind_text == "board") {
            self.wrong(kind.span(), "a board has a `group_by`, no other view has one");
        }
        let date = match &resource.date {
            Some(property) => {
                self.property_type(&database, property.get_ref(), &DATES, &property.span())?;
                Some(property.get_ref().clone())
            }
            None => None,
        };
        if date.is_some() != matches!(kind_text, "calendar" | "timeline") {
            self.wrong(kind.span(), "a calendar and a timeline have a `date`, no other view has one");
        }
        let filter = match &resource.filter {
            Some(filter) => {
                self.passed_on(&database, &toml::Value::Table(filter.get_ref().clone()), &filter.span())
            }
            None => None,
        };
        let sorts = match &resource.sorts {
            Some(sorts) => {
                if sorts.get_ref().len() > ELEMENTS {
                    self.wrong(sorts.span(), format!("Notion takes {ELEMENTS} sorts"));
                }
                let listed = sorts.get_ref().iter().cloned().map(toml::Value::Table).collect();
                self.passed_on(&database, &toml::Value::Array(listed), &sorts.span())
            }
            None => None,
        };
        Some(Make::View(View {
            database,
            name: name.get_ref().clone(),
            kind: kind_text.to_owned(),
            group_by,
            date,
            filter,
            sorts,
        }))
    }

    /// The type of a database's property, if it is one of these.
    fn property_type(
        &mut self,
        database: &str,
        name: &str,
        types: &[&str],
        at: &Range<usize>,
    ) -> Option<String> {
        let schema = self.known.properties.get(database).map_or(&[][..], Vec::as_slice);
        let kind =
            schema.iter().find(|property| property.name == name).map(|property| property.r#type.clone());
        match kind {
            Some(kind) if types.contains(&kind.as_str()) => Some(kind),
            Some(kind) => {
                self.wrong(
                    at.clone(),
                    format!("`{name}` is a {kind}; here it is one of: {}", types.join(", ")),
                );
                None
            }
            None => {
                self.wrong(at.clone(), format!("`{database}` has no property `{name}`"));
                None
            }
        }
    }

    /// Filters and sorts go to Notion as they are. That they name properties that exist is checked.
    fn passed_on(&mut self, database: &str, value: &toml::Value, at: &Range<usize>) -> Option<Value> {
        let Some(json) = json_of(value) else {
            self.wrong(at.clone(), "write a date as a text: Notion takes texts");
            return None;
        };
        let mut named = Vec::new();
        properties_named(&json, &mut named);
        for name in named {
            let schema = self.known.properties.get(database).map_or(&[][..], Vec::as_slice);
            if !schema.iter().any(|property| property.name == name) {
                self.wrong(at.clone(), format!("`{database}` has no property `{name}`"));
            }
        }
        Some(json)
    }
}

fn properties_named(value: &Value, named: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            named.extend(fields.get("property").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| properties_named(value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| properties_named(value, named)),
        _ => {}
    }
}
