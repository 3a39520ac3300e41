//! What is at the top of a workspace: the configured pages, and what the picker shows of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::content::node::{Kind, Node, Page as PageNode};
use crate::content::rich_text::{of_text, plain};
use crate::notion::Notion;
use crate::workspace::Page;

impl Notion {
    /// Puts the configured pages into the content, unless they are there already.
    pub(crate) fn adopt_configured_pages(&mut self) {
        let now_ms = self.now_ms();
        for workspace in &self.workspaces {
            for page in &workspace.pages {
                if self.memory.content.get(&page.id).is_some() {
                    continue;
                }
                let values = BTreeMap::from([("title".to_owned(), of_text(&page.title))]);
                let node = Node {
                    id: page.id.clone(),
                    workspace_id: workspace.id.clone(),
                    parent: None,
                    children: Vec::new(),
                    kind: Kind::Page(PageNode {
                        values,
                        icon: Value::Null,
                        cover: Value::Null,
                        is_locked: false,
                    }),
                    created_at_ms: now_ms,
                    created_by: String::new(),
                    edited_at_ms: now_ms,
                    edited_by: String::new(),
                    appears_at_ms: 0,
                    in_trash: false,
                    is_unshared: false,
                    people: page.full_access.clone(),
                };
                self.memory.content.add(node, None);
            }
        }
    }

    /// What the picker shows: the pages and databases at the top to which the person has full access.
    pub(crate) fn pages_shown(&self, workspace_id: &str, person_id: &str) -> Vec<Page> {
        let roots = self.memory.content.roots(workspace_id).iter();
        roots.filter_map(|id| self.page_shown(workspace_id, person_id, id)).collect()
    }

    /// One page of the picker, if it shows it to the person.
    pub(crate) fn page_shown(&self, workspace_id: &str, person_id: &str, id: &str) -> Option<Page> {
        let node = self.memory.content.get(id)?;
        let is_at_the_top = node.workspace_id == workspace_id && node.parent.is_none() && !node.in_trash;
        let page = Page {
            id: node.id.clone(),
            title: node.title().map(plain).unwrap_or_default(),
            full_access: node.people.clone(),
        };
        (is_at_the_top && page.is_shown_to(person_id)).then_some(page)
    }
}
