//! What time it is. The tests set it.

use std::fmt;
use std::time::{Duration, Instant};

/// A clock.
pub(crate) trait Clock: fmt::Debug + Send + Sync {
    /// Since some moment in the past. It never goes back.
    fn elapsed(&self) -> Duration;
    /// Since the beginning of 1970. Somebody may set it.
    fn since_epoch(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started_at: Instant,
}

impl SystemClock {
    pub(crate) fn start() -> Self {
        Self { started_at: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.started_at.elapsed()
    }

    fn since_epoch(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is the `Clock`")]
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }
}
