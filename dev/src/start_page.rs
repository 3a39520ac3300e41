//! `/`: what is running, an Install button, and the installations so far (no tokens).

use std::collections::HashMap;

use askama::Template as _;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::aws::{INSTALLATIONS_TABLE, ONBOARDING_TABLE};
use crate::inside::Inside;

/// How many events the page shows.
const SHOWN_EVENTS: usize = 12;

type Row = HashMap<String, AttributeValue>;

#[derive(askama::Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    url: &'a str,
    notion: Option<String>,
    has_simulated_notion: bool,
    data: String,
    rescued: usize,
    said: Option<String>,
    installations: Vec<Installation>,
    events: Vec<Event>,
    webhook_url: Option<&'a str>,
    webhooks: usize,
    webhook_dead_letters: usize,
    has_recipe: bool,
    onboardings: usize,
    onboarding_dead_letters: usize,
}

/// An event of the feed.
struct Event {
    id: String,
    kind: String,
    timestamp: String,
    about: String,
}

struct Installation {
    workspace: String,
    person: String,
    health: String,
    subjects: String,
    refreshed: String,
    generation: String,
    superseded: usize,
    bot_id: String,
    workspace_id: String,
    user_id: String,
    prepared: Option<Prepared>,
}

/// How far a person's workspace is prepared.
struct Prepared {
    status: String,
    /// Why it stopped; the page shows it on hover.
    reason: Option<String>,
    /// The page to begin at, once it is there.
    landing_url: Option<String>,
}

impl Prepared {
    /// From a ledger, as `onboard` writes it.
    fn of(ledger: &Row) -> Self {
        let text = |name: &str| ledger.get(name).and_then(|value| value.as_s().ok());
        let json = |name: &str| text(name).and_then(|json| serde_json::from_str::<Value>(json).ok());
        let steps = json("steps").unwrap_or_default();
        let is_landing = |step: &&Value| {
            step["resource_id"].as_str() == text("landing").map(String::as_str) && step["state"] == "made"
        };
        let landing = steps.as_array().into_iter().flatten().find(is_landing);
        let landing_url = landing.and_then(|step| step["url"].as_str());
        Self {
            status: text("status").cloned().unwrap_or_default(),
            reason: json("failure").and_then(|failure| failure["reason"].as_str().map(str::to_owned)),
            landing_url: landing_url.map(str::to_owned),
        }
    }

    /// Nothing was begun yet.
    fn not_begun() -> Self {
        Self { status: "pending".to_owned(), reason: None, landing_url: None }
    }

    /// Whether the page should look again.
    fn is_under_way(&self) -> bool {
        ["pending", "running"].contains(&self.status.as_str())
    }
}

impl Installation {
    /// Enough of the id to tell bots apart; the page shows all of it on hover.
    fn short_bot_id(&self) -> &str {
        self.bot_id.get(..8).unwrap_or(&self.bot_id)
    }
}

/// Renders the page.
pub(crate) async fn render(inside: &Inside) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    // A scan is fine here: this page never leaves the machine. It bypasses the wire, so it is not counted. The row of
    // a forgotten person has no workspace and is left out.
    let client = inside.services.dynamodb.service().client();
    let scan = |table: &str| client.scan().table_name(table).consistent_read(true).send();
    let rows = scan(INSTALLATIONS_TABLE.0).await?;
    let ledgers = scan(ONBOARDING_TABLE.0).await?;
    let has_recipe = inside.functions.onboard.is_some();
    let mut installations: Vec<Installation> = rows
        .items()
        .iter()
        .filter(|row| row.contains_key("workspace_id"))
        .map(|row| {
            let text = |name: &str| match row.get(name) {
                Some(AttributeValue::S(text) | AttributeValue::N(text)) => text.clone(),
                _ => String::new(),
            };
            let or = |first: String, second: String| if first.is_empty() { second } else { first };
            let refreshed_at_ms = text("refreshed_at_ms").parse::<u64>().ok();
            let health = health_of(row);
            let ledger = ledgers
                .items()
                .iter()
                .find(|ledger| ledger.get("onboarding_id") == row.get("installation_id"));
            let is_waiting = has_recipe && ["active", "unverified"].contains(&health.as_str());
            let superseded = row.get("superseded").and_then(|list| list.as_l().ok()).map_or(0, Vec::len);
            Installation {
                workspace: or(text("workspace_name"), text("workspace_id")),
                person: or(or(text("owner_name"), text("owner_email")), text("owner_type")),
                health,
                subjects: subjects_of(row),
                refreshed: refreshed_at_ms.map_or_else(|| "never".to_owned(), |at_ms| ago(inside, at_ms)),
                generation: text("generation"),
                superseded,
                bot_id: text("bot_id"),
                workspace_id: text("workspace_id"),
                user_id: text("owner_user_id"),
                prepared: ledger.map(Prepared::of).or_else(|| is_waiting.then(Prepared::not_begun)),
            }
        })
        .collect();
    installations.sort_by(|a, b| (&a.workspace, &a.person).cmp(&(&b.workspace, &b.person)));
    let queues = inside.services.queues.service();
    let page = StartPage {
        url: &inside.url,
        notion: inside.notion.as_ref().map(simulated_notion::Simulator::base_url),
        has_simulated_notion: inside.notion.is_some(),
        data: inside
            .data_dir
            .as_ref()
            .map_or_else(|| "in memory".to_owned(), |dir| dir.display().to_string()),
        said: inside.last_said(),
        rescued: queues.messages().len(),
        installations,
        events: last_events(inside).await,
        webhook_url: inside.variables.get("WEBHOOK_URL").map(String::as_str),
        webhooks: queues.webhooks().len(),
        webhook_dead_letters: queues.webhook_dead_letters().len(),
        has_recipe,
        onboardings: queues.onboardings().len(),
        onboarding_dead_letters: queues.onboarding_dead_letters().len(),
    };
    Ok(page.render()?)
}

/// The last events of the feed, newest first. The page asks again, so they appear while one looks.
pub(crate) async fn events_html(inside: &Inside) -> Result<String, askama::Error> {
    EventsList { events: last_events(inside).await }.render()
}

#[derive(askama::Template)]
#[template(path = "start_events.html")]
struct EventsList {
    events: Vec<Event>,
}

async fn last_events(inside: &Inside) -> Vec<Event> {
    let (mut after, mut events) = (Value::Null, Vec::new());
    loop {
        let page = inside.ask("feed", &json!({"after": after})).await;
        let text = |event: &Value, pointer: &str| {
            event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        events.extend(page["events"].as_array().into_iter().flatten().map(|event| {
            let subjects = event.pointer("/data/subjects").and_then(Value::as_array);
            let subjects: Vec<&str> = subjects.into_iter().flatten().filter_map(Value::as_str).collect();
            let or = |first: String, second: String| if first.is_empty() { second } else { first };
            Event {
                id: text(event, "/id"),
                kind: text(event, "/type"),
                timestamp: text(event, "/timestamp"),
                about: or(or(text(event, "/data/subject"), text(event, "/data/reason")), subjects.join(", ")),
            }
        }));
        after = page["next"].clone();
        if page["more"] != true {
            break;
        }
    }
    events.into_iter().rev().take(SHOWN_EVENTS).collect()
}

fn health_of(row: &Row) -> String {
    let has = |name: &str| row.contains_key(name);
    let health = row.get("health").and_then(|health| health.as_s().ok()).cloned().unwrap_or_default();
    let unclaimed = has("claim_by_ms") && !has("owned_since_ms") && health != "removed";
    if unclaimed { "unclaimed".to_owned() } else { health }
}

/// The users of the app that it is linked to.
fn subjects_of(row: &Row) -> String {
    let subjects = row.get("subjects").and_then(|subjects| subjects.as_l().ok());
    let names = subjects.into_iter().flatten().filter_map(|subject| subject.as_s().ok());
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn ago(inside: &Inside, at_ms: u64) -> String {
    match inside.clock.now_millis().0.saturating_sub(at_ms) / 60_000 {
        0 => "just now".to_owned(),
        minutes => format!("{minutes} min ago"),
    }
}
