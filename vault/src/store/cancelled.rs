//! Why a transaction was cancelled: the one place that reads DynamoDB's reasons.

use aws_sdk_dynamodb::types::CancellationReason;

use super::StoreError;
use super::item::Row;

/// Reasons after which a cancelled transaction may be sent again.
const IN_PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// The result of the condition of one part.
pub(super) enum Part<T> {
    /// Its condition did not fail.
    Held,
    /// It failed. The row as it is.
    Stands(T),
    /// It failed, and there is no row, or the row was not requested.
    Absent,
}

impl<T> Part<T> {
    pub(super) fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Part<U>, E> {
        Ok(match self.map(read) {
            Part::Held => Part::Held,
            Part::Stands(read) => Part::Stands(read?),
            Part::Absent => Part::Absent,
        })
    }

    pub(super) fn map<U>(self, read: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Held => Part::Held,
            Self::Stands(row) => Part::Stands(read(row)),
            Self::Absent => Part::Absent,
        }
    }

    pub(super) fn held(&self) -> bool {
        matches!(self, Self::Held)
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
    pub(super) fn part(&self, part: usize) -> Part<&'a Row> {
        let refused = self.0.get(part).filter(|reason| reason.code() == Some("ConditionalCheckFailed"));
        match refused.map(|reason| reason.item().filter(|row| !row.is_empty())) {
            None => Part::Held,
            Some(None) => Part::Absent,
            Some(Some(row)) => Part::Stands(row),
        }
    }

    /// Whether all reasons are temporary.
    pub(super) fn is_in_passing(&self) -> bool {
        self.codes().all(|code| code == "None" || IN_PASSING.contains(&code))
    }

    /// As an error. A part that DynamoDB finds invalid (for example, a row that would be too large) is the row's fault.
    pub(super) fn error(&self) -> StoreError {
        if self.codes().any(|code| code == "ValidationError") {
            return StoreError::Failed("ValidationException".to_owned());
        }
        StoreError::Failed(format!("cancelled: {}", self.codes().collect::<Vec<_>>().join(", ")))
    }
}
