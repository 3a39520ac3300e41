//! Everything that touches AWS, Notion or a token.
//!
//! The layers, from the bottom up:
//!
//! - [`budget`], [`http_client`] and [`dynamodb_json`]
//! - [`notion`] (Notion's API), [`seal`] (sealing of tokens), [`webhook_keys`] (signing of webhooks) and [`aws`] (the
//!   SDK's clients)
//! - [`subject`], [`installation`] (the data of a row), [`onboarding`] (the data of a ledger), [`code`], [`event`] (what an
//!   app hears), [`secrets`] and [`work_queue`]
//! - [`store`] (the tables and the rescue queue), [`whose`] (whose installation a caller means) and [`facts()`]
//! - [`Vault`], which holds all of the above
//! - [`protocol`] (the steps of a grant's life)
//!
//! Time and randomness are injected through `shared`. Everything else is replaced on the wire, by an endpoint URL.

pub mod aws;
pub mod backoff;
pub mod budget;
pub mod code;
pub mod dynamodb_json;
pub mod event;
mod facts;
pub mod http_client;
pub mod installation;
pub mod notion;
pub mod onboarding;
pub mod protocol;
mod report;
pub mod seal;
pub mod secrets;
pub mod store;
pub mod subject;
mod vault;
pub mod webhook_keys;
pub mod whose;
pub mod work_queue;

pub use facts::facts;
pub use report::{report_broken_seal, report_orphaned, report_secret, report_store};
pub use secrets::NoSecrets;
pub use vault::{InHand, SetUpError, Vault};
