//! Making what a step describes: intent, request, result.

use http::Method;
use recipe::{Call, NotReady, Presence, Request, Step};
use serde_json::Value;
use vault::onboarding::{FailureReason, StepState};

use crate::content::Trouble;
use crate::gaps::SEND_WITHIN;
use crate::ledger::{self, Found};
use crate::run::{Run, as_ms};
use crate::stop::Stop;

impl Run<'_> {
    /// Makes what a step describes, or finds out why not.
    pub(crate) async fn make(&mut self, step: &Step) -> Result<(), Stop> {
        if let Some(missing) = self.missing(step) {
            return self.leave_out(step, format!("needs {missing}")).await;
        }
        if let Some(title) = step.make.in_template() {
            return self.find_in_template(step, title).await;
        }
        let request = match self.request(step).await? {
            Ok(request) => request,
            Err(why) => return self.leave_out(step, why).await,
        };
        let now = self.now();
        ledger::set(&mut self.ledger, step, StepState::Intended, now);
        self.save().await?;
        if self.now().0 > now.0.saturating_add(as_ms(SEND_WITHIN)) {
            // Whoever finds the intent may already think that it is over.
            return Ok(());
        }
        let path = match request.call {
            Call::CreatePage => "pages",
            Call::CreateDatabase => "databases",
            Call::CreateView => "views",
        };
        match self.call(Method::POST, path, Some(&request.body)).await? {
            Ok(answer) => match found(&answer) {
                Some(found) => {
                    self.made(step, &found);
                    Ok(())
                }
                None => self.look_at_once(step).await,
            },
            Err(Trouble::Later { wait, .. }) => {
                let now = self.now();
                ledger::set(&mut self.ledger, step, StepState::Waiting, now);
                self.save().await?;
                Err(self.later(wait))
            }
            Err(Trouble::NotProcessed) => Err(self.tried(step, StepState::Waiting).await?),
            Err(Trouble::Unknown { committed_id }) => {
                if let (Some(id), Some(known)) = (
                    committed_id,
                    self.ledger.steps.iter_mut().find(|known| known.resource_id == step.resource_id),
                ) {
                    known.id = Some(id);
                    self.save().await?;
                }
                self.look_at_once(step).await
            }
            Err(Trouble::Forbidden) => {
                let now = self.now();
                ledger::set(&mut self.ledger, step, StepState::Waiting, now);
                Err(Stop::lacks(Some(&step.resource_id), "insert content"))
            }
            Err(trouble @ (Trouble::NotFound | Trouble::Invalid | Trouble::Unauthorized)) => {
                let now = self.now();
                ledger::set(&mut self.ledger, step, StepState::Waiting, now);
                if self.mark_what_is_gone(step).await? {
                    return self.save().await;
                }
                match trouble {
                    Trouble::Invalid => {
                        Err(Stop::failed(Some(&step.resource_id), FailureReason::InvalidRecipe))
                    }
                    // What was made a moment ago may not be there for everybody yet.
                    _ => Err(self.tried(step, StepState::Waiting).await?),
                }
            }
        }
    }

    /// The first thing that a step needs and that is not there.
    fn missing(&self, step: &Step) -> Option<String> {
        let presence_of = |need: &str| match self.ledger.step(need) {
            Some(known) if known.state == StepState::Made => Presence::There,
            Some(known) if known.id.is_some() => Presence::Gone,
            _ => Presence::Absent,
        };
        step.missing(presence_of).map(str::to_owned)
    }

    /// The request of a step, or why there is none.
    async fn request(&mut self, step: &Step) -> Result<Result<Request, String>, Stop> {
        let data_source = step.container().and_then(|container| self.ledger.step(container));
        let data_source =
            data_source.and_then(|database| database.data_source_id.clone()).unwrap_or_default();
        let mut properties = Value::Null;
        if step.needs_property_ids() {
            let read = self.read(step, Method::GET, &format!("data_sources/{data_source}"), None).await?;
            let Some(mut read) = read else { return Ok(Err("its database is not there".to_owned())) };
            properties = read["properties"].take();
        }
        let mut templates = Value::Null;
        if step.needs_template().is_some() {
            let path = format!("data_sources/{data_source}/templates?page_size=100");
            let read = self.read(step, Method::GET, &path, None).await?;
            let Some(mut read) = read else { return Ok(Err("its database is not there".to_owned())) };
            templates = read["templates"].take();
        }
        let property_id = |name: &str| properties[name]["id"].as_str().map(str::to_owned);
        let template_id = |name: &str| {
            let template = templates.as_array()?.iter().find(|template| template["name"] == name)?;
            template["id"].as_str().map(str::to_owned)
        };
        let values = self.onboard.values(&self.row, Some(&self.ledger), self.now());
        Ok(match step.request(&values, &property_id, &template_id) {
            Ok(Some(request)) => Ok(request),
            Ok(None) => Err("it is not made, but found".to_owned()),
            Err(NotReady::Missing(resource)) => Err(format!("needs {resource}")),
            Err(NotReady::NoProperty(name)) => Err(format!("the database has no property {name}")),
            Err(NotReady::NoTemplate(name)) => Err(format!("the database has no template {name}")),
        })
    }

    /// A step is done.
    pub(crate) fn made(&mut self, step: &Step, found: &Found) {
        let now = self.now();
        ledger::set_made(&mut self.ledger, step, found, now);
        self.is_unsaved = true;
    }
}

/// What an answer says about a resource.
pub(crate) fn found(answer: &Value) -> Option<Found> {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Some(Found { id: text("/id")?, url: text("/url"), data_source_id: text("/data_sources/0/id") })
}
