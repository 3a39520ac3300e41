//! The control over HTTP.

mod approve;
mod document;
mod documented;
mod faults;
mod log;
mod page;
mod run;
