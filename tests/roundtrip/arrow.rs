//! A table as a Parquet file: values of every Arrow type, nested as they come.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
        FixedSizeListArray, Float32Array, Float64Array, Int64Array, LargeListArray, ListArray,
        MapArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::cast,
    datatypes::{DataType, Field, Fields, i256},
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use fastrand::Rng;
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

use crate::{
    spell,
    table::{Format, Table},
    types::Type,
    values::{Value, one},
};

static ABSENT: Value = Value::Absent;

/// Writes a table as Parquet; and beside it, with the ending `.arrow`, as Arrow IPC, a file or a stream.
pub fn write(table: &Table, path: &Path, seed: u64) {
    let rng = &mut Rng::with_seed(seed ^ 0xa7);
    let columns = table.columns.iter().enumerate().map(|(at, column)| {
        let values: Vec<&Value> = table.rows.iter().map(|row| &row[at]).collect();
        let array = if column.native {
            array(rng, &column.values, &values)
        } else {
            let text = |value: &&Value| match value {
                Value::Absent if table.format == Format::BareParquet || rng.bool() => None,
                value => Some(spell::cell(rng, value, column, table)),
            };
            let texts: StringArray = values.iter().map(text).collect();
            some_text(rng, texts)
        };
        (column.source.as_str(), array, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("a batch");
    let compression = one(rng, &[Compression::UNCOMPRESSED, Compression::SNAPPY]);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rng.usize(1_500..4_000)))
        .set_dictionary_enabled(rng.bool())
        .set_compression(compression)
        .build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    write_ipc(rng, &batch, &path.with_extension("arrow"));
}

fn write_ipc(rng: &mut Rng, batch: &RecordBatch, path: &Path) {
    let file = File::create(path).expect("a file");
    let codec = one(rng, &[None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)]);
    let options = IpcWriteOptions::default().try_with_compression(codec).expect("a codec");
    let rows = rng.usize(300..4_000);
    let slices = (0..batch.num_rows()).step_by(rows);
    let slices = slices.map(|at| batch.slice(at, rows.min(batch.num_rows() - at)));
    if rng.bool() {
        let writer = FileWriter::try_new_with_options(file, &batch.schema(), options);
        let mut writer = writer.expect("a writer");
        slices.for_each(|slice| writer.write(&slice).expect("rows"));
        writer.finish().expect("a footer");
    } else {
        let writer = StreamWriter::try_new_with_options(file, &batch.schema(), options);
        let mut writer = writer.expect("a writer");
        slices.for_each(|slice| writer.write(&slice).expect("rows"));
        writer.finish().expect("an end");
    }
}

/// Texts in one of the ways in which Arrow holds them.
fn some_text(rng: &mut Rng, texts: StringArray) -> ArrayRef {
    let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    let ways = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, dictionary];
    cast(&texts, &ways[rng.usize(..ways.len())]).expect("texts")
}

fn array(rng: &mut Rng, ty: &Type, values: &[&Value]) -> ArrayRef {
    let nulls: NullBuffer = values.iter().map(|value| !matches!(value, Value::Absent)).collect();
    match ty {
        Type::Word | Type::Choice(_) | Type::Text => {
            let texts: StringArray = values.iter().map(|value| text(value)).collect();
            some_text(rng, texts)
        }
        Type::Bool => {
            let bools: BooleanArray = values
                .iter()
                .map(|value| match value {
                    Value::Bool(value) => Some(*value),
                    _ => None,
                })
                .collect();
            Arc::new(bools)
        }
        Type::Date => {
            let days = values.iter().map(|value| match value {
                Value::Date(days) => Some(*days as i32),
                _ => None,
            });
            Arc::new(days.collect::<Date32Array>())
        }
        &Type::Moment(places) => moments(rng, places, values),
        Type::Offset => integers(values, &DataType::Int32),
        &Type::Int(bits, signed) => {
            let target = match (bits, signed) {
                (8, true) => DataType::Int8,
                (16, true) => DataType::Int16,
                (32, true) => DataType::Int32,
                (_, true) => DataType::Int64,
                (8, false) => DataType::UInt8,
                (16, false) => DataType::UInt16,
                (32, false) => DataType::UInt32,
                (_, false) => DataType::UInt64,
            };
            integers(values, &target)
        }
        &Type::Decimal(precision, scale) => decimals(values, precision as u8, scale as i8),
        Type::Double => {
            Arc::new(values.iter().map(|value| double(value)).collect::<Float64Array>())
        }
        Type::Single => {
            let singles = values.iter().map(|value| double(value).map(|value| value as f32));
            Arc::new(singles.collect::<Float32Array>())
        }
        Type::List(inner) => list(rng, inner, values, nulls),
        Type::Struct(fields) => {
            let arrays: Vec<ArrayRef> = (0..fields.len())
                .map(|at| {
                    let members: Vec<&Value> = values
                        .iter()
                        .map(|value| match value {
                            Value::Object(fields) => &fields[at].1,
                            _ => &ABSENT,
                        })
                        .collect();
                    array(rng, &fields[at].1, &members)
                })
                .collect();
            let field = |(at, array): (usize, &ArrayRef)| field(&fields[at].0, array);
            let fields: Fields = arrays.iter().enumerate().map(field).collect();
            Arc::new(StructArray::new(fields, arrays, Some(nulls)))
        }
        Type::Map(inner) => {
            let entries: Vec<&[(String, Value)]> = values
                .iter()
                .map(|value| match value {
                    Value::Object(entries) => entries.as_slice(),
                    _ => &[],
                })
                .collect();
            let offsets = OffsetBuffer::from_lengths(entries.iter().map(|entries| entries.len()));
            let keys: StringArray =
                entries.iter().copied().flatten().map(|(key, _)| Some(key.as_str())).collect();
            let items: Vec<&Value> =
                entries.iter().copied().flatten().map(|(_, value)| value).collect();
            let keys: ArrayRef = Arc::new(keys);
            let items = array(rng, inner, &items);
            let fields = vec![
                Field::new("key", keys.data_type().clone(), false),
                Field::new("value", items.data_type().clone(), true),
            ];
            let entries = StructArray::new(fields.into(), vec![keys, items], None);
            let entry = Field::new("entries", entries.data_type().clone(), false);
            Arc::new(MapArray::new(Arc::new(entry), offsets, entries, Some(nulls), false))
        }
        other => panic!("{other:?} has no Arrow type"),
    }
}

fn field(name: &str, array: &ArrayRef) -> Field {
    Field::new(name, array.data_type().clone(), true)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(value) => Some(*value),
        _ => None,
    }
}

fn digits(value: &Value) -> Option<&str> {
    match value {
        Value::Number { digits, .. } => Some(digits),
        _ => None,
    }
}

fn integers(values: &[&Value], target: &DataType) -> ArrayRef {
    if *target == DataType::UInt64 {
        let numbers = values.iter().map(|value| digits(value)?.parse::<u64>().ok());
        return Arc::new(numbers.collect::<UInt64Array>());
    }
    let numbers: Int64Array =
        values.iter().map(|value| digits(value)?.parse::<i64>().ok()).collect();
    cast(&numbers, target).expect("numbers in range")
}

fn decimals(values: &[&Value], precision: u8, scale: i8) -> ArrayRef {
    let unscaled = |value: &&Value| Some(digits(value)?.replace('.', ""));
    if precision > 38 {
        let numbers = values.iter().map(|value| i256::from_string(&unscaled(value)?));
        let array: Decimal256Array = numbers.collect();
        return Arc::new(array.with_precision_and_scale(precision, scale).expect("a decimal"));
    }
    let numbers = values.iter().map(|value| unscaled(value)?.parse::<i128>().ok());
    let array: Decimal128Array = numbers.collect();
    Arc::new(array.with_precision_and_scale(precision, scale).expect("a decimal"))
}

fn moments(rng: &mut Rng, places: u32, values: &[&Value]) -> ArrayRef {
    let units = values.iter().map(|value| match value {
        Value::Moment { seconds, nanos } => {
            Some(seconds * 10_i64.pow(places) + i64::from(nanos / 10_u32.pow(9 - places)))
        }
        _ => None,
    });
    // A zone says where the moment was noted; the count is in UTC all the same.
    let zone = one(rng, &[None, Some("UTC"), Some("+05:30")]).map(Arc::from);
    match places {
        0 => Arc::new(units.collect::<TimestampSecondArray>().with_timezone_opt(zone)),
        3 => Arc::new(units.collect::<TimestampMillisecondArray>().with_timezone_opt(zone)),
        6 => Arc::new(units.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone)),
        _ => Arc::new(units.collect::<TimestampNanosecondArray>().with_timezone_opt(zone)),
    }
}

fn list(rng: &mut Rng, inner: &Type, values: &[&Value], nulls: NullBuffer) -> ArrayRef {
    let lists: Vec<&[Value]> = values
        .iter()
        .map(|value| match value {
            Value::List(items) => items.as_slice(),
            _ => &[],
        })
        .collect();
    let way = rng.u8(..3);
    if way == 0 {
        // Of three items each: nulls fill up, which are left out as any null is.
        const WIDTH: usize = 3;
        let items: Vec<&Value> = lists
            .iter()
            .flat_map(|list| (0..WIDTH).map(|at| list.get(at).unwrap_or(&ABSENT)))
            .collect();
        let items = array(rng, inner, &items);
        let item = Arc::new(field("item", &items));
        return Arc::new(FixedSizeListArray::new(item, WIDTH as i32, items, Some(nulls)));
    }
    let lengths = lists.iter().map(|list| list.len());
    let items: Vec<&Value> = lists.iter().copied().flatten().collect();
    let items = array(rng, inner, &items);
    let item = Arc::new(field("item", &items));
    if way == 1 {
        return Arc::new(ListArray::new(
            item,
            OffsetBuffer::from_lengths(lengths),
            items,
            Some(nulls),
        ));
    }
    Arc::new(LargeListArray::new(item, OffsetBuffer::from_lengths(lengths), items, Some(nulls)))
}
