//! The content API.

mod app;
mod pages;
