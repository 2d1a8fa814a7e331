//! The text of durations, which are sent as such and rejected as such.

use std::fmt::Write;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Appends an ISO 8601 duration, as java.time writes one of mixed signs: `PT-1.5S`,
/// `P1Y-2M3DT0.001S`. The number of units is what stands beside months and days.
pub fn push_duration(out: &mut String, months: i32, days: i32, value: i64, units_per_second: u32) {
    out.push('P');
    for (amount, letter) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if amount != 0 {
            let _ = write!(out, "{amount}{letter}");
        }
    }
    if value == 0 && (months, days) != (0, 0) {
        return;
    }
    let units = u64::from(units_per_second);
    let (size, sign) = (value.unsigned_abs(), if value < 0 { "-" } else { "" });
    let _ = write!(out, "T{sign}{}", size / units);
    // Below one second, so below 10^9 units: neither the cast nor the product can overflow.
    push_fraction(out, (size % units) as u32 * (NANOS_PER_SECOND / units_per_second));
    out.push('S');
}

/// Appends a fraction of a second of so many nanoseconds, without zeros at its end; none where it is 0.
pub fn push_fraction(out: &mut String, nanos: u32) {
    if nanos > 0 {
        let _ = write!(out, ".{nanos:09}");
        out.truncate(out.trim_end_matches('0').len());
    }
}
