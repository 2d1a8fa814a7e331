//! The reader and the shaper of Parquet columns agree on which types can be read.

use std::sync::Arc;

use arrow::{
    array::new_empty_array,
    datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit},
};
use moebulk::{
    decode::parquet::refusal,
    shape::arrow_cells::{ArrowColumn, declared},
};

#[test]
fn a_column_is_refused_exactly_where_it_has_no_cells() {
    let item = || Arc::new(Field::new_list_field(DataType::Int32, true));
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    let flat = [
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt64,
        DataType::Float16,
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Decimal32(9, 2),
        DataType::Decimal256(76, -3),
        DataType::Date32,
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Duration(TimeUnit::Second),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(16),
        DataType::List(item()),
        DataType::LargeList(item()),
        DataType::FixedSizeList(item(), 2),
        DataType::Struct(entries.clone()),
        DataType::Map(Field::new("entries", DataType::Struct(entries), false).into(), false),
        DataType::LargeList(Field::new_list_field(DataType::Binary, true).into()),
        DataType::Struct(vec![Field::new("a", DataType::BinaryView, true)].into()),
        DataType::RunEndEncoded(Field::new("ends", DataType::Int32, false).into(), item()),
    ];
    for data_type in flat {
        let array = new_empty_array(&data_type);
        assert_eq!(refusal(&data_type).is_none(), ArrowColumn::new(&array).is_ok(), "{data_type}");
        let is_flat = data_type != DataType::Null && !data_type.is_nested();
        let has_type = is_flat && refusal(&data_type).is_none();
        assert_eq!(declared(&data_type).is_some(), has_type, "{data_type}");
    }
}
