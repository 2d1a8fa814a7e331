//! Rejected rows of Parquet files, with their own types.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt32Array, UInt64Array},
    compute::take_record_batch,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    errors::{ParquetError, Result},
    file::properties::{EnabledStatistics, WriterProperties},
};

use super::{
    parquet_types::{stored, stored_field},
    staged::Staged,
};
use crate::model::ArrowRows;

/// Rows of a row group in the rejects, and rows held back before they are encoded.
/// Together with [`GROUP_BYTES_MAX`] this bounds the memory of a file full of rejects.
const GROUP_ROWS_MAX: usize = 65_536;

/// Encoded bytes of a row group.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// The rows of the first row group, and what share of the rows before them later ones have. An open
/// row group is in memory as a whole, and the footer's part of each that is closed: the few rejects
/// of most imports take little, and groups stay few where there are many.
const GROUP_ROWS_FIRST: usize = 2_048;
const GROUP_SHARE: u64 = 8;

/// A rejects file of one schema.
pub(super) struct ParquetRows {
    to: ArrowWriter<Staged>,
    schema: SchemaRef,
    held: Option<Held>,
    /// Rows in row groups that are closed.
    closed: u64,
}

/// Rejected rows of one batch. They are taken out of it together: row by row would
/// cost an array per cell.
struct Held {
    batch: RecordBatch,
    /// With the batch's row group and file, what tells it from another.
    first_row: u64,
    row_group: u32,
    file: u32,
    path: Arc<str>,
    given: Arc<[Option<String>]>,
    rows: Vec<u32>,
    codes: Vec<String>,
    messages: Vec<String>,
}

impl std::fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ParquetRows {
    /// Begins the file: the kept columns of its sources, those that their places gave their rows, and
    /// five more by name.
    pub fn begin(to: Staged, kept: &Schema, given: &[String], columns: [&str; 5]) -> Result<Self> {
        let types =
            [DataType::Utf8, DataType::UInt64, DataType::UInt32, DataType::Utf8, DataType::Utf8];
        let mut fields: Vec<FieldRef> = kept.fields().iter().map(stored_field).collect();
        fields.extend(given.iter().map(|name| Arc::new(Field::new(name, DataType::Utf8, true))));
        fields.extend(
            columns.iter().zip(types).map(|(&name, kind)| Arc::new(Field::new(name, kind, false))),
        );
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Nobody searches in rejects, and of long texts they would be several copies.
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .set_max_row_group_bytes(Some(GROUP_BYTES_MAX))
            .build();
        let to = ArrowWriter::try_new(to, Arc::clone(&schema), Some(properties))?;
        Ok(Self { to, schema, held: None, closed: 0 })
    }

    /// Adds one row of a batch, of which the columns `kept` are written.
    pub fn write(
        &mut self,
        rows: &ArrowRows,
        row: usize,
        kept: &[usize],
        of: (&Arc<str>, &Arc<[Option<String>]>),
        why: (String, String),
    ) -> Result<()> {
        if self.held.as_ref().is_some_and(|held| !held.takes(rows)) {
            self.write_held()?;
        }
        let row = u32::try_from(row)
            .map_err(|_| ParquetError::General(format!("row {row} of a batch is out of range")))?;
        let held = match &mut self.held {
            Some(held) => held,
            None => self.held.insert(Held::of(rows, kept, of)?),
        };
        held.rows.push(row);
        held.codes.push(why.0);
        held.messages.push(why.1);
        Ok(())
    }

    /// Ends the file, all rows written.
    pub fn into_staged(mut self) -> Result<Staged> {
        self.write_held()?;
        self.to.into_inner()
    }

    fn write_held(&mut self) -> Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        self.to.write(&held.into_batch(&self.schema)?)?;
        let open = self.to.in_progress_rows();
        if open >= GROUP_ROWS_FIRST && open as u64 >= self.closed / GROUP_SHARE {
            self.to.flush()?;
            self.closed += open as u64;
        }
        Ok(())
    }
}

impl Held {
    fn of(
        rows: &ArrowRows,
        kept: &[usize],
        (path, given): (&Arc<str>, &Arc<[Option<String>]>),
    ) -> Result<Self> {
        Ok(Self {
            batch: rows.batch.project(kept)?,
            first_row: rows.first_row,
            row_group: rows.row_group,
            file: rows.file,
            path: Arc::clone(path),
            given: Arc::clone(given),
            rows: Vec::new(),
            codes: Vec::new(),
            messages: Vec::new(),
        })
    }

    fn takes(&self, rows: &ArrowRows) -> bool {
        (self.file, self.row_group, self.first_row) == (rows.file, rows.row_group, rows.first_row)
            && self.rows.len() < GROUP_ROWS_MAX
    }

    fn into_batch(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let Self { batch, first_row, row_group, path, given, rows, codes, messages, .. } = self;
        let count = rows.len();
        let numbers =
            UInt64Array::from_iter_values(rows.iter().map(|&row| first_row + u64::from(row)));
        let taken = take_record_batch(&batch, &UInt32Array::from(rows))?;
        let extra: [ArrayRef; 5] = [
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&path, count))),
            Arc::new(numbers),
            Arc::new(UInt32Array::from_value(row_group, count)),
            Arc::new(StringArray::from(codes)),
            Arc::new(StringArray::from(messages)),
        ];
        let columns = taken.columns().iter().zip(schema.fields());
        let kept = columns.map(|(column, field)| stored(column, field.data_type()));
        let given = given.iter().map(|value| -> ArrayRef {
            Arc::new(StringArray::from_iter(std::iter::repeat_n(value.as_deref(), count)))
        });
        let columns = kept
            .chain(given.map(Ok))
            .chain(extra.map(Ok))
            .collect::<std::result::Result<_, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
