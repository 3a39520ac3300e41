//! Copies of what is there: the content of a row template.

use std::collections::BTreeMap;

use crate::content::access::Caller;
use crate::content::node::Kind;
use crate::notion::Notion;

impl Notion {
    /// Copies what is below `from` to below `to`, with new ids, by the caller.
    pub(crate) fn copy_children(&mut self, caller: &Caller, from: &str, to: &str) {
        let mut new_ids = BTreeMap::new();
        self.copy_below(caller, from, to, &mut new_ids);
    }

    fn copy_below(&mut self, caller: &Caller, from: &str, to: &str, new_ids: &mut BTreeMap<String, String>) {
        let children = self.memory.content.get(from).map(|node| node.children.clone()).unwrap_or_default();
        for child in children {
            let Some(original) = self.memory.content.get(&child).filter(|node| !node.in_trash).cloned()
            else {
                continue;
            };
            let node = self.new_node(caller, Some(to.to_owned()), original.kind);
            let id = node.id.clone();
            new_ids.insert(child.clone(), id.clone());
            self.memory.content.add(node, None);
            self.copy_below(caller, &child, &id, new_ids);
            self.copy_views(caller, &id, new_ids);
        }
    }

    /// The views of a copied database, on the copied data sources.
    fn copy_views(&mut self, caller: &Caller, database: &str, new_ids: &BTreeMap<String, String>) {
        let views = self.memory.content.database_mut(database).map(|copy| std::mem::take(&mut copy.views));
        for original in views.into_iter().flatten() {
            let view = self.memory.content.get(&original).and_then(|node| node.view()).cloned();
            let Some(mut view) = view else { continue };
            view.data_source = view.data_source.map(|id| new_ids.get(&id).cloned().unwrap_or(id));
            let node = self.new_node(caller, Some(database.to_owned()), Kind::View(view));
            if let Some(copy) = self.memory.content.database_mut(database) {
                copy.views.push(node.id.clone());
            }
            self.memory.content.add_apart(node);
        }
    }
}
