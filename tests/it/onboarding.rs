//! Onboarding, from the install to the prepared workspace: the bus, the queue, the function, the token function and the
//! simulated Notion.

mod clean;
mod crash;
mod faults;
mod hostile;
mod people;
mod thousand;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use dev::stack::{NotionSide, Options};
use recipe::Recipe;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Item, ItemKind};

use crate::harness::{World, person};

/// How often the queue may come back until an onboarding is over: more means that it never ends.
const MOST_ROUNDS: usize = 400;

/// A recipe of this repository.
pub(crate) fn recipe(name: &str) -> Recipe {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes").join(name);
    Recipe::read(&folder).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A world in which workspaces are prepared.
pub(crate) async fn world(recipe: Recipe, change: impl FnOnce(&mut Options)) -> World {
    World::start_with(|options| {
        options.recipe = Some(recipe);
        change(options);
    })
    .await
}

/// Changes the simulated Notion's options.
pub(crate) fn notion(options: &mut Options) -> &mut simulated_notion::Options {
    match &mut options.notion {
        NotionSide::Simulated(notion) => notion,
        NotionSide::Real { .. } => unreachable!("the tests simulate Notion"),
    }
}

/// Lets the events reach the queue, and the queue the function, until nothing waits. Returns how many seconds that took.
pub(crate) async fn settle(world: &World) -> u64 {
    settle_within(world, MOST_ROUNDS).await
}

/// The same, within so many rounds.
pub(crate) async fn settle_within(world: &World, most_rounds: usize) -> u64 {
    let began = world.clock_ms();
    for _ in 0..most_rounds {
        world.stack.publish_changes().await.unwrap();
        world.stack.prepare_workspaces().await;
        let queues = world.stack.queues().service();
        let Some(at_ms) = queues.next_onboarding_at_ms() else {
            world.stack.publish_changes().await.unwrap();
            return (world.clock_ms() - began) / 1000;
        };
        world.clock.advance_secs(at_ms.saturating_sub(world.clock_ms()) / 1000 + 1);
    }
    panic!("it never ends: {:?}", world.stack.queues().service().onboardings());
}

/// What `installations` says about the onboarding of a person.
pub(crate) async fn onboarding(world: &World, user: &str) -> Value {
    let listed = world.ask("installations", person(user, ACME, json!({}))).await;
    listed["installations"][0]["onboarding"].clone()
}

/// Ada's.
pub(crate) async fn of_ada(world: &World) -> Value {
    onboarding(world, ADA).await
}

/// The states of the steps, by `resource_id`.
pub(crate) fn states(onboarding: &Value) -> BTreeMap<String, String> {
    let text = |resource: &Value, name: &str| resource[name].as_str().unwrap().to_owned();
    let resources = onboarding["resources"].as_array().unwrap().iter();
    resources.map(|resource| (text(resource, "resource_id"), text(resource, "state"))).collect()
}

/// Kind, titles from the top down, and the content. Ids and times left out, sorted.
pub(crate) type Made = Vec<(String, String, String)>;

/// What bots have made in Acme.
pub(crate) fn made(world: &World) -> Made {
    made_by_each(world).into_values().flatten().collect()
}

/// What each person's bots have made in Acme.
pub(crate) fn made_by_each(world: &World) -> BTreeMap<String, Made> {
    let content = world.notion().content(ACME);
    let by_id: HashMap<&str, &Item> = content.items().map(|item| (item.id.as_str(), item)).collect();
    let grants = world.notion().grants();
    let person_of: HashMap<&str, &str> =
        grants.iter().map(|grant| (grant.bot_id.as_str(), grant.person_id.as_str())).collect();
    let mut made: BTreeMap<String, Made> = BTreeMap::new();
    // Notion makes these by itself, with the database.
    let items =
        content.items().filter(|item| item.kind != ItemKind::DataSource && item.title != "Default view");
    for item in items.filter(|item| !item.in_trash) {
        let Some(person) = person_of.get(item.created_by.as_str()) else { continue };
        let of_person = made.entry((*person).to_owned()).or_default();
        of_person.push((format!("{:?}", item.kind), path_of(&by_id, item), body_of(item)));
    }
    for made in made.values_mut() {
        made.sort();
    }
    made
}

fn path_of(by_id: &HashMap<&str, &Item>, item: &Item) -> String {
    let parent = item.parent.as_ref().and_then(|parent| by_id.get(parent.as_str()));
    let above = parent.map(|parent| path_of(by_id, parent) + " / ").unwrap_or_default();
    above + &item.title
}

/// The content without what differs from run to run: ids, and days.
fn body_of(item: &Item) -> String {
    let mut properties = item.properties.clone();
    without_ids(&mut properties);
    let text = format!("{} {properties}", item.markdown);
    let is_of_an_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut kept = String::new();
    for word in text.split_inclusive(|c| !is_of_an_id(c)) {
        let id = word.trim_end_matches(|c| !is_of_an_id(c));
        let is_varying = id.len() >= 10 && id.bytes().any(|byte| byte.is_ascii_digit());
        kept.push_str(if is_varying { &word[id.len()..] } else { word });
    }
    kept
}

fn without_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !["id", "created_time", "last_edited_time", "property_id"].contains(&name.as_str())
            });
            fields.values_mut().for_each(without_ids);
        }
        Value::Array(values) => values.iter_mut().for_each(without_ids),
        _ => {}
    }
}
