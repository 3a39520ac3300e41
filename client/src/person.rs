//! Whose token.

/// Whose token. One UUID is one id, with dashes or without, in whichever case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    pub(crate) workspace_id: String,
    pub(crate) user_id: Option<String>,
}

impl Person {
    /// A person who has installed for themselves.
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

    /// Notion's id of the person; none if the workspace owns the installation.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
}

/// An id in the spelling that the token function uses, if it is a UUID; else as it is.
fn canonical(id: String) -> String {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id;
    }
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
