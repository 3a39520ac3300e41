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
const FOR_GOOD: [&str; 3] = ["InvalidArgument", "MalformedDetail", "ValidationException"];

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
            // One of them is at fault, perhaps for its size. It must not hold up the others.
            Err(code) if FOR_GOOD.contains(&code.as_str()) => {
                let mut put = Vec::with_capacity(events.len());
                for one in events {
                    let alone = self.put_together(std::slice::from_ref(one), deadline).await;
                    put.extend(alone.unwrap_or_else(|code| {
                        vec![if FOR_GOOD.contains(&code.as_str()) {
                            Put::Never(code)
                        } else {
                            Put::Later(code)
                        }]
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
