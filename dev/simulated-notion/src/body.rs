//! Success bodies, with their fields in the order in which Notion sends them.

use serde::Serialize;
use serde_json::Value;

use crate::connection::UserInformation;
use crate::inspect::Introspection;
use crate::notion::Notion;
use crate::settings::{OwnerShape, WorkspaceIcon};
use crate::token::Issued;

/// A token response (RFC 6749 §5.1 with Notion's fields), in the order seen live on 2026-08-29.
#[derive(Debug, Serialize)]
pub(crate) struct TokenBody {
    access_token: String,
    token_type: &'static str,
    refresh_token: Option<String>,
    bot_id: String,
    workspace_name: Option<String>,
    workspace_icon: Option<String>,
    workspace_id: String,
    owner: Owner,
    duplicated_template_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(flatten)]
    extra: Option<Extra>,
}

/// An introspection response.
#[derive(Debug, Serialize)]
pub(crate) struct IntrospectionBody {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    request_id: String,
    #[serde(flatten)]
    extra: Option<Extra>,
}

/// The answer to a revocation.
#[derive(Debug, Serialize)]
pub(crate) struct RevocationBody {
    request_id: String,
    #[serde(flatten)]
    extra: Option<Extra>,
}

/// The bot user of `GET /v1/users/me`.
#[derive(Debug, Serialize)]
pub(crate) struct MeBody {
    object: &'static str,
    id: String,
    name: String,
    avatar_url: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    bot: Bot,
    request_id: String,
    #[serde(flatten)]
    extra: Option<Extra>,
}

#[derive(Debug, Serialize)]
struct Bot {
    owner: Owner,
    workspace_name: Option<String>,
    workspace_id: String,
}

#[derive(Debug, Serialize)]
struct Owner {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<bool>,
}

#[derive(Debug, Serialize)]
struct User {
    object: &'static str,
    id: String,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    name: Option<String>,
    avatar_url: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    person: Email,
}

#[derive(Debug, Default, Serialize)]
struct Email {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// Fields that no client knows.
#[derive(Debug, Serialize)]
struct Extra {
    simulated_future_field: Value,
}

impl Notion {
    pub(crate) fn token_body(&self, issued: Issued, request_id: &str) -> TokenBody {
        let grant = &self.memory.grants[issued.grant];
        TokenBody {
            access_token: issued.access_token,
            token_type: "bearer",
            refresh_token: issued.refresh_token,
            bot_id: grant.bot_id.clone(),
            workspace_name: self.workspace_name(&grant.workspace_id),
            workspace_icon: self.workspace_icon(&grant.workspace_id),
            workspace_id: grant.workspace_id.clone(),
            owner: self.owner(issued.grant),
            duplicated_template_id: issued.duplicated_template_id,
            request_id: self.settings.request_id_in_token_response.then(|| request_id.to_owned()),
            expires_in: self.settings.access_token_lifetime_secs.filter(|_| self.settings.sends_expires_in),
            extra: self.extra(),
        }
    }

    pub(crate) fn introspection_body(&self, found: Introspection, request_id: &str) -> IntrospectionBody {
        let Introspection { active, scope, iat } = found;
        IntrospectionBody { active, scope, iat, request_id: request_id.to_owned(), extra: self.extra() }
    }

    /// `None` if the settings ask for an empty body.
    pub(crate) fn revocation_body(&self, request_id: &str) -> Option<RevocationBody> {
        let body = RevocationBody { request_id: request_id.to_owned(), extra: self.extra() };
        (!self.settings.revoke_answers_empty_body).then_some(body)
    }

    pub(crate) fn me_body(&self, grant_at: usize, request_id: &str) -> MeBody {
        let grant = &self.memory.grants[grant_at];
        MeBody {
            object: "user",
            id: grant.bot_id.clone(),
            name: self.connection(&grant.client_id).map(|known| known.name.clone()).unwrap_or_default(),
            avatar_url: None,
            kind: "bot",
            bot: Bot {
                owner: self.owner(grant_at),
                workspace_name: self.workspace_name(&grant.workspace_id),
                workspace_id: grant.workspace_id.clone(),
            },
            request_id: request_id.to_owned(),
            extra: self.extra(),
        }
    }

    fn workspace_name(&self, workspace_id: &str) -> Option<String> {
        let name = self.workspace(workspace_id).and_then(|workspace| workspace.name.clone());
        name.filter(|_| !self.settings.workspace_name_is_null)
    }

    fn workspace_icon(&self, workspace_id: &str) -> Option<String> {
        match self.settings.workspace_icon {
            WorkspaceIcon::AsConfigured => self.workspace(workspace_id)?.icon.clone(),
            WorkspaceIcon::Emoji => Some("🧪".to_owned()),
            WorkspaceIcon::Url => Some("https://example.org/icon.png".to_owned()),
            WorkspaceIcon::Null => None,
        }
    }

    fn extra(&self) -> Option<Extra> {
        let simulated_future_field = serde_json::json!({ "nested": [1, null, "text"] });
        self.settings.extra_fields.then_some(Extra { simulated_future_field })
    }

    fn owner(&self, grant_at: usize) -> Owner {
        let grant = &self.memory.grants[grant_at];
        let connection = self.connection(&grant.client_id);
        let shape = match (self.settings.owner, connection.map(|known| known.capabilities.user_information)) {
            (OwnerShape::ByCapabilities, Some(UserInformation::None) | None) => OwnerShape::Partial,
            (OwnerShape::ByCapabilities, Some(UserInformation::WithoutEmail)) => OwnerShape::WithoutEmail,
            (OwnerShape::ByCapabilities, Some(UserInformation::WithEmail)) => OwnerShape::Full,
            (forced, _) => forced,
        };
        match shape {
            OwnerShape::Workspace => Owner { kind: Some("workspace"), user: None, workspace: Some(true) },
            OwnerShape::LegacyWorkspaceWithoutType => Owner { kind: None, user: None, workspace: Some(true) },
            _ => Owner {
                kind: (shape != OwnerShape::LegacyUserWithoutType).then_some("user"),
                user: Some(User {
                    object: "user",
                    id: grant.person_id.clone(),
                    details: self.details(&grant.workspace_id, &grant.person_id, shape),
                }),
                workspace: None,
            },
        }
    }

    fn details(&self, workspace_id: &str, person_id: &str, shape: OwnerShape) -> Option<Details> {
        if shape == OwnerShape::Partial {
            return None;
        }
        let (_, person) = self.member(workspace_id, person_id)?;
        let email = Email { email: Some(person.email.clone()), email_verified: self.settings.email_verified };
        Some(Details {
            name: person.name.clone().filter(|_| shape != OwnerShape::WithoutName),
            avatar_url: person.avatar_url.clone(),
            kind: "person",
            person: if shape == OwnerShape::WithoutEmail { Email::default() } else { email },
        })
    }
}
