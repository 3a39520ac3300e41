//! Whether the app hears of what happens: the streams reach `publish`, the queue of webhooks reaches `webhook`, and the
//! app's endpoint is in use. Whether `onboard` hears of it, too.

use aws_sdk_dynamodb::types::{StreamSpecification, TableDescription};
use aws_sdk_eventbridge::operation::describe_event_bus::DescribeEventBusError;

use super::finding::{CHANGED_BY_HAND, find, unanswered};
use super::secrets;
use super::sources::{Rule, has_rule, is_at_work};
use crate::aws::{Aws, in_words};
use crate::report::Report;
use crate::stack::Stack;
use crate::tables::soon;
use crate::webhook::{endpoint, stopped};

/// The bus exists: on one that does not, `PutEvents` succeeds all the same.
pub(super) async fn bus(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "event bus";
    let Some(bus) = find(aws, stack, "EventBus", STEP, report) else { return };
    match aws.eventbridge.describe_event_bus().name(bus).send().await {
        Ok(_) => report.ok(STEP, "it exists"),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeEventBusError::is_resource_not_found_exception) =>
        {
            let found = "it no longer exists: what is published reaches nobody but the feed";
            report.problem(STEP, found, CHANGED_BY_HAND);
        }
        Err(error) => unanswered(report, STEP, in_words(&error)),
    }
}

/// Each table has its stream, and each stream reaches `publish`.
pub(super) async fn streams(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "streams";
    let mut streams = vec![("InstallationsTable", "PublishInstallations"), ("ClaimsTable", "PublishClaims")];
    if stack.parameter("Recipe").is_some() {
        streams.push(("OnboardingTable", "PublishOnboarding"));
    }
    for &(table, mapping) in &streams {
        let Some(name) = find(aws, stack, table, STEP, report) else { return };
        let described = match aws.dynamodb.describe_table().table_name(name).send().await {
            Ok(described) => described,
            Err(error) => return unanswered(report, STEP, format!("{name}: {}", in_words(&error))),
        };
        let table = described.table();
        let stream = table.and_then(TableDescription::stream_specification);
        let arn = table.and_then(TableDescription::latest_stream_arn);
        if !stream.is_some_and(StreamSpecification::stream_enabled) {
            let found = format!("{name} has no stream: nobody hears of what happens");
            return report.problem(STEP, found, CHANGED_BY_HAND);
        }
        let Some(from) = is_at_work(aws, stack, mapping, STEP, report).await else { return };
        // A table that was created again has another stream.
        if arn.is_some_and(|arn| arn != from) {
            let found = format!("{mapping} reads another stream than that of {name}");
            return report.problem(STEP, found, CHANGED_BY_HAND);
        }
    }
    report.ok(STEP, format!("all {} reach publish", streams.len()));
}

/// If there is an endpoint: it has a secret, its queue is worked off, and it has not been stopped.
pub(super) async fn webhook(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "webhook";
    let Ok(url) = endpoint(stack) else { return };
    if secrets::exists(aws, stack, report, STEP, "WebhookSecret").await.is_none()
        || !has_rule(aws, stack, Rule::OF_WEBHOOKS, STEP, report).await
        || is_at_work(aws, stack, "WebhookSource", STEP, report).await.is_none()
    {
        return;
    }
    let Ok(stopped) = stopped(aws, stack) else {
        let _reported = find(aws, stack, "EventsTable", STEP, report);
        return;
    };
    match stopped.since(&url, soon()).await {
        Ok(None) => report.ok(STEP, "the endpoint is in use"),
        Ok(Some(_)) => report.problem(
            STEP,
            "the endpoint answered 410: nothing is sent there",
            aws.commands.operator("webhook resume"),
        ),
        Err(error) => unanswered(report, STEP, error.to_string()),
    }
}

/// If there is a recipe: its queue is filled and worked off.
pub(super) async fn onboarding(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "onboarding";
    let Some(recipe) = stack.parameter("Recipe") else { return };
    if has_rule(aws, stack, Rule::OF_ONBOARDINGS, STEP, report).await
        && is_at_work(aws, stack, "OnboardingSource", STEP, report).await.is_some()
    {
        report.ok(STEP, format!("installs and claims reach it, the recipe is {recipe}"));
    }
}
