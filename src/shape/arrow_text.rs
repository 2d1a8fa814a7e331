//! The exact text of single Arrow values: numbers, decimals, dates, instants and
//! times of day.
//!
//! Every function appends to a string of the caller's and allocates nothing else.

use std::fmt::{Display, Write};

use arrow::datatypes::i256;

use crate::model::push_fraction;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
const NANOS_PER_MILLISECOND: u32 = 1_000_000;

/// 0000-01-01 and 9999-12-31 as days since 1970-01-01: what four digits of a year can say.
const DAYS_WRITABLE: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;

/// Doubles of at least this much take an exponent, as in ECMAScript.
const PLAIN_BELOW: f64 = 1e21;
/// Doubles smaller than this take an exponent, as in ECMAScript.
const PLAIN_FROM: f64 = 1e-6;

/// Decimal digits in one limb of [`push_decimal256`]: the most whose every value fits an i128.
const LIMB_DIGITS: usize = 38;
const LIMB: i128 = 10_i128.pow(LIMB_DIGITS as u32);

/// The value does not fit the text form: a year beyond 0000 to 9999, a time of day
/// beyond its day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

/// Appends a value by its `Display`.
pub(super) fn push(out: &mut String, value: impl Display) {
    // A `String` takes everything: its `fmt::Write` has no error to report.
    let _ = write!(out, "{value}");
}

/// Appends the shortest decimal form that gives the same double, as ECMAScript
/// writes it except that the sign of `-0.0` stays. The value must be finite.
pub(super) fn push_f64(out: &mut String, value: f64) {
    let size = value.abs();
    if size == 0.0 {
        out.push_str(if value.is_sign_negative() { "-0.0" } else { "0" });
    } else if (PLAIN_FROM..PLAIN_BELOW).contains(&size) {
        push(out, value);
    } else {
        let _ = write!(out, "{value:e}");
    }
}

/// Appends `unscaled` × 10^-`scale`, its trailing zeros kept, without exponent.
pub(super) fn push_decimal(out: &mut String, unscaled: i128, scale: i8) {
    let start = out.len();
    push(out, unscaled);
    place_point(out, start, scale);
}

/// The same for 256 bits.
pub(super) fn push_decimal256(out: &mut String, unscaled: i256, scale: i8) {
    let start = out.len();
    match unscaled.to_i128() {
        Some(small) => push(out, small),
        None => {
            let limb = i256::from_i128(LIMB);
            let (rest, low) = unscaled.wrapping_div_rem(limb);
            let (high, middle) = rest.wrapping_div_rem(limb);
            let [high, middle, low] =
                [high, middle, low].map(|limb| limb.to_i128().unwrap_or_default().unsigned_abs());
            if unscaled.is_negative() {
                out.push('-');
            }
            if high > 0 {
                let _ = write!(out, "{high}{middle:0LIMB_DIGITS$}{low:0LIMB_DIGITS$}");
            } else {
                let _ = write!(out, "{middle}{low:0LIMB_DIGITS$}");
            }
        }
    }
    place_point(out, start, scale);
}

/// Turns the whole number from `start` on into the decimal that its scale makes of it.
fn place_point(out: &mut String, start: usize, scale: i8) {
    let digits_at = start + usize::from(out[start..].starts_with('-'));
    let digits = out.len() - digits_at;
    let places = usize::from(scale.unsigned_abs());
    if scale > 0 {
        for _ in digits..=places {
            out.insert(digits_at, '0');
        }
        out.insert(out.len() - places, '.');
    } else if &out[digits_at..] != "0" {
        out.extend(std::iter::repeat_n('0', places));
    }
}

/// Appends `YYYY-MM-DD` for a number of days since 1970-01-01.
pub(super) fn push_date(out: &mut String, days: i64) -> Result<(), OutOfRange> {
    if !DAYS_WRITABLE.contains(&days) {
        return Err(OutOfRange);
    }
    let (year, month, day) = civil_from_days(days);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    Ok(())
}

/// Appends `YYYY-MM-DDThh:mm:ss[.fff]Z` for a number of units since 1970-01-01T00:00:00Z.
/// Tells whether digits past milliseconds were cut, always towards the past.
pub(super) fn push_instant(
    out: &mut String,
    value: i64,
    units_per_second: u32,
) -> Result<bool, OutOfRange> {
    let seconds = value.div_euclid(units_per_second.into());
    let nanos = subsecond_nanos(value, units_per_second);
    push_date(out, seconds.div_euclid(SECONDS_PER_DAY))?;
    out.push('T');
    push_clock(out, seconds.rem_euclid(SECONDS_PER_DAY));
    let milliseconds = nanos / NANOS_PER_MILLISECOND;
    if milliseconds > 0 {
        let _ = write!(out, ".{milliseconds:03}");
    }
    out.push('Z');
    Ok(!nanos.is_multiple_of(NANOS_PER_MILLISECOND))
}

/// Appends `hh:mm:ss[.f…]` for a number of units since midnight, exactly.
pub(super) fn push_time(
    out: &mut String,
    value: i64,
    units_per_second: u32,
) -> Result<(), OutOfRange> {
    let seconds = value.div_euclid(units_per_second.into());
    if !(0..SECONDS_PER_DAY).contains(&seconds) {
        return Err(OutOfRange);
    }
    push_clock(out, seconds);
    push_fraction(out, subsecond_nanos(value, units_per_second));
    Ok(())
}

/// Nanoseconds since the last whole second.
fn subsecond_nanos(value: i64, units_per_second: u32) -> u32 {
    // Below one second, so below 10^9: neither the cast nor the product can overflow.
    value.rem_euclid(units_per_second.into()) as u32 * (NANOS_PER_SECOND / units_per_second)
}

fn push_clock(out: &mut String, second_of_day: i64) {
    let (minutes, second) = (second_of_day / 60, second_of_day % 60);
    let _ = write!(out, "{:02}:{:02}:{second:02}", minutes / 60, minutes % 60);
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic
/// Gregorian calendar, after Howard Hinnant's `civil_from_days`.
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
