//! Why a transaction was cancelled: the one place that reads DynamoDB's reasons.

use aws_sdk_dynamodb::types::CancellationReason;

use super::StoreError;
use super::item::Row;

/// Why a transaction is cancelled that may be sent again.
const IN_PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// The reasons, in the order of the transaction's parts.
pub(super) struct Cancelled<'a>(&'a [CancellationReason]);

impl<'a> Cancelled<'a> {
    pub(super) fn read(reasons: &'a [CancellationReason]) -> Self {
        Self(reasons)
    }

    fn codes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(CancellationReason::code)
    }

    /// Whether a condition did not hold: then nothing else matters.
    pub(super) fn is_by_condition(&self) -> bool {
        self.codes().any(|code| code == "ConditionalCheckFailed")
    }

    /// The condition of this part did not hold: the row that stands, where it was asked for and there is one.
    pub(super) fn refused(&self, part: usize) -> Option<Option<&'a Row>> {
        let reason = self.0.get(part).filter(|reason| reason.code() == Some("ConditionalCheckFailed"))?;
        Some(reason.item().filter(|row| !row.is_empty()))
    }

    /// Whether all that was in the way passes by.
    pub(super) fn is_in_passing(&self) -> bool {
        self.codes().all(|code| code == "None" || IN_PASSING.contains(&code))
    }

    /// As an error. A part that DynamoDB finds invalid (a row that would be too large, say) is the row's fault.
    pub(super) fn error(&self) -> StoreError {
        if self.codes().any(|code| code == "ValidationError") {
            return StoreError::Failed("ValidationException".to_owned());
        }
        StoreError::Failed(format!("cancelled: {}", self.codes().collect::<Vec<_>>().join(", ")))
    }
}
