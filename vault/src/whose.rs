//! Whose installation a caller means: by Notion's ids, or by the caller's own name for a person.

use http::StatusCode;
use serde_json::Value;
use shared::entry::backend::Answer;
use tokio::time::Instant;

use crate::facts::facts;
use crate::installation::{InstallationId, workspace_named};
use crate::store::{Health, Installation, Store, StoreError};
use crate::subject::Subject;

/// Whose installation an input names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Notion's ids of workspace and person.
    Installation(InstallationId),
    /// A subject, which may have several installations.
    Subject {
        /// The subject.
        subject: Subject,
        /// Only in this workspace.
        workspace_id: Option<String>,
    },
    /// An installation, but only if it is linked to this subject.
    Linked {
        /// The subject.
        subject: Subject,
        /// The installation.
        id: InstallationId,
    },
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// One installation. Its row, which may have changed since, says whether it is linked to the subject.
    One(InstallationId),
    /// The subject has none.
    Nothing,
    /// The subject has several.
    Several(Vec<Installation>),
}

impl Whose {
    /// Reads `workspace_id` and `user_id`, or `subject` and, if it may have several installations, `workspace_id` or
    /// both ids.
    ///
    /// # Errors
    ///
    /// What the input must contain.
    pub fn read(input: &Value) -> Result<Self, &'static str> {
        let is_given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
        let Some(subject) = Subject::named(input)? else {
            return InstallationId::named(input).map(Self::Installation);
        };
        if input.get("user_id").is_some() && is_given("workspace_id") {
            return Ok(Self::Linked { subject, id: InstallationId::named(input)? });
        }
        if input.get("user_id").is_some() {
            return Err("user_id needs workspace_id");
        }
        Ok(Self::Subject { subject, workspace_id: workspace_named(input)? })
    }

    /// The subject, if the input names one.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Installation(_) => None,
            Self::Subject { subject, .. } | Self::Linked { subject, .. } => Some(subject),
        }
    }
}

/// The answer if a subject has several installations.
#[must_use]
pub fn ambiguous(rows: &[Installation]) -> Answer {
    let message =
        "the subject has several installations: name one by its workspace_id, or by workspace_id and user_id";
    let rows: Vec<Value> = rows.iter().map(facts).collect();
    Answer::error(StatusCode::CONFLICT, "ambiguous", message).with("installations", rows)
}

impl Store {
    /// Finds the installation. A subject's is looked up with one read, if it has no others.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn find(&self, whose: &Whose, deadline: Instant) -> Result<Found, StoreError> {
        let (subject, workspace_id) = match whose {
            Whose::Installation(id) | Whose::Linked { id, .. } => return Ok(Found::One(id.clone())),
            Whose::Subject { subject, workspace_id } => (subject, workspace_id.as_deref()),
        };
        let links = self.linked_to(subject, workspace_id, None, deadline).await?.keys;
        match &links[..] {
            [] => Ok(Found::Nothing),
            [id] => Ok(Found::One(id.clone())),
            several => {
                let mut rows = self.read_facts(several, deadline).await?;
                rows.retain(|row| row.subjects.contains(subject) && row.health != Health::Removed);
                Ok(match &rows[..] {
                    [] => Found::Nothing,
                    [row] => Found::One(row.id.clone()),
                    _ => Found::Several(rows),
                })
            }
        }
    }
}
