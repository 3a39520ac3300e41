//! What the functions have in common.
//!
//! Without features: the flow (state, cookie, authorization request and response), the pages, the
//! configuration, the log format. With `vault`: everything that touches AWS, Notion or a token.
//!
//! Time and randomness come in through [`clock::Clock`] and [`random::Random`]; every other seam is the
//! wire (an endpoint URL).

pub mod authorization;
pub mod clock;
pub mod config;
pub mod entry;
pub mod flow;
pub mod pages;
pub mod query;
pub mod random;
pub mod secret;
pub mod telemetry;
pub mod visit;

#[cfg(feature = "vault")]
pub mod aws;
#[cfg(feature = "vault")]
pub mod budget;
#[cfg(feature = "vault")]
pub mod direct;
#[cfg(feature = "vault")]
pub mod http_client;
#[cfg(feature = "vault")]
pub mod installation;
#[cfg(feature = "vault")]
pub mod notion;
#[cfg(feature = "vault")]
pub mod seal;
#[cfg(feature = "vault")]
pub mod secrets;
#[cfg(feature = "vault")]
pub mod store;
#[cfg(feature = "vault")]
pub mod vault;
