//! A ledger in memory; outlives the runs like a journal does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use fastrand::Rng;

use crate::model::{Body, Intent, RequestCounts, RowFailure, Settled, Settlement, Turn};
use crate::send::clock::Clock;
use crate::send::{Ledger, LedgerError, SendProgress, Waiting, Work};

/// An element: its body and its index there.
pub(super) type At = (u64, u32);

/// What the ledger was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Intend(u64, Range<u32>),
    Settle(u64, Range<u32>, Settled),
    Wait(Waiting),
}

/// A disk that takes its time. Less than the budget's headroom in all: deadlines are from before.
pub(super) struct Disk {
    pub clock: Clock,
    pub rng: Rng,
}

impl Disk {
    /// Until a turn is on the disk, and then until that is known.
    fn times_ms(&mut self) -> (u64, u64) {
        (self.rng.u64(0..40), self.rng.u64(0..40))
    }
}

#[derive(Default)]
pub(super) struct Book {
    /// At once, where there is none.
    pub disk: Option<Disk>,
    pub delivered: BTreeSet<At>,
    pub failed: BTreeMap<At, RowFailure>,
    pub in_doubt: BTreeSet<At>,
    /// Intended again with no word of the time before.
    pub unanswered: BTreeSet<At>,
    pub requests: RequestCounts,
    pub progress: SendProgress,
    pub notes: Vec<Note>,
    pub in_flight_max: usize,
    pub is_broken: bool,
    pub last_wait: Option<Waiting>,
}

impl Ledger for Book {
    async fn turn(&mut self, turn: Turn) -> Result<(), LedgerError> {
        if self.is_broken {
            return Err("disk full".into());
        }
        // A crash meanwhile finds the turn on the disk or not, and nobody was told of it.
        let (first_ms, then_ms) = self.disk.as_mut().map_or((0, 0), Disk::times_ms);
        self.sleep(first_ms).await;
        turn.settlements.iter().for_each(|settlement| self.settle(settlement));
        self.requests = turn.requests.unwrap_or(self.requests);
        turn.intents.iter().for_each(|intent| self.intend(intent));
        self.sleep(then_ms).await;
        Ok(())
    }

    fn progress(&mut self, progress: &SendProgress) {
        if self.last_wait != progress.waiting {
            self.last_wait = progress.waiting;
            self.notes.extend(progress.waiting.map(Note::Wait));
        }
        self.in_flight_max = self.in_flight_max.max(progress.in_flight);
        self.progress = progress.clone();
    }
}

impl Book {
    fn settle(&mut self, Settlement { seq, range, settled, .. }: &Settlement) {
        self.notes.push(Note::Settle(*seq, range.clone(), settled.clone()));
        for at in range.clone().map(|index| (*seq, index)) {
            assert!(self.in_doubt.remove(&at), "{at:?} was not intended");
            match settled {
                Settled::Delivered { .. } => assert!(self.delivered.insert(at)),
                Settled::Failed(failure) => {
                    assert!(self.failed.insert(at, failure.clone()).is_none());
                }
                Settled::NotTaken => {
                    assert!(!self.unanswered.contains(&at), "{at:?} may have been taken in");
                }
            }
        }
    }

    fn intend(&mut self, Intent { seq, range, .. }: &Intent) {
        self.notes.push(Note::Intend(*seq, range.clone()));
        for at in range.clone().map(|index| (*seq, index)) {
            assert!(!self.is_settled(at), "{at:?} is settled and sent again");
            if !self.in_doubt.insert(at) {
                self.unanswered.insert(at);
            }
        }
    }

    async fn sleep(&self, ms: u64) {
        if let Some(disk) = self.disk.as_ref().filter(|_| ms > 0) {
            disk.clock.sleep_until(disk.clock.now_ms() + ms).await;
        }
    }

    fn is_settled(&self, at: At) -> bool {
        self.delivered.contains(&at) || self.failed.contains_key(&at)
    }

    /// What a resume would send of these bodies.
    pub fn pending(&self, bodies: &[Body]) -> Vec<Work> {
        let work = bodies.iter().map(|body| {
            let mut pending: Vec<Range<u32>> = vec![];
            for index in body.whole().filter(|&index| !self.is_settled((body.seq, index))) {
                match pending.last_mut() {
                    Some(last) if last.end == index => last.end += 1,
                    _ => pending.push(index..index + 1),
                }
            }
            let in_doubt = body.whole().filter(|index| self.in_doubt.contains(&(body.seq, *index)));
            let in_doubt = in_doubt.map(|index| index..index + 1).collect();
            Work { body: body.clone(), pending, in_doubt }
        });
        work.collect()
    }

    /// All that was waited for.
    pub fn waits(&self) -> impl Iterator<Item = Waiting> {
        self.notes.iter().filter_map(|note| match note {
            Note::Wait(wait) => Some(*wait),
            _ => None,
        })
    }
}
