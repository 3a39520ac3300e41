//! Says, step by step, what is right and what to do next. Changes nothing.
//!
//! The steps go from what everything hangs on to what only matters later, so that the first problem is the one to
//! begin with.

mod account;
mod address;
mod alarms;
mod kept;
mod secrets;

use crate::aws::Aws;
use crate::report::Report;
use crate::stack::Stack;

/// Examines the stack `name`.
pub async fn examine(aws: &Aws, name: &str, report: &mut Report) {
    if !account::credentials(aws, report).await {
        return;
    }
    let Some(stack) = account::stack(aws, name, report).await else { return };
    Box::pin(kept::keys(aws, &stack, report)).await;
    Box::pin(secrets::client_secret(aws, &stack, report)).await;
    Box::pin(secrets::key_ring(aws, &stack, report)).await;
    Box::pin(address::custom_domain(&stack, report)).await;
    Box::pin(address::install(aws, &stack, report)).await;
    Box::pin(address::callback(aws, &stack, report)).await;
    Box::pin(kept::tables(aws, &stack, report)).await;
    Box::pin(kept::expiry(aws, &stack, report)).await;
    Box::pin(kept::backups(aws, &stack, report)).await;
    Box::pin(kept::queues(aws, &stack, report)).await;
    Box::pin(alarms::listener(aws, &stack, report)).await;
    Box::pin(alarms::ringing(aws, &stack, report)).await;
}

/// What AWS calls a resource; where the stack has none, `step` says so.
fn find<'a>(
    aws: &Aws,
    stack: &'a Stack,
    logical_id: &'static str,
    step: &'static str,
    report: &mut Report,
) -> Option<&'a str> {
    match stack.resource(logical_id) {
        Ok(physical_id) => Some(physical_id),
        Err(missing) => {
            report.problem(step, missing.to_string(), aws.commands.deploy());
            None
        }
    }
}

/// What to do where somebody changed the stack past CloudFormation: a deploy of the same template would change nothing.
const CHANGED_BY_HAND: &str = "docs/runbook.md, \"Changed by hand\"";

/// Reports that `step` could not be looked at, because a call was answered with `words`.
fn unanswered(report: &mut Report, step: &'static str, words: String) {
    let denied = words.contains("AccessDenied") || words.contains("not authorized");
    let cure = if denied {
        "let these credentials read it (docs/deploy.md names the permissions)"
    } else {
        "try again; if it stays so, look at the resource in the console"
    };
    report.unknown(step, words, cure);
}
