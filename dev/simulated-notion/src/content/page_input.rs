//! What the requests for pages contain: parent, property values, content, template, icon, cover.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::content::access::{Caller, What};
use crate::content::input::{Input, length};
use crate::content::markdown;
use crate::content::new_blocks::{self, NewBlock};
use crate::content::node::Property;
use crate::content::rich_text::{TEXT_LIMIT, plain};
use crate::content::schema;
use crate::content::store::Store;
use crate::content::values::{self, References};
use crate::error::NotionError;
use crate::notion::Notion;
use crate::workspace::Workspace;

/// Where a new page goes.
pub(crate) enum Place {
    Workspace,
    Below(String),
    RowOf(String),
}

impl Notion {
    /// The parent of a request. Without one, a public connection means the workspace (documented).
    ///
    /// # Errors
    ///
    /// `validation_error` if it is not exactly one; `object_not_found` if the caller does not see it.
    pub(crate) fn place(&self, caller: &Caller, body: &Input<'_>) -> Result<Place, NotionError> {
        let Some(parent) = body.some("parent") else { return Ok(Place::Workspace) };
        parent.only(&["type", "workspace", "page_id", "database_id", "data_source_id"])?;
        let named = parent.text_of("type")?;
        let kinds = ["workspace", "page_id", "database_id", "data_source_id"];
        let given = kinds.into_iter().filter(|kind| parent.some(kind).is_some()).collect::<Vec<_>>();
        let kind = match (given.as_slice(), named) {
            ([only], None) => only,
            ([only], Some(named)) if *only == named => only,
            (_, Some(named)) if kinds.contains(&named) => {
                return Err(parent.needed(named).err().unwrap_or_else(|| parent.wrong("one parent")));
            }
            _ => return Err(parent.wrong("a `workspace`, `page_id` or `data_source_id` parent")), // invented
        };
        let value = parent.needed(kind)?;
        match *kind {
            "workspace" if value.bool()? => Ok(Place::Workspace),
            "workspace" => Err(value.wrong("`true`")),
            "page_id" => {
                let id = value.id()?;
                Ok(Place::Below(self.find_to_change(caller, What::Page, &id)?.id.clone()))
            }
            "data_source_id" => {
                let id = value.id()?;
                Ok(Place::RowOf(self.find_to_change(caller, What::DataSource, &id)?.id.clone()))
            }
            _ => {
                let id = value.id()?;
                let database = self.find_to_change(caller, What::Database, &id)?;
                match database.children.as_slice() {
                    [only] => Ok(Place::RowOf(only.clone())),
                    // invented
                    _ => Err(value.wrong("a database with one data source; use `data_source_id`")),
                }
            }
        }
    }

    /// Reads property values into `values`. For a row, answers the schema, which may have new options.
    ///
    /// # Errors
    ///
    /// As [`values::read`]; also `validation_error` for a property that does not exist.
    pub(crate) fn read_values(
        &mut self,
        caller: &Caller,
        place: &Place,
        properties: Option<&Input<'_>>,
        values: &mut BTreeMap<String, Value>,
    ) -> Result<Option<Vec<Property>>, NotionError> {
        let source = match place {
            Place::RowOf(id) => self.memory.content.get(id).and_then(|node| node.data_source()),
            _ => None,
        };
        let is_row = source.is_some();
        let mut schema = source.map_or_else(|| vec![schema::title("title")], |source| source.schema.clone());
        let seen = Seen {
            store: &self.memory.content,
            caller,
            now_ms: self.now_ms(),
            workspace: self.workspaces.iter().find(|workspace| workspace.id == caller.workspace_id),
        };
        for (name, given) in properties.map(Input::fields).transpose()?.unwrap_or_default() {
            let by_name = schema.iter().position(|property| property.name == name);
            let at = by_name.or_else(|| schema.iter().position(|property| property.id == name));
            let Some(property) = at.map(|at| &mut schema[at]) else {
                return Err(NotionError::validation(&format!("{name} is not a property that exists.")));
            };
            let value = values::read(property, &given, &seen, &mut self.random)?;
            values.insert(property.id.clone(), value);
        }
        Ok(is_row.then_some(schema))
    }

    /// The row template that a request wants to apply.
    ///
    /// # Errors
    ///
    /// `validation_error` without a data source, or without a default; `object_not_found` for an unknown template.
    pub(crate) fn template_of(
        &self,
        caller: &Caller,
        place: &Place,
        body: &Input<'_>,
    ) -> Result<Option<String>, NotionError> {
        let Some(template) = body.some("template") else { return Ok(None) };
        let kind = template.needed("type")?.one_of(&["none", "default", "template_id"])?;
        if kind == "none" {
            return Ok(None);
        }
        let source = match place {
            Place::RowOf(id) => self.memory.content.get(id).and_then(|node| node.data_source()),
            _ => None,
        };
        let Some(source) = source else {
            return Err(template.wrong("not present without a `data_source_id` parent")); // invented
        };
        if kind == "default" {
            let default = source.default_template.clone();
            return default.map(Some).ok_or_else(|| {
                NotionError::validation("This data source has no default template.") // invented
            });
        }
        let id = template.needed("template_id")?.id()?;
        if source.templates.contains(&id) { Ok(Some(id)) } else { Err(caller.not_found(What::Page, &id)) }
    }
}

/// The blocks of `children` or `markdown`. If there is no title, the first heading of the Markdown becomes it.
///
/// # Errors
///
/// `validation_error` if both are given, or what is given is wrong or too long.
pub(crate) fn new_content(
    body: &Input<'_>,
    values: &mut BTreeMap<String, Value>,
) -> Result<Vec<NewBlock>, NotionError> {
    let given = ["markdown", "children", "content"].into_iter().filter_map(|name| body.some(name));
    let given: Vec<_> = given.collect();
    match given.as_slice() {
        [] => Ok(Vec::new()),
        [only] => {
            let Some(text) = only.value().as_str() else { return new_blocks::read(only) };
            let mut text = text.to_owned();
            if !values.contains_key("title")
                && let Some((title, rest)) = markdown::heading_as_title(&text)
            {
                let plain = plain(&title);
                only.at_most("title.length", length(&plain), TEXT_LIMIT)?; // invented
                values.insert("title".to_owned(), title);
                text = rest;
            }
            let blocks = markdown::parse(&text);
            new_blocks::at_most(&blocks, only)?;
            Ok(blocks)
        }
        // invented
        [_, second, ..] => Err(second.wrong("not present together with `markdown` or `children`")),
    }
}

/// What the values of a request may refer to.
struct Seen<'a> {
    store: &'a Store,
    caller: &'a Caller,
    now_ms: u64,
    workspace: Option<&'a Workspace>,
}

impl References for Seen<'_> {
    fn page(&self, id: &str) -> Result<(), NotionError> {
        self.caller.find(self.store, self.now_ms, What::Page, id).map(|_| ())
    }

    fn has_user(&self, id: &str) -> bool {
        let members = self.workspace.map(|workspace| workspace.people.as_slice()).unwrap_or_default();
        id == self.caller.author_id || members.iter().any(|member| member.id == id)
    }
}

/// The icon of a request: an emoji, an address, or one of Notion's own.
///
/// # Errors
///
/// `validation_error` for anything else.
pub(crate) fn icon(body: &Input<'_>) -> Result<Value, NotionError> {
    let Some(icon) = body.some("icon") else { return Ok(Value::Null) };
    if let Some(emoji) = icon.some("emoji") {
        return Ok(json!({ "type": "emoji", "emoji": emoji.short_text(100)? }));
    }
    if let Some(external) = icon.some("external") {
        let url = external.needed("url")?.short_text(TEXT_LIMIT)?;
        return Ok(json!({ "type": "external", "external": { "url": url } }));
    }
    for kind in ["icon", "custom_emoji"] {
        if let Some(given) = icon.some(kind) {
            return Ok(json!({ "type": kind, kind: given.object()? }));
        }
    }
    Err(icon.wrong("an `emoji`, an `external` file or an `icon`")) // invented
}

/// The cover of a request: an address.
///
/// # Errors
///
/// `validation_error` for anything else.
pub(crate) fn cover(body: &Input<'_>) -> Result<Value, NotionError> {
    let Some(cover) = body.some("cover") else { return Ok(Value::Null) };
    let url = cover.needed("external")?.needed("url")?.short_text(TEXT_LIMIT)?;
    Ok(json!({ "type": "external", "external": { "url": url } }))
}
