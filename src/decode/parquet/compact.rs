//! Batches of a size that can be passed on: split by what their values take as JSON, and
//! with texts of their own in place of views of whole pages.

use std::sync::Arc;

use super::{BATCH_CACHED_BYTES, BATCH_CACHED_ROWS_MIN, BATCH_ROWS_MAX};
use arrow::{
    array::{
        Array, ArrayData, ArrayRef, AsArray, RecordBatch, StringViewArray, UInt32Array, make_array,
    },
    compute::take_record_batch,
    datatypes::{DataType, Fields},
    error::ArrowError,
};

/// About the most bytes of values in one batch, as JSON. A batch has fewer rows where they
/// are long.
pub(super) const BATCH_BYTES_MAX: u64 = 8 << 20;

/// The most bytes of one row as JSON. The server takes 128 KB.
const ROW_BYTES_MAX: u64 = 32 << 20;

/// Bytes of a value that is no text, about.
const VALUE_BYTES: u64 = 16;
/// What a name in an object has beside itself: quotes, a colon, a comma.
const NAME_BYTES: u64 = 4;
/// The most bytes that one byte of text is written as.
const ESCAPED_BYTES_MAX: u64 = 6;

/// A batch that is handed out in parts, the next one last.
pub(in crate::decode) struct Parts(Vec<RecordBatch>);

impl Parts {
    pub fn of(batch: RecordBatch) -> Self {
        Self(vec![batch])
    }

    /// The next part; `None` where all were handed out.
    ///
    /// # Errors
    /// What a row has too much of.
    pub fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        let Some(mut part) = self.0.pop() else { return Ok(None) };
        let whole = self.0.is_empty();
        let mut split = false;
        loop {
            let (bytes, rows) = (batch_bytes(&part), part.num_rows());
            if bytes <= BATCH_BYTES_MAX || rows <= 1 && bytes <= ROW_BYTES_MAX {
                let own = if whole && !split { part } else { apart(&part)? };
                return with_own_texts(own).map(Some).map_err(|error| error.to_string());
            }
            if rows <= 1 {
                return Err(format!("a row takes {bytes} bytes, the most is {ROW_BYTES_MAX}"));
            }
            split = true;
            self.0.push(part.slice(rows / 2, rows - rows / 2));
            part = part.slice(0, rows / 2);
        }
    }
}

/// A part of a batch with lists of its own, where it has any: a slice of a list has all the
/// values of the whole.
fn apart(part: &RecordBatch) -> Result<RecordBatch, String> {
    if !part.columns().iter().any(|column| column.data_type().is_nested()) {
        return Ok(part.clone());
    }
    // A batch has no more rows than that by far.
    let rows = UInt32Array::from_iter_values(0..part.num_rows() as u32);
    take_record_batch(part, &rows).map_err(|error| error.to_string())
}

/// A batch without views of pages much larger than what it shows of them, lest whoever
/// keeps it keeps those.
fn with_own_texts(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter();
    let pages: usize = columns.map(|column| column.get_buffer_memory_size()).sum();
    if pages as u64 <= BATCH_BYTES_MAX {
        return Ok(batch);
    }
    let columns = batch.columns().iter().map(|column| -> Result<ArrayRef, ArrowError> {
        Ok(match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            data_type if data_type.is_nested() => make_array(own_texts(column.to_data())?),
            _ => Arc::clone(column),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

fn own_texts(data: ArrayData) -> Result<ArrayData, ArrowError> {
    if *data.data_type() == DataType::Utf8View {
        return Ok(StringViewArray::from(data).gc().into_data());
    }
    let children = data.child_data().iter().map(|child| own_texts(child.clone()));
    let children = children.collect::<Result<_, _>>()?;
    data.into_builder().child_data(children).build()
}

/// Bytes of a batch's values as JSON, about, each as often as it stands in a row: they are
/// written for all rows of a batch before any is passed on.
fn batch_bytes(batch: &RecordBatch) -> u64 {
    let names = names_bytes(batch.schema_ref().fields(), batch.num_rows());
    names + batch.columns().iter().map(|column| array_bytes(column.as_ref())).sum::<u64>()
}

/// Rows of a part that stays in the cache with its JSON.
pub(in crate::decode) fn part_rows(batch: &RecordBatch) -> usize {
    let row_bytes = (batch_bytes(batch) / (batch.num_rows() as u64).max(1)).max(1);
    let cached = (BATCH_CACHED_BYTES / row_bytes).max(BATCH_CACHED_ROWS_MIN);
    (BATCH_BYTES_MAX / row_bytes).min(cached).clamp(1, BATCH_ROWS_MAX as u64) as usize
}

fn names_bytes(fields: &Fields, rows: usize) -> u64 {
    let names = fields.iter().map(|field| field.name().len() as u64 + NAME_BYTES);
    names.sum::<u64>().saturating_mul(rows as u64)
}

fn array_bytes(array: &dyn Array) -> u64 {
    let part = |values: &ArrayRef, from: usize, to: usize| {
        array_bytes(values.slice(from, to.saturating_sub(from)).as_ref())
    };
    let views = |lists: &mut dyn Iterator<Item = Option<ArrayRef>>| {
        lists.flatten().map(|list| array_bytes(list.as_ref())).sum::<u64>()
    };
    let own = array.len() as u64 * VALUE_BYTES;
    own + match array.data_type() {
        DataType::Utf8View => text_bytes(array.as_string_view()),
        // Those of Arrow files, before they are views.
        DataType::Utf8 => {
            let ends = array.as_string::<i32>().value_offsets();
            (ends[array.len()] - ends[0]) as u64
        }
        DataType::LargeUtf8 => {
            let ends = array.as_string::<i64>().value_offsets();
            (ends[array.len()] - ends[0]) as u64
        }
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            array_bytes(list.values().as_ref())
        }
        DataType::Dictionary(_, values) if values.is_nested() => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            if values.is_empty() {
                return own;
            }
            let bytes = |key: usize| array_bytes(values.slice(key, 1).as_ref());
            dictionary.normalized_keys().into_iter().map(bytes).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let ends = list.value_offsets();
            part(list.values(), ends[0] as usize, ends[list.len()] as usize)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let ends = list.value_offsets();
            part(list.values(), ends[0] as usize, ends[list.len()] as usize)
        }
        DataType::ListView(_) => views(&mut array.as_list_view::<i32>().iter()),
        DataType::LargeListView(_) => views(&mut array.as_list_view::<i64>().iter()),
        DataType::Map(..) => {
            let map = array.as_map();
            let (from, to) = (map.value_offsets()[0], map.value_offsets()[map.len()]);
            let (from, to) = (from as usize, to as usize);
            part(map.keys(), from, to) + part(map.values(), from, to)
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter();
            let values = columns.map(|column| array_bytes(column.as_ref())).sum::<u64>();
            names_bytes(fields, array.len()) + values
        }
        _ => 0,
    }
}

fn text_bytes(texts: &StringViewArray) -> u64 {
    // The low half of the low half of a view is the length of its text.
    let plain: u64 = texts.views().iter().map(|&view| u64::from(view as u32)).sum();
    if plain * ESCAPED_BYTES_MAX <= BATCH_BYTES_MAX {
        return plain;
    }
    let escapes = |text: &str| {
        let more = |&byte: &u8| match byte {
            b'"' | b'\\' => 1,
            0..0x20 => ESCAPED_BYTES_MAX - 1,
            _ => 0,
        };
        text.as_bytes().iter().map(more).sum::<u64>()
    };
    plain + texts.iter().flatten().map(escapes).sum::<u64>()
}
