//! The content API.

mod access;
mod app;
mod blocks;
mod data_sources;
mod databases;
mod faults;
mod lags;
mod limits;
mod page_markdown;
mod pages;
mod people;
mod query;
mod rates;
mod rows;
mod search;
mod state_file;
mod templates;
mod users;
mod views;
mod workspace_view;
