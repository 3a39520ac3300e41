//! What the steps of an examination report alike.

use crate::aws::Aws;
use crate::report::Report;
use crate::stack::Stack;

/// What AWS calls a resource; where the stack has none, `step` says so.
pub(super) fn find<'a>(
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
pub(super) const CHANGED_BY_HAND: &str = "docs/runbook.md, \"Changed by hand\"";

/// Reports that `step` could not be looked at, because a call was answered with `words`.
pub(super) fn unanswered(report: &mut Report, step: &'static str, words: String) {
    let denied = words.contains("AccessDenied") || words.contains("not authorized");
    let cure = if denied {
        "let these credentials read it (docs/deploy.md names the permissions)"
    } else {
        "try again; if it stays so, look at the resource in the console"
    };
    report.unknown(step, words, cure);
}
