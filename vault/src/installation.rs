//! One person's installation in one workspace, and the pair of tokens it leaves us.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock::UnixMillis;
use shared::ids::{canonical, identifier};
use shared::random::Random;

use crate::notion::{Grant, Owner};
use crate::seal::{Fingerprint, KeyRing, OpenError, Sealed};

/// Names an installation: `<workspace id>/user/<user id>`, or `<workspace id>/workspace` when the owner is the
/// workspace itself and so has no user id. The partition key of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationId(String);

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
    /// The refresh token before it, until the present pair is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_refresh: Option<Sealed>,
    /// The authorization it belongs to.
    pub bot_id: String,
    /// The public connection it belongs to.
    pub client_id: String,
    /// When Notion answered the exchange, in milliseconds since the epoch.
    pub exchanged_at_ms: u64,
    /// When the access token ends, in milliseconds since the epoch, if Notion said so (`expires_in`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Who refreshes it. Here and not in the row, so that it goes where the pair goes when another takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether its refresh token may have been used up by a refresh whose answer nobody has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
    /// Whether its installation was removed before the present one was made: it has to go back, and is in line for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_revoke: bool,
}

/// The in-row marker: somebody is refreshing, or was cut off while they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Their attempt.
    pub holder: String,
    /// When they are certainly gone.
    pub until_ms: u64,
}

/// How long before its end an access token is refreshed, in milliseconds; a quarter of its life, if that is less.
const MARGIN_MS: u64 = 120_000;

impl SealedPair {
    /// Whether the access token has ended, by what Notion said of it.
    #[must_use]
    pub fn has_expired(&self, now: UnixMillis) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now.0)
    }

    /// Whether the access token has so little time left that it is to be refreshed before it is used.
    #[must_use]
    pub fn is_about_to_expire(&self, now: UnixMillis) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| {
            let life_ms = expires_at_ms.saturating_sub(self.exchanged_at_ms);
            expires_at_ms.saturating_sub(MARGIN_MS.min(life_ms / 4)) <= now.0
        })
    }

    /// The same tokens, sealed again under the newest key of `ring`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] of the first token that does not open.
    pub fn rewrap(&self, row_key: &str, ring: &KeyRing, random: &dyn Random) -> Result<Self, OpenError> {
        let refresh = |sealed: &Option<Sealed>| -> Result<Option<Sealed>, OpenError> {
            let token = sealed.as_ref().map(|sealed| ring.open_refresh(row_key, sealed)).transpose()?;
            Ok(token.map(|token| ring.seal_refresh(row_key, &token, random).0))
        };
        let access = ring.open_access(row_key, &self.access)?;
        Ok(Self {
            access: ring.seal_access(row_key, &access, random).0,
            refresh: refresh(&self.refresh)?,
            previous_refresh: refresh(&self.previous_refresh)?,
            ..self.clone()
        })
    }

    /// Whether Notion may hold a successor of it that nobody knows.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.in_doubt || self.lease.is_some()
    }
}

/// A new installation, sealed and ready to be stored, or to wait in the rescue queue. Holds no plain token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewInstallation {
    /// Its row.
    pub id: InstallationId,
    /// The row that would say that the person is forgotten.
    #[serde(default)]
    pub forgotten_id: String,
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
        Self::of_user(workspace_id, owner.user_id())
    }

    /// The id for a workspace and a user of it; without a user, the workspace itself is the owner.
    #[must_use]
    pub fn of_user(workspace_id: &str, user_id: Option<&str>) -> Self {
        let workspace_id = canonical(workspace_id);
        Self(match user_id {
            Some(user_id) => format!("{workspace_id}/user/{}", canonical(user_id)),
            None => format!("{workspace_id}/workspace"),
        })
    }

    /// The installation that a caller of ours names.
    ///
    /// # Errors
    ///
    /// What has to be there.
    pub fn named(input: &Value) -> Result<Self, &'static str> {
        const WORKSPACE: &str = "workspace_id must be Notion's id of the workspace";
        const USER: &str =
            "user_id must be Notion's id of the person, or null if the workspace owns the installation";
        let workspace_id = input.get("workspace_id").and_then(Value::as_str).and_then(identifier);
        let user_id = match input.get("user_id") {
            Some(Value::Null) => None,
            Some(Value::String(id)) => Some(identifier(id).ok_or(USER)?),
            _ => return Err(USER),
        };
        Ok(Self::of_user(&workspace_id.ok_or(WORKSPACE)?, user_id.as_deref()))
    }

    /// Whether an answer of Notion's that names these is about this installation; what it leaves out is not held
    /// against it.
    #[must_use]
    pub fn is_of(&self, workspace_id: Option<&str>, user_id: Option<&str>) -> bool {
        let (workspace, owner) = self.0.split_once('/').unwrap_or_default();
        // Of a workspace's own, Notion may name a person all the same.
        let is_user = |id: &str| {
            owner == "workspace" || owner.strip_prefix("user/").is_some_and(|user| user == canonical(id))
        };
        workspace_id.is_none_or(|id| canonical(id) == workspace) && user_id.is_none_or(is_user)
    }

    /// Takes a row's key.
    #[must_use]
    pub fn of_row(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The id as the table has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
            forgotten_id: ring.forgotten_id(id.as_str()),
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
                previous_refresh: None,
                bot_id: self.bot_id.clone(),
                client_id: client_id.to_owned(),
                exchanged_at_ms: exchanged_at.0,
                expires_at_ms: self.expires_in.map(|life| exchanged_at.plus(life).0),
                lease: None,
                in_doubt: false,
                to_revoke: false,
            },
            id,
        }
    }
}
