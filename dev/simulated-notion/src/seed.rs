//! The seed file: what a simulator starts with, as TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use crate::connection::{Connection, InstallationScope};
use crate::content::id::{is_uuid, normal};
use crate::content::template::{Template, TemplateDatabase};
use crate::content::time::from_rfc3339;
use crate::random::Random;
use crate::settings::Settings;
use crate::simulator::Options;
use crate::traffic::Injection;
use crate::workspace::{Page, Person, Workspace};

/// Why a seed file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct SeedError {
    /// Counted from 1; `None` if the file cannot be read.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl Options {
    /// What a seed file says; everything it leaves out is as in [`Options::default`].
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read; also for the reasons of [`Self::from_seed`].
    pub fn from_seed_file(path: &Path) -> Result<Self, SeedError> {
        let read = std::fs::read_to_string(path);
        Self::from_seed(&read.map_err(|error| SeedError { line: None, problem: error.to_string() })?)
    }

    /// The same for the text of a seed file.
    ///
    /// # Errors
    ///
    /// Fails if the text is not TOML, has a field that is not known or a value of the wrong type, names somebody or
    /// something twice or that is not there, or has a fault for no request. Whether the content of templates and pages is
    /// what Notion accepts is checked by [`Simulator::start`](crate::Simulator::start).
    pub fn from_seed(text: &str) -> Result<Self, SeedError> {
        let line_at = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| SeedError {
            // Without the line itself: it may be that of a secret.
            line: error.span().map(|span| line_at(span.start)),
            problem: error.message().to_owned(),
        })?;
        file.options()
            .map_err(|Complaint { at, problem }| SeedError { line: Some(line_at(at.start)), problem })
    }
}

/// What is wrong with the part of the file at these bytes.
struct Complaint {
    at: Range<usize>,
    problem: String,
}

fn complain<T>(at: &Spanned<T>, problem: impl Into<String>) -> Complaint {
    Complaint { at: at.span(), problem: problem.into() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    random_seed: Option<u64>,
    clock_stopped_at: Option<Spanned<Datetime>>,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    connections: Vec<Spanned<Connection>>,
    #[serde(default)]
    people: Vec<Spanned<SeededPerson>>,
    workspaces: Option<Vec<Spanned<SeededWorkspace>>>,
    #[serde(default)]
    templates: Vec<Spanned<Template>>,
    #[serde(default)]
    faults: Vec<Spanned<Injection>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededPerson {
    /// Derived from the e-mail address if left out.
    id: Option<String>,
    name: Option<String>,
    email: String,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededWorkspace {
    /// Derived from the name if left out.
    id: Option<String>,
    name: Option<String>,
    icon: Option<String>,
    /// Ids or e-mail addresses.
    #[serde(default)]
    people: Vec<Spanned<String>>,
    #[serde(default)]
    pages: Vec<Spanned<SeededPage>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededPage {
    /// Derived from the workspace and the title if left out.
    id: Option<String>,
    title: String,
    /// Ids or e-mail addresses; every member if left out.
    #[serde(default)]
    full_access: Vec<Spanned<String>>,
    icon: Option<String>,
    #[serde(default)]
    markdown: String,
    #[serde(default)]
    databases: Vec<TemplateDatabase>,
    #[serde(default)]
    pages: Vec<Template>,
}

impl File {
    fn options(self) -> Result<Options, Complaint> {
        let mut people = People::default();
        for person in self.people {
            people.add(person)?;
        }
        let mut options =
            Options { random_seed: self.random_seed, settings: self.settings, ..Options::default() };
        if let Some(at) = self.clock_stopped_at {
            let parsed = from_rfc3339(&at.get_ref().to_string());
            let wrong = || {
                complain(&at, "clock_stopped_at is a time since 1970 with an offset: 2026-01-31T12:00:00Z")
            };
            options.clock_stopped_at_ms = Some(parsed.ok_or_else(wrong)?);
        }
        if let Some(workspaces) = self.workspaces {
            options.workspaces = made(workspaces, &people)?;
        }
        for (id, at) in people.places {
            let is_in = |workspace: &Workspace| workspace.people.iter().any(|person| person.id == id);
            if !options.workspaces.iter().any(is_in) {
                return Err(Complaint { at, problem: "this person is in no workspace".to_owned() });
            }
        }
        for connection in self.connections {
            let connection = checked_connection(connection, &options)?;
            options.connections.push(connection);
        }
        for template in self.templates {
            if options.templates.iter().any(|known| known.title == template.get_ref().title) {
                return Err(complain(&template, "another template has this title"));
            }
            options.templates.push(template.into_inner());
        }
        for fault in self.faults {
            if let Some((_, problem)) = fault.get_ref().problem() {
                return Err(complain(&fault, problem));
            }
            options.faults.push(fault.into_inner());
        }
        Ok(options)
    }
}

/// The people of the file.
#[derive(Default)]
struct People {
    by_id: BTreeMap<String, Person>,
    /// Their ids, and where they are in the file.
    places: Vec<(String, Range<usize>)>,
}

impl People {
    fn add(&mut self, person: Spanned<SeededPerson>) -> Result<(), Complaint> {
        let seeded = person.get_ref();
        let id = id_of(&person, seeded.id.as_deref(), &["person", &seeded.email])?;
        if self.by_id.contains_key(&id) || self.by_id.values().any(|known| known.email == seeded.email) {
            return Err(complain(&person, format!("{} is there twice", seeded.email)));
        }
        self.places.push((id.clone(), person.span()));
        let SeededPerson { name, email, avatar_url, .. } = person.into_inner();
        self.by_id.insert(id.clone(), Person { id, name, email, avatar_url });
        Ok(())
    }

    /// The person with this id or e-mail address.
    fn find(&self, name: &Spanned<String>) -> Result<&Person, Complaint> {
        let by_email = self.by_id.values().find(|person| person.email == *name.get_ref());
        let found = by_email.or_else(|| self.by_id.get(&normal(name.get_ref())));
        found.ok_or_else(|| complain(name, format!("there is no person {}", name.get_ref())))
    }
}

fn made(workspaces: Vec<Spanned<SeededWorkspace>>, people: &People) -> Result<Vec<Workspace>, Complaint> {
    let mut made: Vec<Workspace> = Vec::new();
    let mut page_ids = BTreeSet::new();
    for workspace in workspaces {
        let seeded = workspace.get_ref();
        let id = match (&seeded.id, &seeded.name) {
            (None, None) => return Err(complain(&workspace, "a workspace has a name or an id")),
            (id, name) => {
                id_of(&workspace, id.as_deref(), &["workspace", name.as_deref().unwrap_or_default()])?
            }
        };
        if made.iter().any(|known| known.id == id) {
            return Err(complain(&workspace, "this workspace is there twice: give one of them another id"));
        }
        let SeededWorkspace { name, icon, people: members, pages, .. } = workspace.into_inner();
        let members = members.iter().map(|name| people.find(name).cloned()).collect::<Result<Vec<_>, _>>()?;
        let mut made_pages = Vec::new();
        for page in pages {
            made_pages.push(made_page(page, &id, &members, people, &mut page_ids)?);
        }
        made.push(Workspace { id, name, icon, people: members, pages: made_pages });
    }
    Ok(made)
}

fn made_page(
    page: Spanned<SeededPage>,
    workspace_id: &str,
    members: &[Person],
    people: &People,
    ids: &mut BTreeSet<String>,
) -> Result<Page, Complaint> {
    let seeded = page.get_ref();
    let id = id_of(&page, seeded.id.as_deref(), &["page", workspace_id, &seeded.title])?;
    if !ids.insert(id.clone()) {
        return Err(complain(&page, "this page is there twice: give one of them another id"));
    }
    let SeededPage { title, full_access, icon, markdown, databases, pages, .. } = page.into_inner();
    let mut access = Vec::new();
    for name in &full_access {
        let person = people.find(name)?;
        if !members.iter().any(|member| member.id == person.id) {
            return Err(complain(name, format!("{} is not in this workspace", name.get_ref())));
        }
        access.push(person.id.clone());
    }
    let content = Template { title: title.clone(), icon, markdown, databases, pages };
    Ok(Page { id, title, full_access: access, content })
}

fn checked_connection(connection: Spanned<Connection>, options: &Options) -> Result<Connection, Complaint> {
    let known = &options.connections;
    if let Some((_, problem)) = connection.get_ref().problem() {
        return Err(complain(&connection, problem));
    }
    if known.iter().any(|known| known.client_id == connection.get_ref().client_id) {
        return Err(complain(&connection, "another connection has this client_id"));
    }
    if let InstallationScope::Selected(ids) = &connection.get_ref().workspaces {
        let unknown = ids.iter().find(|id| !options.workspaces.iter().any(|workspace| workspace.id == **id));
        if let Some(id) = unknown {
            return Err(complain(&connection, format!("there is no workspace {id}")));
        }
    }
    Ok(connection.into_inner())
}

/// The id given, or one derived from the names: the same names have the same id in every run.
fn id_of<T>(of: &Spanned<T>, given: Option<&str>, names: &[&str]) -> Result<String, Complaint> {
    match given {
        None => Ok(Random::named(&names.join("\0")).uuid()),
        Some(id) if is_uuid(id) => Ok(normal(id)),
        Some(id) => Err(complain(of, format!("{id} is not a UUID"))),
    }
}
