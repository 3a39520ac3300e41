//! How long a lease lasts, and when one that was never released may be taken over.

use shared::clock::UnixMillis;

/// How long a lease lasts, in milliseconds: longer than a function lives (25 s) and clocks differ.
pub const LEASE_MS: u64 = 45_000;
/// When the sweep takes a lease over that was never given back, in milliseconds after it ended. Only the sweep does: it has
/// emptied the rescue queue before, in which the new pair may wait.
const TAKE_OVER_AFTER_MS: u64 = 60_000;
/// Leases that ended before this moment were never given back, and the sweep may take them over.
#[must_use]
pub fn lapsed_before(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(TAKE_OVER_AFTER_MS))
}
