//! Onboarding, from the install to the prepared workspace: the bus, the queue, the function, the token function and the
//! simulated Notion.

mod clean;
mod crash;
mod faults;
mod hostile;
mod notices;
mod thousand;

use std::collections::BTreeMap;
use std::path::Path;

use dev::stack::{NotionSide, Options};
use recipe::Recipe;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Content, Item, ItemKind};

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
    let began = world.clock_ms();
    for _ in 0..MOST_ROUNDS {
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

/// What bots have made in Acme: kind, titles from the top down, and the content. Ids and times left out, sorted.
pub(crate) fn made(world: &World) -> Vec<(String, String, String)> {
    let content = world.notion().content(ACME);
    let bots: Vec<String> = world.notion().grants().into_iter().map(|grant| grant.bot_id).collect();
    let mut made: Vec<_> = content
        .items()
        // Notion makes these by itself, with the database.
        .filter(|item| item.kind != ItemKind::DataSource && item.title != "Default view")
        .filter(|item| bots.contains(&item.created_by) && !item.in_trash)
        .map(|item| (format!("{:?}", item.kind), path_of(&content, item), body_of(item)))
        .collect();
    made.sort();
    made
}

fn path_of(content: &Content, item: &Item) -> String {
    let parent = item.parent.as_ref().and_then(|parent| content.find(parent));
    let above = parent.map(|parent| path_of(content, parent) + " / ").unwrap_or_default();
    above + &item.title
}

/// The content without what differs from run to run.
fn body_of(item: &Item) -> String {
    let mut properties = item.properties.clone();
    without_ids(&mut properties);
    let markdown = item.markdown.split(['(', ')']).filter(|part| !part.starts_with("http"));
    format!("{} {}", markdown.collect::<String>(), properties)
}

fn without_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["id", "created_time", "last_edited_time", "property_id"].contains(&name.as_str()));
            fields.values_mut().for_each(without_ids);
        }
        Value::Array(values) => values.iter_mut().for_each(without_ids),
        _ => {}
    }
}
