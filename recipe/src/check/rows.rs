//! Rows and their values.

use std::ops::Range;

use toml::Value;

use super::Reading;
use crate::file::{Properties, Resource};
use crate::limits::{CONTACT_CHARS, ELEMENTS, length};
use crate::step::{DateValue, Make, Property, PropertyValue, TemplateRow};
use crate::text::Text;

impl Reading<'_> {
    pub(super) fn row(&mut self, resource: &Resource, at: &Range<usize>) -> Option<Make> {
        let database = self.database_of(resource.database.as_ref(), at)?;
        let id = resource.resource_id.get_ref().clone();
        self.known.rows.insert(id, database.clone());
        let icon = self.icon(resource.icon.as_ref());
        let content = self.content(resource.content.as_ref());
        let template = resource.template.as_ref().map(|template| match template.get_ref().as_str() {
            "default" => TemplateRow::Default,
            name => TemplateRow::Named(name.to_owned()),
        });
        if let (Some(_), Some(template)) = (&resource.content, &resource.template) {
            self.wrong(template.span(), "a row has `content` or a `template`, not both");
        }
        let Some(listed) = &resource.properties else {
            self.wrong(at.clone(), "`properties` is missing: the row's values, with its title");
            return None;
        };
        let at = listed.span();
        let Properties::Values(table) = listed.get_ref() else {
            self.wrong(
                at,
                "a row's `properties` are a table: `{ Name = \"First task\", Status = \"To do\" }`",
            );
            return None;
        };
        let schema = self.known.properties.get(&database).cloned().unwrap_or_default();
        let mut properties = Vec::new();
        for (name, value) in table {
            let Some(property) = schema.iter().find(|property| property.name == *name) else {
                let known: Vec<&str> = schema.iter().map(|property| property.name.as_str()).collect();
                self.wrong(
                    at.clone(),
                    format!("`{database}` has no property `{name}`; it has: {}", known.join(", ")),
                );
                continue;
            };
            match self.value(property, value, &at) {
                Ok(Some(value)) => properties.push((name.clone(), value)),
                Ok(None) => {}
                Err(message) => self.wrong(at.clone(), format!("`{name}` ({}): {message}", property.r#type)),
            }
        }
        if !properties.iter().any(|(_, value)| matches!(value, PropertyValue::Title(_))) {
            self.wrong(at, "a row has a value for the title of its database");
        }
        Some(Make::Row { database, properties, icon, content, template })
    }

    /// `None`: it is wrong, and was reported.
    fn value(
        &mut self,
        property: &Property,
        value: &Value,
        at: &Range<usize>,
    ) -> Result<Option<PropertyValue>, String> {
        let text = || value.as_str().ok_or_else(|| "it is a text".to_owned());
        let plain = |this: &mut Self| Ok::<_, String>(this.checked(Text::plain(text()?), at));
        Ok(Some(match property.r#type.as_str() {
            "title" => return Ok(plain(self)?.map(PropertyValue::Title)),
            "rich_text" => return Ok(plain(self)?.map(PropertyValue::RichText)),
            "number" => match value {
                #[expect(clippy::cast_precision_loss, reason = "Notion's numbers are doubles")]
                Value::Integer(number) => PropertyValue::Number(*number as f64),
                Value::Float(number) if number.is_finite() => PropertyValue::Number(*number),
                _ => return Err("it is a number".to_owned()),
            },
            "select" => PropertyValue::Select(option(property, text()?)?),
            "status" => PropertyValue::Status(option(property, text()?)?),
            "multi_select" => {
                let names = list(value)?.into_iter().map(|name| option(property, name));
                PropertyValue::MultiSelect(names.collect::<Result<_, _>>()?)
            }
            "date" => date(value)?,
            "checkbox" => PropertyValue::Checkbox(value.as_bool().ok_or("it is true or false")?),
            "url" => return Ok(self.checked(Text::address(text()?), at).map(PropertyValue::Url)),
            "email" => {
                let email = text()?;
                if length(email) > CONTACT_CHARS {
                    return Err(format!("an e-mail address has at most {CONTACT_CHARS} characters"));
                }
                return Ok(plain(self)?.map(PropertyValue::Email));
            }
            "phone_number" => {
                let number = text()?;
                if length(number) > CONTACT_CHARS {
                    return Err(format!("a telephone number has at most {CONTACT_CHARS} characters"));
                }
                PropertyValue::PhoneNumber(number.to_owned())
            }
            "relation" => {
                let rows = list(value)?;
                let wrong = rows.iter().find(|row| self.known.rows.get(**row) != property.database.as_ref());
                if let Some(row) = wrong {
                    return Err(format!("`{row}` is no earlier row of the database that it leads to"));
                }
                PropertyValue::Relation(rows.into_iter().map(str::to_owned).collect())
            }
            "people" if value.as_str() == Some("{{person}}") => PropertyValue::Person,
            "people" => return Err("the only person that a recipe knows is `\"{{person}}\"`".to_owned()),
            _ => return Err("Notion fills it in by itself, or a recipe cannot".to_owned()),
        }))
    }
}

fn option(property: &Property, name: &str) -> Result<String, String> {
    let options = property.configuration.get("options").and_then(|options| options.as_array());
    let names: Vec<&str> =
        options.into_iter().flatten().filter_map(|option| option["name"].as_str()).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no option `{name}`; there are: {}", names.join(", ")))
}

fn list(value: &Value) -> Result<Vec<&str>, String> {
    let listed =
        value.as_array().and_then(|values| values.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let listed = listed.ok_or("it is a list of texts")?;
    if listed.len() > ELEMENTS {
        return Err(format!("Notion takes {ELEMENTS} of them"));
    }
    Ok(listed)
}

/// `"2026-12-24"`, `"{{today}}"`, `"{{today+3}}"`, or `{ start = …, end = … }`.
fn date(value: &Value) -> Result<PropertyValue, String> {
    if let Some(table) = value.as_table() {
        let part = |name: &str| table.get(name).map(day).transpose();
        return match part("start")? {
            Some(start) if table.keys().all(|key| key == "start" || key == "end") => {
                Ok(PropertyValue::Date(start, part("end")?))
            }
            _ => Err("it has a `start` and may have an `end`".to_owned()),
        };
    }
    Ok(PropertyValue::Date(day(value)?, None))
}

fn day(value: &Value) -> Result<DateValue, String> {
    let expected = || "a day is `\"2026-12-24\"`, `\"{{today}}\"` or `\"{{today+3}}\"`".to_owned();
    let text = match value {
        Value::Datetime(date) => date.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(expected()),
    };
    if let Some(later) = text.strip_prefix("{{today").and_then(|rest| rest.strip_suffix("}}")) {
        let days = if later.is_empty() { Ok(0) } else { later.parse() };
        return days.map(DateValue::Today).map_err(|_| expected());
    }
    match text.parse::<toml::value::Datetime>() {
        Ok(toml::value::Datetime { date: Some(_), time: None, offset: None }) => Ok(DateValue::Day(text)),
        _ => Err(expected()),
    }
}
