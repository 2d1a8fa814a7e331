//! The rows of one row group, batch by batch.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::{
    Error,
    compact::Parts,
    error::{panic_words, words},
    int96,
    watch::Watch,
};
use crate::decode::uuid;
use crate::model::ArrowRows;

/// A reader, and what watches its pages.
pub(super) struct Watched {
    pub reader: ParquetRecordBatchReader,
    pub watch: Arc<Watch>,
}

/// What reads a row group.
pub(super) struct Readers {
    pub main: Watched,
    /// What reads those of the columns that have INT96 timestamps once more.
    pub seconds: Option<Seconds>,
    /// What the columns become that hold UUIDs, if any does.
    pub texts: Option<Vec<Option<DataType>>>,
}

/// The second reading of INT96 timestamps.
pub(super) struct Seconds {
    pub reader: Watched,
    /// Which of the main reader's columns have any.
    pub columns: Vec<bool>,
}

/// The batches of one row group; ends after the first error.
pub struct GroupRows {
    file: u32,
    row_group: usize,
    /// Data row in the file, from 1, of the next batch, and the one after the last.
    rows: Range<u64>,
    /// The first row to hand out. Those before it are decoded and dropped: where the crate
    /// skips rows, levels that are damaged keep it in a loop without end.
    from: u64,
    readers: Option<Readers>,
    /// A batch that is handed out in parts.
    parts: Option<Parts>,
}

impl GroupRows {
    pub(super) fn empty() -> Self {
        Self { file: 0, row_group: 0, rows: 0..0, from: 0, readers: None, parts: None }
    }

    /// The rows of a group from `from` on.
    pub(super) fn new(
        file: u32,
        row_group: usize,
        rows: Range<u64>,
        from: u64,
        readers: Readers,
    ) -> Self {
        Self { file, row_group, rows, from, readers: Some(readers), parts: None }
    }

    /// The next rows, in a batch that is small enough.
    fn next_part(&mut self) -> Option<Result<RecordBatch, String>> {
        loop {
            if let Some(parts) = &mut self.parts {
                match parts.next() {
                    Ok(Some(part)) => return Some(Ok(part)),
                    // What it was made of is let go before more is read.
                    Ok(None) => self.parts = None,
                    Err(what) => return Some(Err(what)),
                }
            }
            let batch = match self.decode()? {
                Ok(batch) => batch,
                Err(what) => return Some(Err(what)),
            };
            let rows = batch.num_rows() as u64;
            let before = self.from.saturating_sub(self.rows.start).min(rows);
            self.rows.start += before;
            if before < rows {
                // No more than there are.
                let (before, rows) = (before as usize, (rows - before) as usize);
                self.parts = Some(Parts::of(batch.slice(before, rows)));
            }
        }
    }

    fn decode(&mut self) -> Option<Result<RecordBatch, String>> {
        let left = self.rows.end - self.rows.start;
        if left == 0 {
            // Dropped here, not with the iterator: it holds decoded pages.
            self.readers = None;
        }
        let Readers { main, seconds, texts } = self.readers.as_mut()?;
        let mut read = || {
            let batch = main.next()?;
            let batch = match seconds {
                Some(Seconds { reader, columns }) => {
                    join(&batch, &reader.next()?, columns).map_err(words)?
                }
                None => batch,
            };
            let batch = match texts {
                Some(texts) => uuid::batch_as_text(&batch, texts).map_err(words)?,
                None => batch,
            };
            match batch.num_rows() as u64 {
                rows if rows == 0 || rows > left => {
                    Err(format!("a batch has {rows} rows where {left} are left"))
                }
                _ => Ok(batch),
            }
        };
        Some(read())
    }
}

impl Watched {
    fn next(&mut self) -> Result<RecordBatch, String> {
        self.watch.begin_batch();
        match catch_unwind(AssertUnwindSafe(|| self.reader.next())) {
            Ok(Some(Ok(batch))) => Ok(batch),
            Ok(Some(Err(error))) => Err(words(error)),
            Ok(None) => Err("it ends before its last row".to_owned()),
            Err(panic) => Err(panic_words(panic.as_ref())),
        }
    }
}

impl Iterator for GroupRows {
    type Item = Result<ArrowRows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.next_part()? {
            Ok(batch) => {
                let first_row = self.rows.start;
                self.rows.start += batch.num_rows() as u64;
                // The file's row groups were counted: every index fits.
                let row_group = self.row_group as u32;
                let file = self.file;
                Ok(ArrowRows { file, row_group, is_batch: false, first_row, batch })
            }
            Err(what) => {
                self.readers = None;
                self.parts = None;
                self.rows.start = self.rows.end;
                Err(Error::Broken { row_group: self.row_group, what })
            }
        })
    }
}

/// Puts the columns of `seconds` together with those of `batch` that are INT96.
fn join(
    batch: &RecordBatch,
    seconds: &RecordBatch,
    is_int96: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let mut rest = seconds.columns().iter();
    let columns = batch.columns().iter().zip(is_int96).map(|(column, &is_int96)| {
        let other = if is_int96 { rest.next() } else { None };
        other.map_or_else(|| Ok(Arc::clone(column)), |other| int96::join(column, other))
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let schema = Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        batch.schema_ref().metadata().clone(),
    );
    RecordBatch::try_new(schema.into(), columns)
}
