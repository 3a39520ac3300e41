//! What a recipe makes, step by step: the compiled form.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::Text;
use crate::values::Values;

/// One step: it makes or finds one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Names the resource, in this recipe and in the ledger of every installation. It never changes.
    pub resource_id: String,
    /// What to make or find.
    pub make: Make,
}

/// What to make or find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Make {
    /// Make a page.
    Page {
        /// Where.
        parent: Parent,
        /// Its title.
        title: Text,
        /// Its icon.
        icon: Option<Icon>,
        /// The address of its cover.
        cover: Option<String>,
        /// Its content, as Markdown.
        content: Option<Text>,
    },
    /// Make a database.
    Database {
        /// Where.
        parent: Parent,
        /// Its title.
        title: Text,
        /// Its description.
        description: Option<Text>,
        /// Its icon.
        icon: Option<Icon>,
        /// The address of its cover.
        cover: Option<String>,
        /// Whether it is shown in its page.
        inline: bool,
        /// Its properties.
        properties: Vec<Property>,
    },
    /// Make a row of a database.
    Row {
        /// The database.
        database: String,
        /// Its values, by property.
        properties: Vec<(String, PropertyValue)>,
        /// Its icon.
        icon: Option<Icon>,
        /// Its content, as Markdown, or a template of the database.
        content: Option<Text>,
        /// Which of the database's templates it is made from.
        template: Option<TemplateRow>,
    },
    /// Make a view of a database.
    View(View),
    /// Find a page in the template that the person had duplicated.
    TemplatePage {
        /// Its title.
        title: String,
    },
    /// Find a database in the template that the person had duplicated.
    TemplateDatabase {
        /// Its title.
        title: String,
    },
}

/// Where a page or a database is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// At the top of the workspace: in the person's private section.
    Workspace,
    /// In a page that an earlier step made or found.
    Resource(String),
}

/// An icon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Icon {
    /// An emoji.
    Emoji(String),
    /// The address of a picture.
    Url(String),
}

/// A property of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its type, as Notion names it.
    pub r#type: String,
    /// Its description.
    pub description: Option<String>,
    /// The rest of its configuration, as Notion takes it.
    pub configuration: Map<String, Value>,
    /// Of a relation: the database that it leads to.
    pub database: Option<String>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyValue {
    /// The title.
    Title(Text),
    /// A text.
    RichText(Text),
    /// A number.
    Number(f64),
    /// An option.
    Select(String),
    /// Several options.
    MultiSelect(Vec<String>),
    /// A status.
    Status(String),
    /// A day, or several.
    Date(DateValue, Option<DateValue>),
    /// Ticked or not.
    Checkbox(bool),
    /// An address.
    Url(Text),
    /// An e-mail address.
    Email(Text),
    /// A telephone number.
    PhoneNumber(String),
    /// Rows that earlier steps made.
    Relation(Vec<String>),
    /// The person who installed.
    Person,
}

/// A day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateValue {
    /// `YYYY-MM-DD`
    Day(String),
    /// So many days after the day on which the row is made.
    Today(i64),
}

/// A template of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateRow {
    /// The default one.
    Default,
    /// The one of this name.
    Named(String),
}

/// A view of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The database.
    pub database: String,
    /// Its name.
    pub name: String,
    /// Its type, as Notion names it.
    pub kind: String,
    /// Of a board: what its columns are.
    pub group_by: Option<GroupBy>,
    /// Of a calendar or a timeline: the property with the day.
    pub date: Option<String>,
    /// Which rows it shows, as Notion takes it.
    pub filter: Option<Value>,
    /// In which order, as Notion takes it.
    pub sorts: Option<Value>,
}

/// What the columns of a board are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBy {
    /// The property.
    pub property: String,
    /// Its type.
    pub r#type: String,
}

/// Whether a resource is there that a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It was, and has an address.
    Gone,
    /// It never was.
    Absent,
}

/// The kind of a resource at Notion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page, also if it is a row.
    Page,
    /// A database.
    Database,
    /// A view.
    View,
}

impl Kind {
    /// Its name at Notion.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Database => "database",
            Self::View => "view",
        }
    }
}

impl Make {
    /// What it makes or finds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Page { .. } | Self::Row { .. } | Self::TemplatePage { .. } => Kind::Page,
            Self::Database { .. } | Self::TemplateDatabase { .. } => Kind::Database,
            Self::View(_) => Kind::View,
        }
    }

    /// The title by which a resource of the template is found.
    #[must_use]
    pub fn in_template(&self) -> Option<&str> {
        match self {
            Self::TemplatePage { title } | Self::TemplateDatabase { title } => Some(title),
            _ => None,
        }
    }
}

impl Step {
    /// The texts with placeholders.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        let mut texts: Vec<&Text> = Vec::new();
        match &self.make {
            Make::Page { title, content, .. } => {
                texts.push(title);
                texts.extend(content);
            }
            Make::Database { title, description, .. } => {
                texts.push(title);
                texts.extend(description);
            }
            Make::Row { properties, content, .. } => {
                texts.extend(content);
                texts.extend(properties.iter().filter_map(|(_, value)| match value {
                    PropertyValue::Title(text)
                    | PropertyValue::RichText(text)
                    | PropertyValue::Url(text)
                    | PropertyValue::Email(text) => Some(text),
                    _ => None,
                }));
            }
            Make::View(_) | Make::TemplatePage { .. } | Make::TemplateDatabase { .. } => {}
        }
        texts.into_iter()
    }

    /// The resources that it cannot be made without.
    #[must_use]
    pub fn needs(&self) -> Vec<&str> {
        let mut needs: Vec<&str> = self.container().into_iter().collect();
        needs.extend(self.texts().flat_map(Text::resources));
        match &self.make {
            Make::Database { properties, .. } => {
                needs.extend(properties.iter().filter_map(|property| property.database.as_deref()));
            }
            Make::Row { properties, .. } => {
                needs.extend(properties.iter().flat_map(|(_, value)| match value {
                    PropertyValue::Relation(rows) => rows.iter().map(String::as_str).collect(),
                    _ => Vec::new(),
                }));
            }
            _ => {}
        }
        needs
    }

    /// The resources that must be there, and not only have been there: what it is made in, and what it is related to.
    fn holders(&self) -> Vec<&str> {
        let of_texts: Vec<&str> = self.texts().flat_map(Text::resources).collect();
        let container = self.container();
        self.needs().into_iter().filter(|need| Some(*need) == container || !of_texts.contains(need)).collect()
    }

    /// The first resource that it needs and that is not there. `presence_of` says which are.
    #[must_use]
    pub fn missing(&self, presence_of: impl Fn(&str) -> Presence) -> Option<&str> {
        let holders = self.holders();
        self.needs().into_iter().find(|need| match presence_of(need) {
            Presence::There => false,
            // Its address is still right, but nothing can be made in it.
            Presence::Gone => holders.contains(need),
            Presence::Absent => true,
        })
    }

    /// The title that it gets, or the name of a view. `None` if it is found, not made.
    #[must_use]
    pub fn title(&self, values: &Values) -> Option<String> {
        match &self.make {
            Make::Page { title, .. } | Make::Database { title, .. } => Some(title.fill(values)),
            Make::Row { properties, .. } => properties.iter().find_map(|(_, value)| match value {
                PropertyValue::Title(text) => Some(text.fill(values)),
                _ => None,
            }),
            Make::View(view) => Some(view.name.clone()),
            Make::TemplatePage { .. } | Make::TemplateDatabase { .. } => None,
        }
    }

    /// The resource in which it is made; none if that is the workspace.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match &self.make {
            Make::Page { parent: Parent::Resource(parent), .. }
            | Make::Database { parent: Parent::Resource(parent), .. } => Some(parent),
            Make::Row { database, .. } => Some(database),
            Make::View(view) => Some(&view.database),
            _ => None,
        }
    }
}
