//! The workspace in a browser: what the people see of it, without script.

mod blocks;
mod board;
mod cells;
mod database;
mod page;
mod routes;
mod sidebar;
mod spans;

pub(crate) use routes::routes;
