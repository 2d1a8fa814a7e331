//! Plain values: cells that are sent as they stand. Most cells are: a text without anything to
//! escape, a number in JSON's own grammar, a date in the server's own form. They are told by
//! their bytes, 16 at a time, and copied.
//!
//! Whatever is not plain, or not allowed, is declined and goes the general way, which would
//! have written the same for a plain one. A property test holds the two together.

use super::Encoder;
use crate::shape::{
    datetime::DateFormat,
    json,
    plan::{Empty, Plan, PlanColumn, Target, ValueType},
};
use crate::wire::limits;

/// Bytes of a key's copy, one size for all so that it needs no call: longer keys go the general way.
const KEY_BYTES_MAX: usize = 64;

/// Longest plain number: the digits that a double keeps, sign and point.
const NUMBER_BYTES_MAX: usize = 16;

/// Digits that every double keeps.
const NUMBER_DIGITS_MAX: u32 = 15;

/// Days of each month, of February in every year.
const DAYS: [u8; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A cell of a text file: the bytes around it, and where it lies in them.
#[derive(Clone, Copy)]
pub(in crate::shape) struct Span<'a> {
    pub(in crate::shape) bytes: &'a [u8],
    pub(in crate::shape) start: usize,
    pub(in crate::shape) len: usize,
}

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Written,
    /// It is no value, and nothing is sent.
    Absent,
    /// It has to go the general way; nothing was written.
    Declined,
}

/// An attribute whose cells may be plain.
pub(super) struct PlainColumn {
    /// `,"name":`, and the quote that opens a text.
    key: [u8; KEY_BYTES_MAX],
    key_len: usize,
    form: Form,
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
        let mut key = [b'"'; KEY_BYTES_MAX];
        key[0] = b',';
        key[1..=column.key.len()].copy_from_slice(&column.key);
        Some(Self { key, key_len, form })
    }
}

impl Encoder<'_> {
    /// Writes `,"name":value` of a plain cell; of the first in an object without the comma.
    pub(super) fn plain(&mut self, column: &PlainColumn, cell: Span<'_>, is_first: bool) -> Plain {
        let Span { bytes, start, len } = cell;
        if len == 0 {
            return Plain::Absent;
        }
        let before = self.json.len();
        if is_first {
            self.json.extend_from_slice(&column.key[1..column.key_len]);
        } else {
            self.json.extend_from_slice(&column.key);
            self.json.truncate(before + column.key_len);
        }
        let value = &bytes[start..start + len];
        let is_written = match column.form {
            Form::Text { dates } => {
                let first = value[0];
                len <= limits::STRING_CHARS_MAX
                    && first != b'['
                    && !(dates && first.is_ascii_digit())
                    && json::push_plain(&mut self.json, bytes, start, len)
            }
            Form::Date => is_date(value) && json::push_plain(&mut self.json, bytes, start, len),
            Form::Number => {
                len <= NUMBER_BYTES_MAX && is_number(value) && {
                    self.json.extend_from_slice(value);
                    true
                }
            }
            Form::Bool => {
                (value == b"true" || value == b"false") && {
                    self.json.extend_from_slice(value);
                    true
                }
            }
        };
        if !is_written {
            self.json.truncate(before);
            return Plain::Declined;
        }
        if matches!(column.form, Form::Text { .. } | Form::Date) {
            self.json.push(b'"');
        }
        Plain::Written
    }
}

/// Whether these bytes are a number in JSON's grammar, without exponent, that a double keeps.
fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let (mut count, mut point) = (0, None);
    for (at, &byte) in digits.iter().enumerate() {
        if byte.is_ascii_digit() {
            count += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return false;
        }
    }
    let integer = point.unwrap_or(digits.len());
    let leads_with_zero = integer > 1 && digits[0] == b'0';
    integer > 0
        && !leads_with_zero
        && point.is_none_or(|point| point + 1 < digits.len())
        && count <= NUMBER_DIGITS_MAX
}

/// Whether these bytes are a date in the form in which dates are sent: `YYYY-MM-DD`, alone or
/// with `Thh:mm:ssZ` or `Thh:mm:ss.fffZ`. The last day of February is not looked up.
fn is_date(value: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, time @ ..] = value else { return false };
    let (Some(century), Some(month), Some(day)) = (two(*y1, *y2), two(*m1, *m2), two(*d1, *d2))
    else {
        return false;
    };
    let is_day = (19..=20).contains(&century)
        && two(*y3, *y4).is_some()
        && DAYS.get(usize::from(month)).is_some_and(|&days| (1..=days).contains(&day));
    is_day
        && match time {
            [] => true,
            [b'T', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] => {
                two(*h1, *h2).is_some_and(|hour| hour < 24)
                    && two(*m1, *m2).is_some_and(|minute| minute < 60)
                    && two(*s1, *s2).is_some_and(|second| second < 60)
                    && match rest {
                        b"Z" => true,
                        [b'.', fraction @ .., b'Z'] => {
                            fraction.len() == 3 && fraction.iter().all(u8::is_ascii_digit)
                        }
                        _ => false,
                    }
            }
            _ => false,
        }
}

/// A number of two digits.
fn two(ten: u8, one: u8) -> Option<u8> {
    (ten.is_ascii_digit() && one.is_ascii_digit()).then(|| (ten - b'0') * 10 + (one - b'0'))
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
        for number in ["0", "-0", "7", "-12.50", "0.001", "123456789012345", "99999999999999.9"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for other in ["", "-", ".", "5.", ".5", "+5", "007", "1e5", "1.2.3", "1234567890123456"] {
            assert!(!is_number(other.as_bytes()), "{other}");
        }
        for date in ["2024-02-28", "1999-12-31T23:59:59Z", "2026-01-01T00:00:00.000Z"] {
            assert!(is_date(date.as_bytes()), "{date}");
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
            assert!(!is_date(other.as_bytes()), "{other}");
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
            if is_number(text.as_bytes()) {
                let number = Number::parse(&text).expect("a number");
                prop_assert_eq!(number.fit(), Fit::Exact);
                number.write_json(&mut written);
                prop_assert_eq!(&written, text.as_bytes());
            }
            if is_date(text.as_bytes()) {
                let date = DateTime::parse(&text, DateFormat::Iso, Zone::Utc).expect("a date");
                prop_assert!(!date.was_cut());
                written.clear();
                date.write(&mut written);
                prop_assert_eq!(&written, text.as_bytes());
            }
        }
    }
}
