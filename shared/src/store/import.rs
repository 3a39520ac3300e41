//! Rows that come from a backup: an exported file, or a table that was restored.
//!
//! Their tokens may have been used up since, their people may have installed again, uninstalled or been forgotten. So
//! nothing of such a row counts before Notion has confirmed it, and nothing that happened since is undone.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, ConditionCheck, Put, TransactWriteItem};
use tokio::time::Instant;

use super::item::{Row, integer, number, string, text};
use super::row::{self, Health, Installation};
use super::update::CONFLICT_WAIT_MS;
use super::{IN_PASSING, Store, StoreError, due, failed, not_built};
use crate::budget::until;
use crate::clock::UnixMillis;
use crate::seal::{KeyRing, OpenError};

/// What stands in the place of a person who was forgotten begins so: see [`KeyRing::forgotten_id`].
const FORGOTTEN: &str = "forgotten/";

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It is in the table.
    Written,
    /// The row that stands is newer, and stays.
    KeptNewer,
    /// Its person was forgotten since.
    Forgotten,
    /// It is no row of ours: why.
    Unreadable(String),
}

/// A row, ready to be written.
#[derive(Debug, Clone, PartialEq)]
enum Prepared {
    /// A person is forgotten.
    Forgotten { row: Row, removed_at_ms: u64 },
    /// An installation, or the tombstone of one.
    Installation {
        row: Row,
        /// The version that it had.
        version: u64,
        /// When it was installed or, after that, removed.
        since_ms: u64,
        forgotten_id: String,
    },
}

/// The row that stands is older: it was written less often, and what it says was so before.
const OLDER: &str = "attribute_not_exists(installation_id) OR (version < :version \
    AND (attribute_not_exists(exchanged_at_ms) OR exchanged_at_ms <= :since_ms) \
    AND (attribute_not_exists(removed_at_ms) OR removed_at_ms < :since_ms))";

/// The person was not forgotten since.
const NOT_FORGOTTEN: &str = "attribute_not_exists(installation_id) OR removed_at_ms < :since_ms";

/// Whether the row of this key says that somebody is forgotten. Such rows are imported first: they keep others out.
#[must_use]
pub fn says_forgotten(row_key: &str) -> bool {
    row_key.starts_with(FORGOTTEN)
}

/// Makes a row ready to be written, or says why it is none.
fn prepare(mut row: Row, ring: &KeyRing, now: UnixMillis) -> Result<Prepared, String> {
    let read = row::read(&row).map_err(|error| error.to_string())?;
    if says_forgotten(read.id.as_str()) {
        let removed_at_ms = read.removed_at_ms.ok_or("a row has no readable removed_at_ms")?;
        return Ok(Prepared::Forgotten { row, removed_at_ms });
    }
    opens(&read, ring).map_err(|error| error.to_string())?;
    for name in ["due_at_ms", "due_shard", "refresh_after_ms", "seal_shard"] {
        row.remove(name);
    }
    // Whoever refreshed it when the backup was made has gone long since.
    if let Some(AttributeValue::L(pairs)) = row.get_mut("pair") {
        for pair in pairs {
            if let AttributeValue::M(pair) = pair {
                pair.remove("lease");
            }
        }
    }
    if read.health == Health::Active {
        row.insert("health".to_owned(), string(Health::Unverified.key()));
    }
    // A tombstone whose tokens went back has nothing that the sweep could do.
    if read.health != Health::Removed || read.forget || read.pairs().next().is_some() {
        let due = due::due_attributes(&read.id, now.0);
        row.extend(due.map(|(name, value)| (name.to_owned(), value)));
    }
    if let Some(oldest) = read.oldest_key() {
        row.insert("seal_shard".to_owned(), string(&due::seal_shard(&read.id, oldest)));
    }
    row.insert("version".to_owned(), number(read.version.saturating_add(1)));
    let exchanged_at_ms = integer(&row, "exchanged_at_ms").or(read.installed_at_ms).unwrap_or(0);
    Ok(Prepared::Installation {
        row,
        version: read.version,
        since_ms: exchanged_at_ms.max(read.removed_at_ms.unwrap_or(0)),
        forgotten_id: ring.forgotten_id(read.id.as_str()),
    })
}

/// Whether the current tokens were sealed for this very row, with this very ring: those of another stack are not.
fn opens(row: &Installation, ring: &KeyRing) -> Result<(), OpenError> {
    let Some(pair) = &row.pair else { return Ok(()) };
    ring.open_access(row.id.as_str(), &pair.access)?;
    if let Some(refresh) = &pair.refresh {
        ring.open_refresh(row.id.as_str(), refresh)?;
    }
    Ok(())
}

impl Store {
    /// Writes a row that comes from a backup, unless the one that stands is newer (with `overwrite`, whatever stands) or
    /// its person was forgotten since. What is vended of it, Notion has confirmed before.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may be written then. To repeat it is safe.
    pub async fn import(
        &self,
        row: HashMap<String, AttributeValue>,
        ring: &KeyRing,
        overwrite: bool,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<Imported, StoreError> {
        let writes = match prepare(row, ring, now) {
            Err(reason) => return Ok(Imported::Unreadable(reason)),
            Ok(Prepared::Forgotten { row, removed_at_ms }) => {
                let put = Put::builder()
                    .table_name(&self.installations_table)
                    .set_item(Some(row))
                    .condition_expression(NOT_FORGOTTEN)
                    .expression_attribute_values(":since_ms", number(removed_at_ms));
                vec![TransactWriteItem::builder().put(put.build().map_err(not_built)?).build()]
            }
            Ok(Prepared::Installation { mut row, version, since_ms, forgotten_id }) => {
                let mut put = Put::builder().table_name(&self.installations_table);
                if overwrite {
                    // Versions only grow: a write that saw the row before must not take it for the one it saw.
                    let standing = self.version_of(&row, deadline).await?.unwrap_or(0);
                    row.insert("version".to_owned(), number(version.max(standing).saturating_add(1)));
                } else {
                    put = put
                        .condition_expression(OLDER)
                        .expression_attribute_values(":version", number(version))
                        .expression_attribute_values(":since_ms", number(since_ms));
                }
                let put = put.set_item(Some(row)).build().map_err(not_built)?;
                let check = ConditionCheck::builder()
                    .table_name(&self.installations_table)
                    .key("installation_id", string(&forgotten_id))
                    .condition_expression(NOT_FORGOTTEN)
                    .expression_attribute_values(":since_ms", number(since_ms))
                    .build()
                    .map_err(not_built)?;
                vec![
                    TransactWriteItem::builder().put(put).build(),
                    TransactWriteItem::builder().condition_check(check).build(),
                ]
            }
        };
        until(deadline, Box::pin(self.write_imported(writes))).await?
    }

    /// Sends it; again while another transaction is in the way.
    async fn write_imported(&self, writes: Vec<TransactWriteItem>) -> Result<Imported, StoreError> {
        loop {
            let sent =
                self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = sent else { return Ok(Imported::Written) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(failed(&error));
            };
            let reasons = cancelled.cancellation_reasons();
            let is = |index: usize, code: &str| {
                reasons.get(index).and_then(CancellationReason::code).is_some_and(|reason| reason == code)
            };
            if is(1, "ConditionalCheckFailed") {
                return Ok(Imported::Forgotten);
            }
            if is(0, "ConditionalCheckFailed") {
                return Ok(Imported::KeptNewer);
            }
            if !IN_PASSING.iter().any(|code| is(0, code) || is(1, code)) {
                return Err(failed(&error));
            }
            tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
        }
    }

    async fn version_of(&self, row: &Row, deadline: Instant) -> Result<Option<u64>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.installations_table)
            .key("installation_id", string(text(row, "installation_id").unwrap_or_default()))
            .consistent_read(true)
            .send();
        let answer = until(deadline, get).await?.map_err(|error| failed(&error))?;
        Ok(answer.item().and_then(|row| integer(row, "version")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::{Grant, Lease, Owner};
    use crate::random::OsRandom;
    use crate::seal::with_next_key;
    use crate::secret::KeyRingText;
    use crate::secret::{AccessToken, RefreshToken};
    use crate::store::row::pair_attribute;

    const RING: &str = r#"{"seed":"0123456789abcdefghijklmnopqrstuvwxyz"}"#;
    const NOW: UnixMillis = UnixMillis(9000);

    fn ring() -> KeyRing {
        KeyRing::parse(RING).unwrap()
    }

    fn pair(ring: &KeyRing) -> AttributeValue {
        let grant = Grant {
            access_token: AccessToken::parse("ntn_access").unwrap(),
            refresh_token: Some(RefreshToken::parse("nrt_refresh").unwrap()),
            bot_id: "bot".to_owned(),
            workspace_id: "w".to_owned(),
            workspace_name: None,
            workspace_icon: None,
            owner: Owner::Workspace,
            duplicated_template_id: None,
            request_id: None,
        };
        let mut pair = grant.seal("client", "attempt", UnixMillis(1000), ring, &OsRandom).pair;
        pair.lease = Some(Lease { holder: "somebody".to_owned(), until_ms: 2000 });
        pair_attribute(&pair)
    }

    fn row(health: &str, pairs: Vec<AttributeValue>) -> Row {
        HashMap::from([
            ("installation_id".to_owned(), string("w/workspace")),
            ("health".to_owned(), string(health)),
            ("generation".to_owned(), number(1)),
            ("version".to_owned(), number(7)),
            ("exchanged_at_ms".to_owned(), number(1000)),
            ("installed_at_ms".to_owned(), number(1000)),
            ("due_shard".to_owned(), string("z")),
            ("due_at_ms".to_owned(), number(1)),
            ("seal_shard".to_owned(), string("1/z")),
            ("refresh_after_ms".to_owned(), number(3000)),
            ("pair".to_owned(), AttributeValue::L(pairs)),
            ("of_another_release".to_owned(), string("stays")),
        ])
    }

    fn prepared(row: Row, ring: &KeyRing) -> (Row, u64) {
        match prepare(row, ring, NOW) {
            Ok(Prepared::Installation { row, version: 7, since_ms, forgotten_id }) => {
                assert_eq!(forgotten_id, ring.forgotten_id("w/workspace"));
                (row, since_ms)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_of_a_backup_counts_before_notion_has_confirmed_it() {
        for (health, then) in [
            ("active", "unverified"),
            ("unverified", "unverified"),
            ("needs_reinstall", "needs_reinstall"),
            ("removed", "removed"),
        ] {
            let (row, since_ms) = prepared(row(health, vec![pair(&ring())]), &ring());
            assert_eq!((text(&row, "health"), since_ms), (Some(then), 1000));
            let kept = row["pair"].as_l().unwrap()[0].as_m().unwrap();
            assert!(!kept.contains_key("lease") && !row.contains_key("refresh_after_ms"), "{row:?}");
            assert_eq!((integer(&row, "due_at_ms"), integer(&row, "version")), (Some(NOW.0), Some(8)));
            let shard = due::shard_of("w/workspace");
            assert_eq!(text(&row, "due_shard"), Some(shard.as_str()));
            assert_eq!(text(&row, "seal_shard"), Some(format!("1/{shard}").as_str()));
            assert_eq!(text(&row, "of_another_release"), Some("stays"));
        }
    }

    #[test]
    fn a_tombstone_without_tokens_is_left_to_itself_and_one_with_a_wish_is_not() {
        let mut tombstone = row("removed", Vec::new());
        tombstone.insert("removed_at_ms".to_owned(), number(5000));
        let (done, since_ms) = prepared(tombstone.clone(), &ring());
        assert!(
            !["due_shard", "due_at_ms", "seal_shard"].iter().any(|name| done.contains_key(*name)),
            "{done:?}"
        );
        assert_eq!(since_ms, 5000, "a removal is newer than the install before it");
        tombstone.insert("forget".to_owned(), AttributeValue::Bool(true));
        assert_eq!(integer(&prepared(tombstone, &ring()).0, "due_at_ms"), Some(NOW.0));
    }

    #[test]
    fn the_oldest_seal_says_where_a_row_stands() {
        let (rotated, _) = with_next_key(&KeyRingText::parse(RING).unwrap(), &OsRandom).unwrap();
        let rotated = KeyRing::parse(rotated.expose()).unwrap();
        let mut both = row("active", vec![pair(&rotated)]);
        let shard = due::shard_of("w/workspace");
        let (alone, _) = prepared(both.clone(), &rotated);
        assert_eq!(text(&alone, "seal_shard"), Some(format!("2/{shard}").as_str()));
        both.insert("superseded".to_owned(), AttributeValue::L(vec![pair(&ring())]));
        let (both, _) = prepared(both, &rotated);
        assert_eq!(text(&both, "seal_shard"), Some(format!("1/{shard}").as_str()));
    }

    #[test]
    fn what_is_no_row_of_this_stack_is_not_imported() {
        let without = |name: &str| {
            let mut row = row("active", vec![pair(&ring())]);
            row.remove(name);
            row
        };
        for name in ["installation_id", "health", "generation", "version"] {
            let reason = prepare(without(name), &ring(), NOW).unwrap_err();
            assert!(reason.contains(name), "{reason}");
        }
        let other = KeyRing::parse(&RING.replace("0123", "3210")).unwrap();
        assert!(prepare(row("active", vec![pair(&other)]), &ring(), NOW).is_err(), "another stack's ring");
        let mut moved = row("active", vec![pair(&ring())]);
        moved.insert("installation_id".to_owned(), string("w/user/u"));
        assert!(prepare(moved, &ring(), NOW).is_err(), "another row's tokens");
    }

    #[test]
    fn who_is_forgotten_stays_forgotten_as_they_are() {
        let forgotten: Row = HashMap::from([
            ("installation_id".to_owned(), string(&ring().forgotten_id("w/workspace"))),
            ("health".to_owned(), string("removed")),
            ("generation".to_owned(), number(1)),
            ("version".to_owned(), number(3)),
            ("removed_at_ms".to_owned(), number(5000)),
        ]);
        assert!(says_forgotten(&ring().forgotten_id("w/workspace")) && !says_forgotten("w/workspace"));
        let as_it_is = Prepared::Forgotten { row: forgotten.clone(), removed_at_ms: 5000 };
        assert_eq!(prepare(forgotten, &ring(), NOW), Ok(as_it_is));
    }
}
