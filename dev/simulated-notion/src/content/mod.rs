//! Content of the workspaces: pages, databases, data sources, views and blocks, as Notion's content API has them, version
//! 2026-03-11.
//!
//! Where a behaviour comes from is marked: (documented) is Notion's documentation, (SDK) the types of its official
//! JavaScript SDK, (inferred) follows from other behaviour, *invented* has no source.

pub(crate) mod access;
pub(crate) mod answers;
pub(crate) mod async_tasks;
pub(crate) mod blocks;
pub(crate) mod copies;
pub(crate) mod data_sources;
pub(crate) mod databases;
pub(crate) mod duplicate;
pub(crate) mod filter;
pub(crate) mod id;
pub(crate) mod input;
pub(crate) mod listing;
pub(crate) mod markdown;
pub(crate) mod new_blocks;
pub(crate) mod node;
pub(crate) mod page_input;
pub(crate) mod page_markdown;
pub(crate) mod pages;
pub(crate) mod person;
pub(crate) mod picker;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod rich_text;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod store;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod users;
pub(crate) mod values;
pub(crate) mod view_settings;
pub(crate) mod views;
