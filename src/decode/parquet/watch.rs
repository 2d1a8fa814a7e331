//! What reading a row group takes, counted before it is set aside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::{
    basic::{Compression, Type},
    errors::{ParquetError, Result},
    file::metadata::ColumnChunkMetaData,
};

use super::{codec, header::Page, pool::PagePool};

/// What reading a row group may hold at a time: the dictionaries of its columns, the pages
/// and texts that a batch is made of, and the values of nested columns. Writers make pages
/// of 1 MB, a few up to 100 MB.
pub(super) const HELD_BYTES_MAX: u64 = 224 << 20;

/// Repetition and definition level of a value in memory.
const LEVEL_BYTES: u64 = 4;
/// How often a value of a nested column is in memory: buffers grow by doubling, and are
/// copied once. The same holds for texts that are put together.
pub(super) const VALUE_COPIES: u64 = 3;

/// What the readers of one row group hold, counted together.
#[derive(Default)]
pub(super) struct Allowance(Mutex<u64>);

impl Allowance {
    /// One reader holds `to` where it held `from`.
    fn change(&self, from: u64, to: u64) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = (*held - from).saturating_add(to);
        if total > HELD_BYTES_MAX {
            return Err(refused(&format!(
                "the pages of one batch of rows take {total} bytes, the most is {HELD_BYTES_MAX}"
            )));
        }
        *held = total;
        Ok(())
    }
}

/// What a reader's pages take, counted as they are read.
pub(super) struct Watch {
    pub(super) columns: Vec<Watched>,
    /// Rows of a batch.
    pub(super) batch_rows: usize,
    held: Mutex<Held>,
    allowance: Arc<Allowance>,
    /// What the pages are decompressed to.
    pub(super) pool: PagePool,
}

/// A column chunk.
pub(super) struct Watched {
    pub(super) name: String,
    /// Its bytes in the file.
    start: u64,
    end: u64,
    codec: Compression,
    /// A row may have any number of its values.
    pub(super) nested: bool,
    /// Bytes in memory of each value, without its text.
    value_bytes: u64,
}

#[derive(Default)]
pub(super) struct Held {
    columns: Vec<Open>,
    dictionaries: u64,
    /// Pages that this batch has been through.
    closed: u64,
    /// What the page under way takes until it is decompressed.
    passing: u64,
    /// What the allowance knows of.
    told: u64,
    /// The page that was read last.
    pub(super) last: Option<(usize, Page)>,
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

impl Watch {
    /// A watch over these chunks of one row group, read in batches of `batch_rows` rows.
    pub fn new<'a>(
        chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
        batch_rows: usize,
        allowance: Arc<Allowance>,
        pool: PagePool,
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
        Self { columns, batch_rows, held: held.into(), allowance, pool }
    }

    /// A batch begins; the one before is done with.
    pub fn begin_batch(&self) {
        let mut held = self.held();
        held.closed = 0;
        held.passing = 0;
        // Less than before, which nobody refuses.
        let _ = self.tell(&mut held);
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that is done with the lock can leave it half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The column whose bytes hold this one.
    pub(super) fn column_at(&self, at: u64) -> Option<usize> {
        let column = self.columns.partition_point(|column| column.start <= at).checked_sub(1)?;
        (at < self.columns[column].end).then_some(column)
    }

    /// A page header was read that ends at `body`.
    pub(super) fn header(&self, at: u64, body: u64, page: Page) -> Result<()> {
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
    pub(super) fn page_at(&self, body: u64) -> Option<(usize, Page)> {
        // Its header is there at least.
        let column = self.column_at(body.checked_sub(1)?)?;
        let held = self.held();
        let open = &held.columns[column];
        let page = [open.next, open.dictionary].into_iter().flatten();
        page.into_iter().find(|&(start, _)| start == body).map(|(_, page)| (column, page))
    }

    /// A page's body is about to be read, if it is one that begins at `start`.
    pub(super) fn body(&self, start: u64, length: usize) -> Result<()> {
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
    pub(super) fn more(&self, bytes: u64) -> Result<()> {
        let mut held = self.held();
        let Some((column, _)) = held.last else { return Ok(()) };
        let open = &mut held.columns[column];
        open.bytes = open.bytes.saturating_add(bytes);
        self.tell_of(&mut held, column)
    }

    /// The dictionary that was read last takes this much more, as long as it is there.
    pub(super) fn dictionary_more(&self, bytes: u64) -> Result<()> {
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

/// An error in these words.
pub(super) fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
