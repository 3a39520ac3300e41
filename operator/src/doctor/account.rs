//! The caller's identity, and the state of the stack.

use super::finding::unanswered;
use crate::aws::{Aws, in_words};
use crate::report::Report;
use crate::stack::{Stack, StackError};

/// Whether AWS accepts the credentials.
pub(super) async fn credentials(aws: &Aws, report: &mut Report) -> bool {
    match aws.sts.get_caller_identity().send().await {
        Ok(identity) => {
            let (arn, account) = (identity.arn().unwrap_or("?"), identity.account().unwrap_or("?"));
            report.ok("credentials", format!("{arn} in account {account}"));
            true
        }
        Err(error) => {
            let words = in_words(&error);
            let clock = ["Signature expired", "RequestExpired", "RequestTimeTooSkewed", "not yet current"];
            let cure = if clock.iter().any(|said| words.contains(said)) {
                "set this machine's clock: AWS rejects signatures that are five minutes off"
            } else {
                "sign in (aws sso login, aws configure), or name a profile with --profile"
            };
            report.unknown("credentials", words, cure);
            false
        }
    }
}

/// The stack, if it is in a usable state and can be read.
pub(super) async fn stack(aws: &Aws, name: &str, report: &mut Report) -> Option<Stack> {
    const STEP: &str = "stack";
    let stack = match Stack::read(aws, name).await {
        Ok(stack) => stack,
        Err(error @ StackError::Missing { .. }) => {
            report.problem(STEP, error.to_string(), aws.commands.deploy());
            return None;
        }
        Err(error) => {
            unanswered(report, STEP, error.to_string());
            return None;
        }
    };
    let status = format!("{} is {}", stack.name, stack.status);
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => report.ok(STEP, status),
        "UPDATE_ROLLBACK_COMPLETE" => report.warning(
            STEP,
            status,
            "the last deploy failed and was rolled back: see the reason in the stack's events, and deploy again",
        ),
        "REVIEW_IN_PROGRESS" => {
            let cure = format!("nothing has been deployed yet: {}, and confirm when it asks", aws.commands.deploy());
            report.problem(STEP, status, cure);
            return None;
        }
        "CREATE_IN_PROGRESS" | "ROLLBACK_IN_PROGRESS" | "DELETE_IN_PROGRESS" => {
            report.unknown(STEP, status, "wait until it is done, then run the doctor again");
            return None;
        }
        working if working.ends_with("_IN_PROGRESS") => {
            report.unknown(STEP, status, "later steps may change: wait until it is done, then run the doctor again");
        }
        "UPDATE_ROLLBACK_FAILED" => {
            let command = format!("cloudformation continue-update-rollback --stack-name {name}");
            let cure = format!("see the reason in the stack's events, then {}", aws.commands.aws(&command));
            report.problem(STEP, status, cure);
        }
        _ => {
            let cure = format!(
                "see the reason in the stack's events, then sam delete --stack-name {name} and {}",
                aws.commands.deploy()
            );
            report.problem(STEP, status, cure);
            return None;
        }
    }
    match stack.connection() {
        Ok(_) => Some(stack),
        Err(error) => {
            report.problem(
                STEP,
                format!("its public connection is not valid: {error}"),
                aws.commands.deploy(),
            );
            None
        }
    }
}
