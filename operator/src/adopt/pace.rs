//! How fast Notion is asked. Moving in has time, and people who install or work do not: it goes evenly, and gives way
//! when Notion says that there was too much.

use std::time::Duration;

use tokio::time::Instant;

/// Never slower than six requests a minute, however often Notion complains.
const SLOWEST: Duration = Duration::from_secs(10);
/// How long it has to go well before it becomes faster again.
const CALM: Duration = Duration::from_mins(1);

/// When the next request may be sent.
#[derive(Debug)]
pub(super) struct Pace {
    usual: Duration,
    gap: Duration,
    next: Instant,
    /// When the gap last changed.
    since: Instant,
}

impl Pace {
    pub(super) fn of(calls_per_minute: u32, now: Instant) -> Self {
        let usual = Duration::from_mins(1) / calls_per_minute.max(1);
        Self { usual, gap: usual, next: now, since: now }
    }

    /// Takes a turn: the moment from which on a request may be sent.
    pub(super) fn turn(&mut self, now: Instant) -> Instant {
        if self.gap > self.usual && now >= self.since + CALM {
            self.gap = (self.gap / 2).max(self.usual);
            self.since = now;
        }
        let turn = self.next.max(now);
        self.next = turn + self.gap;
        turn
    }

    /// Notion asks to come back after `wait`: nothing is sent before that, and then half as much.
    pub(super) fn slow_down(&mut self, wait: Duration, now: Instant) {
        self.gap = (self.gap * 2).min(SLOWEST.max(self.usual));
        self.next = self.next.max(now + wait);
        self.since = now + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_evenly_spread_and_no_time_is_saved_up() {
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut pace = Pace::of(60, start);
        assert_eq!([pace.turn(start), pace.turn(start), pace.turn(start)], [at(0), at(1), at(2)]);
        // After a pause there is no burst.
        assert_eq!([pace.turn(at(100)), pace.turn(at(100))], [at(100), at(101)]);
    }

    #[test]
    fn it_gives_way_to_notion_and_recovers_step_by_step() {
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut pace = Pace::of(60, start);
        pace.turn(start);
        pace.slow_down(Duration::from_secs(30), start);
        assert_eq!([pace.turn(at(1)), pace.turn(at(1))], [at(30), at(32)]);
        pace.slow_down(Duration::ZERO, at(40));
        assert_eq!([pace.turn(at(40)), pace.turn(at(40))], [at(40), at(44)]);
        for secs in [50, 51, 52, 53] {
            pace.slow_down(Duration::ZERO, at(secs));
        }
        let turns = [pace.turn(at(60)), pace.turn(at(60))];
        assert_eq!(turns[1] - turns[0], SLOWEST);
        let gap = |pace: &mut Pace, now: Instant| {
            let turns = [pace.turn(now), pace.turn(now)];
            turns[1] - turns[0]
        };
        let gaps = [200, 300, 400, 500, 600].map(|secs| gap(&mut pace, at(secs)).as_millis());
        assert_eq!(gaps, [5000, 2500, 1250, 1000, 1000]);
    }

    #[test]
    fn a_slow_pace_stays_as_slow_as_it_was_asked_to_be() {
        let start = Instant::now();
        let mut pace = Pace::of(1, start);
        pace.slow_down(Duration::ZERO, start);
        let turns = [pace.turn(start), pace.turn(start)];
        assert_eq!(turns[1] - turns[0], Duration::from_mins(1));
    }
}
