//! Settling what may have been made: a request whose outcome is unknown, or an intent that somebody else left behind.

use std::time::Duration;

use http::Method;
use recipe::Step;
use serde_json::Value;
use vault::onboarding::StepState;

use crate::gaps::{self, OVER_AFTER, SEARCH_AGAIN, SEARCHABLE_AFTER};
use crate::ledger;
use crate::make::found;
use crate::run::Run;
use crate::stop::Stop;

impl Run<'_> {
    /// Finds out what came of an intent.
    pub(crate) async fn settle(&mut self, step: &Step) -> Result<(), Stop> {
        let age = self.age(step);
        let is_known = self.ledger.step(&step.resource_id).is_some_and(|known| known.id.is_some());
        if !is_known && age < OVER_AFTER {
            // The request may be under way.
            return Err(Stop::Later(gaps::spread(OVER_AFTER.saturating_sub(age), &*self.onboard.random)));
        }
        self.look_at_once(step).await
    }

    /// Looks for what a step may have made. Its request is over as far as this process is concerned.
    pub(crate) async fn look_at_once(&mut self, step: &Step) -> Result<(), Stop> {
        if let Some(id) = self.ledger.step(&step.resource_id).and_then(|known| known.id.clone()) {
            return self.read_committed(step, &id).await;
        }
        if let Some(found) = self.look_for(step).await? {
            self.made(step, &found);
            return Ok(());
        }
        let age = self.age(step);
        // A list shows what is there. A search shows it some time later.
        let conclusive_after = if step.container().is_some() { OVER_AFTER } else { SEARCHABLE_AFTER };
        if age < conclusive_after {
            let wait =
                conclusive_after.saturating_sub(age).min(SEARCH_AGAIN.max(OVER_AFTER.saturating_sub(age)));
            return Err(Stop::Later(gaps::spread(wait, &*self.onboard.random)));
        }
        Err(self.tried(step, StepState::Waiting).await?)
    }

    /// Notion has said that it made something, and which.
    async fn read_committed(&mut self, step: &Step, id: &str) -> Result<(), Stop> {
        let Some(answer) = self.read_by_id(step, step.make.kind().key(), id).await? else {
            // The person was quicker.
            let now = self.now();
            ledger::set(&mut self.ledger, step, StepState::Gone, now);
            return self.save().await;
        };
        match found(&answer) {
            Some(found) => {
                self.made(step, &found);
                Ok(())
            }
            None => Err(self.tried(step, StepState::Intended).await?),
        }
    }

    /// Marks what a step needs and what the person has deleted, or no longer shares. Returns whether there is any.
    pub(crate) async fn mark_what_is_gone(&mut self, step: &Step) -> Result<bool, Stop> {
        let mut needs: Vec<String> = step.needs().into_iter().map(str::to_owned).collect();
        needs.dedup();
        let mut any = false;
        for need in needs {
            let Some(known) = self.ledger.step(&need).filter(|known| known.state == StepState::Made) else {
                continue;
            };
            let (kind, id) = (known.kind.clone(), known.id.clone().unwrap_or_default());
            let read = self.read_by_id(step, &kind, &id).await?;
            let is_there = read.is_some_and(|read| read["in_trash"] != Value::Bool(true));
            if !is_there
                && let Some(known) = self.ledger.steps.iter_mut().find(|known| known.resource_id == need)
            {
                known.state = StepState::Gone;
                any = true;
            }
        }
        Ok(any)
    }

    /// Reads a page, a database or a view. `None`: there is none, or it is not shared.
    pub(crate) async fn read_by_id(
        &mut self,
        step: &Step,
        kind: &str,
        id: &str,
    ) -> Result<Option<Value>, Stop> {
        self.read(step, Method::GET, &format!("{kind}s/{id}"), None).await
    }

    fn age(&self, step: &Step) -> Duration {
        let began = self.ledger.step(&step.resource_id).map_or(0, |known| known.at_ms);
        Duration::from_millis(self.now().0.saturating_sub(began))
    }
}
