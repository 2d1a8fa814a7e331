//! NDJSON files: one JSON object a line, a row each.
//!
//! - `line` reads one line, and says what keeps it from being an object;
//! - `columns` finds the keys of a file, which are its columns;
//! - `stretch` cuts a file at line ends and scans the stretches, on any thread.
//!
//! A line end can stand in no JSON string, so a cut at one is right whatever the lines hold, and
//! what is no object is one damaged line and no more. Values are told apart here and stay as they
//! stand; what they mean is not known here.

use std::{io, sync::Arc};

use crate::model::Code;
use crate::source::CheckedFile;

mod columns;
mod line;
mod stretch;

use columns::Columns;
pub use columns::{Column, KEY_BYTES_MAX, KEYS_MAX};
pub use stretch::{Next, Reader, Scanned, Settled, Stretch};

/// Why an NDJSON file can't be read at all. The caller adds the path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// Nothing but blank lines.
    #[error("is empty: there is no row; check the export")]
    Empty,
    /// Not one line is an object, so there are no columns.
    #[error(
        "no line is a JSON object (line {line}: {code}: {detail}); NDJSON has one object on each line: \
         `jq -c '.[]'` makes it of an array, `jq -c .` of objects over several lines"
    )]
    NoObject {
        /// The first line that is none, from 1.
        line: u64,
        /// The rule that it breaks.
        code: Code,
        /// What was found.
        detail: String,
    },
    /// The first line is the start of a value that later lines go on with.
    #[error(
        "line {line} opens {what} and nothing else; NDJSON has one object on each line: `jq -c '.[]'` \
         makes it of an array, `jq -c .` of objects over several lines"
    )]
    Spread {
        /// That line, from 1.
        line: u64,
        /// What it opens.
        what: &'static str,
    },
    /// More keys than columns are kept for.
    #[error(
        "line {line}: the objects up to here have more than {KEYS_MAX} different keys, or {KEY_BYTES_MAX} \
         bytes of them; name the columns that are meant with --mapping"
    )]
    TooManyKeys {
        /// The line that has the key too many, from 1.
        line: u64,
    },
}

/// An NDJSON file whose columns are known.
#[derive(Clone, Debug)]
pub struct NdjsonFile {
    file: CheckedFile,
    index: u32,
    line_bytes_max: usize,
    columns: Arc<Columns>,
}

impl NdjsonFile {
    /// Opens a file, whose place among the inputs is `index`, and finds its columns: the keys of
    /// the objects on all lines, in the order in which they first stand there. Where `names` are
    /// given, no more is read than it takes to find these.
    ///
    /// # Errors
    /// The file can't be read, has no object, or too many keys.
    pub fn open(
        file: CheckedFile,
        index: u32,
        line_bytes_max: usize,
        names: Option<&[String]>,
    ) -> Result<Self, Error> {
        let columns = columns::find(&file, line_bytes_max, names)?;
        Ok(Self { file, index, line_bytes_max, columns: Arc::new(columns) })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        self.columns.all()
    }

    /// What the columns take in memory, about, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.columns.memory_bytes()
    }

    /// Reads the file from its start. `wanted` are the indices of the columns whose values are
    /// kept.
    pub fn reader(&self, wanted: &[usize]) -> Reader {
        Reader::new(&self.file, self.index, self.line_bytes_max, &self.columns, wanted)
    }
}
