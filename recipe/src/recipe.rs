//! A whole recipe, compiled.

use serde::{Deserialize, Serialize};

use crate::step::Step;

/// A recipe that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The name of its folder.
    pub name: String,
    /// Changes with anything in the recipe: 16 hexadecimal digits.
    pub version: String,
    /// The page that people are sent to.
    pub landing: Option<String>,
    /// What to make, in order.
    pub steps: Vec<Step>,
}
