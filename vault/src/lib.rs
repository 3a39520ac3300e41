//! Everything that touches AWS, Notion or a token.
//!
//! The layers, from the bottom up:
//!
//! - [`budget`] and [`http_client`]
//! - [`notion`] (Notion's API), [`seal`] (sealing of tokens) and [`aws`] (the SDK's clients)
//! - [`subject`], [`installation`] (the data of a row), [`code`] and [`secrets`]
//! - [`store`] (the tables and the rescue queue), [`whose`] (whose installation a caller means) and [`facts()`]
//! - [`Vault`], which holds all of the above
//! - [`protocol`] (the steps of a grant's life)
//!
//! Time and randomness are injected through `shared`. Everything else is replaced on the wire, by an endpoint URL.

pub mod aws;
pub mod backoff;
pub mod budget;
pub mod code;
mod facts;
pub mod http_client;
pub mod installation;
pub mod notion;
pub mod protocol;
mod report;
pub mod seal;
pub mod secrets;
pub mod store;
pub mod subject;
mod vault;
pub mod whose;

pub use facts::facts;
pub use report::{report_broken_seal, report_orphaned, report_secret, report_store};
pub use secrets::NoSecrets;
pub use vault::{InHand, SetUpError, Vault};
