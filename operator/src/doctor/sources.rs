//! From where the functions get their work: rules of the bus that fill queues, and event source mappings.

use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleError;
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_lambda::operation::get_event_source_mapping::GetEventSourceMappingError;

use super::finding::{CHANGED_BY_HAND, find, unanswered};
use crate::aws::{Aws, in_words};
use crate::report::Report;
use crate::stack::Stack;

/// A rule of the bus, and what is not done without it.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    logical_id: &'static str,
    without_it: &'static str,
}

impl Rule {
    pub(super) const OF_ONBOARDINGS: Self =
        Self { logical_id: "OnboardingRule", without_it: "no workspace is prepared" };
    pub(super) const OF_WEBHOOKS: Self = Self { logical_id: "WebhookRule", without_it: "no webhook is sent" };
}

/// Whether a rule of the bus fills its queue.
pub(super) async fn has_rule(
    aws: &Aws,
    stack: &Stack,
    rule: Rule,
    step: &'static str,
    report: &mut Report,
) -> bool {
    let Rule { logical_id, without_it } = rule;
    let (Some(bus), Some(rule)) =
        (find(aws, stack, "EventBus", step, report), find(aws, stack, logical_id, step, report))
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
            report.problem(step, format!("{logical_id} no longer exists"), CHANGED_BY_HAND);
            return false;
        }
        Err(error) => {
            unanswered(report, step, in_words(&error));
            return false;
        }
    };
    if described.state() != Some(&RuleState::Enabled) {
        let enable = aws.commands.aws(&format!("events enable-rule --event-bus-name {bus} --name {rule}"));
        report.problem(step, format!("{logical_id} is disabled: {without_it}"), enable);
        return false;
    }
    match aws.eventbridge.list_targets_by_rule().event_bus_name(bus).rule(rule).send().await {
        Ok(targets) if !targets.targets().is_empty() => true,
        Ok(_) => {
            report.problem(step, format!("{logical_id} has no target: {without_it}"), CHANGED_BY_HAND);
            false
        }
        Err(error) => {
            unanswered(report, step, in_words(&error));
            false
        }
    }
}

/// From where Lambda takes to a function, if it does.
pub(super) async fn is_at_work(
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
