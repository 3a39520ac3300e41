//! The stack's bus: one `PutEvents` for up to ten events, and what became of each.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use shared::config::{ConfigError, Lookup, required};
use tokio::time::Instant;
use vault::aws::{SdkConfig, endpoint};
use vault::budget::until;
use vault::event::{Event, SOURCE};

/// How many events one call takes.
pub(crate) const MAX_ENTRIES: usize = 10;
/// What is wrong with an entry itself: it will never be taken.
const FOR_GOOD: [&str; 2] = ["InvalidArgument", "MalformedDetail"];
/// What is wrong with a whole call.
const INVALID: &str = "ValidationException";

/// An event of this size may be refused, in bytes: the bus takes 256 KB in one call, a row of the log has 400 KB at most.
const LARGE_BYTES: usize = 200_000;

/// Whether an event may be refused for its size. None of another size is given up: if it is refused, the table or the bus
/// is at fault.
pub(crate) fn is_large(event: &Event) -> bool {
    event.document.get().len() > LARGE_BYTES
}

/// An event's way onto the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is on the bus.
    Taken,
    /// The bus will never take it.
    Never(String),
    /// Not now.
    Later(String),
}

/// The bus.
#[derive(Debug)]
pub(crate) struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// Reads `EVENT_BUS_NAME`.
    pub(crate) fn read(lookup: &impl Lookup, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut config = Builder::from(sdk);
        config.set_endpoint_url(endpoint(lookup, "AWS_ENDPOINT_URL_EVENTBRIDGE"));
        Ok(Self { client: Client::from_conf(config.build()), name: required(lookup, "EVENT_BUS_NAME")? })
    }

    /// Puts up to [`MAX_ENTRIES`] events, each with the ARN of the table that it came from, on the bus. The answer has one
    /// [`Put`] for each. An event that was put may be put again: its id tells.
    pub(crate) async fn put(&self, events: &[(&Event, Option<&str>)], deadline: Instant) -> Vec<Put> {
        match self.put_together(events, deadline).await {
            Ok(put) => put,
            // They may be too large together, or one of them alone. It must not hold up the others.
            Err(code) if code == INVALID => {
                let mut put = Vec::with_capacity(events.len());
                for one in events {
                    let alone = self.put_together(std::slice::from_ref(one), deadline).await;
                    put.extend(alone.unwrap_or_else(|code| {
                        let never = code == INVALID && is_large(one.0);
                        vec![if never { Put::Never(code) } else { Put::Later(code) }]
                    }));
                }
                put
            }
            Err(code) => vec![Put::Later(code); events.len()],
        }
    }

    /// One call. An error is the whole call's.
    async fn put_together(
        &self,
        events: &[(&Event, Option<&str>)],
        deadline: Instant,
    ) -> Result<Vec<Put>, String> {
        let entries = events.iter().map(|(event, table_arn)| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(event.kind.key())
                .detail(event.document.get())
                .time(DateTime::from_secs(i64::try_from(event.at.0).unwrap_or(0)))
                .set_resources(table_arn.map(|arn| vec![arn.to_owned()]))
                .build()
        });
        let call = self.client.put_events().set_entries(Some(entries.collect())).send();
        let answer = until(deadline, Box::pin(call)).await.map_err(|error| error.to_string())?;
        let answer = answer.map_err(|error| match &error {
            SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
            error => error.to_string(),
        })?;
        let put = |at: usize| match answer.entries().get(at) {
            // One that is missing in the answer may not have been taken.
            None => Put::Later("no answer".to_owned()),
            Some(entry) => match entry.error_code() {
                None => Put::Taken,
                Some(code) if FOR_GOOD.contains(&code) => Put::Never(code.to_owned()),
                Some(code) => Put::Later(code.to_owned()),
            },
        };
        Ok((0..events.len()).map(put).collect())
    }
}
