//! Pages, weighed before they are decoded and decompressed within bounds.
//!
//! What a page header says is set aside by the crate without a question, and a few bytes
//! can say gigabytes; its decompressors go on beyond what the header says; and the delta
//! encodings hold any number of values in a few bytes. So the crate reads pages through
//! [`Pages`]: it is told that they are not compressed, they are decompressed here, and what
//! decoding them takes is counted first, by a [`Watch`].

use std::{
    io::{Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, Type},
    column::page::{Page as CratePage, PageIterator, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::{
        metadata::ColumnChunkMetaData,
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
    schema::types::ColumnDescriptor,
};

use super::{codec, delta, thrift};
use crate::decode::Charge;

/// What reading a row group may hold at a time: the dictionaries of its columns, the pages
/// and texts that a batch is made of, and the values of nested columns. Writers make pages
/// of 1 MB, a few up to 100 MB.
pub(super) const HELD_BYTES_MAX: u64 = 224 << 20;

/// What reading a row group takes beside all that.
const READER_BYTES: u64 = 4 << 20;

/// Largest page header. It can hold the smallest and the largest value of the page.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Bytes to read at first: enough for nearly every page header.
const HEADER_BYTES_FIRST: u64 = 256;

/// Repetition and definition level of a value in memory.
const LEVEL_BYTES: u64 = 4;
/// How often a value of a nested column is in memory: buffers grow by doubling, and are
/// copied once. The same holds for texts that are put together.
const VALUE_COPIES: u64 = 3;
/// Bytes of the lengths of a value in the delta encodings.
const LENGTH_BYTES: u64 = 8;
/// Bytes of a decimal that is stored like a text; the longest that Arrow has is 32.
const NUMBER_BYTES_MAX: usize = 64;

/// Fields of `PageHeader`, and of the header of each kind of page inside it.
const PAGE_TYPE: i64 = 1;
const UNCOMPRESSED_PAGE_SIZE: i64 = 2;
const COMPRESSED_PAGE_SIZE: i64 = 3;
const DATA_PAGE: i64 = 5;
const DICTIONARY_PAGE: i64 = 7;
const DATA_PAGE_V2: i64 = 8;
const NUM_VALUES: i64 = 1;
/// The value of [`PAGE_TYPE`] for a dictionary.
const TYPE_DICTIONARY: i64 = 2;

/// What the readers of one row group hold, counted together.
pub(super) struct Allowance(Mutex<(u64, Charge)>);

impl Allowance {
    /// Begins with what any reader takes.
    pub fn new(mut charge: Charge) -> Self {
        charge.set(READER_BYTES);
        Self(Mutex::new((0, charge)))
    }

    /// One reader holds `to` where it held `from`; what all of them hold then, which is
    /// waited for.
    fn change(&self, from: u64, to: u64) -> Result<()> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = (books.0 - from).saturating_add(to);
        if total > HELD_BYTES_MAX {
            return Err(refused(&format!(
                "the pages of one batch of rows take {total} bytes, the most is {HELD_BYTES_MAX}"
            )));
        }
        books.1.set(READER_BYTES + total);
        books.0 = total;
        Ok(())
    }
}

/// What a reader's pages take, counted as they are read.
pub(super) struct Watch {
    columns: Vec<Watched>,
    /// Rows of a batch.
    batch_rows: usize,
    held: Mutex<Held>,
    allowance: Arc<Allowance>,
}

/// A column chunk.
struct Watched {
    name: String,
    /// Its bytes in the file.
    start: u64,
    end: u64,
    codec: Compression,
    /// A row may have any number of its values.
    nested: bool,
    /// Bytes in memory of each value, without its text.
    value_bytes: u64,
}

#[derive(Default)]
struct Held {
    columns: Vec<Open>,
    dictionaries: u64,
    /// Pages that this batch has been through.
    closed: u64,
    /// What the page under way takes until it is decompressed.
    passing: u64,
    /// What the allowance knows of.
    told: u64,
    /// The page that was read last.
    last: Option<(usize, Page)>,
}

/// What is known of a column's pages. Of a page whose header was read and its body not,
/// that is where the body begins; the crate may come back for a dictionary much later.
#[derive(Clone, Default)]
struct Open {
    dictionary: Option<(u64, Page)>,
    next: Option<(u64, Page)>,
    /// What the last page takes.
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
    /// A watch over these chunks of one row group, read in batches of `batch_rows` rows.
    pub fn new<'a>(
        chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
        batch_rows: usize,
        allowance: Arc<Allowance>,
    ) -> Self {
        let mut columns: Vec<_> = chunks
            .map(|chunk| {
                let (start, len) = chunk.byte_range();
                Watched {
                    name: chunk.column_path().string(),
                    start,
                    end: start.saturating_add(len),
                    codec: chunk.compression(),
                    nested: chunk.column_descr().max_rep_level() > 0,
                    value_bytes: value_bytes(chunk),
                }
            })
            .collect();
        columns.sort_by_key(|column| column.start);
        let held = Held { columns: vec![Open::default(); columns.len()], ..Held::default() };
        Self { columns, batch_rows, held: held.into(), allowance }
    }

    /// A batch begins; the one before is done with.
    pub fn begin_batch(&self) {
        let mut held = self.held();
        held.closed = 0;
        held.passing = 0;
        // Less than before, which nobody refuses.
        let _ = self.tell(&mut held);
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
    fn body(&self, start: u64, length: usize) -> Result<()> {
        let Some((column, page)) = self.page_at(start) else {
            return Err(refused("a page is read before its header"));
        };
        if page.body_bytes != length as u64 {
            return Err(refused("a page header has its size twice"));
        }
        let mut held = self.held();
        let watched = &self.columns[column];
        let copies = if watched.nested { VALUE_COPIES } else { 1 };
        let values = match (page.is_dictionary, watched.nested) {
            (true, _) => page.values.saturating_mul(watched.value_bytes),
            (false, true) => {
                page.values.saturating_mul(copies * (LEVEL_BYTES + watched.value_bytes))
            }
            // No more than a batch of them is in memory.
            (false, false) => 0,
        };
        let bytes = page.uncompressed_bytes.saturating_add(values);
        if bytes > HELD_BYTES_MAX {
            let inside = match (values > page.uncompressed_bytes, page.is_dictionary) {
                (true, false) => format!(" for {} values in lists", page.values),
                (true, true) => format!(" for a dictionary of {} values", page.values),
                (false, _) => String::new(),
            };
            return Err(refused(&format!(
                "a page of column `{}` takes {bytes} bytes{inside}, the most is {HELD_BYTES_MAX}; write smaller pages",
                watched.name
            )));
        }
        held.passing = page.body_bytes;
        if let Compression::BROTLI(_) = watched.codec {
            held.passing += codec::STATE_BYTES_MAX;
        }
        held.last = Some((column, page));
        if page.is_dictionary {
            held.dictionaries += bytes;
        } else {
            let before = std::mem::replace(&mut held.columns[column].bytes, bytes);
            held.closed += before;
        }
        self.tell_of(&mut held, column)
    }

    /// The page that was read last takes this much more, until the next batch begins.
    fn more(&self, bytes: u64) -> Result<()> {
        let mut held = self.held();
        let Some((column, _)) = held.last else { return Ok(()) };
        let open = &mut held.columns[column];
        open.bytes = open.bytes.saturating_add(bytes);
        self.tell_of(&mut held, column)
    }

    /// The dictionary that was read last takes this much more, as long as it is there.
    fn dictionary_more(&self, bytes: u64) -> Result<()> {
        let mut held = self.held();
        let Some((column, _)) = held.last else { return Ok(()) };
        held.dictionaries = held.dictionaries.saturating_add(bytes);
        self.tell_of(&mut held, column)
    }

    fn tell_of(&self, held: &mut Held, column: usize) -> Result<()> {
        self.tell(held).map_err(|error| {
            let ParquetError::General(what) = error else { return error };
            let name = &self.columns[column].name;
            refused(&format!(
                "{what}, at column `{name}`; write smaller pages, or map fewer columns"
            ))
        })
    }

    fn tell(&self, held: &mut Held) -> Result<()> {
        let open = held.columns.iter().fold(0, |sum: u64, open| sum.saturating_add(open.bytes));
        let parts = [held.dictionaries, held.closed, held.passing];
        let total = parts.into_iter().fold(open, u64::saturating_add);
        self.allowance.change(held.told, total)?;
        held.told = total;
        Ok(())
    }
}

/// Bytes of one value of a column in memory, without those of its text.
pub(super) fn value_bytes(chunk: &ColumnChunkMetaData) -> u64 {
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
    type T = Cursor<Vec<u8>>;

    /// The crate reads page headers this way, and nothing else. Where it has looked at a
    /// header before, it asks again behind it and reads nothing.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let known = self.watch.page_at(start);
        if known.is_some_and(|(_, page)| page.body_bytes > 0) {
            return Ok(Cursor::default());
        }
        let mut bytes = Vec::new();
        let read = read_page(&mut self.read.get_read(start)?, &mut bytes)
            .and_then(|(len, page)| self.watch.header(start, start + len, page));
        match read {
            Ok(()) => Ok(Cursor::new(bytes)),
            // Behind a page without a body there need not be another.
            Err(_) if known.is_some() => Ok(Cursor::default()),
            Err(error) => Err(error),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.watch.body(start, length)?;
        self.read.get_bytes(start, length)
    }
}

/// The pages of a column chunk, decompressed, and weighed before they are decoded.
pub(super) struct Pages<R: ChunkReader> {
    inner: SerializedPageReader<Guarded<R>>,
    codec: Compression,
    /// Largest levels of the column, which stand before its values in a page.
    repetition_max: i16,
    definition_max: i16,
    /// Values are copied out of a dictionary, each as often as it stands in a row.
    copied: bool,
    column: usize,
    watch: Arc<Watch>,
}

impl<R: ChunkReader + 'static> Pages<R> {
    /// The pages of a chunk of a row group of `rows` rows.
    pub fn new(
        read: R,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        watch: Arc<Watch>,
    ) -> Result<Self> {
        let column = watch
            .column_at(chunk.byte_range().0)
            .ok_or_else(|| refused("a column has no pages"))?;
        let plain = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED);
        let guarded = Arc::new(Guarded::new(read, Arc::clone(&watch)));
        let descriptor = chunk.column_descr();
        Ok(Self {
            inner: SerializedPageReader::new(guarded, &plain.build()?, rows, None)?,
            codec: chunk.compression(),
            repetition_max: descriptor.max_rep_level(),
            definition_max: descriptor.max_def_level(),
            copied: chunk.column_type() == Type::BYTE_ARRAY && !is_text(descriptor),
            column,
            watch,
        })
    }

    /// Makes a page of what the crate takes for one that is not compressed.
    fn opened(&self, mut page: CratePage) -> Result<CratePage> {
        let last = self.watch.held().last;
        let Some((column, header)) = last else {
            return Err(refused("a page is read before its header"));
        };
        if column != self.column
            || u64::from(page.num_values()) != header.values
            || matches!(page, CratePage::DictionaryPage { .. }) != header.is_dictionary
        {
            return Err(refused("a page header contradicts itself"));
        }
        let (levels, compressed) = match &page {
            CratePage::DataPageV2 {
                rep_levels_byte_len,
                def_levels_byte_len,
                is_compressed,
                ..
            } => {
                (u64::from(*rep_levels_byte_len) + u64::from(*def_levels_byte_len), *is_compressed)
            }
            _ => (0, true),
        };
        let (CratePage::DataPage { buf, .. }
        | CratePage::DataPageV2 { buf, .. }
        | CratePage::DictionaryPage { buf, .. }) = &mut page;
        let bytes = header.uncompressed_bytes;
        if levels > bytes.min(buf.len() as u64) {
            return Err(refused("the levels of a page are longer than it is"));
        }
        let (levels, bytes) = (levels as usize, bytes as usize);
        let mut plain = Vec::new();
        if self.codec != Compression::UNCOMPRESSED && compressed && bytes > levels {
            plain.reserve_exact(bytes);
            plain.extend_from_slice(&buf[..levels]);
            codec::decompress(self.codec, &buf[levels..], &mut plain, bytes - levels)?;
        } else if compressed && self.codec != Compression::UNCOMPRESSED {
            // A page of levels alone has nothing that is compressed.
            plain.extend_from_slice(&buf[..levels]);
        } else if buf.len() == bytes {
            // A copy, since the bytes may be a small part of what was read of the file.
            plain.extend_from_slice(buf);
        } else {
            return Err(refused(&format!(
                "a page has {} bytes where its header says {bytes}",
                buf.len()
            )));
        }
        *buf = plain.into();
        self.weigh(&page)?;
        Ok(page)
    }

    /// Counts what decoding the page takes beside its bytes.
    fn weigh(&self, page: &CratePage) -> Result<()> {
        let watched = &self.watch.columns[self.column];
        let broken = |what: &str| refused(&format!("a page of column `{}` {what}", watched.name));
        if page.is_dictionary_page() {
            let longest = if self.copied { plain_lengths(page.buffer()).max() } else { None };
            return match longest {
                Some(bytes) if bytes > NUMBER_BYTES_MAX && watched.nested => {
                    Err(broken("has a dictionary of long values; write it as text"))
                }
                Some(bytes) if bytes > NUMBER_BYTES_MAX => {
                    self.watch.dictionary_more((bytes * self.watch.batch_rows) as u64)
                }
                _ => Ok(()),
            };
        }
        let encoding = page.encoding();
        let is_delta =
            matches!(encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY);
        if !is_delta {
            return Ok(());
        }
        let unsound = || broken("holds no lengths of texts where they should be");
        let values = self.values(page).ok_or_else(unsound)?;
        let count = delta::count(values).ok_or_else(unsound)?;
        if count > u64::from(page.num_values()) {
            return Err(broken("has more texts than its header says"));
        }
        self.watch.more(count * LENGTH_BYTES)?;
        if encoding == Encoding::DELTA_BYTE_ARRAY {
            let together = if watched.nested { usize::MAX } else { self.watch.batch_rows };
            let texts = delta::text_bytes_max(values, together).ok_or_else(unsound)?;
            self.watch.more(texts.saturating_mul(VALUE_COPIES))?;
        }
        Ok(())
    }

    /// The values of a data page, behind its levels.
    fn values<'a>(&self, page: &'a CratePage) -> Option<&'a [u8]> {
        let mut bytes: &[u8] = page.buffer();
        match page {
            CratePage::DataPage { num_values, rep_level_encoding, def_level_encoding, .. } => {
                for (max, encoding) in [
                    (self.repetition_max, rep_level_encoding),
                    (self.definition_max, def_level_encoding),
                ] {
                    if max == 0 {
                        continue;
                    }
                    let len = if *encoding == Encoding::RLE {
                        u32::from_le_bytes(bytes.split_off(..4)?.try_into().ok()?) as usize
                    } else {
                        let width = (i16::BITS - max.leading_zeros()) as usize;
                        (*num_values as usize * width).div_ceil(8)
                    };
                    bytes.split_off(..len)?;
                }
                Some(bytes)
            }
            CratePage::DataPageV2 { rep_levels_byte_len, def_levels_byte_len, .. } => {
                bytes.get(*rep_levels_byte_len as usize + *def_levels_byte_len as usize..)
            }
            CratePage::DictionaryPage { .. } => None,
        }
    }
}

/// Whether values are read as views of the bytes of their page.
fn is_text(column: &ColumnDescriptor) -> bool {
    use parquet::basic::{ConvertedType as C, LogicalType as L};
    matches!(column.converted_type(), C::UTF8 | C::JSON | C::ENUM)
        || matches!(column.logical_type_ref(), Some(L::String | L::Json | L::Enum))
}

/// The lengths of plain byte arrays, each of which has its own before it.
fn plain_lengths(mut bytes: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(bytes.split_off(..4)?.try_into().ok()?) as usize;
        bytes = bytes.get(length..).unwrap_or_default();
        Some(length)
    })
}

impl<R: ChunkReader + 'static> Iterator for Pages<R> {
    type Item = Result<CratePage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader + 'static> PageReader for Pages<R> {
    fn get_next_page(&mut self) -> Result<Option<CratePage>> {
        self.inner.get_next_page()?.map(|page| self.opened(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.inner.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<CratePage>> {
        self.inner.take_deferred_dictionary()?.map(|page| self.opened(page)).transpose()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

/// The one chunk that a column has in a row group.
pub(super) struct Chunk(pub Option<Result<Box<dyn PageReader>>>);

impl Iterator for Chunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take()
    }
}

impl PageIterator for Chunk {}

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
            (PAGE_TYPE, thrift::I32) => {
                page.is_dictionary = thrift::integer(bytes)? == TYPE_DICTIONARY;
                Some(true)
            }
            (DATA_PAGE | DICTIONARY_PAGE | DATA_PAGE_V2, thrift::STRUCT) => {
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
