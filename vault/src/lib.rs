//! Everything that touches AWS, Notion or a token.
//!
//! The layers, from the bottom: [`budget`] and [`http_client`]; [`notion`] (what it answers), [`seal`] (how tokens are
//! sealed) and the clients of [`aws`]; [`installation`] (a row's data) and [`secrets`]; [`store`] (the tables and the rescue
//! queue); [`Vault`], which holds them all; [`protocol`], the steps of a grant's life.
//!
//! Time and randomness come in through `shared`; every other seam is the wire (an endpoint URL).

pub mod aws;
pub mod budget;
pub mod http_client;
pub mod installation;
pub mod notion;
pub mod protocol;
mod report;
pub mod seal;
pub mod secrets;
pub mod store;
mod vault;

pub use report::{report_broken_seal, report_orphaned, report_store};
pub use vault::{InHand, NoSecrets, SetUpError, Vault};
