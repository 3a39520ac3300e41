//! Databases: making, reading, changing.

use serde_json::{Value, json};

use crate::content::access::{Caller, Needs, What};
use crate::content::input::Input;
use crate::content::node::{DataSource, Database, Kind, Property, View};
use crate::content::page_input::{cover, icon};
use crate::content::rich_text;
use crate::content::schema::{self, Surroundings};
use crate::content::store::Store;
use crate::error::NotionError;
use crate::notion::Notion;
use crate::random::Random;

impl Notion {
    /// `POST /v1/databases`: with one data source and one table view.
    ///
    /// # Errors
    ///
    /// 400 `validation_error`; 403 `restricted_resource` without the capability or at the block limit; 404
    /// `object_not_found` for the parent or the target of a relation.
    pub(crate) fn create_database(
        &mut self,
        caller: &Caller,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Insert)?;
        body.only(&["parent", "title", "description", "is_inline", "icon", "cover", "initial_data_source"])?;
        let parent = self.database_parent(caller, &body.needed("parent")?)?;
        let database = Database {
            title: text_of(body, "title")?,
            description: text_of(body, "description")?,
            icon: icon(body)?,
            cover: cover(body)?,
            is_inline: body.bool_of("is_inline")?.unwrap_or_default(),
            ..Database::default()
        };
        let properties = body.some("initial_data_source").and_then(|source| source.some("properties"));
        let schema = self.with_surroundings(caller, |around| schema::read(properties.as_ref(), around))?;
        self.use_blocks(caller, 1)?;

        let title = database.title.clone();
        let is_root = parent.is_none();
        let node = self.new_node(caller, parent, Kind::Database(database));
        let id = node.id.clone();
        self.memory.content.add(node, None);
        if is_root && caller.is_bot {
            self.memory.content.share(&caller.author_id, &id);
        }
        let source = DataSource { title, description: json!([]), schema, ..DataSource::default() };
        self.add_data_source(caller, &id, source);
        Ok(self.made(caller, &id))
    }

    /// `GET /v1/databases/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`. A database in the trash is answered, with `in_trash`.
    pub(crate) fn get_database(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        Ok(self.object(self.find(caller, What::Database, id)?))
    }

    /// `PATCH /v1/databases/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error`.
    pub(crate) fn update_database(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        body.only(&[
            "parent",
            "title",
            "description",
            "is_inline",
            "icon",
            "cover",
            "in_trash",
            "is_locked",
        ])?;
        let in_trash = body.bool_of("in_trash")?;
        let node = self.find_to_update(caller, What::Database, id, in_trash)?;
        let id = node.id.clone();
        let mut database = node.database().cloned().unwrap_or_default();
        if body.field("title").is_some() {
            database.title = text_of(body, "title")?;
        }
        if body.field("description").is_some() {
            database.description = text_of(body, "description")?;
        }
        if body.field("icon").is_some() {
            database.icon = icon(body)?;
        }
        if body.field("cover").is_some() {
            database.cover = cover(body)?;
        }
        database.is_inline = body.bool_of("is_inline")?.unwrap_or(database.is_inline);
        database.is_locked = body.bool_of("is_locked")?.unwrap_or(database.is_locked);
        if let Some(parent) = body.some("parent") {
            let parent = self.database_parent(caller, &parent)?;
            if parent
                .as_ref()
                .is_some_and(|parent| self.memory.content.ancestry(parent).any(|node| node.id == id))
            {
                return Err(body.needed("parent")?.wrong("outside the database")); // invented
            }
            let is_root = parent.is_none();
            self.memory.content.move_to(&id, parent);
            if is_root {
                self.memory.content.share(&caller.author_id, &id);
            }
        }
        if let Some(node) = self.memory.content.get_mut(&id) {
            node.kind = Kind::Database(database);
            node.in_trash = in_trash.unwrap_or(node.in_trash);
        }
        self.touch(caller, &id);
        Ok(self.made(caller, &id))
    }

    /// The parent of a database: a page, or `None` for the workspace. Unlike that of a page it must be given.
    fn database_parent(&self, caller: &Caller, parent: &Input<'_>) -> Result<Option<String>, NotionError> {
        if parent.needed("type")?.one_of(&["page_id", "workspace"])? == "page_id" {
            let id = parent.needed("page_id")?.id()?;
            return Ok(Some(self.find_to_change(caller, What::Page, &id)?.id.clone()));
        }
        let workspace = parent.needed("workspace")?;
        if workspace.bool()? { Ok(None) } else { Err(workspace.wrong("`true`")) }
    }

    /// Stores a data source in a database, with the table view that Notion makes for it. Answers its id.
    pub(crate) fn add_data_source(&mut self, caller: &Caller, database: &str, source: DataSource) -> String {
        let duals: Vec<Property> =
            source.schema.iter().filter(|property| is_dual(property)).cloned().collect();
        let node = self.new_node(caller, Some(database.to_owned()), Kind::DataSource(source));
        let id = node.id.clone();
        self.memory.content.add(node, None);
        for property in duals {
            self.add_other_end(&id, database, &property);
        }
        let view = View {
            name: "Default view".to_owned(),
            kind: "table".to_owned(),
            data_source: Some(id.clone()),
            filter: Value::Null,
            sorts: Value::Null,
            quick_filters: Value::Null,
            configuration: json!({ "type": "table" }),
            dashboard: None,
        };
        let node = self.new_node(caller, Some(database.to_owned()), Kind::View(view));
        if let Some(database) = self.memory.content.database_mut(database) {
            database.views.push(node.id.clone());
        }
        self.memory.content.add_apart(node);
        id
    }

    /// The property that a relation in both directions makes at its target.
    fn add_other_end(&mut self, source: &str, database: &str, property: &Property) {
        let title = self.memory.content.get(database).and_then(|node| node.title()).map(rich_text::plain);
        let name = format!("Related to {} ({})", title.unwrap_or_default(), property.name);
        let id = self.random.word();
        let Some(target) = property.config["data_source_id"].as_str().map(str::to_owned) else { return };
        let Some(target) = self.memory.content.data_source_mut(&target) else { return };
        if target.property(&name).is_none() {
            let back = json!({ "synced_property_name": property.name, "synced_property_id": property.id });
            let config = json!({
                "data_source_id": source, "database_id": database, "type": "dual_property", "dual_property": back,
            });
            target.schema.push(Property { id, name, kind: "relation".to_owned(), description: None, config });
        }
    }

    /// Lets a schema be read, which draws ids and looks up the targets of relations.
    pub(crate) fn with_surroundings<T>(
        &mut self,
        caller: &Caller,
        read: impl FnOnce(&mut Around<'_>) -> Result<T, NotionError>,
    ) -> Result<T, NotionError> {
        let now_ms = self.now_ms();
        read(&mut Around { random: &mut self.random, store: &self.memory.content, caller, now_ms })
    }
}

fn is_dual(property: &Property) -> bool {
    property.kind == "relation" && property.config["type"] == "dual_property"
}

/// What the schema of a request needs from the workspace.
pub(crate) struct Around<'a> {
    random: &'a mut Random,
    store: &'a Store,
    caller: &'a Caller,
    now_ms: u64,
}

impl Surroundings for Around<'_> {
    fn random(&mut self) -> &mut Random {
        self.random
    }

    fn relation_target(&self, data_source_id: &str) -> Result<String, NotionError> {
        let source = self.caller.find(self.store, self.now_ms, What::DataSource, data_source_id)?;
        Ok(source.parent.clone().unwrap_or_default())
    }
}

/// The rich text of a field; empty if it is missing.
///
/// # Errors
///
/// `validation_error` if it is something else.
pub(crate) fn text_of(body: &Input<'_>, name: &str) -> Result<Value, NotionError> {
    body.some(name).map_or_else(|| Ok(json!([])), |field| rich_text::read(&field))
}
