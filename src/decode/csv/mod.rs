//! The strict CSV reader: records with exact rows and lines, and what is no record.
//!
//! - `reader` streams blocks of records and damage, in file order;
//! - `grammar` reads one record at the start of a slice (RFC 4180, with LF or CRLF);
//! - `split` gives the rows out to any number of threads, and `cut` guesses where they can go on;
//! - `scan` takes sound records as fast as bits allow, and leaves the others to the reader;
//! - `resync` weighs where records go on after broken quoting;
//! - `block` and `held` build a block and take back its last rows where what follows
//!   shows that they were pieces of a damaged record;
//! - `input` is the bounded window on the bytes, `raw` what is kept of damage;
//! - `transcode` makes UTF-8 of a stream in another encoding, before the reader;
//! - `places` finds a record again by its line, and where in it cells and faults lie;
//! - `detect` tells encoding, delimiter and quote of a file from its start.
//!
//! Must not know what a column means. Every byte that is no header, blank line or line
//! end lies in exactly one record or one [`Damage`](crate::model::Damage).

mod block;
mod cut;
mod detect;
mod grammar;
mod held;
mod input;
mod places;
mod raw;
mod reader;
mod resync;
mod scan;
mod split;
mod transcode;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_detect;
#[cfg(test)]
mod tests_generated;
#[cfg(test)]
mod tests_split;

use crate::model::{Code, TextEncoding};

pub use cut::{Cut, Scanned};
pub use detect::{Given, delimiter_name, dialect as find_dialect, encoding as find_encoding};
pub use places::{RecordPlace, cells, fault_in, header_record, record_at};
pub use reader::CsvReader;
pub use split::{Next, Settled, Splitter};
pub use transcode::Transcoder;

/// The largest [`Dialect::record_bytes_max`]: offsets in a block are 32 bits wide, and a
/// block may hold a held-back stretch of one maximum beside a record of another.
const RECORD_BYTES_LIMIT: usize = 1 << 30;

/// How a CSV file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What the text is decoded from; the reader itself takes UTF-8, as a [`Transcoder`]
    /// makes it. Offsets and [`Dialect::record_bytes_max`] count UTF-8.
    pub encoding: TextEncoding,
    /// Separates fields.
    pub delimiter: u8,
    /// Encloses fields that hold delimiters, line ends or quotes; `None`: no field is quoted.
    pub quote: Option<u8>,
    /// Makes the byte after it literal, inside quotes and outside; `None`: only the
    /// doubled quote escapes.
    pub escape: Option<u8>,
    /// Whether the first record names the columns.
    pub header: bool,
    /// Physical lines to pass over before the header.
    pub skip_lines: u64,
    /// Take quotes inside unquoted fields, and text after a closing quote, literally.
    pub lenient_quotes: bool,
    /// The longest record in bytes, its line end not counted. It bounds memory, and how
    /// much an unclosed quote can swallow.
    pub record_bytes_max: usize,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            encoding: TextEncoding::Utf8,
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            header: true,
            skip_lines: 0,
            lenient_quotes: false,
            record_bytes_max: 1_048_576,
        }
    }
}

impl Dialect {
    /// Whether the bytes can be told apart and the maximum can be kept.
    ///
    /// # Errors
    /// Which flag to change, and why.
    pub fn check(&self) -> Result<(), String> {
        let set = [
            ("--delimiter", Some(self.delimiter)),
            ("--quote", self.quote),
            ("--escape", self.escape),
        ];
        for (index, &(flag, byte)) in set.iter().enumerate() {
            let Some(byte) = byte else { continue };
            if !byte.is_ascii() || matches!(byte, b'\r' | b'\n' | 0) {
                return Err(format!("{flag}: give one ASCII character, and no line end or NUL"));
            }
            if let Some((other, _)) = set[..index].iter().find(|(_, seen)| *seen == Some(byte)) {
                return Err(format!("{other} and {flag} are the same character; change one"));
            }
        }
        if !(1..=RECORD_BYTES_LIMIT).contains(&self.record_bytes_max) {
            return Err(format!("--max-record-bytes: give 1 to {RECORD_BYTES_LIMIT}"));
        }
        Ok(())
    }
}

/// Why a CSV file can't be read at all. The caller adds the path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// The dialect contradicts itself.
    #[error("{0}")]
    Dialect(String),
    /// Nothing but a byte order mark, skipped lines and blank lines.
    #[error("is empty: there is no header and no row; check the export, and --skip-lines")]
    Empty,
    /// A byte order mark of another encoding.
    #[error("is {encoding}, not UTF-8; save it as UTF-8")]
    NotUtf8 {
        /// The encoding that the mark stands for.
        encoding: &'static str,
    },
    /// A byte order mark that contradicts the flag.
    #[error(
        "begins with the byte order mark of {found}, and --encoding says {given}; leave the flag out"
    )]
    Mark {
        /// The encoding that the mark stands for.
        found: &'static str,
        /// The encoding that was given.
        given: &'static str,
    },
    /// Two delimiters fit all of the first records.
    #[error(
        "reads as {columns} columns with the delimiter `{one}` and as {other_columns} with `{other}`; \
         say which it is with --delimiter"
    )]
    TwoDelimiters {
        /// One of them.
        one: String,
        /// Columns with it.
        columns: usize,
        /// Another.
        other: String,
        /// Columns with that.
        other_columns: usize,
    },
    /// A CR alone in the header, or in the first record where there is none, outside of quotes: all of
    /// the file would be that one record.
    #[error(
        "line {line}: byte {byte} of the {of} is a CR with no LF behind it, and lines end with LF or CRLF; \
         where CR alone ends them, as in files of old Macs, convert the file with \
         `tr '\\r' '\\n' < OLD > NEW`"
    )]
    BareCr {
        /// The line on which the record starts, from 1.
        line: u64,
        /// What it is: `header` or `first record`.
        of: &'static str,
        /// The CR, from 1.
        byte: usize,
        /// The record up to there.
        place: Box<RecordPlace>,
    },
    /// The header (without one: the first record) is no sound record, so that no row can
    /// be checked against it.
    #[error("line {line}: the header is damaged ({}): {detail}; {}", code.as_str(), code.help())]
    HeaderDamaged {
        /// The line on which it starts, from 1.
        line: u64,
        /// The rule that it breaks.
        code: Code,
        /// What was found.
        detail: String,
        /// Where in the header.
        place: Box<RecordPlace>,
    },
    /// Two columns of one name.
    #[error(
        "line {line}: columns {first} and {second} are both named `{name}`; rename one of them"
    )]
    DuplicateName {
        /// The header's line, from 1.
        line: u64,
        /// The name.
        name: String,
        /// The first column of that name, from 1.
        first: usize,
        /// The second, from 1.
        second: usize,
        /// The second, and the first.
        place: Box<RecordPlace>,
    },
    /// A column without a name.
    #[error("line {line}: column {column} has no name; name it, or remove the column")]
    EmptyName {
        /// The header's line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The column.
        place: Box<RecordPlace>,
    },
}

impl Error {
    /// The line and the places in it that the error is about, where it is about some.
    pub fn place(&self) -> Option<(u64, &RecordPlace)> {
        match self {
            Self::BareCr { line, place, .. }
            | Self::HeaderDamaged { line, place, .. }
            | Self::DuplicateName { line, place, .. }
            | Self::EmptyName { line, place, .. } => Some((*line, place)),
            Self::Io(_)
            | Self::Dialect(_)
            | Self::Empty
            | Self::NotUtf8 { .. }
            | Self::Mark { .. }
            | Self::TwoDelimiters { .. } => None,
        }
    }
}
