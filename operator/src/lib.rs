//! What the deployer's command line does: look at a deployed stack, store its secrets, look after its installations.
//!
//! Speaks to AWS with the deployer's own credentials, and to Notion with the stack's client secret, which never leaves
//! the process but to those two. Tokens it never opens but to see that a backup is of this stack; what has to be done
//! with them, the functions do.

pub mod aws;
pub mod client_secret;
pub mod commands;
pub mod doctor;
pub mod export;
pub mod functions;
pub mod import;
pub mod installations;
pub mod keys;
pub mod outcome;
pub mod report;
pub mod rescue;
pub mod rows;
pub mod stack;
mod tables;
