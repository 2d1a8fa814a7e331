//! Typed cells that are sent as they stand, which are most: told by the types of column and
//! attribute once a batch, and written at fixed places.
//!
//! What is not plain is declined, and goes the general way by way of [`Cell`](super::Cell).

use std::hint::select_unpredictable;

use arrow::array::{GenericStringArray, OffsetSizeTrait, StringViewArray};

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

/// A cell as it is sent, and its length, or what became of it.
#[derive(Clone, Debug)]
pub(in crate::shape) struct Written {
    bytes: Slot,
    len: u8,
}

impl Written {
    /// No value has no bytes.
    const ABSENT: u8 = 0;
    const DECLINED: u8 = u8::MAX;

    /// Nothing was written.
    pub(in crate::shape) const NONE: Self =
        Self { bytes: [0; size_of::<Slot>()], len: Self::DECLINED };

    /// Copies the cell.
    #[inline(always)]
    pub(in crate::shape) fn copy(&self, to: &mut Slot) -> Put {
        *to = self.bytes;
        match self.len {
            Self::ABSENT => Put::Absent,
            Self::DECLINED => Put::Declined,
            len => Put::Bytes(len.into()),
        }
    }
}

/// A column of views, and what a look at one needs.
#[derive(Debug)]
pub(super) struct Views<'a> {
    pub(super) array: &'a StringViewArray,
    views: &'a [u128],
    /// The bytes of the views themselves, and those of each buffer.
    bytes: Vec<&'a [u8]>,
}

impl<'a> Views<'a> {
    pub(super) fn of(array: &'a StringViewArray) -> Self {
        let views = array.views();
        let buffers = array.data_buffers().iter().map(|buffer| buffer.as_slice());
        let bytes = std::iter::once(views.inner().as_slice()).chain(buffers).collect();
        Self { array, views, bytes }
    }

    /// Where a text lies: a short one in the view itself, behind its length. Not branched on, since
    /// nobody can guess which texts are short.
    #[inline(always)]
    fn span(&self, row: usize, is_null: bool) -> Span<'a> {
        let view = self.views[row];
        let len = view as u32 as usize;
        let is_short = len <= VIEW_BYTES - LENGTH_BYTES;
        let (buffer, start) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
        let buffer = select_unpredictable(is_short, 0, buffer + 1);
        let start = select_unpredictable(is_short, row * VIEW_BYTES + LENGTH_BYTES, start);
        let len = if is_null { 0 } else { len };
        Span { bytes: self.bytes[buffer], start, len }
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
    #[inline(always)]
    pub(in crate::shape) fn span(&self, row: usize) -> Option<Span<'_>> {
        match &self.values {
            Values::Utf8View(texts) => Some(texts.span(row, self.is_null(row))),
            _ => self.other_span(row),
        }
    }

    /// The same where texts are no views.
    #[inline(never)]
    fn other_span(&self, row: usize) -> Option<Span<'_>> {
        let span = match &self.values {
            Values::Utf8(texts) => slice(texts, row),
            Values::LargeUtf8(texts) => slice(texts, row),
            Values::Dictionary { keys, values } if !self.is_null(row) => {
                return values.span(keys[row]);
            }
            _ => return None,
        };
        Some(if self.is_null(row) { Span { len: 0, ..span } } else { span })
    }

    /// Writes cells as they are sent, without quotes, those of the rows from `row` on. `sent` is what
    /// the column is for, and not [`Sent::General`].
    pub(in crate::shape) fn put<'s>(
        &self,
        row: usize,
        sent: Sent,
        to: impl Iterator<Item = &'s mut Written>,
    ) {
        use Values as V;
        let is_text = sent == Sent::Quoted;
        match &self.values {
            V::Bool(values) => self.each(row, to, |row, to| {
                let word = if values.value(row) { *b"true " } else { *b"false" };
                to[..word.len()].copy_from_slice(&word);
                Some(word.len() - usize::from(word[4] == b' '))
            }),
            V::Int8(values) => self.each(row, to, |row, to| Some(put_i64(to, values[row].into()))),
            V::Int16(values) => self.each(row, to, |row, to| Some(put_i64(to, values[row].into()))),
            V::Int32(values) => self.each(row, to, |row, to| Some(put_i64(to, values[row].into()))),
            V::UInt8(values) => {
                self.each(row, to, |row, to| Some(put_u64(to, 0, values[row].into())));
            }
            V::UInt16(values) => {
                self.each(row, to, |row, to| Some(put_u64(to, 0, values[row].into())));
            }
            V::UInt32(values) => {
                self.each(row, to, |row, to| Some(put_u64(to, 0, values[row].into())));
            }
            // A text may have more digits than a double keeps.
            V::Int64(values) => self.each(row, to, |row, to| {
                let value = values[row];
                (is_text || is_exact(value.unsigned_abs())).then(|| put_i64(to, value))
            }),
            V::UInt64(values) => self.each(row, to, |row, to| {
                let value = values[row];
                (is_text || is_exact(value)).then(|| put_u64(to, 0, value))
            }),
            V::Float32(values) => self.each(row, to, |row, to| put_f64(to, values[row].into())),
            V::Float64(values) => self.each(row, to, |row, to| put_f64(to, values[row])),
            &V::Decimal32(values, scale) => {
                self.each(row, to, |row, to| put_decimal(to, values[row].into(), scale));
            }
            &V::Decimal64(values, scale) => {
                self.each(row, to, |row, to| put_decimal(to, values[row].into(), scale));
            }
            &V::Decimal128(values, scale) => {
                self.each(row, to, |row, to| put_decimal(to, values[row], scale));
            }
            V::Date32(values) => self.each(row, to, |row, to| put_date(to, values[row].into())),
            V::Date64(values) => self.each(row, to, |row, to| match values[row] {
                whole if whole % MILLIS_PER_DAY == 0 => put_date(to, whole / MILLIS_PER_DAY),
                instant => put_instant::<1_000>(to, instant),
            }),
            &V::Timestamp(values, 1) => {
                self.each(row, to, |row, to| put_instant::<1>(to, values[row]));
            }
            &V::Timestamp(values, 1_000) => {
                self.each(row, to, |row, to| put_instant::<1_000>(to, values[row]));
            }
            &V::Timestamp(values, 1_000_000) => {
                self.each(row, to, |row, to| put_instant::<1_000_000>(to, values[row]));
            }
            &V::Timestamp(values, _) => {
                self.each(row, to, |row, to| put_instant::<1_000_000_000>(to, values[row]));
            }
            V::Dictionary { keys, values } => {
                for (row, written) in (row..).zip(to) {
                    if self.is_null(row) {
                        written.len = Written::ABSENT;
                    } else {
                        values.put_one(keys[row], sent, written);
                    }
                }
            }
            _ => self.each(row, to, |_, _| None),
        }
    }

    /// One cell of a dictionary's values; apart, so that the types do not go on without end.
    fn put_one(&self, row: usize, sent: Sent, to: &mut Written) {
        self.put(row, sent, &mut std::iter::once(to) as &mut dyn Iterator<Item = &mut Written>);
    }

    #[inline(always)]
    fn each<'s>(
        &self,
        row: usize,
        to: impl Iterator<Item = &'s mut Written>,
        put: impl Fn(usize, &mut Slot) -> Option<usize>,
    ) {
        for (row, written) in (row..).zip(to) {
            written.len = if self.is_null(row) {
                Written::ABSENT
            } else {
                put(row, &mut written.bytes).map_or(Written::DECLINED, |len| len as u8)
            };
        }
    }
}

fn slice<O: OffsetSizeTrait>(texts: &GenericStringArray<O>, row: usize) -> Span<'_> {
    let offsets = texts.value_offsets();
    let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
    Span { bytes: texts.value_data(), start, len: end - start }
}
