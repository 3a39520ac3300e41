//! Whether the app hears of what happens: the streams reach `publish`, the queue of webhooks reaches `webhook`, and the
//! app's endpoint is in use.

use aws_sdk_dynamodb::types::{StreamSpecification, TableDescription};
use aws_sdk_eventbridge::operation::describe_event_bus::DescribeEventBusError;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleError;
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_lambda::operation::get_event_source_mapping::GetEventSourceMappingError;

use super::finding::{CHANGED_BY_HAND, find, unanswered};
use super::secrets;
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
    for (table, mapping) in [("InstallationsTable", "PublishInstallations"), ("ClaimsTable", "PublishClaims")]
    {
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
    report.ok(STEP, "both reach publish");
}

/// If there is an endpoint: it has a secret, its queue is worked off, and it has not been stopped.
pub(super) async fn webhook(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "webhook";
    let Ok(url) = endpoint(stack) else { return };
    if secrets::exists(aws, stack, report, STEP, "WebhookSecret").await.is_none()
        || !has_rule(aws, stack, STEP, report).await
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

/// Whether the bus's rule fills the queue of webhooks.
async fn has_rule(aws: &Aws, stack: &Stack, step: &'static str, report: &mut Report) -> bool {
    let (Some(bus), Some(rule)) =
        (find(aws, stack, "EventBus", step, report), find(aws, stack, "WebhookRule", step, report))
    else {
        return false;
    };
    // CloudFormation calls a rule of another bus than the default one BUS|RULE.
    let rule = rule.rsplit('|').next().unwrap_or(rule);
    let described = match aws.eventbridge.describe_rule().event_bus_name(bus).name(rule).send().await {
        Ok(described) => described,
        Err(error)
            if error.as_service_error().is_some_and(DescribeRuleError::is_resource_not_found_exception) =>
        {
            report.problem(step, "WebhookRule no longer exists", CHANGED_BY_HAND);
            return false;
        }
        Err(error) => {
            unanswered(report, step, in_words(&error));
            return false;
        }
    };
    if described.state() != Some(&RuleState::Enabled) {
        let enable = aws.commands.aws(&format!("events enable-rule --event-bus-name {bus} --name {rule}"));
        report.problem(step, "WebhookRule is disabled: no webhook is sent", enable);
        return false;
    }
    match aws.eventbridge.list_targets_by_rule().event_bus_name(bus).rule(rule).send().await {
        Ok(targets) if !targets.targets().is_empty() => true,
        Ok(_) => {
            report.problem(step, "WebhookRule has no target: no webhook is sent", CHANGED_BY_HAND);
            false
        }
        Err(error) => {
            unanswered(report, step, in_words(&error));
            false
        }
    }
}

/// From where Lambda takes to a function, if it does.
async fn is_at_work(
    aws: &Aws,
    stack: &Stack,
    mapping: &'static str,
    step: &'static str,
    report: &mut Report,
) -> Option<String> {
    let id = find(aws, stack, mapping, step, report)?;
    let (state, from) = match aws.lambda.get_event_source_mapping().uuid(id).send().await {
        Ok(mapping) => (
            mapping.state().unwrap_or("in an unknown state").to_owned(),
            mapping.event_source_arn().unwrap_or_default().to_owned(),
        ),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetEventSourceMappingError::is_resource_not_found_exception) =>
        {
            report.problem(step, format!("{mapping} no longer exists"), CHANGED_BY_HAND);
            return None;
        }
        Err(error) => {
            unanswered(report, step, format!("{mapping}: {}", in_words(&error)));
            return None;
        }
    };
    if state == "Enabled" {
        return Some(from);
    }
    let enable = aws.commands.aws(&format!("lambda update-event-source-mapping --uuid {id} --enabled"));
    report.problem(step, format!("{mapping} is {state}"), enable);
    None
}
