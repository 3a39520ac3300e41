//! Installation rows: their attributes, and what an install may do to a row that stands.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `installation_id` | S, key | see `InstallationId` |
//! | `pair` | L of at most one M | the current tokens, sealed, with fingerprints |
//! | `superseded` | L of M | pairs that later installs replaced, kept until the sweep has dealt with them |
//! | `exchanged_at_ms` | N | orders installs: an older exchange never replaces a newer one |
//! | `written_by` | S | the attempt of the last install: recognises its own lost success |
//! | `generation`, `version` | N | every install; every write |
//! | `health` | S | `active`, `needs_reinstall`, `removed` |
//! | `removed_at_ms` | N | on a tombstone |
//!
//! The rest is what Notion said, under Notion's names. The pair is a list so that one update can move it aside
//! without reading it first (`list_append`).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::StoreError;
use super::item::{Row, binary, insert_text, integer, list, number, string, text};
use crate::installation::{NewInstallation, Owner, SealedPair};
use crate::seal::Fingerprint;

/// How many superseded pairs a row keeps. A person who installs more often before the sweep comes by loses the
/// oldest from the row, and the log says so.
pub const MAX_SUPERSEDED: usize = 20;

/// Attributes that the newest answer of Notion decides, also by leaving them out. `duplicated_template_id` is not
/// among them: a template duplicated once stays in the workspace.
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

/// When the fast path may write without having seen the row: there is none, or it is plainly older.
pub(super) const PLAINLY_OLDER: &str = "attribute_not_exists(installation_id) OR (\
    health = :active AND exchanged_at_ms < :exchanged_at_ms AND size(superseded) < :max_superseded \
    AND pair[0].access_fingerprint <> :access_fingerprint)";

/// What an install has to do with a row that the fast path did not write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// It is our own write, whose reply was lost.
    AlreadyWritten,
    /// Write this row, if it still has this version.
    Write {
        row: Row,
        if_version: u64,
        /// Whether the row is ours now; else our pair was kept beside a newer one.
        current: bool,
        /// The bots of superseded pairs for which there was no more room.
        dropped_bots: Vec<String>,
    },
    /// Somebody removed the installation after our exchange.
    TombstoneWins,
}

/// The attributes that an install sets.
pub(super) fn facts(install: &NewInstallation) -> Row {
    let mut row = HashMap::from([
        ("client_id".to_owned(), string(&install.pair.client_id)),
        ("workspace_id".to_owned(), string(&install.workspace_id)),
        ("bot_id".to_owned(), string(&install.pair.bot_id)),
        ("health".to_owned(), string("active")),
        ("exchanged_at_ms".to_owned(), number(install.pair.exchanged_at_ms)),
        ("written_by".to_owned(), string(&install.attempt)),
    ]);
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

/// A pair as a row has it.
pub(super) fn pair_attribute(pair: &SealedPair) -> AttributeValue {
    let mut map = HashMap::from([
        ("access".to_owned(), binary(pair.access.as_bytes())),
        ("access_fingerprint".to_owned(), string(pair.access_fingerprint.as_str())),
        ("bot_id".to_owned(), string(&pair.bot_id)),
        ("client_id".to_owned(), string(&pair.client_id)),
        ("exchanged_at_ms".to_owned(), number(pair.exchanged_at_ms)),
    ]);
    if let Some(refresh) = &pair.refresh {
        map.insert("refresh".to_owned(), binary(refresh.as_bytes()));
    }
    insert_text(&mut map, "refresh_fingerprint", pair.refresh_fingerprint.as_ref().map(Fingerprint::as_str));
    AttributeValue::M(map)
}

/// Whether a row holds the token with this fingerprint.
pub(super) fn holds_token(row: &Row, access_fingerprint: &Fingerprint) -> bool {
    list(row, "pair").iter().chain(list(row, "superseded")).any(|pair| is_pair_of(pair, access_fingerprint))
}

fn is_pair_of(pair: &AttributeValue, access_fingerprint: &Fingerprint) -> bool {
    pair.as_m().is_ok_and(|map| text(map, "access_fingerprint") == Some(access_fingerprint.as_str()))
}

/// Decides what `install` does to `standing`, a row that is not plainly older.
pub(super) fn decide(standing: &Row, install: &NewInstallation) -> Result<Decision, StoreError> {
    if text(standing, "written_by") == Some(&install.attempt) {
        return Ok(Decision::AlreadyWritten);
    }
    let ours = &install.pair;
    let is_ours = |pair: &AttributeValue| is_pair_of(pair, &ours.access_fingerprint);
    let if_version = integer(standing, "version").ok_or(StoreError::Row("version"))?;
    let removed_at_ms = integer(standing, "removed_at_ms").unwrap_or(0);
    if text(standing, "health") == Some("removed") && removed_at_ms >= ours.exchanged_at_ms {
        return Ok(Decision::TombstoneWins);
    }
    let mut row = standing.clone();
    let mut superseded = list(standing, "superseded").to_vec();
    let current = list(standing, "pair").first();
    let standing_is_newer = integer(standing, "exchanged_at_ms").is_some_and(|at| at > ours.exchanged_at_ms);
    let keeps_current = standing_is_newer && current.is_some();
    let pair = match current {
        // Connections from before 2026-06-08 hand out the token that they gave before. It is one grant: nothing is
        // superseded, and a refresh token that came with it once is not thrown away.
        Some(current) if is_ours(current) && keeps_current => {
            with_refresh_of(current.clone(), &pair_attribute(ours))
        }
        Some(current) if is_ours(current) => with_refresh_of(pair_attribute(ours), current),
        // A later exchange was saved before us: its pair stays, ours is kept aside and checked by the sweep.
        Some(current) if keeps_current => {
            superseded.retain(|pair| !is_ours(pair));
            superseded.push(pair_attribute(ours));
            current.clone()
        }
        Some(current) => {
            superseded.push(current.clone());
            pair_attribute(ours)
        }
        None => pair_attribute(ours),
    };
    if !keeps_current {
        // What becomes current here is not superseded too: whoever revokes superseded pairs would kill it.
        superseded.retain(|pair| !is_ours(pair));
        let facts = facts(install);
        for name in absent(&facts) {
            row.remove(name);
        }
        row.extend(facts);
        row.remove("removed_at_ms");
        let generation = integer(standing, "generation").unwrap_or(0);
        row.insert("generation".to_owned(), number(generation + 1));
        row.insert("installed_at_ms".to_owned(), number(ours.exchanged_at_ms));
    }
    let surplus = superseded.len().saturating_sub(MAX_SUPERSEDED);
    let bot_of =
        |pair: AttributeValue| pair.as_m().ok().and_then(|map| text(map, "bot_id").map(str::to_owned));
    let dropped_bots = superseded.drain(..surplus).filter_map(bot_of).collect();
    row.insert("pair".to_owned(), AttributeValue::L(vec![pair]));
    row.insert("superseded".to_owned(), AttributeValue::L(superseded));
    row.insert("version".to_owned(), number(if_version + 1));
    Ok(Decision::Write { row, if_version, current: !keeps_current, dropped_bots })
}

/// One grant, told twice: `pair`, with the refresh token that only the other telling had.
fn with_refresh_of(mut pair: AttributeValue, other: &AttributeValue) -> AttributeValue {
    if let (AttributeValue::M(pair), Ok(other)) = (&mut pair, other.as_m())
        && !pair.contains_key("refresh")
    {
        for name in ["refresh", "refresh_fingerprint"] {
            if let Some(value) = other.get(name) {
                pair.insert(name.to_owned(), value.clone());
            }
        }
    }
    pair
}

#[cfg(test)]
mod tests;
