use proptest::prelude::*;

use super::*;
use crate::model::push_duration;

fn text(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn f64_text(value: f64) -> String {
    text(|out| push_f64(out, value))
}

fn instant(value: i64, units: u32) -> Result<(String, bool), OutOfRange> {
    let mut out = String::new();
    push_instant(&mut out, value, units).map(|cut| (out, cut))
}

/// The grammar of RFC 8259, section 6.
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && digits(fraction)
        && digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))
}

#[test]
fn doubles_are_written_as_ecmascript_writes_them() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0.0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (f64::from(0.1_f32), "0.10000000149011612"),
        (0.1 + 0.2, "0.30000000000000004"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (1e20, "100000000000000000000"),
        (1e21, "1e21"),
        (1e300, "1e300"),
        (0.000_001, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e308"),
    ] {
        assert_eq!(f64_text(value), expected);
    }
}

#[test]
fn decimals_keep_the_zeros_of_their_scale() {
    for (unscaled, scale, expected) in [
        (150, 2, "1.50"),
        (-5, 2, "-0.05"),
        (0, 2, "0.00"),
        (0, -3, "0"),
        (7, 0, "7"),
        (-7, -3, "-7000"),
        (123, 3, "0.123"),
        (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        (1, 127, &format!("0.{}1", "0".repeat(126))),
        (1, -128, &format!("1{}", "0".repeat(128))),
    ] {
        assert_eq!(text(|out| push_decimal(out, unscaled, scale)), expected);
    }
}

#[test]
fn wide_decimals_are_exact_to_the_last_digit() {
    let nines = "9".repeat(76);
    let wide = |digits: &str, scale| {
        let value = i256::from_string(digits).expect("digits of an i256");
        text(|out| push_decimal256(out, value, scale))
    };
    assert_eq!(wide(&nines, 0), nines);
    assert_eq!(wide(&format!("-{nines}"), 76), format!("-0.{nines}"));
    assert_eq!(wide(&format!("-{nines}"), 2), format!("-{}.99", "9".repeat(74)));
    // A limb of zeros in the middle must keep its width.
    let sparse = format!("2{}7", "0".repeat(75));
    assert_eq!(wide(&sparse, 0), sparse);
    assert_eq!(text(|out| push_decimal256(out, i256::MIN, 0)), i256::MIN.to_string());
    assert_eq!(text(|out| push_decimal256(out, i256::MAX, 0)), i256::MAX.to_string());
}

#[test]
fn dates_stay_within_four_digit_years() {
    for (days, expected) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (11_016, "2000-02-29"),
        (-719_528, "0000-01-01"),
        (2_932_896, "9999-12-31"),
    ] {
        assert_eq!(text(|out| push_date(out, days).unwrap()), expected);
    }
    for days in [-719_529, 2_932_897, i64::MIN / SECONDS_PER_DAY, i64::MAX / SECONDS_PER_DAY] {
        assert_eq!(push_date(&mut String::new(), days), Err(OutOfRange));
    }
}

#[test]
fn instants_are_cut_to_milliseconds_towards_the_past() {
    let ok = |text: &str, cut| Ok((text.to_owned(), cut));
    assert_eq!(instant(0, 1), ok("1970-01-01T00:00:00Z", false));
    assert_eq!(instant(951_782_400, 1), ok("2000-02-29T00:00:00Z", false));
    assert_eq!(instant(-1, 1), ok("1969-12-31T23:59:59Z", false));
    assert_eq!(instant(-1, 1_000), ok("1969-12-31T23:59:59.999Z", false));
    assert_eq!(instant(1_500, 1_000), ok("1970-01-01T00:00:01.500Z", false));
    assert_eq!(instant(1, 1_000_000), ok("1970-01-01T00:00:00Z", true));
    assert_eq!(instant(-1, 1_000_000_000), ok("1969-12-31T23:59:59.999Z", true));
    assert_eq!(instant(i64::MIN, 1_000_000_000), ok("1677-09-21T00:12:43.145Z", true));
    assert_eq!(instant(253_402_300_799, 1), ok("9999-12-31T23:59:59Z", false));
    for (value, units) in
        [(253_402_300_800, 1), (i64::MAX, 1), (i64::MIN, 1_000), (i64::MAX, 1_000_000)]
    {
        assert_eq!(instant(value, units), Err(OutOfRange));
    }
}

#[test]
fn times_of_day_are_exact() {
    let time = |value, units| {
        let mut out = String::new();
        push_time(&mut out, value, units).map(|()| out)
    };
    assert_eq!(time(0, 1).as_deref(), Ok("00:00:00"));
    assert_eq!(time(86_399_999, 1_000).as_deref(), Ok("23:59:59.999"));
    assert_eq!(time(3_723_500_000, 1_000_000).as_deref(), Ok("01:02:03.5"));
    assert_eq!(time(1, 1_000_000_000).as_deref(), Ok("00:00:00.000000001"));
    assert_eq!(time(86_400, 1), Err(OutOfRange));
    assert_eq!(time(-1, 1_000), Err(OutOfRange));
    assert_eq!(time(i64::MIN, 1_000_000_000), Err(OutOfRange));
}

#[test]
fn durations_carry_their_signs() {
    for (months, days, value, units, expected) in [
        (0, 0, 0, 1, "PT0S"),
        (0, 0, 90_061, 1, "PT90061S"),
        (0, 0, -1_500, 1_000, "PT-1.5S"),
        (0, 0, -1, 1_000_000_000, "PT-0.000000001S"),
        (0, 0, i64::MIN, 1, "PT-9223372036854775808S"),
        (14, 0, 0, 1_000, "P1Y2M"),
        (-14, 3, 0, 1_000, "P-1Y-2M3D"),
        (1, -1, 1, 1_000, "P1M-1DT0.001S"),
        (i32::MIN, i32::MIN, 0, 1_000, "P-178956970Y-8M-2147483648D"),
    ] {
        assert_eq!(text(|out| push_duration(out, months, days, value, units)), expected);
    }
}

/// `unscaled` × 10^-`scale` by digits in a list, the slow way.
fn decimal_reference(unscaled: i128, scale: i8) -> String {
    let mut size = unscaled.unsigned_abs();
    let mut digits = vec![];
    while size > 0 || digits.is_empty() {
        digits.insert(0, char::from(b'0' + (size % 10) as u8));
        size /= 10;
    }
    if scale < 0 && unscaled != 0 {
        digits.extend(vec!['0'; usize::from(scale.unsigned_abs())]);
    }
    if scale > 0 {
        while digits.len() <= scale as usize {
            digits.insert(0, '0');
        }
        digits.insert(digits.len() - scale as usize, '.');
    }
    if unscaled < 0 {
        digits.insert(0, '-');
    }
    digits.into_iter().collect()
}

proptest! {
    #[test]
    fn any_finite_double_comes_back_bit_for_bit(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = f64_text(value);
        prop_assert!(is_json_number(&text), "{}", text);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
    }

    #[test]
    fn any_decimal_equals_the_slow_reference(unscaled: i128, shift in 0..128_u32, scale: i8) {
        let unscaled = unscaled >> shift;
        let expected = decimal_reference(unscaled, scale);
        prop_assert!(is_json_number(&expected));
        prop_assert_eq!(text(|out| push_decimal(out, unscaled, scale)), expected.as_str());
        let wide = i256::from_i128(unscaled);
        prop_assert_eq!(text(|out| push_decimal256(out, wide, scale)), expected);
    }

    #[test]
    fn any_wide_integer_equals_its_display(low: u128, high: i128, shift in 0..128_u32) {
        let value = i256::from_parts(low, high >> shift);
        prop_assert_eq!(text(|out| push_decimal256(out, value, 0)), value.to_string());
    }

    #[test]
    fn any_instant_equals_chrono(value: i64, shift in 0..64_u32, power in 0..4_u32) {
        let (value, units) = (value >> shift, 1_000_u32.pow(power));
        let seconds = value.div_euclid(units.into());
        let nanos = subsecond_nanos(value, units);
        let format = if nanos >= NANOS_PER_MILLISECOND {
            "%Y-%m-%dT%H:%M:%S%.3fZ"
        } else {
            "%Y-%m-%dT%H:%M:%SZ"
        };
        let expected = chrono::DateTime::from_timestamp(seconds, nanos)
            .filter(|at| (0..=9_999).contains(&chrono::Datelike::year(at)))
            .map(|at| (at.format(format).to_string(), !nanos.is_multiple_of(NANOS_PER_MILLISECOND)))
            .ok_or(OutOfRange);
        prop_assert_eq!(instant(value, units), expected);
    }
}
