//! The waits between tries of a write that another process got in the way of.

use std::time::Duration;

use shared::random::{Random, jittered};

const FIRST_MS: u64 = 25;
const LONGEST_MS: u64 = 1000;

/// How long to wait before the next try: twice as long each time, up to a second, with jitter.
#[derive(Debug)]
pub struct Backoff {
    next_ms: u64,
}

impl Backoff {
    /// Before the first try.
    #[must_use]
    pub fn start() -> Self {
        Self { next_ms: FIRST_MS }
    }

    /// Waits before the next try.
    pub async fn wait(&mut self, random: &dyn Random) {
        tokio::time::sleep(self.next(random)).await;
    }

    fn next(&mut self, random: &dyn Random) -> Duration {
        let wait = jittered(self.next_ms, random);
        self.next_ms = (self.next_ms * 2).min(LONGEST_MS);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::OsRandom;

    #[test]
    fn waits_double_up_to_a_second() {
        let mut backoff = Backoff::start();
        for longest_ms in [25, 50, 100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next(&OsRandom);
            assert!(
                (longest_ms / 2..=longest_ms).contains(&u64::try_from(wait.as_millis()).unwrap()),
                "{wait:?}"
            );
        }
    }
}
