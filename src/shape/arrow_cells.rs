//! The values of Arrow columns as cells; in `plain` those that are sent as they stand, in `known`
//! their types without their texts.

mod known;
mod plain;

use arrow::{
    array::{Array, ArrowPrimitiveType, AsArray, BooleanArray, LargeStringArray, StringArray},
    buffer::NullBuffer,
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
        Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
        DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano,
        IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time32MillisecondType,
        Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
    },
};

use super::{
    arrow_nested::Nested,
    arrow_text::{
        OutOfRange, push, push_date, push_decimal, push_decimal256, push_f64, push_instant,
        push_time,
    },
    cell::Cell,
    datetime::DateFormat,
    nested::Sink,
    plan::ValueType,
};
use crate::model::{Code, push_duration};
use plain::Views;
pub(super) use plain::{Put, Sent, Written};

const MILLIS_PER_SECOND: u32 = 1_000;
const MILLIS_PER_DAY: i64 = 86_400_000;
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A column whose type has no cells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "holds values of type {0}, which have no JSON form here; turn the column into text or numbers at the source, or leave it out of the mapping"
)]
pub struct Unreadable(pub DataType);

/// The type of the values that a column of an Arrow type has, where they are flat; `None` for a
/// column of nulls, which has none, and for what is nested or has no cells.
pub fn declared(data_type: &DataType) -> Option<ValueType> {
    match data_type {
        DataType::Null => None,
        DataType::Boolean => Some(ValueType::Bool),
        data_type if data_type.is_numeric() => Some(ValueType::Number),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            Some(ValueType::DateTime(DateFormat::Iso))
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_) => Some(ValueType::Text),
        DataType::Dictionary(_, values) => declared(values),
        _ => None,
    }
}

/// A view of one column of a batch; made once a batch, so that a cell costs no
/// downcast and no allocation.
#[derive(Debug)]
pub struct ArrowColumn<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

/// Values by the way in which they become text.
#[derive(Debug)]
enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float16(&'a [<Float16Type as ArrowPrimitiveType>::Native]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal32(&'a [i32], i8),
    Decimal64(&'a [i64], i8),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(Views<'a>),
    Date32(&'a [i32]),
    Date64(&'a [i64]),
    /// With the units in a second, as the next three.
    Timestamp(&'a [i64], u32),
    Time32(&'a [i32], u32),
    Time64(&'a [i64], u32),
    Duration(&'a [i64], u32),
    YearMonth(&'a [i32]),
    DayTime(&'a [IntervalDayTime]),
    MonthDayNano(&'a [IntervalMonthDayNano]),
    Dictionary {
        keys: Vec<usize>,
        values: Box<ArrowColumn<'a>>,
    },
    Nested(Box<Nested<'a>>),
}

impl<'a> ArrowColumn<'a> {
    /// Looks at a column.
    ///
    /// # Errors
    /// The type is binary, a union or run-end encoded, or has such a type in it.
    pub fn new(array: &'a dyn Array) -> Result<Self, Unreadable> {
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int8 => Values::Int8(slice::<Int8Type>(array)),
            DataType::Int16 => Values::Int16(slice::<Int16Type>(array)),
            DataType::Int32 => Values::Int32(slice::<Int32Type>(array)),
            DataType::Int64 => Values::Int64(slice::<Int64Type>(array)),
            DataType::UInt8 => Values::UInt8(slice::<UInt8Type>(array)),
            DataType::UInt16 => Values::UInt16(slice::<UInt16Type>(array)),
            DataType::UInt32 => Values::UInt32(slice::<UInt32Type>(array)),
            DataType::UInt64 => Values::UInt64(slice::<UInt64Type>(array)),
            DataType::Float16 => Values::Float16(slice::<Float16Type>(array)),
            DataType::Float32 => Values::Float32(slice::<Float32Type>(array)),
            DataType::Float64 => Values::Float64(slice::<Float64Type>(array)),
            &DataType::Decimal32(_, scale) => {
                Values::Decimal32(slice::<Decimal32Type>(array), scale)
            }
            &DataType::Decimal64(_, scale) => {
                Values::Decimal64(slice::<Decimal64Type>(array), scale)
            }
            &DataType::Decimal128(_, scale) => {
                Values::Decimal128(slice::<Decimal128Type>(array), scale)
            }
            &DataType::Decimal256(_, scale) => {
                Values::Decimal256(slice::<Decimal256Type>(array), scale)
            }
            DataType::Utf8 => Values::Utf8(array.as_string()),
            DataType::LargeUtf8 => Values::LargeUtf8(array.as_string()),
            DataType::Utf8View => Values::Utf8View(Views::of(array.as_string_view())),
            DataType::Date32 => Values::Date32(slice::<Date32Type>(array)),
            DataType::Date64 => Values::Date64(slice::<Date64Type>(array)),
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => slice::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => slice::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => slice::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => slice::<TimestampNanosecondType>(array),
                };
                Values::Timestamp(values, per_second(unit))
            }
            DataType::Duration(unit) => {
                let values = match unit {
                    TimeUnit::Second => slice::<DurationSecondType>(array),
                    TimeUnit::Millisecond => slice::<DurationMillisecondType>(array),
                    TimeUnit::Microsecond => slice::<DurationMicrosecondType>(array),
                    TimeUnit::Nanosecond => slice::<DurationNanosecondType>(array),
                };
                Values::Duration(values, per_second(unit))
            }
            DataType::Time32(unit @ TimeUnit::Second) => {
                Values::Time32(slice::<Time32SecondType>(array), per_second(unit))
            }
            DataType::Time32(unit @ TimeUnit::Millisecond) => {
                Values::Time32(slice::<Time32MillisecondType>(array), per_second(unit))
            }
            DataType::Time64(unit @ TimeUnit::Microsecond) => {
                Values::Time64(slice::<Time64MicrosecondType>(array), per_second(unit))
            }
            DataType::Time64(unit @ TimeUnit::Nanosecond) => {
                Values::Time64(slice::<Time64NanosecondType>(array), per_second(unit))
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                Values::YearMonth(slice::<IntervalYearMonthType>(array))
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                Values::DayTime(slice::<IntervalDayTimeType>(array))
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Values::MonthDayNano(slice::<IntervalMonthDayNanoType>(array))
            }
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let values = Self::new(dictionary.values().as_ref())?;
                if dictionary.values().is_empty() {
                    // No key can point anywhere, so every row is null.
                    Values::Null
                } else {
                    Values::Dictionary { keys: dictionary.normalized_keys(), values: values.into() }
                }
            }
            _ => match Nested::new(array)? {
                Some(nested) => Values::Nested(nested.into()),
                None => return Err(Unreadable(array.data_type().clone())),
            },
        };
        Ok(Self { nulls: array.nulls().filter(|nulls| nulls.null_count() > 0), values })
    }

    /// The same column, whose values stand in so many objects of an attribute.
    pub fn under(mut self, levels: usize) -> Self {
        self.values = match self.values {
            Values::Nested(nested) => Values::Nested(Box::new(nested.under(levels))),
            Values::Dictionary { keys, values } => {
                Values::Dictionary { keys, values: Box::new(values.under(levels)) }
            }
            flat => flat,
        };
        self
    }

    /// The value of a row, which must lie in the column. Text is borrowed from the
    /// column; everything else is written to `scratch`, whose old content goes.
    pub fn cell<'c>(&'c self, row: usize, scratch: &'c mut String) -> Cell<'c> {
        if self.is_null(row) {
            return Cell::Absent;
        }
        scratch.clear();
        match &self.values {
            Values::Null => Cell::Absent,
            Values::Bool(values) => Cell::Bool(values.value(row)),
            Values::Int8(values) => integer(values[row], scratch),
            Values::Int16(values) => integer(values[row], scratch),
            Values::Int32(values) => integer(values[row], scratch),
            Values::Int64(values) => integer(values[row], scratch),
            Values::UInt8(values) => integer(values[row], scratch),
            Values::UInt16(values) => integer(values[row], scratch),
            Values::UInt32(values) => integer(values[row], scratch),
            Values::UInt64(values) => integer(values[row], scratch),
            Values::Float16(values) => float(values[row].to_f64(), scratch),
            Values::Float32(values) => float(values[row].into(), scratch),
            Values::Float64(values) => float(values[row], scratch),
            Values::Decimal32(values, scale) => decimal(values[row], *scale, scratch),
            Values::Decimal64(values, scale) => decimal(values[row], *scale, scratch),
            Values::Decimal128(values, scale) => decimal(values[row], *scale, scratch),
            Values::Decimal256(values, scale) => {
                push_decimal256(scratch, values[row], *scale);
                Cell::Number { digits: scratch, binary: false }
            }
            Values::Utf8(values) => Cell::Text(values.value(row)),
            Values::LargeUtf8(values) => Cell::Text(values.value(row)),
            Values::Utf8View(values) => Cell::Text(values.array.value(row)),
            Values::Date32(values) => date(values[row].into(), scratch),
            Values::Date64(values) => match values[row] {
                whole if whole % MILLIS_PER_DAY == 0 => date(whole / MILLIS_PER_DAY, scratch),
                instant => date_time(push_instant(scratch, instant, MILLIS_PER_SECOND), scratch),
            },
            Values::Timestamp(values, units) => {
                date_time(push_instant(scratch, values[row], *units), scratch)
            }
            Values::Time32(values, units) => time(values[row].into(), *units, scratch),
            Values::Time64(values, units) => time(values[row], *units, scratch),
            Values::Duration(values, units) => duration(0, 0, values[row], *units, scratch),
            Values::YearMonth(values) => duration(values[row], 0, 0, 1, scratch),
            Values::DayTime(values) => {
                let IntervalDayTime { days, milliseconds } = values[row];
                duration(0, days, milliseconds.into(), MILLIS_PER_SECOND, scratch)
            }
            Values::MonthDayNano(values) => {
                let IntervalMonthDayNano { months, days, nanoseconds } = values[row];
                duration(months, days, nanoseconds, NANOS_PER_SECOND, scratch)
            }
            Values::Dictionary { keys, values } => values.cell(keys[row], scratch),
            Values::Nested(nested) => nested.cell(row, scratch),
        }
    }

    /// Tells a sink the value of a row, as a part of a nested value. `scratch` is what
    /// flat values are written to on their way.
    pub(super) fn tell(&self, row: usize, sink: &mut Sink<'_>, scratch: &mut String) {
        match &self.values {
            _ if self.is_null(row) => sink.null(),
            Values::Nested(nested) => nested.tell(row, sink, scratch),
            Values::Dictionary { keys, values } => values.tell(keys[row], sink, scratch),
            _ => match self.cell(row, scratch) {
                Cell::Absent => sink.null(),
                Cell::Text(text) => sink.string(text),
                Cell::Number { digits, binary } => sink.number(digits, binary),
                Cell::Bool(value) => sink.bool(value),
                Cell::DateTime { text, cut } => {
                    if cut {
                        sink.note(Code::DatetimePrecision);
                    }
                    sink.string(text);
                }
                // Only nested values give JSON, and they were told above.
                Cell::Json { .. } => {}
                Cell::Bad(code) => sink.refuse(code),
            },
        }
    }

    /// Whether the cell of a row is null.
    #[inline(always)]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

fn slice<T: ArrowPrimitiveType>(array: &dyn Array) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

fn per_second(unit: &TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => MILLIS_PER_SECOND,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    }
}

fn integer(value: impl std::fmt::Display, scratch: &mut String) -> Cell<'_> {
    push(scratch, value);
    Cell::Number { digits: scratch, binary: false }
}

fn float(value: f64, scratch: &mut String) -> Cell<'_> {
    if !value.is_finite() {
        return Cell::Bad(Code::NumberNotFinite);
    }
    push_f64(scratch, value);
    Cell::Number { digits: scratch, binary: true }
}

fn decimal(unscaled: impl Into<i128>, scale: i8, scratch: &mut String) -> Cell<'_> {
    push_decimal(scratch, unscaled.into(), scale);
    Cell::Number { digits: scratch, binary: false }
}

fn date(days: i64, scratch: &mut String) -> Cell<'_> {
    date_time(push_date(scratch, days).map(|()| false), scratch)
}

fn date_time(written: Result<bool, OutOfRange>, scratch: &str) -> Cell<'_> {
    match written {
        Ok(cut) => Cell::DateTime { text: scratch, cut },
        Err(OutOfRange) => Cell::Bad(Code::DatetimeRange),
    }
}

fn time(value: i64, units_per_second: u32, scratch: &mut String) -> Cell<'_> {
    match push_time(scratch, value, units_per_second) {
        Ok(()) => Cell::Text(scratch),
        Err(OutOfRange) => Cell::Bad(Code::DatetimeRange),
    }
}

fn duration(
    months: i32,
    days: i32,
    value: i64,
    units_per_second: u32,
    scratch: &mut String,
) -> Cell<'_> {
    push_duration(scratch, months, days, value, units_per_second);
    Cell::Text(scratch)
}

#[cfg(test)]
mod tests;
