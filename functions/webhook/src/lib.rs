//! Sends each event to the app's endpoint, signed (Standard Webhooks 1.0). Invoked by the queue of webhooks, which the
//! bus fills.
//!
//! One POST per event. 2xx is done. 410 stops the endpoint: this event and those that follow go to the dead letters, until
//! the operator resumes it or another URL is deployed. Anything else comes again, later and later (`gaps`), and goes to
//! the dead letters after three days. An event is in the queue until one of this has happened.

mod address;
mod endpoint;
mod gaps;

use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::batch::{Batch, TakesBatches, item_id};
use shared::random::Random;
use shared::telemetry::{Measure, Metric, RequestLine};
use tokio::time::Instant;
use vault::event::EventId;
use vault::secrets::{Freshness, OneSecret};
use vault::store::StoppedEndpoints;
use vault::webhook_keys::WebhookKeys;
use vault::work_queue::{Message, WorkQueue};
use vault::{SetUpError, aws, http_client, report_secret};

use crate::endpoint::{ANSWER_SECS, Answer, Delivery, Endpoint, ReadError};

/// How long reading the keys may take, in seconds.
const PREPARE_SECS: u64 = 4;
/// How long telling the queue may take, in seconds.
const SETTLE_SECS: u64 = 8;
/// The function's timeout in the template, in seconds.
const TIMEOUT_SECS: u64 = 30;
const _: () = assert!(PREPARE_SECS + ANSWER_SECS + SETTLE_SECS < TIMEOUT_SECS);

/// The function's state.
pub struct Webhook {
    endpoint: Endpoint,
    keys: OneSecret<WebhookKeys>,
    stopped: StoppedEndpoints,
    queue: WorkQueue,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
}

/// The bus's envelope around an event.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    detail: &'a RawValue,
}

/// What the function needs of an event.
#[derive(Deserialize)]
struct Event {
    id: String,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The endpoint has it.
    Delivered,
    /// To the dead letters, for this reason.
    GivenUp(String),
    /// To the dead letters too: the endpoint wants nothing more.
    Gone,
    /// It comes again after this time.
    Later(Duration),
}

impl Webhook {
    /// Reads `WEBHOOK_URL`, `WEBHOOK_SECRET_ARN`, `WEBHOOK_QUEUE_URL`, `WEBHOOK_DEAD_LETTERS_URL` and `EVENTS_TABLE`.
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
        Ok(Self {
            endpoint: Endpoint::read(lookup).map_err(|error| match error {
                ReadError::Config(error) => SetUpError::Config(error),
                ReadError::Client(error) => SetUpError::HttpClient(error),
            })?,
            keys: OneSecret::<WebhookKeys>::read(lookup, aws::secrets_manager(lookup, &sdk))?,
            stopped: StoppedEndpoints::read(lookup, aws::dynamodb(lookup, &sdk))?,
            queue: WorkQueue::read(
                lookup,
                aws::sqs(lookup, &sdk),
                "WEBHOOK_QUEUE_URL",
                "WEBHOOK_DEAD_LETTERS_URL",
            )?,
            clock: Box::new(clock),
            random: Box::new(random),
        })
    }

    /// What becomes of a message, with these keys.
    async fn deliver(&self, message: &Message<'_>, keys: &WebhookKeys, is_stopped: bool) -> Fate {
        let Some((id, document)) = read_event(message.body) else {
            tracing::error!(alarm = "webhook_given_up", message_id = message.id, "a message is not an event");
            return Fate::GivenUp("not an event".to_owned());
        };
        if is_stopped {
            return Fate::GivenUp("the endpoint is stopped".to_owned());
        }
        let now = self.clock.now();
        let id = id.as_str();
        let signature = keys.signature(id, now, document);
        let delivery = Delivery { id, timestamp: now.0, signature: &signature, body: document };
        let answer = self.endpoint.post(&delivery, now).await;
        let age = message.age(self.clock.now_millis());
        match answer {
            Answer::Taken => Fate::Delivered,
            Answer::Gone => Fate::Gone,
            Answer::NotTaken { why, .. } if age >= gaps::GIVE_UP_AFTER => {
                tracing::error!(
                    alarm = "webhook_given_up",
                    event_id = id,
                    why,
                    "an event was not delivered for three days"
                );
                Fate::GivenUp(why)
            }
            Answer::NotTaken { why, retry_after } => {
                let gap = gaps::next(age, retry_after, &*self.random);
                tracing::warn!(
                    event_id = id,
                    why,
                    again_in_secs = gap.as_secs(),
                    "an event was not delivered"
                );
                Fate::Later(gap)
            }
        }
    }

    /// Does to the queue what a message's fate demands. Returns whether it has to stay in the queue.
    async fn settle(&self, message: &Message<'_>, fate: &Fate, deadline: Instant) -> bool {
        match fate {
            Fate::Delivered => false,
            Fate::GivenUp(why) => !self.queue.put_aside(message, why, deadline).await,
            Fate::Gone => !self.queue.put_aside(message, "410", deadline).await,
            Fate::Later(gap) => {
                self.queue.hide(message, *gap, deadline).await;
                true
            }
        }
    }
}

/// The id and the document of the event in a message.
fn read_event(body: &str) -> Option<(EventId, &str)> {
    let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
    let event: Event = serde_json::from_str(envelope.detail.get()).ok()?;
    Some((EventId::parse(&event.id)?, envelope.detail.get()))
}

impl TakesBatches for Webhook {
    fn function(&self) -> &'static str {
        "webhook"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn warm_up(&self) {
        let keys = self.keys.get(Freshness::Cached, &*self.clock);
        let until = Instant::now() + Duration::from_secs(2);
        drop(tokio::join!(
            tokio::time::timeout_at(until, keys),
            self.stopped.since(self.endpoint.url(), until)
        ));
    }

    async fn handle(&self, batch: Batch, line: &mut RequestLine) -> Vec<String> {
        let all_again = || batch.records.iter().map(item_id).collect();
        let Some(messages) = batch.records.iter().map(Message::read).collect::<Option<Vec<_>>>() else {
            line.reject("malformed");
            return all_again();
        };
        let deadline = Instant::now() + Duration::from_secs(PREPARE_SECS);
        let (keys, stopped) = tokio::join!(
            tokio::time::timeout_at(deadline, self.keys.get(Freshness::Cached, &*self.clock)),
            self.stopped.since(self.endpoint.url(), deadline)
        );
        let keys = match keys {
            Ok(Ok(keys)) => keys,
            Ok(Err(error)) => {
                let metric = match report_secret(&error) {
                    vault::NoSecrets::Misconfigured => Metric::Misconfigured,
                    vault::NoSecrets::Unavailable => Metric::Unavailable,
                };
                line.count(metric);
                return all_again();
            }
            Err(_out_of_time) => {
                line.count(Metric::Unavailable);
                return all_again();
            }
        };
        let is_stopped = match stopped {
            Ok(stopped) => stopped.is_some(),
            Err(error) => {
                tracing::warn!(%error, "whether the endpoint is stopped is unknown: the events come again");
                line.count(Metric::Unavailable);
                return all_again();
            }
        };
        let deliveries = messages
            .iter()
            .map(async |message| (message, self.deliver(message, &keys.value, is_stopped).await));
        let delivered = join_all(deliveries).await;
        let deadline = Instant::now() + Duration::from_secs(SETTLE_SECS);
        if is_stopped {
            // As long as events wait for somebody to act, so does the alarm.
            line.count(Metric::EndpointGone);
        }
        if delivered.iter().any(|(_, fate)| *fate == Fate::Gone) {
            tracing::error!(alarm = "webhook_gone", "the endpoint answered 410: nothing more is sent there");
            line.count(Metric::EndpointGone);
            if let Err(error) = self.stopped.stop(self.endpoint.url(), self.clock.now(), deadline).await {
                tracing::warn!(%error, "the endpoint could not be stopped: it is asked again");
            }
        }
        let now = self.clock.now_millis();
        let age = |message: &Message<'_>| message.age(now).as_secs();
        let waiting = delivered.iter().filter(|(_, fate)| matches!(fate, Fate::Later(_)));
        let oldest = waiting.map(|(message, ..)| age(message)).max();
        line.measure(Measure::UndeliveredSecs, oldest.unwrap_or(0));
        let mut again = Vec::new();
        for (message, fate) in &delivered {
            match fate {
                Fate::Delivered => line.count(Metric::Delivered),
                Fate::GivenUp(_) | Fate::Gone => line.count(Metric::DeliveryGivenUp),
                Fate::Later(_) => line.count(Metric::DeliveryFailed),
            }
            if self.settle(message, fate, deadline).await {
                again.push(message.id.to_owned());
            }
        }
        again
    }
}
