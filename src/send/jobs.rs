//! The bodies that are not settled yet, and which stretch of which may go next.
//!
//! One stretch of a body is under way at a time, in order, and a body that holds a user of another
//! one is not sent before that is settled: so updates of a user arrive in the order of the file,
//! retries and halves included. Bodies that share no user with those that wait pass them.

use std::collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use bytes::Bytes;

use crate::model::{Body, Intent};
use crate::wire::envelope;

use super::Work;

/// Open bodies beyond the connections, at most: they wait for a retry, or for another body, and hold
/// no connection.
const WAITING_MAX: usize = 64;

/// How far a body may be ahead of the first open one. Those in between are settled one by one, and
/// each is remembered until the first is too: by the checkpoint, and by whoever reads it.
const AHEAD_MAX: u64 = 16_384;

/// Bodies that are kept ready, or wait, beside those under way on so many connections.
pub(super) fn waiting_max(connections: usize) -> usize {
    connections.min(WAITING_MAX) + 2
}

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
    /// Open bodies from before that hold a user of this one.
    behind: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Stretch {
    range: Range<u32>,
    /// It comes from halving for [`Halving::Isolates`].
    is_half: bool,
    /// An earlier run sent some of it and has no answer.
    is_of_before: bool,
}

/// Why a stretch is sent in halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halving {
    /// Some row in it is refused.
    Isolates,
    /// It counts more than the limit allows in one window.
    Fits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
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
            .map(|range| {
                let overlaps = |sent: &Range<u32>| sent.start < range.end && range.start < sent.end;
                let is_of_before = in_doubt.iter().any(overlaps);
                Stretch { range, is_half: false, is_of_before }
            })
            .collect();
        let is_done = stretches.is_empty();
        (!is_done).then_some(Self {
            body,
            stretches,
            failures: 0,
            is_in_doubt: !in_doubt.is_empty(),
            state: State::New,
            behind: Vec::new(),
        })
    }

    /// The stretch to send, or under way.
    pub fn range(&self) -> Range<u32> {
        self.stretches.front().map_or(0..0, |stretch| stretch.range.clone())
    }

    pub fn is_half(&self) -> bool {
        self.stretches.front().is_some_and(|stretch| stretch.is_half)
    }

    /// Whether the stretch was sent before: its failures tell, or an earlier run.
    pub fn is_again(&self) -> bool {
        let is_of_before = self.stretches.front().is_some_and(|stretch| stretch.is_of_before);
        self.failures > 0 || is_of_before
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

/// All open bodies.
#[derive(Debug)]
pub(super) struct Jobs {
    open: BTreeMap<u64, Job>,
    /// The last open body that holds a user.
    holders: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    /// The ordinal of the body that came last.
    newest: Option<u64>,
    open_max: usize,
}

/// Hashes what is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Jobs {
    pub fn new(connections: usize) -> Self {
        let open_max = connections + waiting_max(connections);
        Self { open: BTreeMap::new(), holders: HashMap::default(), newest: None, open_max }
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the next body should be fetched.
    pub fn wants_work(&self) -> bool {
        self.open.len() < self.open_max && !self.is_far_ahead() && self.next_new().is_none()
    }

    /// Whether the next body would be too far ahead of the first open one.
    fn is_far_ahead(&self) -> bool {
        let ends = self.open.first_key_value().zip(self.newest);
        ends.is_some_and(|((first, _), newest)| newest - first >= AHEAD_MAX)
    }

    /// Takes the next body; one with nothing left to send is dropped.
    pub fn offer(&mut self, work: Work) {
        let Some(mut job) = Job::new(work) else {
            return;
        };
        let seq = job.body.seq;
        self.newest = Some(seq);
        for key in job.body.parts.iter().filter_map(|part| part.key) {
            // Whoever holds the user last waits for those who did before.
            if let Some(before) = self.holders.insert(key, seq)
                && before != seq
                && !job.behind.contains(&before)
            {
                job.behind.push(before);
            }
        }
        self.open.insert(seq, job);
    }

    pub fn get(&self, seq: u64) -> Option<&Job> {
        self.open.get(&seq)
    }

    /// The jobs that may go next, the one that should first: those that are due again, in the
    /// order of the file, else the first new body that waits for no other.
    /// For a probe, the one that failed least is first, so that no body keeps the others from
    /// trying.
    pub fn candidates(&self, now_ms: u64, is_probe: bool) -> Vec<&Job> {
        let is_due = |job: &&Job| matches!(job.state, State::Due(due_ms) if due_ms <= now_ms);
        let mut due: Vec<_> = self.open.values().filter(is_due).collect();
        if due.is_empty() {
            return self.next_new().into_iter().collect();
        }
        if is_probe {
            due.sort_by_key(|job| job.failures);
        }
        due
    }

    fn next_new(&self) -> Option<&Job> {
        self.open.values().find(|job| job.state == State::New && job.behind.is_empty())
    }

    /// When the next retry is due, where all of them wait.
    pub fn next_due_ms(&self) -> Option<u64> {
        let due = self.open.values().filter_map(|job| match job.state {
            State::Due(due_ms) => Some(due_ms),
            State::New | State::InFlight => None,
        });
        due.min()
    }

    /// Marks a candidate as under way, and gives it.
    pub fn launch(&mut self, seq: u64) -> Option<&Job> {
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
            if let Entry::Occupied(holder) = self.holders.entry(key)
                && *holder.get() == seq
            {
                holder.remove();
            }
        }
        self.open.values_mut().for_each(|other| other.behind.retain(|&before| before != seq));
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
    pub fn halve(&mut self, seq: u64, why: Halving) -> bool {
        let Some(job) = self.open.get_mut(&seq) else {
            return false;
        };
        let Range { start, end } = job.range();
        if end - start < 2 {
            return false;
        }
        let middle = start + (end - start) / 2;
        let is_half = why == Halving::Isolates || job.is_half();
        job.stretches.pop_front();
        job.stretches.push_front(Stretch { range: middle..end, is_half, is_of_before: false });
        job.stretches.push_front(Stretch { range: start..middle, is_half, is_of_before: false });
        job.failures = 0;
        job.state = State::Due(0);
        true
    }
}

#[cfg(test)]
mod tests;
