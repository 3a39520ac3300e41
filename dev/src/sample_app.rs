//! `/app`: a sample app, as a deployer's own would be. Two users with sessions of their own connect Notion, call it and
//! disconnect. The app knows the stack only by its public routes, which it signs like any backend.

mod backend;
mod page;
mod routes;
mod sessions;
mod webhooks;

pub(crate) use routes::router;
