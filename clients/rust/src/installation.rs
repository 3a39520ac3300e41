//! What a backend is told about an installation.

use serde_json::Value;

/// Everything that Notion said about an installation, except its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installation {
    /// Its name for [`Begun::expecting`](crate::Begun::expecting): opaque, and always the same.
    pub id: String,
    /// Notion's id of the workspace.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon: an emoji or a URL.
    pub workspace_icon: Option<String>,
    /// Notion's id of the person; `None` if the workspace owns the installation.
    pub user_id: Option<String>,
    /// The person's name.
    pub user_name: Option<String>,
    /// The person's e-mail address.
    pub user_email: Option<String>,
    /// Whether Notion has verified the address, if it said so.
    pub user_email_verified: Option<bool>,
    /// The person's picture.
    pub user_avatar_url: Option<String>,
    /// Notion's id of the authorization.
    pub bot_id: Option<String>,
    /// The page that was made from the template, if the person wanted it.
    pub duplicated_template_id: Option<String>,
    /// How often it has been installed.
    pub generation: u64,
    /// `active`, `unverified`, `needs_reinstall` or `unclaimed`.
    pub health: String,
    /// The last install, in seconds since the epoch.
    pub installed_at: Option<u64>,
    /// The subjects that it is linked to.
    pub subjects: Vec<String>,
}

impl Installation {
    /// `None` if something is missing that every answer has.
    pub(crate) fn read(facts: &Value) -> Option<Self> {
        let text = |name: &str| facts[name].as_str().map(str::to_owned);
        Some(Self {
            id: text("installation")?,
            workspace_id: text("workspace_id")?,
            workspace_name: text("workspace_name"),
            workspace_icon: text("workspace_icon"),
            user_id: text("user_id"),
            user_name: text("user_name"),
            user_email: text("user_email"),
            user_email_verified: facts["user_email_verified"].as_bool(),
            user_avatar_url: text("user_avatar_url"),
            bot_id: text("bot_id"),
            duplicated_template_id: text("duplicated_template_id"),
            generation: facts["generation"].as_u64()?,
            health: text("health")?,
            installed_at: facts["installed_at"].as_u64(),
            subjects: facts["subjects"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        })
    }

    pub(crate) fn read_all(list: &Value) -> Option<Vec<Self>> {
        list.as_array()?.iter().map(Self::read).collect()
    }
}
