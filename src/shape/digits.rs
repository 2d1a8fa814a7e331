//! The bytes of numbers and date-times that most typed cells hold, written to a slot of one
//! size, at fixed places or by a table. What these decline `arrow_text` writes; tests hold the
//! two to the same bytes.

use std::ops::RangeInclusive;

/// Room for any value that is written here, and for what a copy of one size touches behind it.
pub(super) type Slot = [u8; 32];

const SECONDS_PER_DAY: i64 = 86_400;

/// 0000-01-01 and 9999-12-31 as days since 1970-01-01.
const DAYS_WRITABLE: RangeInclusive<i64> = -719_528..=2_932_896;

/// Whole numbers below this have no more digits than every double keeps.
const EXACT_BELOW: u64 = 1_000_000_000_000_000;

/// Most places behind the point of a plain decimal.
const PLACES_MAX: usize = 15;

/// Doubles of these sizes are written without an exponent by everybody.
const PLAIN_SIZES: std::ops::Range<f64> = 1e-4..1e15;

/// Most doubles of files are amounts, with so many places at most.
const AMOUNT_PLACES: usize = 4;
const AMOUNT_UNITS: f64 = 1e4;
/// Amounts below this have as many digits as every double keeps.
const AMOUNT_BELOW: f64 = 1e11;

/// The numbers from 00 to 99 as two digits, the first one lowest. There is room for any seven
/// bits, so that a look needs no check.
const PAIRS: [u16; 128] = {
    let mut pairs = [0; 128];
    let mut number = 0;
    while number < 100 {
        pairs[number] =
            u16::from_le_bytes([b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        number += 1;
    }
    pairs
};

/// Eight digits `0`.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// Whole numbers below this have eight digits at most.
const EIGHT_DIGITS_BELOW: u64 = 100_000_000;

/// Powers of ten.
const POWERS: [u64; PLACES_MAX + 1] = {
    let mut powers = [1; PLACES_MAX + 1];
    let mut at = 1;
    while at <= PLACES_MAX {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Whether a whole number of this size has no more digits than every double keeps.
#[inline]
pub(super) fn is_exact(size: u64) -> bool {
    size < EXACT_BELOW
}

/// Writes a whole number; its length.
#[inline]
pub(super) fn put_i64(to: &mut Slot, value: i64) -> usize {
    to[0] = b'-';
    put_u64(to, usize::from(value < 0), value.unsigned_abs())
}

/// Writes a whole number behind `at` bytes, at most one; where it ends.
#[inline]
pub(super) fn put_u64(to: &mut Slot, at: usize, value: u64) -> usize {
    if value < EIGHT_DIGITS_BELOW {
        // The first digit is the lowest byte; the last one stands, whatever it is.
        let (high, low) = (value as u32 / 10_000, value as u32 % 10_000);
        let digits = u64::from(four(high)) | u64::from(four(low)) << 32;
        let zeros = ((digits ^ ZEROS) | 1 << 63).trailing_zeros() / 8;
        let digits = digits >> (8 * zeros);
        to[at..at + 8].copy_from_slice(&digits.to_le_bytes());
        return at + 8 - zeros as usize;
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    let end = at + digits.len();
    to[at..end].copy_from_slice(digits);
    end
}

/// Writes the shortest form that gives the same double; `None` where it may need an exponent, is
/// not finite, is -0, or another form may be as short and as near.
#[inline]
pub(super) fn put_f64(to: &mut Slot, value: f64) -> Option<usize> {
    let size = value.abs();
    to[0] = b'-';
    let at = usize::from(value.is_sign_negative());
    if size < AMOUNT_BELOW {
        // Two decimals of 15 digits never give the same double: where one does, it is the shortest.
        let units = (size * AMOUNT_UNITS + 0.5) as i64;
        if units as f64 / AMOUNT_UNITS == size {
            return (units > 0 || at == 0).then(|| put_amount(to, at, units as u64));
        }
    }
    if !PLAIN_SIZES.contains(&size) {
        return None;
    }
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format_finite(value);
    let digits = digits.strip_suffix(".0").unwrap_or(digits).as_bytes();
    let places = digits.iter().position(|&byte| byte == b'.').map_or(0, |at| digits.len() - 1 - at);
    if places + 1 == fraction_bits(value) {
        return None;
    }
    to.get_mut(..digits.len())?.copy_from_slice(digits);
    Some(digits.len())
}

/// Bits behind the binary point of a normal double up to the last that is set: as many decimal
/// places does it take to write it exactly. Where that is one place more than the shortest form
/// has, two forms may be equally near, and which one is written is a matter of taste.
fn fraction_bits(value: f64) -> usize {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let exponent = (bits >> MANTISSA_BITS & 0x7ff) as i64 - 1_023;
    let used = MANTISSA_BITS - (bits | 1 << MANTISSA_BITS).trailing_zeros();
    usize::try_from(i64::from(used) - exponent).unwrap_or(0)
}

/// Writes ten-thousandths as a decimal, without zeros at its end; where it ends.
#[inline]
fn put_amount(to: &mut Slot, at: usize, units: u64) -> usize {
    let (whole, fraction) = (units / 10_000, (units % 10_000) as u32);
    let point = put_u64(to, at, whole);
    if fraction == 0 {
        return point;
    }
    to[point] = b'.';
    let digits = four(fraction);
    put_four(to, point + 1, digits);
    // The last digit is the highest byte.
    let zeros = (digits ^ ZEROS as u32).leading_zeros() as usize / 8;
    point + 1 + AMOUNT_PLACES - zeros
}

/// Writes `unscaled` × 10^-`scale`, its trailing zeros kept; `None` where a double may not keep
/// its digits or the scale is none of a plain decimal.
pub(super) fn put_decimal(to: &mut Slot, unscaled: i128, scale: i8) -> Option<usize> {
    let places = usize::try_from(scale).ok().filter(|&places| places <= PLACES_MAX)?;
    let size = u64::try_from(unscaled.unsigned_abs()).ok().filter(|&size| is_exact(size))?;
    to[0] = b'-';
    let point = put_u64(to, usize::from(unscaled < 0), size / POWERS[places]);
    if places == 0 {
        return Some(point);
    }
    to[point] = b'.';
    let (mut rest, end) = (size % POWERS[places], point + 1 + places);
    for digit in to[point + 1..end].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    Some(end)
}

/// Writes `YYYY-MM-DD` for a number of days since 1970-01-01; `None` where four digits of a year
/// can't say it.
pub(super) fn put_date(to: &mut Slot, days: i64) -> Option<usize> {
    if !DAYS_WRITABLE.contains(&days) {
        return None;
    }
    let (year, month, day) = civil_from_days(days);
    to[..10].copy_from_slice(b"0000-00-00");
    put_pair(to, 0, year / 100);
    put_pair(to, 2, year % 100);
    put_pair(to, 5, month);
    put_pair(to, 8, day);
    Some(10)
}

/// Writes `YYYY-MM-DDThh:mm:ss[.fff]Z` for a number of `1 / UNITS` seconds since
/// 1970-01-01T00:00:00Z; `None` where it has digits past milliseconds, or four digits of a year
/// can't say it.
#[inline]
pub(super) fn put_instant<const UNITS: i64>(to: &mut Slot, value: i64) -> Option<usize> {
    let (seconds, rest) = (value.div_euclid(UNITS), value.rem_euclid(UNITS));
    let (milliseconds, is_cut) = match UNITS {
        1 => (0, false),
        1_000 => (rest as u32, false),
        _ => ((rest / (UNITS / 1_000)) as u32, rest % (UNITS / 1_000) != 0),
    };
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    let second = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
    if is_cut {
        return None;
    }
    put_date(to, days)?;
    to[10..20].copy_from_slice(b"T00:00:00Z");
    let minute = second / 60;
    put_pair(to, 11, minute / 60);
    put_pair(to, 14, minute % 60);
    put_pair(to, 17, second % 60);
    if milliseconds == 0 {
        return Some(20);
    }
    to[19] = b'.';
    to[20] = b'0' + (milliseconds / 100) as u8;
    put_pair(to, 21, milliseconds % 100);
    to[23] = b'Z';
    Some(24)
}

#[inline]
fn put_pair(to: &mut Slot, at: usize, number: u32) {
    to[at..at + 2].copy_from_slice(&pair(number).to_le_bytes());
}

#[inline]
fn put_four(to: &mut Slot, at: usize, digits: u32) {
    to[at..at + 4].copy_from_slice(&digits.to_le_bytes());
}

/// Two digits of a number below 100.
#[inline]
fn pair(number: u32) -> u16 {
    PAIRS[number as usize % PAIRS.len()]
}

/// Four digits of a number below 10,000.
#[inline]
fn four(number: u32) -> u32 {
    u32::from(pair(number / 100)) | u32::from(pair(number % 100)) << 16
}

/// Year, month and day of days that are writable, after Cassio Neri and Lorenz Schneider
/// ("Euclidean affine functions and their application to calendar algorithms"): years begin
/// in March, and each step is one multiplication.
#[inline]
fn civil_from_days(days: i64) -> (u32, u32, u32) {
    // 400 years ahead, so that no day is before the first: -60 is 0000-01-01.
    let ahead = (days + 719_468 + 146_097) as u32;
    let quarter = 4 * ahead + 3;
    let (century, of_century) = (quarter / 146_097, quarter % 146_097 / 4);
    let product = 2_939_745 * u64::from(4 * of_century + 3);
    let (year, of_year) = ((product >> 32) as u32, product as u32 / 2_939_745 / 4);
    let affine = 2_141 * of_year + 197_913;
    let (month, day) = (affine >> 16, affine % 65_536 / 2_141 + 1);
    let is_next = of_year >= 306;
    let year = 100 * century + year + u32::from(is_next) - 400;
    (year, if is_next { month - 12 } else { month }, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape::arrow_text;

    fn written(put: impl FnOnce(&mut Slot) -> Option<usize>) -> Option<String> {
        let mut slot = [b'x'; size_of::<Slot>()];
        let len = put(&mut slot)?;
        Some(std::str::from_utf8(&slot[..len]).expect("ASCII").to_owned())
    }

    fn general(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    /// Every day that can be written, and the first that can't.
    #[test]
    fn every_day() {
        for days in DAYS_WRITABLE {
            let (year, month, day) = civil_from_days(days);
            let expected = arrow_text::civil_from_days(days);
            assert_eq!((i64::from(year), i64::from(month), i64::from(day)), expected);
        }
        assert_eq!(written(|to| put_date(to, -719_528)).as_deref(), Some("0000-01-01"));
        assert_eq!(written(|to| put_date(to, 2_932_896)).as_deref(), Some("9999-12-31"));
        assert_eq!(written(|to| put_date(to, 2_932_897)), None);
        assert_eq!(written(|to| put_date(to, -719_529)), None);
    }

    fn instant<const UNITS: i64>(value: i64) {
        let mut expected = String::new();
        let general = arrow_text::push_instant(&mut expected, value, UNITS as u32);
        let expected = (general == Ok(false)).then_some(expected);
        assert_eq!(written(|to| put_instant::<UNITS>(to, value)), expected);
    }

    proptest! {
        #[test]
        fn instants(
            seconds in prop_oneof![-70_000_000_000_i64..260_000_000_000, -2_000_000_000_i64..2_000_000_000],
            fraction in prop_oneof![Just(0), 0_i64..1_000_000_000, (0_i64..1_000).prop_map(|ms| ms * 1_000_000)],
        ) {
            instant::<1>(seconds);
            instant::<1_000>(seconds * 1_000 + fraction / 1_000_000);
            instant::<1_000_000>(seconds * 1_000_000 + fraction / 1_000);
            if let Some(nanos) = seconds.checked_mul(1_000_000_000) {
                instant::<1_000_000_000>(nanos.saturating_add(fraction));
            }
        }

        #[test]
        fn doubles(
            value in prop_oneof![
                any::<f64>(),
                -1e16..1e16,
                -1.0..1.0,
                (any::<i64>(), 10_u32..64, 0..8)
                    .prop_map(|(n, size, places)| (n >> size) as f64 / 10_f64.powi(places)),
                (0_u64..1 << 53).prop_map(|n| n as f64),
                any::<f32>().prop_map(f64::from),
                (-1e6_f32..1e6).prop_map(f64::from),
            ],
            next in prop_oneof![4 => Just(0_i64), 1 => -2_i64..2],
        ) {
            let value = f64::from_bits(value.to_bits().wrapping_add_signed(next));
            match written(|to| put_f64(to, value)) {
                Some(text) => prop_assert_eq!(text, general(|out| arrow_text::push_f64(out, value))),
                None => prop_assert!(
                    !PLAIN_SIZES.contains(&value.abs()) || fraction_bits(value) < 24,
                    "{}",
                    value
                ),
            }
        }

        #[test]
        fn decimals(size in 0_u32..60, digits in any::<i128>(), scale in -3_i8..20) {
            let unscaled = digits >> (127 - size);
            let expected = general(|out| arrow_text::push_decimal(out, unscaled, scale));
            if let Some(text) = written(|to| put_decimal(to, unscaled, scale)) {
                prop_assert_eq!(text, expected);
            } else {
                prop_assert!(!(0..=15).contains(&scale) || unscaled.unsigned_abs() >= 10_u128.pow(15));
            }
        }

        #[test]
        fn integers(value in any::<i64>(), size in 0_u32..64) {
            let value = value >> size;
            prop_assert_eq!(written(|to| Some(put_i64(to, value))), Some(value.to_string()));
            let size = value as u64;
            prop_assert_eq!(written(|to| Some(put_u64(to, 0, size))), Some(size.to_string()));
        }
    }

    #[test]
    fn doubles_at_the_edges() {
        for (value, text) in [
            (0.0, Some("0")),
            (-0.0, None),
            (5.0, Some("5")),
            (-0.25, Some("-0.25")),
            (1234.5, Some("1234.5")),
            (0.1 + 0.2, Some("0.30000000000000004")),
            (1e15, None),
            // As near to …12 as to …13.
            (f64::from(218.309_6_f32), None),
            (1_073_741_824.5, Some("1073741824.5")),
            (999_999_999_999_999.9, Some("999999999999999.9")),
            (-123_456_789_012_345.67, Some("-123456789012345.67")),
            (99_999_999_999.999_9, Some("99999999999.9999")),
            (1e-4, Some("0.0001")),
            (-0.000_123_456_789_012_345_67, Some("-0.00012345678901234567")),
            (9.99e-5, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(written(|to| put_f64(to, value)).as_deref(), text, "{value}");
        }
    }
}
