//! Numbers as text: checked by grammar and copied digit by digit, so that nothing
//! passes through a float on its way.

use std::ops::RangeInclusive;

/// Significant decimal digits that every double keeps.
const EXACT_DIGITS_MAX: usize = 15;

/// Integers that a double holds without gaps, as digits: ±2^53.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// The parts of a decimal number, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    negative: bool,
    plus: bool,
    integer: &'a str,
    point: bool,
    fraction: &'a str,
    exponent: Option<&'a str>,
}

/// What a number loses, or may lose, in the double that the server stores it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing.
    Exact,
    /// It has more than 15 significant digits, or is an integer beyond ±2^53.
    Imprecise,
    /// It is too large, or too small to be told from zero.
    OutOfRange,
}

impl<'a> Number<'a> {
    /// Reads a JSON number, or one with a leading `+`, leading zeros, a bare leading
    /// or trailing point, or blanks around it.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let (negative, plus, rest) = match text.as_bytes().first()? {
            b'-' => (true, false, &text[1..]),
            b'+' => (false, true, &text[1..]),
            _ => (false, false, text),
        };
        let (integer, rest) = digits(rest);
        let (point, fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (fraction, rest) = digits(rest);
                (true, fraction, rest)
            }
            None => (false, "", rest),
        };
        if integer.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.as_bytes().first() {
            None => None,
            Some(b'e' | b'E') => {
                let signed = &rest[1..];
                let (power, rest) = digits(signed.strip_prefix(['+', '-']).unwrap_or(signed));
                if power.is_empty() || !rest.is_empty() {
                    return None;
                }
                Some(signed)
            }
            Some(_) => return None,
        };
        Some(Self { negative, plus, integer, point, fraction, exponent })
    }

    /// Writes the same digits in JSON grammar.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let integer = self.integer.trim_start_matches('0');
        out.extend_from_slice(if integer.is_empty() { b"0" } else { integer.as_bytes() });
        if !self.fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(self.fraction.as_bytes());
        }
        if let Some(exponent) = self.exponent {
            out.push(b'e');
            out.extend_from_slice(exponent.as_bytes());
        }
    }

    /// What becomes of it in a double.
    pub fn fit(&self) -> Fit {
        let (first, last) = match self.significant() {
            Some(range) => range.into_inner(),
            None => return Fit::Exact,
        };
        let integral = self.fraction.is_empty() && self.exponent.is_none();
        // Few digits and no exponent cannot leave the range: skip the float.
        if self.exponent.is_some() || self.integer.len() + self.fraction.len() > 300 {
            let mut text = Vec::with_capacity(self.integer.len() + self.fraction.len() + 8);
            self.write_json(&mut text);
            let value = std::str::from_utf8(&text).ok().and_then(|t| t.parse::<f64>().ok());
            match value {
                Some(value) if value.is_normal() => {}
                // Below the smallest normal double digits fall away one by one.
                Some(value) if value.is_subnormal() => return Fit::Imprecise,
                _ => return Fit::OutOfRange,
            }
        }
        if last - first + 1 > EXACT_DIGITS_MAX || (integral && !self.within_exact_integers()) {
            Fit::Imprecise
        } else {
            Fit::Exact
        }
    }

    /// Whether a column of such texts may be taken for numbers where nobody said so:
    /// no leading zeros, no `+`, no exponent (those are codes, phone numbers and
    /// hashes), and nothing that a double would not keep.
    pub fn is_plain(&self) -> bool {
        let leading_zero = self.integer.len() > 1 && self.integer.starts_with('0');
        !leading_zero && !self.plus && self.exponent.is_none() && self.fit() == Fit::Exact
    }

    /// The whole number, where it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if self.exponent.is_some() || self.fraction.bytes().any(|digit| digit != b'0') {
            return None;
        }
        let value: i64 = if self.integer.is_empty() { 0 } else { self.integer.parse().ok()? };
        Some(if self.negative { -value } else { value })
    }

    /// Whether it was written as a whole number of digits alone.
    pub fn is_integer(&self) -> bool {
        !self.point && self.exponent.is_none()
    }

    fn within_exact_integers(&self) -> bool {
        let digits = self.integer.trim_start_matches('0');
        digits.is_empty() || digits.parse().is_ok_and(|n: u64| n <= EXACT_INTEGER_MAX)
    }

    /// First and last non-zero digit, counted over integer and fraction digits.
    fn significant(&self) -> Option<RangeInclusive<usize>> {
        let all = || self.integer.bytes().chain(self.fraction.bytes());
        let first = all().position(|digit| digit != b'0')?;
        let last = all().enumerate().filter(|&(_, digit)| digit != b'0').last()?.0;
        Some(first..=last)
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<String> {
        let mut out = Vec::new();
        Number::parse(text)?.write_json(&mut out);
        Some(String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn the_same_digits_in_json_grammar() {
        for (text, expected) in [
            ("5", "5"),
            ("+5", "5"),
            ("-5", "-5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("000", "0"),
            ("-0", "-0"),
            ("1.50", "1.50"),
            (" 12 ", "12"),
            ("1e5", "1e5"),
            ("1E+05", "1e+05"),
            ("00.10e-3", "0.10e-3"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(json(text).as_deref(), Some(expected), "{text:?}");
            assert!(serde_json::from_str::<f64>(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "", " ", "-", "+", ".", "1,000", "1 2", "12x", "0x1F", "NaN", "inf", "-inf", "1e",
            "1e+", "--3", "+-3", "1.2.3", "1_000", "١٢", "e5", "$40", "1e5.5", "\u{a0}5",
        ] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_fit_in_a_double() {
        for (text, fit) in [
            ("0", Fit::Exact),
            ("0.0e999", Fit::Exact),
            ("123456789012345", Fit::Exact),
            ("1234567890123456", Fit::Imprecise),
            ("9007199254740993", Fit::Imprecise),
            ("100000000000000000000", Fit::Imprecise),
            ("1000000000000000", Fit::Exact),
            ("9000000000000000", Fit::Exact),
            ("10000000000000000", Fit::Imprecise),
            ("0.1000000000000000000", Fit::Exact),
            ("0.1234567890123456", Fit::Imprecise),
            ("1e308", Fit::Exact),
            ("1e309", Fit::OutOfRange),
            ("-1e309", Fit::OutOfRange),
            ("1e-400", Fit::OutOfRange),
            ("1e-310", Fit::Imprecise),
        ] {
            assert_eq!(Number::parse(text).map(|n| n.fit()), Some(fit), "{text}");
        }
        let long = "9".repeat(400);
        assert_eq!(Number::parse(&long).map(|n| n.fit()), Some(Fit::OutOfRange));
    }

    #[test]
    fn codes_and_phone_numbers_are_not_plain_numbers() {
        for text in ["0123", "+4912345", "1e5", "9007199254740993", "1234567890123456"] {
            assert!(!Number::parse(text).expect(text).is_plain(), "{text}");
        }
        for text in ["0", "-0.5", ".5", "5.", "0.10", "123456789012345"] {
            assert!(Number::parse(text).expect(text).is_plain(), "{text}");
        }
    }
}
