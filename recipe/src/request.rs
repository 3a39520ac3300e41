//! A step as the request that Notion takes.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

use crate::limits::TEXT_CHARS;
use crate::step::{DateValue, Icon, Make, Parent, Property, PropertyValue, Step, TemplateRow, View};
use crate::values::{Resource, Values};

/// A request to Notion.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which endpoint.
    pub call: Call,
    /// The body.
    pub body: Value,
}

/// The endpoints that make something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `POST /v1/pages`
    CreatePage,
    /// `POST /v1/databases`
    CreateDatabase,
    /// `POST /v1/views`
    CreateView,
}

/// A step cannot be made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// A resource that it needs was not made.
    Missing(String),
    /// The database has no such property.
    NoProperty(String),
    /// The database has no such template.
    NoTemplate(String),
}

impl Step {
    /// Whether the request needs the ids of the database's properties.
    #[must_use]
    pub fn needs_property_ids(&self) -> bool {
        matches!(&self.make, Make::View(view) if view.group_by.is_some() || view.date.is_some())
    }

    /// The name of the database's template that the request needs the id of.
    #[must_use]
    pub fn needs_template(&self) -> Option<&str> {
        match &self.make {
            Make::Row { template: Some(TemplateRow::Named(name)), .. } => Some(name),
            _ => None,
        }
    }

    /// The request. `property_id` and `template_id` give the ids of the database's properties and templates by name; `None`
    /// if the step looks for something instead of making it.
    ///
    /// # Errors
    ///
    /// [`NotReady`].
    pub fn request(
        &self,
        values: &Values,
        property_id: &dyn Fn(&str) -> Option<String>,
        template_id: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Request>, NotReady> {
        let find = |resource: &str| {
            values.resources.get(resource).ok_or_else(|| NotReady::Missing(resource.to_owned()))
        };
        for resource in self.needs() {
            find(resource)?;
        }
        let request = match &self.make {
            Make::Page { parent, title, icon, cover, content } => {
                let mut body = json!({
                    "parent": parent_of(parent, find)?,
                    "properties": {"title": {"title": rich_text(&title.fill(values))}},
                });
                decorate(&mut body, icon.as_ref(), cover.as_deref());
                if let Some(content) = content {
                    body["markdown"] = content.fill(values).into();
                }
                Request { call: Call::CreatePage, body }
            }
            Make::Database { parent, title, description, icon, cover, inline, properties } => {
                let mut schema = Map::new();
                for property in properties {
                    schema.insert(property.name.clone(), configuration(property, find)?);
                }
                let mut body = json!({
                    "parent": parent_of(parent, find)?,
                    "title": rich_text(&title.fill(values)),
                    "is_inline": inline,
                    "initial_data_source": {"properties": schema},
                });
                if let Some(description) = description {
                    body["description"] = rich_text(&description.fill(values));
                }
                decorate(&mut body, icon.as_ref(), cover.as_deref());
                Request { call: Call::CreateDatabase, body }
            }
            Make::Row { database, properties, icon, content, template } => {
                let mut filled = Map::new();
                for (name, value) in properties {
                    if let Some(value) = property_value(value, values, find)? {
                        filled.insert(name.clone(), value);
                    }
                }
                let mut body = json!({
                    "parent": {"type": "data_source_id", "data_source_id": data_source(find(database)?, database)?},
                    "properties": filled,
                });
                decorate(&mut body, icon.as_ref(), None);
                if let Some(content) = content {
                    body["markdown"] = content.fill(values).into();
                }
                match template {
                    None => {}
                    Some(TemplateRow::Default) => body["template"] = json!({"type": "default"}),
                    Some(TemplateRow::Named(name)) => {
                        let id = template_id(name).ok_or_else(|| NotReady::NoTemplate(name.clone()))?;
                        body["template"] = json!({"type": "template_id", "template_id": id});
                    }
                }
                Request { call: Call::CreatePage, body }
            }
            Make::View(view) => view_request(view, find(&view.database)?, property_id)?,
            Make::TemplatePage { .. } | Make::TemplateDatabase { .. } => return Ok(None),
        };
        Ok(Some(request))
    }
}

fn parent_of<'v>(
    parent: &Parent,
    find: impl Fn(&str) -> Result<&'v Resource, NotReady>,
) -> Result<Value, NotReady> {
    Ok(match parent {
        Parent::Workspace => json!({"type": "workspace", "workspace": true}),
        Parent::Resource(resource) => json!({"type": "page_id", "page_id": find(resource)?.id}),
    })
}

fn data_source<'v>(database: &'v Resource, name: &str) -> Result<&'v str, NotReady> {
    database.data_source_id.as_deref().ok_or_else(|| NotReady::Missing(name.to_owned()))
}

fn decorate(body: &mut Value, icon: Option<&Icon>, cover: Option<&str>) {
    match icon {
        None => {}
        Some(Icon::Emoji(emoji)) => body["icon"] = json!({"type": "emoji", "emoji": emoji}),
        Some(Icon::Url(url)) => body["icon"] = json!({"type": "external", "external": {"url": url}}),
    }
    if let Some(url) = cover {
        body["cover"] = json!({"type": "external", "external": {"url": url}});
    }
}

/// A text in elements that Notion takes.
fn rich_text(text: &str) -> Value {
    let mut elements = vec![String::new()];
    let mut room = TEXT_CHARS;
    for c in text.chars() {
        if c.len_utf16() > room {
            elements.push(String::new());
            room = TEXT_CHARS;
        }
        room -= c.len_utf16();
        elements.last_mut().into_iter().for_each(|element| element.push(c));
    }
    let elements = elements.into_iter().filter(|content| !content.is_empty());
    elements.map(|content| json!({"type": "text", "text": {"content": content}})).collect()
}

fn configuration<'v>(
    property: &Property,
    find: impl Fn(&str) -> Result<&'v Resource, NotReady>,
) -> Result<Value, NotReady> {
    let mut inner = property.configuration.clone();
    if let Some(database) = &property.database {
        inner.insert("data_source_id".to_owned(), data_source(find(database)?, database)?.into());
    }
    let mut outer = Map::new();
    outer.insert("type".to_owned(), property.r#type.clone().into());
    outer.insert(property.r#type.clone(), inner.into());
    if let Some(description) = &property.description {
        outer.insert("description".to_owned(), description.clone().into());
    }
    Ok(outer.into())
}

/// `None`: there is nothing to say.
fn property_value<'v>(
    value: &PropertyValue,
    values: &Values,
    find: impl Fn(&str) -> Result<&'v Resource, NotReady>,
) -> Result<Option<Value>, NotReady> {
    let option = |name: &String| json!({"name": name});
    let filled = |text: &crate::text::Text| Some(text.fill(values)).filter(|text| !text.is_empty());
    Ok(Some(match value {
        PropertyValue::Title(text) => json!({"title": rich_text(&text.fill(values))}),
        PropertyValue::RichText(text) => json!({"rich_text": rich_text(&text.fill(values))}),
        PropertyValue::Number(number) => json!({"number": number}),
        PropertyValue::Select(name) => json!({"select": option(name)}),
        PropertyValue::MultiSelect(names) => {
            json!({"multi_select": names.iter().map(option).collect::<Vec<_>>()})
        }
        PropertyValue::Status(name) => json!({"status": option(name)}),
        PropertyValue::Date(start, None) => json!({"date": {"start": day(start, values.today)}}),
        PropertyValue::Date(start, Some(end)) => {
            json!({"date": {"start": day(start, values.today), "end": day(end, values.today)}})
        }
        PropertyValue::Checkbox(ticked) => json!({"checkbox": ticked}),
        PropertyValue::Url(text) => match filled(text) {
            Some(url) => json!({"url": url}),
            None => return Ok(None),
        },
        PropertyValue::Email(text) => match filled(text) {
            Some(email) => json!({"email": email}),
            None => return Ok(None),
        },
        PropertyValue::PhoneNumber(number) => json!({"phone_number": number}),
        PropertyValue::Relation(rows) => {
            let ids = rows.iter().map(|row| Ok(json!({"id": find(row)?.id})));
            json!({"relation": ids.collect::<Result<Vec<_>, NotReady>>()?})
        }
        PropertyValue::Person => match &values.person_id {
            Some(id) => json!({"people": [{"object": "user", "id": id}]}),
            None => return Ok(None),
        },
    }))
}

/// `YYYY-MM-DD`
fn day(value: &DateValue, today: i64) -> String {
    match value {
        DateValue::Day(day) => day.clone(),
        DateValue::Today(later) => date_of(today.saturating_add(*later)),
    }
}

/// The date so many days after 1970-01-01.
fn date_of(days: i64) -> String {
    let at = DateTime::from_secs(days.saturating_mul(86_400));
    at.fmt(Format::DateTime).unwrap_or_default().chars().take(10).collect()
}

fn view_request(
    view: &View,
    database: &Resource,
    property_id: &dyn Fn(&str) -> Option<String>,
) -> Result<Request, NotReady> {
    let id_of = |name: &str| property_id(name).ok_or_else(|| NotReady::NoProperty(name.to_owned()));
    let mut body = json!({
        "database_id": database.id,
        "data_source_id": data_source(database, &view.database)?,
        "name": view.name,
        "type": view.kind,
    });
    if let Some(group_by) = &view.group_by {
        let mut group = json!({
            "type": if group_by.r#type == "people" { "person" } else { group_by.r#type.as_str() },
            "property_id": id_of(&group_by.property)?,
            "sort": {"type": "manual"},
        });
        if group_by.r#type == "status" {
            group["group_by"] = "option".into();
        }
        body["configuration"] = json!({"type": view.kind, "group_by": group});
    }
    if let Some(date) = &view.date {
        body["configuration"] = json!({"type": view.kind, "date_property_id": id_of(date)?});
    }
    if let Some(filter) = &view.filter {
        body["filter"] = filter.clone();
    }
    if let Some(sorts) = &view.sorts {
        body["sorts"] = sorts.clone();
    }
    Ok(Request { call: Call::CreateView, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        let dates = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_786, "2026-11-29"),
            (-1, "1969-12-31"),
        ];
        for (days, date) in dates {
            assert_eq!(date_of(days), date);
        }
    }

    #[test]
    fn a_long_text_is_cut_into_elements() {
        let elements = rich_text(&"ä".repeat(4500));
        let lengths: Vec<usize> = elements
            .as_array()
            .unwrap()
            .iter()
            .map(|element| element["text"]["content"].as_str().unwrap().chars().count())
            .collect();
        assert_eq!(lengths, [2000, 2000, 500]);
        assert_eq!(rich_text(&"👩".repeat(1001)).as_array().unwrap().len(), 2);
        assert_eq!(rich_text(""), json!([]));
    }
}
