//! Property values of pages and rows. A stored value names options, people and pages by id, so that renaming them
//! shows everywhere; an answer has their names (SDK).

use serde_json::{Value, json};

use crate::content::input::Input;
use crate::content::node::{Node, Property};
use crate::content::rich_text::{self, ARRAY_LIMIT, TEXT_LIMIT};
use crate::content::schema::option_name;
use crate::content::time::to_the_minute;
use crate::error::NotionError;
use crate::random::Random;

/// Characters in an e-mail address and in a phone number (documented).
const CONTACT_LIMIT: usize = 200;

/// What values need to know from outside.
pub(crate) trait References {
    /// # Errors
    ///
    /// `object_not_found` if the caller does not see this page.
    fn page(&self, id: &str) -> Result<(), NotionError>;

    fn has_user(&self, id: &str) -> bool;
}

/// A value of a request in the form that is stored. A `select` may get new options; they are added to `property`.
///
/// # Errors
///
/// `validation_error` for a value that does not fit the property, and for a status that is no option of it;
/// `object_not_found` for a relation to a page that the caller does not see.
pub(crate) fn read(
    property: &mut Property,
    given: &Input<'_>,
    references: &impl References,
    random: &mut Random,
) -> Result<Value, NotionError> {
    let kind = property.kind.clone();
    let value = match given.field(&kind) {
        Some(value) => value,
        // A title may be given as its rich text alone, as in Notion's older examples.
        None if kind == "title" && given.value().is_array() => given.clone(),
        None => {
            return Err(NotionError::validation(&format!("{} is expected to be {kind}.", property.name)));
        }
    };
    if value.value().is_null() && !matches!(kind.as_str(), "title" | "rich_text" | "checkbox") {
        return Ok(Value::Null);
    }
    Ok(match kind.as_str() {
        "title" | "rich_text" => rich_text::read(&value)?,
        "number" if value.value().is_number() => value.value().clone(),
        "number" => return Err(value.wrong("a number")),
        "checkbox" => value.bool()?.into(),
        "url" => value.short_text(TEXT_LIMIT)?.into(),
        "email" | "phone_number" => value.short_text(CONTACT_LIMIT)?.into(),
        "select" => option(property, &value, random)?,
        "status" => status(property, &value)?,
        "multi_select" => {
            let options = value.array(ARRAY_LIMIT)?;
            options.iter().map(|given| option(property, given, random)).collect::<Result<_, _>>()?
        }
        "date" => date(&value)?,
        "people" => {
            let people = value.array(ARRAY_LIMIT)?.into_iter().map(|person| {
                let id = person.needed("id")?;
                let user = id.id()?;
                if references.has_user(&user) { Ok(Value::from(user)) } else { Err(id.wrong("a user")) } // invented
            });
            people.collect::<Result<_, _>>()?
        }
        "relation" => {
            let pages = value.array(ARRAY_LIMIT)?.into_iter().map(|page| {
                let id = page.needed("id")?.id()?;
                references.page(&id).map(|()| Value::from(id))
            });
            pages.collect::<Result<_, _>>()?
        }
        "files" => files(&value)?,
        "place" | "verification" => value.object().map(|_| value.value().clone())?,
        // invented
        _ => {
            return Err(NotionError::validation(&format!(
                "{} is computed by Notion and cannot be set.",
                property.name
            )));
        }
    })
}

/// The id of an option, by id or name; an unknown name becomes a new option, as at Notion.
fn option(property: &mut Property, given: &Input<'_>, random: &mut Random) -> Result<Value, NotionError> {
    if let Some(id) = given.text_of("id")? {
        let known = property.options().iter().any(|option| option["id"] == id);
        return if known { Ok(id.into()) } else { Err(unknown_option(&property.kind, id)) };
    }
    let name = option_name(&given.needed("name")?)?;
    if let Some(known) = property.options().iter().find(|option| option["name"] == name) {
        return Ok(known["id"].clone());
    }
    let id = Value::from(random.uuid());
    let color = given.text_of("color")?.unwrap_or("default");
    if let Some(options) = property.config["options"].as_array_mut() {
        options.push(json!({ "id": id, "name": name, "color": color, "description": null }));
    }
    Ok(id)
}

/// The id of a status. Unlike those of a select, its options are made by people only.
fn status(property: &Property, given: &Input<'_>) -> Result<Value, NotionError> {
    let (field, wanted) = match given.text_of("id")? {
        Some(id) => ("id", id),
        None => ("name", given.needed("name")?.text()?),
    };
    let known = property.options().iter().find(|option| option[field] == wanted);
    known.map(|option| option["id"].clone()).ok_or_else(|| unknown_option("status", wanted))
}

fn unknown_option(kind: &str, wanted: &str) -> NotionError {
    let named = if kind == "status" { "Status" } else { "Select" };
    NotionError::validation(&format!("Invalid {kind} option. {named} option \"{wanted}\" does not exist\"."))
}

fn date(value: &Input<'_>) -> Result<Value, NotionError> {
    let start = date_text(&value.needed("start")?)?;
    let end = value.some("end").map(|end| date_text(&end)).transpose()?;
    Ok(json!({ "start": start, "end": end, "time_zone": value.text_of("time_zone")? }))
}

/// Checks the beginning only: `2026-11-25`, whatever follows.
fn date_text<'a>(value: &Input<'a>) -> Result<&'a str, NotionError> {
    let text = value.text()?;
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let is_date = digits(0..4) && digits(5..7) && digits(8..10) && dashes;
    if is_date { Ok(text) } else { Err(value.wrong("a valid ISO 8601 date string")) }
}

fn files(value: &Input<'_>) -> Result<Value, NotionError> {
    let files = value.array(ARRAY_LIMIT)?.into_iter().map(|file| {
        let name = file.text_of("name")?.unwrap_or_default();
        match file.some("external") {
            Some(external) => {
                let url = external.needed("url")?.short_text(TEXT_LIMIT)?;
                Ok(json!({ "type": "external", "name": name, "external": { "url": url } }))
            }
            None => Err(file.wrong("an `external` file; the simulator has no file uploads")), // invented
        }
    });
    files.collect()
}

/// The value of a property in an answer.
pub(crate) fn answer(property: &Property, node: &Node, stored: Option<&Value>) -> Value {
    let kind = property.kind.as_str();
    let stored = stored.cloned().unwrap_or_default();
    let value = match kind {
        "title" | "rich_text" | "files" if stored.is_null() => json!([]),
        "select" | "status" => option_answer(property, &stored),
        "multi_select" => {
            let ids = stored.as_array().map(Vec::as_slice).unwrap_or_default();
            ids.iter().map(|id| option_answer(property, id)).filter(|option| !option.is_null()).collect()
        }
        "checkbox" => stored.as_bool().unwrap_or_default().into(),
        "people" => ids(&stored).map(|id| json!({ "object": "user", "id": id })).collect(),
        "relation" => ids(&stored).map(|id| json!({ "id": id })).collect(),
        "unique_id" => json!({ "prefix": property.config["prefix"], "number": stored }),
        "created_time" => to_the_minute(node.created_at_ms).into(),
        "last_edited_time" => to_the_minute(node.edited_at_ms).into(),
        "created_by" => json!({ "object": "user", "id": node.created_by }),
        "last_edited_by" => json!({ "object": "user", "id": node.edited_by }),
        // Not computed here.
        "formula" => json!({ "type": "string", "string": null }),
        "rollup" => {
            json!({ "type": "unsupported", "unsupported": {}, "function": property.config["function"] })
        }
        "button" => json!({}),
        _ => stored,
    };
    let mut answer = json!({ "id": property.id, "type": kind, kind: value });
    if kind == "relation" {
        answer["has_more"] = false.into();
    }
    answer
}

fn ids(stored: &Value) -> impl Iterator<Item = &Value> {
    stored.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn option_answer(property: &Property, id: &Value) -> Value {
    let known = property.options().iter().find(|option| option["id"] == *id);
    known.map_or(
        Value::Null,
        |option| json!({ "id": option["id"], "name": option["name"], "color": option["color"] }),
    )
}
