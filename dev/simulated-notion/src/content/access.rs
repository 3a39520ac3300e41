//! Who calls, and what they see: the pages that the person picked with everything below them, what was made from the
//! connection's template, and what the bot made itself. Everything else does not exist for them (documented).

use axum::http::HeaderMap;

use crate::connection::{Capabilities, Connection, InstallationScope, UserInformation};
use crate::content::id::normal;
use crate::content::node::{Kind, Node};
use crate::content::store::Store;
use crate::error::NotionError;
use crate::notion::Notion;
use crate::request::{bearer, text};

/// The version whose semantics the content has.
const VERSION: &str = "2026-03-11";

/// The bot of a content call; or a person, when a template is duplicated for them.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The author of what is made: the bot or the person.
    pub(crate) author_id: String,
    pub(crate) is_bot: bool,
    pub(crate) connection_name: String,
    pub(crate) workspace_id: String,
    pub(crate) person_id: String,
    pub(crate) capabilities: Capabilities,
    /// The pages of the grant.
    picked: Vec<String>,
    /// Earlier bots of the same person and connection whose content the caller sees too.
    earlier_bots: Vec<String>,
    /// Whether the block limit of Free workspaces applies (documented): not to connections for any workspace.
    pub(crate) has_block_limit: bool,
    /// What is made appears at this time; 0 means at once.
    pub(crate) content_appears_at_ms: u64,
}

/// What a call needs the connection to be allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Read,
    Insert,
    Update,
}

impl Caller {
    /// A person who makes something themselves. They see everything in their workspace.
    pub(crate) fn person(workspace_id: &str, person_id: &str) -> Self {
        Self {
            author_id: person_id.to_owned(),
            is_bot: false,
            connection_name: String::new(),
            workspace_id: workspace_id.to_owned(),
            person_id: person_id.to_owned(),
            capabilities: Capabilities::default(),
            picked: Vec::new(),
            earlier_bots: Vec::new(),
            has_block_limit: false,
            content_appears_at_ms: 0,
        }
    }

    /// The same caller, whose content appears at this time.
    pub(crate) fn appearing_at(&self, content_appears_at_ms: u64) -> Self {
        Self { content_appears_at_ms, ..self.clone() }
    }

    /// # Errors
    ///
    /// 403 `restricted_resource` if the connection does not have the capability.
    pub(crate) fn may(&self, needs: Needs) -> Result<(), NotionError> {
        let has = match needs {
            Needs::Read => self.capabilities.read_content,
            Needs::Insert => self.capabilities.insert_content,
            Needs::Update => self.capabilities.update_content,
        };
        if has { Ok(()) } else { Err(NotionError::restricted("Insufficient permissions for this endpoint.")) } // invented
    }

    /// # Errors
    ///
    /// 403 `restricted_resource` if the connection may not see who is in the workspace.
    pub(crate) fn may_see_users(&self) -> Result<(), NotionError> {
        if self.capabilities.user_information == UserInformation::None {
            return Err(NotionError::restricted("Insufficient permissions for this endpoint.")); // invented
        }
        Ok(())
    }

    /// Whether the caller sees a node at this time.
    pub(crate) fn sees(&self, store: &Store, now_ms: u64, id: &str) -> bool {
        let mut is_shared = false;
        for node in store.ancestry(id) {
            if node.workspace_id != self.workspace_id {
                return false;
            }
            if !self.is_bot {
                return true;
            }
            if node.appears_at_ms > now_ms {
                return false;
            }
            if !is_shared {
                is_shared = self.has_by_name(store, &node.id);
                if node.is_unshared && !is_shared {
                    return false;
                }
            }
        }
        is_shared
    }

    fn has_by_name(&self, store: &Store, id: &str) -> bool {
        let bots = std::iter::once(&self.author_id).chain(&self.earlier_bots);
        self.picked.iter().any(|picked| picked == id)
            || bots.into_iter().any(|bot| store.is_shared_with(bot, id))
    }

    /// Where the caller's access begins: picked pages and own content, each once.
    pub(crate) fn beginnings(&self, store: &Store) -> Vec<String> {
        let bots = std::iter::once(&self.author_id).chain(&self.earlier_bots);
        let mut ids: Vec<String> = self.picked.clone();
        ids.extend(bots.flat_map(|bot| store.shared_with(bot)).cloned());
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// A node that the caller sees and that is what the call asks for.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`, as Notion also answers for what exists but is not shared.
    pub(crate) fn find<'a>(
        &self,
        store: &'a Store,
        now_ms: u64,
        what: What,
        id: &str,
    ) -> Result<&'a Node, NotionError> {
        let id = normal(id);
        let found = store.get(&id).filter(|node| what.fits(node) && self.sees(store, now_ms, &id));
        found.ok_or_else(|| self.not_found(what, &id))
    }

    /// The answer for something that is not there for the caller.
    pub(crate) fn not_found(&self, what: What, id: &str) -> NotionError {
        NotionError::not_found(&format!(
            "Could not find {} with ID: {id}. Make sure the relevant pages and databases are shared with your \
             integration \"{}\".",
            what.name(),
            self.connection_name
        ))
    }
}

/// What a call asks for by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Page,
    Database,
    DataSource,
    View,
    /// Pages and databases are blocks too.
    Block,
}

impl What {
    fn fits(self, node: &Node) -> bool {
        match self {
            Self::Page => node.page().is_some(),
            Self::Database => node.database().is_some(),
            Self::DataSource => node.data_source().is_some(),
            Self::View => node.view().is_some(),
            Self::Block => matches!(node.kind, Kind::Block(_) | Kind::Page(_) | Kind::Database(_)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Database => "database",
            Self::DataSource => "data source",
            Self::View => "view",
            Self::Block => "block",
        }
    }
}

impl Notion {
    /// Identifies the bot of a content call.
    ///
    /// # Errors
    ///
    /// 401 `unauthorized` for a token that does not work; 400 `missing_version`, and `validation_error` for another
    /// version than the one whose semantics the simulator has.
    pub(crate) fn caller(&mut self, headers: &HeaderMap) -> Result<Caller, NotionError> {
        let found = bearer(headers).and_then(|token| self.pair_of_access_token(token));
        let works =
            |(grant, pair): &(usize, usize)| self.access_works(&self.memory.grants[*grant].pairs[*pair]);
        let (grant, _) = found.filter(works).ok_or_else(NotionError::unauthorized)?;
        match text(headers, "notion-version") {
            Some(VERSION) => {}
            Some(other) => {
                // invented: a version with other semantics would be answered wrongly
                return Err(NotionError::validation(&format!(
                    "Notion-Version header failed validation: Notion-Version header should be `\"{VERSION}\"` in this \
                     simulator, instead was `\"{other}\"`."
                )));
            }
            None => return Err(NotionError::missing_version()),
        }
        let grant = &self.memory.grants[grant];
        let connection = self.connection(&grant.client_id).ok_or_else(NotionError::unauthorized)?;
        Ok(Caller {
            author_id: grant.bot_id.clone(),
            is_bot: true,
            connection_name: connection.name.clone(),
            workspace_id: grant.workspace_id.clone(),
            person_id: grant.person_id.clone(),
            capabilities: connection.capabilities,
            picked: grant.pages.clone(),
            earlier_bots: self.earlier_bots(&grant.client_id, &grant.person_id, &grant.workspace_id),
            has_block_limit: has_block_limit(connection),
            content_appears_at_ms: 0,
        })
    }

    fn earlier_bots(&self, client_id: &str, person_id: &str, workspace_id: &str) -> Vec<String> {
        if !self.settings.reinstall_sees_earlier_content {
            return Vec::new();
        }
        let grants = self.memory.grants.iter().filter(|grant| {
            grant.client_id == client_id && grant.person_id == person_id && grant.workspace_id == workspace_id
        });
        grants.map(|grant| grant.bot_id.clone()).collect()
    }

    /// [`Caller::find`], now.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`.
    pub(crate) fn find(&self, caller: &Caller, what: What, id: &str) -> Result<&Node, NotionError> {
        caller.find(&self.memory.content, self.now_ms(), what, id)
    }

    /// As [`Self::find`], for something that is to be changed or to get something below it.
    ///
    /// # Errors
    ///
    /// Also 400 `validation_error` if it is in the trash.
    pub(crate) fn find_to_change(&self, caller: &Caller, what: What, id: &str) -> Result<&Node, NotionError> {
        let node = self.find(caller, what, id)?;
        if self.memory.content.is_in_trash(&node.id) {
            // The words of many reports from the live service; the same text for pages and databases is invented.
            return Err(NotionError::validation(
                "Can't edit block that is archived. You must unarchive the block before editing.",
            ));
        }
        Ok(node)
    }

    /// The same for an update: one that takes it out of the trash may find it there.
    ///
    /// # Errors
    ///
    /// As [`find_to_change`](Self::find_to_change).
    pub(crate) fn find_to_update(
        &self,
        caller: &Caller,
        what: What,
        id: &str,
        in_trash: Option<bool>,
    ) -> Result<&Node, NotionError> {
        match in_trash {
            Some(false) => self.find(caller, what, id),
            _ => self.find_to_change(caller, what, id),
        }
    }
}

fn has_block_limit(connection: &Connection) -> bool {
    matches!(connection.workspaces, InstallationScope::Selected(_))
}
