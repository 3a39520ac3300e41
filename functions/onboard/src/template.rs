//! Finding the parts of a template that the person had duplicated, by title, among its blocks.

use http::Method;
use recipe::Step;
use serde_json::Value;
use vault::onboarding::StepState;

use crate::gaps::{self, TEMPLATE_READABLE_AFTER};
use crate::ledger;
use crate::make::found;
use crate::run::{Run, as_ms};
use crate::stop::Stop;

/// How deep columns, toggles and the like are looked into.
const MAX_DEPTH: usize = 3;

impl Run<'_> {
    /// Finds a page or a database of the template. What is not there yet may come: Notion copies it in the background.
    pub(crate) async fn find_in_template(&mut self, step: &Step, title: &str) -> Result<(), Stop> {
        let Some(template) = self.row.duplicated_template_id.clone() else {
            return self.leave_out(step, "no template was duplicated".to_owned()).await;
        };
        if let Some(id) = self.among_blocks(step, &template, title).await? {
            let read = self.read_by_id(step, step.make.kind().key(), &id).await?;
            if let Some(found) = read.as_ref().and_then(found) {
                self.made(step, &found);
                return Ok(());
            }
        }
        let now = self.now();
        let since_ms = if let Some(known) = self.ledger.step(&step.resource_id) {
            known.at_ms
        } else {
            ledger::set(&mut self.ledger, step, StepState::Waiting, now);
            self.save().await?;
            now.0
        };
        let waited_ms = now.0.saturating_sub(since_ms);
        if waited_ms >= as_ms(TEMPLATE_READABLE_AFTER) {
            tracing::warn!(step = step.resource_id, "the duplicated template has no such part");
            return self.leave_out(step, "it is not in the template".to_owned()).await;
        }
        // Ever later, and the last time when it must be there.
        let wait = std::time::Duration::from_millis(
            waited_ms.max(5000).min(as_ms(TEMPLATE_READABLE_AFTER) - waited_ms),
        );
        Err(Stop::Later(gaps::spread(wait, &*self.onboard.random)))
    }

    async fn among_blocks(&mut self, step: &Step, page: &str, title: &str) -> Result<Option<String>, Stop> {
        let kind = format!("child_{}", step.make.kind().key());
        let mut level = vec![page.to_owned()];
        for _ in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for parent in level {
                let path = format!("blocks/{parent}/children?page_size=100");
                for block in self.list(step, Method::GET, &path, None).await? {
                    let Some(id) = block["id"].as_str() else { continue };
                    let own = block["type"].as_str().unwrap_or_default();
                    if own == kind && block[&kind]["title"] == title {
                        return Ok(Some(id.to_owned()));
                    }
                    // What stands in another page is that page's.
                    if block["has_children"] == Value::Bool(true) && !own.starts_with("child_") {
                        next.push(id.to_owned());
                    }
                }
            }
            level = next;
        }
        Ok(None)
    }
}
