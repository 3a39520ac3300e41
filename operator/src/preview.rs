//! What a recipe makes, with sample values in the place of a person's. Nobody is asked.

use std::path::Path;

use recipe::{Make, Parent, Recipe, Step, Values};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use crate::outcome::{Failure, Outcome};
use crate::plan::{request, today};
use crate::recipes;

/// Whom to show it for. What is empty is not known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The person's name.
    pub person: String,
    /// The person's e-mail address.
    pub email: String,
    /// The workspace's name.
    pub workspace: String,
    /// The app's name.
    pub app: String,
}

/// Shows every resource of the recipe in `folder` as it would be made.
///
/// # Errors
///
/// [`Failure::Refused`] with everything that is wrong with the recipe.
pub fn preview(folder: &Path, sample: &Sample) -> Result<Outcome, Failure> {
    let recipe = recipes::read(folder)?;
    let known = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
    let values = Values {
        person_id: Some("<person>".to_owned()),
        person_name: known(&sample.person),
        person_email: known(&sample.email),
        workspace_name: known(&sample.workspace),
        app_name: sample.app.clone(),
        today: today(SystemClock.now_millis()),
        ..Values::default()
    };
    let (mut blocks, mut steps) = (Vec::new(), Vec::new());
    for step in &recipe.steps {
        let body = request(&recipe, step, &values);
        blocks.push(block(&recipe, step, &values, body.as_ref().unwrap_or(&Value::Null)));
        steps.push(json!({
            "resource_id": step.resource_id,
            "type": step.make.kind().key(),
            "title": step.title(&values),
            "request": body,
        }));
    }
    let json = json!({"recipe": recipe.name, "recipe_version": recipe.version, "steps": steps});
    Ok(Outcome::well(blocks.join("\n\n"), json))
}

/// A resource as people see it: a heading, its properties or values, and its Markdown.
fn block(recipe: &Recipe, step: &Step, values: &Values, body: &Value) -> String {
    let title = step.title(values).unwrap_or_default();
    let icon = body["icon"]["emoji"].as_str().or(body["icon"]["external"]["url"].as_str());
    let icon = icon.map(|icon| format!("{icon} ")).unwrap_or_default();
    let (heading, mut lines) = match &step.make {
        Make::Page { parent, .. } => (format!("page \"{icon}{title}\" {}", place(parent)), Vec::new()),
        Make::Database { parent, inline, properties, .. } => {
            let shown = if *inline { ", shown in it" } else { "" };
            let mut lines = vec![words(&body["description"])];
            lines.extend(properties.iter().map(|property| {
                let options = &property.configuration.get("options").map(names).unwrap_or_default();
                let options = if options.is_empty() { String::new() } else { format!(": {options}") };
                format!("- {}: {}{options}", property.name, property.r#type)
            }));
            (format!("database \"{icon}{title}\" {}{shown}", place(parent)), lines)
        }
        Make::Row { database, properties, .. } => {
            let filled = properties.iter().filter_map(|(name, _)| {
                let value = body["properties"].get(name)?;
                Some(format!("- {name}: {}", in_words(value)))
            });
            let mut lines: Vec<String> = filled.collect();
            let template = &body["template"];
            lines.extend(step.needs_template().map(|name| format!("- from the template \"{name}\"")));
            lines.extend((template["type"] == "default").then(|| "- from the default template".to_owned()));
            (format!("row \"{icon}{title}\" of {database}"), lines)
        }
        Make::View(view) => {
            let mut lines = Vec::new();
            lines.extend(view.group_by.as_ref().map(|group| format!("- grouped by: {}", group.property)));
            lines.extend(view.date.as_ref().map(|date| format!("- by date: {date}")));
            lines.extend(view.filter.as_ref().map(|filter| format!("- filter: {filter}")));
            lines.extend(view.sorts.as_ref().map(|sorts| format!("- sorts: {sorts}")));
            (format!("view \"{title}\" of {}, a {}", view.database, view.kind), lines)
        }
        Make::TemplatePage { title } => (format!("page \"{title}\", found in the template"), Vec::new()),
        Make::TemplateDatabase { title } => {
            (format!("database \"{title}\", found in the template"), Vec::new())
        }
    };
    lines.extend(body["markdown"].as_str().map(|markdown| format!("\n{}", markdown.trim_end())));
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let landing = if recipe.landing.as_ref() == Some(&step.resource_id) { ", the landing page" } else { "" };
    [format!("=== {}: {heading}{landing}", step.resource_id)]
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn place(parent: &Parent) -> String {
    match parent {
        Parent::Workspace => "at the top of the workspace".to_owned(),
        Parent::Resource(resource) => format!("in {resource}"),
    }
}

/// The text of Notion's rich text.
fn words(rich_text: &Value) -> String {
    let elements = rich_text.as_array().into_iter().flatten();
    elements.filter_map(|element| element["text"]["content"].as_str()).collect()
}

fn joined(values: &Value, field: &str) -> String {
    let all = values.as_array().into_iter().flatten().filter_map(|value| value[field].as_str());
    all.collect::<Vec<_>>().join(", ")
}

fn names(options: &Value) -> String {
    joined(options, "name")
}

/// The value of a property.
fn in_words(value: &Value) -> String {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        return String::new();
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match kind.as_str() {
        "title" | "rich_text" => words(value),
        "select" | "status" => text(&value["name"]),
        "multi_select" => names(value),
        "date" => match value.get("end") {
            Some(end) => format!("{} to {}", text(&value["start"]), text(end)),
            None => text(&value["start"]),
        },
        "people" | "relation" => joined(value, "id"),
        _ => text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_said_in_words() {
        for (value, said) in [
            (json!({"title": [{"text": {"content": "a"}}, {"text": {"content": "b"}}]}), "ab"),
            (json!({"select": {"name": "High"}}), "High"),
            (json!({"multi_select": [{"name": "x"}, {"name": "y"}]}), "x, y"),
            (json!({"date": {"start": "2026-11-29"}}), "2026-11-29"),
            (json!({"date": {"start": "2026-11-29", "end": "2026-11-30"}}), "2026-11-29 to 2026-11-30"),
            (json!({"people": [{"object": "user", "id": "<person>"}]}), "<person>"),
            (json!({"checkbox": true}), "true"),
            (json!({"number": 1.5}), "1.5"),
            (json!({"url": "https://example.com"}), "https://example.com"),
        ] {
            assert_eq!(in_words(&value), said);
        }
    }
}
