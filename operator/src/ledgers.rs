//! The ledgers of onboardings in a backup. A ledger says what was made in a person's workspace: without it, whoever
//! installs again gets everything twice.
//!
//! Like an installation's row, it undoes nothing that happened since: it is written only where there is none, and not
//! for somebody who was forgotten since.

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use shared::clock::UnixMillis;
use tokio::time::sleep;
use vault::installation::InstallationId;
use vault::onboarding::{LedgerStep, OnboardingFailure, OnboardingStatus};
use vault::seal::KeyRing;

use crate::aws::{Aws, in_words};
use crate::outcome::Failure;
use crate::rows::Row;
use crate::stack::Stack;

/// The key of a ledger, and of the pace of all onboardings.
const KEY: &str = "onboarding_id";
const PACE: &str = "pace";
/// How often a transaction is tried that others are in the way of, and the time between, in milliseconds.
const TRIES: u32 = 50;
const CONFLICT_WAIT_MS: u64 = 100;

/// The result of importing a ledger.
pub(crate) enum Imported {
    /// It is in the table.
    Written,
    /// There is one, which stays.
    Kept,
    /// There is no installation of this person, or they were forgotten since.
    OfNobody,
    /// It is no ledger. The reason.
    Unreadable(&'static str),
}

/// The key of a ledger; `None` if the row is something else.
pub(crate) fn key_of(row: &Row) -> Option<&str> {
    text(row, KEY)
}

/// Whether the row is the pace of the stack's onboardings, which belongs into no backup.
pub(crate) fn is_pace(row: &Row) -> bool {
    key_of(row) == Some(PACE)
}

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

fn number(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok())
}

fn digits(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Checks that the functions can read it.
fn check(row: &Row) -> Result<(), &'static str> {
    let id = InstallationId::of_row(key_of(row).unwrap_or_default());
    if InstallationId::of_opaque(&id.to_opaque()).is_none() {
        return Err("a ledger of no installation");
    }
    let is_failure = |json: &str| serde_json::from_str::<Option<OnboardingFailure>>(json).is_ok();
    let steps = text(row, "steps").and_then(|json| serde_json::from_str::<Vec<LedgerStep>>(json).ok());
    for (attribute, is_there) in [
        ("a ledger without a readable status", text(row, "status").is_some_and(is_status)),
        ("a ledger without a readable version", number(row, "version").is_some()),
        ("a ledger without a readable generation", number(row, "generation").is_some()),
        ("a ledger without a readable started_at_ms", number(row, "started_at_ms").is_some()),
        ("a ledger without a recipe", text(row, "recipe").is_some()),
        ("a ledger without a recipe_version", text(row, "recipe_version").is_some()),
        ("a ledger without readable steps", steps.is_some()),
        ("a ledger without a readable failure", text(row, "failure").is_none_or(is_failure)),
    ] {
        if !is_there {
            return Err(attribute);
        }
    }
    Ok(())
}

fn is_status(key: &str) -> bool {
    use OnboardingStatus::{Completed, Failed, Pending, Running};
    [Pending, Running, Completed, Failed].into_iter().any(|status| status.key() == key)
}

/// The ledger as it goes on from now.
fn prepared(mut row: Row, now: UnixMillis) -> Row {
    // Since the backup it may have been written as often as can be. No event may have the version of another.
    let version = number(&row, "version").unwrap_or(0).max(now.0);
    row.insert("version".to_owned(), digits(version));
    // A backup that is put back is not news.
    row.insert("imported_at_ms".to_owned(), digits(now.0));
    // Its turn is over, and who waited at the time of the backup was not served since.
    row.remove("turn_at_ms");
    if matches!(text(&row, "status"), Some("pending" | "running")) {
        row.insert("started_at_ms".to_owned(), digits(now.0));
    }
    row
}

/// Writes a ledger from a backup if its installation is there, has none, and was not forgotten since.
pub(crate) async fn import(
    aws: &Aws,
    stack: &Stack,
    ring: &KeyRing,
    row: Row,
    now: UnixMillis,
) -> Result<Imported, Failure> {
    if let Err(reason) = check(&row) {
        return Ok(Imported::Unreadable(reason));
    }
    let writes = writes(stack, ring, row, now)?;
    for _ in 0..TRIES {
        let sent = aws.dynamodb.transact_write_items().set_transact_items(Some(writes.to_vec())).send().await;
        let Err(error) = sent else { return Ok(Imported::Written) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(Failure::Unknown(in_words(&error)));
        };
        let reasons: Vec<&str> =
            cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default()).collect();
        match reasons[..] {
            ["ConditionalCheckFailed", ..] | [_, "ConditionalCheckFailed", ..] => {
                return Ok(Imported::OfNobody);
            }
            [.., "ConditionalCheckFailed"] => return Ok(Imported::Kept),
            _ if reasons.contains(&"TransactionConflict") => {
                sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
            }
            _ => return Err(Failure::Unknown(in_words(&error))),
        }
    }
    Err(Failure::Unknown("somebody else kept writing the same rows".to_owned()))
}

/// The parts of the transaction: the installation is there, was not forgotten since, and has no ledger.
fn writes(
    stack: &Stack,
    ring: &KeyRing,
    row: Row,
    now: UnixMillis,
) -> Result<[TransactWriteItem; 3], Failure> {
    let not_built = |error: BuildError| Failure::Unknown(error.to_string());
    let key = key_of(&row).unwrap_or_default();
    let check_of = |key: String| {
        let check = ConditionCheck::builder().table_name(stack.resource("InstallationsTable")?);
        Ok::<_, Failure>(check.key("installation_id", AttributeValue::S(key)))
    };
    let is_there = check_of(key.to_owned())?.condition_expression("attribute_exists(installation_id)");
    let not_forgotten = check_of(ring.forgotten_id(key))?
        .condition_expression("attribute_not_exists(installation_id) OR removed_at_ms < :started_at_ms")
        .expression_attribute_values(":started_at_ms", digits(number(&row, "started_at_ms").unwrap_or(0)));
    let put = Put::builder()
        .table_name(stack.resource("OnboardingTable")?)
        .set_item(Some(prepared(row, now)))
        .condition_expression("attribute_not_exists(onboarding_id)");
    let item = TransactWriteItem::builder;
    Ok([
        item().condition_check(is_there.build().map_err(not_built)?).build(),
        item().condition_check(not_forgotten.build().map_err(not_built)?).build(),
        item().put(put.build().map_err(not_built)?).build(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(change: &[(&str, AttributeValue)]) -> Row {
        let string = |text: &str| AttributeValue::S(text.to_owned());
        let row = [
            (KEY, string("w/user/u")),
            ("status", string("running")),
            ("version", digits(7)),
            ("generation", digits(1)),
            ("recipe", string("tracker")),
            ("recipe_version", string("0")),
            ("started_at_ms", digits(5)),
            ("turn_at_ms", digits(9)),
            ("steps", string(r#"[{"resource_id":"home","type":"page","state":"made","at_ms":1,"id":"x"}]"#)),
        ];
        let row = row.into_iter().chain(change.iter().cloned());
        row.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn what_the_functions_could_not_read_is_not_imported() {
        assert_eq!(check(&ledger(&[])), Ok(()));
        let null = AttributeValue::S("null".to_owned());
        assert_eq!(check(&ledger(&[("failure", null)])), Ok(()));
        for name in
            ["status", "version", "generation", "recipe", "recipe_version", "started_at_ms", "steps", KEY]
        {
            for odd in [AttributeValue::Bool(true), AttributeValue::Null(true)] {
                assert!(check(&ledger(&[(name, odd)])).is_err(), "{name}");
            }
        }
        for (name, odd) in [("status", "done"), ("steps", "{}"), ("failure", "{}"), (KEY, PACE), (KEY, "w")] {
            assert!(check(&ledger(&[(name, AttributeValue::S(odd.to_owned()))])).is_err(), "{name}");
        }
    }

    #[test]
    fn an_imported_ledger_goes_on_from_now() {
        let row = prepared(ledger(&[]), UnixMillis(1000));
        assert_eq!((number(&row, "version"), number(&row, "started_at_ms")), (Some(1000), Some(1000)));
        assert!(!row.contains_key("turn_at_ms"));
        let completed = ledger(&[("status", AttributeValue::S("completed".to_owned()))]);
        assert_eq!(number(&prepared(completed, UnixMillis(1000)), "started_at_ms"), Some(5));
    }
}
