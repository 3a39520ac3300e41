//! Whose token.

use serde_json::{Map, Value};

/// Whose token: by this backend's own name for a user, or by Notion's ids. A UUID is the same id with or without dashes,
/// in upper or lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    subject: Option<String>,
    workspace_id: Option<String>,
    owner: Owner,
}

/// Who owns the installation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Unnamed,
    Workspace,
    User(String),
}

impl Person {
    /// The user that this backend knows by this name: the `subject` with which it has claimed the installation.
    #[must_use]
    pub fn subject(subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), workspace_id: None, owner: Owner::Unnamed }
    }

    /// Only in this workspace, for a subject who has several installations.
    #[must_use]
    pub fn in_workspace(mut self, workspace_id: impl Into<String>) -> Self {
        self.workspace_id = Some(canonical(workspace_id.into()));
        self
    }

    /// Only as this user of the workspace, for a subject who has several installations there.
    #[must_use]
    pub fn as_user(mut self, user_id: impl Into<String>) -> Self {
        self.owner = Owner::User(canonical(user_id.into()));
        self
    }

    /// Only as the workspace itself, for a subject who also has an installation of their own there.
    #[must_use]
    pub fn as_workspace(mut self) -> Self {
        self.owner = Owner::Workspace;
        self
    }

    /// A person who installed for themselves, by Notion's ids.
    #[must_use]
    pub fn user(workspace_id: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { subject: None, workspace_id: None, owner: Owner::Unnamed }
            .in_workspace(workspace_id)
            .as_user(user_id)
    }

    /// A workspace that owns its installation, by Notion's id.
    #[must_use]
    pub fn workspace(workspace_id: impl Into<String>) -> Self {
        Self { subject: None, workspace_id: None, owner: Owner::Unnamed }
            .in_workspace(workspace_id)
            .as_workspace()
    }

    /// Notion's id of the workspace, if it was named.
    #[must_use]
    pub fn workspace_id(&self) -> Option<&str> {
        self.workspace_id.as_deref()
    }

    /// Notion's id of the person, if it was named.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match &self.owner {
            Owner::User(id) => Some(id),
            Owner::Unnamed | Owner::Workspace => None,
        }
    }

    /// Whether whoever means this person means `other` too: the same one, or the subject in one of their workspaces.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let is_subject_alone = self.workspace_id.is_none() && self.owner == Owner::Unnamed;
        self == other || (is_subject_alone && self.subject.is_some() && self.subject == other.subject)
    }

    /// The fields of an input that name this person.
    pub(crate) fn input(&self) -> Map<String, Value> {
        let mut input = Map::new();
        let mut set = |name: &str, value: Value| drop(input.insert(name.to_owned(), value));
        if let Some(subject) = &self.subject {
            set("subject", subject.as_str().into());
        }
        if let Some(workspace_id) = &self.workspace_id {
            set("workspace_id", workspace_id.as_str().into());
        }
        match &self.owner {
            Owner::Unnamed => {}
            Owner::Workspace => set("user_id", Value::Null),
            Owner::User(id) => set("user_id", id.as_str().into()),
        }
        input
    }
}

/// An id as Notion writes it if it is a UUID, otherwise unchanged.
pub(crate) fn canonical(id: String) -> String {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id;
    }
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
