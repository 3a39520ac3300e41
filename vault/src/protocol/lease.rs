//! How long a lease lasts, and when one that was never released may be taken over.

use shared::clock::UnixMillis;

/// How long a lease lasts, in milliseconds: longer than a function runs (25 s) plus the differences between clocks.
pub const LEASE_MS: u64 = 45_000;
/// When the sweep takes over a lease that was never released, in milliseconds after its end. Only the sweep may,
/// because it has first looked into the rescue queue, where the new pair may be waiting.
const TAKE_OVER_AFTER_MS: u64 = 60_000;
/// Leases that ended before this moment were never released, and the sweep may take them over.
#[must_use]
pub fn lapsed_before(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(TAKE_OVER_AFTER_MS))
}
