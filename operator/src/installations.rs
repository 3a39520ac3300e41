//! Who has installed, from consistent reads of the tables. Tokens stay sealed.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};
use shared::ids::canonical;
use vault::installation::{InstallationId, SealedPair};
use vault::seal::{Fingerprint, Sealed};
use vault::store::Installation;
use vault::subject::Subject;

use crate::aws::Aws;
use crate::keys;
use crate::outcome::{Failure, Outcome, plain};
use crate::stack::Stack;
use crate::tables::{of_subject, of_workspace, sealed_with, soon, store};

/// Which installations to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// One person's.
    Of(InstallationId),
    /// Those of the bot that an alarm names.
    OfBot(String),
    /// Those of a user of the app.
    OfSubject(Subject),
}

/// Which installations to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// All that have tokens.
    All,
    /// Those of a workspace.
    OfWorkspace(String),
    /// Those of a user of the app.
    OfSubject(Subject),
}

/// The subject named on the command line.
///
/// # Errors
///
/// [`Failure::Misused`] with what is expected.
pub fn subject(name: &str) -> Result<Subject, Failure> {
    let expected = "a subject has 1 to 256 bytes and no control characters";
    Subject::parse(name).ok_or_else(|| Failure::Misused(expected.to_owned()))
}

/// The installation named on the command line.
///
/// # Errors
///
/// [`Failure::Misused`] with what is expected.
pub fn named(workspace_id: &str, user_id: &str) -> Result<InstallationId, Failure> {
    InstallationId::named(&input(workspace_id, user_id))
        .map_err(|expected| Failure::Misused(format!("{expected}; on the command line, use - for null")))
}

/// The same, as input for a function.
pub(crate) fn input(workspace_id: &str, user_id: &str) -> Value {
    json!({"workspace_id": workspace_id, "user_id": (user_id != "-").then_some(user_id)})
}

/// One line per installation.
///
/// # Errors
///
/// [`Failure`].
pub async fn list(aws: &Aws, stack: &Stack, which: &Listed) -> Result<Outcome, Failure> {
    let store = store(aws, stack)?;
    let mut ids = Vec::new();
    match which {
        Listed::OfWorkspace(id) => ids = of_workspace(&store, &canonical(id)).await?,
        Listed::OfSubject(subject) => ids = of_subject(&store, subject).await?,
        Listed::All => {
            for version in keys::read(aws, stack).await?.ring.versions() {
                ids.extend(sealed_with(&store, version).await?);
            }
        }
    }
    let (mut lines, mut rows, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for id in &ids {
        match store.read_installation(id, soon()).await {
            Ok(Some(row)) => {
                lines.push(line(&row));
                rows.push(fields(&row, BRIEF));
            }
            // Deleted since the index was read.
            Ok(None) => {}
            Err(error) if error.is_of_the_row() => {
                lines.push(format!("{}: {error}", plain(id.as_str())));
                unreadable.push(json!({"installation_id": id.as_str(), "error": error.to_string()}));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let needs_you = !unreadable.is_empty();
    lines.push(format!("{} installations", rows.len()));
    let json = json!({"installations": rows, "unreadable": unreadable});
    Ok(Outcome::unless(needs_you, lines.join("\n"), json))
}

/// Everything in a row except tokens.
///
/// # Errors
///
/// [`Failure`].
pub async fn show(aws: &Aws, stack: &Stack, which: &Which) -> Result<Outcome, Failure> {
    let store = store(aws, stack)?;
    let ids = match which {
        Which::Of(id) => vec![id.clone()],
        Which::OfBot(bot_id) => store.of_bot(bot_id, soon()).await?.keys,
        Which::OfSubject(subject) => of_subject(&store, subject).await?,
    };
    let (mut blocks, mut rows) = (Vec::new(), Vec::new());
    for id in &ids {
        if let Some(row) = store.read_installation(id, soon()).await? {
            blocks.push(block(&row));
            rows.push(fields(&row, |_| true));
        }
    }
    if rows.is_empty() {
        let whom = match which {
            Which::Of(id) => id.as_str(),
            Which::OfBot(bot_id) => bot_id,
            Which::OfSubject(subject) => subject.as_str(),
        };
        return Err(Failure::Refused(format!("there is no installation of {}", plain(whom))));
    }
    Ok(Outcome::well(blocks.join("\n\n"), json!({"installations": rows})))
}

/// The fields shown in a list.
const BRIEF: fn(&str) -> bool = |name| {
    matches!(
        name,
        "workspace_name"
            | "workspace_id"
            | "owner_name"
            | "owner_user_id"
            | "health"
            | "generation"
            | "refreshed_at"
            | "subjects"
            | "verified_at"
    )
};

fn line(row: &Installation) -> String {
    let named = |name: Option<&String>, id: Option<&String>| {
        let id = id.map_or("-", String::as_str);
        plain(&name.map_or_else(|| id.to_owned(), |name| format!("{name} ({id})")))
    };
    let day =
        |at_ms: Option<u64>| at_ms.map_or_else(|| "never".to_owned(), |at_ms| moment(at_ms)[..10].to_owned());
    let subjects: Vec<String> = row.subjects.iter().map(|subject| plain(subject.as_str())).collect();
    let of = if subjects.is_empty() { String::new() } else { format!(", of {}", subjects.join(", ")) };
    format!(
        "{:<15} {}, {}: generation {}, refreshed {}, verified {}{of}",
        health_of(row),
        named(row.workspace_name.as_ref(), row.workspace_id.as_ref()),
        named(row.owner_name.as_ref(), row.owner_user_id.as_ref()),
        row.generation,
        day(row.refreshed_at_ms),
        day(row.verified_at_ms),
    )
}

fn block(row: &Installation) -> String {
    let lines = all(row).into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), plain);
        format!("{name:<20} {value}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn fields(row: &Installation, wanted: fn(&str) -> bool) -> Map<String, Value> {
    let wanted = all(row).into_iter().filter(|(name, _)| wanted(name));
    wanted.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Everything except tokens: of a seal its key version, of a token its fingerprint.
fn all(row: &Installation) -> Vec<(&'static str, Value)> {
    let at = |at_ms: Option<u64>| at_ms.map(moment).into();
    let pair = row.pair.as_ref();
    let fingerprint = pair.map(|pair| pair.access_fingerprint.as_str());
    let refresh_fingerprint = row.refresh_fingerprint().map(Fingerprint::as_str);
    let key_versions: Vec<u32> = pair.map(key_versions_of).unwrap_or_default();
    let superseded: Vec<Value> = row
        .superseded
        .iter()
        .map(|pair| {
            json!({
                "bot_id": pair.bot_id,
                "fingerprint": pair.access_fingerprint.as_str(),
                "key_versions": key_versions_of(pair),
            })
        })
        .collect();
    vec![
        ("installation_id", row.id.as_str().into()),
        ("workspace_name", row.workspace_name.clone().into()),
        ("workspace_id", row.workspace_id.clone().into()),
        ("owner_name", row.owner_name.clone().into()),
        ("owner_user_id", row.owner_user_id.clone().into()),
        ("bot_id", row.bot_id.clone().into()),
        ("client_id", row.client_id.clone().into()),
        ("health", health_of(row).into()),
        ("subjects", row.subjects.iter().map(Subject::as_str).collect()),
        ("codes", row.pending.len().into()),
        ("claim_by", at(row.claim_by_ms)),
        ("owned_since", at(row.owned_since_ms)),
        ("adopted_at", at(row.adopted_at_ms)),
        ("generation", row.generation.into()),
        ("version", row.version.into()),
        ("installed_at", at(row.installed_at_ms)),
        ("refreshed_at", at(row.refreshed_at_ms)),
        ("verified_at", at(row.verified_at_ms)),
        ("removed_at", at(row.removed_at_ms)),
        ("forget", row.forget.into()),
        ("due_at", at(row.due_at_ms)),
        ("refresh_after", at((row.refresh_after_ms > 0).then_some(row.refresh_after_ms))),
        ("lease_holder", row.lease().map(|lease| lease.holder.clone()).into()),
        ("lease_until", at(row.lease().map(|lease| lease.until_ms))),
        ("fingerprint", fingerprint.into()),
        ("refresh_fingerprint", refresh_fingerprint.into()),
        ("refresh_token", pair.map(refresh_token_of).into()),
        ("key_versions", key_versions.into()),
        ("used_up", row.used_up.len().into()),
        ("superseded", superseded.into()),
    ]
}

fn health_of(row: &Installation) -> &'static str {
    if row.is_unclaimed() { "unclaimed" } else { row.health.key() }
}

/// What is known of a pair's refresh token.
fn refresh_token_of(pair: &SealedPair) -> &'static str {
    match (&pair.refresh, pair.refresh_unproven) {
        (None, _) => "none",
        (Some(_), true) => "unproven",
        (Some(_), false) => "issued",
    }
}

fn key_versions_of(pair: &SealedPair) -> Vec<u32> {
    let seals = [Some(&pair.access), pair.refresh.as_ref(), pair.previous_refresh.as_ref()];
    let versions = seals.into_iter().flatten().filter_map(Sealed::key_version);
    let mut versions: Vec<u32> = versions.map(|version| version.0).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Formats milliseconds since the epoch as a date and time in UTC.
pub(crate) fn moment(at_ms: u64) -> String {
    let secs = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    DateTime::from_secs(secs).fmt(Format::DateTime).unwrap_or_else(|_| format!("{at_ms} ms since 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(moment(1_795_305_600_999), "2026-11-22T00:00:00Z");
        assert!(moment(u64::MAX).len() > 10);
    }

    #[test]
    fn an_owner_that_is_the_workspace_is_a_dash() {
        assert_eq!(named("w", "-").unwrap().as_str(), "w/workspace");
        assert_eq!(named("w", "u").unwrap().as_str(), "w/user/u");
        assert!(matches!(named("w", "a b"), Err(Failure::Misused(_))));
        assert!(matches!(named("", "u"), Err(Failure::Misused(_))));
    }
}
