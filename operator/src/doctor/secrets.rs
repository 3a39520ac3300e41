//! The client secret, in Secrets Manager and at Notion; the token key ring, without reading it.

use aws_sdk_secretsmanager::operation::describe_secret::{DescribeSecretError, DescribeSecretOutput};
use shared::clock::{Clock as _, SystemClock, UnixSeconds};
use vault::notion::TokenError;

use super::finding::{find, unanswered};
use crate::aws::{Aws, in_words};
use crate::client_secret::{current, knows};
use crate::report::Report;
use crate::stack::Stack;

/// It is stored, has the right form, and Notion accepts it.
pub(super) async fn client_secret(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "client secret";
    let Some(described) = exists(aws, stack, report, STEP, "ClientSecret").await else { return };
    let rotate = aws.commands.operator("secret rotate");
    let secret = match current(aws, stack).await {
        Ok(Some(Ok(secret))) => secret,
        Ok(Some(Err(expected))) => {
            let found = format!("the stored value is not {expected}");
            return report.problem(STEP, found, format!("store it again: {rotate}"));
        }
        Ok(None) => return report.problem(STEP, "none is stored yet", aws.commands.operator("secret set")),
        Err(error) => {
            return unanswered(report, STEP, error.to_string());
        }
    };
    let changed_at = described.last_changed_date().and_then(|at| u64::try_from(at.secs()).ok());
    let age_days = SystemClock.now().days_since(UnixSeconds(changed_at.unwrap_or(u64::MAX)));
    let max_age_days = stack.parameter("ClientSecretMaxAgeDays").and_then(|text| text.parse().ok());
    if max_age_days.is_some_and(|max: u64| age_days > max) {
        let cure = format!("docs/runbook.md, \"ClientSecretAge\": {rotate}");
        report.warning(STEP, format!("{age_days} days old"), cure);
    } else {
        report.ok(STEP, format!("stored {age_days} days ago, in the right form"));
    }
    let Ok(connection) = stack.connection() else { return };
    let client_id = connection.client_id.clone();
    match knows(aws, connection, &secret).await {
        Ok(()) => report.ok("notion", format!("accepts the stored secret for client id {client_id}")),
        Err(error @ TokenError::InvalidClient(_)) => report.problem(
            "notion",
            format!("{error} for client id {client_id}"),
            format!(
                "compare the client id with the connection's Configuration tab (sam deploy changes it); if it is \
                 right, store the secret from that tab: {rotate}"
            ),
        ),
        Err(error) => report.unknown(
            "notion",
            format!("it is unknown whether it accepts the secret: {error}"),
            "try again; Notion's status page says whether Notion has a problem",
        ),
    }
}

/// It exists and has a value, which is not read.
pub(super) async fn key_ring(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "token key ring";
    if exists(aws, stack, report, STEP, "TokenKeyRing").await.is_some() {
        report.ok(STEP, "there");
    }
}

/// The secret, if it exists and is not scheduled for deletion.
pub(super) async fn exists(
    aws: &Aws,
    stack: &Stack,
    report: &mut Report,
    step: &'static str,
    logical_id: &'static str,
) -> Option<DescribeSecretOutput> {
    let id = find(aws, stack, logical_id, step, report)?;
    match aws.secrets_manager.describe_secret().secret_id(id).send().await {
        Ok(secret) if secret.deleted_date().is_some() => {
            let cure = aws.commands.aws(&format!("secretsmanager restore-secret --secret-id {id}"));
            report.problem(step, "it is scheduled for deletion", cure);
            None
        }
        Ok(secret) => Some(secret),
        Err(error)
            if error.as_service_error().is_some_and(DescribeSecretError::is_resource_not_found_exception) =>
        {
            let cure = "docs/runbook.md, \"A secret is gone\"";
            report.problem(step, "it no longer exists", cure);
            None
        }
        Err(error) => {
            unanswered(report, step, in_words(&error));
            None
        }
    }
}
