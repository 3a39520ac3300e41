//! Log lines with an alarm that more than one function writes.

use shared::telemetry::{Metric, RequestLine};

use crate::installation::{InstallationId, SealedPair};
use crate::seal::OpenError;
use crate::store::StoreError;

/// What is told of where a pair ends whose successor may live.
pub(crate) const LOST_ANSWER: &str = "the answer to a refresh was lost, and with it a pair";

/// A seal of a row does not open: the row was tampered with, or a key is gone.
pub fn report_broken_seal(id: &InstallationId, error: OpenError) {
    tracing::error!(
        alarm = "broken_seal",
        installation = id.as_str(),
        error = &error as &dyn std::error::Error,
        "a token does not open"
    );
}

/// The table of installations did not do what it was asked.
pub fn report_store(error: &StoreError) {
    tracing::error!(
        alarm = "store",
        error = error as &dyn std::error::Error,
        "the table of installations did not answer"
    );
}

/// Something may live on at Notion that nobody can give back.
pub fn report_orphaned(pair: &SealedPair, what: &str, line: &mut RequestLine) {
    line.count(Metric::OrphanedGrant);
    tracing::error!(alarm = "orphaned_grant", bot_id = pair.bot_id, what, "a grant may live on");
}
