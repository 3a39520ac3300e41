//! `POST /v1/search`: pages and data sources by title.

use serde_json::Value;

use crate::content::access::{Caller, Needs};
use crate::content::input::Input;
use crate::content::listing::answer;
use crate::content::node::{Kind, Node};
use crate::content::rich_text::plain;
use crate::error::NotionError;
use crate::notion::Notion;

impl Notion {
    /// `POST /v1/search`: what the bot sees, newest edit first. What is in the trash, or newer than
    /// [`Settings::search_lag_secs`](crate::Settings), is not listed.
    ///
    /// # Errors
    ///
    /// 400 `validation_error` for a wrong filter, sort, page size or cursor.
    pub(crate) fn search(&self, caller: &Caller, body: &Input<'_>) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        body.only(&["query", "filter", "sort", "start_cursor", "page_size"])?;
        let wanted = body.text_of("query")?.unwrap_or_default().to_lowercase();
        let (mut kind, mut in_trash) = (None, false);
        if let Some(filter) = body.some("filter") {
            filter.only(&["property", "value", "in_trash"])?;
            in_trash = filter.bool_of("in_trash")?.unwrap_or_default();
            if filter.some("property").is_some() || filter.some("in_trash").is_none() {
                filter.needed("property")?.one_of(&["object"])?;
                kind = Some(filter.needed("value")?.one_of(&["page", "data_source"])?);
            }
        }
        let is_ascending = match body.some("sort") {
            Some(sort) if sort.some("timestamp").is_some() => {
                sort.needed("timestamp")?.one_of(&["last_edited_time"])?;
                sort.needed("direction")?.one_of(&["ascending", "descending"])? == "ascending"
            }
            Some(sort) => {
                sort.needed("property")?.one_of(&["relevance"])?;
                false
            }
            None => false,
        };
        let lag_ms = self.settings.search_lag_secs.saturating_mul(1000);
        let now_ms = self.now_ms();
        let is_found = |node: &&Node| {
            let is_kind = match &node.kind {
                Kind::Page(_) => kind.is_none_or(|kind| kind == "page"),
                Kind::DataSource(_) => kind.is_none_or(|kind| kind == "data_source"),
                _ => false,
            };
            is_kind
                && node.created_at_ms.saturating_add(lag_ms) <= now_ms
                && self.memory.content.is_in_trash(&node.id) == in_trash
                && (wanted.is_empty()
                    || node.title().is_some_and(|title| plain(title).to_lowercase().contains(&wanted)))
        };
        let mut found: Vec<&Node> = self.below(caller).into_iter().filter(is_found).collect();
        found.sort_by(|one, other| {
            let order = one.edited_at_ms.cmp(&other.edited_at_ms);
            if is_ascending { order } else { order.reverse() }
        });
        answer("page_or_data_source", &found, body, |node| self.object(node))
    }

    /// Everything that the caller sees, beginning with what was shared by name.
    fn below(&self, caller: &Caller) -> Vec<&Node> {
        let (store, now_ms) = (&self.memory.content, self.now_ms());
        let mut found = std::collections::BTreeMap::new();
        let mut open = caller.beginnings(store);
        open.retain(|id| caller.sees(store, now_ms, id));
        while let Some(id) = open.pop() {
            let Some(node) = store.get(&id) else { continue };
            if node.appears_at_ms > now_ms || found.insert(id, node).is_some() {
                continue;
            }
            let below =
                node.children.iter().filter(|id| store.get(id).is_some_and(|child| !child.is_unshared));
            open.extend(below.cloned());
        }
        found.into_values().collect()
    }
}
