//! The events that were published, in one order, for those who ask for them (`feed`).
//!
//! | attribute | holds |
//! |---|---|
//! | `event_id` (S, key) | the event's id; of the counter, `position` |
//! | `feed`, `feed_position` (S, N) | its place in the index `in_order` |
//! | `document` (S) | the document as it was published |
//! | `published_at`, `expires_at` (N) | in seconds; DynamoDB deletes what has expired |
//!
//! The places come from one counter, which changes in the same transaction as the events are written. So there is no
//! place without an event, and a reader who stops at the first place that it does not see never misses one, whoever
//! writes late.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use serde_json::value::RawValue;
use shared::clock::{Clock, UnixSeconds};
use shared::config::{ConfigError, Lookup, required};
use shared::random::Random;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::cancelled::{Cancelled, ConditionResult};
use super::item::{Row, integer, number, string, text};
use super::{StoreError, failed, not_built};
use crate::backoff::Backoff;
use crate::budget::until;
use crate::event::{Event, EventId};

/// The counter's key. No event has it.
const COUNTER: &str = "position";
/// The one partition of the index. Nearly every event cost somebody a request to Notion or a callback, whose limits are
/// far below what one partition takes.
const FEED: &str = "0";
const INDEX: &str = "in_order";
/// A transaction takes a hundred parts, and the counter is one.
pub const MAX_APPENDED: usize = 99;
/// A transaction is visible in the index long before this, in seconds. After that, a place that is missing was deleted.
const VISIBLE_WITHIN_SECS: u64 = 300;

/// The table of published events.
#[derive(Debug)]
pub struct EventLog {
    client: Client,
    table: String,
    /// The counter as it was last seen, so that most writes need one trip.
    last_position: Mutex<u64>,
}

/// An event of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its id.
    pub id: EventId,
    /// The document.
    pub document: Box<RawValue>,
}

/// Events in the order of their publication.
#[derive(Debug, Clone)]
pub struct LogPage {
    /// The events.
    pub events: Vec<Logged>,
    /// Whether there are more.
    pub more: bool,
    /// Whether some after the one that was named are no longer kept: the time for which they are kept was shortened.
    pub missed: bool,
}

/// What became of a transaction.
enum Appended {
    Done,
    /// The counter stands elsewhere, or some events were there before.
    Refused {
        last_position: Option<u64>,
        standing: Vec<(usize, Row)>,
    },
}

impl EventLog {
    /// Reads `EVENTS_TABLE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self { client, table: required(lookup, "EVENTS_TABLE")?, last_position: Mutex::new(0) })
    }

    /// Writes the events that are not in the log yet, in this order, and gives each that is there the document that was
    /// written first. At most [`MAX_APPENDED`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]; they may have been written. Repeating it is safe.
    pub async fn append(
        &self,
        events: &mut [Event],
        clock: &dyn Clock,
        keep_secs: u64,
        random: &dyn Random,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let mut last_position = self.last_position.lock().await;
        let appending = async {
            let mut backoff = Backoff::start();
            let mut new: Vec<usize> = (0..events.len()).collect();
            // The same event twice in a batch: the stream delivered it again.
            new.retain(|at| !events[..*at].iter().any(|before| before.id == events[*at].id));
            while !new.is_empty() {
                let parts = self.parts(&new, events, *last_position, clock.now(), keep_secs)?;
                match self.transact(parts).await? {
                    Some(Appended::Done) => {
                        *last_position += new.len() as u64;
                        new.clear();
                    }
                    Some(Appended::Refused { last_position: stands_at, standing }) => {
                        if let Some(stands_at) = stands_at {
                            *last_position = stands_at;
                        }
                        for (part, row) in standing.iter().rev() {
                            events[new.remove(*part)].document = document(row)?;
                        }
                    }
                    // Another process is writing.
                    None => backoff.wait(random).await,
                }
            }
            Ok::<(), StoreError>(())
        };
        until(deadline, Box::pin(appending)).await??;
        for at in 1..events.len() {
            let (before, rest) = events.split_at_mut(at);
            if let Some(first) = before.iter().find(|before| before.id == rest[0].id) {
                rest[0].document.clone_from(&first.document);
            }
        }
        Ok(())
    }

    fn parts(
        &self,
        new: &[usize],
        events: &[Event],
        last_position: u64,
        now: UnixSeconds,
        keep_secs: u64,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let count = Update::builder()
            .table_name(&self.table)
            .key("event_id", string(COUNTER))
            .update_expression("SET last_position = :after")
            .condition_expression(match last_position {
                0 => "attribute_not_exists(last_position)",
                _ => "last_position = :before",
            })
            .set_expression_attribute_values(Some(counted(last_position, new.len())))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let mut parts = vec![TransactWriteItem::builder().update(count.map_err(not_built)?).build()];
        for (position, at) in (last_position + 1..).zip(new) {
            let event = &events[*at];
            let row = HashMap::from([
                ("event_id".to_owned(), string(event.id.as_str())),
                ("feed".to_owned(), string(FEED)),
                ("feed_position".to_owned(), number(position)),
                ("document".to_owned(), string(event.document.get())),
                ("published_at".to_owned(), number(now.0)),
                ("expires_at".to_owned(), number(now.plus_secs(keep_secs).0)),
            ]);
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(row))
                .condition_expression("attribute_not_exists(event_id)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build();
            parts.push(TransactWriteItem::builder().put(put.map_err(not_built)?).build());
        }
        Ok(parts)
    }

    /// `None` if another transaction was in the way.
    async fn transact(&self, parts: Vec<TransactWriteItem>) -> Result<Option<Appended>, StoreError> {
        let sent = self.client.transact_write_items().set_transact_items(Some(parts)).send().await;
        let Err(error) = sent else { return Ok(Some(Appended::Done)) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(failed(&error));
        };
        let reasons = cancelled.cancellation_reasons();
        let cancelled = Cancelled::read(reasons);
        if cancelled.is_by_condition() {
            let last_position = match cancelled.part(0) {
                ConditionResult::Passed => None,
                ConditionResult::FailedWithRow(row) => {
                    Some(integer(row, "last_position").ok_or(StoreError::Row("last_position"))?)
                }
                ConditionResult::FailedWithoutRow => Some(0),
            };
            let standing = (1..reasons.len()).filter_map(|part| match cancelled.part(part) {
                ConditionResult::FailedWithRow(row) => Some((part - 1, row.clone())),
                _ => None,
            });
            return Ok(Some(Appended::Refused { last_position, standing: standing.collect() }));
        }
        if cancelled.is_transient() { Ok(None) } else { Err(cancelled.error()) }
    }

    /// At most `limit` events after the one with this id, by default from the oldest. `None` if that one is not in the log
    /// (any more).
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn after(
        &self,
        after: Option<&EventId>,
        limit: u16,
        now: UnixSeconds,
        deadline: Instant,
    ) -> Result<Option<LogPage>, StoreError> {
        let position = match after {
            None => None,
            Some(id) => match self.position_of(id, now, deadline).await? {
                None => return Ok(None),
                position => position,
            },
        };
        let mut page = LogPage { events: Vec::new(), more: false, missed: false };
        let mut last = position.unwrap_or(0);
        // A page may hold nothing but what has expired and is not deleted yet.
        loop {
            let wanted = usize::from(limit) - page.events.len();
            let (rows, more) = self.rows_after(last, wanted, deadline).await?;
            page.more = more;
            for row in &rows {
                let at = integer(row, "feed_position").ok_or(StoreError::Row("feed_position"))?;
                if last + 1 < at && is_young(row, now) {
                    // To be asked for again, but not at once if there is nothing before it.
                    page.more = !page.events.is_empty();
                    return Ok(Some(page));
                }
                page.missed |= position.is_some() && (last + 1 < at || is_expired(row, now));
                last = at;
                if !is_expired(row, now) {
                    page.events.push(logged(row)?);
                }
            }
            if !page.more || page.events.len() == usize::from(limit) {
                return Ok(Some(page));
            }
        }
    }

    /// The rows after a place, and whether there may be more.
    async fn rows_after(
        &self,
        position: u64,
        most: usize,
        deadline: Instant,
    ) -> Result<(Vec<Row>, bool), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("feed = :feed AND feed_position > :after")
            .expression_attribute_values(":feed", string(FEED))
            .expression_attribute_values(":after", number(position))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .send();
        let answer = until(deadline, query).await?.map_err(|error| failed(&error))?;
        let more = answer.last_evaluated_key().is_some_and(|key| !key.is_empty());
        Ok((answer.items.unwrap_or_default(), more))
    }

    async fn position_of(
        &self,
        id: &EventId,
        now: UnixSeconds,
        deadline: Instant,
    ) -> Result<Option<u64>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("event_id", string(id.as_str()))
            .consistent_read(true)
            .send();
        let answer = until(deadline, get).await?.map_err(|error| failed(&error))?;
        let row = answer.item().filter(|row| !is_expired(row, now));
        Ok(row.and_then(|row| integer(row, "feed_position")))
    }

    /// Opens the connection.
    pub async fn warm_up(&self) {
        let get = self.client.get_item().table_name(&self.table).key("event_id", string(COUNTER));
        if let Err(error) = get.send().await {
            let error = failed(&error);
            tracing::warn!(%error, "the table of events could not be read during the warm-up");
        }
    }
}

fn counted(last_position: u64, new: usize) -> Row {
    let mut values = HashMap::from([(":after".to_owned(), number(last_position + new as u64))]);
    if last_position > 0 {
        values.insert(":before".to_owned(), number(last_position));
    }
    values
}

fn logged(row: &Row) -> Result<Logged, StoreError> {
    let id = text(row, "event_id").and_then(EventId::parse).ok_or(StoreError::Row("event_id"))?;
    Ok(Logged { id, document: document(row)? })
}

fn document(row: &Row) -> Result<Box<RawValue>, StoreError> {
    let text = text(row, "document").ok_or(StoreError::Row("document"))?;
    RawValue::from_string(text.to_owned()).map_err(|_| StoreError::Row("document"))
}

/// Whether a place before it may only be invisible still.
fn is_young(row: &Row, now: UnixSeconds) -> bool {
    integer(row, "published_at").is_none_or(|at| now.0 < at.saturating_add(VISIBLE_WITHIN_SECS))
}

fn is_expired(row: &Row, now: UnixSeconds) -> bool {
    integer(row, "expires_at").is_some_and(|at| at <= now.0)
}
