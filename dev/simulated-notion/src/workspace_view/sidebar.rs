//! The sidebar: what all members see, each person's private section, and the trash.

use askama::Template;

use super::blocks::title;
use super::spans::icon;
use crate::content::node::{Kind, Node};
use crate::notion::Notion;
use crate::workspace::Workspace;

/// What is shown of a section; the API has everything.
const SHOWN: usize = 200;

pub(super) struct Section {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    pub(super) more: usize,
}

/// A page or database, with those below it. Rows are in their database only.
#[derive(Template)]
#[template(path = "sidebar_entry.html")]
pub(super) struct Entry {
    icon: String,
    title: String,
    href: String,
    is_open: bool,
    below: Vec<Entry>,
}

/// The sections of a workspace. `open` is the page that is shown.
pub(super) fn sections(notion: &Notion, workspace: &Workspace, open: &str) -> Vec<Section> {
    let store = &notion.memory.content;
    let roots: Vec<&Node> = store
        .roots(&workspace.id)
        .iter()
        .filter_map(|id| store.get(id))
        .filter(|node| !node.in_trash)
        .collect();
    let section = |name: String, nodes: Vec<&Node>| Section {
        name,
        more: nodes.len().saturating_sub(SHOWN),
        entries: nodes.into_iter().take(SHOWN).map(|node| entry(notion, node, open)).collect(),
    };
    let shared = roots.iter().copied().filter(|node| node.people.is_empty()).collect();
    let mut sections = vec![section("Shared".to_owned(), shared)];
    for person in &workspace.people {
        let own: Vec<&Node> = roots.iter().copied().filter(|node| node.people.contains(&person.id)).collect();
        let name = person.name.as_ref().unwrap_or(&person.email);
        if !own.is_empty() {
            sections.push(section(format!("Private: {name}"), own));
        }
    }
    let is_trash = |node: &&Node| {
        node.in_trash
            && node.workspace_id == workspace.id
            && matches!(node.kind, Kind::Page(_) | Kind::Database(_))
    };
    let trash: Vec<&Node> = store.all().filter(is_trash).collect();
    let flat = trash.iter().take(SHOWN).map(|node| Entry { below: Vec::new(), ..entry(notion, node, open) });
    let more = trash.len().saturating_sub(SHOWN);
    sections.push(Section { name: "Trash".to_owned(), entries: flat.collect(), more });
    sections
}

fn entry(notion: &Notion, node: &Node, open: &str) -> Entry {
    let own = match &node.kind {
        Kind::Page(page) => icon(&page.icon),
        Kind::Database(database) => icon(&database.icon),
        _ => String::new(),
    };
    let usual = if node.database().is_some() { "▦" } else { "📄" };
    let below = notion
        .children_shown(node)
        .into_iter()
        .filter(|child| matches!(child.kind, Kind::Page(_) | Kind::Database(_)));
    Entry {
        icon: if own.is_empty() { usual.to_owned() } else { own },
        title: title(node),
        href: format!("/workspace/{}/{}", node.workspace_id, node.id),
        is_open: node.id == open,
        below: below.map(|child| entry(notion, child, open)).collect(),
    }
}
