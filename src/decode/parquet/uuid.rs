//! Columns of UUIDs: 16 bytes in the file, and text from here on.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use parquet::{basic::LogicalType, schema::types::Type};

/// Bytes of a UUID, and characters of its text.
const BYTES: i32 = 16;
const CHARS: usize = 36;

/// The bytes before which a hyphen stands.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// Whether a top-level column holds UUIDs. `field` is what the file calls it, `data_type` what it is
/// decoded as.
pub(super) fn is_uuid(field: &Type, data_type: &DataType) -> bool {
    field.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid)
        && *data_type == DataType::FixedSizeBinary(BYTES)
}

/// A batch with UUIDs as text. `is_uuid` says of each of its columns whether it holds some.
pub(super) fn as_text(batch: &RecordBatch, is_uuid: &[bool]) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(is_uuid).map(|(column, is_uuid)| match is_uuid {
        true => texts(column.as_ref()),
        false => Ok(Arc::clone(column)),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let metadata = batch.schema_ref().metadata().clone();
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata);
    RecordBatch::try_new(schema.into(), columns)
}

fn texts(column: &dyn Array) -> Result<ArrayRef, ArrowError> {
    let uuids = column.as_fixed_size_binary_opt().ok_or_else(|| {
        ArrowError::ParquetError("a column of UUIDs is decoded as something else".to_owned())
    })?;
    let mut texts = StringViewBuilder::with_capacity(uuids.len());
    let mut text = String::with_capacity(CHARS);
    for uuid in uuids {
        texts.append_option(uuid.map(|uuid| {
            write(uuid, &mut text);
            text.as_str()
        }));
    }
    Ok(Arc::new(texts.finish()))
}

/// The text of a UUID, as RFC 9562 writes it.
fn write(uuid: &[u8], text: &mut String) {
    text.clear();
    for (at, byte) in uuid.iter().enumerate() {
        if HYPHENS.contains(&at) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
}
