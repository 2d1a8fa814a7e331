//! What of the bodies is settled, what is in doubt, and what is still to be sent.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{
    Error,
    ranges::RangeSet,
    record::{IntentEntry, RequestCountsDef, RowFailureDef},
};
use crate::model::{Intent, RequestCounts, RowFailure, Settled, Settlement};

/// The state that a checkpoint's records add up to.
///
/// Its memory is bounded by the bodies beyond [`Progress::mark`] and the failed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Every body with a lower ordinal is settled in full.
    pub mark: u64,
    /// Elements that the server took in.
    pub delivered: u64,
    /// Rows that the server refused or that were left in doubt on request, in the order in which
    /// that was settled.
    pub failed: Vec<FailedRow>,
    /// The requests of all runs so far, as last noted.
    #[serde(with = "RequestCountsDef")]
    pub requests: RequestCounts,
    /// Bodies beyond the mark of which anything is settled or in doubt.
    bodies: BTreeMap<u64, BodyProgress>,
}

/// A row that the server refused, or that was left in doubt on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRow {
    /// The body's ordinal.
    pub body: u64,
    /// Which of its elements, by index.
    pub element: u32,
    /// Where the row stands, and why it failed.
    #[serde(with = "RowFailureDef")]
    pub failure: RowFailure,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct BodyProgress {
    /// Elements in the whole body.
    of: u32,
    /// Delivered or failed elements.
    settled: RangeSet,
    /// Intents without an answer, as they were written.
    in_doubt: Vec<IntentEntry>,
}

impl Progress {
    /// What of a body of `elements` elements is still to be sent; empty where it is
    /// settled. Stretches in doubt are included.
    pub fn pending(&self, seq: u64, elements: u32) -> Vec<Range<u32>> {
        if seq < self.mark {
            return Vec::new();
        }
        match self.bodies.get(&seq) {
            Some(body) => body.settled.gaps(&(0..elements)).collect(),
            None => Vec::from_iter((elements > 0).then_some(0..elements)),
        }
    }

    /// Whether an element was delivered or failed.
    pub fn is_settled(&self, seq: u64, element: u32) -> bool {
        let covers = |body: &BodyProgress| body.settled.covers(&(element..element + 1));
        seq < self.mark || self.bodies.get(&seq).is_some_and(covers)
    }

    /// Stretches that may have reached the server and have no answer, by body: after a crash only
    /// these can be sent twice. No element is in two of them, or settled. Where a part was answered,
    /// the checkpoint may not know the row at which the rest begins or ends; then the row is that of
    /// the stretch as it was sent, which encloses it.
    pub fn in_doubt(&self) -> impl Iterator<Item = Intent> {
        self.bodies.values().flat_map(BodyProgress::doubts)
    }

    /// Those of one body.
    pub fn in_doubt_of(&self, seq: u64) -> Vec<Intent> {
        self.bodies.get(&seq).map(BodyProgress::doubts).unwrap_or_default()
    }

    /// Refuses a stretch that can't belong to its body.
    ///
    /// # Errors
    /// [`Error::Misfit`].
    pub(super) fn check(&self, seq: u64, range: &Range<u32>, elements: u32) -> Result<(), Error> {
        let known = self.bodies.get(&seq).map_or(elements, |body| body.of);
        if range.start < range.end && range.end <= elements && elements == known {
            Ok(())
        } else {
            let (start, end) = (range.start, range.end);
            Err(Error::Misfit { body: seq, start, end, elements: known })
        }
    }

    /// Notes that a stretch may leave. What is settled already is not in doubt.
    pub(super) fn intend(&mut self, intent: Intent) {
        if intent.seq < self.mark {
            return;
        }
        let body = self.body(intent.seq, intent.elements);
        let known = body.in_doubt.iter().any(|entry| entry.0.range == intent.range);
        if !known && !body.settled.covers(&intent.range) {
            body.in_doubt.push(IntentEntry(intent));
        }
    }

    /// Notes what became of a stretch. An element counts once, as it was settled first.
    pub(super) fn settle(&mut self, settlement: Settlement) {
        let Settlement { seq, range, elements, settled } = settlement;
        if seq < self.mark {
            return;
        }
        let body = self.body(seq, elements);
        match settled {
            Settled::NotTaken => body
                .in_doubt
                .retain(|entry| entry.0.range.start < range.start || range.end < entry.0.range.end),
            Settled::Delivered { .. } => {
                let new = body.settle(&range);
                self.delivered += u64::from(new);
            }
            Settled::Failed(failure) => {
                if body.settle(&range) > 0 {
                    self.failed.push(FailedRow { body: seq, element: range.start, failure });
                }
            }
        }
        self.tidy(seq);
    }

    fn body(&mut self, seq: u64, elements: u32) -> &mut BodyProgress {
        self.bodies
            .entry(seq)
            .or_insert_with(|| BodyProgress { of: elements, ..BodyProgress::default() })
    }

    /// Forgets a body that says nothing, and moves the mark over settled ones.
    fn tidy(&mut self, seq: u64) {
        if self.bodies.get(&seq).is_some_and(BodyProgress::is_blank) {
            self.bodies.remove(&seq);
        }
        while let Some(first) = self.bodies.first_entry()
            && *first.key() == self.mark
            && first.get().is_settled()
        {
            first.remove();
            self.mark += 1;
        }
    }
}

impl BodyProgress {
    /// Marks a range as settled; says how many of its elements were not.
    fn settle(&mut self, range: &Range<u32>) -> u32 {
        let new = self.settled.insert(range);
        self.in_doubt.retain(|entry| !self.settled.covers(&entry.0.range));
        new
    }

    /// What is in doubt, in order. A stretch and its halves are intents of their own, of which an
    /// earlier one may still be without an answer when parts of it have one.
    fn doubts(&self) -> Vec<Intent> {
        let mut intents: Vec<_> = self.in_doubt.iter().map(|entry| &entry.0).collect();
        intents.sort_by_key(|intent| (intent.range.start, intent.range.end));
        // Those that overlap are one.
        let mut sent: Vec<Range<u32>> = Vec::new();
        for Intent { range, .. } in &intents {
            match sent.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => sent.push(range.clone()),
            }
        }
        let unsettled = sent.iter().flat_map(|range| self.settled.gaps(range));
        let doubts = unsettled.filter_map(|range| {
            let Range { start, end } = range;
            // The tightest around it knows most of its rows.
            let first = intents.iter().rfind(|one| one.range.contains(&start))?;
            let around_end = intents.iter().filter(|one| one.range.contains(&(end - 1)));
            let last = around_end.min_by_key(|one| one.range.end)?;
            Some(Intent { range, last: last.last, ..Intent::clone(first) })
        });
        doubts.collect()
    }

    fn is_settled(&self) -> bool {
        self.settled.covers(&(0..self.of))
    }

    fn is_blank(&self) -> bool {
        self.settled.is_empty() && self.in_doubt.is_empty()
    }
}
