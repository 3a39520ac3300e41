//! Says, step by step, what is right and what to do next. Changes nothing.
//!
//! The steps start with what everything depends on and end with what only matters later, so that the first problem is
//! the one to solve first.

mod account;
mod address;
mod alarms;
mod events;
mod finding;
mod returning;
mod secrets;
mod sources;
mod storage;

use crate::aws::Aws;
use crate::report::Report;

/// Examines the stack `name`. With the key of a return destination, it also opens that page with a made-up code.
pub async fn examine(aws: &Aws, name: &str, return_to: Option<&str>, report: &mut Report) {
    if !account::credentials(aws, report).await {
        return;
    }
    let Some(stack) = account::stack(aws, name, report).await else { return };
    Box::pin(storage::keys(aws, &stack, report)).await;
    Box::pin(secrets::client_secret(aws, &stack, report)).await;
    Box::pin(secrets::key_ring(aws, &stack, report)).await;
    Box::pin(address::custom_domain(&stack, report)).await;
    Box::pin(address::install(aws, &stack, report)).await;
    Box::pin(address::callback(aws, &stack, report)).await;
    Box::pin(returning::destinations(aws, &stack, report)).await;
    if let Some(key) = return_to {
        Box::pin(returning::refuses_a_made_up_code(aws, &stack, key, report)).await;
    }
    Box::pin(storage::tables(aws, &stack, report)).await;
    Box::pin(storage::expiry(aws, &stack, report)).await;
    Box::pin(storage::backups(aws, &stack, report)).await;
    Box::pin(storage::queues(aws, &stack, report)).await;
    Box::pin(events::bus(aws, &stack, report)).await;
    Box::pin(events::streams(aws, &stack, report)).await;
    Box::pin(events::webhook(aws, &stack, report)).await;
    Box::pin(events::onboarding(aws, &stack, report)).await;
    Box::pin(alarms::listener(aws, &stack, report)).await;
    Box::pin(alarms::ringing(aws, &stack, report)).await;
}
