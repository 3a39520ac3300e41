//! Parses an installation's row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use shared::clock::UnixMillis;

use super::StoreError;
use super::due::FIRST_LOOK_MS;
use super::item::{Row, binary, insert_text, integer, list, number, sealed, string, text};
use super::pending::Pending;
use crate::installation::{InstallationId, Lease, SealedPair};
use crate::seal::{Fingerprint, KeyVersion, Sealed};
use crate::subject::Subject;

/// How many superseded pairs a row keeps. If a person installs more often before the sweep has dealt with them, the
/// oldest are dropped, and the log says so.
pub const MAX_SUPERSEDED: usize = 20;
/// How many consumed refresh tokens a row remembers.
pub(super) const MAX_USED_UP: usize = 20;

/// Whether an installation can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Yes, as far as we know.
    Active,
    /// It comes from a backup or the rescue queue, or has replaced a dead pair. It is vended only after Notion has said
    /// that it is alive.
    Unverified,
    /// Its grant is dead; the person has to install again.
    NeedsReinstall,
    /// It was uninstalled: a tombstone.
    Removed,
}

impl Health {
    /// The key in rows and answers.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unverified => "unverified",
            Self::NeedsReinstall => "needs_reinstall",
            Self::Removed => "removed",
        }
    }

    fn parse(key: &str) -> Option<Self> {
        [Self::Active, Self::Unverified, Self::NeedsReinstall, Self::Removed]
            .into_iter()
            .find(|health| health.key() == key)
    }
}

/// An installation, as stored in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The row's key.
    pub id: InstallationId,
    /// The public connection that it belongs to.
    pub client_id: String,
    /// Notion's id of the workspace; absent from the tombstone of a person who never installed.
    pub workspace_id: Option<String>,
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The workspace's icon: an emoji or a URL.
    pub workspace_icon: Option<String>,
    /// Notion's id of the person; absent if the workspace owns it.
    pub owner_user_id: Option<String>,
    /// The person's name.
    pub owner_name: Option<String>,
    /// The person's e-mail address.
    pub owner_email: Option<String>,
    /// Whether Notion has verified the address, if it said so.
    pub owner_email_verified: Option<bool>,
    /// The address of the person's picture.
    pub owner_avatar_url: Option<String>,
    /// The page that was created from the template.
    pub duplicated_template_id: Option<String>,
    /// Notion's id of the authorization.
    pub bot_id: Option<String>,
    /// Whether it can be used.
    pub health: Health,
    /// The number of installs.
    pub generation: u64,
    /// The number of writes.
    pub version: u64,
    /// The last install.
    pub installed_at_ms: Option<u64>,
    /// The last refresh.
    pub refreshed_at_ms: Option<u64>,
    /// When Notion last said that the pair is alive.
    pub verified_at_ms: Option<u64>,
    /// The last removal.
    pub removed_at_ms: Option<u64>,
    /// Whether the person asked to be forgotten.
    pub forget: bool,
    /// The current tokens.
    pub pair: Option<SealedPair>,
    /// Pairs that were replaced, until the sweep has dealt with them.
    pub superseded: Vec<SealedPair>,
    /// The consumed refresh tokens, newest last.
    pub used_up: Vec<Fingerprint>,
    /// No refresh before this time.
    pub refresh_after_ms: u64,
    /// When a report of a refused token last led to a new pair.
    pub refused_at_ms: Option<u64>,
    /// When Notion last said after such a report that the access token is alive.
    pub found_alive_at_ms: Option<u64>,
    /// When the sweep looks at it, if it does.
    pub due_at_ms: Option<u64>,
    /// The subjects that it is linked to.
    pub subjects: Vec<Subject>,
    /// The codes with which it may be claimed.
    pub pending: Vec<Pending>,
    /// Since when it is somebody's: no app asked for it, or it was claimed.
    pub owned_since_ms: Option<u64>,
    /// When it is given back, unless it is somebody's by then.
    pub claim_by_ms: Option<u64>,
    /// When the operator last wrote it from a backup.
    pub imported_at_ms: Option<u64>,
    /// When the operator last adopted tokens from elsewhere for it.
    pub adopted_at_ms: Option<u64>,
}

impl Installation {
    /// Every pair that the row holds.
    pub fn pairs(&self) -> impl Iterator<Item = &SealedPair> {
        self.pair.iter().chain(&self.superseded)
    }

    /// Whether an app asked for it and has not claimed it: it is not vended, and given back after the claim window.
    #[must_use]
    pub fn is_unclaimed(&self) -> bool {
        self.claim_by_ms.is_some()
            && self.owned_since_ms.is_none()
            && self.subjects.is_empty()
            && self.health != Health::Removed
    }

    /// The key of its health as callers see it.
    #[must_use]
    pub fn health_key(&self) -> &'static str {
        if self.is_unclaimed() { "unclaimed" } else { self.health.key() }
    }

    /// The row as it is once a subject is linked: somebody's, with these codes, and no longer waiting to be claimed.
    #[must_use]
    pub fn linked(&self, subject: &Subject, pending: Vec<Pending>, now: UnixMillis) -> Self {
        let mut linked = Self { pending, claim_by_ms: None, ..self.clone() };
        if !linked.subjects.contains(subject) {
            linked.subjects.push(subject.clone());
        }
        linked.owned_since_ms = self.owned_since_ms.or(Some(now.0));
        // It was due for being given back. What may be dead is looked at in the sweep's next run.
        if self.due_at_ms.is_none() || self.due_at_ms == self.claim_by_ms {
            let first_look_ms = if self.health == Health::Active { FIRST_LOOK_MS } else { 0 };
            linked.due_at_ms = Some(now.0.saturating_add(first_look_ms));
        }
        linked
    }

    /// The lease on the current tokens.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.pair.as_ref()?.lease.as_ref()
    }

    /// The oldest key that seals anything in the row.
    #[must_use]
    pub fn oldest_key(&self) -> Option<KeyVersion> {
        self.pairs().filter_map(oldest_key).min()
    }

    /// The fingerprint of the refresh token that a refresh would consume.
    #[must_use]
    pub fn refresh_fingerprint(&self) -> Option<&Fingerprint> {
        self.pair.as_ref()?.refresh_fingerprint.as_ref()
    }

    /// Whether it holds this refresh token, or is known to have held it.
    #[must_use]
    pub fn has_had_refresh_token(&self, refresh: &Fingerprint) -> bool {
        let is_it = |pair: &SealedPair| pair.refresh_fingerprint.as_ref() == Some(refresh) && !pair.to_revoke;
        self.pairs().any(is_it) || self.used_up.contains(refresh)
    }

    /// The pair that takes the current one's place if that is dead: the newest superseded pair of this public
    /// connection that is neither consumed nor removed.
    #[must_use]
    pub fn promotion_candidate(&self, client_id: &str) -> Option<&SealedPair> {
        self.superseded.iter().rev().find(|pair| {
            let used_up =
                pair.refresh_fingerprint.as_ref().is_some_and(|refresh| self.used_up.contains(refresh));
            pair.client_id == client_id && !used_up && !pair.to_revoke
        })
    }

    /// Whether it holds the access token with this fingerprint, as its current one or kept aside.
    #[must_use]
    pub fn has_access_token(&self, access_fingerprint: &Fingerprint) -> bool {
        self.pairs().any(|pair| pair.access_fingerprint == *access_fingerprint)
    }

    /// Whether it is not removed and holds this access token. Connections from before 2026-06-08 hand out their
    /// existing token, so one from before a removal may be in use again.
    #[must_use]
    pub fn is_using_access_token(&self, access_fingerprint: &Fingerprint) -> bool {
        self.health != Health::Removed && self.has_access_token(access_fingerprint)
    }

    /// The consumed refresh tokens and `more`, as many as a row remembers.
    #[must_use]
    pub fn used_up_with(&self, more: Option<&Fingerprint>) -> Vec<Fingerprint> {
        let mut used_up: Vec<Fingerprint> = self.used_up.iter().chain(more).cloned().collect();
        used_up.drain(..used_up.len().saturating_sub(MAX_USED_UP));
        used_up
    }
}

/// Reports a superseded pair for which a row had no room.
pub(super) fn report_dropped(bot_id: &str) {
    tracing::error!(alarm = "superseded_dropped", bot_id, "a superseded pair was dropped");
}

/// Fingerprints as stored in a row.
pub(super) fn fingerprints_attribute(fingerprints: &[Fingerprint]) -> AttributeValue {
    AttributeValue::L(fingerprints.iter().map(|fingerprint| string(fingerprint.as_str())).collect())
}

/// The oldest key that seals anything in a pair.
pub(crate) fn oldest_key(pair: &SealedPair) -> Option<KeyVersion> {
    let sealed = [Some(&pair.access), pair.refresh.as_ref(), pair.previous_refresh.as_ref()];
    sealed.into_iter().flatten().filter_map(Sealed::key_version).min()
}

/// The oldest key that seals anything in a row's pairs.
pub(super) fn oldest_key_in(row: &Row) -> Result<Option<KeyVersion>, StoreError> {
    let pairs = list(row, "pair").iter().chain(list(row, "superseded"));
    let oldest = pairs.map(|pair| read_pair(pair).map(|pair| oldest_key(&pair)));
    Ok(oldest.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().min())
}

/// Parses a row.
pub(super) fn read(row: &Row) -> Result<Installation, StoreError> {
    let owned = |name: &str| text(row, name).map(str::to_owned);
    let flag = |name: &str| row.get(name).and_then(|value| value.as_bool().ok()).copied();
    let id = text(row, "installation_id").ok_or(StoreError::Row("installation_id"))?;
    Ok(Installation {
        id: InstallationId::of_row(id),
        client_id: owned("client_id").unwrap_or_default(),
        workspace_id: owned("workspace_id"),
        workspace_name: owned("workspace_name"),
        workspace_icon: owned("workspace_icon"),
        owner_user_id: owned("owner_user_id"),
        owner_name: owned("owner_name"),
        owner_email: owned("owner_email"),
        owner_email_verified: flag("owner_email_verified"),
        owner_avatar_url: owned("owner_avatar_url"),
        duplicated_template_id: owned("duplicated_template_id"),
        bot_id: owned("bot_id"),
        health: text(row, "health").and_then(Health::parse).ok_or(StoreError::Row("health"))?,
        generation: integer(row, "generation").ok_or(StoreError::Row("generation"))?,
        version: integer(row, "version").ok_or(StoreError::Row("version"))?,
        installed_at_ms: integer(row, "installed_at_ms"),
        refreshed_at_ms: integer(row, "refreshed_at_ms"),
        verified_at_ms: integer(row, "verified_at_ms"),
        removed_at_ms: integer(row, "removed_at_ms"),
        forget: flag("forget") == Some(true),
        pair: list(row, "pair").first().map(read_pair).transpose()?,
        superseded: list(row, "superseded").iter().map(read_pair).collect::<Result<_, _>>()?,
        used_up: list(row, "used_up")
            .iter()
            .filter_map(|value| value.as_s().ok())
            .map(|text| Fingerprint::from(text.as_str()))
            .collect(),
        refresh_after_ms: integer(row, "refresh_after_ms").unwrap_or(0),
        refused_at_ms: integer(row, "refused_at_ms"),
        found_alive_at_ms: integer(row, "found_alive_at_ms"),
        due_at_ms: integer(row, "due_at_ms"),
        subjects: read_subjects(row),
        pending: list(row, "pending").iter().map(Pending::read).collect::<Result<_, _>>()?,
        owned_since_ms: integer(row, "owned_since_ms"),
        claim_by_ms: integer(row, "claim_by_ms"),
        imported_at_ms: integer(row, "imported_at_ms"),
        adopted_at_ms: integer(row, "adopted_at_ms"),
    })
}

/// The subjects of a row.
pub(super) fn read_subjects(row: &Row) -> Vec<Subject> {
    list(row, "subjects").iter().filter_map(|text| Subject::parse(text.as_s().ok()?)).collect()
}

fn read_lease(lease: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        holder: text(lease, "holder").ok_or(StoreError::Row("lease"))?.to_owned(),
        until_ms: integer(lease, "until_ms").ok_or(StoreError::Row("lease"))?,
    })
}

/// A lease as stored in a row.
pub(super) fn lease_attribute(lease: &Lease) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("holder".to_owned(), string(&lease.holder)),
        ("until_ms".to_owned(), number(lease.until_ms)),
    ]))
}

fn read_pair(pair: &AttributeValue) -> Result<SealedPair, StoreError> {
    let broken = || StoreError::Row("pair");
    let map = pair.as_m().map_err(|_| broken())?;
    let sealed = |name: &str| sealed(map, name);
    let flag = |name: &str| matches!(map.get(name), Some(AttributeValue::Bool(true)));
    let fingerprint = |name: &str| text(map, name).map(Fingerprint::from);
    Ok(SealedPair {
        access: sealed("access").ok_or_else(broken)?,
        access_fingerprint: fingerprint("access_fingerprint").ok_or_else(broken)?,
        refresh: sealed("refresh"),
        refresh_fingerprint: fingerprint("refresh_fingerprint"),
        previous_refresh: sealed("previous_refresh"),
        bot_id: text(map, "bot_id").unwrap_or_default().to_owned(),
        client_id: text(map, "client_id").unwrap_or_default().to_owned(),
        exchanged_at_ms: integer(map, "exchanged_at_ms").ok_or_else(broken)?,
        expires_at_ms: integer(map, "expires_at_ms"),
        lease: map.get("lease").and_then(|value| value.as_m().ok()).map(read_lease).transpose()?,
        in_doubt: flag("in_doubt"),
        to_revoke: flag("to_revoke"),
        refresh_unproven: flag("refresh_unproven"),
    })
}

/// A pair as stored in a row.
pub(super) fn pair_attribute(pair: &SealedPair) -> AttributeValue {
    let mut map = HashMap::from([
        ("access".to_owned(), binary(pair.access.as_bytes())),
        ("access_fingerprint".to_owned(), string(pair.access_fingerprint.as_str())),
        ("bot_id".to_owned(), string(&pair.bot_id)),
        ("client_id".to_owned(), string(&pair.client_id)),
        ("exchanged_at_ms".to_owned(), number(pair.exchanged_at_ms)),
    ]);
    let optional = [("refresh", &pair.refresh), ("previous_refresh", &pair.previous_refresh)];
    for (name, sealed) in optional {
        if let Some(sealed) = sealed {
            map.insert(name.to_owned(), binary(sealed.as_bytes()));
        }
    }
    if let Some(expires_at_ms) = pair.expires_at_ms {
        map.insert("expires_at_ms".to_owned(), number(expires_at_ms));
    }
    if let Some(lease) = &pair.lease {
        map.insert("lease".to_owned(), lease_attribute(lease));
    }
    for (name, is_set) in [
        ("in_doubt", pair.in_doubt),
        ("to_revoke", pair.to_revoke),
        ("refresh_unproven", pair.refresh_unproven),
    ] {
        if is_set {
            map.insert(name.to_owned(), AttributeValue::Bool(true));
        }
    }
    insert_text(&mut map, "refresh_fingerprint", pair.refresh_fingerprint.as_ref().map(Fingerprint::as_str));
    AttributeValue::M(map)
}
