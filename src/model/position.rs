//! Where a row stands in the inputs.

/// Where a data row stands: file, row, and the place a person can jump to.
///
/// Orders as the import reads: by file, then by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Index of the input file, in the order of the import, from 0.
    pub file: u32,
    /// Data row in that file, from 1. A header and empty lines are not counted;
    /// a damaged stretch counts as one row.
    pub row: u64,
    /// The line, the row group or the record batch.
    pub place: Place,
}

/// The coarse place of a row: what an editor or a Parquet tool can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The line on which a CSV record starts or a JSON object stands, from 1, a header included.
    Line(u64),
    /// The row group of a Parquet file, from 0.
    RowGroup(u32),
    /// The record batch of an Arrow file, from 0.
    Batch(u32),
}

impl Place {
    /// The line, where the place is one.
    pub fn line(self) -> Option<u64> {
        match self {
            Self::Line(line) => Some(line),
            Self::RowGroup(_) | Self::Batch(_) => None,
        }
    }

    /// The row group, where the place is one.
    pub fn row_group(self) -> Option<u32> {
        match self {
            Self::Line(_) | Self::Batch(_) => None,
            Self::RowGroup(group) => Some(group),
        }
    }

    /// The record batch, where the place is one.
    pub fn batch(self) -> Option<u32> {
        match self {
            Self::Line(_) | Self::RowGroup(_) => None,
            Self::Batch(batch) => Some(batch),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::RowGroup(group) => write!(f, "row group {group}"),
            Self::Batch(batch) => write!(f, "record batch {batch}"),
        }
    }
}
