//! Plain values: cells that are sent as they stand. Most cells are: a text without anything to
//! escape, a number in JSON's own grammar, a date in the server's own form. They are told by
//! their bytes, 16 at a time, and copied; what a typed file has, its column writes.
//!
//! Whatever is not plain, or not allowed, is declined and goes the general way, which would
//! have written the same for a plain one. A property test holds the two together.

use wide::u8x16;

use super::Node;
use crate::shape::{
    arrow_cells::Put,
    cells::Cells,
    datetime::DateFormat,
    json,
    plan::{Empty, Plan, PlanColumn, Target, ValueType},
};
use crate::wire::limits;

/// Bytes that are looked at and copied at a time.
const STEP_BYTES: usize = 16;

/// Bytes of a key's copy, one size for all so that it needs no call: longer keys go the general way.
const KEY_BYTES_MAX: usize = 64;

/// Bytes that wait to be moved to the block's JSON: the members of a few rows.
const STAGE_BYTES: usize = 4096;

/// The longest value that is looked at: a longer one may have more characters than the server keeps.
const VALUE_BYTES_MAX: usize = limits::STRING_CHARS_MAX;

/// Bytes that writing a member may touch: key, value, and what a step copies behind it.
const MEMBER_BYTES_MAX: usize = KEY_BYTES_MAX + VALUE_BYTES_MAX + 2 * STEP_BYTES;

/// Longest plain number: the digits that a double keeps, sign and point.
const NUMBER_BYTES_MAX: usize = 16;

/// Digits that every double keeps.
const NUMBER_DIGITS_MAX: usize = 15;

/// Days of each month, of February in every year.
const DAYS: [usize; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A cell of a text file: the bytes around it, and where it lies in them.
#[derive(Clone, Copy)]
pub(in crate::shape) struct Span<'a> {
    pub(in crate::shape) bytes: &'a [u8],
    pub(in crate::shape) start: usize,
    pub(in crate::shape) len: usize,
}

impl<'a> Span<'a> {
    /// The bytes of the cell.
    pub(in crate::shape) fn value(&self) -> &'a [u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

/// Whether a text is a number that is sent as it stands. Other numbers may be more than that.
pub(in crate::shape) fn is_plain_number(text: &[u8]) -> bool {
    let last = &mut [0; STEP_BYTES];
    (1..=NUMBER_BYTES_MAX).contains(&text.len()) && is_number(step_of(text, last), text.len())
}

/// Whether a text is a date that is sent as it stands. Other dates may be more than that.
pub(in crate::shape) fn is_plain_date(text: &[u8]) -> bool {
    is_date(step_of(text, &mut [0; STEP_BYTES]), text)
}

/// Room for a member.
type Room = [u8; MEMBER_BYTES_MAX];

/// What became of a cell.
enum Plain {
    /// So many bytes were written.
    Written(usize),
    /// It is no value, and nothing is sent.
    Absent,
    /// It has to go the general way.
    Declined,
}

/// An attribute whose cells may be plain.
pub(super) struct PlainColumn {
    /// `,"name":`, and the quote that opens a text; one byte more than a copy has, since the first
    /// member of an object has no comma.
    key: [u8; KEY_BYTES_MAX + 1],
    key_len: usize,
    form: Form,
    /// Bytes behind the value: the quote that closes a text.
    closing: usize,
}

#[derive(Clone, Copy)]
enum Form {
    /// `dates`: a text that looks like a date is worth a word.
    Text {
        dates: bool,
    },
    Number,
    Bool,
    Date,
}

impl PlainColumn {
    /// The column as one of plain cells; `None` where its cells need more than a look.
    pub(super) fn of(plan: &Plan, column: &PlanColumn) -> Option<Self> {
        let form = match column.value {
            ValueType::Text => Form::Text { dates: column.inferred },
            ValueType::Number => Form::Number,
            ValueType::Bool => Form::Bool,
            ValueType::DateTime(DateFormat::Iso) => Form::Date,
            _ => return None,
        };
        let is_simple = column.target == Target::Attribute
            && column.constant.is_none()
            && column.remarks.is_empty()
            && column.reading.null_words.is_empty()
            && plan.rules.null_values.is_empty()
            && plan.rules.empty == Empty::Omit
            && plan.rules.body_bytes_max > limits::STRING_CHARS_MAX;
        let is_quoted = matches!(form, Form::Text { .. } | Form::Date);
        let key_len = 1 + column.key.len() + usize::from(is_quoted);
        if !is_simple || key_len > KEY_BYTES_MAX {
            return None;
        }
        let mut key = [b'"'; KEY_BYTES_MAX + 1];
        key[0] = b',';
        key[1..=column.key.len()].copy_from_slice(&column.key);
        Some(Self { key, key_len, form, closing: usize::from(is_quoted) })
    }
}

/// Plain members on their way to the JSON of a block. A buffer of one size, which stays in the
/// cache, takes whole steps at a time with no look at its room.
pub(super) struct Stage {
    bytes: Box<[u8; STAGE_BYTES]>,
    len: usize,
}

impl Default for Stage {
    fn default() -> Self {
        Self { bytes: Box::new([0; STAGE_BYTES]), len: 0 }
    }
}

impl Stage {
    /// Moves what it holds.
    pub(super) fn flush(&mut self, json: &mut Vec<u8>) {
        json.extend_from_slice(&self.bytes[..self.len]);
        self.len = 0;
    }

    /// Writes one byte.
    pub(super) fn push(&mut self, byte: u8, json: &mut Vec<u8>) {
        if self.len == STAGE_BYTES {
            self.flush(json);
        }
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Writes the members at the front of an object that are plain; how many stand there, with
    /// those that are absent. `written` counts those that are in the object. A function of its own:
    /// it is where most of the time goes, and its few variables stay in registers.
    #[inline(never)]
    pub(super) fn run<C: Cells>(
        &mut self,
        columns: &[Option<PlainColumn>],
        members: &[Node],
        cells: &C,
        row: usize,
        written: &mut usize,
        json: &mut Vec<u8>,
    ) -> usize {
        let (mut len, mut count, mut done) = (self.len, *written, 0);
        for node in members {
            let Node::Value(at) = *node else { break };
            let Some(column) = &columns[at] else { break };
            if len > STAGE_BYTES - MEMBER_BYTES_MAX {
                json.extend_from_slice(&self.bytes[..len]);
                len = 0;
            }
            let Some(out) = self.bytes[len..].first_chunk_mut() else { break };
            let plain = match cells.span(row, at) {
                Some(Span { len: 0, .. }) => Plain::Absent,
                Some(cell) => column.write(cell, count == 0, out),
                None => column.write_typed(cells, row, at, count == 0, out),
            };
            match plain {
                Plain::Written(bytes) => {
                    len += bytes;
                    count += 1;
                }
                Plain::Absent => {}
                Plain::Declined => break,
            }
            done += 1;
        }
        (self.len, *written) = (len, count);
        done
    }
}

impl PlainColumn {
    /// Writes `,"name":value` of a plain cell, which is not empty; of the first in an object without
    /// the comma.
    #[inline(always)]
    fn write(&self, cell: Span<'_>, is_first: bool, out: &mut Room) -> Plain {
        let Span { bytes, start, len } = cell;
        if len > VALUE_BYTES_MAX {
            return Plain::Declined;
        }
        let at = self.write_key(is_first, out);
        let last = &mut [0; STEP_BYTES];
        let rest = &bytes[start..];
        let first = step_of(rest, last);
        out[at..at + STEP_BYTES].copy_from_slice(first);
        let is_plain = match self.form {
            Form::Text { dates } => {
                let begins = rest[0];
                begins != b'['
                    && !(dates
                        && begins.is_ascii_digit()
                        && !is_no_doubtful_date(first, &rest[..len]))
                    && is_plain_text(first, rest, len, &mut out[at..])
            }
            Form::Date => {
                is_date(first, &rest[..len]) && {
                    out[at..at + len].copy_from_slice(&rest[..len]);
                    true
                }
            }
            Form::Number => len <= NUMBER_BYTES_MAX && is_number(first, len),
            Form::Bool => matches!(&rest[..len], b"true" | b"false"),
        };
        if !is_plain {
            return Plain::Declined;
        }
        out[at + len] = b'"';
        Plain::Written(at + len + self.closing)
    }

    /// The same of a cell of a typed file that is no text: its column writes it.
    #[inline(always)]
    fn write_typed<C: Cells>(
        &self,
        cells: &C,
        row: usize,
        column: usize,
        is_first: bool,
        out: &mut Room,
    ) -> Plain {
        let at = self.write_key(is_first, out);
        let Some(slot) = out[at..].first_chunk_mut() else { return Plain::Declined };
        match cells.put(row, column, slot) {
            Put::Bytes(len) => {
                out[at + len] = b'"';
                Plain::Written(at + len + self.closing)
            }
            Put::Absent => Plain::Absent,
            Put::Declined => Plain::Declined,
        }
    }

    /// Writes the key; where the value goes.
    #[inline(always)]
    fn write_key(&self, is_first: bool, out: &mut Room) -> usize {
        let comma = usize::from(is_first);
        // One half is enough for most.
        let (first_half, rest) = self.key[comma..].split_at(KEY_BYTES_MAX / 2);
        out[..KEY_BYTES_MAX / 2].copy_from_slice(first_half);
        if self.key_len > KEY_BYTES_MAX / 2 {
            out[KEY_BYTES_MAX / 2..KEY_BYTES_MAX].copy_from_slice(&rest[..KEY_BYTES_MAX / 2]);
        }
        self.key_len - comma
    }
}

/// Whether a text that begins with a digit is a number, which has no two separators, or a date as
/// the server keeps it: either is worth no word.
fn is_no_doubtful_date(first: &[u8; STEP_BYTES], text: &[u8]) -> bool {
    (text.len() <= NUMBER_BYTES_MAX && is_number(first, text.len())) || is_date(first, text)
}

/// Copies the rest of a text behind its first step, where nothing in all of it needs an escape;
/// whether that is so.
#[inline(always)]
fn is_plain_text(first: &[u8; STEP_BYTES], text: &[u8], len: usize, out: &mut [u8]) -> bool {
    if len <= STEP_BYTES {
        return json::escape_bits(first) & (u32::MAX >> (32 - len)) == 0;
    }
    if json::escape_bits(first) != 0 {
        return false;
    }
    let mut done = STEP_BYTES;
    while done < len {
        let last = &mut [0; STEP_BYTES];
        let step = step_of(&text[done..], last);
        let left = (len - done).min(STEP_BYTES);
        if json::escape_bits(step) & (u32::MAX >> (32 - left)) != 0 {
            return false;
        }
        out[done..done + STEP_BYTES].copy_from_slice(step);
        done += STEP_BYTES;
    }
    true
}

/// The first step of some bytes; one that is not whole is filled up in `last`.
#[inline(always)]
fn step_of<'a>(bytes: &'a [u8], last: &'a mut [u8; STEP_BYTES]) -> &'a [u8; STEP_BYTES] {
    match bytes.first_chunk() {
        Some(step) => step,
        None => {
            last[..bytes.len()].copy_from_slice(bytes);
            last[bytes.len()..].fill(b' ');
            last
        }
    }
}

/// Whether the first `len` bytes are a number in JSON's grammar, without exponent, that a double
/// keeps.
#[inline(always)]
fn is_number(step: &[u8; STEP_BYTES], len: usize) -> bool {
    let bytes = u8x16::new(*step);
    let all = u32::MAX >> (32 - len);
    let points = bytes.simd_eq(u8x16::splat(b'.')).to_bitmask() & all;
    let digits = digit_bits(bytes) & all;
    let minus = u32::from(step[0] == b'-');
    let start = minus as usize;
    let integer = (digits >> start).trailing_ones();
    let leads_with_zero = integer > 1 && step[start] == b'0';
    // One point at most, behind the integer and before at least one digit.
    let is_split =
        points == 0 || (points == 1 << (start as u32 + integer) && points << 1 & digits != 0);
    digits | points | minus == all
        && integer > 0
        && !leads_with_zero
        && is_split
        && len - start - usize::from(points != 0) <= NUMBER_DIGITS_MAX
}

/// The bytes that are ASCII digits, as bits, the first byte the lowest.
#[inline(always)]
fn digit_bits(bytes: u8x16) -> u32 {
    let low = bytes.max(u8x16::splat(b'0')).simd_eq(bytes);
    let high = bytes.min(u8x16::splat(b'9')).simd_eq(bytes);
    (low & high).to_bitmask()
}

/// Whether a value is a date in the form in which dates are sent: `YYYY-MM-DD`, alone or with
/// `Thh:mm:ssZ` or `Thh:mm:ss.fffZ`. The last day of February is not looked up. `first` is its
/// first step.
#[inline(always)]
fn is_date(first: &[u8; STEP_BYTES], value: &[u8]) -> bool {
    // Digits of the date, and of hour and minute.
    const DATE: u32 = 0b0011_0110_1111;
    const TIME: u32 = 0b1101_1000_0000_0000;
    let digits = digit_bits(u8x16::new(*first));
    // Below 100 where the two bytes are digits.
    let two = |at: usize| {
        usize::from(first[at].wrapping_sub(b'0')) * 10
            + usize::from(first[at + 1].wrapping_sub(b'0'))
    };
    let is_day = digits & DATE == DATE
        && (first[4], first[7]) == (b'-', b'-')
        && (19..=20).contains(&two(0))
        && DAYS.get(two(5)).is_some_and(|&days| (1..=days).contains(&two(8)));
    let is_minute = || {
        digits & TIME == TIME
            && (first[10], first[13]) == (b'T', b':')
            && two(11) < 24
            && two(14) < 60
    };
    let is_second = |ten: u8, one: u8| (b'0'..=b'5').contains(&ten) && one.is_ascii_digit();
    is_day
        && match value.get(STEP_BYTES..) {
            None => value.len() == "YYYY-MM-DD".len(),
            Some(&[b':', ten, one, b'Z']) => is_minute() && is_second(ten, one),
            Some(&[b':', ten, one, b'.', f1, f2, f3, b'Z']) => {
                let is_fraction = [f1, f2, f3].iter().all(u8::is_ascii_digit);
                is_minute() && is_second(ten, one) && is_fraction
            }
            Some(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape::{
        datetime::{DateTime, Zone},
        number::{Fit, Number},
    };

    #[test]
    fn plain_numbers_and_dates() {
        let is_number = |text: &str| is_plain_number(text.as_bytes());
        let is_date = |text: &str| is_plain_date(text.as_bytes());
        for number in ["0", "-0", "7", "-12.50", "0.001", "123456789012345", "99999999999999.9"] {
            assert!(is_number(number), "{number}");
        }
        for other in ["", "-", ".", "5.", ".5", "+5", "007", "1e5", "1.2.3", "1234567890123456"] {
            assert!(!is_number(other), "{other}");
        }
        for date in ["2024-02-28", "1999-12-31T23:59:59Z", "2026-01-01T00:00:00.000Z"] {
            assert!(is_date(date), "{date}");
        }
        for other in [
            "2024-02-30",
            "2024-00-10",
            "2024-13-01",
            "2024-1-01",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.1Z",
            "2024-01-01T00:00:00+05:30",
            "2024-01-01 00:00:00Z",
        ] {
            assert!(!is_date(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_value_is_what_the_general_way_writes(
            text in prop_oneof![
                "-?[0-9]{0,3}\\.?[0-9]{0,16}",
                "(19|20|21)[0-9]{2}-[0-1][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,4})?Z)?",
            ]
        ) {
            let mut written = Vec::new();
            if is_plain_number(text.as_bytes()) {
                let number = Number::parse(&text).expect("a number");
                prop_assert_eq!(number.fit(), Fit::Exact);
                number.write_json(&mut written);
                prop_assert_eq!(&written, text.as_bytes());
            }
            if is_plain_date(text.as_bytes()) {
                let date = DateTime::parse(&text, DateFormat::Iso, Zone::Utc).expect("a date");
                prop_assert!(!date.was_cut());
                written.clear();
                date.write(&mut written);
                prop_assert_eq!(&written, text.as_bytes());
            }
        }
    }
}
