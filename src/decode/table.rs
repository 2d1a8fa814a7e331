//! One input as a table, whichever its format: its columns, and its rows in tasks
//! that can be worked on in parallel.

use std::{ops::Range, path::Path, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{
    budget::Turn,
    csv::{self, CsvReader, Dialect, Transcoder},
    parquet::{self, ParquetFile},
};
use crate::model::{self, TextEncoding, TextRows};
use crate::source::{CheckedFile, CheckedReader, Fingerprint, Format};

/// Why an input cannot be read. The path is left to whoever knows it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file as such.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A CSV file.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A Parquet file.
    #[error(transparent)]
    Parquet(#[from] parquet::Error),
}

/// One column of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Why its values cannot be read, as a clause; `None` where they can.
    pub refusal: Option<String>,
    /// Whether its values are floating-point numbers.
    pub float: bool,
    /// Whether its values are lists, structs or maps.
    pub nested: bool,
    /// Whether they are lists, with no struct or map in them.
    pub plain_lists: bool,
}

/// An opened input. It can be read any number of times.
#[derive(Debug)]
pub enum Table {
    /// Delimited text.
    Csv {
        /// The file.
        file: CheckedFile,
        /// Index of the file in the import.
        index: u32,
        /// Its dialect.
        dialect: Dialect,
        /// Names of its columns.
        header: Vec<String>,
    },
    /// Parquet.
    Parquet(ParquetFile),
}

/// A stretch of rows that one task decodes.
#[derive(Debug)]
pub enum Task {
    /// Records that are split already.
    Text(TextRows),
    /// Rows of a row group, counted within it from 0.
    Group {
        /// The row group.
        group: usize,
        /// The rows.
        rows: Range<u64>,
    },
}

/// How much of a block of text is in memory while it is worked on: itself, and its rows as
/// JSON, with room to grow.
const TEXT_COPIES: u64 = 4;

/// What any block of text counts as: few rows may have long names.
const TEXT_BYTES_MIN: u64 = 3 << 20;

impl Task {
    /// Bytes that it and what is made of it take, about, where that is known beforehand.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Text(rows) => TEXT_BYTES_MIN.max(TEXT_COPIES * rows.memory_bytes()),
            Self::Group { .. } => 0,
        }
    }
}

/// Decoded blocks of one task, in order.
pub type Rows = Box<dyn Iterator<Item = Result<model::Rows, Error>>>;

impl Table {
    /// Opens an input and reads its header or schema; of CSV the dialect first, as far as
    /// it is not given. With a fingerprint, reading stops where the file no longer holds
    /// what was fingerprinted.
    ///
    /// # Errors
    /// It cannot be read, or has no usable header.
    pub fn open(
        path: &Path,
        index: u32,
        format: Format,
        given: &csv::Given<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, Error> {
        let file = CheckedFile::open(path, fingerprint)?;
        match format {
            Format::Csv { .. } => {
                let encoding = csv::find_encoding(&file.read_at(0, 4)?, given.encoding)?;
                let found = csv::find_dialect(Transcoder::new(file.reader(), encoding), given)?;
                let dialect = Dialect { encoding, ..found };
                let header = csv_reader(&file, index, &dialect)?.header().to_vec();
                Ok(Self::Csv { file, index, dialect, header })
            }
            Format::Parquet => Ok(Self::Parquet(ParquetFile::open(file, index)?)),
        }
    }

    /// The columns, in file order.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Csv { header, .. } => header
                .iter()
                .map(|name| Column {
                    name: name.clone(),
                    refusal: None,
                    float: false,
                    nested: false,
                    plain_lists: false,
                })
                .collect(),
            Self::Parquet(file) => file
                .columns()
                .iter()
                .map(|column| Column {
                    name: column.name.clone(),
                    refusal: column.refusal.clone(),
                    float: column.data_type.is_floating(),
                    nested: column.data_type.is_nested(),
                    plain_lists: is_plain_list(&column.data_type),
                })
                .collect(),
        }
    }

    /// What it keeps in memory as long as it is open, about, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Csv { .. } => 0,
            Self::Parquet(file) => file.metadata_bytes(),
        }
    }

    /// What the file's text is encoded in; Parquet's is UTF-8.
    pub fn encoding(&self) -> TextEncoding {
        match self {
            Self::Csv { dialect, .. } => dialect.encoding,
            Self::Parquet(_) => TextEncoding::Utf8,
        }
    }

    /// The data rows of a range (from 1), cut into tasks in file order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tasks(&self, rows: Range<u64>) -> Result<Tasks<'_>, Error> {
        match self {
            Self::Csv { file, index, dialect, .. } => {
                let reader = csv_reader(file, *index, dialect)?;
                Ok(Tasks::Csv { reader: Box::new(reader), rows })
            }
            Self::Parquet(file) => Ok(Tasks::Parquet { file, group: 0, rows }),
        }
    }

    /// Decodes one task. `wanted` are the indices of the columns to decode; a CSV record
    /// is split as a whole. What decoding holds is charged to `turn`.
    ///
    /// # Errors
    /// The row group cannot be read.
    pub fn run(&self, task: Task, wanted: &[usize], turn: &Turn) -> Result<Rows, Error> {
        match (self, task) {
            (_, Task::Text(rows)) => Ok(Box::new(std::iter::once(Ok(model::Rows::Text(rows))))),
            (Self::Parquet(file), Task::Group { group, rows }) => {
                let batches = file.read_group(group, wanted, rows, turn)?;
                Ok(Box::new(batches.map(|batch| Ok(model::Rows::Arrow(batch?)))))
            }
            (Self::Csv { .. }, Task::Group { .. }) => Ok(Box::new(std::iter::empty())),
        }
    }
}

fn csv_reader(
    file: &CheckedFile,
    index: u32,
    dialect: &Dialect,
) -> Result<CsvReader<Transcoder<CheckedReader>>, csv::Error> {
    let text = Transcoder::new(file.reader(), dialect.encoding);
    CsvReader::open(text, index, dialect.clone())
}

/// Whether a type is that of lists without structs or maps in them.
fn is_plain_list(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            !item.data_type().is_nested() || is_plain_list(item.data_type())
        }
        _ => false,
    }
}

/// The schema of the batches that [`Table::run`] makes of a Parquet file.
pub fn batch_schema(file: &ParquetFile, wanted: &[usize]) -> SchemaRef {
    let wanted = file.columns().iter().filter(|column| wanted.contains(&column.index));
    let field = |column: &parquet::Column| Field::new(&column.name, column.data_type.clone(), true);
    Arc::new(Schema::new(wanted.map(field).collect::<Vec<_>>()))
}

/// The tasks of one input, in file order.
pub enum Tasks<'a> {
    /// Delimited text, split as it is read.
    Csv {
        /// The splitter.
        reader: Box<CsvReader<Transcoder<CheckedReader>>>,
        /// The data rows that are wanted, from 1.
        rows: Range<u64>,
    },
    /// Row groups.
    Parquet {
        /// The file.
        file: &'a ParquetFile,
        /// The next row group.
        group: usize,
        /// The data rows that are wanted, from 1.
        rows: Range<u64>,
    },
}

impl Tasks<'_> {
    /// The next task, or `None` at the end of the range.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_task(&mut self) -> Result<Option<Task>, Error> {
        match self {
            Self::Csv { reader, rows } => {
                while rows.start < rows.end
                    && let Some(mut block) = reader.next_block()?
                {
                    if block.last_row().is_some_and(|last| last + 1 >= rows.end) {
                        // Nothing behind this block is wanted.
                        let end = rows.end;
                        block.keep_rows(rows);
                        rows.start = end;
                    } else {
                        block.keep_rows(rows);
                    }
                    if !block.records.is_empty() || !block.damage.is_empty() {
                        return Ok(Some(Task::Text(block)));
                    }
                }
                Ok(None)
            }
            Self::Parquet { file, group, rows } => {
                while *group < file.row_groups() {
                    let at = *group;
                    *group += 1;
                    let first = file.first_row(at);
                    let from = rows.start.max(first);
                    let end = rows.end.min(first + file.row_group_rows(at));
                    if from < end {
                        return Ok(Some(Task::Group {
                            group: at,
                            rows: from - first..end - first,
                        }));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Data rows passed so far, wanted or not; all of the file's once there is no next task
    /// and the range did not end before.
    pub fn rows_read(&self) -> u64 {
        match self {
            Self::Csv { reader, .. } => reader.rows_read(),
            Self::Parquet { file, .. } => file.rows(),
        }
    }
}
