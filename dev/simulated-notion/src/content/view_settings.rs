//! Filter, sorts, quick filters and configuration of a view.

use serde_json::json;

use crate::content::filter;
use crate::content::input::Input;
use crate::content::node::{DataSource, Kind, Node, Page, View};
use crate::error::NotionError;

/// What a board can be grouped by, and the word for it in `group_by.type` (SDK).
const GROUPS: &[(&str, &str)] = &[
    ("select", "select"),
    ("multi_select", "multi_select"),
    ("status", "status"),
    ("people", "person"),
    ("checkbox", "checkbox"),
    ("relation", "relation"),
    ("date", "date"),
    ("created_time", "created_time"),
    ("last_edited_time", "last_edited_time"),
    ("created_by", "created_by"),
    ("last_edited_by", "last_edited_by"),
    ("number", "number"),
    ("formula", "formula"),
    ("title", "text"),
    ("rich_text", "text"),
    ("url", "text"),
    ("email", "text"),
    ("phone_number", "text"),
];

/// Reads filter, sorts, quick filters and configuration. `is_new` if what is missing must be complained about.
///
/// # Errors
///
/// `validation_error` for anything that does not fit the type of the view or the schema.
pub(crate) fn read_into(
    view: &mut View,
    node: &Node,
    body: &Input<'_>,
    is_new: bool,
) -> Result<(), NotionError> {
    let Some(source) = node.data_source() else { return Ok(()) };
    if let Some(given) = body.field("filter") {
        if !given.value().is_null() {
            let probe = Node { kind: Kind::Page(Page::default()), ..node.clone() };
            filter::passes(&given, source, &probe)?;
        }
        view.filter = given.value().clone();
    }
    if let Some(given) = body.field("sorts") {
        if !given.value().is_null() {
            filter::sorts(&given, source)?;
        }
        view.sorts = given.value().clone();
    }
    if let Some(given) = body.field("quick_filters") {
        for (name, condition) in
            body.some("quick_filters").map(|all| all.fields()).transpose()?.unwrap_or_default()
        {
            if source.property(name).is_none() {
                return Err(condition.wrong("the condition of a property that exists")); // invented
            }
        }
        view.quick_filters = given.value().clone();
    }
    match body.some("configuration") {
        Some(given) => {
            given.needed("type")?.one_of(&[&view.kind])?;
            check_configuration(&view.kind, &given, source)?;
            view.configuration = given.value().clone();
        }
        None if is_new && matches!(view.kind.as_str(), "board" | "calendar") => {
            body.needed("configuration")?; // it has required fields
        }
        None if is_new => view.configuration = json!({ "type": view.kind }),
        None => {}
    }
    Ok(())
}

fn check_configuration(kind: &str, given: &Input<'_>, source: &DataSource) -> Result<(), NotionError> {
    match kind {
        "board" => check_group(&given.needed("group_by")?, source)?,
        "calendar" => {
            let id = given.needed("date_property_id")?;
            let property = property_by_id(&id, source)?;
            if !matches!(property, "date" | "created_time" | "last_edited_time") {
                return Err(id.wrong("the id of a date property")); // invented
            }
        }
        _ => {
            if let Some(group) = given.some("group_by") {
                check_group(&group, source)?;
            }
        }
    }
    if let Some(properties) = given.some("properties") {
        for property in properties.array(100)? {
            property_by_id(&property.needed("property_id")?, source)?;
        }
    }
    Ok(())
}

fn check_group(group: &Input<'_>, source: &DataSource) -> Result<(), NotionError> {
    let id = group.needed("property_id")?;
    let kind = property_by_id(&id, source)?;
    let Some((_, word)) = GROUPS.iter().find(|(known, _)| *known == kind) else {
        return Err(id.wrong("the id of a property that can be grouped by")); // invented
    };
    group.needed("type")?.one_of(&[word])?;
    if kind == "status" {
        group.needed("group_by")?.one_of(&["group", "option"])?;
    }
    group.needed("sort")?.needed("type")?.one_of(&["manual", "ascending", "descending"])?;
    Ok(())
}

/// The kind of the property with an id.
fn property_by_id<'a>(id: &Input<'_>, source: &'a DataSource) -> Result<&'a str, NotionError> {
    let wanted = id.text()?;
    let found = source.schema.iter().find(|property| property.id == wanted);
    found
        .map(|property| property.kind.as_str())
        .ok_or_else(|| id.wrong("the id of a property of the data source"))
}
