//! What is at the top of a workspace: the configured pages, and what the picker shows of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::content::access::Caller;
use crate::content::node::{Kind, Node, Page as PageNode};
use crate::content::rich_text::{of_text, plain};
use crate::content::template::Template;
use crate::error::NotionError;
use crate::notion::Notion;
use crate::random::Random;
use crate::workspace::Page;

impl Notion {
    /// Puts the configured pages into the content, unless they are there already.
    ///
    /// # Errors
    ///
    /// The first complaint about the content of a page, with its title.
    pub(crate) fn adopt_configured_pages(&mut self) -> Result<(), String> {
        for workspace in self.workspaces.clone() {
            for page in workspace.pages {
                if self.memory.content.get(&page.id).is_none() {
                    let title = page.title.clone();
                    self.adopt_page(&workspace.id, page)
                        .map_err(|error| format!("the page \"{title}\" cannot be made: {error}"))?;
                }
            }
        }
        Ok(())
    }

    fn adopt_page(&mut self, workspace_id: &str, page: Page) -> Result<(), NotionError> {
        let now_ms = self.now_ms();
        let icon = page.content.icon.as_ref();
        self.memory.content.add(
            Node {
                id: page.id.clone(),
                workspace_id: workspace_id.to_owned(),
                parent: None,
                children: Vec::new(),
                kind: Kind::Page(PageNode {
                    values: BTreeMap::from([("title".to_owned(), of_text(&page.title))]),
                    icon: icon.map_or(Value::Null, |emoji| json!({ "type": "emoji", "emoji": emoji })),
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
                people: page.full_access,
            },
            None,
        );
        // Not from the common stream: what one page contains must not change the ids of another.
        let common = std::mem::replace(&mut self.random, Random::named(&page.id));
        let made = self.template_content(&Caller::person(workspace_id, ""), &page.id, &page.content);
        self.random = common;
        made
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
            content: Template::default(),
        };
        (is_at_the_top && page.is_shown_to(person_id)).then_some(page)
    }
}
