//! A ledger in memory; outlives the runs like a journal does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::model::{Body, Intent, RequestCounts, RowFailure, Settled, Settlement};
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

#[derive(Default)]
pub(super) struct Book {
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
    fn intend(&mut self, intents: &[Intent]) -> Result<(), LedgerError> {
        if self.is_broken {
            return Err("disk full".into());
        }
        for intent in intents {
            self.notes.push(Note::Intend(intent.seq, intent.range.clone()));
            for at in intent.range.clone().map(|index| (intent.seq, index)) {
                assert!(!self.is_settled(at), "{at:?} is settled and sent again");
                if !self.in_doubt.insert(at) {
                    self.unanswered.insert(at);
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, settlements: &[Settlement]) -> Result<(), LedgerError> {
        for Settlement { seq, range, settled, .. } in settlements {
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
        Ok(())
    }

    fn requests(&mut self, counts: &RequestCounts) {
        self.requests = *counts;
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
            let in_doubt = body.whole().any(|index| self.in_doubt.contains(&(body.seq, index)));
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
