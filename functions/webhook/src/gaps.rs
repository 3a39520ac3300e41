//! When a webhook that was not taken is sent again: after seconds, minutes, then hours, for three days.
//!
//! The gap follows from how old the webhook is, not from how often it was received: a failure of our own, after which
//! SQS delivers it again, uses up none of its tries.

use std::time::Duration;

use shared::random::{Random, up_to_a_tenth_more};
use vault::work_queue::LONGEST_GAP;

/// For how long it is sent again and again.
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_hours(72);
/// The gaps between tries.
const GAPS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(8),
    LONGEST_GAP,
];

/// The gap after a try of a webhook that is `age` old: the first that is longer than its age, and up to a tenth more, so
/// that those of one outage do not come back together. At least what the endpoint asked for.
pub(crate) fn next(age: Duration, asked: Option<Duration>, random: &dyn Random) -> Duration {
    let gap = GAPS.into_iter().find(|gap| *gap > age).unwrap_or(LONGEST_GAP);
    let gap = up_to_a_tenth_more(gap, random).max(asked.unwrap_or_default());
    gap.min(LONGEST_GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);
    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn tries(random: &dyn Random) -> Vec<u64> {
        let (mut at, mut tries) = (Duration::ZERO, vec![0]);
        while at < GIVE_UP_AFTER {
            at += next(at, None, random);
            tries.push(at.as_secs());
        }
        tries
    }

    #[test]
    fn gaps_grow_for_three_days() {
        let tries = tries(&Always(0));
        let gaps: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted(), "{gaps:?}");
        assert_eq!(gaps, [5, 300, 1800, 7200, 18_000, 28_800, 42_900, 42_900, 42_900, 42_900, 42_900]);
    }

    #[test]
    fn chance_adds_up_to_a_tenth_and_the_endpoint_may_ask_for_more() {
        assert_eq!(next(Duration::ZERO, None, &Always(255)), Duration::from_millis(5500));
        let asked = |secs| next(Duration::ZERO, Some(Duration::from_secs(secs)), &Always(0)).as_secs();
        assert_eq!([asked(1), asked(60), asked(86_400)], [5, 60, 42_900]);
        assert_eq!(next(GIVE_UP_AFTER, None, &Always(255)), LONGEST_GAP);
    }
}
