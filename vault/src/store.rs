//! The tables and the rescue queue.

mod adopt;
mod broken;
mod cancelled;
mod changes;
mod claims;
mod due;
mod event_log;
mod forgotten;
mod import;
mod installations;
mod item;
mod ledgers;
mod links;
mod pending;
mod read;
mod refresh;
mod removal;
mod rescue;
mod row;
mod save;
mod stopped;
mod supersede;
mod transaction;
mod update;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

use crate::budget::OutOfTime;
pub use adopt::{Adopted, Adoption, OLDER_THAN_ANY, Others};
pub use changes::{Change, UnreadableChange};
pub use claims::{Claim, Claimed, Led, Outcome};
pub use due::{FIRST_LOOK_MS, Next, Page, SHARDS};
pub use event_log::{EventLog, LogPage, Logged, MAX_APPENDED};
pub use forgotten::is_forgotten_marker;
pub use import::Imported;
pub use links::MAX_SUBJECTS;
pub use pending::Pending;
pub use read::MAX_BATCH;
pub use refresh::{Leased, Refreshed, SavedRefresh};
pub use removal::TombstoneOutcome;
pub use rescue::{Received, RescueError, RescueQueue, RescueRecord, Rescued, Whose};
pub(crate) use row::oldest_key;
pub use row::{Health, Installation, MAX_SUPERSEDED};
pub use save::{Save, Saved, Terms};
use shared::config::{ConfigError, Lookup, required};
pub use stopped::StoppedEndpoints;

/// Installations, claims and links in DynamoDB.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    installations_table: String,
    claims_table: String,
    links_table: String,
    /// Only where onboardings are followed, and where a person is forgotten.
    onboarding_table: Option<String>,
}

/// A request to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB answered with an error, or not at all.
    #[error("DynamoDB failed: {0}")]
    Failed(String),
    /// It did not answer in time.
    #[error(transparent)]
    OutOfTime(#[from] OutOfTime),
    /// A row is malformed.
    #[error("a row has no readable {0}")]
    Row(&'static str),
}

impl StoreError {
    /// Whether the row is at fault, not the table.
    #[must_use]
    pub fn is_of_the_row(&self) -> bool {
        matches!(self, Self::Row(_)) || matches!(self, Self::Failed(code) if code == "ValidationException")
    }

    /// Whether trying again is pointless, and the time is better left to the next step.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Failed(code) => FOR_GOOD.contains(&code.as_str()),
            Self::OutOfTime(_) => false,
            Self::Row(_) => true,
        }
    }
}

const FOR_GOOD: [&str; 3] = ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"];

impl Store {
    /// Reads `INSTALLATIONS_TABLE`, `CLAIMS_TABLE` and `LINKS_TABLE`, and, optional, `ONBOARDING_TABLE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn read(lookup: &impl Lookup, client: Client) -> Result<Self, ConfigError> {
        Ok(Self {
            client,
            installations_table: required(lookup, "INSTALLATIONS_TABLE")?,
            claims_table: required(lookup, "CLAIMS_TABLE")?,
            links_table: required(lookup, "LINKS_TABLE")?,
            onboarding_table: lookup("ONBOARDING_TABLE").filter(|table| !table.is_empty()),
        })
    }
}

fn not_built(_: BuildError) -> StoreError {
    StoreError::Failed("a write could not be built".to_owned())
}

/// The service's error code if there is one, otherwise the kind of failure. Nothing from the request.
fn failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> StoreError {
    StoreError::Failed(match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "unreadable answer".to_owned(),
        _ => "not sent".to_owned(),
    })
}
