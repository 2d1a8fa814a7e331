//! The budget of users and events: a sliding log of charges. Pure; times are milliseconds
//! of one steady clock.
//!
//! A server may count a body at any moment between its sending and its answer. A share that
//! stays charged from before the sending until a window after the answer was read is
//! therefore still charged whenever another body of the same window is sent, so the sum
//! over any window of the server stays within the rate.

use std::collections::{BTreeSet, HashMap};

use crate::model::Rate;
use crate::wire::limits::WINDOW;

/// How long a share stays charged after the answer, in milliseconds: the window (Data API,
/// U: 60 s) and 0.1 s for rounding and for a server clock that runs a little slow.
pub(super) const HELD_MS: u64 = WINDOW.as_millis() as u64 + 100;

/// How long a lowered rate lasts, in milliseconds: a few windows, in which the other
/// traffic of the account may end.
const EASED_MS: u64 = 5 * 60 * 1000;

/// Names one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChargeId(pub u64);

impl ChargeId {
    /// The charge of a body that weighs nothing against a limited rate; it is not kept.
    pub const FREE: Self = Self(u64::MAX);
}

/// One charge that still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub users: u64,
    pub events: u64,
    /// When it was made.
    pub charged_ms: u64,
    /// When its request is given up; meaningless once answered.
    pub deadline_ms: u64,
    /// Until when it counts.
    pub release_ms: u64,
    /// Whether its answer was read.
    pub answered: bool,
}

/// Why a charge can't be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Try again then, or when an answer was read.
    Until(u64),
    /// It is larger than the rate.
    Never,
}

/// What is charged against the two rates.
#[derive(Debug)]
pub(super) struct Budget {
    rates: [Option<u64>; 2],
    /// The largest body's users and events: a lowered rate stops here.
    floors: [u64; 2],
    spent: [u64; 2],
    charges: HashMap<ChargeId, Charge>,
    releases: BTreeSet<(u64, ChargeId)>,
    next_id: u64,
    /// Nothing fits before this time.
    shut_until_ms: u64,
    eased_steps: u32,
    eased_at_ms: u64,
}

impl Budget {
    pub fn new(users: Rate, events: Rate, largest_users: u64, largest_events: u64) -> Self {
        Self {
            rates: [users.per_minute(), events.per_minute()],
            floors: [largest_users, largest_events],
            spent: [0; 2],
            charges: HashMap::new(),
            releases: BTreeSet::new(),
            next_id: 0,
            shut_until_ms: 0,
            eased_steps: 0,
            eased_at_ms: 0,
        }
    }

    /// Lets nothing through before a time.
    pub fn shut_until(&mut self, ms: u64) {
        self.shut_until_ms = self.shut_until_ms.max(ms);
    }

    /// Until when nothing is let through, where that lies ahead.
    pub fn shut_after(&self, now_ms: u64) -> Option<u64> {
        (self.shut_until_ms > now_ms).then_some(self.shut_until_ms)
    }

    /// Takes over a charge of an earlier process.
    pub fn inherit(&mut self, users: u64, events: u64, release_ms: u64) {
        let answered = true;
        let (charged_ms, deadline_ms) = (release_ms, release_ms);
        self.add(Charge { users, events, charged_ms, deadline_ms, release_ms, answered });
    }

    /// Charges a body before it is sent. Until [`Budget::answer`] it counts to a window past
    /// its deadline.
    pub fn charge(
        &mut self,
        now_ms: u64,
        (users, events): (u64, u64),
        deadline_ms: u64,
    ) -> Result<ChargeId, Refused> {
        self.release(now_ms);
        let asked = [users, events];
        if (0..2).all(|i| self.rates[i].is_none() || asked[i] == 0) {
            return Ok(ChargeId::FREE);
        }
        if (0..2).any(|i| self.rates[i].is_some_and(|rate| asked[i] > rate)) {
            return Err(Refused::Never);
        }
        if now_ms < self.shut_until_ms {
            return Err(Refused::Until(self.shut_until_ms));
        }
        if let Some(until) = self.full_until(now_ms, asked) {
            return Err(Refused::Until(until));
        }
        let release_ms = deadline_ms + HELD_MS;
        let answered = false;
        Ok(self.add(Charge {
            users,
            events,
            charged_ms: now_ms,
            deadline_ms,
            release_ms,
            answered,
        }))
    }

    /// Notes that a body's answer was read at that time.
    pub fn answer(&mut self, id: ChargeId, read_ms: u64) {
        if let Some(charge) = self.charges.get_mut(&id) {
            self.releases.remove(&(charge.release_ms, id));
            charge.release_ms = read_ms + HELD_MS;
            charge.answered = true;
            self.releases.insert((charge.release_ms, id));
        }
    }

    /// Takes back the charge of a body that never left, its connection not having been made.
    pub fn take_back(&mut self, id: ChargeId) {
        if let Some(charge) = self.charges.remove(&id) {
            self.releases.remove(&(charge.release_ms, id));
            self.spent[0] -= charge.users;
            self.spent[1] -= charge.events;
        }
    }

    /// Lowers the rates by a quarter for a while: other traffic shares the account. Replies to
    /// requests that were under way at the last time say nothing new, and change nothing.
    pub fn ease(&mut self, sent_ms: u64, now_ms: u64) {
        if self.eased_steps > 0 && sent_ms < self.eased_at_ms {
            return;
        }
        self.eased_steps = if self.is_eased(now_ms) { self.eased_steps + 1 } else { 1 };
        self.eased_at_ms = now_ms;
    }

    /// The largest body goes in halves from now on, so a lowered rate may be half of it.
    pub fn lower_floors(&mut self) {
        self.floors = self.floors.map(|floor| floor.div_ceil(2));
    }

    /// The rates that hold now, users first.
    pub fn rates(&self, now_ms: u64) -> [Option<u64>; 2] {
        let steps = if self.is_eased(now_ms) { self.eased_steps.min(32) } else { 0 };
        std::array::from_fn(|i| {
            self.rates[i].map(|rate| {
                let eased = (0..steps).fold(rate, |rate, _| rate - rate / 4);
                eased.max(self.floors[i]).min(rate)
            })
        })
    }

    /// The charges that still count, oldest first.
    pub fn charges(&self) -> Vec<(ChargeId, Charge)> {
        let mut charges: Vec<_> = self.charges.iter().map(|(&id, &charge)| (id, charge)).collect();
        charges.sort_unstable_by_key(|&(id, _)| id);
        charges
    }

    /// Those of the given charges that are kept.
    pub fn select(&self, ids: &[ChargeId]) -> Vec<(ChargeId, Charge)> {
        ids.iter().filter_map(|id| Some((*id, *self.charges.get(id)?))).collect()
    }

    fn is_eased(&self, now_ms: u64) -> bool {
        self.eased_steps > 0 && now_ms < self.eased_at_ms + EASED_MS
    }

    /// When a body fits, as far as it is known; `None` = now.
    fn full_until(&self, now_ms: u64, asked: [u64; 2]) -> Option<u64> {
        let rates = self.rates(now_ms);
        let fits = |spent: [u64; 2]| {
            (0..2).all(|i| {
                // A body above a lowered rate still goes, alone.
                rates[i].is_none_or(|rate| spent[i] + asked[i] <= rate.max(asked[i]))
            })
        };
        let mut spent = self.spent;
        if fits(spent) {
            return None;
        }
        let mut until = now_ms;
        for &(release_ms, id) in &self.releases {
            let charge = &self.charges[&id];
            spent[0] -= charge.users;
            spent[1] -= charge.events;
            until = release_ms;
            if fits(spent) {
                break;
            }
        }
        if self.is_eased(now_ms) {
            until = until.min(self.eased_at_ms + EASED_MS);
        }
        Some(until)
    }

    fn add(&mut self, charge: Charge) -> ChargeId {
        let id = ChargeId(self.next_id);
        self.next_id += 1;
        self.spent[0] += charge.users;
        self.spent[1] += charge.events;
        self.releases.insert((charge.release_ms, id));
        self.charges.insert(id, charge);
        id
    }

    fn release(&mut self, now_ms: u64) {
        while let Some(&(release_ms, id)) = self.releases.first()
            && release_ms <= now_ms
        {
            self.releases.pop_first();
            if let Some(charge) = self.charges.remove(&id) {
                self.spent[0] -= charge.users;
                self.spent[1] -= charge.events;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: Rate = Rate::PerMinute(1000);
    const EVENTS: Rate = Rate::PerMinute(10_000);

    fn budget() -> Budget {
        Budget::new(USERS, EVENTS, 430, 0)
    }

    #[test]
    fn a_share_comes_free_a_window_after_the_answer() {
        let mut budget = budget();
        let id = budget.charge(0, (900, 0), 60_000).unwrap();
        assert_eq!(budget.charge(1, (101, 0), 60_001), Err(Refused::Until(60_000 + HELD_MS)));
        budget.answer(id, 500);
        assert_eq!(budget.charge(501, (101, 0), 60_501), Err(Refused::Until(500 + HELD_MS)));
        assert!(budget.charge(501, (100, 0), 60_501).is_ok());
        assert!(budget.charge(500 + HELD_MS - 1, (101, 0), 130_000).is_err());
        assert!(budget.charge(500 + HELD_MS, (101, 0), 130_000).is_ok());
    }

    #[test]
    fn a_body_without_an_answer_counts_to_a_window_past_its_deadline() {
        let mut budget = budget();
        budget.charge(0, (0, 10_000), 60_000).unwrap();
        assert!(budget.charge(60_000 + HELD_MS - 1, (0, 1), 200_000).is_err());
        assert!(budget.charge(60_000 + HELD_MS, (0, 1), 200_000).is_ok());
    }

    #[test]
    fn a_connection_never_made_costs_nothing() {
        let mut budget = budget();
        let id = budget.charge(0, (1000, 10_000), 60_000).unwrap();
        budget.take_back(id);
        budget.take_back(id);
        assert!(budget.charge(0, (1000, 10_000), 60_000).is_ok());
    }

    #[test]
    fn a_body_above_the_rate_is_refused_for_good() {
        assert_eq!(budget().charge(0, (1001, 0), 60_000), Err(Refused::Never));
    }

    #[test]
    fn a_lowered_rate_stops_at_the_largest_body_and_recovers() {
        let mut budget = budget();
        budget.ease(0, 10);
        assert_eq!(budget.rates(11), [Some(750), Some(7500)]);
        budget.ease(5, 20);
        assert_eq!(budget.rates(21)[0], Some(750), "sent before the rate was lowered");
        budget.ease(15, 30);
        assert_eq!(budget.rates(31)[0], Some(563));
        for step in 0..40 {
            budget.ease(100 + step, 100 + step);
        }
        assert_eq!(budget.rates(200)[0], Some(430));
        assert!(budget.charge(200, (430, 0), 60_200).is_ok());
        assert_eq!(budget.rates(139 + EASED_MS), [Some(1000), Some(10_000)]);
    }

    #[test]
    fn unlimited_lets_everything_through_and_keeps_nothing() {
        let mut budget = Budget::new(Rate::Unlimited, Rate::Unlimited, 0, 0);
        for _ in 0..1000 {
            assert!(budget.charge(0, (u64::MAX, u64::MAX), 1).is_ok());
        }
        assert!(budget.charges().is_empty());
    }
}
