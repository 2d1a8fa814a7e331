//! Pages, weighed before they are decoded and decompressed within bounds.
//!
//! What a page header says is set aside by the crate without a question, and a few bytes
//! can say gigabytes; its decompressors go on beyond what the header says; and the delta
//! encodings hold any number of values in a few bytes. So the crate reads pages through
//! [`Pages`]: it is told that they are not compressed, they are decompressed here, and what
//! decoding them takes is counted first, by a [`Watch`].

use std::{io::Cursor, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, Type},
    column::page::{Page as CratePage, PageIterator, PageMetadata, PageReader},
    errors::Result,
    file::{
        metadata::ColumnChunkMetaData,
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
    schema::types::ColumnDescriptor,
};

use super::{
    codec, delta,
    header::{Page, read_page},
    watch::{VALUE_COPIES, Watch, refused},
};

/// Bytes of the lengths of a value in the delta encodings.
const LENGTH_BYTES: u64 = 8;

/// Bytes to look for a page header in. One with long values takes a second look.
const HEADER_LOOK_BYTES: u64 = 1 << 10;

/// Bytes of a decimal that is stored like a text; the longest that Arrow has is 32.
const NUMBER_BYTES_MAX: usize = 64;

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

impl<R: ChunkReader> Guarded<R> {
    /// Reads a page header into `bytes`, and a little more. A reader from there on would read
    /// ahead, of which nothing is used: the body is asked for by its place.
    fn read_header(&self, start: u64, bytes: &mut Vec<u8>) -> Result<(u64, Page)> {
        let left = self.read.len().saturating_sub(start);
        let look = self.read.get_bytes(start, left.min(HEADER_LOOK_BYTES) as usize)?;
        match read_page(&mut &look[..], bytes) {
            Err(_) if left > HEADER_LOOK_BYTES => {
                bytes.clear();
                read_page(&mut self.read.get_read(start)?, bytes)
            }
            read => read,
        }
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
        let read = self
            .read_header(start, &mut bytes)
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
        let is_compressed = compressed && self.codec != Compression::UNCOMPRESSED;
        if !is_compressed && buf.len() != bytes {
            return Err(refused(&format!(
                "a page has {} bytes where its header says {bytes}",
                buf.len()
            )));
        }
        *buf = self.watch.pool.page(bytes, |plain| {
            if !is_compressed {
                // A copy, since the bytes may be a small part of what was read of the file.
                plain.copy_from_slice(buf);
                return Ok(());
            }
            let (of_levels, of_values) = plain.split_at_mut(levels);
            of_levels.copy_from_slice(&buf[..levels]);
            match of_values {
                // A page of levels alone has nothing that is compressed.
                [] => Ok(()),
                of_values => codec::decompress(self.codec, &buf[levels..], of_values),
            }
        })?;
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
