//! What a workspace contains, as one tree: pages, databases, data sources, views and blocks share one space of ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Anything with an id. What it is, is in `kind`; what is below it, in `children`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    /// `None` at the top of the workspace.
    pub(crate) parent: Option<String>,
    /// In order: the blocks, pages and databases of a page or block; the data sources of a database; the rows of a
    /// data source.
    pub(crate) children: Vec<String>,
    pub(crate) kind: Kind,
    pub(crate) created_at_ms: u64,
    /// The id of a bot or a person.
    pub(crate) created_by: String,
    pub(crate) edited_at_ms: u64,
    pub(crate) edited_by: String,
    /// Before this time the API does not show it: copied templates lag.
    pub(crate) appears_at_ms: u64,
    /// Whether it was itself moved to the trash. What is below something in the trash is there too.
    pub(crate) in_trash: bool,
    /// Whether a person took it away from all connections. What is below it goes with it.
    pub(crate) is_unshared: bool,
    /// At the top of a workspace: the people in whose *Private* section it is; empty means every member.
    pub(crate) people: Vec<String>,
}

/// The kinds of [`Node`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Page(Page),
    Database(Database),
    DataSource(DataSource),
    View(View),
    Block(Block),
}

/// A page, or a row of a data source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    /// By property id, in the form that [`crate::content::values`] stores. Outside a data source only `title`.
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) icon: Value,
    pub(crate) cover: Value,
    pub(crate) is_locked: bool,
}

/// A database: a container of data sources, with the views on them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Database {
    /// Rich text, as all titles and descriptions.
    pub(crate) title: Value,
    pub(crate) description: Value,
    pub(crate) icon: Value,
    pub(crate) cover: Value,
    pub(crate) is_inline: bool,
    pub(crate) is_locked: bool,
    /// In the order of the tabs.
    pub(crate) views: Vec<String>,
}

/// A data source: a schema and its rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataSource {
    pub(crate) title: Value,
    pub(crate) description: Value,
    pub(crate) icon: Value,
    pub(crate) schema: Vec<Property>,
    /// Pages that are not rows: what a new row may begin with.
    pub(crate) templates: Vec<String>,
    pub(crate) default_template: Option<String>,
    /// The last number of its `unique_id` property.
    pub(crate) last_number: u64,
}

/// A property of a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Property {
    /// Stays the same when the property is renamed; `title` for the title.
    pub(crate) id: String,
    pub(crate) name: String,
    /// `select`, `date` and so on.
    pub(crate) kind: String,
    pub(crate) description: Option<String>,
    /// What an answer has under the name of the kind.
    pub(crate) config: Value,
}

/// A view of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// `None` for a dashboard.
    pub(crate) data_source: Option<String>,
    pub(crate) filter: Value,
    pub(crate) sorts: Value,
    pub(crate) quick_filters: Value,
    pub(crate) configuration: Value,
    /// The dashboard of which it is a widget.
    pub(crate) dashboard: Option<String>,
}

/// A block that is not a page or a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// `paragraph`, `to_do` and so on.
    pub(crate) kind: String,
    /// What an answer has under the name of the kind.
    pub(crate) content: Value,
}

impl Node {
    pub(crate) fn page(&self) -> Option<&Page> {
        if let Kind::Page(page) = &self.kind { Some(page) } else { None }
    }

    pub(crate) fn database(&self) -> Option<&Database> {
        if let Kind::Database(database) = &self.kind { Some(database) } else { None }
    }

    pub(crate) fn data_source(&self) -> Option<&DataSource> {
        if let Kind::DataSource(source) = &self.kind { Some(source) } else { None }
    }

    pub(crate) fn view(&self) -> Option<&View> {
        if let Kind::View(view) = &self.kind { Some(view) } else { None }
    }

    pub(crate) fn block(&self) -> Option<&Block> {
        if let Kind::Block(block) = &self.kind { Some(block) } else { None }
    }

    /// Rich text; empty for blocks and views.
    pub(crate) fn title(&self) -> Option<&Value> {
        match &self.kind {
            Kind::Page(page) => page.values.get("title"),
            Kind::Database(database) => Some(&database.title),
            Kind::DataSource(source) => Some(&source.title),
            Kind::View(_) | Kind::Block(_) => None,
        }
    }
}

impl DataSource {
    /// A property by name or id.
    pub(crate) fn property(&self, name_or_id: &str) -> Option<&Property> {
        let by_name = self.schema.iter().find(|property| property.name == name_or_id);
        by_name.or_else(|| self.schema.iter().find(|property| property.id == name_or_id))
    }
}

impl Property {
    /// The options of a `select`, `multi_select` or `status`.
    pub(crate) fn options(&self) -> &[Value] {
        self.config["options"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}
