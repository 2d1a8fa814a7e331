//! The types in which Parquet keeps the values of rejected rows.
//!
//! Parquet has no name for some types of Arrow. Written all the same they are bare integers, whose
//! meaning only the Arrow schema in the file's metadata tells, and few tools with which such a file
//! is mended read or write that. So they become what every reader knows and an import sends alike.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, make_array},
    compute::cast,
    datatypes::{
        ArrowPrimitiveType, DataType, Date64Type, DurationMicrosecondType, DurationMillisecondType,
        DurationNanosecondType, DurationSecondType, Field, FieldRef, IntervalDayTimeType,
        IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, TimeUnit,
    },
    error::ArrowError,
    temporal_conversions::date64_to_datetime,
};

use crate::model::push_duration;

/// A field with the type in which its values are stored.
pub(super) fn stored_field(field: &FieldRef) -> FieldRef {
    let data_type = stored_type(field.data_type());
    // A time that the wider unit can't say becomes null.
    let is_nullable = field.is_nullable()
        || matches!(field.data_type(), DataType::Timestamp(TimeUnit::Second, _));
    Arc::new(Field::clone(field).with_data_type(data_type).with_nullable(is_nullable))
}

fn stored_type(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        // Views are how texts are read here, and other readers need not know the type.
        T::Utf8View => T::Utf8,
        T::Timestamp(TimeUnit::Second, zone) => T::Timestamp(TimeUnit::Millisecond, zone.clone()),
        T::Time32(TimeUnit::Second) => T::Time32(TimeUnit::Millisecond),
        // Days, or moments where they are none: as text alone it is both.
        T::Date64 | T::Duration(_) | T::Interval(_) => T::Utf8,
        // An object without a member, which Parquet can't have.
        T::Struct(fields) if fields.is_empty() => T::Utf8,
        T::Struct(fields) => T::Struct(fields.iter().map(stored_field).collect()),
        T::List(item) => T::List(stored_field(item)),
        T::LargeList(item) => T::LargeList(stored_field(item)),
        T::ListView(item) => T::ListView(stored_field(item)),
        T::LargeListView(item) => T::LargeListView(stored_field(item)),
        T::FixedSizeList(item, len) => T::FixedSizeList(stored_field(item), *len),
        T::Map(entries, sorted) => T::Map(stored_field(entries), *sorted),
        T::Dictionary(_, values) if stored_type(values) != **values => stored_type(values),
        other => other.clone(),
    }
}

/// An array as the type `to` that [`stored_field`] gave its field. A time beyond what the wider unit
/// can say, hundreds of millions of years from now, becomes null.
///
/// # Errors
/// The crate's.
pub(super) fn stored(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    Ok(match array.data_type() {
        from if from == to => Arc::clone(array),
        T::Date64 => texts(array, |row, out| push_day(out, values::<Date64Type>(array)[row])),
        T::Duration(unit) => {
            let (values, units) = match unit {
                TimeUnit::Second => (values::<DurationSecondType>(array), 1),
                TimeUnit::Millisecond => (values::<DurationMillisecondType>(array), 1_000),
                TimeUnit::Microsecond => (values::<DurationMicrosecondType>(array), 1_000_000),
                TimeUnit::Nanosecond => (values::<DurationNanosecondType>(array), 1_000_000_000),
            };
            texts(array, |row, out| push_duration(out, 0, 0, values[row], units))
        }
        T::Interval(IntervalUnit::YearMonth) => {
            let values = values::<IntervalYearMonthType>(array);
            texts(array, |row, out| push_duration(out, values[row], 0, 0, 1))
        }
        T::Interval(IntervalUnit::DayTime) => texts(array, |row, out| {
            let value = values::<IntervalDayTimeType>(array)[row];
            push_duration(out, 0, value.days, value.milliseconds.into(), 1_000);
        }),
        T::Interval(IntervalUnit::MonthDayNano) => texts(array, |row, out| {
            let value = values::<IntervalMonthDayNanoType>(array)[row];
            push_duration(out, value.months, value.days, value.nanoseconds, 1_000_000_000);
        }),
        T::Struct(fields) if fields.is_empty() => texts(array, |_, out| out.push_str("{}")),
        T::Dictionary(_, values) => stored(&cast(array, values)?, to)?,
        T::Struct(_)
        | T::List(_)
        | T::LargeList(_)
        | T::ListView(_)
        | T::LargeListView(_)
        | T::FixedSizeList(..)
        | T::Map(..) => {
            let data = array.to_data();
            let children = data
                .child_data()
                .iter()
                .zip(parts(to))
                .map(|(child, to)| Ok(stored(&make_array(child.clone()), to)?.into_data()));
            let children = children.collect::<Result<_, ArrowError>>()?;
            make_array(data.into_builder().data_type(to.clone()).child_data(children).build()?)
        }
        _ => cast(array, to)?,
    })
}

/// The types of an array's children.
fn parts(of: &DataType) -> Vec<&DataType> {
    match of {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![item.data_type()],
        _ => Vec::new(),
    }
}

fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

/// The text of every value that is not null.
fn texts(array: &ArrayRef, mut push: impl FnMut(usize, &mut String)) -> ArrayRef {
    let mut text = String::new();
    let mut row_text = |row| {
        text.clear();
        push(row, &mut text);
        text.clone()
    };
    let rows = (0..array.len()).map(|row| array.is_valid(row).then(|| row_text(row)));
    Arc::new(StringArray::from_iter(rows))
}

/// A day, or a moment that is not at its beginning, from milliseconds since 1970; where the year has
/// more digits than can be read again, the number.
fn push_day(out: &mut String, millis: i64) {
    use std::fmt::Write;
    let four_digits = |moment: &chrono::NaiveDateTime| {
        use chrono::Datelike;
        (0..=9_999).contains(&moment.year())
    };
    // A `String` takes everything.
    let _ = match date64_to_datetime(millis).filter(four_digits) {
        Some(moment) if millis % 86_400_000 == 0 => write!(out, "{}", moment.date()),
        Some(moment) => write!(out, "{}", moment.format("%Y-%m-%dT%H:%M:%S%.fZ")),
        None => write!(out, "{millis}"),
    };
}

#[cfg(test)]
mod tests;
