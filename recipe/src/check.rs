//! From the files of a recipe to a recipe that Notion takes, or to everything that is wrong with it.

mod content;
mod databases;
mod rows;
#[cfg(test)]
mod tests;
mod views;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use toml::Spanned;

use crate::file::{RecipeFile, Resource};
use crate::limits::{REQUEST_BYTES, TEXT_CHARS, length};
use crate::problem::{Problem, Problems, line_of};
use crate::recipe::Recipe;
use crate::step::{Icon, Kind, Make, Parent, Property, Step};
use crate::text::{Text, TextError};

/// The file that lists the steps.
const FILE: &str = "recipe.toml";
/// Names that placeholders have.
const RESERVED: [&str; 3] = ["person", "workspace", "app"];
const MOST_STEPS: usize = 100;
const RESOURCE_ID_CHARS: usize = 64;

/// What is known of the steps before.
#[derive(Debug, Default)]
struct Known {
    kinds: HashMap<String, Kind>,
    /// Of the databases; none if a template has more properties than the recipe names.
    properties: HashMap<String, Vec<Property>>,
    /// Of the rows.
    rows: HashMap<String, String>,
}

/// A recipe that is being read.
struct Reading<'a> {
    folder: &'a Path,
    file: PathBuf,
    source: &'a str,
    problems: Vec<Problem>,
    known: Known,
}

impl Recipe {
    /// Reads the recipe in a folder, and checks it against Notion's documented limits.
    ///
    /// # Errors
    ///
    /// [`Problems`]: all of them, with file and line.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        let file = folder.join(FILE);
        let unreadable = |message: String| Problems(vec![Problem { file: file.clone(), line: 1, message }]);
        let source =
            std::fs::read_to_string(&file).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let name =
            folder.canonicalize().ok().and_then(|folder| Some(folder.file_name()?.to_str()?.to_owned()));
        let name = name.ok_or_else(|| unreadable("its folder has no readable name".to_owned()))?;
        let parsed: RecipeFile = toml::from_str(&source).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&source, span.start));
            Problems(vec![Problem { file: file.clone(), line, message: error.message().to_owned() }])
        })?;
        let mut reading = Reading {
            folder,
            file: file.clone(),
            source: &source,
            problems: Vec::new(),
            known: Known::default(),
        };
        let steps = reading.steps(&parsed);
        let landing = reading.landing(parsed.landing.as_ref(), &steps);
        if !reading.problems.is_empty() {
            return Err(Problems(reading.problems));
        }
        let mut recipe = Self { name, version: String::new(), landing, steps };
        recipe.version = version_of(&recipe);
        Ok(recipe)
    }
}

/// The same for the same recipe, however its files are formatted.
fn version_of(recipe: &Recipe) -> String {
    let json = serde_json::to_vec(recipe).unwrap_or_default();
    Sha256::digest(&json)[..8].iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

impl Reading<'_> {
    fn wrong(&mut self, at: Range<usize>, message: impl Into<String>) {
        let line = line_of(self.source, at.start);
        self.problems.push(Problem { file: self.file.clone(), line, message: message.into() });
    }

    fn steps(&mut self, file: &RecipeFile) -> Vec<Step> {
        if file.resource.is_empty() {
            self.wrong(0..0, "a recipe has at least one `[[resource]]`");
        }
        if file.resource.len() > MOST_STEPS {
            self.wrong(0..0, format!("a recipe has at most {MOST_STEPS} resources"));
        }
        let mut steps = Vec::new();
        for resource in &file.resource {
            let at = resource.span();
            let resource = resource.get_ref();
            let id = resource.resource_id.get_ref();
            self.check_resource_id(&resource.resource_id);
            let problems = self.problems.len();
            if let Some(make) = self.make(resource, &at) {
                self.known.kinds.insert(id.clone(), make.kind());
                let step = Step { resource_id: id.clone(), make };
                if self.problems.len() == problems {
                    self.check_size(&step, &at);
                }
                steps.push(step);
            }
        }
        steps
    }

    fn check_resource_id(&mut self, id: &Spanned<String>) {
        let text = id.get_ref();
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > RESOURCE_ID_CHARS || !text.bytes().all(is_plain) {
            self.wrong(
                id.span(),
                format!("a resource_id has 1 to {RESOURCE_ID_CHARS} characters: lower-case letters, digits, `-`, `_`"),
            );
        } else if RESERVED.contains(&text.as_str()) {
            self.wrong(
                id.span(),
                format!("`{text}` is the name of a placeholder: choose another resource_id"),
            );
        } else if self.known.kinds.contains_key(text) {
            self.wrong(id.span(), format!("`{text}` is an earlier resource's resource_id: each has its own"));
        }
    }

    fn make(&mut self, resource: &Resource, at: &Range<usize>) -> Option<Make> {
        let kind = resource.r#type.get_ref().as_str();
        let allowed: &[&str] = match kind {
            "page" => &["parent", "title", "icon", "cover", "content"],
            "database" => &["parent", "title", "description", "icon", "cover", "inline", "properties"],
            "row" => &["database", "properties", "icon", "content", "template"],
            "view" => &["database", "name", "view", "group_by", "date", "filter", "sorts"],
            "template_page" => &["title"],
            "template_database" => &["title", "properties"],
            other => {
                let known = "page, database, view, row, template_page, template_database";
                self.wrong(resource.r#type.span(), format!("there is no type `{other}`: there are {known}"));
                return None;
            }
        };
        for (field, span) in fields(resource) {
            if !allowed.contains(&field) {
                self.wrong(span, format!("a {kind} has no `{field}`; it has: {}", allowed.join(", ")));
            }
        }
        match kind {
            "page" => self.page(resource, at),
            "database" => self.database(resource, at),
            "row" => self.row(resource, at),
            "view" => self.view(resource, at),
            "template_page" => {
                let title = self.template_title(resource, at)?;
                Some(Make::TemplatePage { title })
            }
            _ => {
                let title = self.template_title(resource, at)?;
                let properties = self.schema(resource, true).unwrap_or_default();
                self.known.properties.insert(resource.resource_id.get_ref().clone(), properties);
                Some(Make::TemplateDatabase { title })
            }
        }
    }

    fn page(&mut self, resource: &Resource, at: &Range<usize>) -> Option<Make> {
        let title = self.title(resource.title.as_ref(), at);
        let parent = self.parent(resource.parent.as_ref());
        let icon = self.icon(resource.icon.as_ref());
        let cover = self.picture(resource.cover.as_ref());
        let content = self.content(resource.content.as_ref());
        Some(Make::Page { parent: parent?, title: title?, icon, cover, content })
    }

    fn template_title(&mut self, resource: &Resource, at: &Range<usize>) -> Option<String> {
        match &resource.title {
            Some(title) if !title.get_ref().is_empty() => Some(title.get_ref().clone()),
            Some(title) => {
                self.wrong(
                    title.span(),
                    "the title is empty: it is the one that the page has in the template",
                );
                None
            }
            None => {
                self.wrong(at.clone(), "`title` is missing: the one that it has in the template");
                None
            }
        }
    }

    fn landing(&mut self, landing: Option<&Spanned<String>>, steps: &[Step]) -> Option<String> {
        let kind = |id: &str| steps.iter().find(|step| step.resource_id == id).map(|step| step.make.kind());
        match landing {
            Some(id) if matches!(kind(id.get_ref()), Some(Kind::Page | Kind::Database)) => {
                Some(id.get_ref().clone())
            }
            Some(id) => {
                self.wrong(
                    id.span(),
                    format!("`{}` is no page and no database of this recipe", id.get_ref()),
                );
                None
            }
            None => {
                steps.iter().find(|step| step.make.kind() == Kind::Page).map(|step| step.resource_id.clone())
            }
        }
    }

    fn title(&mut self, title: Option<&Spanned<String>>, at: &Range<usize>) -> Option<Text> {
        let Some(title) = title else {
            self.wrong(at.clone(), "`title` is missing");
            return None;
        };
        let text = self.text(title)?;
        if text.0.is_empty() {
            self.wrong(title.span(), "the title is empty");
            return None;
        }
        Some(text)
    }

    /// A plain text of limited length, whose resources are known.
    fn text(&mut self, source: &Spanned<String>) -> Option<Text> {
        self.checked(Text::plain(source.get_ref()), &source.span())
    }

    fn checked(&mut self, text: Result<Text, TextError>, at: &Range<usize>) -> Option<Text> {
        match text {
            Ok(text) => {
                let most = text.most_chars();
                if most > TEXT_CHARS {
                    let message = format!(
                        "Notion takes {TEXT_CHARS} characters here, and this has up to {most} (200 for each placeholder)"
                    );
                    self.wrong(at.clone(), message);
                }
                for resource in text.resources() {
                    self.known_resource(resource, at);
                }
                Some(text)
            }
            Err((_, message)) => {
                self.wrong(at.clone(), message);
                None
            }
        }
    }

    fn known_resource(&mut self, resource: &str, at: &Range<usize>) -> Option<Kind> {
        let kind = self.known.kinds.get(resource).copied();
        if kind.is_none() {
            self.wrong(
                at.clone(),
                format!("there is no `{resource}` before this step: steps use what earlier ones made"),
            );
        }
        kind
    }

    /// A database that an earlier step makes or finds.
    fn database_of(&mut self, database: Option<&Spanned<String>>, at: &Range<usize>) -> Option<String> {
        let Some(database) = database else {
            self.wrong(at.clone(), "`database` is missing: the resource_id of an earlier database");
            return None;
        };
        if self.known_resource(database.get_ref(), &database.span())? != Kind::Database {
            self.wrong(database.span(), format!("`{}` is no database", database.get_ref()));
            return None;
        }
        Some(database.get_ref().clone())
    }

    fn parent(&mut self, parent: Option<&Spanned<String>>) -> Option<Parent> {
        let Some(parent) = parent else { return Some(Parent::Workspace) };
        if self.known_resource(parent.get_ref(), &parent.span())? != Kind::Page {
            self.wrong(
                parent.span(),
                format!("`{}` is no page: the rows of a database are `row`s", parent.get_ref()),
            );
            return None;
        }
        Some(Parent::Resource(parent.get_ref().clone()))
    }

    fn icon(&mut self, icon: Option<&Spanned<String>>) -> Option<Icon> {
        let icon = icon?;
        let text = icon.get_ref();
        if text.starts_with("https://") {
            return self.picture(Some(icon)).map(Icon::Url);
        }
        if text.is_empty()
            || text.chars().count() > 10
            || text.chars().any(|c| c.is_ascii_alphabetic() || c.is_whitespace())
        {
            self.wrong(icon.span(), "an icon is one emoji, or the address (https) of a picture");
            return None;
        }
        Some(Icon::Emoji(text.clone()))
    }

    fn picture(&mut self, url: Option<&Spanned<String>>) -> Option<String> {
        let url = url?;
        let text = url.get_ref();
        let is_address = url::Url::parse(text).is_ok_and(|parsed| parsed.scheme() == "https");
        if !is_address || length(text) > TEXT_CHARS {
            self.wrong(
                url.span(),
                format!(
                    "the address of a picture begins with https:// and has at most {TEXT_CHARS} characters"
                ),
            );
            return None;
        }
        Some(text.clone())
    }

    /// A request with the longest values must be one that Notion takes.
    fn check_size(&mut self, step: &Step, at: &Range<usize>) {
        let bytes = serde_json::to_vec(&step.make).map_or(0, |json| json.len());
        let values = step.texts().map(Text::most_bytes).sum::<usize>();
        let most = bytes + values;
        if most > REQUEST_BYTES {
            self.wrong(
                at.clone(),
                format!("the request has up to {most} bytes, and Notion takes {REQUEST_BYTES}"),
            );
        }
    }
}

/// The fields that a resource has, with their places.
fn fields(resource: &Resource) -> Vec<(&'static str, Range<usize>)> {
    let Resource {
        resource_id: _,
        r#type: _,
        parent,
        title,
        description,
        icon,
        cover,
        content,
        inline,
        properties,
        database,
        template,
        name,
        view,
        group_by,
        date,
        filter,
        sorts,
    } = resource;
    let texts = [
        ("parent", parent),
        ("title", title),
        ("description", description),
        ("icon", icon),
        ("cover", cover),
        ("content", content),
        ("database", database),
        ("template", template),
        ("name", name),
        ("view", view),
        ("group_by", group_by),
        ("date", date),
    ];
    let mut fields: Vec<_> =
        texts.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.span()))).collect();
    fields.extend(inline.as_ref().map(|value| ("inline", value.span())));
    fields.extend(properties.as_ref().map(|value| ("properties", value.span())));
    fields.extend(filter.as_ref().map(|value| ("filter", value.span())));
    fields.extend(sorts.as_ref().map(|value| ("sorts", value.span())));
    fields
}
