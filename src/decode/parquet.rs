//! Parquet files: the columns, the row groups, and the rows of one row group.
//!
//! The `parquet` crate decodes; this adds what it leaves open: one answer for every
//! way in which a file can be broken (panics inside the crate included), counts that
//! are checked before they are believed, and the position of every row.

use std::{
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    basic::{Compression, Type as PhysicalType},
    errors::ParquetError,
    file::{
        metadata::{
            ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
            ParquetStatisticsPolicy,
        },
        reader::ChunkReader,
    },
    schema::types::SchemaDescriptor,
};

use crate::model::ArrowRows;

mod error;
mod footer;

pub use error::Error;
use error::{panic_words, words};

/// Most rows in one batch. A batch is one task's work: enough rows to spread the cost
/// of a task over, few enough that a batch of 1 KB rows stays near 4 MB.
pub const BATCH_ROWS_MAX: usize = 4_096;

/// A top-level column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The Arrow type of its values, as [`ParquetFile::read_group`] gives them.
    pub data_type: DataType,
    /// Its place among the top-level columns, from 0.
    pub index: usize,
    /// Why it can't be read for now, as the end of a sentence about the column.
    pub refusal: Option<String>,
}

/// An open Parquet file, its footer parsed once. A clone shares all of it, and
/// any number of threads may read row groups at once.
#[derive(Clone)]
pub struct ParquetFile(Arc<Inner>);

struct Inner {
    file: u32,
    bytes: u64,
    columns: Vec<Column>,
    /// The first row of every row group, from 0, and the end of the last.
    bounds: Vec<u64>,
    metadata: ArrowReaderMetadata,
    start: Box<Start>,
}

/// Starts a reader on a stretch; hides the type that the bytes come from.
type Start = dyn Fn(ArrowReaderMetadata, Stretch) -> Result<ParquetRecordBatchReader, ParquetError>
    + Send
    + Sync;

/// What to decode of one row group.
struct Stretch {
    row_group: usize,
    projection: ProjectionMask,
    /// Rows to leave out at the start, and rows to read after them.
    skip: usize,
    take: usize,
}

impl ParquetFile {
    /// Opens a file by its footer. `file` is its index among the inputs.
    ///
    /// Reads of `read` and its clones must not disturb one another. A
    /// [`std::fs::File`] fails that, since its handles share one seek position, and is
    /// kept out by the bound; [`bytes::Bytes`] and positioned reads are fine.
    ///
    /// # Errors
    /// Not a Parquet file, cut short, encrypted, or a footer that can't be read.
    pub fn open<R: ChunkReader + Clone + 'static>(read: R, file: u32) -> Result<Self, Error> {
        footer::check(&read)?;
        let metadata = catch_unwind(AssertUnwindSafe(|| load(&read)))
            .unwrap_or_else(|panic| Err(ParquetError::General(panic_words(panic.as_ref()))))
            .map_err(|error| Error::Footer { what: words(error) })?;
        let bounds = bounds(metadata.metadata())?;
        let fields = metadata.schema().fields();
        let columns = fields.iter().enumerate().map(|(index, field)| Column {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            index,
            refusal: refusal(field.data_type()).map(str::to_owned),
        });
        let columns: Vec<_> = columns.collect();
        if columns.len() != roots(metadata.parquet_schema()) {
            return Err(Error::Footer { what: "a top-level group has no columns".to_owned() });
        }
        let bytes = read.len();
        let start = Box::new(move |metadata, stretch: Stretch| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(read.clone(), metadata)
                .with_row_groups(vec![stretch.row_group])
                .with_projection(stretch.projection)
                .with_batch_size(BATCH_ROWS_MAX)
                .with_offset(stretch.skip)
                .with_limit(stretch.take)
                .build()
        });
        Ok(Self(Arc::new(Inner { file, bytes, columns, bounds, metadata, start })))
    }

    /// The top-level columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.0.columns
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.0.bounds.last().copied().unwrap_or(0)
    }

    /// Row groups in the file.
    pub fn row_groups(&self) -> usize {
        self.0.bounds.len() - 1
    }

    /// Rows in a row group, which must be one of the file's.
    pub fn row_group_rows(&self, group: usize) -> u64 {
        self.0.bounds[group + 1] - self.0.bounds[group]
    }

    /// Data row in the file, from 1, of the first row of a row group, which must be one
    /// of the file's.
    pub fn first_row(&self, group: usize) -> u64 {
        self.0.bounds[group] + 1
    }

    /// Reads rows of one row group: those of `rows`, counted from 0 inside the group and
    /// cut to its end, in batches of at most [`BATCH_ROWS_MAX`], in order.
    ///
    /// Only the top-level columns in `columns` are decoded. They stand in the batches in
    /// the order of the schema, each once; an index beyond the schema is ignored. With
    /// none the batches still have their rows.
    ///
    /// # Errors
    /// The group is none of the file's, a column lies outside of the file or in another
    /// one, its codec is not supported, or decoding can't start. A damaged page is an
    /// item of the iterator, and its last.
    pub fn read_group(
        &self,
        group: usize,
        columns: &[usize],
        rows: Range<u64>,
    ) -> Result<GroupRows, Error> {
        let broken = |what| Error::Broken { row_group: group, what };
        let inner = &*self.0;
        if group >= self.row_groups() {
            return Err(broken(format!("the file has {} row groups", self.row_groups())));
        }
        let end = rows.end.min(self.row_group_rows(group));
        let start = rows.start.min(end);
        let first = self.first_row(group);
        let mut batches = GroupRows {
            file: inner.file,
            row_group: group,
            next_row: first + start,
            end_row: first + end,
            reader: None,
        };
        if start == end {
            return Ok(batches);
        }

        let schema = inner.metadata.parquet_schema();
        let chunks = inner.metadata.metadata().row_group(group).columns();
        for (leaf, chunk) in chunks.iter().enumerate() {
            if columns.contains(&schema.get_column_root_idx(leaf)) {
                check_chunk(chunk, group, inner.bytes)?;
            }
        }
        let known = columns.iter().copied().filter(|&column| column < inner.columns.len());
        let count = |rows| usize::try_from(rows).map_err(|_| broken("too many rows".to_owned()));
        let stretch = Stretch {
            row_group: group,
            projection: ProjectionMask::roots(schema, known),
            skip: count(start)?,
            take: count(end - start)?,
        };
        let reader =
            catch_unwind(AssertUnwindSafe(|| (inner.start)(inner.metadata.clone(), stretch)))
                .map_err(|panic| broken(panic_words(panic.as_ref())))?
                .map_err(|error| broken(words(error)))?;
        batches.reader = Some(reader);
        Ok(batches)
    }
}

impl fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetFile")
            .field("file", &self.0.file)
            .field("columns", &self.0.columns)
            .field("rows", &self.rows())
            .field("row_groups", &self.row_groups())
            .finish()
    }
}

/// The batches of one row group; ends after the first error.
pub struct GroupRows {
    file: u32,
    row_group: usize,
    /// Data row in the file, from 1, of the next batch.
    next_row: u64,
    /// The one after the last.
    end_row: u64,
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for GroupRows {
    type Item = Result<ArrowRows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next_row == self.end_row {
            // Dropped here, not with the iterator: it holds decoded pages.
            self.reader = None;
        }
        let reader = self.reader.as_mut()?;
        let next = match catch_unwind(AssertUnwindSafe(|| reader.next())) {
            Ok(Some(Ok(batch))) => Ok(batch),
            Ok(Some(Err(error))) => Err(words(error)),
            Ok(None) => Err("it ends before its last row".to_owned()),
            Err(panic) => Err(panic_words(panic.as_ref())),
        };
        let left = self.end_row - self.next_row;
        let batch = next.and_then(|batch| match batch.num_rows() as u64 {
            rows if rows == 0 || rows > left => {
                Err(format!("a batch has {rows} rows where {left} are left"))
            }
            _ => Ok(batch),
        });
        Some(match batch {
            Ok(batch) => {
                let first_row = self.next_row;
                self.next_row += batch.num_rows() as u64;
                // `bounds` has checked that every row group's index fits.
                Ok(ArrowRows {
                    file: self.file,
                    row_group: self.row_group as u32,
                    first_row,
                    batch,
                })
            }
            Err(what) => {
                self.reader = None;
                Err(Error::Broken { row_group: self.row_group, what })
            }
        })
    }
}

/// Why a column of this type can't be read for now, as the end of a sentence about
/// the column; `None` where it can.
pub fn refusal(data_type: &DataType) -> Option<&'static str> {
    use DataType as T;
    match data_type {
        T::List(_) | T::LargeList(_) | T::ListView(_) | T::LargeListView(_) => {
            Some("holds lists, which are not supported yet; write them as text at the source")
        }
        T::FixedSizeList(..) => {
            Some("holds lists, which are not supported yet; write them as text at the source")
        }
        T::Struct(_) => {
            Some("holds structs, which are not supported yet; make each field a column of its own")
        }
        T::Map(..) => Some("holds maps, which are not supported yet; make each key a column"),
        T::Union(..) => Some("holds a union of types; give it one type at the source"),
        T::RunEndEncoded(..) => Some("is run-end encoded; write it as plain values"),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => {
            Some("holds bytes that are not marked as text; write it as a UTF-8 string column")
        }
        T::Dictionary(_, values) => refusal(values),
        _ => None,
    }
}

/// Parses the footer, and settles the Arrow type of every column.
fn load(read: &impl ChunkReader) -> Result<ArrowReaderMetadata, ParquetError> {
    // Statistics are never used here, and a wrong one must not make a file unreadable.
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .parse_and_finish(read)
        .map(Arc::new)?;
    // The Arrow schema that some writers embed is a hint. The Parquet schema stands
    // by itself where the two disagree.
    let plain = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let natural = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())
        .or_else(|_| ArrowReaderMetadata::try_new(metadata.clone(), plain()))?;

    let root_schema = natural.parquet_schema().root_schema();
    if natural.schema().fields().len() != root_schema.get_fields().len() {
        return Ok(natural);
    }
    let fields = natural.schema().fields().iter().zip(root_schema.get_fields());
    let fields: Vec<Field> = fields
        .map(|(field, parquet)| {
            let int96 =
                parquet.is_primitive() && parquet.get_physical_type() == PhysicalType::INT96;
            let data_type = match field.data_type() {
                // The crate wraps INT96 quietly at nanoseconds beyond the years 1677 to
                // 2262; at microseconds it has room for every year that can be written.
                DataType::Timestamp(TimeUnit::Nanosecond, zone) if int96 => {
                    DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
                }
                // Row groups may add up to more values than narrow keys can number.
                DataType::Dictionary(_, values) => values.as_ref().clone(),
                other => other.clone(),
            };
            field.as_ref().clone().with_data_type(data_type)
        })
        .collect();
    let schema = Schema::new_with_metadata(fields, natural.schema().metadata().clone());
    if schema == **natural.schema() {
        return Ok(natural);
    }
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(schema.into()))
}

fn roots(schema: &SchemaDescriptor) -> usize {
    schema.root_schema().get_fields().len()
}

/// The first row of every row group, from 0, and the end of the last.
fn bounds(metadata: &ParquetMetaData) -> Result<Vec<u64>, Error> {
    let footer = |what| Error::Footer { what };
    u32::try_from(metadata.num_row_groups())
        .map_err(|_| footer("it has more row groups than can be numbered".to_owned()))?;
    let mut bounds = vec![0];
    let mut rows = 0_i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let count = group.num_rows();
        rows = rows
            .checked_add(count)
            .filter(|_| count >= 0)
            .ok_or_else(|| footer(format!("row group {index} claims {count} rows")))?;
        bounds.push(rows as u64);
    }
    let claimed = metadata.file_metadata().num_rows();
    if claimed != rows {
        return Err(footer(format!("it claims {claimed} rows, its row groups have {rows}")));
    }
    Ok(bounds)
}

/// Refuses a column chunk that can't be decoded, before anything is allocated for it.
fn check_chunk(chunk: &ColumnChunkMetaData, row_group: usize, bytes: u64) -> Result<(), Error> {
    let column = chunk.column_path().string();
    let broken = |what| Error::Broken { row_group, what };
    if chunk.compression() == Compression::LZO {
        return Err(Error::Codec { column, codec: "LZO".to_owned() });
    }
    if chunk.file_path().is_some() {
        return Err(broken(format!("the values of column `{column}` are in another file")));
    }
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
    match end.and_then(|(start, length)| start.checked_add(length)) {
        Some(end) if end <= bytes && chunk.data_page_offset() >= 0 => Ok(()),
        _ => Err(broken(format!("column `{column}` lies outside of the file"))),
    }
}

#[cfg(test)]
mod tests;
