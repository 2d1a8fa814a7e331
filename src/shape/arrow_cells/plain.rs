//! Typed cells that are sent as they stand, which are most: told by the types of column and
//! attribute once a batch, and written at fixed places.
//!
//! What is not plain is declined, and goes the general way by way of [`Cell`](super::Cell).

use arrow::{
    array::{GenericStringArray, OffsetSizeTrait, StringViewArray},
    buffer::Buffer,
};

use super::{ArrowColumn, MILLIS_PER_DAY, Values};
use crate::shape::{
    digits::{Slot, is_exact, put_date, put_decimal, put_f64, put_i64, put_instant, put_u64},
    encode::Span,
    plan::ValueType,
};

/// Bytes of a view of a text, and of the length before a text that is in the view itself.
const VIEW_BYTES: usize = size_of::<u128>();
const LENGTH_BYTES: usize = size_of::<u32>();

/// How the cells of a column become values of an attribute's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shape) enum Sent {
    /// As they are: numbers and booleans.
    Bare,
    /// In quotes.
    Quoted,
    /// The general way alone. Texts have a span besides.
    General,
}

/// What became of a typed cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shape) enum Put {
    /// So many bytes were written, quotes left out.
    Bytes(usize),
    /// It is no value, and nothing is sent.
    Absent,
    /// It has to go the general way.
    Declined,
}

/// A column of views, and what a look at one needs.
#[derive(Debug)]
pub(super) struct Views<'a> {
    pub(super) array: &'a StringViewArray,
    views: &'a [u128],
    bytes: &'a [u8],
    buffers: &'a [Buffer],
}

impl<'a> Views<'a> {
    pub(super) fn of(array: &'a StringViewArray) -> Self {
        let (views, bytes) = (array.views(), array.views().inner().as_slice());
        Self { array, views, bytes, buffers: array.data_buffers() }
    }

    /// Where a text lies: a short one in the view itself, behind its length.
    #[inline]
    fn span(&self, row: usize) -> Span<'a> {
        let view = self.views[row];
        let len = view as u32 as usize;
        if len <= VIEW_BYTES - LENGTH_BYTES {
            return Span { bytes: self.bytes, start: row * VIEW_BYTES + LENGTH_BYTES, len };
        }
        let (buffer, start) = ((view >> 64) as u32, (view >> 96) as u32);
        let bytes = self.buffers[buffer as usize].as_slice();
        Span { bytes, start: start as usize, len }
    }
}

impl ArrowColumn<'_> {
    /// How its cells are sent, where they are plain.
    pub(in crate::shape) fn sent(&self, value: ValueType) -> Sent {
        use Values as V;
        let is_number = matches!(
            &self.values,
            V::Int8(_)
                | V::Int16(_)
                | V::Int32(_)
                | V::Int64(_)
                | V::UInt8(_)
                | V::UInt16(_)
                | V::UInt32(_)
                | V::UInt64(_)
                | V::Float32(_)
                | V::Float64(_)
                | V::Decimal32(..)
                | V::Decimal64(..)
                | V::Decimal128(..)
        );
        let is_date = matches!(&self.values, V::Date32(_) | V::Date64(_) | V::Timestamp(..));
        match (&self.values, value) {
            (V::Dictionary { values, .. }, _) => values.sent(value),
            (V::Bool(_), ValueType::Bool) => Sent::Bare,
            (V::Bool(_), ValueType::Text) => Sent::Quoted,
            (_, ValueType::Number) if is_number => Sent::Bare,
            (_, ValueType::Text) if is_number || is_date => Sent::Quoted,
            (_, ValueType::DateTime(_)) if is_date => Sent::Quoted,
            _ => Sent::General,
        }
    }

    /// Where the text of a cell lies, of null one without bytes; `None` where it is no text.
    #[inline]
    pub(in crate::shape) fn span(&self, row: usize) -> Option<Span<'_>> {
        let span = match &self.values {
            Values::Utf8View(texts) => texts.span(row),
            Values::Utf8(texts) => slice(texts, row),
            Values::LargeUtf8(texts) => slice(texts, row),
            Values::Dictionary { keys, values } if !self.is_null(row) => {
                return values.span(keys[row]);
            }
            _ => return None,
        };
        Some(if self.is_null(row) { Span { len: 0, ..span } } else { span })
    }

    /// Writes the cell as it is sent, without quotes.
    #[inline]
    pub(in crate::shape) fn put(&self, row: usize, sent: Sent, to: &mut Slot) -> Put {
        if self.is_null(row) {
            return Put::Absent;
        }
        if sent == Sent::General {
            return Put::Declined;
        }
        let is_text = sent == Sent::Quoted;
        let len = match &self.values {
            Values::Bool(values) => {
                let word = if values.value(row) { *b"true " } else { *b"false" };
                to[..word.len()].copy_from_slice(&word);
                Some(word.len() - usize::from(word[4] == b' '))
            }
            Values::Int8(values) => Some(put_i64(to, values[row].into())),
            Values::Int16(values) => Some(put_i64(to, values[row].into())),
            Values::Int32(values) => Some(put_i64(to, values[row].into())),
            Values::UInt8(values) => Some(put_u64(to, 0, values[row].into())),
            Values::UInt16(values) => Some(put_u64(to, 0, values[row].into())),
            Values::UInt32(values) => Some(put_u64(to, 0, values[row].into())),
            // A text may have more digits than a double keeps.
            Values::Int64(values) => {
                (is_text || is_exact(values[row].unsigned_abs())).then(|| put_i64(to, values[row]))
            }
            Values::UInt64(values) => {
                (is_text || is_exact(values[row])).then(|| put_u64(to, 0, values[row]))
            }
            Values::Float32(values) => put_f64(to, values[row].into()),
            Values::Float64(values) => put_f64(to, values[row]),
            &Values::Decimal32(values, scale) => put_decimal(to, values[row].into(), scale),
            &Values::Decimal64(values, scale) => put_decimal(to, values[row].into(), scale),
            &Values::Decimal128(values, scale) => put_decimal(to, values[row], scale),
            Values::Date32(values) => put_date(to, values[row].into()),
            Values::Date64(values) => match values[row] {
                whole if whole % MILLIS_PER_DAY == 0 => put_date(to, whole / MILLIS_PER_DAY),
                instant => put_instant::<1_000>(to, instant),
            },
            Values::Timestamp(values, 1) => put_instant::<1>(to, values[row]),
            Values::Timestamp(values, 1_000) => put_instant::<1_000>(to, values[row]),
            Values::Timestamp(values, 1_000_000) => put_instant::<1_000_000>(to, values[row]),
            Values::Timestamp(values, _) => put_instant::<1_000_000_000>(to, values[row]),
            Values::Dictionary { keys, values } => {
                return values.put_of_dictionary(keys[row], sent, to);
            }
            _ => None,
        };
        len.map_or(Put::Declined, Put::Bytes)
    }

    /// The same, apart, so that the usual way has no recursion in it.
    fn put_of_dictionary(&self, row: usize, sent: Sent, to: &mut Slot) -> Put {
        self.put(row, sent, to)
    }
}

fn slice<O: OffsetSizeTrait>(texts: &GenericStringArray<O>, row: usize) -> Span<'_> {
    let offsets = texts.value_offsets();
    let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
    Span { bytes: texts.value_data(), start, len: end - start }
}
