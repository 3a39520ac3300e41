//! Filters and sorts of a query, as of a view (SDK).

use std::cmp::Ordering;

use serde_json::Value;

use crate::content::input::Input;
use crate::content::node::{DataSource, Node, Property};
use crate::content::rich_text::plain;
use crate::content::time::to_the_minute;
use crate::content::values;
use crate::error::NotionError;

/// Levels of `and` and `or` (documented).
const NESTING_LIMIT: usize = 2;

/// Whether a row passes a filter.
///
/// # Errors
///
/// `validation_error` for an unknown property, a condition that does not fit it, or more than two levels.
pub(crate) fn passes(filter: &Input<'_>, source: &DataSource, row: &Node) -> Result<bool, NotionError> {
    passes_at(filter, source, row, 0)
}

fn passes_at(filter: &Input<'_>, source: &DataSource, row: &Node, depth: usize) -> Result<bool, NotionError> {
    for (name, is_and) in [("and", true), ("or", false)] {
        let Some(filters) = filter.some(name) else { continue };
        if depth >= NESTING_LIMIT {
            return Err(filters.wrong("not present"));
        }
        // All are looked at: a wrong one is an error whatever the others say.
        let mut all = Vec::new();
        for inner in filters.array(100)? {
            all.push(passes_at(&inner, source, row, depth + 1)?);
        }
        return Ok(if is_and { all.iter().all(|passes| *passes) } else { all.contains(&true) });
    }
    if let Some(timestamp) = filter.some("timestamp") {
        let name = timestamp.one_of(&["created_time", "last_edited_time"])?;
        let found = Value::from(timestamp_of(row, name));
        return condition("date", &filter.needed(name)?, &found);
    }
    let property = property_of(&filter.needed("property")?, source)?;
    let Some(given) = filter.some(&property.kind) else {
        // invented
        return Err(NotionError::validation(&format!(
            "The property {} is of type {}: the filter needs a condition with that name.",
            property.name, property.kind
        )));
    };
    let value = values::answer(property, row, row.page().and_then(|page| page.values.get(&property.id)));
    condition(&property.kind, &given, &value[&property.kind])
}

fn property_of<'a>(named: &Input<'_>, source: &'a DataSource) -> Result<&'a Property, NotionError> {
    let name = named.text()?;
    source
        .property(name)
        .ok_or_else(|| NotionError::validation(&format!("Could not find property with name or id: {name}")))
}

fn timestamp_of(row: &Node, name: &str) -> String {
    to_the_minute(if name == "created_time" { row.created_at_ms } else { row.edited_at_ms })
}

/// What is compared: the text, number or texts of a value.
fn comparable(kind: &str, found: &Value) -> Value {
    match kind {
        "title" | "rich_text" => plain(found).into(),
        "select" | "status" => found["name"].clone(),
        "multi_select" => names(found, "name"),
        "people" | "relation" => names(found, "id"),
        "created_by" | "last_edited_by" => found["id"].clone(),
        "unique_id" => found["number"].clone(),
        "date" if found.is_object() => found["start"].clone(),
        _ => found.clone(),
    }
}

fn names(found: &Value, field: &str) -> Value {
    let items = found.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item[field].clone()).collect()
}

fn condition(kind: &str, given: &Input<'_>, found: &Value) -> Result<bool, NotionError> {
    let found = comparable(kind, found);
    let is_empty = match &found {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let fields = given.fields()?;
    let [(operator, wanted)] = fields.as_slice() else {
        return Err(given.wrong("an object with one condition")); // invented
    };
    let value = wanted.value();
    // Text and options are compared without case, as the app does (inferred).
    let lower = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let equals = || match value {
        Value::Array(any) => any.contains(&found),
        Value::String(_) if kind == "date" => starts(&found, value),
        Value::String(_) => found.is_string() && lower(value) == lower(&found),
        other => *other == found,
    };
    let contains = || match &found {
        Value::Array(items) => items.contains(value),
        text => lower(text).contains(&lower(value)),
    };
    Ok(match *operator {
        "equals" => equals(),
        "does_not_equal" => !equals(),
        "contains" => contains(),
        "does_not_contain" => !contains(),
        "starts_with" => lower(&found).starts_with(&lower(value)),
        "ends_with" => lower(&found).ends_with(&lower(value)),
        "is_empty" => is_empty,
        "is_not_empty" => !is_empty,
        "greater_than" | "after" => !is_empty && compare(&found, value).is_gt(),
        "less_than" | "before" => !is_empty && compare(&found, value).is_lt(),
        "greater_than_or_equal_to" | "on_or_after" => {
            !is_empty && (compare(&found, value).is_ge() || starts(&found, value))
        }
        "less_than_or_equal_to" | "on_or_before" => {
            !is_empty && (compare(&found, value).is_le() || starts(&found, value))
        }
        // Conditions relative to today are not simulated.
        _ => return Err(wanted.wrong("not present")),
    })
}

/// Whether a time is on the day that is asked for.
fn starts(found: &Value, day: &Value) -> bool {
    matches!((found.as_str(), day.as_str()), (Some(found), Some(day)) if found.starts_with(day))
}

/// Empty values come last; numbers and ISO dates in their order; text without case.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::String(one), Value::String(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Array(one), Value::Array(other)) => one.len().cmp(&other.len()),
        _ => Ordering::Equal,
    }
}

/// One criterion of an order.
pub(crate) struct Sort {
    /// `None` for a timestamp.
    property: Option<Property>,
    timestamp: String,
    is_descending: bool,
}

/// The sorts of a query or view.
///
/// # Errors
///
/// `validation_error` for an unknown property or direction.
pub(crate) fn sorts(given: &Input<'_>, source: &DataSource) -> Result<Vec<Sort>, NotionError> {
    let sorts = given.array(100)?.into_iter().map(|sort| {
        let is_descending = sort.needed("direction")?.one_of(&["ascending", "descending"])? == "descending";
        if let Some(timestamp) = sort.some("timestamp") {
            let timestamp = timestamp.one_of(&["created_time", "last_edited_time"])?.to_owned();
            return Ok(Sort { property: None, timestamp, is_descending });
        }
        let property = property_of(&sort.needed("property")?, source)?.clone();
        Ok(Sort { property: Some(property), timestamp: String::new(), is_descending })
    });
    sorts.collect()
}

impl Sort {
    /// The order of two rows. A select is sorted by the order of its options.
    pub(crate) fn compare(&self, one: &Node, other: &Node) -> Ordering {
        let Some(property) = &self.property else {
            let ordering = timestamp_of(one, &self.timestamp).cmp(&timestamp_of(other, &self.timestamp));
            return if self.is_descending { ordering.reverse() } else { ordering };
        };
        let key = |row: &Node| {
            let stored = row.page().and_then(|page| page.values.get(&property.id));
            let value = values::answer(property, row, stored);
            let value = comparable(&property.kind, &value[&property.kind]);
            let position = property.options().iter().position(|option| option["name"] == value);
            position.map_or(value, Value::from)
        };
        let (one, other) = (key(one), key(other));
        let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
        match (is_empty(&one), is_empty(&other)) {
            (false, false) if self.is_descending => compare(&one, &other).reverse(),
            (false, false) => compare(&one, &other),
            (one_is_empty, other_is_empty) => one_is_empty.cmp(&other_is_empty),
        }
    }
}
