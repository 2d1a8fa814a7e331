//! The rows of a file, record batch by record batch, in parts that can be passed on.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, MutableArrayData, RecordBatch, RecordBatchOptions, make_array,
    },
    compute::{can_cast_types, cast},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    error::ArrowError,
};

use super::{
    ArrowFile, Error, has_nested_values,
    message::{Dictionaries, caught, is_named},
    messages::{Place, Walk, What},
    project,
};
use crate::decode::{
    parquet::{Parts, part_rows},
    uuid,
};
use crate::model::ArrowRows;

/// The rows of a range of a file; ends after the first error.
pub struct BatchRows {
    file: ArrowFile,
    walk: Walk,
    dictionaries: Dictionaries,
    /// The columns, in the order of the schema.
    projection: Vec<usize>,
    /// The schema of these columns in the file.
    stored: Schema,
    /// The types of these columns with UUIDs as text.
    texts: Vec<DataType>,
    /// The schema of the batches that are handed out.
    schema: SchemaRef,
    /// The rows that are wanted, from 0.
    rows: Range<u64>,
    /// The next message.
    next: usize,
    batch: Option<Batch>,
}

/// A decoded record batch, of which some rows are still to be handed out.
struct Batch {
    number: u32,
    /// The row in the file, from 0, that is handed out next.
    row: u64,
    rest: RecordBatch,
    /// Rows that are handed out at a time.
    part_rows: usize,
    parts: Option<Parts>,
}

impl BatchRows {
    pub(super) fn new(file: ArrowFile, wanted: &[usize], rows: Range<u64>) -> Self {
        let mut projection: Vec<usize> =
            wanted.iter().copied().filter(|&at| at < file.columns().len()).collect();
        projection.sort_unstable();
        projection.dedup();
        let stored = project(file.schema(), &projection);
        let fields = stored.fields().iter().map(|field| {
            let data_type = read_type(field);
            Field::new(field.name(), data_type, true)
        });
        let texts = stored.fields().iter().map(|field| uuid::text_type(field)).collect();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self {
            walk: Walk::new(&file.0.file),
            dictionaries: Dictionaries::default(),
            file,
            projection,
            stored,
            texts,
            schema,
            rows,
            next: 0,
            batch: None,
        }
    }

    fn next_part(&mut self) -> Result<Option<ArrowRows>, Error> {
        loop {
            if let Some(batch) = &mut self.batch {
                let row_group = batch.number;
                let broken = |what| Error::Broken { batch: row_group, what };
                if let Some(part) = batch.next_part(&self.texts, &self.schema).map_err(broken)? {
                    let first_row = batch.row + 1;
                    batch.row += part.num_rows() as u64;
                    let file = self.file.0.index;
                    return Ok(Some(ArrowRows {
                        file,
                        row_group,
                        is_batch: true,
                        first_row,
                        batch: part,
                    }));
                }
                self.batch = None;
            }
            let messages = &self.file.0.messages;
            let Some(&place) = messages.all.get(self.next) else { return Ok(None) };
            self.next += 1;
            match place.what {
                What::Dictionary { id } if is_named(&self.stored, id) => {
                    self.dictionaries.take(&mut self.walk, place, messages)?;
                }
                What::Dictionary { .. } => {}
                What::Batch { first_row, .. } if first_row >= self.rows.end => return Ok(None),
                What::Batch { first_row, rows, number } => {
                    let from = self.rows.start.max(first_row);
                    let end = self.rows.end.min(first_row + rows);
                    if from < end {
                        self.batch = Some(self.decode(place, number, first_row, from..end)?);
                    }
                }
            }
        }
    }

    fn decode(
        &mut self,
        place: Place,
        number: u32,
        first_row: u64,
        rows: Range<u64>,
    ) -> Result<Batch, Error> {
        let Self { walk, dictionaries, file, projection, .. } = self;
        let batch = dictionaries.decode(walk, place, number, &file.0.messages, projection)?;
        // Both lie in the batch, whose rows were counted.
        let (before, count) = ((rows.start - first_row) as usize, (rows.end - rows.start) as usize);
        if before + count > batch.num_rows() {
            let what = format!("it has {} rows and claims more", batch.num_rows());
            return Err(Error::Broken { batch: number, what });
        }
        let rest = batch.slice(before, count);
        let part_rows = part_rows(&rest);
        Ok(Batch { number, row: rows.start, rest, part_rows, parts: None })
    }
}

impl Iterator for BatchRows {
    type Item = Result<ArrowRows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_part().transpose();
        if matches!(next, Some(Err(_))) {
            self.batch = None;
            self.next = usize::MAX;
        }
        next
    }
}

impl Batch {
    fn next_part(
        &mut self,
        texts: &[DataType],
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>, String> {
        loop {
            if let Some(parts) = &mut self.parts {
                match parts.next()? {
                    Some(part) => return Ok(Some(part)),
                    None => self.parts = None,
                }
            }
            let rows = self.part_rows.min(self.rest.num_rows());
            if rows == 0 {
                return Ok(None);
            }
            let part = caught(|| own(&self.rest.slice(0, rows), texts, schema))?;
            self.rest = self.rest.slice(rows, self.rest.num_rows() - rows);
            self.parts = Some(Parts::of(part));
        }
    }
}

/// Some rows of a batch in memory of their own, lest whoever keeps them keeps the whole batch, as the
/// types that they are read as.
fn own(
    part: &RecordBatch,
    texts: &[DataType],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let columns = part.columns().iter().zip(texts).zip(schema.fields());
    let columns = columns.map(|((column, text), field)| {
        let column = uuid::as_text(&copied(column)?, text)?;
        match column.data_type() == field.data_type() {
            true => Ok(column),
            false => cast(&column, field.data_type()),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(part.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn copied(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if *column.data_type() == DataType::Utf8View {
        return Ok(Arc::new(column.as_string_view().gc()));
    }
    let data = column.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(make_array(copy.freeze()))
}

/// The type that a column is read as: as those of Parquet files are, so that a text that a dictionary
/// holds once is in memory once, and lists have one form.
pub(super) fn read_type(field: &Field) -> DataType {
    let stored = uuid::text_type(field);
    let wanted = plain(&stored);
    if can_cast_types(&stored, &wanted) { wanted } else { stored }
}

fn plain(stored: &DataType) -> DataType {
    use DataType as T;
    let inner = |field: &FieldRef| {
        let data_type = plain(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match stored {
        T::Utf8 | T::LargeUtf8 => T::Utf8View,
        // Its values would have to be written out, however large they are.
        T::Dictionary(..) if has_nested_values(stored) => stored.clone(),
        T::Dictionary(_, values) => plain(values),
        T::List(item) => T::List(inner(item)),
        T::LargeList(item) => T::LargeList(inner(item)),
        T::FixedSizeList(item, _) => T::List(inner(item)),
        T::Struct(fields) => T::Struct(fields.iter().map(inner).collect()),
        T::Map(entries, sorted) => T::Map(inner(entries), *sorted),
        other => other.clone(),
    }
}
