//! How far the onboarding of an installation is, from its ledger.

use serde_json::{Value, json};
use vault::installation::InstallationId;
use vault::onboarding::{Ledger, LedgerStep, OnboardingStatus, StepState};

use crate::aws::Aws;
use crate::installations::moment;
use crate::outcome::{Failure, Outcome, plain};
use crate::stack::Stack;
use crate::tables::{soon, store};

/// Everything in the ledger of an installation.
///
/// # Errors
///
/// [`Failure`].
pub async fn show(aws: &Aws, stack: &Stack, id: &InstallationId) -> Result<Outcome, Failure> {
    stack.resource("OnboardingTable")?;
    let store = store(aws, stack)?;
    if let Some(ledger) = store.read_ledger(id, soon()).await? {
        let has_failed = ledger.status == OnboardingStatus::Failed;
        return Ok(Outcome::unless(has_failed, block(&ledger), fields(&ledger)));
    }
    let whom = plain(id.as_str());
    if store.read_installation(id, soon()).await?.is_none() {
        return Err(Failure::Refused(format!("there is no installation of {whom}")));
    }
    let json = json!({"installation_id": id.as_str(), "status": null, "steps": []});
    Ok(Outcome::well(format!("Nothing was begun for {whom}"), json))
}

/// The name of a state, as in the table.
pub(crate) fn state_name(state: StepState) -> &'static str {
    match state {
        StepState::Intended => "intended",
        StepState::Waiting => "waiting",
        StepState::Made => "made",
        StepState::Gone => "gone",
        StepState::LeftOut => "left_out",
    }
}

/// What is said of all steps together.
fn summary(ledger: &Ledger) -> Vec<(&'static str, Value)> {
    let failure = ledger.failure.as_ref();
    vec![
        ("installation_id", ledger.id.as_str().into()),
        ("status", ledger.status.key().into()),
        ("recipe", ledger.recipe.as_str().into()),
        ("recipe_version", ledger.recipe_version.as_str().into()),
        ("generation", ledger.generation.into()),
        ("version", ledger.version.into()),
        ("landing_url", ledger.landing_url().into()),
        ("started_at", moment(ledger.started_at_ms).into()),
        ("turn_at", ledger.turn_at_ms.map(moment).into()),
        ("reason", failure.map(|failure| failure.reason.key()).into()),
        ("step", failure.and_then(|failure| failure.step.as_deref()).into()),
        ("capability", failure.and_then(|failure| failure.capability.as_deref()).into()),
    ]
}

fn fields(ledger: &Ledger) -> Value {
    let mut fields: serde_json::Map<String, Value> =
        summary(ledger).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let steps = ledger.steps.iter().map(|step| {
        json!({
            "resource_id": step.resource_id,
            "type": step.kind,
            "state": state_name(step.state),
            "at": moment(step.at_ms),
            "tries": step.tries,
            "id": step.id,
            "url": step.url,
            "why": step.why,
        })
    });
    fields.insert("steps".to_owned(), steps.collect());
    fields.into()
}

fn block(ledger: &Ledger) -> String {
    let lines = summary(ledger).into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), plain);
        format!("{name:<20} {value}")
    });
    lines.chain([String::new()]).chain(ledger.steps.iter().map(line)).collect::<Vec<_>>().join("\n")
}

/// A step on one line.
fn line(step: &LedgerStep) -> String {
    let tries = match step.tries {
        0 => None,
        1 => Some("tried once in vain".to_owned()),
        tries => Some(format!("tried {tries} times in vain")),
    };
    let rest = [step.id.clone(), step.url.clone(), step.why.clone(), tries];
    let rest = rest.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let line = format!("{:<9} {:<8} {:<20} {rest}", state_name(step.state), step.kind, step.resource_id);
    plain(line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault::onboarding::{FailureReason, OnboardingFailure};

    #[test]
    fn a_ledger_says_how_far_it_is_and_why_not_further() {
        let step = LedgerStep {
            resource_id: "home".to_owned(),
            kind: "page".to_owned(),
            state: StepState::Waiting,
            at_ms: 0,
            tries: 8,
            id: None,
            url: None,
            data_source_id: None,
            why: None,
        };
        let ledger = Ledger {
            id: InstallationId::of_user("w", Some("u")),
            status: OnboardingStatus::Failed,
            version: 3,
            generation: 1,
            recipe: "tracker".to_owned(),
            recipe_version: "0123456789abcdef".to_owned(),
            landing: Some("home".to_owned()),
            started_at_ms: 0,
            turn_at_ms: None,
            failure: Some(OnboardingFailure {
                step: Some("home".to_owned()),
                reason: FailureReason::NotionFailed,
                capability: None,
            }),
            steps: vec![step],
        };
        let said = block(&ledger);
        assert!(said.contains("reason               notion_failed"), "{said}");
        assert!(
            said.ends_with("\n\nwaiting   page     home                 tried 8 times in vain"),
            "{said}"
        );
        assert_eq!(fields(&ledger)["steps"][0]["state"], "waiting");
    }

    #[test]
    fn states_have_the_names_of_the_table() {
        for state in
            [StepState::Intended, StepState::Waiting, StepState::Made, StepState::Gone, StepState::LeftOut]
        {
            assert_eq!(serde_json::to_value(state).unwrap(), state_name(state));
        }
    }
}
