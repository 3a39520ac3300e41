//! Log lines with an alarm that are written in more than one place.

use shared::telemetry::{Metric, RequestLine};

use crate::installation::{InstallationId, SealedPair};
use crate::seal::OpenError;
use crate::secrets::{NoSecrets, SecretError};
use crate::store::StoreError;

/// Reported when a pair is dropped whose successor may be alive.
pub(crate) const LOST_ANSWER: &str = "the answer to a refresh was lost, and perhaps a pair with it";

/// A token of a row does not open: the row was tampered with, or a key is missing. Where the newest key ring cannot be
/// read, that is unknown, and the failure to read it has its own alarm.
pub fn report_broken_seal(id: &InstallationId, error: OpenError) {
    if error == OpenError::RingNotRead {
        return;
    }
    tracing::error!(
        alarm = "broken_seal",
        installation = id.as_str(),
        error = &error as &dyn std::error::Error,
        "a token does not open"
    );
}

/// A secret cannot be read.
pub fn report_secret(error: &SecretError) -> NoSecrets {
    let misconfigured = error.is_misconfiguration();
    tracing::error!(
        alarm = if misconfigured { "misconfigured" } else { "secrets" },
        error = error as &dyn std::error::Error,
        "a secret cannot be read"
    );
    if misconfigured { NoSecrets::Misconfigured } else { NoSecrets::Unavailable }
}

/// A request to a table failed.
pub fn report_store(error: &StoreError) {
    tracing::error!(alarm = "store", error = error as &dyn std::error::Error, "a table did not answer");
}

/// A grant may still be alive at Notion, and nobody can revoke it.
pub fn report_orphaned(pair: &SealedPair, what: &str, line: &mut RequestLine) {
    line.count(Metric::OrphanedGrant);
    tracing::error!(alarm = "orphaned_grant", bot_id = pair.bot_id, what, "a grant may live on");
}
