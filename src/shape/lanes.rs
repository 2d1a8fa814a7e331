//! Values told by their bytes, [`STEP_BYTES`] at a time, with whatever vectors the processor has.
//!
//! All of it is for cells that are sent as they stand, and says no to any other. What comes in
//! random order (how long a value is, which form a date has) is looked up or computed rather than
//! branched on: a branch guessed wrongly costs more than all that is done for a cell.

use fearless_simd::{prelude::*, u8x16, u8x32};

/// Bytes that are looked at, and copied, at a time.
pub const STEP_BYTES: usize = 32;

/// What is looked at: the start of a value, and whatever stands behind it.
pub type Step = [u8; STEP_BYTES];

/// Longest plain number: the digits that a double keeps, sign and point.
const NUMBER_BYTES_MAX: usize = 16;

/// Digits that every double keeps.
const NUMBER_DIGITS_MAX: usize = 15;

/// The first step of some bytes; one that is not whole is filled up.
#[inline(always)]
pub fn step_of(bytes: &[u8]) -> Step {
    match bytes.first_chunk() {
        Some(step) => *step,
        None => last_step(bytes),
    }
}

#[cold]
fn last_step(bytes: &[u8]) -> Step {
    let mut step = [b' '; STEP_BYTES];
    step[..bytes.len()].copy_from_slice(bytes);
    step
}

/// The lowest `len` bits, at most [`STEP_BYTES`].
#[inline(always)]
fn low(len: usize) -> u32 {
    ((1u64 << len.min(STEP_BYTES)) - 1) as u32
}

/// The bytes that need an escape in a JSON string, as bits.
#[inline(always)]
fn escapes<S: Simd>(simd: S, step: &Step) -> u32 {
    let bytes = u8x32::from_slice(simd, step);
    let controls = bytes.simd_le(0x1f);
    let marks = bytes.simd_eq(b'"') | bytes.simd_eq(b'\\');
    (controls | marks).to_bitmask() as u32
}

/// Whether the first `len` bytes of a step, or all of it where there are more, hold something that
/// needs an escape in a JSON string.
#[inline(always)]
pub fn has_escape<S: Simd>(simd: S, step: &Step, len: usize) -> bool {
    escapes(simd, step) & low(len) != 0
}

/// Whether the first `len` bytes, no more than a step, are a text that is sent as it stands: none
/// that needs an escape, or that begins as MoEngage's imports write arrays. An empty text is.
#[inline(always)]
pub fn is_plain_text<S: Simd>(simd: S, step: &Step, len: usize) -> bool {
    debug_assert!(len <= STEP_BYTES);
    // Behind the first byte, what needs an escape anyway.
    const LISTS: Step = {
        let mut lists = [b'"'; STEP_BYTES];
        lists[0] = b'[';
        lists
    };
    let bytes = u8x32::from_slice(simd, step);
    let list = bytes.simd_eq(u8x32::from_slice(simd, &LISTS)).to_bitmask() as u32;
    (escapes(simd, step) | list) & low(len) == 0
}

/// Whether a text can stand in a JSON string as it is.
#[inline(always)]
pub fn needs_no_escape<S: Simd>(simd: S, text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        if has_escape(simd, &step_of(rest), rest.len()) {
            return false;
        }
        rest = rest.get(STEP_BYTES..).unwrap_or_default();
    }
    true
}

/// Whether the first `len` bytes are `true` or `false`.
#[inline(always)]
pub fn is_bool(step: &Step, len: usize) -> bool {
    const TRUE: u32 = u32::from_le_bytes(*b"true");
    const FALS: u32 = u32::from_le_bytes(*b"fals");
    let word = u32::from_le_bytes([step[0], step[1], step[2], step[3]]);
    ((len == 4) & (word == TRUE)) | ((len == 5) & (word == FALS) & (step[4] == b'e'))
}

/// Whether the first `len` bytes are a number in JSON's grammar, without exponent, that a double
/// keeps.
#[inline(always)]
pub fn is_number<S: Simd>(simd: S, step: &Step, len: usize) -> bool {
    let bytes = u8x16::from_slice(simd, &step[..NUMBER_BYTES_MAX]);
    let all = low(len);
    let points = bytes.simd_eq(b'.').to_bitmask() as u32 & all;
    let digits = (bytes - b'0').simd_le(9).to_bitmask() as u32 & all;
    let minus = u32::from(step[0] == b'-');
    let integer = (digits >> minus).trailing_ones();
    let leads_with_zero = (integer > 1) & (step[minus as usize] == b'0');
    // One point at most, behind the integer and before at least one digit.
    let is_split =
        (points == 0) | ((points == 1 << (minus + integer)) & (points << 1 & digits != 0));
    (len <= NUMBER_BYTES_MAX)
        & (digits | points | minus == all)
        & (integer > 0)
        & !leads_with_zero
        & is_split
        & (digits.count_ones() as usize <= NUMBER_DIGITS_MAX)
}

/// One form of a date: where its digits and its separators stand, as bits.
struct DateForm {
    digits: u32,
    separators: u32,
    template: Step,
}

impl DateForm {
    /// A form as it is written, with zeros for digits.
    const fn of(text: &[u8]) -> Self {
        let (mut digits, mut separators, mut template) = (0, 0, [0; STEP_BYTES]);
        let mut at = 0;
        while at < text.len() {
            if text[at] == b'0' {
                digits |= 1 << at;
            } else {
                separators |= 1 << at;
            }
            template[at] = text[at];
            at += 1;
        }
        Self { digits, separators, template }
    }
}

/// The forms in which dates are sent, by their length; of other lengths there is none, and no value
/// has it.
static DATE_FORMS: [DateForm; STEP_BYTES] = {
    let mut forms =
        [const { DateForm { digits: 0, separators: 1, template: [0; STEP_BYTES] } }; STEP_BYTES];
    forms[10] = DateForm::of(b"0000-00-00");
    forms[20] = DateForm::of(b"0000-00-00T00:00:00Z");
    forms[24] = DateForm::of(b"0000-00-00T00:00:00.000Z");
    forms
};

/// Days of each month, of February in every year; of what is no month, none.
const DAYS: [u32; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];

/// The numbers of two digits in the eight bytes from `at` on: each byte becomes that of itself and
/// the next. What is no digit gives some other number, of one byte too.
#[inline(always)]
fn pairs(step: &Step, at: usize) -> u64 {
    const DIGITS: u64 = u64::from_le_bytes([0x0f; 8]);
    let bytes = &step[at..at + 8];
    let digits = bytes.try_into().map_or(0, u64::from_le_bytes) & DIGITS;
    digits * 10 + (digits >> 8)
}

/// The number at a place of [`pairs`].
#[inline(always)]
fn two(pairs: u64, at: usize) -> u32 {
    u32::from((pairs >> (8 * at)) as u8)
}

/// Whether the first `len` bytes are a date in the form in which dates are sent: `YYYY-MM-DD`,
/// alone or with `Thh:mm:ssZ` or `Thh:mm:ss.fffZ`. The last day of February is not looked up.
#[inline(always)]
pub fn is_date<S: Simd>(simd: S, step: &Step, len: usize) -> bool {
    (len < STEP_BYTES)
        & has_form(simd, step, &DATE_FORMS[len % STEP_BYTES])
        & is_day(step)
        & ((len == 10) | is_time(step))
}

#[inline(always)]
fn has_form<S: Simd>(simd: S, step: &Step, form: &DateForm) -> bool {
    let bytes = u8x32::from_slice(simd, step);
    let digits = (bytes - b'0').simd_le(9).to_bitmask() as u32;
    let same = bytes.simd_eq(u8x32::from_slice(simd, &form.template)).to_bitmask() as u32;
    (!digits & form.digits) | (!same & form.separators) == 0
}

/// Whether year, month and day are such; their bytes are digits.
#[inline(always)]
fn is_day(step: &Step) -> bool {
    let (year, day) = (pairs(step, 0), two(pairs(step, 8), 0));
    let (century, month) = (two(year, 0), two(year, 5));
    ((century == 19) | (century == 20)) & (month < 13) & (day.wrapping_sub(1) < days_of(step))
}

/// Days of the month.
#[inline(always)]
fn days_of(step: &Step) -> u32 {
    DAYS[two(pairs(step, 0), 5) as usize % DAYS.len()]
}

/// Whether hour, minute and second are such; their bytes are digits.
#[inline(always)]
fn is_time(step: &Step) -> bool {
    let (hour, minute) = hour_and_minute(step);
    (hour < 24) & (minute < 60) & (two(pairs(step, 16), 1) < 60)
}

#[inline(always)]
fn hour_and_minute(step: &Step) -> (u32, u32) {
    let pairs = pairs(step, 8);
    (two(pairs, 3), two(pairs, 6))
}

/// A date-time with an offset, and no fraction.
const OFFSET_FORM: DateForm = DateForm::of(b"0000-00-00T00:00:00+00:00");

/// Bytes of a date-time in UTC, without fraction.
pub const UTC_BYTES: usize = "YYYY-MM-DDThh:mm:ssZ".len();

/// A date-time `YYYY-MM-DDThh:mm:ss±hh:mm` in UTC, which is [`UTC_BYTES`] long, where that is in
/// the same month.
#[inline(always)]
pub fn to_utc<S: Simd>(simd: S, step: &Step, len: usize) -> Option<Step> {
    const SIGN: usize = UTC_BYTES - 1;
    const DAY_MINUTES: u32 = 24 * 60;
    let east = step[SIGN] == b'+';
    let mut as_east = *step;
    as_east[SIGN] = b'+';
    let zone = pairs(step, SIGN + 1);
    let (offset_hour, offset_minute) = (two(zone, 0), two(zone, 3));
    let is_sound = (len == UTC_BYTES + "hh:mm".len())
        & (east | (step[SIGN] == b'-'))
        & has_form(simd, &as_east, &OFFSET_FORM)
        & is_day(step)
        & is_time(step)
        & (offset_hour < 24)
        & (offset_minute < 60);
    let (hour, minute) = hour_and_minute(step);
    let (local, offset) = (hour * 60 + minute, offset_hour * 60 + offset_minute);
    // Counted from the day before, so that it is above 0.
    let moved = if east { local.wrapping_sub(offset) } else { local + offset };
    let utc = DAY_MINUTES.wrapping_add(moved);
    let day = (two(pairs(step, 8), 0) + utc / DAY_MINUTES).wrapping_sub(1);
    if !is_sound | (day == 0) | (day > days_of(step)) {
        return None;
    }
    let utc = utc % DAY_MINUTES;
    let mut date = as_east;
    for (at, value) in [(8, day), (11, utc / 60), (14, utc % 60)] {
        date[at] = b'0' + (value / 10) as u8;
        date[at + 1] = b'0' + (value % 10) as u8;
    }
    date[SIGN] = b'Z';
    Some(date)
}

#[cfg(test)]
mod tests {
    use fearless_simd::dispatch;
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;
    use crate::model::levels;
    use crate::shape::{
        datetime::{DateFormat, DateTime, Zone},
        number::{Fit, Number},
    };

    /// What the bytes of a text tell, with every kind of vectors the same.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Told {
        number: bool,
        date: bool,
        utc: Option<Vec<u8>>,
        escape: bool,
    }

    fn told(text: &str) -> Told {
        let (bytes, len) = (text.as_bytes(), text.len());
        // Whatever stands behind a value says nothing of it.
        let surrounded = [bytes, b"0123456789\"T00:00:00Z\\Z0-:.0123456789"].concat();
        let told = levels().into_iter().flat_map(|level| {
            [bytes, &surrounded].map(|bytes| {
                let step = step_of(bytes);
                let utc = dispatch!(level, simd => to_utc(simd, &step, len));
                Told {
                    number: dispatch!(level, simd => is_number(simd, &step, len)),
                    date: dispatch!(level, simd => is_date(simd, &step, len)),
                    utc: utc.map(|date| date[..UTC_BYTES].to_vec()),
                    escape: dispatch!(level, simd => has_escape(simd, &step, len)),
                }
            })
        });
        let told: Vec<Told> = told.collect();
        assert!(told.iter().all(|other| *other == told[0]), "{text:?}: {told:?}");
        told[0].clone()
    }

    #[test]
    fn plain_numbers_and_dates() {
        let is_number = |text: &str| told(text).number;
        let is_date = |text: &str| told(text).date;
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

    #[test]
    fn dates_with_an_offset_are_moved_within_their_month() {
        let utc = |text: &str| told(text).utc.map(|date| String::from_utf8(date).expect("ASCII"));
        let moved = |to: &str| Some(to.to_owned());
        assert_eq!(utc("2024-02-28T05:30:07+05:30"), moved("2024-02-28T00:00:07Z"));
        assert_eq!(utc("2024-12-31T12:34:56-09:45"), moved("2024-12-31T22:19:56Z"));
        assert_eq!(utc("2024-12-31T12:34:56-00:00"), moved("2024-12-31T12:34:56Z"));
        assert_eq!(utc("2024-02-28T05:29:59+05:30"), moved("2024-02-27T23:59:59Z"));
        assert_eq!(utc("2024-04-29T23:00:00-23:59"), moved("2024-04-30T22:59:00Z"));
        for other in [
            "2024-03-01T05:29:59+05:30",
            "2024-02-28T23:00:00-01:00",
            "2024-12-31T00:00:00-24:00",
            "2024-02-28T12:00:00+24:00",
            "2024-02-28T12:00:00+01:60",
            "2024-02-28T12:00:00 01:00",
            "2024-02-28T24:00:00+01:00",
            "2024-02-28T12:00:00+0100",
            "2024-02-28T12:00:00Z",
        ] {
            assert_eq!(utc(other), None, "{other}");
        }
    }

    #[test]
    fn words_and_escapes() {
        for (text, expected) in
            [("true", true), ("false", true), ("True", false), ("falsy", false), ("truer", false)]
        {
            let step = step_of(text.as_bytes());
            assert_eq!(is_bool(&step, text.len()), expected, "{text}");
        }
        for byte in 0..=u8::MAX {
            let needs = byte < 0x20 || byte == b'"' || byte == b'\\';
            for at in [0, 1, 15, 16, 31, 32, 63, 64, 69] {
                let mut text = [b'x'; 70];
                text[at] = byte;
                for level in levels() {
                    let clean = |text: &[u8]| dispatch!(level, simd => needs_no_escape(simd, text));
                    assert_eq!(clean(&text), !needs, "{byte} at {at}");
                    assert!(clean(&text[..at]), "{byte} behind {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_plain_value_is_what_the_general_way_writes(
            text in prop_oneof![
                "-?[0-9]{0,3}\\.?[0-9]{0,16}",
                "(19|20|21)[0-9]{2}-[0-1][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,4})?(Z|[+-][0-2][0-9]:[0-6][0-9]))?",
            ]
        ) {
            let Told { number, date, utc, .. } = told(&text);
            let mut written = Vec::new();
            if number {
                let number = Number::parse(&text).expect("a number");
                prop_assert_eq!(number.fit(), Fit::Exact);
                number.write_json(&mut written);
                prop_assert_eq!(&written, text.as_bytes());
            }
            if date || utc.is_some() {
                let date = DateTime::parse(&text, DateFormat::Iso, Zone::Utc).expect("a date");
                prop_assert!(!date.was_cut());
                written.clear();
                date.write(&mut written);
                prop_assert_eq!(written, utc.unwrap_or_else(|| text.into_bytes()));
            }
        }
    }
}
