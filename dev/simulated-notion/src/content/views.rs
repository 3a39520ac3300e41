//! Views of databases: making, listing, reading, changing, deleting.

use serde_json::{Value, json};

use crate::content::access::{Caller, Needs, What};
use crate::content::input::Input;
use crate::content::listing::{list, page};
use crate::content::node::{Database, Kind, View};
use crate::content::view_settings::read_into;
use crate::error::NotionError;
use crate::notion::Notion;

const KINDS: &[&str] =
    &["table", "board", "list", "calendar", "timeline", "gallery", "form", "chart", "map", "dashboard"];

/// Where a new view goes.
enum Place {
    Database(String),
    Dashboard { view: String, database: String },
    NewDatabase { page: String, after: Option<usize> },
}

impl Notion {
    /// `POST /v1/views`
    ///
    /// # Errors
    ///
    /// 400 `validation_error`; 404 `object_not_found` for the data source, database, dashboard or page.
    pub(crate) fn create_view(&mut self, caller: &Caller, body: &Input<'_>) -> Result<Value, NotionError> {
        caller.may(Needs::Insert)?;
        body.only(&[
            "data_source_id",
            "name",
            "type",
            "database_id",
            "view_id",
            "create_database",
            "filter",
            "sorts",
            "quick_filters",
            "configuration",
            "position",
            "placement",
        ])?;
        let kind = body.needed("type")?.one_of(KINDS)?;
        let name = body.needed("name")?.short_text(crate::content::rich_text::TEXT_LIMIT)?;
        let source = body.needed("data_source_id")?.id()?;
        let place = self.view_place(caller, body)?;
        let source = self.find_to_change(caller, What::DataSource, &source)?;
        let mut view = View {
            name: name.to_owned(),
            kind: kind.to_owned(),
            data_source: (kind != "dashboard").then(|| source.id.clone()),
            filter: Value::Null,
            sorts: Value::Null,
            quick_filters: Value::Null,
            configuration: Value::Null,
            dashboard: None,
        };
        read_into(&mut view, source, body, true)?;
        let at = match (&place, body.some("position")) {
            (Place::Database(database), Some(position)) => self.tab(database, &position)?,
            (_, Some(position)) => return Err(position.wrong("not present without `database_id`")), // invented
            (_, None) => None,
        };
        let id = self.add_view(caller, place, view, at);
        Ok(self.made(caller, &id))
    }

    /// `GET /v1/views?database_id=…`, or `data_source_id`: ids only, in the order of the tabs.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` without either.
    pub(crate) fn list_views(&self, caller: &Caller, query: &Input<'_>) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        let views = match (query.some("database_id"), query.some("data_source_id")) {
            (Some(id), _) => {
                let node = self.find(caller, What::Database, &id.id()?)?;
                node.database().map(|database| database.views.clone()).unwrap_or_default()
            }
            (None, Some(id)) => {
                let source = self.find(caller, What::DataSource, &id.id()?)?;
                let database = source.parent.as_ref().and_then(|id| self.memory.content.get(id)?.database());
                let views = database.map(|database| database.views.as_slice()).unwrap_or_default().iter();
                let is_of_source = |id: &&String| {
                    let view = self.memory.content.get(id).and_then(|node| node.view());
                    view.is_some_and(|view| view.data_source.as_ref() == Some(&source.id))
                };
                views.filter(is_of_source).cloned().collect()
            }
            (None, None) => {
                return Err(query.needed("database_id").err().unwrap_or_else(|| query.wrong("a query")));
            }
        };
        let page = page(views, query)?;
        let references = page.ids.iter().map(|id| json!({ "object": "view", "id": id }));
        Ok(list("view", &references.collect::<Vec<_>>(), page.next_cursor.as_ref()))
    }

    /// `GET /v1/views/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`.
    pub(crate) fn get_view(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        Ok(self.object(self.find(caller, What::View, id)?))
    }

    /// `PATCH /v1/views/{id}`: name, filter, sorts, quick filters, configuration.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error`.
    pub(crate) fn update_view(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        body.only(&["name", "filter", "sorts", "quick_filters", "configuration"])?;
        let node = self.find_to_change(caller, What::View, id)?;
        let (id, Some(mut view)) = (node.id.clone(), node.view().cloned()) else { return Ok(Value::Null) };
        if let Some(name) = body.text_of("name")? {
            name.clone_into(&mut view.name);
        }
        if let Some(source) = view.data_source.as_ref().and_then(|id| self.memory.content.get(id)) {
            read_into(&mut view, source, body, false)?;
        }
        if let Some(stored) = self.memory.content.view_mut(&id) {
            *stored = view;
        }
        self.touch(caller, &id);
        Ok(self.made(caller, &id))
    }

    /// `DELETE /v1/views/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` for the last view of a database.
    pub(crate) fn delete_view(&mut self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        let node = self.find_to_change(caller, What::View, id)?;
        let (id, database) = (node.id.clone(), node.parent.clone().unwrap_or_default());
        let parent = node.parent.clone();
        let answer = json!({
            "object": "view", "id": id, "type": node.view().map(|view| view.kind.as_str()),
            "parent": { "type": "database_id", "database_id": parent },
        });
        if let Some(database) = self.memory.content.database_mut(&database) {
            if database.views == [id.clone()] {
                return Err(NotionError::validation("The last view of a database cannot be deleted.")); // invented
            }
            database.views.retain(|view| *view != id);
        }
        self.memory.content.remove(&id);
        Ok(answer)
    }

    fn view_place(&self, caller: &Caller, body: &Input<'_>) -> Result<Place, NotionError> {
        let given = ["database_id", "view_id", "create_database"]
            .into_iter()
            .filter_map(|name| body.some(name).map(|value| (name, value)));
        let given: Vec<_> = given.collect();
        let [(name, value)] = given.as_slice() else {
            // invented
            return Err(NotionError::validation(
                "body failed validation: exactly one of body.database_id, body.view_id and body.create_database should \
                 be defined.",
            ));
        };
        match *name {
            "database_id" => {
                Ok(Place::Database(self.find_to_change(caller, What::Database, &value.id()?)?.id.clone()))
            }
            "view_id" => {
                let node = self.find_to_change(caller, What::View, &value.id()?)?;
                if node.view().is_none_or(|view| view.kind != "dashboard") {
                    return Err(value.wrong("the id of a dashboard view")); // invented
                }
                Ok(Place::Dashboard {
                    view: node.id.clone(),
                    database: node.parent.clone().unwrap_or_default(),
                })
            }
            _ => {
                let page = value.needed("parent")?.needed("page_id")?.id()?;
                let page = self.find_to_change(caller, What::Page, &page)?;
                let after = match value.some("position") {
                    Some(position) => {
                        position.needed("type")?.one_of(&["after_block"])?;
                        let block = position.needed("block_id")?;
                        let id = block.id()?;
                        let at = page.children.iter().position(|child| *child == id);
                        Some(at.ok_or_else(|| block.wrong("a block of the page"))? + 1) // invented
                    }
                    None => None,
                };
                Ok(Place::NewDatabase { page: page.id.clone(), after })
            }
        }
    }

    /// Where among the tabs a view goes; `None` for the end.
    fn tab(&self, database: &str, position: &Input<'_>) -> Result<Option<usize>, NotionError> {
        let views = self.memory.content.get(database).and_then(|node| node.database());
        let views = views.map(|database| database.views.as_slice()).unwrap_or_default();
        match position.needed("type")?.one_of(&["start", "end", "after_view"])? {
            "start" => Ok(Some(0)),
            "end" => Ok(None),
            _ => {
                let view = position.needed("view_id")?;
                let id = view.id()?;
                let at = views.iter().position(|known| *known == id);
                at.map(|at| Some(at + 1)).ok_or_else(|| view.wrong("a view of the same database")) // invented
            }
        }
    }

    fn add_view(&mut self, caller: &Caller, place: Place, mut view: View, at: Option<usize>) -> String {
        let database = match place {
            Place::Database(database) => database,
            Place::Dashboard { view: dashboard, database } => {
                view.dashboard = Some(dashboard);
                database
            }
            Place::NewDatabase { page, after } => {
                let linked = Database {
                    title: json!([]),
                    description: json!([]),
                    is_inline: true,
                    ..Database::default()
                };
                let node = self.new_node(caller, Some(page), Kind::Database(linked));
                let id = node.id.clone();
                self.memory.content.add(node, after);
                id
            }
        };
        let is_widget = view.dashboard.is_some();
        let node = self.new_node(caller, Some(database.clone()), Kind::View(view));
        let id = node.id.clone();
        if let Some(database) = self.memory.content.database_mut(&database).filter(|_| !is_widget) {
            let at = at.unwrap_or(database.views.len()).min(database.views.len());
            database.views.insert(at, id.clone());
        }
        self.memory.content.add_apart(node);
        id
    }
}
