//! Blocks of source rows, as decoded: text cells or an Arrow batch.

use std::ops::Range;

use arrow::array::RecordBatch;

use super::{Code, Place, Position};

/// A block of consecutive source rows of one file. A block is what one thread works on at a time.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Records of a CSV file.
    Text(TextRows),
    /// Rows of a Parquet file.
    Arrow(ArrowRows),
}

impl Rows {
    /// Sound rows in the block (damaged stretches not counted).
    pub fn len(&self) -> usize {
        match self {
            Self::Text(rows) => rows.records.len(),
            Self::Arrow(rows) => rows.batch.num_rows(),
        }
    }

    /// Whether the block has no sound row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a sound row stands.
    pub fn position(&self, row: usize) -> Position {
        match self {
            Self::Text(rows) => Position {
                file: rows.file,
                row: rows.records[row].row,
                place: Place::Line(rows.records[row].line),
            },
            Self::Arrow(rows) => Position {
                file: rows.file,
                row: rows.first_row + row as u64,
                place: Place::RowGroup(rows.row_group),
            },
        }
    }

    /// Index of the input file.
    pub fn file(&self) -> u32 {
        match self {
            Self::Text(rows) => rows.file,
            Self::Arrow(rows) => rows.file,
        }
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Text(rows) => rows.memory_bytes(),
            Self::Arrow(rows) => rows.batch.get_array_memory_size() as u64,
        }
    }

    /// Damaged stretches between the sound rows, in file order.
    pub fn damage(&self) -> &[Damage] {
        match self {
            Self::Text(rows) => &rows.damage,
            Self::Arrow(_) => &[],
        }
    }
}

/// Records of a CSV file: every record is sound, is UTF-8, and has `columns` fields.
#[derive(Clone, Debug, Default)]
pub struct TextRows {
    /// Index of the input file.
    pub file: u32,
    /// The raw bytes of the records, as they stand in the file.
    pub bytes: Vec<u8>,
    /// Values of those fields whose escapes had to be resolved.
    pub unescaped: Vec<u8>,
    /// Fields in every record.
    pub columns: usize,
    /// `columns` fields a record, one record after the other.
    pub fields: Vec<Field>,
    /// The records.
    pub records: Vec<TextRecord>,
    /// What is no record, in file order.
    pub damage: Vec<Damage>,
}

/// Where the value of one field lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset of its first byte.
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
    /// In [`TextRows::unescaped`] rather than in [`TextRows::bytes`].
    pub unescaped: bool,
}

/// One sound record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRecord {
    /// Data row in the file, from 1.
    pub row: u64,
    /// Line on which it starts, from 1.
    pub line: u64,
    /// Its raw bytes in [`TextRows::bytes`], without the line end.
    pub raw: Range<u32>,
}

/// A stretch of a CSV file that is no sound record. It counts as one rejected row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it starts.
    pub position: Position,
    /// Which rule it breaks.
    pub code: Code,
    /// What was found and what was expected, for the message; never a value.
    pub detail: String,
    /// The raw bytes of the stretch, its last line end left out.
    pub raw: Vec<u8>,
}

impl TextRows {
    /// The value of a field, escapes resolved.
    pub fn cell(&self, record: usize, column: usize) -> &[u8] {
        let field = self.fields[record * self.columns + column];
        let from = if field.unescaped { &self.unescaped } else { &self.bytes };
        &from[field.start as usize..(field.start + field.len) as usize]
    }

    /// The record as it stands in the file, without the line end.
    pub fn raw(&self, record: usize) -> &[u8] {
        let raw = &self.records[record].raw;
        &self.bytes[raw.start as usize..raw.end as usize]
    }
}

impl TextRows {
    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let raw = self.damage.iter().map(|damage| size_of::<Damage>() + damage.raw.capacity());
        let bytes = self.bytes.capacity()
            + self.unescaped.capacity()
            + self.fields.capacity() * size_of::<Field>()
            + self.records.capacity() * size_of::<TextRecord>()
            + raw.sum::<usize>();
        bytes as u64
    }

    /// The last data row in the block, damaged stretches included.
    pub fn last_row(&self) -> Option<u64> {
        let record = self.records.last().map(|record| record.row);
        record.max(self.damage.last().map(|damage| damage.position.row))
    }

    /// Leaves only the data rows of a range, damaged stretches included.
    pub fn keep_rows(&mut self, rows: &Range<u64>) {
        let first = self.records.partition_point(|record| record.row < rows.start);
        let end = self.records.partition_point(|record| record.row < rows.end);
        self.records.truncate(end);
        self.records.drain(..first);
        self.fields.truncate(end * self.columns);
        self.fields.drain(..first * self.columns);
        self.damage.retain(|damage| rows.contains(&damage.position.row));
    }
}

/// Rows of a Parquet file.
#[derive(Clone, Debug)]
pub struct ArrowRows {
    /// Index of the input file.
    pub file: u32,
    /// Row group, from 0.
    pub row_group: u32,
    /// Data row of the batch's first row in the file, from 1.
    pub first_row: u64,
    /// The columns.
    pub batch: RecordBatch,
}
