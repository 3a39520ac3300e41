//! The deployer's command line: checks a deployed stack, stores its secrets, operates on its installations.
//!
//! It uses AWS with the deployer's own credentials, and Notion with the stack's client secret, which is sent to
//! nobody else. It opens tokens only to check that a backup belongs to this stack. Everything else that needs a token
//! is done by the functions.

pub mod adopt;
pub mod aws;
pub mod client_secret;
pub mod commands;
pub mod doctor;
pub mod events;
pub mod export;
pub mod functions;
pub mod import;
pub mod installations;
pub mod keys;
mod ledgers;
pub mod onboarding;
pub mod outcome;
mod plan;
pub mod prepare;
pub mod preview;
mod queues;
pub mod recipes;
pub mod report;
pub mod rescue;
pub mod rows;
mod secret_version;
pub mod stack;
mod tables;
pub mod webhook;
