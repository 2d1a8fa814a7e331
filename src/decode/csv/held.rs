//! The last rows of a block, held back because they may be pieces of a damaged record.

use std::collections::VecDeque;

use super::block::Mark;

/// How many rows are held back at most. It bounds memory where line after line has the
/// wrong field count; few cells have more lines.
const HELD_ROWS_MAX: usize = 16_384;

/// The last row with the right field count, and the rows after it: a record that has
/// lost the opening quote of a multi-line cell reads as such rows, and only where the
/// closing quote is reached do they show what they are.
#[derive(Default)]
pub(super) struct HeldRows {
    rows: VecDeque<Held>,
}

/// A row with sound bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The place in the block before it.
    pub(super) mark: Mark,
    /// Offset of its first byte in the stream.
    pub(super) start: u64,
    pub(super) row: u64,
    pub(super) line: u64,
    pub(super) fields: usize,
}

impl HeldRows {
    /// Holds a row that ends at `end`, and lets go of those that it settles: rows before
    /// one with the right field count, and rows too far back to be of one record.
    pub(super) fn push(&mut self, row: Held, end: u64, columns: usize, record_bytes_max: usize) {
        if row.fields == columns {
            self.rows.clear();
        }
        self.rows.push_back(row);
        while self.rows.len() > HELD_ROWS_MAX
            || self.rows.front().is_some_and(|row| end - row.start > record_bytes_max as u64)
        {
            self.rows.pop_front();
        }
    }

    /// The row that heads the record ending at `end`, where `fields_after` fields follow
    /// the cell that has lost its quote. The nearest one, so that little is lost; a row with
    /// the right count can only match where no field follows, and then no other row can.
    pub(super) fn head(
        &self,
        fields_after: usize,
        end: u64,
        columns: usize,
        record_bytes_max: usize,
    ) -> Option<Held> {
        let fits = |row: &&Held| {
            row.fields + fields_after == columns && end - row.start <= record_bytes_max as u64
        };
        self.rows.iter().rev().find(fits).copied()
    }

    /// The first held row.
    pub(super) fn first(&self) -> Option<&Held> {
        self.rows.front()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Lets go of all rows: what follows can't belong to them.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Counts the places from a new block's start.
    pub(super) fn rebase(&mut self, mark: &Mark) {
        for row in &mut self.rows {
            row.mark = row.mark.since(mark);
        }
    }
}
