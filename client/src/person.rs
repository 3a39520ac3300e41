//! Whose token.

/// Whose token. A UUID is the same id with or without dashes, in upper or lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    pub(crate) workspace_id: String,
    pub(crate) user_id: Option<String>,
}

impl Person {
    /// A person who installed for themselves.
    #[must_use]
    pub fn user(workspace_id: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { workspace_id: canonical(workspace_id.into()), user_id: Some(canonical(user_id.into())) }
    }

    /// A workspace that owns its installation.
    #[must_use]
    pub fn workspace(workspace_id: impl Into<String>) -> Self {
        Self { workspace_id: canonical(workspace_id.into()), user_id: None }
    }

    /// Notion's id of the workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &str {
        &self.workspace_id
    }

    /// Notion's id of the person; `None` if the workspace owns the installation.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
}

/// An id as the token function writes it if it is a UUID, otherwise unchanged.
fn canonical(id: String) -> String {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id;
    }
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
