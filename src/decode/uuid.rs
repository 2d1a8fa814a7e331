//! UUIDs: 16 bytes in a typed file, and text from here on, wherever in a column they are.
//!
//! A file says in its own way which values are some: Parquet by a leaf's logical type, Arrow by the
//! name of a field's extension type. Either makes a type with text in their places, and
//! [`as_text`] makes a column what such a type says.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, StringViewBuilder, make_array},
    datatypes::{DataType, Field, FieldRef, Schema},
    error::ArrowError,
};

/// Bytes of a UUID, and characters of its text.
const BYTES: i32 = 16;
const CHARS: usize = 36;

/// The bytes before which a hyphen stands.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// Arrow's extension type, and where a field's metadata have it.
const EXTENSION: &str = "arrow.uuid";
const EXTENSION_KEYS: [&str; 2] = ["ARROW:extension:name", "ARROW:extension:metadata"];

/// What UUIDs are read as.
pub const TEXT: DataType = DataType::Utf8View;

/// Whether values of a type are as long as UUIDs are.
pub fn fits(data_type: &DataType) -> bool {
    *data_type == DataType::FixedSizeBinary(BYTES)
}

/// Whether an Arrow field says that its values are UUIDs.
pub fn is_marked(field: &Field) -> bool {
    field.extension_type_name() == Some(EXTENSION)
}

/// The type of an Arrow field with text in place of UUIDs.
pub fn text_type(field: &Field) -> DataType {
    use DataType as T;
    let inner = |field: &FieldRef| Arc::new(with_type(field, text_type(field)));
    match field.data_type() {
        T::List(item) => T::List(inner(item)),
        T::LargeList(item) => T::LargeList(inner(item)),
        T::ListView(item) => T::ListView(inner(item)),
        T::LargeListView(item) => T::LargeListView(inner(item)),
        T::FixedSizeList(item, length) => T::FixedSizeList(inner(item), *length),
        T::Struct(fields) => T::Struct(fields.iter().map(inner).collect()),
        T::Map(entries, sorted) => T::Map(inner(entries), *sorted),
        leaf if is_marked(field) && fits(leaf) => TEXT,
        leaf => leaf.clone(),
    }
}

/// A field of another type; text is not marked as the extension type.
pub fn with_type(field: &Field, data_type: DataType) -> Field {
    let is_text = data_type == TEXT;
    let mut read = field.clone().with_data_type(data_type);
    if is_text && is_marked(field) {
        for key in EXTENSION_KEYS {
            read.metadata_mut().remove(key);
        }
    }
    read
}

/// A batch with UUIDs as text. `types` says of each of its columns what it becomes, if it holds some.
pub fn batch_as_text(
    batch: &RecordBatch,
    types: &[Option<DataType>],
) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(types).map(|(column, wanted)| match wanted {
        Some(wanted) => as_text(column, wanted),
        None => Ok(Arc::clone(column)),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let metadata = batch.schema_ref().metadata().clone();
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata);
    RecordBatch::try_new(schema.into(), columns)
}

/// A column as a type that differs from its own in that it has text in place of UUIDs.
pub fn as_text(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    match column.data_type() == wanted {
        true => Ok(Arc::clone(column)),
        false => Ok(make_array(data_as_text(column.to_data(), wanted)?)),
    }
}

fn data_as_text(data: ArrayData, wanted: &DataType) -> Result<ArrayData, ArrowError> {
    if data.data_type() == wanted {
        return Ok(data);
    }
    if !wanted.is_nested() {
        return texts(make_array(data).as_ref());
    }
    let children = data.child_data().iter().zip(children(wanted));
    let children = children.map(|(child, field)| data_as_text(child.clone(), field.data_type()));
    let children = children.collect::<Result<_, _>>()?;
    data.into_builder().data_type(wanted.clone()).child_data(children).build()
}

/// The fields of a nested type, in the order in which an array of it has them.
fn children(nested: &DataType) -> &[FieldRef] {
    use DataType as T;
    match nested {
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) => {
            std::slice::from_ref(item)
        }
        T::FixedSizeList(item, _) | T::Map(item, _) => std::slice::from_ref(item),
        T::Struct(fields) => fields,
        _ => &[],
    }
}

fn texts(column: &dyn Array) -> Result<ArrayData, ArrowError> {
    let uuids = column.as_fixed_size_binary_opt().filter(|_| fits(column.data_type()));
    let uuids = uuids
        .ok_or_else(|| ArrowError::SchemaError("UUIDs are decoded as something else".to_owned()))?;
    let mut texts = StringViewBuilder::with_capacity(uuids.len());
    let mut text = String::with_capacity(CHARS);
    for uuid in uuids {
        texts.append_option(uuid.map(|uuid| {
            write(uuid, &mut text);
            text.as_str()
        }));
    }
    Ok(texts.finish().into_data())
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
