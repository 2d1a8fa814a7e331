//! What the type of a cell is, told by that of its column: nothing is written for it.

use super::{ArrowColumn, MILLIS_PER_SECOND, Values};
use crate::shape::{cells::Known, digits::is_exact};

/// From the year 1 to the year 9999, about, in seconds since 1970: days and instants that have a
/// text for sure.
const DATED_SECONDS: std::ops::Range<i64> = -62_000_000_000..253_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl ArrowColumn<'_> {
    /// What is known of a cell.
    #[inline(always)]
    pub(in crate::shape) fn known(&self, row: usize) -> Known {
        use Values as V;
        if self.is_null(row) {
            return Known::Absent;
        }
        match &self.values {
            V::Null => Known::Absent,
            V::Bool(_) => Known::Bool,
            V::Int8(_) | V::Int16(_) | V::Int32(_) | V::UInt8(_) | V::UInt16(_) | V::UInt32(_) => {
                Known::Number
            }
            V::Int64(values) => number(is_exact(values[row].unsigned_abs())),
            V::UInt64(values) => number(is_exact(values[row])),
            V::Float32(values) => number(values[row].is_finite()),
            V::Float64(values) => number(values[row].is_finite()),
            V::Decimal32(values, scale) => {
                number(*scale >= 0 && is_exact(values[row].unsigned_abs().into()))
            }
            V::Decimal64(values, scale) => {
                number(*scale >= 0 && is_exact(values[row].unsigned_abs()))
            }
            V::Decimal128(values, scale) => {
                let size = u64::try_from(values[row].unsigned_abs());
                number(*scale >= 0 && size.is_ok_and(is_exact))
            }
            V::Date32(values) => date(i64::from(values[row]) * SECONDS_PER_DAY),
            V::Date64(values) => date(values[row].div_euclid(MILLIS_PER_SECOND.into())),
            V::Timestamp(values, units) => date(values[row].div_euclid((*units).into())),
            V::Utf8View(_) | V::Utf8(_) | V::LargeUtf8(_) => match self.span(row) {
                Some(text) if text.len > 0 => Known::Text,
                _ => Known::Absent,
            },
            V::Dictionary { keys, values } => values.known_in_dictionary(keys[row]),
            _ => Known::Nothing,
        }
    }

    /// Apart, so that the types do not go on without end.
    #[inline(never)]
    fn known_in_dictionary(&self, row: usize) -> Known {
        match self.values {
            Values::Dictionary { .. } => Known::Nothing,
            _ => self.known(row),
        }
    }
}

fn number(is_exact: bool) -> Known {
    if is_exact { Known::Number } else { Known::Nothing }
}

fn date(seconds: i64) -> Known {
    if DATED_SECONDS.contains(&seconds) { Known::Date } else { Known::Nothing }
}
