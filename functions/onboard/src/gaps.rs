//! When an onboarding goes on.

use std::time::Duration;

use shared::random::{Random, up_to_a_tenth_more};
use vault::work_queue::LONGEST_GAP;

/// How long a request may take, answer included. Notion itself ends one after 60 seconds.
pub(crate) const CALL: Duration = Duration::from_secs(20);
/// How long after a request was intended it must have been sent: who finds the intent relies on it.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(5);
/// After this time, a request that was intended is certainly over, at Notion too.
pub(crate) const OVER_AFTER: Duration = Duration::from_secs(95);
/// After this time, what was made is certainly found by a search. Notion does not say how long that takes.
pub(crate) const SEARCHABLE_AFTER: Duration = Duration::from_mins(15);
/// How often a search is repeated until then.
pub(crate) const SEARCH_AGAIN: Duration = Duration::from_mins(2);
/// How long the content of a template may take to be readable.
pub(crate) const TEMPLATE_READABLE_AFTER: Duration = Duration::from_mins(10);
/// When to look whether another process is done.
pub(crate) const TAKEN_OVER: Duration = Duration::from_secs(30);
/// For how long an onboarding is tried at all.
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_hours(72);
/// How often a step is tried.
pub(crate) const MAX_TRIES: u32 = 8;
/// A turn that comes within this time has come: so the first onboardings after a quiet time do not wait.
pub(crate) const AHEAD: Duration = Duration::from_secs(20);
const UNREACHED_AT_LEAST: Duration = Duration::from_secs(20);
const UNREACHED_AT_MOST: Duration = Duration::from_hours(1);

const GAPS_SECS: [u64; 7] = [5, 30, 120, 600, 1800, 3600, 7200];

/// The gap after so many tries of a step, and up to a tenth more.
pub(crate) fn after(tries: u32, random: &dyn Random) -> Duration {
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX).min(GAPS_SECS.len() - 1);
    spread(Duration::from_secs(GAPS_SECS[at]), random)
}

/// The gap while a table or the token function cannot be reached, for a message of this age: ever longer, so that an outage of
/// days does not use up the receipts that a message has.
pub(crate) fn unreached(age: Duration, random: &dyn Random) -> Duration {
    spread((age / 4).clamp(UNREACHED_AT_LEAST, UNREACHED_AT_MOST), random)
}

/// The least gap after Notion has asked for fewer requests, for a run of this age.
pub(crate) fn limited(age: Duration) -> Duration {
    (age / 10).min(UNREACHED_AT_MOST)
}

/// A time, and up to a tenth more, so that those who wait for the same thing do not come back together.
pub(crate) fn spread(time: Duration, random: &dyn Random) -> Duration {
    up_to_a_tenth_more(time, random).clamp(Duration::from_secs(1), LONGEST_GAP)
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

    #[test]
    fn gaps_grow_and_are_never_longer_than_a_message_can_be_hidden() {
        let gaps: Vec<u64> = (1..=MAX_TRIES).map(|tries| after(tries, &Always(0)).as_secs()).collect();
        assert_eq!(gaps, [5, 30, 120, 600, 1800, 3600, 7200, 7200]);
        assert_eq!(after(1, &Always(255)), Duration::from_millis(5500));
        assert_eq!(spread(Duration::from_hours(24), &Always(0)), LONGEST_GAP);
        assert_eq!(spread(Duration::ZERO, &Always(0)), Duration::from_secs(1));
    }

    #[test]
    fn an_outage_of_days_uses_up_few_receipts() {
        let (mut age, mut receipts) = (Duration::ZERO, 0);
        while age < GIVE_UP_AFTER {
            age += unreached(age, &Always(0));
            receipts += 1;
        }
        assert!(receipts < 120, "{receipts}");
    }

    #[test]
    fn who_finds_an_intent_waits_longer_than_its_request_can_take() {
        let notion_ends_it_after = Duration::from_mins(1);
        assert!(SEND_WITHIN + CALL + notion_ends_it_after < OVER_AFTER);
        assert!(OVER_AFTER < SEARCHABLE_AFTER);
    }
}
