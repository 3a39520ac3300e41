//! The app's pages.

use serde_json::Value;

use super::webhooks::Arrived;

/// The app, seen by a user; without one, the page asks who it is.
#[derive(askama::Template)]
#[template(path = "app.html")]
pub(super) struct AppPage {
    pub(super) user: Option<String>,
    pub(super) users: &'static [&'static str],
    pub(super) said: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) connections: Vec<Connection>,
    pub(super) arrived: Vec<Arrived>,
}

/// The user's connections alone: the page asks for them again while something is being prepared.
#[derive(askama::Template)]
#[template(path = "app_connections.html")]
pub(super) struct ConnectionsList {
    pub(super) connections: Vec<Connection>,
}

/// What came back from Notion.
pub(super) struct Connection {
    workspace: String,
    person: String,
    health: String,
    template: Option<String>,
    workspace_id: String,
    user_id: String,
    installation: String,
    preparation: Option<Preparation>,
}

/// How far the workspace is prepared, if the stack has a recipe.
struct Preparation {
    is_under_way: bool,
    has_failed: bool,
    /// The page to begin at, unless the person has deleted it.
    landing_url: Option<String>,
}

impl Preparation {
    fn of(onboarding: &Value) -> Option<Self> {
        let status = onboarding["status"].as_str()?;
        let is_link = |url: &&str| ["https://", "http://127.0.0.1:"].iter().any(|web| url.starts_with(web));
        Some(Self {
            is_under_way: ["pending", "running"].contains(&status),
            has_failed: status == "failed",
            landing_url: onboarding["landing_url"].as_str().filter(is_link).map(str::to_owned),
        })
    }
}

/// The page in a window of its own: it tells the window that opened it, and closes.
#[derive(askama::Template)]
#[template(path = "app_popup.html")]
pub(super) struct PopupPage {
    pub(super) said: String,
}

impl Connection {
    pub(super) fn of(facts: &Value) -> Self {
        let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
        let or = |first: String, second: String| if first.is_empty() { second } else { first };
        Self {
            workspace: or(text("workspace_name"), text("workspace_id")),
            person: or(or(text("user_name"), text("user_email")), "the workspace".to_owned()),
            health: text("health"),
            template: facts["duplicated_template_id"].as_str().map(str::to_owned),
            workspace_id: text("workspace_id"),
            user_id: text("user_id"),
            installation: text("installation"),
            preparation: Preparation::of(&facts["onboarding"]),
        }
    }
}

/// What a claim brought, in a sentence.
pub(super) fn connected(facts: &Value) -> String {
    let connection = Connection::of(facts);
    format!("Connected to {} as {}", connection.workspace, connection.person)
}

pub(super) fn render(page: &impl askama::Template) -> String {
    page.render().unwrap_or_else(|error| error.to_string())
}
