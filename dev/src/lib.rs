//! The whole system in one process: the same handlers as on Lambda, a simulated Notion, an embedded DynamoDB,
//! stand-ins for Secrets Manager, SQS and EventBridge, and an HTTP front with API Gateway's payload format 2.0.
//!
//! `cargo run` starts it for a person with a browser. The tests start the same [`stack::Stack`].

pub mod aws;
mod event_sources;
pub mod events;
pub mod forward;
pub mod front;
pub mod functions;
mod inside;
mod lambda_api;
pub mod runtime_api;
mod sample_app;
mod signed;
pub mod stack;
mod start_page;
pub mod throttle;
