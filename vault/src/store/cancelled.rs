//! Why a transaction was cancelled: the one place that reads DynamoDB's reasons.

use aws_sdk_dynamodb::types::CancellationReason;

use super::StoreError;
use super::item::Row;

/// Reasons after which a cancelled transaction may be sent again.
const TRANSIENT: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// The result of the condition of one part.
pub(super) enum ConditionResult<T> {
    /// Its condition did not fail.
    Passed,
    /// It failed. The row as it is.
    FailedWithRow(T),
    /// It failed, and there is no row, or the row was not requested.
    FailedWithoutRow,
}

impl<T> ConditionResult<T> {
    pub(super) fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<ConditionResult<U>, E> {
        Ok(match self.map(read) {
            ConditionResult::Passed => ConditionResult::Passed,
            ConditionResult::FailedWithRow(read) => ConditionResult::FailedWithRow(read?),
            ConditionResult::FailedWithoutRow => ConditionResult::FailedWithoutRow,
        })
    }

    pub(super) fn map<U>(self, read: impl FnOnce(T) -> U) -> ConditionResult<U> {
        match self {
            Self::Passed => ConditionResult::Passed,
            Self::FailedWithRow(row) => ConditionResult::FailedWithRow(read(row)),
            Self::FailedWithoutRow => ConditionResult::FailedWithoutRow,
        }
    }

    pub(super) fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

/// The reasons, in the order of the transaction's parts.
pub(super) struct Cancelled<'a>(&'a [CancellationReason]);

impl<'a> Cancelled<'a> {
    pub(super) fn read(reasons: &'a [CancellationReason]) -> Self {
        Self(reasons)
    }

    fn codes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(CancellationReason::code)
    }

    /// Whether a condition failed. Then nothing else matters.
    pub(super) fn is_by_condition(&self) -> bool {
        self.codes().any(|code| code == "ConditionalCheckFailed")
    }

    /// The result of this part's condition.
    pub(super) fn part(&self, part: usize) -> ConditionResult<&'a Row> {
        let refused = self.0.get(part).filter(|reason| reason.code() == Some("ConditionalCheckFailed"));
        match refused.map(|reason| reason.item().filter(|row| !row.is_empty())) {
            None => ConditionResult::Passed,
            Some(None) => ConditionResult::FailedWithoutRow,
            Some(Some(row)) => ConditionResult::FailedWithRow(row),
        }
    }

    /// Whether all reasons are temporary.
    pub(super) fn is_transient(&self) -> bool {
        self.codes().all(|code| code == "None" || TRANSIENT.contains(&code))
    }

    /// As an error. A part that DynamoDB finds invalid (for example, a row that would be too large) is the row's fault.
    pub(super) fn error(&self) -> StoreError {
        if self.codes().any(|code| code == "ValidationError") {
            return StoreError::Failed("ValidationException".to_owned());
        }
        StoreError::Failed(format!("cancelled: {}", self.codes().collect::<Vec<_>>().join(", ")))
    }
}
