//! What the functions have in common that needs neither AWS nor a token: the flow (state, cookie, authorization request
//! and response), the pages, the configuration, the log format, the two ways into a function.
//!
//! Time and randomness come in through [`clock::Clock`] and [`random::Random`]; every other seam is the wire
//! (an endpoint URL).

pub mod authorization;
pub mod clock;
pub mod config;
pub mod entry;
pub mod flow;
pub mod ids;
pub mod pages;
pub mod query;
pub mod random;
pub mod secret;
pub mod telemetry;
pub mod visit;
