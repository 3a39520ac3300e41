//! What is stored and what protects it: the keys, the tables, their expiry and backups, the rescue queue.

use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, TableDescription, TableStatus, TimeToLiveStatus};
use aws_sdk_kms::types::KeyState;
use aws_sdk_sqs::types::QueueAttributeName;

use super::finding::{find, unanswered};
use crate::aws::{Aws, in_words};
use crate::report::Report;
use crate::stack::Stack;

const TABLES: [&str; 4] = ["InstallationsTable", "ClaimsTable", "LinksTable", "OnboardingTable"];

/// The keys that encrypt tables, secrets and alarms: enabled, and rotated once a year.
pub(super) async fn keys(aws: &Aws, stack: &Stack, report: &mut Report) {
    key(aws, stack, report, "data key", "DataKey", "tables and secrets cannot be read").await;
    key(aws, stack, report, "alarm key", "AlarmKey", "no alarm can be delivered").await;
}

async fn key(
    aws: &Aws,
    stack: &Stack,
    report: &mut Report,
    step: &'static str,
    logical_id: &'static str,
    without_it: &str,
) {
    let Some(id) = find(aws, stack, logical_id, step, report) else { return };
    let described = match aws.kms.describe_key().key_id(id).send().await {
        Ok(described) => described,
        Err(error) => return unanswered(report, step, in_words(&error)),
    };
    let enable = aws.commands.aws(&format!("kms enable-key --key-id {id}"));
    match described.key_metadata().and_then(|key| key.key_state()) {
        Some(KeyState::Enabled) => {}
        Some(KeyState::PendingDeletion) => {
            let cancel = aws.commands.aws(&format!("kms cancel-key-deletion --key-id {id}"));
            let found = format!("it is scheduled for deletion: {without_it}, and soon this will be final");
            return report.problem(step, found, format!("{cancel} && {enable}"));
        }
        other => {
            let state = other.map_or("in an unknown state", KeyState::as_str);
            return report.problem(step, format!("it is {state}: {without_it}"), enable);
        }
    }
    match aws.kms.get_key_rotation_status().key_id(id).send().await {
        Ok(rotation) if rotation.key_rotation_enabled() => report.ok(step, "enabled, rotated every year"),
        Ok(_) => {
            let cure = aws.commands.aws(&format!("kms enable-key-rotation --key-id {id}"));
            report.warning(step, "enabled, but not rotated", cure);
        }
        Err(error) => unanswered(report, step, in_words(&error)),
    }
}

/// The tables exist and are protected from accidental deletion.
pub(super) async fn tables(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "tables";
    for table in TABLES {
        let Some(name) = find(aws, stack, table, STEP, report) else { return };
        let described = match aws.dynamodb.describe_table().table_name(name).send().await {
            Ok(described) => described,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeTableError::is_resource_not_found_exception) =>
            {
                return report.problem(STEP, format!("{name} no longer exists"), gone(aws, table));
            }
            Err(error) => return unanswered(report, STEP, format!("{name}: {}", in_words(&error))),
        };
        let found = described.table();
        match found.and_then(|table| table.table_status()) {
            Some(TableStatus::Active) => {}
            Some(TableStatus::Updating) => {
                return report.warning(
                    STEP,
                    format!("{name} is being changed"),
                    "run the doctor again in a few minutes",
                );
            }
            other => {
                let status = other.map_or("in an unknown state", TableStatus::as_str);
                return report.problem(
                    STEP,
                    format!("{name} is {status}"),
                    "docs/runbook.md, \"SaveFailed\"",
                );
            }
        }
        if found.and_then(TableDescription::deletion_protection_enabled) != Some(true) {
            let command = format!("dynamodb update-table --table-name {name} --deletion-protection-enabled");
            return report.problem(
                STEP,
                format!("{name} is not protected from deletion"),
                aws.commands.aws(&command),
            );
        }
    }
    report.ok(STEP, "all active, protected from deletion");
}

/// What to do about a missing table. A restored table is never used directly: its refresh tokens may have been
/// consumed.
fn gone(aws: &Aws, table: &str) -> String {
    let import = |source| aws.commands.operator(&format!("import --table {source}"));
    match table {
        "InstallationsTable" => format!(
            "docs/runbook.md, \"Restoring the table\": restore to another name, create an empty one, then {}",
            import("RESTORED_TABLE")
        ),
        "LinksTable" => format!(
            "docs/runbook.md, \"The links are gone\": create an empty one, then {}",
            import("INSTALLATIONS_TABLE")
        ),
        "OnboardingTable" => format!(
            "docs/runbook.md, \"The ledgers are gone\": restore to another name, create an empty one, then {}",
            import("RESTORED_TABLE")
        ),
        _ => "docs/runbook.md, \"Changed by hand\", step 3: create an empty one; its contents only matter for an hour"
            .to_owned(),
    }
}

/// Claims expire.
pub(super) async fn expiry(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "expiry of claims";
    let Some(name) = find(aws, stack, "ClaimsTable", STEP, report) else { return };
    let described = match aws.dynamodb.describe_time_to_live().table_name(name).send().await {
        Ok(described) => described,
        Err(error) => return unanswered(report, STEP, in_words(&error)),
    };
    let ttl = described.time_to_live_description();
    let status = ttl.and_then(|ttl| ttl.time_to_live_status());
    let enabled = matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
    if enabled && ttl.and_then(|ttl| ttl.attribute_name()) == Some("expires_at") {
        report.ok(STEP, "on, by expires_at");
    } else {
        let command = format!(
            "dynamodb update-time-to-live --table-name {name} --time-to-live-specification \
             Enabled=true,AttributeName=expires_at"
        );
        report.problem(STEP, "off: used states are never deleted", aws.commands.aws(&command));
    }
}

/// All tables can be restored to any second of the last 35 days.
pub(super) async fn backups(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "backups";
    for table in TABLES {
        let Some(name) = find(aws, stack, table, STEP, report) else { return };
        let described = match aws.dynamodb.describe_continuous_backups().table_name(name).send().await {
            Ok(described) => described,
            Err(error) => return unanswered(report, STEP, format!("{name}: {}", in_words(&error))),
        };
        let recovery = described
            .continuous_backups_description()
            .and_then(|backups| backups.point_in_time_recovery_description())
            .and_then(|recovery| recovery.point_in_time_recovery_status());
        if recovery != Some(&PointInTimeRecoveryStatus::Enabled) {
            let command = format!(
                "dynamodb update-continuous-backups --table-name {name} --point-in-time-recovery-specification \
                 PointInTimeRecoveryEnabled=true"
            );
            let found = format!("{name} cannot be restored to a point in time");
            return report.problem(STEP, found, aws.commands.aws(&command));
        }
    }
    report.ok(STEP, "all tables can be restored to a point in time");
}

/// No message is waiting for somebody to act.
pub(super) async fn queues(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "queues";
    // A message that the sweep received but could not process is hidden most of the time.
    const COUNTS: [QueueAttributeName; 2] = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let mut queues = vec!["RescueQueue", "RescueDeadLetters", "AlarmDeadLetters", "PublishDeadLetters"];
    if stack.parameter("WebhookUrl").is_some() {
        queues.push("WebhookDeadLetters");
    }
    if stack.parameter("Recipe").is_some() {
        queues.push("OnboardingDeadLetters");
    }
    for queue in queues {
        let Some(url) = find(aws, stack, queue, STEP, report) else { return };
        let attributes = aws
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(COUNTS.to_vec()))
            .send()
            .await;
        let waiting = match attributes {
            Ok(attributes) => {
                let count =
                    |name: &QueueAttributeName| attributes.attributes()?.get(name)?.parse::<u64>().ok();
                COUNTS.iter().filter_map(count).sum::<u64>()
            }
            Err(error) => return unanswered(report, STEP, format!("{queue}: {}", in_words(&error))),
        };
        if waiting > 0 {
            let found = format!("{waiting} messages wait in {queue}");
            return report.warning(STEP, found, format!("docs/runbook.md, \"{queue}\""));
        }
    }
    report.ok(STEP, "nothing is waiting for rescue, no alarm, no event and no onboarding is stuck");
}
