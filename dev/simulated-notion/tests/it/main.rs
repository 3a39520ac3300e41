//! The simulator over real TCP, driven by a client that sees every byte.

#![expect(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod addresses;
mod bench;
mod binary;
mod browser;
mod consent;
mod content;
mod control;
mod coverage;
mod documentation;
mod exchange;
mod faults;
#[cfg(feature = "tls")]
mod https;
mod inspection;
mod reauthorization;
mod refresh;
mod restart;
mod seed;
