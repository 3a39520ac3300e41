//! Puts what changed in the tables on the stack's own bus, as events. Invoked by the streams of the tables.
//!
//! A stream delivers each change at least once, in order, for 24 hours. Events are written to the log first
//! (`vault::store::EventLog`), where what was written first stands, then put on the bus. So a change that is delivered
//! again, after a crash at any point, yields the same events with the same ids and the same content.
//!
//! What cannot be done now is a batch item failure: Lambda delivers from there again. What can never be done (a row that
//! this release cannot read, an entry that the bus will never take) is reported and skipped: it must not hold up what
//! comes after it.

mod bus;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::Value;
use shared::clock::Clock;
use shared::config::{ConfigError, Lookup, number};
use shared::entry::batch::{Batch, TakesBatches, item_id};
use shared::random::Random;
use shared::telemetry::{Metric, RequestLine};
use tokio::time::Instant;
use vault::event::Event;
use vault::store::{Change, EventLog, MAX_APPENDED};
use vault::{SetUpError, aws, budget, http_client};

use crate::bus::{Bus, MAX_ENTRIES, Put, is_large};

/// How long a batch may take if Lambda does not say, in seconds.
const BATCH_SECS: u64 = 25;
const RETENTION_DAYS: u64 = 14;
const DAY_SECS: u64 = 86_400;

/// The function's state.
pub struct Publish {
    log: EventLog,
    bus: Bus,
    keep_secs: u64,
    carry_personal_data: bool,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
}

impl Publish {
    /// Reads `EVENTS_TABLE`, `EVENT_BUS_NAME`, `EVENTS_RETENTION_DAYS` (default 14, 1 to 365: how long the log keeps an
    /// event) and `EVENTS_CARRY_PERSONAL_DATA` (default false: whether events hold the names of person and workspace
    /// and the e-mail address).
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(
        lookup: &impl Lookup,
        clock: impl Clock + 'static,
        random: impl Random + 'static,
    ) -> Result<Self, SetUpError> {
        let sdk = aws::config(lookup, http_client::build()?)?;
        let expected = "a number of days from 1 to 365";
        let days = number(lookup, "EVENTS_RETENTION_DAYS", 1..=365, expected)?.unwrap_or(RETENTION_DAYS);
        Ok(Self {
            log: EventLog::read(lookup, aws::dynamodb(lookup, &sdk))?,
            bus: Bus::read(lookup, &sdk)?,
            keep_secs: days * DAY_SECS,
            carry_personal_data: match lookup("EVENTS_CARRY_PERSONAL_DATA").as_deref() {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => {
                    let (variable, expected) = ("EVENTS_CARRY_PERSONAL_DATA", "true or false");
                    return Err(ConfigError::Invalid { variable, expected }.into());
                }
            },
            clock: Box::new(clock),
            random: Box::new(random),
        })
    }

    /// The events of a record; none, and a report, if it cannot be read. A panic counts as such: it would come again with
    /// the record.
    fn events_of(&self, record: &Value, line: &mut RequestLine) -> Vec<Event> {
        let read = catch_unwind(AssertUnwindSafe(|| {
            let change = Change::read(record).ok_or_else(|| "it is not a change of a row".to_owned())?;
            change.events(self.carry_personal_data).map_err(|error| error.to_string())
        }));
        read.unwrap_or_else(|_panic| Err("reading it panicked".to_owned())).unwrap_or_else(|why| {
            report_unreadable(record, &why, line);
            Vec::new()
        })
    }

    /// Publishes some events; `from` has the number of each one's record. Returns the record from which on the batch has to
    /// come again, if it has to.
    async fn publish(
        &self,
        events: &mut [Event],
        from: &[usize],
        records: &[Value],
        deadline: Instant,
        line: &mut RequestLine,
    ) -> Option<usize> {
        let appended = self.log.append(events, &*self.clock, self.keep_secs, &*self.random, deadline);
        match Box::pin(appended).await {
            Ok(()) => {}
            // One of them may be too large. It must not hold up the others.
            Err(error) if error.is_of_the_row() && events.len() > 1 => {
                for (one, from) in events.chunks_mut(1).zip(from.chunks(1)) {
                    let again = Box::pin(self.publish(one, from, records, deadline, line)).await;
                    if again.is_some() {
                        return again;
                    }
                }
                return None;
            }
            Err(error) if error.is_of_the_row() && is_large(&events[0]) => {
                report_unpublished(&events[0], &error.to_string(), line);
                return None;
            }
            Err(error) => {
                tracing::warn!(%error, "events could not be written to the log: the batch comes again");
                return from.first().copied();
            }
        }
        for (events, from) in events.chunks(MAX_ENTRIES).zip(from.chunks(MAX_ENTRIES)) {
            let tables = from.iter().map(|record| table_arn(&records[*record]));
            let entries: Vec<(&Event, Option<&str>)> = events.iter().zip(tables).collect();
            let put = self.bus.put(&entries, deadline).await;
            let mut failed = None;
            for ((event, record), put) in events.iter().zip(from).zip(put) {
                match put {
                    Put::Taken => line.count(Metric::Published),
                    Put::Never(code) => report_unpublished(event, &code, line),
                    Put::Later(code) => {
                        tracing::warn!(event_id = event.id.as_str(), code, "an event was not put on the bus");
                        failed = failed.or(Some(*record));
                    }
                }
            }
            if failed.is_some() {
                return failed;
            }
        }
        None
    }
}

fn report_unpublished(event: &Event, why: &str, line: &mut RequestLine) {
    tracing::error!(
        alarm = "event_unreadable",
        event_id = event.id.as_str(),
        why,
        "an event will never be taken, and was skipped"
    );
    line.count(Metric::EventUnreadable);
}

fn report_unreadable(record: &Value, why: &str, line: &mut RequestLine) {
    tracing::error!(
        alarm = "event_unreadable",
        stream = record["eventSourceARN"].as_str(),
        sequence_number = item_id(record).as_str(),
        why,
        "a change of a row was skipped: nobody hears of it"
    );
    line.count(Metric::EventUnreadable);
}

/// `arn:…:table/NAME/stream/WHEN` without the stream.
fn table_arn(record: &Value) -> Option<&str> {
    record["eventSourceARN"].as_str()?.split("/stream/").next()
}

impl TakesBatches for Publish {
    fn function(&self) -> &'static str {
        "publish"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn warm_up(&self) {
        self.log.warm_up().await;
    }

    async fn handle(&self, batch: Batch, line: &mut RequestLine) -> Vec<String> {
        let time_left = budget::time_left(batch.deadline_ms, &*self.clock);
        let time_left = time_left.unwrap_or(Duration::from_secs(BATCH_SECS));
        let deadline = Instant::now() + time_left.saturating_sub(Duration::from_secs(1));
        let (mut events, mut from) = (Vec::new(), Vec::new());
        for (record, read) in batch.records.iter().enumerate() {
            events.extend(self.events_of(read, line));
            from.resize(events.len(), record);
        }
        for (events, from) in events.chunks_mut(MAX_APPENDED).zip(from.chunks(MAX_APPENDED)) {
            let again = Box::pin(self.publish(events, from, &batch.records, deadline, line)).await;
            if let Some(record) = again {
                // Lambda delivers everything from there on again.
                return vec![item_id(&batch.records[record])];
            }
        }
        Vec::new()
    }
}
