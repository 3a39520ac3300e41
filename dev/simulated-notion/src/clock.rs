//! The simulated time. It follows a source, usually the system's clock, until somebody moves or stops it.

use std::sync::Arc;

/// A source of Unix milliseconds.
pub(crate) type Source = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The end of the year 9999, after which RFC 3339 has no times.
pub(crate) const LATEST_MS: u64 = 253_402_300_799_999;

/// The clock that codes, tokens, rate windows and lags follow.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Source,
    /// How far it was moved from its source.
    ahead_ms: i64,
    /// The time at which it stands still; `None` while it runs.
    stopped_at_ms: Option<u64>,
}

impl Clock {
    pub(crate) fn new(source: Source, stopped_at_ms: Option<u64>) -> Self {
        Self { source, ahead_ms: 0, stopped_at_ms }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        let running = || self.source_ms().saturating_add_signed(self.ahead_ms);
        self.stopped_at_ms.unwrap_or_else(running).min(LATEST_MS)
    }

    fn source_ms(&self) -> u64 {
        (self.source)().min(LATEST_MS)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped_at_ms.is_some()
    }

    /// Moves it to a time, also an earlier one. A stopped clock stays stopped.
    pub(crate) fn set(&mut self, now_ms: u64) {
        let now_ms = now_ms.min(LATEST_MS);
        match &mut self.stopped_at_ms {
            Some(stopped_at_ms) => *stopped_at_ms = now_ms,
            None => self.ahead_ms = signed(now_ms).saturating_sub(signed(self.source_ms())),
        }
    }

    pub(crate) fn advance(&mut self, by_ms: u64) {
        self.set(self.now_ms().saturating_add(by_ms));
    }

    /// Lets it stand still.
    pub(crate) fn stop(&mut self) {
        self.stopped_at_ms = Some(self.now_ms());
    }

    /// Lets it run on from where it stands.
    pub(crate) fn resume(&mut self) {
        let now_ms = self.now_ms();
        self.stopped_at_ms = None;
        self.set(now_ms);
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn clock_on(source: &Arc<AtomicU64>) -> Clock {
        let source = Arc::clone(source);
        Clock::new(Arc::new(move || source.load(Ordering::SeqCst)), None)
    }

    #[test]
    fn a_moved_clock_follows_its_source_from_where_it_is() {
        let source = Arc::new(AtomicU64::new(1_000));
        let mut clock = clock_on(&source);
        clock.advance(500);
        source.store(1_100, Ordering::SeqCst);
        assert_eq!(clock.now_ms(), 1_600);
        clock.set(50);
        source.store(1_101, Ordering::SeqCst);
        assert_eq!(clock.now_ms(), 51);
    }

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_moved() {
        let source = Arc::new(AtomicU64::new(1_000));
        let mut clock = clock_on(&source);
        clock.stop();
        source.store(9_000, Ordering::SeqCst);
        clock.advance(5);
        assert_eq!((clock.now_ms(), clock.is_stopped()), (1_005, true));
        clock.resume();
        source.store(9_001, Ordering::SeqCst);
        assert_eq!((clock.now_ms(), clock.is_stopped()), (1_006, false));
    }

    #[test]
    fn no_time_is_beyond_what_can_be_written() {
        let source = Arc::new(AtomicU64::new(u64::MAX));
        let mut clock = clock_on(&source);
        assert_eq!(clock.now_ms(), LATEST_MS);
        clock.advance(u64::MAX);
        assert_eq!(clock.now_ms(), LATEST_MS);
        clock.set(7);
        assert_eq!(clock.now_ms(), 7);
    }
}
