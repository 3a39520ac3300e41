//! Which IAM action a call needs, and on which resource: the evidence for the least-privilege test (`tests/deploy`).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::wire::Call;

/// An IAM action that a function used, and the setting that names its resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The function.
    pub function: String,
    /// The action, such as `dynamodb:PutItem`.
    pub action: String,
    /// The variable that holds the resource's name, such as `CLAIMS_TABLE`, or `CLAIMS_TABLE/index/NAME`.
    pub resource: String,
}

/// The actions that the `calls` to `service` (IAM's prefix, such as `dynamodb`) needed. A transaction needs the
/// actions of its parts, and reading several secrets the action for each besides its own, which IAM cannot limit to some of
/// them (Service Authorization Reference, DynamoDB and Secrets Manager). `setting_of` gives the variable whose value
/// names a resource.
///
/// A resource that no setting names is kept unchanged: no permission can cover it.
#[must_use]
pub fn grants_of(
    service: &str,
    calls: &[Call],
    setting_of: &dyn Fn(&str) -> Option<String>,
) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for call in calls {
        let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
        if let Some(ids) = body["SecretIdList"].as_array() {
            let read = ids.iter().filter_map(Value::as_str).map(|id| ("GetSecretValue", id));
            for (action, named) in read.chain([(call.operation.as_str(), "*")]) {
                grants.insert(Grant {
                    function: call.caller.clone(),
                    action: format!("{service}:{action}"),
                    resource: setting_of(named).unwrap_or_else(|| named.to_owned()),
                });
            }
            continue;
        }
        if let Some(entries) = body["Entries"].as_array() {
            for bus in entries.iter().filter_map(|entry| entry["EventBusName"].as_str()) {
                grants.insert(Grant {
                    function: call.caller.clone(),
                    action: format!("{service}:{}", call.operation),
                    resource: setting_of(bus).unwrap_or_else(|| bus.to_owned()),
                });
            }
            continue;
        }
        if let Some(tables) = body["RequestItems"].as_object() {
            for table in tables.keys() {
                grants.insert(Grant {
                    function: call.caller.clone(),
                    action: format!("{service}:{}", call.operation),
                    resource: setting_of(table).unwrap_or_else(|| table.clone()),
                });
            }
            continue;
        }
        let parts = match body["TransactItems"].as_array() {
            Some(items) => items.iter().flat_map(|item| item.as_object().into_iter().flatten()).collect(),
            None => vec![(&call.operation, &body)],
        };
        for (part, body) in parts {
            let action = match part.as_str() {
                "ConditionCheck" | "Delete" | "Put" | "Update" => format!("{part}Item"),
                operation => operation.to_owned(),
            };
            let fields = ["TableName", "SecretId", "QueueUrl", "FunctionName"];
            let named = fields.iter().find_map(|field| body[*field].as_str()).unwrap_or("?");
            let resource = setting_of(named).unwrap_or_else(|| named.to_owned());
            grants.insert(Grant {
                function: call.caller.clone(),
                action: format!("{service}:{action}"),
                // An index is a resource of its own.
                resource: match body["IndexName"].as_str() {
                    None => resource,
                    Some(index) => format!("{resource}/index/{index}"),
                },
            });
        }
    }
    grants
}

/// Appends `grants` to `file`, one JSON object per line.
///
/// # Errors
///
/// If the file cannot be written.
pub fn append(file: &Path, grants: &BTreeSet<Grant>) -> std::io::Result<()> {
    let lines = grants.iter().fold(String::new(), |lines, grant| {
        let line = json!({"function": grant.function, "action": grant.action, "resource": grant.resource});
        lines + &line.to_string() + "\n"
    });
    // In one write, so that the lines of stacks that end at the same time do not mix.
    std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_needs_what_its_parts_need() {
        let call = Call {
            caller: "callback".to_owned(),
            operation: "TransactWriteItems".to_owned(),
            body: json!({"TransactItems": [
                {"Update": {"TableName": "claims"}},
                {"Put": {"TableName": "rows"}},
                {"ConditionCheck": {"TableName": "elsewhere"}},
            ]})
            .to_string(),
            connection_number: 1,
        };
        let setting_of = |name: &str| match name {
            "claims" => Some("CLAIMS_TABLE".to_owned()),
            "rows" => Some("INSTALLATIONS_TABLE".to_owned()),
            _ => None,
        };
        let grants = grants_of("dynamodb", &[call], &setting_of);
        let grants: Vec<(&str, &str)> =
            grants.iter().map(|grant| (grant.action.as_str(), grant.resource.as_str())).collect();
        assert_eq!(
            grants,
            [
                ("dynamodb:ConditionCheckItem", "elsewhere"),
                ("dynamodb:PutItem", "INSTALLATIONS_TABLE"),
                ("dynamodb:UpdateItem", "CLAIMS_TABLE"),
            ]
        );
    }
}
