//! What the deployer's command line does: look at a deployed stack, and store its client secret.
//!
//! Speaks to AWS with the deployer's own credentials, and to Notion with the stack's client secret, which never leaves
//! the process but to those two.

pub mod aws;
pub mod client_secret;
pub mod commands;
pub mod doctor;
pub mod report;
pub mod stack;
