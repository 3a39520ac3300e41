//! API Gateway's events: made from HTTP requests by the front, and as samples for `sam local invoke`.

mod backend;
mod gateway;
mod sample;
mod samples;

pub use gateway::HttpRequest;
pub use sample::Sample;
pub use samples::{checked_in, default_connection, samples};
