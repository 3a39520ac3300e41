//! Databases and their properties.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value, json};
use toml::Table;

use super::Reading;
use crate::file::{Properties, Resource, json_of};
use crate::limits::{ELEMENTS, TEXT_CHARS, length};
use crate::step::{Make, Property};

/// The types that take no configuration.
const PLAIN: [&str; 14] = [
    "title",
    "rich_text",
    "date",
    "people",
    "files",
    "checkbox",
    "url",
    "email",
    "phone_number",
    "created_time",
    "created_by",
    "last_edited_time",
    "last_edited_by",
    "unique_id",
];
const OTHERS: [&str; 6] = ["number", "select", "multi_select", "status", "formula", "relation"];
const COLOURS: [&str; 10] =
    ["default", "gray", "brown", "orange", "yellow", "green", "blue", "purple", "pink", "red"];

impl Reading<'_> {
    pub(super) fn database(&mut self, resource: &Resource, at: &Range<usize>) -> Option<Make> {
        let title = self.title(resource.title.as_ref(), at);
        let parent = self.parent(resource.parent.as_ref());
        let description = resource.description.as_ref().and_then(|text| self.text(text));
        let icon = self.icon(resource.icon.as_ref());
        let cover = self.picture(resource.cover.as_ref());
        let inline = resource.inline.as_ref().is_some_and(|inline| *inline.get_ref());
        let properties = self.schema(resource, false);
        if resource.properties.is_none() {
            self.wrong(at.clone(), "`properties` is missing: a list with at least the title");
        }
        let properties = properties?;
        self.known.properties.insert(resource.resource_id.get_ref().clone(), properties.clone());
        Some(Make::Database { parent: parent?, title: title?, description, icon, cover, inline, properties })
    }

    /// The properties of a database. Of a template's database, those that the recipe uses.
    pub(super) fn schema(&mut self, resource: &Resource, of_a_template: bool) -> Option<Vec<Property>> {
        let listed = resource.properties.as_ref()?;
        let at = listed.span();
        let Properties::Schema(tables) = listed.get_ref() else {
            self.wrong(
                at,
                "a database's `properties` are a list: `[{ name = \"Name\", type = \"title\" }, …]`",
            );
            return None;
        };
        let properties: Vec<Property> = tables.iter().filter_map(|table| self.property(table, &at)).collect();
        if properties.len() > ELEMENTS {
            self.wrong(at.clone(), format!("Notion takes {ELEMENTS} properties"));
        }
        let titles = properties.iter().filter(|property| property.r#type == "title").count();
        if titles != 1 && !of_a_template {
            self.wrong(
                at.clone(),
                format!("exactly one property has the type `title`, and here {titles} have it"),
            );
        }
        let mut names = HashSet::new();
        for property in &properties {
            if !names.insert(property.name.as_str()) {
                self.wrong(at.clone(), format!("two properties are called `{}`", property.name));
            }
        }
        (properties.len() == tables.len()).then_some(properties)
    }

    fn property(&mut self, table: &Table, at: &Range<usize>) -> Option<Property> {
        let text = |name: &str| table.get(name).and_then(toml::Value::as_str);
        let (Some(name), Some(kind)) = (text("name"), text("type")) else {
            self.wrong(at.clone(), "a property has a `name` and a `type`");
            return None;
        };
        let allowed: &[&str] = match kind {
            "number" => &["format"],
            "select" | "multi_select" | "status" => &["options"],
            "formula" => &["expression"],
            "relation" => &["database"],
            "unique_id" => &["prefix"],
            kind if PLAIN.contains(&kind) => &[],
            other => {
                let known: Vec<&str> = PLAIN.into_iter().chain(OTHERS).collect();
                self.wrong(
                    at.clone(),
                    format!("`{name}`: there is no type `{other}`; a recipe can have {}", known.join(", ")),
                );
                return None;
            }
        };
        for field in table.keys() {
            if !["name", "type", "description"].contains(&field.as_str())
                && !allowed.contains(&field.as_str())
            {
                self.wrong(at.clone(), format!("`{name}`: a {kind} has no `{field}`"));
                return None;
            }
        }
        if name.is_empty() || length(name) > TEXT_CHARS {
            self.wrong(at.clone(), "the name of a property is empty or too long");
        }
        let mut configuration = Map::new();
        let mut database = None;
        match kind {
            "number" => {
                configuration.insert("format".to_owned(), text("format").unwrap_or("number").into());
            }
            "select" | "multi_select" | "status" => {
                let options = self.options(name, table.get("options"), at)?;
                configuration.insert("options".to_owned(), options);
            }
            "formula" => {
                let Some(expression) = text("expression") else {
                    self.wrong(at.clone(), format!("`{name}`: a formula has an `expression`"));
                    return None;
                };
                configuration.insert("expression".to_owned(), expression.into());
            }
            "relation" => {
                let target = text("database").map(str::to_owned);
                let is_known =
                    target.as_ref().is_some_and(|target| self.known.properties.contains_key(target));
                if !is_known {
                    self.wrong(
                        at.clone(),
                        format!("`{name}`: a relation has a `database`: the resource_id of an earlier one"),
                    );
                    return None;
                }
                database = target;
                configuration.insert("type".to_owned(), "single_property".into());
                configuration.insert("single_property".to_owned(), json!({}));
            }
            "unique_id" => {
                configuration.extend(text("prefix").map(|prefix| ("prefix".to_owned(), prefix.into())));
            }
            _ => {}
        }
        Some(Property {
            name: name.to_owned(),
            r#type: kind.to_owned(),
            description: text("description").map(str::to_owned),
            configuration,
            database,
        })
    }

    /// `["To do", { name = "Done", color = "green" }]`
    fn options(&mut self, property: &str, options: Option<&toml::Value>, at: &Range<usize>) -> Option<Value> {
        let listed: &[toml::Value] = match options {
            None => &[],
            Some(toml::Value::Array(options)) => options,
            Some(_) => {
                self.wrong(at.clone(), format!("`{property}`: `options` is a list"));
                return None;
            }
        };
        if listed.len() > ELEMENTS {
            self.wrong(at.clone(), format!("`{property}`: Notion takes {ELEMENTS} options"));
        }
        let mut read = Vec::new();
        for option in listed {
            let option = json_of(option).unwrap_or_default();
            let option = if option.is_string() { json!({"name": option}) } else { option };
            let name = option["name"].as_str().unwrap_or_default();
            // Notion separates options by commas.
            if name.is_empty() || name.contains(',') {
                self.wrong(at.clone(), format!("`{property}`: an option has a `name` without a comma"));
                return None;
            }
            if option
                .get("color")
                .is_some_and(|colour| !colour.as_str().is_some_and(|colour| COLOURS.contains(&colour)))
            {
                self.wrong(at.clone(), format!("`{property}`: the colours are {}", COLOURS.join(", ")));
                return None;
            }
            if option.as_object().is_none_or(|option| {
                option.keys().any(|key| !["name", "color", "description"].contains(&key.as_str()))
            }) {
                self.wrong(at.clone(), format!("`{property}`: an option has `name`, `color`, `description`"));
                return None;
            }
            if read.iter().any(|other: &Value| other["name"] == option["name"]) {
                self.wrong(at.clone(), format!("`{property}`: two options are called `{name}`"));
            }
            read.push(option);
        }
        Some(read.into())
    }
}
