//! What Notion issues for an authorization code and for a refresh token.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::clock::UnixMillis;
use shared::secret::{AccessToken, RefreshToken};

use super::error::NotionAnswer;

/// On whose behalf the tokens act (`owner` in the token response).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Owner {
    /// A person.
    User {
        /// Notion's user id.
        user_id: String,
        /// The person's name, if Notion gives it.
        name: Option<String>,
        /// The person's e-mail address, if the connection may see it.
        email: Option<String>,
        /// Whether Notion says that the address is verified.
        email_verified: Option<bool>,
        /// The person's picture.
        avatar_url: Option<String>,
    },
    /// The workspace.
    Workspace,
}

impl Owner {
    /// Notion's user id, if it is a person.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::User { user_id, .. } => Some(user_id),
            Self::Workspace => None,
        }
    }
}

/// What Notion issued for a code: both tokens and everything that came with them.
#[derive(Debug)]
pub struct Grant {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token; older connections do not get one.
    pub refresh_token: Option<RefreshToken>,
    /// Notion's id for this authorization. May change when the person installs again.
    pub bot_id: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon: a URL or an emoji.
    pub workspace_icon: Option<String>,
    /// On whose behalf the tokens act.
    pub owner: Owner,
    /// The page that was created from the template, if it was duplicated.
    pub duplicated_template_id: Option<String>,
    /// The lifetime of the access token, if Notion said so.
    pub expires_in: Option<Duration>,
    /// Notion's request id of the exchange.
    pub request_id: Option<String>,
}

/// What Notion issued for a refresh token.
#[derive(Debug)]
pub struct Renewed {
    /// The access token.
    pub access_token: AccessToken,
    /// The new refresh token. Without one, the old one stays in use.
    pub refresh_token: Option<RefreshToken>,
    /// Notion's id for the authorization, if the answer has it.
    pub bot_id: Option<String>,
    /// The workspace, if the answer has it.
    pub workspace_id: Option<String>,
    /// The person, if the answer has it.
    pub user_id: Option<String>,
    /// The lifetime of the access token, if the answer has it.
    pub expires_in: Option<Duration>,
    /// The answer.
    pub answer: NotionAnswer,
}

/// What Notion says about a token (RFC 7662 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Introspection {
    /// Whether it is alive, and this connection's.
    pub active: bool,
    /// When it was issued, if the answer says so.
    pub issued_at: Option<UnixMillis>,
}

/// Whose an access token is.
#[derive(Debug)]
pub struct Me {
    /// Notion's id of the bot that it acts as.
    pub bot_id: String,
    /// The workspace's id, if the answer has it.
    pub workspace_id: Option<String>,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// On whose behalf it acts.
    pub owner: Owner,
}
