//! The objects of answers, with the fields that the official SDK expects (SDK).

use serde_json::{Value, json};

use crate::content::id::{slug, without_dashes};
use crate::content::node::{Block, DataSource, Database, Kind, Node, Page, View};
use crate::content::rich_text::plain;
use crate::content::schema;
use crate::content::time::to_the_minute;
use crate::content::values;
use crate::notion::Notion;
use crate::settings::Urls;

impl Notion {
    /// The object of a node.
    pub(crate) fn object(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::Page(page) => self.page_object(node, page),
            Kind::Database(database) => self.database_object(node, database),
            Kind::DataSource(source) => self.data_source_object(node, source),
            Kind::View(view) => self.view_object(node, view),
            Kind::Block(_) => self.block_object(node),
        }
    }

    /// The object that a connection without the capability to read gets of what it made.
    pub(crate) fn partial_object(node: &Node) -> Value {
        json!({ "object": object_name(&node.kind), "id": node.id })
    }

    fn page_object(&self, node: &Node, page: &Page) -> Value {
        let mut object = self.common(node);
        let more = json!({
            "is_archived": false,
            "is_locked": page.is_locked,
            "url": self.url(node),
            "public_url": null,
            "properties": self.properties(node, page),
            "icon": page.icon,
            "cover": page.cover,
        });
        extend(&mut object, more);
        object
    }

    /// The values of a page by the names of its properties.
    pub(crate) fn properties(&self, node: &Node, page: &Page) -> Value {
        let source = node.parent.as_ref().and_then(|id| self.memory.content.get(id)?.data_source());
        let only_title = [schema::title("title")];
        let schema = source.map_or(only_title.as_slice(), |source| &source.schema);
        let properties = schema.iter().map(|property| {
            let value = values::answer(property, node, page.values.get(&property.id));
            (property.name.clone(), value)
        });
        Value::Object(properties.collect())
    }

    fn database_object(&self, node: &Node, database: &Database) -> Value {
        let mut object = self.common(node);
        if let Value::Object(fields) = &mut object {
            // The SDK's type of a database, unlike that of a data source, does not say who made it.
            fields.remove("created_by");
            fields.remove("last_edited_by");
        }
        let sources = node.children.iter().filter_map(|id| {
            let source = self.memory.content.get(id).filter(|source| !source.in_trash)?;
            Some(json!({ "id": id, "name": plain(source.title()?) }))
        });
        let more = json!({
            "title": database.title,
            "description": database.description,
            "is_inline": database.is_inline,
            "is_locked": database.is_locked,
            "data_sources": sources.collect::<Vec<_>>(),
            "icon": database.icon,
            "cover": database.cover,
            "url": self.url(node),
            "public_url": null,
        });
        extend(&mut object, more);
        object
    }

    fn data_source_object(&self, node: &Node, source: &DataSource) -> Value {
        let mut object = self.common(node);
        let database = node.parent.as_ref().and_then(|id| self.memory.content.get(id));
        let more = json!({
            "title": source.title,
            "description": source.description,
            "database_parent": database.map(|database| self.parent(database)),
            "is_inline": database.and_then(Node::database).is_some_and(|database| database.is_inline),
            "properties": schema::answer(source),
            "icon": source.icon,
            "cover": null,
            "url": database.map(|database| self.url(database)),
            "public_url": null,
        });
        extend(&mut object, more);
        object
    }

    fn view_object(&self, node: &Node, view: &View) -> Value {
        let mut object = json!({
            "object": "view",
            "id": node.id,
            "parent": self.parent(node),
            "name": view.name,
            "type": view.kind,
            "created_time": to_the_minute(node.created_at_ms),
            "last_edited_time": to_the_minute(node.edited_at_ms),
            "created_by": { "object": "user", "id": node.created_by },
            "last_edited_by": { "object": "user", "id": node.edited_by },
            "url": self.url(node),
            "data_source_id": view.data_source,
            "filter": view.filter,
            "sorts": view.sorts,
            "quick_filters": view.quick_filters,
            "configuration": view.configuration,
        });
        if let Some(dashboard) = &view.dashboard {
            object["dashboard_view_id"] = dashboard.as_str().into();
        }
        object
    }

    /// A page, database or block as a block.
    pub(crate) fn block_object(&self, node: &Node) -> Value {
        let mut object = self.common(node);
        object["object"] = "block".into();
        let (kind, content) = match &node.kind {
            Kind::Block(Block { kind, content }) => (kind.as_str(), content.clone()),
            Kind::Database(database) => ("child_database", json!({ "title": plain(&database.title) })),
            _ => ("child_page", json!({ "title": node.title().map(plain).unwrap_or_default() })),
        };
        object["type"] = kind.into();
        object[kind] = content;
        object["has_children"] = self.has_children(node).into();
        object
    }

    fn has_children(&self, node: &Node) -> bool {
        // The content of a database is in its data sources.
        node.database().is_none() && !self.children_shown(node).is_empty()
    }

    /// What is directly below a page or block: not in the trash, and not still to appear.
    pub(crate) fn children_shown<'a>(&'a self, node: &'a Node) -> Vec<&'a Node> {
        let now_ms = self.now_ms();
        let children = node.children.iter().filter_map(|id| self.memory.content.get(id));
        children.filter(|child| !child.in_trash && child.appears_at_ms <= now_ms).collect()
    }

    fn common(&self, node: &Node) -> Value {
        json!({
            "object": object_name(&node.kind),
            "id": node.id,
            "parent": self.parent(node),
            "created_time": to_the_minute(node.created_at_ms),
            "last_edited_time": to_the_minute(node.edited_at_ms),
            "created_by": { "object": "user", "id": node.created_by },
            "last_edited_by": { "object": "user", "id": node.edited_by },
            "in_trash": self.memory.content.is_in_trash(&node.id),
        })
    }

    fn parent(&self, node: &Node) -> Value {
        let parent = node.parent.as_ref().and_then(|id| self.memory.content.get(id));
        let Some(parent) = parent else {
            return json!({ "type": "workspace", "workspace": true });
        };
        match &parent.kind {
            Kind::Page(_) => json!({ "type": "page_id", "page_id": parent.id }),
            Kind::Database(_) => json!({ "type": "database_id", "database_id": parent.id }),
            Kind::DataSource(_) => json!({
                "type": "data_source_id", "data_source_id": parent.id, "database_id": parent.parent,
            }),
            Kind::Block(_) | Kind::View(_) => json!({ "type": "block_id", "block_id": parent.id }),
        }
    }

    /// Where a person finds a page, database or view: at Notion, or in the simulator's own workspace view.
    pub(crate) fn url(&self, node: &Node) -> String {
        let database = node.view().and_then(|_| self.memory.content.get(node.parent.as_ref()?));
        let page = database.unwrap_or(node);
        let shown = &page.id;
        let address = match self.settings.urls {
            Urls::Local => format!("{}/workspace/{}/{shown}", self.base_url, node.workspace_id),
            Urls::Notion => {
                let words = slug(&page.title().map(plain).unwrap_or_default());
                let dash = if words.is_empty() { "" } else { "-" };
                format!("https://www.notion.so/{words}{dash}{}", without_dashes(shown))
            }
        };
        match (node.view(), self.settings.urls) {
            (Some(_), Urls::Local) => format!("{address}?view={}", node.id),
            (Some(_), Urls::Notion) => format!("{address}?v={}", without_dashes(&node.id)),
            (None, _) => address,
        }
    }
}

fn object_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Page(_) => "page",
        Kind::Database(_) => "database",
        Kind::DataSource(_) => "data_source",
        Kind::View(_) => "view",
        Kind::Block(_) => "block",
    }
}

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
