//! The time of day, passed in as an argument.

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

/// Milliseconds since the Unix epoch: precise enough to order two exchanges of one installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

impl UnixSeconds {
    /// This moment plus `secs` seconds.
    #[must_use]
    pub fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Whole days from `earlier` to this moment; 0 if `earlier` is later.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 86_400
    }
}

impl UnixMillis {
    /// This moment plus `time`.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The second that contains this moment.
    #[must_use]
    pub fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }
}

/// Tells the time of day. Deadlines use the monotonic clock instead (see `vault::budget`).
pub trait Clock: Send + Sync {
    /// The current time in milliseconds.
    fn now_millis(&self) -> UnixMillis;

    /// The current time in seconds.
    fn now(&self) -> UnixSeconds {
        self.now_millis().seconds()
    }
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now_millis(&self) -> UnixMillis {
        (**self).now_millis()
    }
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system clock")]
    fn now_millis(&self) -> UnixMillis {
        let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}
