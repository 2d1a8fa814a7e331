//! Rows that an earlier run sent without an answer: sent again, or left out on request.

use super::{Error, InDoubt};
use crate::journal::{Journal, Progress};
use crate::model::{Body, RowFailure, Settled, Settlement, Turn};

/// Finds the rows in doubt while the bodies pass by.
pub struct Doubt {
    earlier: Progress,
    what: InDoubt,
    rows: u64,
    /// Where they are to be left out: how each is settled.
    settlements: Vec<Settlement>,
}

impl Doubt {
    /// What an earlier run left.
    pub fn new(earlier: Option<&Journal>, what: InDoubt) -> Self {
        let earlier = earlier.map(|journal| journal.snapshot().progress.clone());
        Self { earlier: earlier.unwrap_or_default(), what, rows: 0, settlements: Vec::new() }
    }

    /// Looks at a body.
    pub fn note(&mut self, body: &Body) {
        let elements = body.whole().end;
        for index in self.earlier.in_doubt_of(body.seq).into_iter().flat_map(|intent| intent.range)
        {
            self.rows += 1;
            if self.what == InDoubt::Skip {
                let failure = RowFailure::in_doubt(body.parts[index as usize].position);
                self.settlements.push(Settlement {
                    seq: body.seq,
                    range: index..index + 1,
                    elements,
                    settled: Settled::Failed(failure),
                });
            }
        }
    }

    /// Rows in doubt.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes down that they are left out, if they are.
    ///
    /// # Errors
    /// The checkpoint cannot be written.
    pub fn settle(self, journal: &mut Journal) -> Result<(), Error> {
        Ok(journal.turn(Turn { settlements: self.settlements, ..Turn::default() })?)
    }
}
