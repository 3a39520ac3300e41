//! One person's installation in one workspace, and its pair of tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock::UnixMillis;
use shared::ids::{canonical, identifier};
use shared::random::Random;

use crate::notion::{Grant, Owner};
use crate::seal::{Fingerprint, KeyRing, OpenError, Sealed};

/// Identifies an installation: `<workspace id>/user/<user id>`, or `<workspace id>/workspace` if the owner is the
/// workspace itself, which has no user id. The partition key of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationId(String);

/// A sealed pair of tokens, as stored in a row.
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
    /// The previous refresh token, until this pair is known to be alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_refresh: Option<Sealed>,
    /// Notion's id of the authorization.
    pub bot_id: String,
    /// The public connection it belongs to.
    pub client_id: String,
    /// When Notion answered the exchange, in milliseconds since the epoch.
    pub exchanged_at_ms: u64,
    /// When the access token ends, in milliseconds since the epoch, if Notion said so (`expires_in`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Who is refreshing it. Part of the pair, not of the row, so that it moves with the pair when another replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether its refresh token may have been consumed by a refresh whose answer was lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
    /// Whether it is from an installation that was removed before the present one: it must be revoked, and never
    /// becomes current again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_revoke: bool,
    /// Whether its refresh token came from elsewhere, and Notion has not said yet that it is alive: its first use shows
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh_unproven: bool,
}

/// Marks a pair that is being refreshed, or whose refresh was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The attempt that holds it.
    pub holder: String,
    /// When the holder has certainly ended.
    pub until_ms: u64,
}

/// How long before its end an access token is refreshed, in milliseconds; a quarter of its lifetime, if that is less.
const MARGIN_MS: u64 = 120_000;

impl SealedPair {
    /// Whether the access token has ended, according to Notion's `expires_in`.
    #[must_use]
    pub fn has_expired(&self, now: UnixMillis) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now.0)
    }

    /// Whether the access token ends so soon that it should be refreshed before it is used.
    #[must_use]
    pub fn is_about_to_expire(&self, now: UnixMillis) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| {
            let life_ms = expires_at_ms.saturating_sub(self.exchanged_at_ms);
            expires_at_ms.saturating_sub(MARGIN_MS.min(life_ms / 4)) <= now.0
        })
    }

    /// The same tokens, resealed with the newest key of `ring`.
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

    /// Whether Notion may have issued a successor that we do not have.
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
    /// The key of the row that records that the person was forgotten, if they were.
    #[serde(default)]
    pub forgotten_id: String,
    /// The attempt that created it. It lets a write recognize its own earlier success.
    pub attempt: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon.
    pub workspace_icon: Option<String>,
    /// On whose behalf the tokens act.
    pub owner: Owner,
    /// The page that was created from the template.
    pub duplicated_template_id: Option<String>,
    /// Notion's request id of the exchange.
    pub notion_request_id: Option<String>,
    /// The tokens.
    pub pair: SealedPair,
    /// With what the app that asked for it may claim it; absent if no app asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimable: Option<Claimable>,
}

/// What an app needs in order to claim an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimable {
    /// The hash of the code that the browser takes to the app.
    pub code_hash: String,
    /// The code challenge of the app's request, in base64url.
    pub challenge: String,
    /// The installation that the app meant to renew, in its opaque form.
    pub expect: Option<String>,
    /// The row's key, sealed for the flow's claim: it is part of the code.
    pub sealed_key: Sealed,
}

const WORKSPACE: &str = "workspace_id must be Notion's id of the workspace";

/// The workspace that a caller's input names; `None` if it is absent or null.
///
/// # Errors
///
/// What the input must contain.
pub fn workspace_named(input: &Value) -> Result<Option<String>, &'static str> {
    match input.get("workspace_id") {
        None | Some(Value::Null) => Ok(None),
        Some(id) => id.as_str().and_then(identifier).map(|id| Some(canonical(&id))).ok_or(WORKSPACE),
    }
}

impl InstallationId {
    /// The id for a workspace and an owner.
    #[must_use]
    pub fn of(workspace_id: &str, owner: &Owner) -> Self {
        Self::of_user(workspace_id, owner.user_id())
    }

    /// The id for a workspace and one of its users. Without a user, the workspace itself is the owner.
    #[must_use]
    pub fn of_user(workspace_id: &str, user_id: Option<&str>) -> Self {
        let workspace_id = canonical(workspace_id);
        Self(match user_id {
            Some(user_id) => format!("{workspace_id}/user/{}", canonical(user_id)),
            None => format!("{workspace_id}/workspace"),
        })
    }

    /// The installation that a caller's input names.
    ///
    /// # Errors
    ///
    /// What the input must contain.
    pub fn named(input: &Value) -> Result<Self, &'static str> {
        const USER: &str =
            "user_id must be Notion's id of the person, or null if the workspace owns the installation";
        let workspace_id = workspace_named(input).and_then(|id| id.ok_or(WORKSPACE));
        let user_id = match input.get("user_id") {
            Some(Value::Null) => None,
            Some(Value::String(id)) => Some(identifier(id).ok_or(USER)?),
            _ => return Err(USER),
        };
        Ok(Self::of_user(&workspace_id?, user_id.as_deref()))
    }

    /// Whether an answer from Notion that names these is about this installation. What it leaves out is not compared.
    #[must_use]
    pub fn is_of(&self, workspace_id: Option<&str>, user_id: Option<&str>) -> bool {
        let (workspace, owner) = self.0.split_once('/').unwrap_or_default();
        // For an installation that the workspace owns, Notion may still name a person.
        let is_user = |id: &str| {
            owner == "workspace" || owner.strip_prefix("user/").is_some_and(|user| user == canonical(id))
        };
        workspace_id.is_none_or(|id| canonical(id) == workspace) && user_id.is_none_or(is_user)
    }

    /// Its workspace and, unless the workspace owns it, its user.
    #[must_use]
    pub fn parts(&self) -> (&str, Option<&str>) {
        let (workspace_id, owner) = self.0.split_once('/').unwrap_or((&self.0, ""));
        (workspace_id, owner.strip_prefix("user/"))
    }

    /// The form in which a backend gets it: a text that it can keep and send back, and need not understand.
    #[must_use]
    pub fn to_opaque(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Reads the opaque form.
    #[must_use]
    pub fn of_opaque(text: &str) -> Option<Self> {
        let id = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok().map(Self)?;
        let (workspace_id, user_id) = id.parts();
        let valid =
            identifier(workspace_id)? == workspace_id && user_id.is_none_or(|id| identifier(id).is_some());
        (valid && Self::of_user(workspace_id, user_id) == id).then_some(id)
    }

    /// From the key of a row.
    #[must_use]
    pub fn of_row(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The id as stored in the table.
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
                refresh_unproven: false,
            },
            claimable: None,
            id,
        }
    }
}
