//! What a person does with their pages and databases in the app.

use crate::content::id::normal;
use crate::content::node::Kind;
use crate::content::rich_text::of_text;
use crate::notion::Notion;

/// Something a person does with a page or a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Moves it to the trash.
    Delete,
    /// Takes it out of the trash.
    Restore,
    /// Takes it away from every connection.
    Unshare,
    Rename(String),
}

impl Notion {
    /// Does it. Returns `false` if there is no such page or database.
    pub(crate) fn act(&mut self, id: &str, act: &Act) -> bool {
        let id = normal(id);
        let now_ms = self.now_ms();
        let is_known = self
            .memory
            .content
            .get(&id)
            .is_some_and(|node| matches!(node.kind, Kind::Page(_) | Kind::Database(_)));
        if !is_known {
            return false;
        }
        if *act == Act::Unshare {
            self.memory.content.unshare(&id);
            for grant in &mut self.memory.grants {
                grant.pages.retain(|page| *page != id);
            }
            for authorization in &mut self.memory.authorizations {
                authorization.pages.retain(|page| *page != id);
            }
        }
        let Some(node) = self.memory.content.get_mut(&id) else { return false };
        node.edited_at_ms = now_ms;
        match act {
            Act::Delete => node.in_trash = true,
            Act::Restore => node.in_trash = false,
            Act::Unshare => node.is_unshared = true,
            Act::Rename(title) => match &mut node.kind {
                Kind::Page(page) => {
                    page.values.insert("title".to_owned(), of_text(title));
                }
                Kind::Database(database) => database.title = of_text(title),
                _ => {}
            },
        }
        true
    }
}
