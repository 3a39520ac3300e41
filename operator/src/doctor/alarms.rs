//! Whether an alarm is firing, and whether anybody would be told.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::StateValue;

use super::finding::{CHANGED_BY_HAND, find, unanswered};
use crate::aws::{Aws, in_words};
use crate::report::Report;
use crate::stack::Stack;

/// There is a subscription, and it is confirmed.
pub(super) async fn listener(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "alarm topic";
    let Some(topic) = find(aws, stack, "AlarmTopic", STEP, report) else { return };
    let attributes = match aws.sns.get_topic_attributes().topic_arn(topic).send().await {
        Ok(answer) => answer.attributes().cloned().unwrap_or_default(),
        Err(error) => return unanswered(report, STEP, in_words(&error)),
    };
    let count = |name: &str| attributes.get(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    match (count("SubscriptionsConfirmed"), count("SubscriptionsPending")) {
        (0, 0) => report.warning(
            STEP,
            "nobody is told about alarms",
            format!("deploy with AlarmEmail=you@example.com, or subscribe to {topic}"),
        ),
        (0, _) => {
            report.warning(STEP, "a subscription is not confirmed yet", "open the link in AWS's e-mail");
        }
        (confirmed, _) => report.ok(STEP, format!("{confirmed} subscribed")),
    }
}

/// Every alarm of the stack exists, has its actions enabled, and is not firing.
pub(super) async fn ringing(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "alarms";
    let names: BTreeSet<&str> = stack.resources_ending_in("Alarm").into_iter().collect();
    let asked =
        aws.cloudwatch.describe_alarms().set_alarm_names(Some(names.iter().map(|&n| n.to_owned()).collect()));
    let answer = match asked.max_records(100).send().await {
        Ok(answer) => answer,
        Err(error) => return unanswered(report, STEP, in_words(&error)),
    };
    let found = answer.metric_alarms();
    let there: BTreeSet<&str> = found.iter().filter_map(|alarm| alarm.alarm_name()).collect();
    let gone: Vec<&str> = names.difference(&there).copied().collect();
    if names.is_empty() || !gone.is_empty() {
        let found = format!("missing: {}", if gone.is_empty() { "all".to_owned() } else { gone.join(", ") });
        return report.problem(STEP, found, CHANGED_BY_HAND);
    }
    let of = |wanted: &dyn Fn(&aws_sdk_cloudwatch::types::MetricAlarm) -> bool| {
        let names = found.iter().filter(|alarm| wanted(alarm)).filter_map(|alarm| alarm.alarm_name());
        names.collect::<Vec<_>>().join(", ")
    };
    let aimless = of(&|alarm| alarm.alarm_actions().is_empty());
    if !aimless.is_empty() {
        return report.problem(STEP, format!("without an action: {aimless}"), CHANGED_BY_HAND);
    }
    let mute = of(&|alarm| alarm.actions_enabled() != Some(true));
    if !mute.is_empty() {
        let command = format!("cloudwatch enable-alarm-actions --alarm-names {}", mute.replace(", ", " "));
        return report.problem(STEP, format!("with actions disabled: {mute}"), aws.commands.aws(&command));
    }
    let ringing = of(&|alarm| alarm.state_value() == Some(&StateValue::Alarm));
    if ringing.is_empty() {
        report.ok(STEP, format!("{} alarms, none is firing", there.len()));
    } else {
        report.problem(STEP, format!("firing: {ringing}"), "docs/runbook.md has a section for each");
    }
}
