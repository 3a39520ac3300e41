//! How far a person's workspace is prepared.

use serde_json::Value;

use crate::fields::Fields;

/// How far the workspace is prepared with the stack's recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Onboarding {
    /// `pending`, `running`, `completed` or `failed`.
    pub status: String,
    /// The recipe's name; `None` if nothing was begun yet.
    pub recipe: Option<String>,
    /// Changes with anything in the recipe.
    pub recipe_version: Option<String>,
    /// The page to send the person to, once it is made.
    pub landing_url: Option<String>,
    /// What was begun so far.
    pub resources: Vec<Resource>,
    /// The step at which it failed; `None` if it is about all of them.
    pub step: Option<String>,
    /// Why it failed, as a fixed key.
    pub reason: Option<String>,
    /// What the public connection may not do, if that is the reason.
    pub capability: Option<String>,
}

/// A page, database, view or row of the recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resource {
    /// Its name in the recipe.
    pub resource_id: String,
    /// `page`, `database` or `view`; a row is a page.
    pub kind: String,
    /// `pending`, `made`, `gone` or `left_out`.
    pub state: String,
    /// Notion's id.
    pub id: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// Why it was left out.
    pub why: Option<String>,
}

impl Onboarding {
    /// `None` if something is missing that every answer has.
    pub(crate) fn read(onboarding: &Value) -> Option<Self> {
        let fields = Fields(onboarding);
        Some(Self {
            status: fields.text("status")?,
            recipe: fields.text("recipe"),
            recipe_version: fields.text("recipe_version"),
            landing_url: fields.text("landing_url"),
            resources: fields.list("resources", Resource::read)?,
            step: fields.text("step"),
            reason: fields.text("reason"),
            capability: fields.text("capability"),
        })
    }
}

impl Resource {
    fn read(resource: &Value) -> Option<Self> {
        let fields = Fields(resource);
        Some(Self {
            resource_id: fields.text("resource_id")?,
            kind: fields.text("type")?,
            state: fields.text("state")?,
            id: fields.text("id"),
            url: fields.text("url"),
            why: fields.text("why"),
        })
    }
}
