//! Events: API Gateway's, made from HTTP requests by the front, and samples of all for `sam local invoke`.

mod backend;
mod batches;
mod gateway;
mod queues;
mod sample;
mod samples;

pub use gateway::HttpRequest;
pub use sample::Sample;
pub use samples::{checked_in, default_connection, samples};
