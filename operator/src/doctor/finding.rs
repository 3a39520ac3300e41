//! What several steps of the doctor report in the same way.

use crate::aws::Aws;
use crate::report::Report;
use crate::stack::Stack;

/// The physical id of a resource. If the stack does not have it, `step` reports that.
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

/// The cure for a change made outside CloudFormation: deploying the same template would not undo it.
pub(super) const CHANGED_BY_HAND: &str = "docs/runbook.md, \"Changed by hand\"";

/// Reports that `step` could not be checked, because a call failed with `words`.
pub(super) fn unanswered(report: &mut Report, step: &'static str, words: String) {
    let denied = words.contains("AccessDenied") || words.contains("not authorized");
    let cure = if denied {
        "give these credentials read access (docs/deploy.md lists the permissions)"
    } else {
        "try again; if it still fails, look at the resource in the console"
    };
    report.unknown(step, words, cure);
}
