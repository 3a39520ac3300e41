//! What a workspace contains, for programs that check what an app made.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::content::node::{Kind, Node};
use crate::content::rich_text::plain;
use crate::notion::Notion;

/// Everything in a workspace at one moment, in no particular order but the same for the same ids. Templates of rows and
/// blocks are not in it; the text of a page is in its [`Item::markdown`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// Pages that are not rows.
    pub pages: Vec<Item>,
    /// Databases.
    pub databases: Vec<Item>,
    /// Data sources; their parent is a database.
    pub data_sources: Vec<Item>,
    /// Rows; their parent is a data source.
    pub rows: Vec<Item>,
    /// Views; their parent is a database.
    pub views: Vec<Item>,
}

/// A page, database, data source, row or view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// A UUID with dashes.
    pub id: String,
    /// Without style; the name of a view.
    pub title: String,
    /// The id of what it is in; `None` at the top of the workspace.
    pub parent: Option<String>,
    /// What it is.
    pub kind: ItemKind,
    /// The id of the bot or person who made it; empty for the pages of [`Options::workspaces`](crate::Options).
    pub created_by: String,
    /// When it was made, in Unix milliseconds. The API rounds it down to the minute.
    pub created_at_ms: u64,
    /// Whether it, or something above it, is in the trash.
    pub in_trash: bool,
    /// Whether a person took it away from all connections.
    pub is_unshared: bool,
    /// The people in whose *Private* section it is; empty below the top, and for what every member sees.
    pub private_to: Vec<String>,
    /// As in the API.
    pub url: String,
    /// The text of a page or row as the API would give it now; empty for the others.
    pub markdown: String,
    /// By name, as in the API: the values of a page or row, the schema of a data source; `{}` for a database; type,
    /// data source, filter, sorts and configuration of a view.
    pub properties: Value,
}

/// The kinds of [`Item`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A page that is not a row.
    Page,
    /// A database.
    Database,
    /// A data source.
    DataSource,
    /// A row of a data source.
    Row,
    /// A view of a database.
    View,
}

impl Content {
    /// Every item: pages, databases, data sources, rows, views.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        [&self.pages, &self.databases, &self.data_sources, &self.rows, &self.views].into_iter().flatten()
    }

    /// The item with an id, with or without dashes.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Item> {
        let id = crate::content::id::normal(id);
        self.items().find(|item| item.id == id)
    }

    /// The items with exactly this title that are not in the trash.
    #[must_use]
    pub fn titled(&self, title: &str) -> Vec<&Item> {
        self.items().filter(|item| item.title == title && !item.in_trash).collect()
    }

    /// What is directly in an item.
    #[must_use]
    pub fn inside(&self, id: &str) -> Vec<&Item> {
        self.items().filter(|item| item.parent.as_deref() == Some(id)).collect()
    }

    /// What was made by a bot or person.
    #[must_use]
    pub fn made_by(&self, user_id: &str) -> Vec<&Item> {
        self.items().filter(|item| item.created_by == user_id).collect()
    }
}

impl Notion {
    pub(crate) fn content(&self, workspace_id: &str) -> Content {
        let mut content = Content::default();
        for node in self.memory.content.all().filter(|node| node.workspace_id == workspace_id) {
            let parent = node.parent.as_ref().and_then(|id| self.memory.content.get(id));
            let source = parent.and_then(Node::data_source);
            let kind = match &node.kind {
                Kind::Block(_) => continue,
                Kind::Page(_) if source.is_some_and(|source| source.templates.contains(&node.id)) => continue,
                Kind::Page(_) if source.is_some() => ItemKind::Row,
                Kind::Page(_) => ItemKind::Page,
                Kind::Database(_) => ItemKind::Database,
                Kind::DataSource(_) => ItemKind::DataSource,
                Kind::View(_) => ItemKind::View,
            };
            let list = match kind {
                ItemKind::Page => &mut content.pages,
                ItemKind::Database => &mut content.databases,
                ItemKind::DataSource => &mut content.data_sources,
                ItemKind::Row => &mut content.rows,
                ItemKind::View => &mut content.views,
            };
            list.push(self.item(node, kind));
        }
        content
    }

    fn item(&self, node: &Node, kind: ItemKind) -> Item {
        let properties = match &node.kind {
            Kind::Page(page) => self.properties(node, page),
            Kind::DataSource(source) => crate::content::schema::answer(source),
            Kind::View(view) => json!({
                "type": view.kind,
                "data_source_id": view.data_source,
                "filter": view.filter,
                "sorts": view.sorts,
                "configuration": view.configuration,
            }),
            _ => Value::Object(Map::new()),
        };
        let title = match node.view() {
            Some(view) => view.name.clone(),
            None => node.title().map(plain).unwrap_or_default(),
        };
        Item {
            id: node.id.clone(),
            title,
            parent: node.parent.clone(),
            kind,
            created_by: node.created_by.clone(),
            created_at_ms: node.created_at_ms,
            in_trash: self.memory.content.is_in_trash(&node.id),
            is_unshared: node.is_unshared,
            private_to: node.people.clone(),
            url: self.url(node),
            markdown: if node.page().is_some() { self.markdown(node) } else { String::new() },
            properties,
        }
    }
}
