//! What a backend is told about an installation.

use serde_json::Value;

use crate::fields::Fields;
use crate::onboarding::Onboarding;

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
    /// Counts writes: with `generation`, its place among the installation's events. Only in a listing.
    pub version: Option<u64>,
    /// How far the workspace is prepared, if the stack has a recipe.
    pub onboarding: Option<Onboarding>,
}

impl Installation {
    /// `None` if something is missing that every answer has.
    pub(crate) fn read(facts: &Value) -> Option<Self> {
        let fields = Fields(facts);
        Some(Self {
            id: fields.text("installation")?,
            workspace_id: fields.text("workspace_id")?,
            workspace_name: fields.text("workspace_name"),
            workspace_icon: fields.text("workspace_icon"),
            user_id: fields.text("user_id"),
            user_name: fields.text("user_name"),
            user_email: fields.text("user_email"),
            user_email_verified: fields.flag("user_email_verified"),
            user_avatar_url: fields.text("user_avatar_url"),
            bot_id: fields.text("bot_id"),
            duplicated_template_id: fields.text("duplicated_template_id"),
            generation: fields.number("generation")?,
            health: fields.text("health")?,
            installed_at: fields.number("installed_at"),
            subjects: fields.texts("subjects")?,
            version: fields.number("version"),
            onboarding: facts.get("onboarding").and_then(Onboarding::read),
        })
    }
}
