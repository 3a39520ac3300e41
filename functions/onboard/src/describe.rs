//! What an onboarding would do, without doing it: for the operator.

use recipe::{Recipe, Step, Values};
use serde_json::Value;
use vault::onboarding::{Ledger, StepState};

/// The plan of an onboarding.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Each step of the recipe, in order.
    pub steps: Vec<Planned>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its name in the recipe.
    pub resource_id: String,
    /// `page`, `database` or `view`.
    pub kind: &'static str,
    /// How far it is; `None` if it was not begun.
    pub state: Option<StepState>,
    /// The request that would be sent; `None` if it is done, or is found instead of made.
    pub body: Option<Value>,
}

impl Plan {
    /// What is left to do of a recipe.
    #[must_use]
    pub fn of(recipe: &Recipe, ledger: Option<&Ledger>, values: &Values) -> Self {
        let steps = recipe.steps.iter().map(|step| {
            let state = ledger.and_then(|ledger| ledger.step(&step.resource_id)).map(|known| known.state);
            let is_settled = state.is_some_and(StepState::is_settled);
            Planned {
                resource_id: step.resource_id.clone(),
                kind: step.make.kind().key(),
                state,
                body: if is_settled { None } else { would_send(recipe, step, values) },
            }
        });
        Self { steps: steps.collect() }
    }
}

/// The request, with placeholders for what earlier steps will make.
fn would_send(recipe: &Recipe, step: &Step, values: &Values) -> Option<Value> {
    let mut values = values.clone();
    for earlier in recipe.steps.iter().take_while(|earlier| earlier.resource_id != step.resource_id) {
        values.resources.entry(earlier.resource_id.clone()).or_insert_with(|| recipe::Resource {
            id: format!("<{}>", earlier.resource_id),
            url: format!("<{}>", earlier.resource_id),
            data_source_id: Some(format!("<{}'s data source>", earlier.resource_id)),
        });
    }
    let named = |name: &str| Some(format!("<{name}>"));
    step.request(&values, &named, &named).ok().flatten().map(|request| request.body)
}
