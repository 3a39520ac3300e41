//! All nodes by id, with the indexes that keep lookups independent of how much a workspace contains.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::content::node::{DataSource, Database, Kind, Node, Page, View};

/// The content of every workspace. Part of the state file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    nodes: BTreeMap<String, Node>,
    /// By workspace: what is at its top, oldest first.
    roots: BTreeMap<String, Vec<String>>,
    /// By bot: what it made at the top of a workspace. The pages that a person picked are in the grant.
    shares: BTreeMap<String, BTreeSet<String>>,
    /// By workspace: how many blocks connections with a limit have ever made there.
    pub(crate) limited_blocks: BTreeMap<String, u64>,
    pub(crate) tasks: BTreeMap<String, Task>,
}

/// Work that Notion does after its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) bot_id: String,
    pub(crate) page_id: String,
    /// `create_page` or `update_page_markdown`.
    pub(crate) operation: String,
    pub(crate) created_at_ms: u64,
    pub(crate) done_at_ms: u64,
}

impl Store {
    pub(crate) fn get(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// Every node, in the order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Adds a node below its parent: at `position`, or at the end. Views and templates are listed by what they belong
    /// to instead, see [`Self::add_apart`].
    pub(crate) fn add(&mut self, node: Node, position: Option<usize>) {
        let siblings = match &node.parent {
            Some(parent) => self.nodes.get_mut(parent).map(|parent| &mut parent.children),
            None => Some(self.roots.entry(node.workspace_id.clone()).or_default()),
        };
        if let Some(siblings) = siblings {
            let at = position.unwrap_or(siblings.len()).min(siblings.len());
            siblings.insert(at, node.id.clone());
        }
        self.add_apart(node);
    }

    /// Adds a node that is not among the children of its parent.
    pub(crate) fn add_apart(&mut self, node: Node) {
        self.nodes.insert(node.id.clone(), node);
    }

    /// Moves a node to the end of another parent.
    pub(crate) fn move_to(&mut self, id: &str, parent: Option<String>) {
        let Some(mut node) = self.nodes.remove(id) else { return };
        let siblings = match &node.parent {
            Some(old) => self.nodes.get_mut(old).map(|old| &mut old.children),
            None => self.roots.get_mut(&node.workspace_id),
        };
        if let Some(siblings) = siblings {
            siblings.retain(|sibling| sibling != id);
        }
        node.parent = parent;
        self.add(node, None);
    }

    /// Takes a block out of its parent for good, with what is below it.
    pub(crate) fn remove(&mut self, id: &str) {
        let Some(node) = self.nodes.remove(id) else { return };
        if let Some(parent) = node.parent.as_ref().and_then(|parent| self.nodes.get_mut(parent)) {
            parent.children.retain(|child| child != id);
        }
        for child in &node.children {
            self.remove(child);
        }
    }

    /// What is at the top of a workspace, oldest first.
    pub(crate) fn roots(&self, workspace_id: &str) -> &[String] {
        self.roots.get(workspace_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The node and everything above it, from below.
    pub(crate) fn ancestry<'a>(&'a self, id: &str) -> impl Iterator<Item = &'a Node> {
        std::iter::successors(self.get(id), |node| self.get(node.parent.as_ref()?))
    }

    /// Whether the node, or something above it, is in the trash.
    pub(crate) fn is_in_trash(&self, id: &str) -> bool {
        self.ancestry(id).any(|node| node.in_trash)
    }

    /// Shares something at the top of a workspace with a bot.
    pub(crate) fn share(&mut self, bot_id: &str, id: &str) {
        self.shares.entry(bot_id.to_owned()).or_default().insert(id.to_owned());
    }

    /// Takes a node away from every bot it was shared with by name.
    pub(crate) fn unshare(&mut self, id: &str) {
        for shared in self.shares.values_mut() {
            shared.remove(id);
        }
    }

    /// What was shared with a bot by name.
    pub(crate) fn shared_with(&self, bot_id: &str) -> impl Iterator<Item = &String> {
        self.shares.get(bot_id).into_iter().flatten()
    }

    pub(crate) fn is_shared_with(&self, bot_id: &str, id: &str) -> bool {
        self.shares.get(bot_id).is_some_and(|shared| shared.contains(id))
    }

    pub(crate) fn page_mut(&mut self, id: &str) -> Option<&mut Page> {
        if let Kind::Page(page) = &mut self.nodes.get_mut(id)?.kind { Some(page) } else { None }
    }

    pub(crate) fn database_mut(&mut self, id: &str) -> Option<&mut Database> {
        if let Kind::Database(database) = &mut self.nodes.get_mut(id)?.kind { Some(database) } else { None }
    }

    pub(crate) fn data_source_mut(&mut self, id: &str) -> Option<&mut DataSource> {
        if let Kind::DataSource(source) = &mut self.nodes.get_mut(id)?.kind { Some(source) } else { None }
    }

    pub(crate) fn view_mut(&mut self, id: &str) -> Option<&mut View> {
        if let Kind::View(view) = &mut self.nodes.get_mut(id)?.kind { Some(view) } else { None }
    }
}
