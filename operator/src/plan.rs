//! What an onboarding would do, without doing it: the same decisions as those of the function `onboard`.
//!
//! The operator does not link that function: its build reads every recipe, and fails with one that is wrong. Then
//! `recipe check` could not say what.

use std::collections::HashSet;

use recipe::{Presence, Recipe, Resource, Step, Values, short_url};
use serde_json::Value;
use shared::clock::UnixMillis;
use vault::onboarding::{Ledger, StepState};
use vault::store::Installation;

const DAY_MS: u64 = 86_400_000;

/// A step of a recipe, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    /// Its name in the recipe.
    pub(crate) resource_id: String,
    /// `page`, `database` or `view`.
    pub(crate) kind: &'static str,
    /// How far it is; `None` if it was not begun.
    pub(crate) state: Option<StepState>,
    /// Whether something is still done about it.
    pub(crate) is_open: bool,
    /// Why it would be left out.
    pub(crate) without: Option<String>,
    /// The request that would be sent; `None` if none is, or if it is found instead of made.
    pub(crate) request: Option<Value>,
}

/// What the recipe's placeholders stand for.
pub(crate) fn values(row: &Installation, ledger: Option<&Ledger>, app_name: &str, now: UnixMillis) -> Values {
    let steps = ledger.map_or(&[][..], |ledger| &ledger.steps);
    let resources = steps.iter().filter_map(|step| {
        let id = step.id.clone()?;
        let url = step.url.clone().unwrap_or_else(|| short_url(&id));
        Some((step.resource_id.clone(), Resource { id, url, data_source_id: step.data_source_id.clone() }))
    });
    Values {
        person_id: row.owner_user_id.clone(),
        person_name: row.owner_name.clone(),
        person_email: row.owner_email.clone(),
        workspace_name: row.workspace_name.clone(),
        app_name: app_name.to_owned(),
        today: today(now),
        resources: resources.collect(),
    }
}

/// The day, in days since 1970-01-01.
pub(crate) fn today(now: UnixMillis) -> i64 {
    i64::try_from(now.0 / DAY_MS).unwrap_or(0)
}

/// What an order of the operator would do, which also tries again what was left out.
pub(crate) fn plan(
    recipe: &Recipe,
    ledger: Option<&Ledger>,
    values: &Values,
    has_template: bool,
) -> Vec<Planned> {
    let tries_again = ledger.is_some_and(Ledger::is_over);
    let mut absent: HashSet<&str> = HashSet::new();
    let planned = recipe.steps.iter().map(|step| {
        let state = ledger.and_then(|ledger| ledger.step(&step.resource_id)).map(|known| known.state);
        let is_open = match state {
            Some(StepState::LeftOut) => tries_again,
            state => !state.is_some_and(StepState::is_settled),
        };
        let without = if is_open { without(step, ledger, has_template, &absent) } else { None };
        if without.is_some() || (!is_open && state != Some(StepState::Made)) {
            absent.insert(&step.resource_id);
        }
        let is_made = is_open && without.is_none();
        Planned {
            resource_id: step.resource_id.clone(),
            kind: step.make.kind().key(),
            state,
            is_open,
            without,
            request: if is_made { request(recipe, step, values) } else { None },
        }
    });
    planned.collect()
}

/// What a step needs that is not there, and will not be.
fn without(
    step: &Step,
    ledger: Option<&Ledger>,
    has_template: bool,
    absent: &HashSet<&str>,
) -> Option<String> {
    let has_address =
        |need: &str| ledger.and_then(|ledger| ledger.step(need)).is_some_and(|known| known.id.is_some());
    let missing = step.missing(|need| match (absent.contains(need), has_address(need)) {
        (false, _) => Presence::There,
        (true, true) => Presence::Gone,
        (true, false) => Presence::Absent,
    });
    let no_template = step.make.in_template().is_some() && !has_template;
    missing
        .map(|missing| format!("needs {missing}"))
        .or_else(|| no_template.then(|| "no template was duplicated".to_owned()))
}

/// The request of a step, with names in angle brackets for what only Notion knows.
pub(crate) fn request(recipe: &Recipe, step: &Step, values: &Values) -> Option<Value> {
    let mut values = values.clone();
    for earlier in recipe.steps.iter().take_while(|earlier| earlier.resource_id != step.resource_id) {
        let name = &earlier.resource_id;
        values.resources.entry(name.clone()).or_insert_with(|| Resource {
            id: format!("<{name}>"),
            url: format!("https://www.notion.so/{name}"),
            data_source_id: Some(format!("<data source of {name}>")),
        });
    }
    let named = |name: &str| Some(format!("<{name}>"));
    step.request(&values, &named, &named).ok().flatten().map(|request| request.body)
}

/// Whether an order that is no second try would do something, and how urgent that is: 0 the most. Otherwise the first
/// hundred of a thousand would be ordered again and again.
pub(crate) fn urgency(recipe: &Recipe, row: &Installation, ledger: Option<&Ledger>) -> Option<u8> {
    let Some(ledger) = ledger else { return Some(0) };
    if !ledger.is_over() {
        return Some(2);
    }
    ledger.goes_on(&recipe.name, &recipe.version, row.generation).then_some(1)
}

/// For how many requests an onboarding reserves time: one for each open step, and one more.
pub(crate) fn reserved(recipe: &Recipe, ledger: Option<&Ledger>) -> u64 {
    let settled = |step: &Step| {
        ledger.and_then(|ledger| ledger.step(&step.resource_id)).is_some_and(|known| known.state.is_settled())
    };
    recipe.steps.iter().filter(|step| !settled(step)).count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vault::installation::InstallationId;
    use vault::onboarding::{LedgerStep, OnboardingStatus};

    use super::*;

    fn tracker() -> Recipe {
        Recipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/tracker")).unwrap()
    }

    fn ledger(recipe: &Recipe, status: OnboardingStatus, steps: &[(&str, StepState)]) -> Ledger {
        let steps = steps.iter().map(|(resource_id, state)| LedgerStep {
            resource_id: (*resource_id).to_owned(),
            kind: "page".to_owned(),
            state: *state,
            at_ms: 0,
            tries: 0,
            id: (*state != StepState::LeftOut).then(|| format!("id-of-{resource_id}")),
            url: None,
            data_source_id: None,
            why: None,
        });
        Ledger {
            id: InstallationId::of_user("w", Some("u")),
            status,
            version: 1,
            generation: 1,
            recipe: recipe.name.clone(),
            recipe_version: recipe.version.clone(),
            landing: None,
            started_at_ms: 0,
            turn_at_ms: None,
            failure: None,
            steps: steps.collect(),
        }
    }

    fn left_out(planned: &[Planned]) -> Vec<(&str, &str)> {
        let left_out = planned.iter().filter_map(|step| Some((&*step.resource_id, step.without.as_deref()?)));
        left_out.collect()
    }

    #[test]
    fn a_new_person_gets_everything() {
        let recipe = tracker();
        let planned = plan(&recipe, None, &Values::default(), false);
        assert!(planned.iter().all(|step| step.is_open && step.state.is_none() && step.request.is_some()));
        assert_eq!(reserved(&recipe, None), 7);
    }

    #[test]
    fn what_stood_in_something_deleted_is_left_out() {
        let recipe = tracker();
        let steps = [("home", StepState::Gone), ("tasks", StepState::Made), ("board", StepState::Gone)];
        let gone = ledger(&recipe, OnboardingStatus::Running, &steps);
        assert_eq!(left_out(&plan(&recipe, Some(&gone), &Values::default(), false)), []);
        let gone = ledger(&recipe, OnboardingStatus::Running, &steps[..1]);
        let planned = plan(&recipe, Some(&gone), &Values::default(), false);
        let expected = [
            ("tasks", "needs home"),
            ("board", "needs tasks"),
            ("first-task", "needs tasks"),
            ("second-task", "needs tasks"),
            ("third-task", "needs tasks"),
        ];
        assert_eq!(left_out(&planned), expected);
        assert!(planned.iter().all(|step| step.request.is_none()));
    }

    #[test]
    fn what_was_left_out_is_tried_again_if_it_is_over() {
        let recipe = tracker();
        let steps = [("home", StepState::Made), ("tasks", StepState::LeftOut)];
        let running = ledger(&recipe, OnboardingStatus::Running, &steps);
        assert!(!plan(&recipe, Some(&running), &Values::default(), false)[1].is_open);
        let over = ledger(&recipe, OnboardingStatus::Completed, &steps);
        let planned = plan(&recipe, Some(&over), &Values::default(), false);
        assert!(planned[1].is_open && planned[1].state == Some(StepState::LeftOut));
        assert!(planned[1].request.is_some());
    }
}
