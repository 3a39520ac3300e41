//! Installation rows: their attributes, and what an install may do to an existing row.
//!
//! - `installation_id` (S, key): see `InstallationId`
//! - `pair` (L of at most one M): the current tokens, sealed, with fingerprints; `expires_at_ms` if Notion said so;
//!   `lease` (`holder`, `until_ms`) while they are being refreshed; `in_doubt` after a refresh whose answer was lost;
//!   `to_revoke` if they were removed; `refresh_unproven` if they came from elsewhere and were not refreshed since
//! - `superseded` (L of M): pairs that later installs replaced, kept until the sweep has dealt with them
//! - `exchanged_at_ms` (N): orders installs: an older exchange never replaces a newer one
//! - `written_by` (S): the attempt of the last install, by which it recognizes its own earlier success
//! - `generation`, `version` (N): count installs and writes
//! - `health` (S): `active`, `unverified`, `needs_reinstall`, `removed`
//! - `verified_at_ms`, `refreshed_at_ms` (N): when Notion last said that the pair is alive; the last refresh
//! - `client_id` (S); `first_installed_at_ms`, `installed_at_ms` (N): the first and the last install
//! - `refresh_after_ms` (N): no refresh before this time
//! - `refused_at_ms`, `found_alive_at_ms` (N): when a report of a refused token last led to a new pair; when Notion
//!   last said after such a report that the token is alive
//! - `used_up` (L of S): fingerprints of the consumed refresh tokens, newest last
//! - `needs_reinstall_at_ms` (N): when the grant was found dead
//! - `removed_at_ms`, `forget` (N, BOOL): the last removal, even after a later install: nothing that was exchanged
//!   before it is saved; on a tombstone, whether the person asked to be forgotten
//! - `due_shard`, `due_at_ms`, `seal_shard` (S, N, S): see `due`
//! - `subjects` (L of S): the subjects that it is linked to; see `links`
//! - `pending` (L of M): the codes with which an app may claim it; see `pending`
//! - `owned_since_ms` (N): since when it is somebody's: a person installed without an app, or an app has claimed it
//! - `claim_by_ms` (N): an app asked for it, and unless it is somebody's by then, it is given back
//! - `imported_at_ms` (N): when the operator last wrote it from a backup
//! - `adopted_at_ms` (N): when the operator last adopted tokens from elsewhere for it; see `adopt`
//!
//! The other attributes are what Notion said, under Notion's names. The pair is a list so that one update can move it
//! aside without reading it first (`list_append`).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use shared::clock::UnixMillis;

use super::item::{Row, insert_text, integer, list, number, string, text};
use super::pending::{MAX_PENDING, Pending};
use super::row::{self, MAX_SUPERSEDED, MAX_USED_UP, oldest_key, oldest_key_in, pair_attribute};
use super::{StoreError, due};
use crate::installation::NewInstallation;
use crate::notion::Owner;
use crate::seal::Fingerprint;
use crate::subject::Subject;

/// Attributes that follow Notion's newest answer, which may also leave them out. `duplicated_template_id` is not among
/// them: once duplicated, a template stays in the workspace.
const OPTIONAL: [&str; 8] = [
    "workspace_name",
    "workspace_icon",
    "owner_user_id",
    "owner_name",
    "owner_email",
    "owner_email_verified",
    "owner_avatar_url",
    "notion_request_id",
];

/// When the fast path may write without having read the row: there is none, or it is plainly older.
pub(super) const PLAINLY_OLDER: &str = "attribute_not_exists(installation_id) OR (\
    health <> :removed AND health <> :needs_reinstall AND exchanged_at_ms < :exchanged_at_ms \
    AND (attribute_not_exists(removed_at_ms) OR removed_at_ms < :exchanged_at_ms) \
    AND size(superseded) < :max_superseded AND seal_shard = :seal_shard \
    AND pair[0].access_fingerprint <> :access_fingerprint)";
/// In addition, for a pair with a refresh token: the row neither holds that token nor has consumed it.
pub(super) const REFRESH_TOKEN_IS_NEW: &str = "attribute_not_exists(installation_id) OR (\
    NOT contains(used_up, :refresh_fingerprint) AND (attribute_not_exists(pair[0].refresh_fingerprint) \
    OR pair[0].refresh_fingerprint <> :refresh_fingerprint))";

/// In addition, if the person was forgotten once: the row's generation is not lower than it was then.
pub(super) const GENERATION_GOES_ON: &str =
    "attribute_not_exists(generation) OR generation >= :generation_before";

/// In addition, for an install that an app asked for: it is new, known to be somebody's, or known to be nobody's. Rows of
/// earlier versions say neither.
pub(super) const OWNERSHIP_IS_KNOWN: &str = "attribute_not_exists(installation_id) OR (\
    (attribute_exists(owned_since_ms) OR attribute_exists(claim_by_ms)) \
    AND (attribute_not_exists(pending) OR size(pending) < :max_pending))";

/// Attributes that describe the current pair, and are removed when another one takes its place.
pub(super) const OF_THE_PAIR_BEFORE: [&str; 4] =
    ["found_alive_at_ms", "needs_reinstall_at_ms", "refresh_after_ms", "refused_at_ms"];

/// The terms of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether the grant comes straight from Notion. An install from the rescue queue may have been revoked in the
    /// meantime. It is `unverified` until Notion has said that it is alive, and due immediately.
    pub prompt: bool,
    /// Until when the app's code is valid.
    pub code_expires_at: UnixMillis,
    /// When an installation that an app asked for is given back if nobody has claimed it.
    pub claim_by: UnixMillis,
}

/// Attributes that say whose an installation is. They end with it.
pub(super) const OF_THE_OWNER: [&str; 4] = ["claim_by_ms", "owned_since_ms", "pending", "subjects"];

/// What an install does to a row that the fast path did not write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// It is our own write, whose reply was lost.
    AlreadyWritten,
    /// Write this row, if it still has this version.
    Write {
        row: Row,
        if_version: u64,
        /// Whether our pair is current. Otherwise it is kept beside a newer one.
        current: bool,
        /// The bots of superseded pairs for which there was no room.
        dropped_bots: Vec<String>,
        /// The subjects of an installation that was removed: their links go with it.
        dropped_subjects: Vec<Subject>,
    },
    /// The installation was removed after our exchange.
    TombstoneWins,
}

/// The attributes that an install sets. A grant that is not saved promptly may be revoked: Notion is asked first.
pub(super) fn facts(install: &NewInstallation, terms: &Terms) -> Row {
    let prompt = terms.prompt;
    let mut row = HashMap::from([
        ("client_id".to_owned(), string(&install.pair.client_id)),
        ("workspace_id".to_owned(), string(&install.workspace_id)),
        ("bot_id".to_owned(), string(&install.pair.bot_id)),
        ("health".to_owned(), string(if prompt { "active" } else { "unverified" })),
        ("exchanged_at_ms".to_owned(), number(install.pair.exchanged_at_ms)),
        ("verified_at_ms".to_owned(), number(install.pair.exchanged_at_ms)),
        ("written_by".to_owned(), string(&install.attempt)),
    ]);
    let first_look_ms = match install.claimable {
        _ if !prompt => 0,
        Some(_) => terms.claim_by.0,
        None => install.pair.exchanged_at_ms.saturating_add(due::FIRST_LOOK_MS),
    };
    row.extend(due::due_attributes(&install.id, first_look_ms).map(|(name, value)| (name.to_owned(), value)));
    insert_text(&mut row, "workspace_name", install.workspace_name.as_deref());
    insert_text(&mut row, "workspace_icon", install.workspace_icon.as_deref());
    insert_text(&mut row, "duplicated_template_id", install.duplicated_template_id.as_deref());
    insert_text(&mut row, "notion_request_id", install.notion_request_id.as_deref());
    match &install.owner {
        Owner::Workspace => {
            row.insert("owner_type".to_owned(), string("workspace"));
        }
        Owner::User { user_id, name, email, email_verified, avatar_url } => {
            row.insert("owner_type".to_owned(), string("user"));
            row.insert("owner_user_id".to_owned(), string(user_id));
            insert_text(&mut row, "owner_name", name.as_deref());
            insert_text(&mut row, "owner_email", email.as_deref());
            insert_text(&mut row, "owner_avatar_url", avatar_url.as_deref());
            if let Some(verified) = email_verified {
                row.insert("owner_email_verified".to_owned(), AttributeValue::Bool(*verified));
            }
        }
    }
    row
}

/// The optional attributes that `facts` leaves out.
pub(super) fn absent(facts: &Row) -> impl Iterator<Item = &'static str> {
    OPTIONAL.into_iter().filter(|name| !facts.contains_key(*name))
}

fn is_pair_of(pair: &AttributeValue, access_fingerprint: &Fingerprint) -> bool {
    pair.as_m().is_ok_and(|map| text(map, "access_fingerprint") == Some(access_fingerprint.as_str()))
}

/// Decides what `install` does to `standing`, a row that is not plainly older. `generation_before` is the generation of
/// a person who was forgotten, or 0.
pub(super) fn decide(
    standing: &Row,
    install: &NewInstallation,
    terms: &Terms,
    generation_before: u64,
) -> Result<Decision, StoreError> {
    if text(standing, "written_by") == Some(&install.attempt) {
        return Ok(Decision::AlreadyWritten);
    }
    let ours = &install.pair;
    let is_ours = |pair: &AttributeValue| is_pair_of(pair, &ours.access_fingerprint);
    let if_version = integer(standing, "version").ok_or(StoreError::Row("version"))?;
    let removed_at_ms = integer(standing, "removed_at_ms").unwrap_or(0);
    let health = text(standing, "health");
    // Even if there was another install since that removal.
    if removed_at_ms >= ours.exchanged_at_ms {
        return Ok(Decision::TombstoneWins);
    }
    let mut row = standing.clone();
    let mut superseded = list(standing, "superseded").to_vec();
    let mut dead = None;
    let mut current = list(standing, "pair").first();
    let mut due_at_once = !terms.prompt;
    let mut dropped_subjects = Vec::new();
    match health {
        // What was removed is still to be revoked at Notion, and never becomes current again.
        Some("removed") => {
            dropped_subjects = row::read_subjects(standing);
            for name in OF_THE_OWNER {
                row.remove(name);
            }
            superseded.extend(current.take().cloned());
            superseded.iter_mut().for_each(mark_to_revoke);
            due_at_once |= !superseded.is_empty();
        }
        // A dead pair is not kept, and its refresh token is not sent again.
        Some("needs_reinstall") => {
            dead = current.filter(|pair| !is_ours(pair)).and_then(refresh_fingerprint_of);
        }
        _ => {}
    }
    let standing_is_newer = integer(standing, "exchanged_at_ms").is_some_and(|at| at > ours.exchanged_at_ms);
    // Older connections hand out their existing pair. One whose refresh token we have consumed since is nothing new.
    let used_up = ours.refresh_fingerprint.as_ref().is_some_and(|refresh| {
        let used_up = list(standing, "used_up");
        used_up.iter().any(|used| used.as_s().is_ok_and(|used| used == refresh.as_str()))
    });
    // A dead pair gives way to any pair that may be alive.
    let keeps_current =
        current.is_some() && health != Some("needs_reinstall") && (standing_is_newer || used_up);
    let pair = match current {
        // Connections from before 2026-06-08 hand out their existing token. It is the same grant: nothing is
        // superseded, and an earlier refresh token is kept.
        Some(current) if is_ours(current) && keeps_current => {
            with_refresh_of(current.clone(), &pair_attribute(ours))
        }
        Some(current) if is_ours(current) => with_refresh_of(pair_attribute(ours), current),
        // Its successor is, or was, in the row: there is nothing to keep.
        Some(current) if keeps_current && used_up => current.clone(),
        // A later exchange was saved before us: its pair stays, ours is kept aside and checked by the sweep.
        Some(current) if keeps_current => {
            superseded.retain(|pair| !is_ours(pair));
            superseded.push(pair_attribute(ours));
            current.clone()
        }
        Some(current) if health != Some("needs_reinstall") => {
            superseded.push(current.clone());
            pair_attribute(ours)
        }
        _ => pair_attribute(ours),
    };
    if let Some(dead) = dead {
        let mut used_up = list(standing, "used_up").to_vec();
        used_up.push(string(dead.as_str()));
        used_up.drain(..used_up.len().saturating_sub(MAX_USED_UP));
        row.insert("used_up".to_owned(), AttributeValue::L(used_up));
    }
    if !keeps_current {
        // The pair that becomes current must not be superseded too: revoking superseded pairs would kill it.
        superseded.retain(|pair| !is_ours(pair));
        let facts = facts(install, terms);
        for name in absent(&facts) {
            row.remove(name);
        }
        row.extend(facts);
        // Also if it replaces a dead pair of a later exchange.
        let exchanged_at_ms = integer(standing, "exchanged_at_ms").unwrap_or(0).max(ours.exchanged_at_ms);
        row.insert("exchanged_at_ms".to_owned(), number(exchanged_at_ms));
        if due_at_once {
            row.extend(due::due_attributes(&install.id, 0).map(|(name, value)| (name.to_owned(), value)));
        }
        for name in OF_THE_PAIR_BEFORE.into_iter().chain(["forget"]) {
            row.remove(name);
        }
        let generation = integer(standing, "generation").unwrap_or(0).max(generation_before);
        row.insert("generation".to_owned(), number(generation + 1));
        row.insert("installed_at_ms".to_owned(), number(ours.exchanged_at_ms));
        row.entry("first_installed_at_ms".to_owned()).or_insert_with(|| number(ours.exchanged_at_ms));
    }
    own(&mut row, standing, install, terms);
    let surplus = superseded.len().saturating_sub(MAX_SUPERSEDED);
    let bot_of =
        |pair: AttributeValue| pair.as_m().ok().and_then(|map| text(map, "bot_id").map(str::to_owned));
    let dropped_bots = superseded.drain(..surplus).filter_map(bot_of).collect();
    row.insert("pair".to_owned(), AttributeValue::L(vec![pair]));
    row.insert("superseded".to_owned(), AttributeValue::L(superseded));
    if let Some(oldest) = oldest_key_in(&row)? {
        row.insert("seal_shard".to_owned(), string(&due::seal_shard(&install.id, oldest)));
    }
    if !row.contains_key("due_at_ms") {
        let first_look_ms = ours.exchanged_at_ms.saturating_add(due::FIRST_LOOK_MS);
        let due = due::due_attributes(&install.id, first_look_ms);
        row.extend(due.map(|(name, value)| (name.to_owned(), value)));
    }
    row.insert("version".to_owned(), number(if_version + 1));
    Ok(Decision::Write { row, if_version, current: !keeps_current, dropped_bots, dropped_subjects })
}

/// Whose the installation is from now on. `row` is what is written over `standing`.
fn own(row: &mut Row, standing: &Row, install: &NewInstallation, terms: &Terms) {
    let owned_since_ms = number(install.pair.exchanged_at_ms);
    let Some(claimable) = &install.claimable else {
        row.entry("owned_since_ms".to_owned()).or_insert(owned_since_ms);
        row.remove("claim_by_ms");
        return;
    };
    let mut pending = list(row, "pending").to_vec();
    pending.push(Pending::of(claimable, terms.code_expires_at).attribute());
    pending.drain(..pending.len().saturating_sub(MAX_PENDING));
    row.insert("pending".to_owned(), AttributeValue::L(pending));
    let nobodys = standing.contains_key("claim_by_ms") && !standing.contains_key("owned_since_ms");
    let was_active = matches!(text(standing, "health"), Some("active" | "unverified")) && !nobodys;
    if was_active || !list(row, "subjects").is_empty() {
        row.entry("owned_since_ms".to_owned()).or_insert(owned_since_ms);
        return;
    }
    row.remove("owned_since_ms");
    row.insert("claim_by_ms".to_owned(), number(terms.claim_by.0));
    if integer(row, "due_at_ms").is_none_or(|due_at_ms| due_at_ms > terms.claim_by.0) {
        let due = due::due_attributes(&install.id, terms.claim_by.0);
        row.extend(due.map(|(name, value)| (name.to_owned(), value)));
    }
}

fn refresh_fingerprint_of(pair: &AttributeValue) -> Option<Fingerprint> {
    pair.as_m().ok().and_then(|map| text(map, "refresh_fingerprint")).map(Fingerprint::from)
}

fn mark_to_revoke(pair: &mut AttributeValue) {
    if let AttributeValue::M(pair) = pair {
        pair.insert("to_revoke".to_owned(), AttributeValue::Bool(true));
    }
}

/// The partition of an install in the index `sealed`.
pub(super) fn seal_shard(install: &NewInstallation) -> AttributeValue {
    let oldest = oldest_key(&install.pair).unwrap_or(crate::seal::KeyVersion(1));
    string(&due::seal_shard(&install.id, oldest))
}

/// Merges two answers about one grant: `pair`, with the refresh token that only the other one had. A refresh in flight
/// stays in flight.
fn with_refresh_of(mut pair: AttributeValue, other: &AttributeValue) -> AttributeValue {
    const OF_THE_REFRESH: [&str; 2] = ["lease", "in_doubt"];
    const TOKEN: [&str; 3] = ["refresh", "refresh_fingerprint", "refresh_unproven"];
    if let (AttributeValue::M(pair), Ok(other)) = (&mut pair, other.as_m()) {
        let token = if pair.contains_key("refresh") { &[][..] } else { &TOKEN[..] };
        for name in OF_THE_REFRESH.iter().chain(token) {
            if let Some(value) = other.get(*name) {
                pair.insert((*name).to_owned(), value.clone());
            }
        }
    }
    pair
}

#[cfg(test)]
mod tests;
