//! API Gateway's throttle of a route: a token bucket with a rate and a burst.

use std::sync::{Mutex, PoisonError};

use shared::clock::UnixMillis;

/// The limits of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Requests per second.
    pub per_second: f64,
    /// How many requests may arrive at the same moment.
    pub burst: f64,
}

pub(crate) struct Throttle {
    limits: Limits,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled_at: UnixMillis,
}

impl Throttle {
    pub(crate) fn new(limits: Limits, now: UnixMillis) -> Self {
        Self { limits, bucket: Mutex::new(Bucket { tokens: limits.burst, filled_at: now }) }
    }

    /// Whether one more request is let through.
    pub(crate) fn lets_through(&self, now: UnixMillis) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds between two requests")]
        let secs = now.0.saturating_sub(bucket.filled_at.0) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + secs * self.limits.per_second).min(self.limits.burst);
        bucket.filled_at = now;
        let passes = bucket.tokens >= 1.0;
        if passes {
            bucket.tokens -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let limits = Limits { per_second: 2.0, burst: 5.0 };
        let throttle = Throttle::new(limits, UnixMillis(0));
        let passed = |now_ms: u64, times: u64| {
            (0..times).filter(|_| throttle.lets_through(UnixMillis(now_ms))).count()
        };
        assert_eq!(passed(0, 10), 5);
        assert_eq!(passed(400, 10), 0);
        assert_eq!(passed(1000, 10), 2);
        assert_eq!(passed(100_000, 10), 5, "tokens accumulate up to the burst");
    }
}
