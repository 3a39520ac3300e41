//! Recipes in folders: what is wrong with one, or what it makes. Nobody is asked.

use std::path::Path;

use recipe::{Make, Problems, Recipe, Step};
use serde_json::{Value, json};

use crate::outcome::{Failure, Outcome, plain};

/// The resources that a recipe can have: one, several, and whether a step is one.
type Kind = (&'static str, &'static str, fn(&Make) -> bool);

const KINDS: [Kind; 6] = [
    ("page", "pages", |make| matches!(make, Make::Page { .. })),
    ("database", "databases", |make| matches!(make, Make::Database { .. })),
    ("view", "views", |make| matches!(make, Make::View(_))),
    ("row", "rows", |make| matches!(make, Make::Row { .. })),
    ("page of a template", "pages of a template", |make| matches!(make, Make::TemplatePage { .. })),
    ("database of a template", "databases of a template", |make| {
        matches!(make, Make::TemplateDatabase { .. })
    }),
];

/// Says everything that is wrong with the recipe in `folder`, or what it makes.
#[must_use]
pub fn check(folder: &Path) -> Outcome {
    match Recipe::read(folder) {
        Ok(recipe) => {
            let json = json!({
                "recipe": recipe.name,
                "recipe_version": recipe.version,
                "resources": recipe.steps.len(),
                "requests": requests(&recipe),
                "problems": [],
            });
            Outcome::well(in_a_line(&recipe), json)
        }
        Err(problems) => {
            let listed = problems.0.iter().map(
                |problem| json!({"file": problem.file, "line": problem.line, "message": problem.message}),
            );
            let json = json!({"problems": listed.collect::<Vec<Value>>()});
            Outcome::unless(true, in_lines(&problems), json)
        }
    }
}

/// Reads the recipe in `folder`.
///
/// # Errors
///
/// [`Failure::Refused`] with everything that is wrong.
pub(crate) fn read(folder: &Path) -> Result<Recipe, Failure> {
    Recipe::read(folder).map_err(|problems| Failure::Refused(in_lines(&problems)))
}

fn in_lines(problems: &Problems) -> String {
    problems.0.iter().map(|problem| plain(&problem.to_string())).collect::<Vec<_>>().join("\n")
}

fn in_a_line(recipe: &Recipe) -> String {
    let counted = KINDS.iter().filter_map(|(one, several, is_one)| {
        let count = recipe.steps.iter().filter(|step| is_one(&step.make)).count();
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { several }))
    });
    // A template is looked through level by level.
    let has_template = recipe.steps.iter().any(|step| step.make.in_template().is_some());
    format!(
        "{} is well: {}; {}{} requests to Notion for each installation (version {})",
        plain(&recipe.name),
        counted.collect::<Vec<_>>().join(", "),
        if has_template { "at least " } else { "" },
        requests(recipe),
        recipe.version,
    )
}

/// How many requests a step takes if nothing fails.
fn requests(recipe: &Recipe) -> usize {
    let of = |step: &Step| match step.make.in_template() {
        Some(_) => 2,
        None => 1 + usize::from(step.needs_property_ids()) + usize::from(step.needs_template().is_some()),
    };
    recipe.steps.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> String {
        let outcome = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes").join(name));
        assert!(!outcome.needs_you, "{}", outcome.said);
        outcome.said
    }

    #[test]
    fn a_recipe_is_summed_up_in_a_line() {
        let tracker = said("tracker");
        let makes =
            "tracker is well: 1 page, 1 database, 1 view, 3 rows; 7 requests to Notion for each installation";
        assert!(tracker.starts_with(makes), "{tracker}");
        let template = said("template");
        assert!(template.contains("1 database of a template; at least 5 requests"), "{template}");
    }

    #[test]
    fn what_is_wrong_needs_somebody() {
        let outcome = check(Path::new("/nonexistent/recipe"));
        assert!(
            outcome.needs_you && outcome.said.starts_with("/nonexistent/recipe/recipe.toml:1: "),
            "{outcome:?}"
        );
        assert_eq!(outcome.json["problems"][0]["line"], 1);
    }
}
