//! What a minute may hold, and what it held: the budgets that answer 429, and the peaks that judge
//! a client's pacing whatever it was answered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Data API, S rule: rates are counted by the minute; its public documentation names a 60 s window.
const WINDOW: Duration = Duration::from_secs(60);

/// What a request is charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    /// User and device elements.
    pub(super) users: u64,
    /// Actions of event elements.
    pub(super) events: u64,
}

/// The last 60 s of charges.
#[derive(Debug, Default)]
struct SlidingLog {
    entries: VecDeque<(Instant, Units)>,
    sum: Units,
}

impl SlidingLog {
    /// Forgets what is 60 s old or older: a charge at 0 s is free again at 60 s.
    fn expire(&mut self, now: Instant) {
        while let Some((at, units)) = self.entries.front()
            && now.saturating_duration_since(*at) >= WINDOW
        {
            self.sum.users -= units.users;
            self.sum.events -= units.events;
            self.entries.pop_front();
        }
    }

    fn add(&mut self, now: Instant, units: Units) {
        self.sum.users += units.users;
        self.sum.events += units.events;
        self.entries.push_back((now, units));
    }

    /// When, from `now`, the oldest charges that hold `wanted` in `count` have left the window;
    /// a whole window where even all of them are too few.
    fn free_after(&self, now: Instant, wanted: u64, count: fn(&Units) -> u64) -> Duration {
        let mut freed = 0;
        for (at, units) in &self.entries {
            freed += count(units);
            if freed >= wanted {
                return (*at + WINDOW).saturating_duration_since(now);
            }
        }
        WINDOW
    }
}

/// What a 429 tells of the budget that is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    /// The budget, in units a minute.
    pub(super) limit: u64,
    /// What is left of it now.
    pub(super) remaining: u64,
    /// Whole seconds, at least 1, until the refused request would fit; 60 where it never will.
    pub(super) reset_seconds: u64,
}

/// The two budgets over accepted requests; one account has one pair, whatever the endpoint.
#[derive(Debug)]
pub(super) struct Budget {
    users_per_minute: Option<u64>,
    events_per_minute: Option<u64>,
    accepted: SlidingLog,
}

impl Budget {
    /// `None` sets no limit.
    pub(super) fn new(users_per_minute: Option<u64>, events_per_minute: Option<u64>) -> Self {
        Self { users_per_minute, events_per_minute, accepted: SlidingLog::default() }
    }

    /// Charges `units`, or charges nothing and tells of the budget that is short for longer.
    pub(super) fn charge(&mut self, now: Instant, units: Units) -> Result<(), Shortage> {
        self.accepted.expire(now);
        let users = self.shortage(now, self.users_per_minute, units, |units| units.users);
        let events = self.shortage(now, self.events_per_minute, units, |units| units.events);
        let longer = users.into_iter().chain(events).max_by_key(|shortage| shortage.reset_seconds);
        match longer {
            Some(shortage) => Err(shortage),
            None => {
                self.accepted.add(now, units);
                Ok(())
            }
        }
    }

    fn shortage(
        &self,
        now: Instant,
        limit: Option<u64>,
        units: Units,
        count: fn(&Units) -> u64,
    ) -> Option<Shortage> {
        let limit = limit?;
        let remaining = limit.saturating_sub(count(&self.accepted.sum));
        let missing = count(&units).saturating_sub(remaining);
        (missing > 0).then(|| Shortage {
            limit,
            remaining,
            reset_seconds: whole_seconds(self.accepted.free_after(now, missing, count)),
        })
    }
}

/// Rounded up, so that a client that waits for exactly this long is not early.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + begun).max(1)
}

/// The most that any minute held of what arrived, whatever it was answered: a server may count a
/// minute as a sliding window or by the clock, so both are watched.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    received: SlidingLog,
    window_max: Units,
    minute: u64,
    minute_sum: Units,
    minute_max: Units,
}

impl Peaks {
    /// Counts what arrived at `now`; `unix_seconds` is the same moment by the wall clock.
    pub(super) fn add(&mut self, now: Instant, unix_seconds: u64, units: Units) {
        self.received.expire(now);
        self.received.add(now, units);
        self.window_max = larger(self.window_max, self.received.sum);

        let minute = unix_seconds / WINDOW.as_secs();
        if minute != self.minute {
            self.minute = minute;
            self.minute_sum = Units::default();
        }
        self.minute_sum.users += units.users;
        self.minute_sum.events += units.events;
        self.minute_max = larger(self.minute_max, self.minute_sum);
    }

    /// The most of any sliding 60 s.
    pub(super) fn window_max(&self) -> Units {
        self.window_max
    }

    /// The most of any minute of the wall clock.
    pub(super) fn minute_max(&self) -> Units {
        self.minute_max
    }
}

fn larger(one: Units, other: Units) -> Units {
    Units { users: one.users.max(other.users), events: one.events.max(other.events) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(users: u64) -> Units {
        Units { users, events: 0 }
    }

    #[test]
    fn a_charge_is_free_again_after_exactly_sixty_seconds() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut budget = Budget::new(Some(1_000), Some(10_000));
        assert_eq!(budget.charge(at(0), users(430)), Ok(()));
        assert_eq!(budget.charge(at(10_000), users(430)), Ok(()));
        let short = |reset_seconds| Err(Shortage { limit: 1_000, remaining: 140, reset_seconds });
        assert_eq!(budget.charge(at(10_500), users(430)), short(50));
        assert_eq!(budget.charge(at(10_500), users(571)), short(60));
        assert_eq!(budget.charge(at(59_999), users(430)), short(1));
        assert_eq!(budget.charge(at(60_000), users(430)), Ok(()));
    }

    #[test]
    fn a_body_over_the_whole_budget_waits_a_window_each_time() {
        let mut budget = Budget::new(Some(10), None);
        let shortage = Shortage { limit: 10, remaining: 10, reset_seconds: 60 };
        assert_eq!(budget.charge(Instant::now(), users(11)), Err(shortage));
    }

    #[test]
    fn the_budget_that_is_short_for_longer_is_told() {
        let start = Instant::now();
        let mut budget = Budget::new(Some(10), Some(10));
        let both = |users, events| Units { users, events };
        assert_eq!(budget.charge(start, both(10, 0)), Ok(()));
        let later = start + Duration::from_secs(20);
        assert_eq!(budget.charge(later, both(0, 10)), Ok(()));
        let refused = budget.charge(later, both(1, 1)).map_err(|s| s.reset_seconds);
        assert_eq!(refused, Err(60));
        let refused = budget.charge(later, both(1, 0)).map_err(|s| s.reset_seconds);
        assert_eq!(refused, Err(40));
    }

    #[test]
    fn no_limit_takes_everything() {
        let mut budget = Budget::new(None, None);
        assert_eq!(budget.charge(Instant::now(), users(u64::MAX / 2)), Ok(()));
    }

    #[test]
    fn peaks_differ_between_a_sliding_and_a_clock_minute() {
        let start = Instant::now();
        let mut peaks = Peaks::default();
        // 30 s before a minute of the clock ends, and 10 s after.
        peaks.add(start, 90, users(600));
        peaks.add(start + Duration::from_secs(40), 130, users(700));
        assert_eq!(peaks.window_max(), users(1_300));
        assert_eq!(peaks.minute_max(), users(700));
        peaks.add(start + Duration::from_secs(60), 150, users(1));
        assert_eq!(peaks.window_max(), users(1_300));
        assert_eq!(peaks.minute_max(), users(701));
    }
}
