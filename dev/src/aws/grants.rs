//! Which IAM actions a call needs, and on what: the evidence for the least-privilege test (`tests/deploy`).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::wire::Call;

/// An action that a function used, as IAM names it, and the setting that names what it was used on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The function.
    pub function: String,
    /// The action, such as `dynamodb:PutItem`.
    pub action: String,
    /// The variable that holds the resource's name, such as `CLAIMS_TABLE`, or `CLAIMS_TABLE/index/NAME`.
    pub resource: String,
}

/// What the `calls` to `service` (IAM's prefix, such as `dynamodb`) took. A transaction needs what its parts need
/// (Service Authorization Reference, DynamoDB). `setting_of` gives the variable whose value names a resource.
///
/// What no setting names stands as it came: no grant can cover it then.
#[must_use]
pub fn grants_of(
    service: &str,
    calls: &[Call],
    setting_of: &dyn Fn(&str) -> Option<String>,
) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for call in calls {
        let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
        let parts = match body["TransactItems"].as_array() {
            Some(items) => items.iter().flat_map(|item| item.as_object().into_iter().flatten()).collect(),
            None => vec![(&call.operation, &body)],
        };
        for (part, body) in parts {
            let action = match part.as_str() {
                "ConditionCheck" | "Delete" | "Put" | "Update" => format!("{part}Item"),
                operation => operation.to_owned(),
            };
            let fields = ["TableName", "SecretId", "QueueUrl"];
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

/// Appends `grants` to `file`, one JSON object a line.
///
/// # Errors
///
/// If the file cannot be written.
pub fn append(file: &Path, grants: &BTreeSet<Grant>) -> std::io::Result<()> {
    let lines = grants.iter().fold(String::new(), |lines, grant| {
        let line = json!({"function": grant.function, "action": grant.action, "resource": grant.resource});
        lines + &line.to_string() + "\n"
    });
    // One write, so that stacks that end at the same time do not mix their lines.
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
