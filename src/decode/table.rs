//! One input as a table, whichever its format: its columns, and its rows for any number of
//! threads.

use std::{ops::Range, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{
    arrow_ipc::{self, ArrowFile, BatchRows},
    csv::{self, CsvReader, Dialect, Splitter, Transcoder},
    ndjson::{self, NdjsonFile},
    parquet::{self, GroupRows, PagePool, ParquetFile},
};
use crate::model::{JsonRows, LinePlace, Position, Rows, TextEncoding, TextRows};
use crate::source::{CheckedFile, CheckedReader, Fingerprint, Format, Place};

/// Why an input cannot be read. The path is left to whoever knows it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file as such.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A CSV file.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// An NDJSON file.
    #[error(transparent)]
    Ndjson(#[from] ndjson::Error),
    /// A Parquet file.
    #[error(transparent)]
    Parquet(#[from] parquet::Error),
    /// An Arrow file.
    #[error(transparent)]
    Arrow(#[from] arrow_ipc::Error),
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
    /// The type that the file declares; `None` where each value has its own, or none.
    pub data_type: Option<DataType>,
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
    /// One JSON object a line.
    Ndjson(NdjsonFile),
    /// Parquet.
    Parquet(ParquetFile),
    /// Arrow IPC, a file or a stream.
    Arrow(ArrowFile),
}

impl Table {
    /// Opens an input and reads its header or schema; of CSV the dialect first, as far as
    /// it is not given; of NDJSON the keys of all lines, or of as many as have the `mapped` columns,
    /// where a mapping names them. With a fingerprint, reading stops where the file no longer holds
    /// what was fingerprinted.
    ///
    /// # Errors
    /// It cannot be read, or has no usable header.
    pub fn open(
        place: impl Into<Place>,
        index: u32,
        format: Format,
        given: &csv::Given<'_>,
        mapped: Option<&[String]>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, Error> {
        let file = CheckedFile::open(place, fingerprint)?;
        match format {
            Format::Csv { .. } => {
                let encoding = csv::find_encoding(&file.read_at(0, 4)?, given.encoding)?;
                let found = csv::find_dialect(Transcoder::new(file.reader(), encoding), given)?;
                let dialect = Dialect { encoding, ..found };
                let header = csv_reader(&file, index, &dialect)?.header().to_vec();
                Ok(Self::Csv { file, index, dialect, header })
            }
            Format::Ndjson => {
                let line_bytes_max = given.dialect.record_bytes_max;
                Ok(Self::Ndjson(NdjsonFile::open(file, index, line_bytes_max, mapped)?))
            }
            Format::Parquet => Ok(Self::Parquet(ParquetFile::open(file, index)?)),
            Format::Arrow => Ok(Self::Arrow(ArrowFile::open(file, index)?)),
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
                    data_type: None,
                })
                .collect(),
            Self::Ndjson(file) => file
                .columns()
                .iter()
                .map(|column| Column {
                    name: column.name.clone(),
                    refusal: None,
                    // Of each value by itself.
                    float: false,
                    nested: column.is_nested(),
                    plain_lists: column.is_plain_lists(),
                    data_type: None,
                })
                .collect(),
            Self::Parquet(file) => file.columns().iter().map(Column::of_typed).collect(),
            Self::Arrow(file) => file.columns().iter().map(Column::of_typed).collect(),
        }
    }

    /// What it keeps in memory as long as it is open, about, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Csv { .. } => 0,
            Self::Ndjson(file) => file.memory_bytes(),
            Self::Parquet(file) => file.metadata_bytes(),
            Self::Arrow(file) => file.metadata_bytes(),
        }
    }

    /// What the file's text is encoded in; that of other formats than CSV is UTF-8.
    pub fn encoding(&self) -> TextEncoding {
        match self {
            Self::Csv { dialect, .. } => dialect.encoding,
            Self::Ndjson(_) | Self::Parquet(_) | Self::Arrow(_) => TextEncoding::Utf8,
        }
    }

    /// The header of delimited text as it stands in the decoded file, and its line; `None` where
    /// there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn header_record(&self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        match self {
            Self::Csv { file, dialect, .. } if dialect.header => {
                Ok(Some(csv::header_record(file, dialect)?))
            }
            Self::Csv { .. } | Self::Ndjson(_) | Self::Parquet(_) | Self::Arrow(_) => Ok(None),
        }
    }

    /// The row of delimited text that stands at a position, read again, from a place before it where
    /// one is known. `None` where it can't be found.
    ///
    /// # Errors
    /// The file cannot be read, or has changed.
    pub fn record_at(
        &self,
        at: Position,
        near: Option<LinePlace>,
    ) -> Result<Option<TextRows>, Error> {
        match self {
            Self::Csv { file, dialect, header, .. } => {
                Ok(csv::record_at(file, dialect, header, at, near)?)
            }
            Self::Ndjson(_) | Self::Parquet(_) | Self::Arrow(_) => Ok(None),
        }
    }

    /// Reads the data rows of a range (from 1). `wanted` are the indices of the columns to decode;
    /// a CSV record is split as a whole.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read<'a>(
        &'a self,
        rows: Range<u64>,
        wanted: &'a [usize],
    ) -> Result<TableReader<'a>, Error> {
        let source = match self {
            Self::Csv { file, index, dialect, .. } => {
                Source::Csv(Box::new(Splitter::open(file, *index, dialect)?))
            }
            Self::Ndjson(file) => Source::Ndjson(Box::new(file.reader(wanted))),
            Self::Parquet(file) => {
                let pool = PagePool::default();
                Source::Parquet { file, wanted, group: 0, batches: None, pool }
            }
            Self::Arrow(file) => {
                let range = rows.start.saturating_sub(1)..rows.end.saturating_sub(1);
                Source::Arrow { file, batches: Box::new(file.read(wanted, range)) }
            }
        };
        Ok(TableReader { source, rows })
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

impl Column {
    fn of_typed(column: &parquet::Column) -> Self {
        Self {
            name: column.name.clone(),
            refusal: column.refusal.clone(),
            float: column.data_type.is_floating(),
            nested: is_nested(&column.data_type),
            plain_lists: is_plain_list(&column.data_type),
            data_type: Some(column.data_type.clone()),
        }
    }
}

/// Whether values of a type are lists, structs or maps.
fn is_nested(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_nested(values),
        data_type => data_type.is_nested(),
    }
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

/// The schema of the batches that [`Table::read`] makes of a file with these columns.
pub fn batch_schema(columns: &[parquet::Column], wanted: &[usize]) -> SchemaRef {
    let wanted = columns.iter().filter(|column| wanted.contains(&column.index));
    let field = |column: &parquet::Column| Field::new(&column.name, column.data_type.clone(), true);
    Arc::new(Schema::new(wanted.map(field).collect::<Vec<_>>()))
}

/// The rows of one input, given out in file order.
///
/// It is meant to stand behind a lock: [`TableReader::next_piece`] does what can only be done in order,
/// and leaves what it can to [`Cut::scan`], outside of the lock.
pub struct TableReader<'a> {
    source: Source<'a>,
    /// The data rows that are wanted, from 1.
    rows: Range<u64>,
}

enum Source<'a> {
    Csv(Box<Splitter>),
    Ndjson(Box<ndjson::Reader>),
    Parquet {
        file: &'a ParquetFile,
        wanted: &'a [usize],
        /// The next row group.
        group: usize,
        batches: Option<Box<GroupRows>>,
        pool: PagePool,
    },
    Arrow {
        file: &'a ArrowFile,
        batches: Box<BatchRows>,
    },
}

/// What a [`TableReader`] has next.
pub enum Next {
    /// Rows.
    Rows(Rows),
    /// A stretch to scan, and to settle then.
    Cut(Cut),
    /// Nothing, until a cut that was given out is settled.
    Wait,
    /// Nothing more.
    End,
}

/// A stretch of a file, for any thread.
pub enum Cut {
    /// Of CSV.
    Csv(Box<csv::Cut>),
    /// Of NDJSON.
    Ndjson(Box<ndjson::Stretch>),
}

/// A scanned [`Cut`].
pub enum Scanned {
    /// Of CSV.
    Csv(Box<csv::Scanned>),
    /// Of NDJSON.
    Ndjson(Box<ndjson::Scanned>),
}

impl Cut {
    /// Reads its rows.
    pub fn scan(self) -> Scanned {
        match self {
            Self::Csv(cut) => Scanned::Csv(Box::new(cut.scan())),
            Self::Ndjson(stretch) => Scanned::Ndjson(Box::new(stretch.scan())),
        }
    }
}

/// What became of a scanned cut.
pub enum Settled {
    /// Its rows.
    Rows(Rows),
    /// None of it is wanted, or it is given out once more.
    Nothing,
    /// Cuts before it are to be settled first.
    NotYet(Scanned),
}

impl TableReader<'_> {
    /// The rows of a range of a CSV file, for tests with small cuts.
    #[cfg(test)]
    pub(super) fn of_csv(splitter: Splitter, rows: Range<u64>) -> Self {
        Self { source: Source::Csv(Box::new(splitter)), rows }
    }

    /// What comes next.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_piece(&mut self) -> Result<Next, Error> {
        match &mut self.source {
            Source::Csv(splitter) => loop {
                match splitter.next_piece()? {
                    csv::Next::Rows(rows) => {
                        if let Some(rows) = wanted_of(rows, &self.rows, splitter) {
                            return Ok(Next::Rows(rows));
                        }
                    }
                    csv::Next::Cut(cut) => return Ok(Next::Cut(Cut::Csv(cut))),
                    csv::Next::Wait => return Ok(Next::Wait),
                    csv::Next::End => return Ok(Next::End),
                }
            },
            Source::Ndjson(reader) => loop {
                match reader.next_piece()? {
                    ndjson::Next::Rows(rows) => {
                        if let Some(rows) = wanted_lines(rows, &self.rows, reader) {
                            return Ok(Next::Rows(rows));
                        }
                    }
                    ndjson::Next::Stretch(stretch) => return Ok(Next::Cut(Cut::Ndjson(stretch))),
                    ndjson::Next::Wait => return Ok(Next::Wait),
                    ndjson::Next::End => return Ok(Next::End),
                }
            },
            Source::Parquet { file, wanted, group, batches, pool } => loop {
                if let Some(rows) = batches.as_mut().and_then(Iterator::next) {
                    return Ok(Next::Rows(Rows::Arrow(rows?)));
                }
                *batches = None;
                if *group == file.row_groups() {
                    return Ok(Next::End);
                }
                let first = file.first_row(*group);
                let from = self.rows.start.max(first);
                let end = self.rows.end.min(first + file.row_group_rows(*group));
                if from < end {
                    *batches = Some(Box::new(file.read_group(
                        *group,
                        wanted,
                        from - first..end - first,
                        pool,
                    )?));
                }
                *group += 1;
            },
            Source::Arrow { batches, .. } => match batches.next().transpose()? {
                Some(rows) => Ok(Next::Rows(Rows::Arrow(rows))),
                None => Ok(Next::End),
            },
        }
    }

    /// Whether rows are decoded by whoever asks for them, and none are cut.
    pub fn is_decoded(&self) -> bool {
        matches!(self.source, Source::Parquet { .. } | Source::Arrow { .. })
    }

    /// Takes a scanned cut, if it is its turn.
    pub fn settle(&mut self, scanned: Scanned) -> Settled {
        match (&mut self.source, scanned) {
            (Source::Csv(splitter), Scanned::Csv(scanned)) => match splitter.settle(scanned) {
                csv::Settled::Rows(rows) => {
                    wanted_of(rows, &self.rows, splitter).map_or(Settled::Nothing, Settled::Rows)
                }
                csv::Settled::Void => Settled::Nothing,
                csv::Settled::NotYet(scanned) => Settled::NotYet(Scanned::Csv(scanned)),
            },
            (Source::Ndjson(reader), Scanned::Ndjson(scanned)) => match reader.settle(scanned) {
                ndjson::Settled::Rows(rows) => {
                    wanted_lines(rows, &self.rows, reader).map_or(Settled::Nothing, Settled::Rows)
                }
                ndjson::Settled::Void => Settled::Nothing,
                ndjson::Settled::NotYet(scanned) => Settled::NotYet(Scanned::Ndjson(scanned)),
            },
            // One of an earlier file.
            _ => Settled::Nothing,
        }
    }

    /// The next rows, for one thread alone; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_rows(&mut self) -> Result<Option<Rows>, Error> {
        loop {
            match self.next_piece()? {
                Next::Rows(rows) => return Ok(Some(rows)),
                Next::Cut(cut) => {
                    if let Settled::Rows(rows) = self.settle(cut.scan()) {
                        return Ok(Some(rows));
                    }
                }
                Next::Wait | Next::End => return Ok(None),
            }
        }
    }

    /// Takes back the memory of rows that are done with.
    pub fn recycle(&mut self, rows: TextRows) {
        if let Source::Csv(splitter) = &mut self.source {
            splitter.recycle(rows);
        }
    }

    /// Data rows passed so far, wanted or not; all of the file's at its end, where the range did not
    /// end before.
    pub fn rows_read(&self) -> u64 {
        match &self.source {
            Source::Csv(splitter) => splitter.rows_read(),
            Source::Ndjson(reader) => reader.rows_read(),
            Source::Parquet { file, .. } => file.rows(),
            Source::Arrow { file, .. } => file.rows(),
        }
    }
}

/// Those of a block's rows that are in a range; behind it, nothing more is read.
fn wanted_of(mut rows: TextRows, wanted: &Range<u64>, splitter: &mut Splitter) -> Option<Rows> {
    if rows.last_row().is_some_and(|last| last + 1 >= wanted.end) {
        splitter.end();
    }
    rows.keep_rows(wanted);
    if rows.records.is_empty() && rows.damage.is_empty() {
        splitter.recycle(rows);
        return None;
    }
    Some(Rows::Text(rows))
}

/// The same of lines of JSON.
fn wanted_lines(
    mut rows: JsonRows,
    wanted: &Range<u64>,
    reader: &mut ndjson::Reader,
) -> Option<Rows> {
    if rows.last_row().is_some_and(|last| last + 1 >= wanted.end) {
        reader.end();
    }
    rows.keep_rows(wanted);
    let is_empty = rows.records.is_empty() && rows.damage.is_empty();
    (!is_empty).then_some(Rows::Json(rows))
}
