//! A stand-in for Secrets Manager: reads and stores secrets, with version stages.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// The secrets, in memory and, if a file is given, in the clear in that file.
pub struct SecretsManager {
    secrets: Mutex<HashMap<String, Versions>>,
    file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Versions {
    count: u32,
    current: String,
    previous: Option<String>,
    #[serde(default)]
    stored_at_secs: u64,
    /// The id of the current version, if the caller chose it.
    #[serde(default)]
    current_id: Option<String>,
    /// A version that is not current yet: its id and its value.
    #[serde(default)]
    pending: Option<(String, String)>,
}

impl SecretsManager {
    /// Reads the secrets from `file` if it exists.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or parsed.
    pub fn open(file: Option<PathBuf>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let secrets = match file.as_deref().filter(|file| file.exists()) {
            Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
            None => HashMap::new(),
        };
        Ok(Self { secrets: Mutex::new(secrets), file, clock })
    }

    /// Stores a new version. It becomes AWSCURRENT, the previous one AWSPREVIOUS.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn put(&self, id: &str, value: &Value) -> std::io::Result<()> {
        let before = lock(&self.secrets).get(id).cloned();
        let versions = Versions {
            count: before.as_ref().map_or(1, |before| before.count + 1),
            current: value.to_string(),
            previous: before.map(|before| before.current),
            stored_at_secs: self.clock.now().0,
            current_id: None,
            pending: None,
        };
        self.store(id, versions)
    }

    fn store(&self, id: &str, versions: Versions) -> std::io::Result<()> {
        let mut secrets = lock(&self.secrets);
        secrets.insert(id.to_owned(), versions);
        match &self.file {
            Some(file) => write_private(file, &serde_json::to_vec(&*secrets)?),
            None => Ok(()),
        }
    }

    /// Whether there is a value.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        lock(&self.secrets).contains_key(id)
    }

    /// The current value.
    #[must_use]
    pub fn current(&self, id: &str) -> Option<Value> {
        lock(&self.secrets).get(id).and_then(|versions| serde_json::from_str(&versions.current).ok())
    }

    /// The value before the current one.
    #[must_use]
    pub fn previous(&self, id: &str) -> Option<Value> {
        lock(&self.secrets)
            .get(id)
            .and_then(|versions| serde_json::from_str(versions.previous.as_deref()?).ok())
    }
}

impl SecretsManager {
    /// The values in force of several secrets; those that there are not are in `Errors`.
    fn answer_together(&self, request: &Value) -> Reply {
        let ids = request["SecretIdList"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let secrets = lock(&self.secrets);
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            match secrets.get(id).map(|versions| versions.answer(id, "AWSCURRENT")) {
                Some(Reply { status: 200, body }) => values.push(body),
                _ => errors.push(json!({"SecretId": id, "ErrorCode": "ResourceNotFoundException"})),
            }
        }
        Reply::ok(json!({"SecretValues": values, "Errors": errors}))
    }
}

/// Writes a file that only its owner can read, from the first byte on.
fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(bytes)
}

impl Service for SecretsManager {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        if operation == "BatchGetSecretValue" {
            return self.answer_together(&request);
        }
        let id = text("SecretId");
        let Some(versions) = lock(&self.secrets).get(id).cloned() else {
            return Reply::error(400, "ResourceNotFoundException");
        };
        match operation {
            "GetSecretValue" => versions.answer(id, text("VersionStage")),
            "DescribeSecret" => Reply::ok(json!({
                "ARN": id,
                "Name": id,
                "VersionIdsToStages": {version_id(versions.count): ["AWSCURRENT"]},
            })),
            // With a stage of its own it is not current yet.
            "PutSecretValue" if request["VersionStages"].is_array() => {
                let token = text("ClientRequestToken");
                let pending = Some((token.to_owned(), text("SecretString").to_owned()));
                match self.store(id, Versions { pending, ..versions }) {
                    Ok(()) => Reply::ok(json!({"ARN": id, "Name": id, "VersionId": token})),
                    Err(_) => Reply::error(500, "InternalServiceError"),
                }
            }
            "UpdateSecretVersionStage" => {
                let (from, to) = (text("RemoveFromVersionId"), text("MoveToVersionId"));
                match versions.promoted(from, to, self.clock.now().0).map(|versions| self.store(id, versions))
                {
                    Some(Ok(())) => Reply::ok(json!({"ARN": id, "Name": id})),
                    Some(Err(_)) => Reply::error(500, "InternalServiceError"),
                    None => Reply::error(400, "InvalidParameterException"),
                }
            }
            "PutSecretValue" => match serde_json::from_str(text("SecretString")) {
                Ok(value) => match self.put(id, &value) {
                    Ok(()) => {
                        Reply::ok(json!({"ARN": id, "Name": id, "VersionId": version_id(versions.count + 1)}))
                    }
                    Err(_) => Reply::error(500, "InternalServiceError"),
                },
                // The stand-in accepts only JSON; we store nothing else.
                Err(_) => Reply::error(400, "InvalidParameterException"),
            },
            _ => Reply::error(400, "InvalidRequestException"),
        }
    }
}

impl Versions {
    /// Makes the pending version `to` the current one, if `from` is current.
    fn promoted(self, from: &str, to: &str, now_secs: u64) -> Option<Self> {
        let is_current = self.current_id() == from;
        let (id, value) = self.pending.filter(|(id, _)| is_current && id == to)?;
        Some(Self {
            count: self.count + 1,
            current: value,
            previous: Some(self.current),
            stored_at_secs: now_secs,
            current_id: Some(id),
            pending: None,
        })
    }

    fn current_id(&self) -> String {
        self.current_id.clone().unwrap_or_else(|| version_id(self.count))
    }

    fn answer(&self, id: &str, stage: &str) -> Reply {
        let (version_id, value, stage) = match (stage, &self.previous) {
            ("AWSPREVIOUS", None) => return Reply::error(400, "ResourceNotFoundException"),
            ("AWSPREVIOUS", Some(previous)) => (version_id(self.count - 1), previous, "AWSPREVIOUS"),
            _ => (self.current_id(), &self.current, "AWSCURRENT"),
        };
        Reply::ok(json!({
            "ARN": id,
            "CreatedDate": self.stored_at_secs,
            "Name": id,
            "SecretString": value,
            "VersionId": version_id,
            "VersionStages": [stage],
        }))
    }
}

fn version_id(number: u32) -> String {
    format!("version-{number:024}")
}
