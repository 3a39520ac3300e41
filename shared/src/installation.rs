//! One person's installation in one workspace, and the pair of tokens it leaves us.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::config::canonical_uuid;
use crate::random::Random;
use crate::seal::{Fingerprint, KeyRing, Sealed};
use crate::secret::{AccessToken, RefreshToken};

/// Names an installation: `<workspace id>/user/<user id>`, or `<workspace id>/workspace` when the owner is the
/// workspace itself and so has no user id. The partition key of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationId(String);

/// For whom the tokens act (`owner` in the token response).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Owner {
    /// A person.
    User {
        /// Notion's user id.
        user_id: String,
        /// The person's name, where Notion gives it.
        name: Option<String>,
        /// The person's e-mail address, where the connection may see it.
        email: Option<String>,
        /// Whether Notion says that the address is verified.
        email_verified: Option<bool>,
        /// The person's picture.
        avatar_url: Option<String>,
    },
    /// The workspace.
    Workspace,
}

/// What Notion issued for a code: both tokens and everything that came with them (§1.5 of the reference).
#[derive(Debug)]
pub struct Grant {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token; older connections get none.
    pub refresh_token: Option<RefreshToken>,
    /// Notion's id for this authorization. May change when the person installs again.
    pub bot_id: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon: a URL or an emoji.
    pub workspace_icon: Option<String>,
    /// For whom the tokens act.
    pub owner: Owner,
    /// The page that the template became, if one was duplicated.
    pub duplicated_template_id: Option<String>,
    /// Notion's id of the exchange.
    pub request_id: Option<String>,
}

/// A pair of tokens, sealed, as it stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPair {
    /// The access token.
    pub access: Sealed,
    /// The access token's fingerprint.
    pub access_fingerprint: Fingerprint,
    /// The refresh token, if there is one.
    pub refresh: Option<Sealed>,
    /// The refresh token's fingerprint.
    pub refresh_fingerprint: Option<Fingerprint>,
    /// The authorization it belongs to.
    pub bot_id: String,
    /// The public connection it belongs to.
    pub client_id: String,
    /// When Notion answered the exchange, in milliseconds since the epoch.
    pub exchanged_at_ms: u64,
}

/// A new installation, sealed and ready to be stored, or to wait in the rescue queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewInstallation {
    /// Its row.
    pub id: InstallationId,
    /// The attempt that made it: a write recognises itself by it.
    pub attempt: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon.
    pub workspace_icon: Option<String>,
    /// For whom the tokens act.
    pub owner: Owner,
    /// The page that the template became.
    pub duplicated_template_id: Option<String>,
    /// Notion's id of the exchange.
    pub notion_request_id: Option<String>,
    /// The tokens.
    pub pair: SealedPair,
}

impl InstallationId {
    /// The id for a workspace and an owner.
    #[must_use]
    pub fn of(workspace_id: &str, owner: &Owner) -> Self {
        let workspace_id = canonical(workspace_id);
        Self(match owner {
            Owner::User { user_id, .. } => format!("{workspace_id}/user/{}", canonical(user_id)),
            Owner::Workspace => format!("{workspace_id}/workspace"),
        })
    }

    /// The id as the table has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An id in its one spelling, if it is a UUID; else as it is.
#[must_use]
pub fn canonical(id: &str) -> String {
    canonical_uuid(id).unwrap_or_else(|| id.to_owned())
}

impl Grant {
    /// Seals the tokens for their row.
    #[must_use]
    pub fn seal(
        &self,
        client_id: &str,
        attempt: &str,
        exchanged_at: UnixMillis,
        ring: &KeyRing,
        random: &dyn Random,
    ) -> NewInstallation {
        let id = InstallationId::of(&self.workspace_id, &self.owner);
        let (access, access_fingerprint) = ring.seal_access(id.as_str(), &self.access_token, random);
        let (refresh, refresh_fingerprint) =
            self.refresh_token.as_ref().map(|token| ring.seal_refresh(id.as_str(), token, random)).unzip();
        NewInstallation {
            attempt: attempt.to_owned(),
            workspace_id: canonical(&self.workspace_id),
            workspace_name: self.workspace_name.clone(),
            workspace_icon: self.workspace_icon.clone(),
            owner: self.owner.clone(),
            duplicated_template_id: self.duplicated_template_id.clone(),
            notion_request_id: self.request_id.clone(),
            pair: SealedPair {
                access,
                access_fingerprint,
                refresh,
                refresh_fingerprint,
                bot_id: self.bot_id.clone(),
                client_id: client_id.to_owned(),
                exchanged_at_ms: exchanged_at.0,
            },
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uuid_is_one_id_however_it_is_written() {
        let dashed = "463558a3-725e-4f37-b6d3-0889894f68de";
        for written in [dashed, "463558a3725e4f37b6d30889894f68de", "463558A3-725E-4F37-B6D3-0889894F68DE"] {
            assert_eq!(canonical(written), dashed);
        }
        assert_eq!(canonical("not-a-uuid"), "not-a-uuid");
    }
}
