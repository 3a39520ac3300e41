//! A sample event, for `sam local invoke`.

use serde_json::Value;

/// A sample event.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The case, and the name of its file.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The outcome key that the function logs for it, if it is fresh and Notion accepts the code.
    pub outcome: &'static str,
    /// The event.
    pub event: Value,
}
