//! What the functions share: the flow (state, cookie, authorization request and response), the pages, the
//! configuration, the log format, the two entry points. Nothing here needs AWS or a token.
//!
//! Time and randomness are injected through [`clock::Clock`] and [`random::Random`]. Everything else is replaced on
//! the wire, by its endpoint URL.

pub mod app_request;
pub mod authorization;
pub mod clock;
pub mod config;
pub mod entry;
pub mod flow;
pub mod ids;
pub mod install_request;
pub mod language;
pub mod pages;
pub mod pkce;
pub mod query;
pub mod random;
pub mod return_destination;
pub mod secret;
pub mod telemetry;
pub mod visit;
