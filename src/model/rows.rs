//! Blocks of source rows, as decoded: text cells, members of JSON objects, or an Arrow batch.

use std::ops::Range;

use arrow::array::RecordBatch;

use super::{Code, Place, Position};

/// A block of consecutive source rows of one file. A block is what one thread works on at a time.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Records of a CSV file.
    Text(TextRows),
    /// Lines of an NDJSON file.
    Json(JsonRows),
    /// Rows of a Parquet or an Arrow file.
    Arrow(ArrowRows),
}

impl Rows {
    /// Sound rows in the block (damaged stretches not counted).
    pub fn len(&self) -> usize {
        match self {
            Self::Text(rows) => rows.records.len(),
            Self::Json(rows) => rows.records.len(),
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
            Self::Json(rows) => Position {
                file: rows.file,
                row: rows.records[row].row,
                place: Place::Line(rows.records[row].line),
            },
            Self::Arrow(rows) => {
                Position { file: rows.file, row: rows.first_row + row as u64, place: rows.place() }
            }
        }
    }

    /// Index of the input file.
    pub fn file(&self) -> u32 {
        match self {
            Self::Text(rows) => rows.file,
            Self::Json(rows) => rows.file,
            Self::Arrow(rows) => rows.file,
        }
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Text(rows) => rows.memory_bytes(),
            Self::Json(rows) => rows.memory_bytes(),
            Self::Arrow(rows) => rows.batch.get_array_memory_size() as u64,
        }
    }

    /// Damaged stretches between the sound rows, in file order.
    pub fn damage(&self) -> &[Damage] {
        match self {
            Self::Text(rows) => &rows.damage,
            Self::Json(rows) => &rows.damage,
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
    /// The place in the file before its first row, where it is known.
    pub start: Option<LinePlace>,
}

/// Where a line of a file begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinePlace {
    /// Offset in bytes.
    pub offset: u64,
    /// The line, from 1.
    pub line: u64,
}

/// Where the value of one field lies. There is one for every cell, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset of its first byte.
    pub start: u32,
    /// Its length in bytes, and whether it is one of [`TextRows::unescaped`].
    len: u32,
}

impl Field {
    /// No block has so many bytes.
    const UNESCAPED: u32 = 1 << 31;

    /// A field whose value stands in [`TextRows::bytes`].
    #[inline(always)]
    pub fn raw(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    /// A field whose value stands in [`TextRows::unescaped`].
    pub fn unescaped(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 | Self::UNESCAPED }
    }

    /// Length of its value in bytes.
    #[inline(always)]
    pub fn len(self) -> usize {
        (self.len & !Self::UNESCAPED) as usize
    }

    /// Whether its value is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether its value stands in [`TextRows::unescaped`] rather than in [`TextRows::bytes`].
    #[inline(always)]
    pub fn is_unescaped(self) -> bool {
        self.len & Self::UNESCAPED != 0
    }

    /// Leaves so many bytes out at the end of its value, which is that long.
    #[inline(always)]
    pub fn shorten(&mut self, bytes: usize) {
        self.len -= bytes as u32;
    }
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

/// A stretch of a text file that is no sound record. It counts as one rejected row.
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

/// What damage takes in memory, about, in bytes.
fn damage_bytes(damage: &[Damage]) -> usize {
    damage.iter().map(|damage| size_of::<Damage>() + damage.raw.capacity()).sum()
}

/// The last data row of a block whose last record is this one, damaged stretches included.
fn last_row(record: Option<u64>, damage: &[Damage]) -> Option<u64> {
    record.max(damage.last().map(|damage| damage.position.row))
}

impl TextRows {
    /// The value of a field, escapes resolved.
    pub fn cell(&self, record: usize, column: usize) -> &[u8] {
        let field = self.fields[record * self.columns + column];
        let from = if field.is_unescaped() { &self.unescaped } else { &self.bytes };
        &from[field.start as usize..][..field.len()]
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
        let bytes = self.bytes.capacity()
            + self.unescaped.capacity()
            + self.fields.capacity() * size_of::<Field>()
            + self.records.capacity() * size_of::<TextRecord>()
            + damage_bytes(&self.damage);
        bytes as u64
    }

    /// The last data row in the block, damaged stretches included.
    pub fn last_row(&self) -> Option<u64> {
        last_row(self.records.last().map(|record| record.row), &self.damage)
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

/// Lines of an NDJSON file: every one is one object, without a key twice. Of its members those are
/// here that are wanted; a key that is not there has no value.
#[derive(Clone, Debug, Default)]
pub struct JsonRows {
    /// Index of the input file.
    pub file: u32,
    /// The lines, as they stand in the file.
    pub bytes: Vec<u8>,
    /// Strings whose escapes had to be resolved.
    pub unescaped: Vec<u8>,
    /// The members of all objects, those of each in the order of the file's columns.
    pub members: Vec<JsonMember>,
    /// The objects.
    pub records: Vec<JsonRecord>,
    /// What is no object, in file order.
    pub damage: Vec<Damage>,
}

/// One line that is an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRecord {
    /// Data row in the file, from 1.
    pub row: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Its bytes in [`JsonRows::bytes`], without the line end.
    pub raw: Range<u32>,
    /// Its members in [`JsonRows::members`].
    pub members: Range<u32>,
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonMember {
    /// Index of its column among those of the file.
    pub column: u32,
    /// What its value is.
    pub kind: JsonKind,
    /// Where its value lies: of a string what is between the quotes, escapes resolved.
    pub value: Field,
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// A string.
    String,
    /// A string with half of a surrogate pair, which is no text; its value is left out.
    LoneSurrogate,
    /// A number, by its digits.
    Number,
    /// `true` or `false`
    Bool,
    /// An object or a list, as it stands.
    Nested,
}

impl JsonRows {
    /// The members of a row.
    pub fn members(&self, row: usize) -> &[JsonMember] {
        let Range { start, end } = self.records[row].members;
        &self.members[start as usize..end as usize]
    }

    /// The bytes of a member's value.
    pub fn value(&self, member: &JsonMember) -> &[u8] {
        let from = if member.value.is_unescaped() { &self.unescaped } else { &self.bytes };
        &from[member.value.start as usize..][..member.value.len()]
    }

    /// The line of a row as it stands in the file, without the line end.
    pub fn raw(&self, row: usize) -> &[u8] {
        let Range { start, end } = self.records[row].raw;
        &self.bytes[start as usize..end as usize]
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let bytes = self.bytes.capacity()
            + self.unescaped.capacity()
            + self.members.capacity() * size_of::<JsonMember>()
            + self.records.capacity() * size_of::<JsonRecord>()
            + damage_bytes(&self.damage);
        bytes as u64
    }

    /// The last data row in the block, damaged lines included.
    pub fn last_row(&self) -> Option<u64> {
        last_row(self.records.last().map(|record| record.row), &self.damage)
    }

    /// Leaves only the data rows of a range, damaged lines included.
    pub fn keep_rows(&mut self, rows: &Range<u64>) {
        self.records.retain(|record| rows.contains(&record.row));
        self.damage.retain(|damage| rows.contains(&damage.position.row));
    }
}

/// Rows of a Parquet or an Arrow file.
#[derive(Clone, Debug)]
pub struct ArrowRows {
    /// Index of the input file.
    pub file: u32,
    /// The row group of a Parquet file, or the record batch of an Arrow file, from 0.
    pub row_group: u32,
    /// Whether the file is an Arrow file.
    pub is_batch: bool,
    /// Data row of the batch's first row in the file, from 1.
    pub first_row: u64,
    /// The columns.
    pub batch: RecordBatch,
}

impl ArrowRows {
    /// The place of its rows.
    pub fn place(&self) -> Place {
        match self.is_batch {
            true => Place::Batch(self.row_group),
            false => Place::RowGroup(self.row_group),
        }
    }
}
