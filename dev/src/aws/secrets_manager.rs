//! A stand-in for Secrets Manager: reading and storing, with version stages.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::clock::Clock;

use super::wire::{Reply, Service, lock};

/// The secrets, in memory and, if a file is named, in the clear in that file.
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
}

impl SecretsManager {
    /// Reads the secrets from `file` if it exists.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or understood.
    pub fn open(file: Option<PathBuf>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let secrets = match file.as_deref().filter(|file| file.exists()) {
            Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
            None => HashMap::new(),
        };
        Ok(Self { secrets: Mutex::new(secrets), file, clock })
    }

    /// Stores a new version: it becomes AWSCURRENT, the one before AWSPREVIOUS.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn put(&self, id: &str, value: &Value) -> std::io::Result<()> {
        let mut secrets = lock(&self.secrets);
        let before = secrets.get(id);
        let versions = Versions {
            count: before.map_or(1, |before| before.count + 1),
            current: value.to_string(),
            previous: before.map(|before| before.current.clone()),
            stored_at_secs: self.clock.now().0,
        };
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

/// For the owner's eyes only, from the first byte on.
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
            "PutSecretValue" => match serde_json::from_str(text("SecretString")) {
                Ok(value) => match self.put(id, &value) {
                    Ok(()) => {
                        Reply::ok(json!({"ARN": id, "Name": id, "VersionId": version_id(versions.count + 1)}))
                    }
                    Err(_) => Reply::error(500, "InternalServiceError"),
                },
                // The stand-in keeps JSON only; so do we.
                Err(_) => Reply::error(400, "InvalidParameterException"),
            },
            _ => Reply::error(400, "InvalidRequestException"),
        }
    }
}

impl Versions {
    fn answer(&self, id: &str, stage: &str) -> Reply {
        let (number, value, stage) = match (stage, &self.previous) {
            ("AWSPREVIOUS", None) => return Reply::error(400, "ResourceNotFoundException"),
            ("AWSPREVIOUS", Some(previous)) => (self.count - 1, previous, "AWSPREVIOUS"),
            _ => (self.count, &self.current, "AWSCURRENT"),
        };
        Reply::ok(json!({
            "ARN": id,
            "CreatedDate": self.stored_at_secs,
            "Name": id,
            "SecretString": value,
            "VersionId": version_id(number),
            "VersionStages": [stage],
        }))
    }
}

fn version_id(number: u32) -> String {
    format!("version-{number:024}")
}
