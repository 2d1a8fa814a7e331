//! Parquet files: the columns, the row groups, and the rows of one row group.
//!
//! The `parquet` crate decodes; this adds what it leaves open: one answer for every
//! way in which a file can be broken (panics inside the crate included), counts that
//! are checked before they are believed, and the position of every row.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::datatypes::DataType;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
        },
        parquet_to_arrow_field_levels,
    },
    basic::{Compression, Encoding},
    column::page::PageIterator,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
        reader::ChunkReader,
    },
};

mod codec;
mod compact;
mod delta;
mod error;
mod footer;
mod group;
mod header;
mod int96;
mod pages;
mod pool;
mod schema;
mod thrift;
mod watch;

use compact::BATCH_BYTES_MAX;
pub(super) use compact::{Parts, part_rows};
pub use error::Error;
use error::{panic_words, words};
pub use group::GroupRows;
use pages::{Chunk, Pages};
pub use pool::PagePool;
pub use schema::refusal;
use watch::{Allowance, Watch, value_bytes};

/// The most that the footers of all files that are open may take in memory, in bytes.
pub const METADATA_BYTES_MAX: u64 = footer::METADATA_BYTES_MAX;

/// Most rows in one batch. A batch is one thread's work at a time: enough rows to spread
/// the cost of a block over, few enough to share them among threads.
pub const BATCH_ROWS_MAX: usize = 4_096;

/// What the values of a batch and its JSON take where rows are short, about: no more than a
/// core's second cache keeps. A batch of long rows has fewer of them, but not below the minimum.
const BATCH_CACHED_BYTES: u64 = 1 << 20;
const BATCH_CACHED_ROWS_MIN: u64 = 512;

/// What a name in an object has beside itself: quotes, a colon, a comma.
const NAME_BYTES: u64 = 4;

/// Most rows in a batch where texts are stored as what differs from the one before: a
/// few bytes can then be any number, and the footer does not tell.
const BATCH_ROWS_DELTA_MAX: u64 = 256;

/// The most rows for each byte of a file, and what any file may have: a few bytes can be
/// billions of rows with one value, and days of work. No such rows have ids of their own.
const ROWS_PER_BYTE_MAX: u64 = 1_024;
const ROWS_ANY: u64 = 1 << 20;

/// A top-level column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The Arrow type of its values, as [`ParquetFile::read_group`] gives them.
    pub data_type: DataType,
    /// Its place among the top-level columns, from 0.
    pub index: usize,
    /// Why it can't be read, as the end of a sentence about the column.
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
    /// Which of them hold UUIDs.
    uuids: Vec<bool>,
    /// The first row of every row group, from 0, and the end of the last.
    bounds: Vec<u64>,
    metadata: ArrowReaderMetadata,
    metadata_bytes: u64,
    /// The same with INT96 timestamps as seconds, where the file has any.
    seconds: Option<ArrowReaderMetadata>,
    start: Box<Start>,
}

/// Starts a reader on a stretch; hides the type that the bytes come from.
type Start = dyn Fn(&ArrowReaderMetadata, Stretch) -> Result<ParquetRecordBatchReader, ParquetError>
    + Send
    + Sync;

/// What to decode of one row group.
struct Stretch {
    row_group: usize,
    projection: ProjectionMask,
    batch_rows: usize,
    /// Rows to read.
    take: usize,
    watch: Arc<Watch>,
}

impl Stretch {
    /// Starts the crate's reader on pages that are watched.
    fn start<R: ChunkReader + Clone + 'static>(
        self,
        read: R,
        metadata: &ArrowReaderMetadata,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let fields = metadata.schema().fields();
        let levels = parquet_to_arrow_field_levels(
            metadata.parquet_schema(),
            self.projection,
            Some(fields),
        )?;
        let selection = RowSelection::from(vec![RowSelector::select(self.take)]);
        let group = Group {
            read,
            metadata: Arc::clone(metadata.metadata()),
            row_group: self.row_group,
            watch: self.watch,
        };
        ParquetRecordBatchReader::try_new_with_row_groups(
            &levels,
            &group,
            self.batch_rows,
            Some(selection),
        )
    }
}

/// One row group of a file, its pages watched.
struct Group<R> {
    read: R,
    metadata: Arc<ParquetMetaData>,
    row_group: usize,
    watch: Arc<Watch>,
}

impl<R> Group<R> {
    fn group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.row_group)
    }
}

impl<R: ChunkReader + Clone + 'static> RowGroups for Group<R> {
    fn num_rows(&self) -> usize {
        // Counted when the file was opened.
        self.group().num_rows() as usize
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let (read, watch) = (self.read.clone(), Arc::clone(&self.watch));
        let pages = Pages::new(read, self.group().column(leaf), self.num_rows(), watch)?;
        Ok(Box::new(Chunk(Some(Ok(Box::new(pages))))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
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
        let metadata_bytes = footer::check(&read)?;
        let loaded = catch_unwind(AssertUnwindSafe(|| schema::load(&read)))
            .unwrap_or_else(|panic| Err(ParquetError::General(panic_words(panic.as_ref()))))
            .map_err(|error| Error::Footer { what: words(error) })?;
        let schema::Loaded { metadata, seconds, types, uuids } = loaded;
        let bounds = bounds(metadata.metadata(), read.len())?;
        let fields = metadata.schema().fields();
        let in_file = metadata.parquet_schema().root_schema().get_fields();
        if in_file.len() != fields.len() {
            return Err(Error::Footer { what: "a top-level group has no columns".to_owned() });
        }
        let columns = types.iter().enumerate().map(|(index, field)| {
            let data_type = field.data_type().clone();
            let refusal = refusal(&data_type).map(str::to_owned);
            Column { name: field.name().clone(), data_type, index, refusal }
        });
        let columns: Vec<_> = columns.collect();
        check_names(&columns)?;
        let bytes = read.len();
        let start = Box::new(move |metadata: &ArrowReaderMetadata, stretch: Stretch| {
            stretch.start(read.clone(), metadata)
        });
        let inner =
            Inner { file, bytes, columns, uuids, bounds, metadata, metadata_bytes, seconds, start };
        Ok(Self(Arc::new(inner)))
    }

    /// The top-level columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.0.columns
    }

    /// What its footer takes in memory, about, in bytes.
    pub fn metadata_bytes(&self) -> u64 {
        self.0.metadata_bytes
    }

    /// Where the bytes of some top-level columns lie in the file, row group by row group.
    pub fn chunks(&self, columns: &[usize]) -> Vec<Range<u64>> {
        let metadata = self.0.metadata.metadata();
        let schema = self.0.metadata.parquet_schema();
        let groups = metadata.row_groups().iter();
        let chunks = groups.flat_map(|group| group.columns().iter().enumerate());
        let wanted =
            chunks.filter(|(leaf, _)| columns.contains(&schema.get_column_root_idx(*leaf)));
        let range = |chunk: &ColumnChunkMetaData| {
            let (start, len) = chunk.byte_range();
            start..start.saturating_add(len)
        };
        wanted.map(|(_, chunk)| range(chunk)).collect()
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
    /// What it holds in memory is bounded: see `docs/bounds.md`.
    ///
    /// Only the top-level columns in `columns` are decoded. They stand in the batches in
    /// the order of the schema, each once; an index beyond the schema is ignored. With
    /// none the batches still have their rows. `pool` has the memory of pages, for as many
    /// row groups as it is given for.
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
        pool: &PagePool,
    ) -> Result<GroupRows, Error> {
        let broken = |what| Error::Broken { row_group: group, what };
        let inner = &*self.0;
        if group >= self.row_groups() {
            return Err(broken(format!("the file has {} row groups", self.row_groups())));
        }
        let end = rows.end.min(self.row_group_rows(group));
        let start = rows.start.min(end);
        let first = self.first_row(group);
        if start == end {
            return Ok(GroupRows::empty());
        }

        let schema = inner.metadata.parquet_schema();
        let metadata = inner.metadata.metadata().row_group(group);
        let wanted = |leaf: usize| columns.contains(&schema.get_column_root_idx(leaf));
        let chunks = || metadata.columns().iter().enumerate().filter(|&(leaf, _)| wanted(leaf));
        let chunks = || chunks().map(|(_, chunk)| chunk);
        if let Some(column) = inner
            .columns
            .iter()
            .find(|column| column.refusal.is_some() && columns.contains(&column.index))
        {
            let refusal = column.refusal.as_deref().unwrap_or_default();
            return Err(broken(format!("column `{}` {refusal}", column.name)));
        }
        for chunk in chunks() {
            check_chunk(chunk, group, inner.bytes)?;
        }
        let count = |rows| usize::try_from(rows).map_err(|_| broken("too many rows".to_owned()));
        let allowance = Arc::new(Allowance::default());
        let batch_rows = batch_rows(chunks(), self.row_group_rows(group));
        let begin = |metadata: &ArrowReaderMetadata, roots: &dyn Fn(usize) -> bool| {
            let allowance = Arc::clone(&allowance);
            let watch = Arc::new(Watch::new(chunks(), batch_rows, allowance, pool.clone()));
            let known = (0..inner.columns.len()).filter(|&column| roots(column));
            let stretch = Stretch {
                row_group: group,
                projection: ProjectionMask::roots(schema, known),
                batch_rows,
                take: count(end)?,
                watch: Arc::clone(&watch),
            };
            let start = || (inner.start)(metadata, stretch);
            let reader = catch_unwind(AssertUnwindSafe(start))
                .map_err(|panic| broken(panic_words(panic.as_ref())))?
                .map_err(|error| broken(words(error)))?;
            Ok::<_, Error>(group::Watched { reader, watch })
        };
        let main = begin(&inner.metadata, &|column| columns.contains(&column))?;
        let nanos = inner.metadata.schema();
        let is_int96 = |column: usize| {
            let seconds = inner.seconds.as_ref().map(|seconds| seconds.schema().field(column));
            columns.contains(&column)
                && seconds
                    .is_some_and(|seconds| seconds.data_type() != nanos.field(column).data_type())
        };
        let seconds = match &inner.seconds {
            Some(metadata) if (0..inner.columns.len()).any(is_int96) => {
                let known = (0..inner.columns.len()).filter(|column| columns.contains(column));
                let reader = begin(metadata, &is_int96)?;
                Some(group::Seconds { reader, columns: known.map(is_int96).collect() })
            }
            _ => None,
        };
        let rows = first..first + end;
        let known = (0..inner.columns.len()).filter(|column| columns.contains(column));
        let texts = known
            .map(|column| inner.uuids[column].then(|| inner.columns[column].data_type.clone()));
        let texts: Vec<_> = texts.collect();
        let texts = texts.iter().any(Option::is_some).then_some(texts);
        let readers = group::Readers { main, seconds, texts };
        Ok(GroupRows::new(inner.file, group, rows, first + start, readers))
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

/// Rows of a batch, so that it stays in the cache, or at least its values near
/// [`BATCH_BYTES_MAX`], as far as the footer tells their size.
fn batch_rows<'a>(chunks: impl Iterator<Item = &'a ColumnChunkMetaData>, rows: u64) -> usize {
    let (mut row_bytes, mut name_bytes, mut rows_max) = (1_u64, 0, BATCH_ROWS_MAX as u64);
    for chunk in chunks {
        let encoded = u64::try_from(chunk.uncompressed_size()).unwrap_or(0) / rows.max(1);
        row_bytes = row_bytes.saturating_add(encoded).saturating_add(value_bytes(chunk));
        let names = chunk.column_path().parts().iter();
        name_bytes += names.map(|name| name.len() as u64 + NAME_BYTES).sum::<u64>();
        if chunk.encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY) {
            rows_max = BATCH_ROWS_DELTA_MAX;
        }
    }
    let cached = BATCH_CACHED_BYTES / row_bytes.saturating_add(name_bytes);
    (BATCH_BYTES_MAX / row_bytes).min(cached.max(BATCH_CACHED_ROWS_MIN)).clamp(1, rows_max) as usize
}

/// Columns are found by their names, so that one of two with the same would be lost.
fn check_names(columns: &[Column]) -> Result<(), Error> {
    let mut seen = HashMap::with_capacity(columns.len());
    for Column { name, index, .. } in columns {
        if let Some(first) = seen.insert(name.as_str(), index + 1) {
            return Err(Error::DuplicateName { name: name.clone(), first, second: index + 1 });
        }
    }
    Ok(())
}

/// The first row of every row group, from 0, and the end of the last.
fn bounds(metadata: &ParquetMetaData, bytes: u64) -> Result<Vec<u64>, Error> {
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
    if rows as u64 > ROWS_ANY.max(bytes.saturating_mul(ROWS_PER_BYTE_MAX)) {
        return Err(footer(format!("it claims {rows} rows in a file of {bytes} bytes")));
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
