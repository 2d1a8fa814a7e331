//! The bodies that are not settled yet, and which stretch of which may go next.
//!
//! One stretch of a body is under way at a time, in order, and two bodies that hold the same
//! user are never open together: so updates of a user arrive in the order of the file, retries
//! and halves included.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use crate::model::{Body, Intent};
use crate::wire::envelope;

use super::Work;

/// Bodies that may be open for each connection: some wait for a retry, which holds none.
const OPEN_PER_CONNECTION: usize = 2;

/// One body on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub body: Body,
    /// What is still to be settled, in order; never empty. The first is the one to send.
    stretches: VecDeque<Stretch>,
    /// Failures of the first stretch so far.
    pub failures: u32,
    /// A stretch of it was sent and not answered: the server may have taken it in.
    pub is_in_doubt: bool,
    state: State,
}

#[derive(Clone, Debug)]
struct Stretch {
    range: Range<u32>,
    /// It comes from halving.
    is_half: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    Due(u64),
}

impl Job {
    fn new(Work { body, pending, in_doubt }: Work) -> Option<Self> {
        let whole = body.whole();
        let stretches: VecDeque<_> = pending
            .into_iter()
            .map(|range| range.start..range.end.min(whole.end))
            .filter(|range| range.start < range.end)
            .map(|range| Stretch { range, is_half: false })
            .collect();
        let is_done = stretches.is_empty();
        (!is_done).then_some(Self {
            body,
            stretches,
            failures: 0,
            is_in_doubt: in_doubt,
            state: State::Due(0),
        })
    }

    /// The stretch to send, or under way.
    pub fn range(&self) -> Range<u32> {
        self.stretches.front().map_or(0..0, |stretch| stretch.range.clone())
    }

    pub fn is_half(&self) -> bool {
        self.stretches.front().is_some_and(|stretch| stretch.is_half)
    }

    pub fn elements(&self) -> u32 {
        self.body.whole().end
    }

    pub fn weight(&self) -> (u64, u64) {
        self.body.weight(&self.range())
    }

    pub fn bytes(&self) -> Bytes {
        envelope::part_of(&self.body, &self.range())
    }

    pub fn intent(&self) -> Option<Intent> {
        let range = self.range();
        let parts = self.body.slice(&range);
        Some(Intent {
            seq: self.body.seq,
            elements: self.elements(),
            first: parts.first()?.position,
            last: parts.last()?.position,
            range,
        })
    }

    /// Users of the whole body, settled stretches included: simpler, and never too few.
    fn keys(&self) -> impl Iterator<Item = u64> {
        self.body.parts.iter().filter_map(|part| part.key)
    }
}

/// All open bodies, and the next new one.
#[derive(Debug)]
pub(super) struct Jobs {
    open: BTreeMap<u64, Job>,
    /// Users of the open bodies.
    keys: HashSet<u64>,
    /// The next body in order.
    fresh: Option<Job>,
    open_max: usize,
}

impl Jobs {
    pub fn new(connections: usize) -> Self {
        let open_max = connections * OPEN_PER_CONNECTION + OPEN_PER_CONNECTION;
        Self { open: BTreeMap::new(), keys: HashSet::new(), fresh: None, open_max }
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.fresh.is_none()
    }

    /// Whether the next body should be fetched.
    pub fn wants_work(&self) -> bool {
        self.fresh.is_none() && self.open.len() < self.open_max
    }

    /// Takes the next body; one with nothing left to send is dropped.
    pub fn offer(&mut self, work: Work) {
        debug_assert!(self.fresh.is_none());
        self.fresh = Job::new(work);
    }

    pub fn get(&self, seq: u64) -> Option<&Job> {
        self.open.get(&seq)
    }

    /// The jobs that may go next, the one that should first: those that are due again, in the
    /// order of the file, else the next new body, unless one of its users is still under way.
    /// For a probe, the one that failed least is first, so that no body keeps the others from
    /// trying.
    pub fn candidates(&self, now_ms: u64, is_probe: bool) -> Vec<&Job> {
        let is_due = |job: &&Job| matches!(job.state, State::Due(due_ms) if due_ms <= now_ms);
        let mut due: Vec<_> = self.open.values().filter(is_due).collect();
        if due.is_empty() {
            let fresh = self.fresh.iter().filter(|_| self.open.len() < self.open_max);
            return fresh.filter(|job| job.keys().all(|key| !self.keys.contains(&key))).collect();
        }
        if is_probe {
            due.sort_by_key(|job| job.failures);
        }
        due
    }

    /// When the next retry is due, where all of them wait.
    pub fn next_due_ms(&self) -> Option<u64> {
        let due = self.open.values().filter_map(|job| match job.state {
            State::Due(due_ms) => Some(due_ms),
            State::InFlight => None,
        });
        due.min()
    }

    /// Marks a candidate as under way, and gives it.
    pub fn launch(&mut self, seq: u64) -> Option<&Job> {
        if let Some(job) = self.fresh.take_if(|job| job.body.seq == seq) {
            self.keys.extend(job.keys());
            self.open.insert(seq, job);
        }
        let job = self.open.get_mut(&seq)?;
        job.state = State::InFlight;
        Some(job)
    }

    /// The stretch under way is settled; gives the body where it was the last one.
    pub fn settle(&mut self, seq: u64) -> Option<Body> {
        let job = self.open.get_mut(&seq)?;
        job.stretches.pop_front();
        job.failures = 0;
        job.state = State::Due(0);
        if !job.stretches.is_empty() {
            return None;
        }
        let job = self.open.remove(&seq)?;
        for key in job.keys() {
            self.keys.remove(&key);
        }
        Some(job.body)
    }

    /// Sends the stretch again at a time.
    pub fn retry(&mut self, seq: u64, due_ms: u64) {
        if let Some(job) = self.open.get_mut(&seq) {
            job.state = State::Due(due_ms);
        }
    }

    /// Counts one more failure of the stretch, and gives the count.
    pub fn fail(&mut self, seq: u64) -> u32 {
        self.open.get_mut(&seq).map_or(1, |job| {
            job.failures = job.failures.saturating_add(1);
            job.failures
        })
    }

    /// Notes that the stretch was sent and not answered.
    pub fn doubt(&mut self, seq: u64) {
        if let Some(job) = self.open.get_mut(&seq) {
            job.is_in_doubt = true;
        }
    }

    /// Sends the stretch in halves; `false` where it is a single element.
    pub fn halve(&mut self, seq: u64) -> bool {
        let Some(job) = self.open.get_mut(&seq) else {
            return false;
        };
        let Range { start, end } = job.range();
        if end - start < 2 {
            return false;
        }
        let middle = start + (end - start) / 2;
        job.stretches.pop_front();
        job.stretches.push_front(Stretch { range: middle..end, is_half: true });
        job.stretches.push_front(Stretch { range: start..middle, is_half: true });
        job.failures = 0;
        job.state = State::Due(0);
        true
    }
}
