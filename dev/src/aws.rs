//! Stand-ins for the AWS services that the functions call. They are replaced on the wire, so real SDK calls go over
//! real TCP.

mod dynamodb;
mod endpoint;
mod event_bus;
mod grants;
mod secrets_manager;
mod sqs;
mod wire;

pub use dynamodb::{
    CLAIMS_TABLE, Dynamo, DynamoError, EVENTS_TABLE, INSTALLATIONS_TABLE, LINKS_SORT_KEY, LINKS_TABLE,
    ONBOARDING_TABLE, indexes,
};
pub use endpoint::{Services, serve};
pub use event_bus::{EVENT_BUS, EventBus};
pub use grants::{Grant, append, grants_of};
pub use secrets_manager::SecretsManager;
pub use sqs::{MAX_RECEIVES, Queue, Receipt};
pub(crate) use wire::caller_of;
pub use wire::{Call, Fault, Reply, Service, Wire};
