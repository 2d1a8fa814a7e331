//! A block of rows being built.

use super::scan::Last;
use crate::model::{Damage, TextRecord, TextRows};

/// A block in the making, and how full it is.
#[derive(Default)]
pub(super) struct Block {
    pub(super) rows: TextRows,
    /// What it holds, in raw bytes and overhead.
    filled: usize,
    /// The least that a record counts as: as JSON it has the names of its columns.
    record_bytes_min: usize,
}

/// How many times longer a block is as JSON than it counts, where names are long.
const NAMES_SHARE: usize = 4;

/// The least that a record of these columns counts as.
pub(super) fn record_bytes_min(header: &[String]) -> usize {
    header.iter().map(String::len).sum::<usize>() / NAMES_SHARE
}

/// A place between two rows of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    bytes: usize,
    unescaped: usize,
    fields: usize,
    records: usize,
    damage: usize,
    filled: usize,
}

impl Block {
    pub(super) fn new(file: u32, header: &[String]) -> Self {
        let rows = TextRows { file, columns: header.len(), ..TextRows::default() };
        Self { rows, filled: 0, record_bytes_min: record_bytes_min(header) }
    }

    /// The place behind the last row.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            bytes: self.rows.bytes.len(),
            unescaped: self.rows.unescaped.len(),
            fields: self.rows.fields.len(),
            records: self.rows.records.len(),
            damage: self.rows.damage.len(),
            filled: self.filled,
        }
    }

    /// Takes back everything behind a place.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.rows.bytes.truncate(mark.bytes);
        self.rows.unescaped.truncate(mark.unescaped);
        self.rows.fields.truncate(mark.fields);
        self.rows.records.truncate(mark.records);
        self.rows.damage.truncate(mark.damage);
        self.filled = mark.filled;
    }

    /// Adds the record whose fields are in the block already.
    pub(super) fn push_record(&mut self, row: u64, line: u64, raw: &[u8]) {
        let start = self.rows.bytes.len() as u32;
        self.rows.bytes.extend_from_slice(raw);
        let raw = start..self.rows.bytes.len() as u32;
        self.filled += raw.len().max(self.record_bytes_min) + size_of::<TextRecord>();
        self.rows.records.push(TextRecord { row, line, raw });
    }

    /// Adds the bytes of records whose fields and bounds are in the block already, the place
    /// before them being `before`; gives the place before the last of them.
    pub(super) fn extend(&mut self, before: Mark, raw: &[u8], records: u64, last: Last) -> Mark {
        self.rows.bytes.extend_from_slice(raw);
        let added = &self.rows.records[before.records..];
        let counted = |record: &TextRecord| record.raw.len().max(self.record_bytes_min);
        let bytes: usize = added.iter().map(counted).sum();
        self.filled += bytes + records as usize * size_of::<TextRecord>();
        Mark {
            bytes: before.bytes + last.start,
            unescaped: last.unescaped,
            fields: last.fields,
            records: self.rows.records.len() - 1,
            damage: self.rows.damage.len(),
            filled: self.filled - last.bytes.max(self.record_bytes_min) - size_of::<TextRecord>(),
        }
    }

    pub(super) fn push_damage(&mut self, damage: Damage) {
        self.filled += damage.raw.len() + size_of::<Damage>();
        self.rows.damage.push(damage);
    }

    /// Moves everything behind a place to a new block.
    pub(super) fn split_off(&mut self, mark: Mark) -> Self {
        let mut rows = TextRows {
            file: self.rows.file,
            columns: self.rows.columns,
            // The next block will be about as large as this one.
            bytes: Vec::with_capacity(self.rows.bytes.capacity()),
            unescaped: self.rows.unescaped.split_off(mark.unescaped),
            fields: Vec::with_capacity(self.rows.fields.capacity()),
            records: Vec::with_capacity(self.rows.records.capacity()),
            damage: self.rows.damage.split_off(mark.damage),
            start: None,
        };
        rows.bytes.extend(self.rows.bytes.drain(mark.bytes..));
        rows.fields.extend(self.rows.fields.drain(mark.fields..).map(|mut field| {
            field.start -= if field.is_unescaped() { mark.unescaped } else { mark.bytes } as u32;
            field
        }));
        rows.records.extend(self.rows.records.drain(mark.records..).map(|mut record| {
            record.raw.start -= mark.bytes as u32;
            record.raw.end -= mark.bytes as u32;
            record
        }));
        let filled = self.filled - mark.filled;
        self.filled = mark.filled;
        Self { rows, filled, record_bytes_min: self.record_bytes_min }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.records.is_empty() && self.rows.damage.is_empty()
    }
}

impl Mark {
    /// How much stands before the place, in raw bytes and overhead.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// The same place, counted from an earlier one.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            unescaped: self.unescaped - earlier.unescaped,
            fields: self.fields - earlier.fields,
            records: self.records - earlier.records,
            damage: self.damage - earlier.damage,
            filled: self.filled - earlier.filled,
        }
    }
}
