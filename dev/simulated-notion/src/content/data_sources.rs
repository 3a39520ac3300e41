//! Data sources: making another one, schemas, row templates.

use serde_json::{Value, json};

use crate::content::access::{Caller, Needs, What};
use crate::content::databases::text_of;
use crate::content::input::Input;
use crate::content::listing::page;
use crate::content::node::DataSource;
use crate::content::page_input::icon;
use crate::content::rich_text::plain;
use crate::content::schema;
use crate::error::NotionError;
use crate::notion::Notion;

impl Notion {
    /// `POST /v1/data_sources`: another one in a database.
    ///
    /// # Errors
    ///
    /// 400 `validation_error`; 404 `object_not_found` for the database or the target of a relation.
    pub(crate) fn create_data_source(
        &mut self,
        caller: &Caller,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Insert)?;
        body.only(&["parent", "properties", "title", "icon"])?;
        let database = body.needed("parent")?.needed("database_id")?.id()?;
        let database = self.find_to_change(caller, What::Database, &database)?.id.clone();
        let (title, icon) = (text_of(body, "title")?, icon(body)?);
        let properties = body.needed("properties")?;
        let schema = self.with_surroundings(caller, |around| schema::read(Some(&properties), around))?;
        let source = DataSource { title, description: json!([]), icon, schema, ..DataSource::default() };
        let id = self.add_data_source(caller, &database, source);
        Ok(self.made(caller, &id))
    }

    /// `GET /v1/data_sources/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`.
    pub(crate) fn get_data_source(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        Ok(self.object(self.find(caller, What::DataSource, id)?))
    }

    /// `PATCH /v1/data_sources/{id}`: title, icon, trash, and properties by name or id: null removes one, an unknown
    /// name adds one.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error`, also for removing the title.
    pub(crate) fn update_data_source(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        body.only(&["title", "icon", "properties", "in_trash"])?;
        let in_trash = body.bool_of("in_trash")?;
        let node = self.find_to_update(caller, What::DataSource, id, in_trash)?;
        let id = node.id.clone();
        let mut source = node.data_source().cloned().unwrap_or_default();
        if body.field("title").is_some() {
            source.title = text_of(body, "title")?;
        }
        if body.field("icon").is_some() {
            source.icon = icon(body)?;
        }
        if let Some(properties) = body.some("properties") {
            self.change_schema(caller, &mut source, &properties)?;
        }
        if let Some(stored) = self.memory.content.data_source_mut(&id) {
            *stored = source;
        }
        if let Some(node) = self.memory.content.get_mut(&id) {
            node.in_trash = in_trash.unwrap_or(node.in_trash);
        }
        self.touch(caller, &id);
        Ok(self.made(caller, &id))
    }

    fn change_schema(
        &mut self,
        caller: &Caller,
        source: &mut DataSource,
        properties: &Input<'_>,
    ) -> Result<(), NotionError> {
        for (name, given) in properties.fields()? {
            let at = source.property(name).map(|found| found.id.clone());
            let at = at.and_then(|id| source.schema.iter().position(|property| property.id == id));
            match at {
                Some(at) if given.value().is_null() => {
                    if source.schema[at].kind == "title" {
                        return Err(given.wrong("defined: the title cannot be removed")); // invented
                    }
                    source.schema.remove(at);
                }
                Some(at) => {
                    let old = &source.schema[at];
                    let new =
                        self.with_surroundings(caller, |around| schema::changed(old, &given, around))?;
                    if (new.kind == "title") != (old.kind == "title") {
                        return Err(given.wrong("a property of the same type")); // invented
                    }
                    source.schema[at] = new;
                }
                None => {
                    let new =
                        self.with_surroundings(caller, |around| schema::property(name, &given, around))?;
                    if new.kind == "title" {
                        return Err(given.wrong("a property of another type: there is a title")); // invented
                    }
                    source.schema.push(new);
                }
            }
        }
        Ok(())
    }

    /// `GET /v1/data_sources/{id}/templates`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` for a wrong page size or cursor.
    pub(crate) fn list_templates(
        &self,
        caller: &Caller,
        id: &str,
        query: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        let node = self.find(caller, What::DataSource, id)?;
        let Some(source) = node.data_source() else { return Ok(Value::Null) };
        let name_of = |id: &String| {
            let title = self.memory.content.get(id).and_then(|template| template.title());
            title.map(plain).unwrap_or_default()
        };
        // Whether the name is compared as a whole is not documented; a part of it is enough here.
        let wanted = query.text_of("name")?.unwrap_or_default().to_lowercase();
        let templates = source.templates.iter().filter(|id| name_of(id).to_lowercase().contains(&wanted));
        let page = page(templates.cloned().collect(), query)?;
        let templates = page.ids.iter().map(|id| {
            json!({ "id": id, "name": name_of(id), "is_default": source.default_template.as_ref() == Some(id) })
        });
        Ok(json!({
            "templates": templates.collect::<Vec<_>>(),
            "has_more": page.next_cursor.is_some(),
            "next_cursor": page.next_cursor,
        }))
    }
}
