//! What a run writes into its ledger.

use recipe::{Resource, Step, Values, short_url};
use shared::clock::UnixMillis;
use vault::onboarding::{Ledger, LedgerStep, OnboardingStatus, StepState};
use vault::store::Installation;

use crate::Onboard;

/// Notion's own form of an address, without the words of the title: those may be names.
const NOTION_HOSTS: [&str; 4] = ["www.notion.so", "notion.so", "www.notion.com", "app.notion.com"];

/// What was made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) url: Option<String>,
    pub(crate) data_source_id: Option<String>,
}

impl Onboard {
    /// The ledger of an installation that has none.
    pub(crate) fn begin(&self, row: &Installation, now: UnixMillis) -> Ledger {
        Ledger {
            id: row.id.clone(),
            status: OnboardingStatus::Pending,
            version: 0,
            generation: row.generation,
            recipe: self.recipe.name.clone(),
            recipe_version: self.recipe.version.clone(),
            landing: self.recipe.landing.clone(),
            started_at_ms: now.0,
            turn_at_ms: None,
            failure: None,
            steps: Vec::new(),
        }
    }

    /// Whether there is something to do about an installation, and the ledger with which it begins or goes on.
    pub(crate) fn continued(
        &self,
        row: &Installation,
        standing: Option<Ledger>,
        again: bool,
        now: UnixMillis,
    ) -> Option<Ledger> {
        let Some(mut ledger) = standing else { return Some(self.begin(row, now)) };
        let goes_on = again || ledger.goes_on(&self.recipe.name, &self.recipe.version, row.generation);
        let reinstalled = row.generation > ledger.generation;
        ledger.recipe.clone_from(&self.recipe.name);
        ledger.recipe_version.clone_from(&self.recipe.version);
        ledger.landing.clone_from(&self.recipe.landing);
        ledger.generation = row.generation;
        if !ledger.is_over() {
            return Some(ledger);
        }
        if !goes_on {
            return None;
        }
        if again || reinstalled {
            // A template may be there now, or a property again.
            ledger.steps.retain(|step| step.state != StepState::LeftOut);
        }
        for step in ledger.steps.iter_mut().filter(|step| !step.state.is_settled()) {
            step.tries = 0;
        }
        ledger.status = OnboardingStatus::Pending;
        ledger.started_at_ms = now.0;
        ledger.turn_at_ms = None;
        ledger.failure = None;
        Some(ledger)
    }

    /// What the recipe's placeholders stand for.
    pub(crate) fn values(&self, row: &Installation, ledger: Option<&Ledger>, now: UnixMillis) -> Values {
        let steps = ledger.map_or(&[][..], |ledger| &ledger.steps);
        let resources = steps.iter().filter_map(|step| {
            let id = step.id.clone()?;
            let url = step.url.clone().unwrap_or_else(|| short_url(&id));
            Some((
                step.resource_id.clone(),
                Resource { id, url, data_source_id: step.data_source_id.clone() },
            ))
        });
        Values {
            person_id: row.owner_user_id.clone(),
            person_name: row.owner_name.clone(),
            person_email: row.owner_email.clone(),
            workspace_name: row.workspace_name.clone(),
            app_name: self.app_name.clone(),
            today: i64::try_from(now.0 / 86_400_000).unwrap_or(0),
            resources: resources.collect(),
        }
    }
}

/// Begins a step, or changes it.
pub(crate) fn set<'l>(
    ledger: &'l mut Ledger,
    step: &Step,
    state: StepState,
    now: UnixMillis,
) -> &'l mut LedgerStep {
    let at = ledger.steps.iter().position(|known| known.resource_id == step.resource_id);
    let at = at.unwrap_or_else(|| {
        ledger.steps.push(LedgerStep {
            resource_id: step.resource_id.clone(),
            kind: step.make.kind().key().to_owned(),
            state,
            at_ms: now.0,
            tries: 0,
            id: None,
            url: None,
            data_source_id: None,
            why: None,
        });
        ledger.steps.len() - 1
    });
    let known = &mut ledger.steps[at];
    known.state = state;
    known.at_ms = now.0;
    known
}

/// A step is done.
pub(crate) fn set_made(ledger: &mut Ledger, step: &Step, found: &Found, now: UnixMillis) {
    let made = set(ledger, step, StepState::Made, now);
    made.url =
        Some(found.url.as_deref().map_or_else(|| short_url(&found.id), |url| stored_url(url, &found.id)));
    made.id = Some(found.id.clone());
    made.data_source_id.clone_from(&found.data_source_id);
}

/// Notion's addresses contain the title, which may contain a name. Its id is enough.
fn stored_url(url: &str, id: &str) -> String {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if NOTION_HOSTS.contains(&host) { short_url(id) } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_title_is_kept_in_an_address() {
        let id = "0123-4567";
        assert_eq!(
            stored_url("https://www.notion.so/For-Ada-01234567", id),
            "https://www.notion.so/01234567"
        );
        assert_eq!(
            stored_url("http://127.0.0.1:3001/workspace/a/b", id),
            "http://127.0.0.1:3001/workspace/a/b"
        );
    }
}
