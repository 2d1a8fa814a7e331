//! Page sizes, looked at before a page is decoded: what a page header says is allocated
//! by the crate without a question, and a few bytes can say gigabytes.

use std::{
    io::{Chain, Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::{
        metadata::ColumnChunkMetaData,
        reader::{ChunkReader, Length},
    },
};

use super::thrift;

/// Largest page that is decoded, in bytes. Writers make pages of 1 MB, a few up to 100 MB.
const PAGE_BYTES_MAX: u64 = 256 << 20;

/// What one reader of a row group may hold at a time: the dictionaries of its columns, the
/// pages that a batch is made of, and the values of nested columns.
const HELD_BYTES_MAX: u64 = 384 << 20;

/// Largest page header. It can hold the smallest and the largest value of the page.
const HEADER_BYTES_MAX: u64 = 16 << 20;
/// Bytes to read at first: enough for nearly every page header.
const HEADER_BYTES_FIRST: u64 = 256;

/// Repetition and definition level of a value in memory.
const LEVEL_BYTES: u64 = 4;
/// How often a value of a nested column is in memory: buffers grow by doubling, and are
/// copied once.
const VALUE_COPIES: u64 = 3;

/// Fields of `PageHeader`, and of the header of each kind of page inside it.
const UNCOMPRESSED_PAGE_SIZE: i64 = 2;
const COMPRESSED_PAGE_SIZE: i64 = 3;
const DATA_PAGE: i64 = 5;
const DICTIONARY_PAGE: i64 = 7;
const DATA_PAGE_V2: i64 = 8;
const NUM_VALUES: i64 = 1;

/// What a reader's pages take, counted as they are read.
pub(super) struct Watch {
    columns: Vec<Watched>,
    held: Mutex<Held>,
}

/// A column chunk.
struct Watched {
    name: String,
    /// Its bytes in the file.
    start: u64,
    end: u64,
    /// Bytes in memory of each value, where a row may have any number of them.
    value_bytes: u64,
}

#[derive(Default)]
struct Held {
    columns: Vec<Open>,
    dictionaries: u64,
    /// The pages of this batch, and those that were open when it began.
    pages: u64,
    /// Pages are passed over, and let go at once.
    skipping: bool,
}

/// What is known of a column's pages. Of a page whose header was read and its body not,
/// that is where the body begins; the crate may come back for a dictionary much later.
#[derive(Clone, Default)]
struct Open {
    dictionary: Option<(u64, Page)>,
    next: Option<(u64, Page)>,
    /// Bytes of the last page.
    bytes: u64,
}

/// What a page header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Page {
    uncompressed_bytes: u64,
    /// Bytes of its body in the file.
    body_bytes: u64,
    values: u64,
    is_dictionary: bool,
}

impl Watch {
    /// A watch over these chunks of one row group.
    pub fn new<'a>(chunks: impl Iterator<Item = &'a ColumnChunkMetaData>) -> Self {
        let mut columns: Vec<_> = chunks
            .map(|chunk| {
                let (start, len) = chunk.byte_range();
                let nested = chunk.column_descr().max_rep_level() > 0;
                let value_bytes =
                    if nested { VALUE_COPIES * (LEVEL_BYTES + value_bytes(chunk)) } else { 0 };
                let name = chunk.column_path().string();
                Watched { name, start, end: start.saturating_add(len), value_bytes }
            })
            .collect();
        columns.sort_by_key(|column| column.start);
        let held = Held { columns: vec![Open::default(); columns.len()], ..Held::default() };
        Self { columns, held: held.into() }
    }

    /// A batch begins; the one before is done with. With `skipping`, rows are passed over
    /// before it, of which nobody can say how many pages they take.
    pub fn begin_batch(&self, skipping: bool) {
        let mut held = self.held();
        held.pages = held.columns.iter().map(|open| open.bytes).sum();
        held.skipping = skipping;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that is done with the lock can leave it half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The column whose bytes hold this one.
    fn column_at(&self, at: u64) -> Option<usize> {
        let column = self.columns.partition_point(|column| column.start <= at).checked_sub(1)?;
        (at < self.columns[column].end).then_some(column)
    }

    /// A page header was read that ends at `body`.
    fn header(&self, at: u64, body: u64, page: Page) -> Result<()> {
        let Some(column) = self.column_at(at) else {
            return Err(refused("a page lies outside of its column"));
        };
        if page.body_bytes == 0 && page.uncompressed_bytes > 0 {
            return Err(refused("a page header promises bytes that it does not have"));
        }
        let open = &mut self.held().columns[column];
        let slot = if page.is_dictionary { &mut open.dictionary } else { &mut open.next };
        *slot = Some((body, page));
        Ok(())
    }

    /// The page whose body begins here, its header read already, and its column.
    fn page_at(&self, body: u64) -> Option<(usize, Page)> {
        // Its header is there at least.
        let column = self.column_at(body.checked_sub(1)?)?;
        let held = self.held();
        let open = &held.columns[column];
        let page = [open.next, open.dictionary].into_iter().flatten();
        page.into_iter().find(|&(start, _)| start == body).map(|(_, page)| (column, page))
    }

    /// A page's body is about to be read, if it is one that begins at `start`.
    fn body(&self, start: u64) -> Result<()> {
        let Some((column, page)) = self.page_at(start) else {
            return Err(refused("a page is read before its header"));
        };
        let mut held = self.held();
        let watched = &self.columns[column];
        let values = page.values.saturating_mul(watched.value_bytes);
        let bytes = page.uncompressed_bytes.saturating_add(values);
        if bytes > PAGE_BYTES_MAX {
            let inside = if values > page.uncompressed_bytes {
                format!(" for {} values in lists", page.values)
            } else {
                String::new()
            };
            return Err(refused(&format!(
                "a page of column `{}` takes {bytes} bytes{inside}, the most is {PAGE_BYTES_MAX}; write smaller pages",
                watched.name
            )));
        }
        if page.is_dictionary {
            held.dictionaries += bytes;
        } else {
            held.pages += bytes;
            held.columns[column].bytes = bytes;
        }
        let total = held.dictionaries.saturating_add(held.pages);
        if total > HELD_BYTES_MAX && !held.skipping {
            return Err(refused(&format!(
                "the pages of one batch of rows take {total} bytes at column `{}`, the most is {HELD_BYTES_MAX}; write smaller pages, or map fewer columns",
                watched.name
            )));
        }
        Ok(())
    }
}

/// Bytes of one value of a column in memory, without those of its text.
pub(super) fn value_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    use parquet::basic::Type;
    match chunk.column_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 | Type::BYTE_ARRAY => 16,
        Type::FIXED_LEN_BYTE_ARRAY => {
            u64::try_from(chunk.column_descr().type_length()).unwrap_or(0).max(16)
        }
    }
}

/// A file whose pages are watched.
pub(super) struct Guarded<R> {
    read: R,
    watch: Arc<Watch>,
}

impl<R> Guarded<R> {
    /// Puts a watch over a file.
    pub fn new(read: R, watch: Arc<Watch>) -> Self {
        Self { read, watch }
    }
}

impl<R: ChunkReader> Length for Guarded<R> {
    fn len(&self) -> u64 {
        self.read.len()
    }
}

impl<R: ChunkReader> ChunkReader for Guarded<R> {
    type T = Chain<Cursor<Vec<u8>>, R::T>;

    /// The crate reads page headers this way, and nothing else once it has the footer.
    /// Where it has looked at a header before, it asks again behind it and reads nothing.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut rest = self.read.get_read(start)?;
        let mut bytes = Vec::new();
        let known = self.watch.page_at(start);
        if known.is_some_and(|(_, page)| page.body_bytes > 0) {
            return Ok(Cursor::new(bytes).chain(rest));
        }
        let read = read_page(&mut rest, &mut bytes)
            .and_then(|(len, page)| self.watch.header(start, start + len, page));
        // Behind a page without a body there need not be another.
        if known.is_none() {
            read?;
        }
        Ok(Cursor::new(bytes).chain(rest))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.watch.body(start)?;
        self.read.get_bytes(start, length)
    }
}

/// Reads a page header into `bytes`, and a little more.
fn read_page(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<(u64, Page)> {
    loop {
        let before = bytes.len();
        let more = HEADER_BYTES_FIRST.max(before as u64);
        Read::by_ref(from).take(more).read_to_end(bytes)?;
        let mut left = &bytes[..];
        if let Some(page) = Page::parse(&mut left) {
            return Ok(((bytes.len() - left.len()) as u64, page));
        }
        if bytes.len() == before || bytes.len() as u64 >= HEADER_BYTES_MAX {
            return Err(refused("a page header is no sound one"));
        }
    }
}

impl Page {
    /// Reads a page header (Thrift, compact protocol); `None` where its bytes end early.
    fn parse(bytes: &mut &[u8]) -> Option<Self> {
        let mut page = Self::default();
        thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| match (id, kind) {
            (UNCOMPRESSED_PAGE_SIZE, thrift::I32) => {
                // The crate refuses what is negative.
                page.uncompressed_bytes = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                Some(true)
            }
            (COMPRESSED_PAGE_SIZE, thrift::I32) => {
                page.body_bytes = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                Some(true)
            }
            (DATA_PAGE | DICTIONARY_PAGE | DATA_PAGE_V2, thrift::STRUCT) => {
                page.is_dictionary |= id == DICTIONARY_PAGE;
                thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| {
                    let is_count = (id, kind) == (NUM_VALUES, thrift::I32);
                    if is_count {
                        page.values = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                    }
                    Some(is_count)
                })?;
                Some(true)
            }
            _ => Some(false),
        })?;
        Some(page)
    }
}

fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
