//! Divides the time of one invocation, so that no step starves the next.
//!
//! API Gateway waits 30 seconds; the function has 25. Once Notion has issued tokens, there must be time left to save
//! them, otherwise to put them into the rescue queue, otherwise to revoke them.

use std::future::Future;
use std::time::Duration;

use shared::clock::Clock;
use tokio::time::Instant;

/// When each step must have ended, counted from the start of the invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Both secrets are read.
    pub secrets_by: Duration,
    /// The state is claimed.
    pub claim_by: Duration,
    /// Notion has answered the exchange, retries included.
    pub exchange_by: Duration,
    /// The row is saved, retries included.
    pub save_by: Duration,
    /// The sealed record is in the rescue queue.
    pub rescue_by: Duration,
    /// The grant is revoked at Notion.
    pub revoke_by: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            secrets_by: Duration::from_secs(3),
            claim_by: Duration::from_secs(6),
            exchange_by: Duration::from_secs(12),
            save_by: Duration::from_secs(18),
            rescue_by: Duration::from_secs(21),
            revoke_by: Duration::from_secs(24),
        }
    }
}

/// The deadlines of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// See [`Limits::secrets_by`].
    pub secrets_by: Instant,
    /// See [`Limits::claim_by`].
    pub claim_by: Instant,
    /// See [`Limits::exchange_by`].
    pub exchange_by: Instant,
    /// See [`Limits::save_by`].
    pub save_by: Instant,
    /// See [`Limits::rescue_by`].
    pub rescue_by: Instant,
    /// See [`Limits::revoke_by`].
    pub revoke_by: Instant,
}

/// A step ran out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the step ran out of time")]
pub struct OutOfTime;

/// The time until `deadline_ms`. `None` if that is 0, because Lambda did not say.
#[must_use]
pub fn time_left(deadline_ms: u64, clock: &dyn Clock) -> Option<Duration> {
    let remaining_ms = deadline_ms.saturating_sub(clock.now_millis().0);
    (deadline_ms > 0).then(|| Duration::from_millis(remaining_ms))
}

impl Budget {
    /// Divides the time of an invocation that ends at `deadline_ms`, which is 0 if Lambda did not say.
    #[must_use]
    pub fn of_invocation(deadline_ms: u64, clock: &dyn Clock) -> Self {
        Self::begin(Limits::default(), time_left(deadline_ms, clock))
    }

    /// Starts `limits` now. If the invocation ends sooner than they assume, they shrink in proportion. One second is
    /// kept for the answer.
    #[must_use]
    pub fn begin(limits: Limits, remaining: Option<Duration>) -> Self {
        let now = Instant::now();
        let usable = remaining.map_or(limits.revoke_by, |left| left.saturating_sub(Duration::from_secs(1)));
        let share = (usable.as_secs_f64() / limits.revoke_by.as_secs_f64()).min(1.0);
        let at = |limit: Duration| now + limit.mul_f64(share);
        Self {
            secrets_by: at(limits.secrets_by),
            claim_by: at(limits.claim_by),
            exchange_by: at(limits.exchange_by),
            save_by: at(limits.save_by),
            rescue_by: at(limits.rescue_by),
            revoke_by: at(limits.revoke_by),
        }
    }
}

/// Runs `step`, but not past `deadline`.
///
/// # Errors
///
/// [`OutOfTime`]; the step was cancelled.
pub async fn until<T>(deadline: Instant, step: impl Future<Output = T>) -> Result<T, OutOfTime> {
    tokio::time::timeout_at(deadline, step).await.map_err(|_elapsed| OutOfTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_invocation_shrinks_every_step_and_keeps_their_order() {
        let secs = Duration::from_secs;
        let whole = Budget::begin(Limits::default(), Some(secs(25)));
        assert_eq!(whole.revoke_by - whole.exchange_by, secs(12));
        assert_eq!(whole.save_by - whole.claim_by, secs(12));
        let half = Budget::begin(Limits::default(), Some(secs(13)));
        assert_eq!(half.revoke_by - half.exchange_by, secs(6));
        assert!(half.claim_by < half.exchange_by && half.exchange_by < half.save_by);
        assert!(half.save_by < half.rescue_by && half.rescue_by < half.revoke_by);
        let none = Budget::begin(Limits::default(), Some(Duration::ZERO));
        assert_eq!(none.revoke_by, none.claim_by);
        let unknown = Budget::begin(Limits::default(), None);
        assert_eq!(unknown.revoke_by - unknown.claim_by, secs(18));
    }

    #[test]
    fn the_limits_fit_into_the_function_and_api_gateway() {
        let limits = Limits::default();
        let in_order = [
            limits.secrets_by,
            limits.claim_by,
            limits.exchange_by,
            limits.save_by,
            limits.rescue_by,
            limits.revoke_by,
        ];
        assert!(in_order.is_sorted());
        assert!(limits.revoke_by + Duration::from_secs(1) <= Duration::from_secs(25));
    }
}
