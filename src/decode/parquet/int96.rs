//! INT96 timestamps, exactly.
//!
//! They hold nanoseconds over more years than 64 bits of them reach, and the crate
//! wraps around without a word. So such a column is read twice: as nanoseconds, of which
//! the low 64 bits are right, and as seconds, which always fit. Together they are the
//! whole value.

use arrow::{
    array::{Array, ArrayData, ArrayRef, make_array},
    buffer::Buffer,
    datatypes::{DataType, Field, FieldRef, TimeUnit},
    error::ArrowError,
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MICRO: i64 = 1_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MILLI: i64 = 1_000;

/// The type of a column that was read as both, when it is put together.
fn joined_type(nanos: &DataType, seconds: &DataType) -> DataType {
    use DataType as T;
    let join = |a: &FieldRef, b: &FieldRef| -> FieldRef {
        let data_type = joined_type(a.data_type(), b.data_type());
        Field::clone(a).with_data_type(data_type).into()
    };
    match (nanos, seconds) {
        (T::Timestamp(TimeUnit::Nanosecond, zone), T::Timestamp(TimeUnit::Second, _)) => {
            T::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        (T::List(a), T::List(b)) => T::List(join(a, b)),
        (T::LargeList(a), T::LargeList(b)) => T::LargeList(join(a, b)),
        (T::ListView(a), T::ListView(b)) => T::ListView(join(a, b)),
        (T::LargeListView(a), T::LargeListView(b)) => T::LargeListView(join(a, b)),
        (T::Map(a, sorted), T::Map(b, _)) => T::Map(join(a, b), *sorted),
        (T::Struct(a), T::Struct(b)) => {
            T::Struct(a.iter().zip(b).map(|(a, b)| join(a, b)).collect())
        }
        (other, _) => other.clone(),
    }
}

/// Puts the two readings of a column together: as microseconds, with the digits below
/// them told by [`micros`].
pub(super) fn join(nanos: &ArrayRef, seconds: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if nanos.data_type() == seconds.data_type() {
        return Ok(nanos.clone());
    }
    Ok(make_array(join_data(nanos.to_data(), &seconds.to_data())?))
}

fn join_data(nanos: ArrayData, seconds: &ArrayData) -> Result<ArrayData, ArrowError> {
    let joined = joined_type(nanos.data_type(), seconds.data_type());
    if joined == *nanos.data_type() {
        return Ok(nanos);
    }
    if nanos.len() != seconds.len() || nanos.child_data().len() != seconds.child_data().len() {
        return Err(ArrowError::ParquetError("two readings of a column differ".to_owned()));
    }
    if joined.is_nested() {
        let pairs = nanos.child_data().iter().zip(seconds.child_data());
        let children = pairs.map(|(nanos, seconds)| join_data(nanos.clone(), seconds));
        let children = children.collect::<Result<_, _>>()?;
        return nanos.into_builder().data_type(joined).child_data(children).build();
    }
    let values = |data: &ArrayData| data.buffer::<i64>(0)[..data.len()].to_vec();
    let pairs = values(&nanos).into_iter().zip(values(seconds));
    let micros: Vec<i64> = pairs.map(|(nanos, seconds)| micros(nanos, seconds)).collect();
    let nulls = nanos.nulls().cloned();
    ArrayData::builder(joined)
        .len(micros.len())
        .nulls(nulls)
        .add_buffer(Buffer::from_vec(micros))
        .build()
}

/// Microseconds since 1970 of an instant whose nanoseconds have wrapped around.
///
/// The server keeps milliseconds. Where the only digits below them are nanoseconds,
/// which microseconds cannot hold, one microsecond is added: the milliseconds stay what
/// they are, and the value still says that digits below them were there. What is beyond
/// the range comes out as its end, thousands of years beyond any date that can be sent.
fn micros(nanos: i64, seconds: i64) -> i64 {
    let below = nanos.wrapping_sub(seconds.wrapping_mul(NANOS_PER_SECOND));
    let (micros, rest) = (below.div_euclid(NANOS_PER_MICRO), below.rem_euclid(NANOS_PER_MICRO));
    let whole = seconds.saturating_mul(MICROS_PER_SECOND).saturating_add(micros);
    let hidden = rest != 0 && whole.rem_euclid(MICROS_PER_MILLI) == 0;
    whole.saturating_add(i64::from(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_whole_again() {
        const DAY: i64 = 86_400;
        for (days, nanos_of_day, expected) in [
            (0, 0, 0),
            (0, 1, 1),
            (0, 999, 1),
            (0, 1_000, 1),
            (0, 1_999, 1),
            (0, 1_000_000, 1_000),
            (0, 1_000_001, 1_001),
            (-1, 86_399_999_999_999, -1),
            // 0001-01-01 and 9999-12-31, both beyond 64 bits of nanoseconds.
            (-719_162, 0, -719_162 * DAY * MICROS_PER_SECOND),
            (2_932_896, 123_000, 2_932_896 * DAY * MICROS_PER_SECOND + 123),
            // Beyond 64 bits of microseconds.
            (i64::from(i32::MAX), 0, i64::MAX),
            (i64::from(i32::MIN), 0, i64::MIN),
        ] {
            // As the crate reads INT96.
            let nanos = days.wrapping_mul(DAY * NANOS_PER_SECOND).wrapping_add(nanos_of_day);
            let seconds = days * DAY + nanos_of_day / NANOS_PER_SECOND;
            assert_eq!(micros(nanos, seconds), expected, "{days} {nanos_of_day}");
        }
    }
}
