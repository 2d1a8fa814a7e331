//! A block of rows after checking: the JSON of the good ones, and the rejects.

use std::sync::Arc;

use super::{Position, Problem, RowPrint, Rows, Tally};

/// One block of rows, checked and encoded, in file order.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// The elements' JSON, each with a comma behind it: of each its head, if it has one, then
    /// the rest. See [`Element`].
    pub json: Vec<u8>,
    /// The accepted rows.
    pub elements: Vec<Element>,
    /// The rejected rows, damaged stretches left out: those are in the rows.
    pub rejects: Vec<Reject>,
    /// What the accepted rows are remembered by, where that is asked for: one for each, in order.
    pub prints: Vec<RowPrint>,
    /// Hashes of whom rejected rows are about, as far as they say it and it is asked for.
    pub rejected_ids: Vec<u128>,
    /// Hashes of the events' names in the accepted rows, each once, in their order.
    pub names: Vec<u64>,
    /// Users with a large share of the accepted rows, in the order of their first one.
    pub frequent: Vec<Frequent>,
    /// Problems found, damage included.
    pub tally: Tally,
    /// The source rows.
    pub rows: Arc<Rows>,
}

impl Shaped {
    /// Rows read: sound ones and damaged stretches.
    pub fn rows_read(&self) -> u64 {
        (self.rows.len() + self.rows.damage().len()) as u64
    }

    /// Bytes in memory, about, with those of the source rows.
    pub fn memory_bytes(&self) -> u64 {
        let problems = self.rejects.iter().map(|reject| reject.problems.capacity());
        let bytes = self.json.capacity()
            + self.elements.capacity() * size_of::<Element>()
            + self.prints.capacity() * size_of::<RowPrint>()
            + self.rejects.capacity() * size_of::<Reject>()
            + problems.sum::<usize>() * size_of::<Problem>();
        bytes as u64 + self.rows.memory_bytes()
    }

    /// Rows that will not be sent.
    pub fn rows_rejected(&self) -> u64 {
        (self.rejects.len() + self.rows.damage().len()) as u64
    }
}

/// One accepted row, as JSON.
///
/// An event is written as the head of its element, `{"type":"event",…,"actions":[`, and
/// its action. Actions that follow each other under the same head share one element; the
/// packer closes it. A user or a device is whole, without a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Length of its head in bytes; 0 = it has none.
    pub head: u32,
    /// Length in bytes of what follows: the action, or the whole element.
    pub len: u32,
    /// Index of the row in its block.
    pub row: u32,
    /// Users it counts as against the rate limit.
    pub users: u32,
    /// Events it counts as against the rate limit.
    pub events: u32,
    /// Hash of the user or device that must be updated in file order; `None` for events.
    pub key: Option<u64>,
}

/// A user with a large share of a block's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequent {
    /// Hash of what identifies the user.
    pub user: u64,
    /// Accepted rows of the user.
    pub count: u32,
    /// The first of them, by index in the block.
    pub row: u32,
}

/// One rejected row.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Where it stands.
    pub position: Position,
    /// Index of the row in its block.
    pub row: u32,
    /// All that is wrong with it; the first is a reason to reject, warnings may follow.
    pub problems: Vec<Problem>,
}
