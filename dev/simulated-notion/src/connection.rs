//! The connections (apps) registered with the simulator, as in the configuration tab of Notion's portal.

use serde::{Deserialize, Serialize};

/// A public connection: an app registered with Notion.
///
/// In JSON and TOML, `client_id`, `client_secret` and `redirect_uris` are required; the others are as in
/// [`Connection::new`] if left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// A UUID at Notion; any text without a colon here (RFC 7617 §2).
    pub client_id: String,
    /// Opaque; `secret_…` at Notion.
    pub client_secret: String,
    /// Shown on the consent page.
    #[serde(default = "demo_name")]
    pub name: String,
    /// Compared byte for byte with the redirect URI in the authorization request.
    pub redirect_uris: Vec<String>,
    /// What the connection may do. Notion has no OAuth scopes.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// The title of the optional template; the person may duplicate it instead of picking pages.
    #[serde(default)]
    pub template: Option<String>,
    /// Connections created before 2026-06-08 answer with the existing access token when a person authorizes
    /// again, and with a null refresh token.
    #[serde(default)]
    pub created_before_2026_06_08: bool,
    /// Where it may be installed; immutable at Notion.
    #[serde(default)]
    pub workspaces: InstallationScope,
}

fn demo_name() -> String {
    "Demo connection".to_owned()
}

impl Connection {
    /// A connection as the portal creates it by default: one redirect URI, content capabilities, user
    /// information with e-mail, any workspace, no template.
    #[must_use]
    pub fn new(client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            name: demo_name(),
            redirect_uris: vec![redirect_uri.to_owned()],
            capabilities: Capabilities::default(),
            template: None,
            created_before_2026_06_08: false,
            workspaces: InstallationScope::Any,
        }
    }
}

impl Connection {
    /// What is wrong with it, and in which field.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.client_id.is_empty() || self.client_id.contains(':') {
            // HTTP Basic separates id and secret by a colon (RFC 7617 §2).
            return Some(("client_id", "A client id has at least one character, and no colon."));
        }
        if self.client_secret.is_empty() {
            return Some(("client_secret", "A client secret has at least one character."));
        }
        if self.redirect_uris.is_empty() {
            return Some(("redirect_uris", "A connection has at least one redirect URI."));
        }
        None
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("client_id", &self.client_id)
            .field("client_secret", &"[redacted]")
            .field("name", &self.name)
            .field("redirect_uris", &self.redirect_uris)
            .field("capabilities", &self.capabilities)
            .field("template", &self.template)
            .field("created_before_2026_06_08", &self.created_before_2026_06_08)
            .field("workspaces", &self.workspaces)
            .finish()
    }
}

/// What a connection may do with the pages shared with it. Default: everything, as in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// Read pages and databases.
    pub read_content: bool,
    /// Change pages and databases.
    pub update_content: bool,
    /// Add pages, databases and blocks.
    pub insert_content: bool,
    /// See the people of the workspace.
    pub user_information: UserInformation,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            read_content: true,
            update_content: true,
            insert_content: true,
            user_information: UserInformation::WithEmail,
        }
    }
}

impl Capabilities {
    /// The `scope` of introspection, in the order of Notion's example.
    pub(crate) fn scope(self) -> String {
        let names = [
            (self.read_content, "read_content"),
            (self.insert_content, "insert_content"),
            (self.update_content, "update_content"),
        ];
        names.iter().filter_map(|(has, name)| has.then_some(*name)).collect::<Vec<_>>().join(" ")
    }

    /// What the consent page says the connection can do.
    pub(crate) fn sentences(self) -> Vec<&'static str> {
        let user_information = match self.user_information {
            UserInformation::None => (false, ""),
            UserInformation::WithoutEmail => (true, "See who is in the workspace, without e-mail addresses"),
            UserInformation::WithEmail => (true, "See who is in the workspace, with e-mail addresses"),
        };
        let sentences = [
            (self.read_content, "Read the pages you select"),
            (self.update_content, "Change the pages you select"),
            (self.insert_content, "Add content to the pages you select"),
            user_information,
        ];
        sentences.iter().filter_map(|(has, sentence)| has.then_some(*sentence)).collect()
    }
}

/// The user information capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserInformation {
    /// `GET /v1/users/me` answers 403; the owner in a token response is partial.
    None,
    /// `owner.user.person` is `{}`.
    WithoutEmail,
    /// Everything.
    WithEmail,
}

/// The workspaces a connection may be installed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallationScope {
    /// Any workspace.
    #[default]
    Any,
    /// Selected workspaces only, by id.
    Selected(Vec<String>),
}

impl InstallationScope {
    /// Whether the connection may be installed in this workspace.
    #[must_use]
    pub fn covers(&self, workspace_id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Selected(ids) => ids.iter().any(|id| id == workspace_id),
        }
    }
}
