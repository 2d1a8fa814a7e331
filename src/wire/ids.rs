//! Which customer_ids the API takes (Data API, S rule: customer_id).

/// Values that the API drops, compared as they stand.
pub const DISALLOWED: [&str; 22] = [
    "unknown",
    "guest",
    "null",
    "0",
    "1",
    "true",
    "false",
    "user_attribute_unique_id",
    "(empty)",
    "na",
    "n/a",
    "",
    "dummy_seller_code",
    "user_id",
    "id",
    "customer_id",
    "uid",
    "userid",
    "none",
    "-2",
    "-1",
    "2",
];

/// The longest disallowed value, in bytes: a longer id needs no look-up.
const DISALLOWED_BYTES_MAX: usize = 24;

/// The lengths of the disallowed values, in bytes, as bits.
const DISALLOWED_LENGTHS: u32 = {
    let (mut lengths, mut at) = (0, 0);
    while at < DISALLOWED.len() {
        lengths |= 1 << DISALLOWED[at].len();
        at += 1;
    }
    lengths
};

/// What is to be said of a customer_id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdVerdict {
    /// The API takes it.
    Allowed,
    /// The API takes it, but trimmed and in lower case it is a disallowed value.
    Lookalike,
    /// The API takes it, but it is a number as spreadsheets and data frames write one: `123.0`,
    /// `1.23E+10`.
    Float,
    /// Empty.
    Missing,
    /// One Unicode scalar value; the API wants more than one.
    TooShort,
    /// One of [`DISALLOWED`].
    Disallowed,
}

/// Whether an id is allowed by its length and its first and last byte: that of most.
pub fn is_plainly_allowed(id: &[u8]) -> bool {
    // Nothing to trim, and no disallowed value has this length.
    !has_disallowed_length(id.len())
        && !may_be_float(id)
        && id.first().is_some_and(u8::is_ascii_graphic)
        && id.last().is_some_and(u8::is_ascii_graphic)
}

/// Whether so many bytes could be a disallowed value, or a single character.
fn has_disallowed_length(bytes: usize) -> bool {
    bytes <= 4 || bytes <= DISALLOWED_BYTES_MAX && DISALLOWED_LENGTHS >> bytes & 1 == 1
}

/// Whether the end of an id could be that of [`IdVerdict::Float`], at a glance.
fn may_be_float(id: &[u8]) -> bool {
    let end = |at: usize| id.len().checked_sub(at).map_or(0, |at| id[at]);
    id.first().is_some_and(u8::is_ascii_digit)
        && id.last().is_some_and(u8::is_ascii_digit)
        && (end(2) == b'.' || end(3) == b'.' || matches!(end(4), b'E' | b'e'))
}

/// Whether an id is [`IdVerdict::Float`]: digits with one or two zeros behind a point, or with an
/// exponent of a sign and two digits. What could be a version or a code (`1.5`, `12E34`) is not.
fn is_float(id: &str) -> bool {
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = match id.split_once(['E', 'e']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (id, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    are_digits(whole)
        && match exponent {
            Some(exponent) => {
                let exponent = exponent.strip_prefix(['+', '-']).unwrap_or_default();
                exponent.len() == 2 && are_digits(exponent) && fraction.is_none_or(are_digits)
            }
            None => matches!(fraction, Some("0" | "00")),
        }
}

/// Whether a name or an id is made of blanks alone: it names nothing, as an empty one does.
#[inline]
pub fn is_blank(text: &str) -> bool {
    // Most are told by their first byte.
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim().is_empty()
}

/// Judges a customer_id by the letter of the rule.
pub fn judge(id: &str) -> IdVerdict {
    if id.is_empty() {
        return IdVerdict::Missing;
    }
    // Look-alikes may carry any amount of white space, so trim before measuring.
    let core = id.trim();
    if has_disallowed_length(core.len()) {
        if DISALLOWED.contains(&id) {
            return IdVerdict::Disallowed;
        }
        if id.chars().nth(1).is_none() {
            return IdVerdict::TooShort;
        }
        if DISALLOWED.iter().any(|bad| bad.eq_ignore_ascii_case(core)) {
            return IdVerdict::Lookalike;
        }
    }
    if may_be_float(id.as_bytes()) && is_float(id) {
        return IdVerdict::Float;
    }
    IdVerdict::Allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_value_is_refused_as_it_stands() {
        for bad in DISALLOWED {
            let expected = if bad.is_empty() { IdVerdict::Missing } else { IdVerdict::Disallowed };
            assert_eq!(judge(bad), expected, "{bad:?}");
            assert!(bad.len() <= DISALLOWED_BYTES_MAX, "{bad:?}");
        }
    }

    #[test]
    fn length_counts_scalar_values_not_bytes() {
        assert_eq!(judge("x"), IdVerdict::TooShort);
        assert_eq!(judge("😀"), IdVerdict::TooShort);
        assert_eq!(judge("\u{fffd}"), IdVerdict::TooShort);
        assert_eq!(judge("😀😀"), IdVerdict::Allowed);
        assert_eq!(judge("e\u{301}"), IdVerdict::Allowed);
        assert_eq!(judge("3"), IdVerdict::TooShort);
        assert_eq!(judge("10"), IdVerdict::Allowed);
    }

    #[test]
    fn what_is_plainly_allowed_is_allowed() {
        for id in
            ["cus_b266f10300000000", "4711x", "a b c", "NULL", " None", "Guest", "user_ID", "é2345"]
        {
            if is_plainly_allowed(id.as_bytes()) {
                assert_eq!(judge(id), IdVerdict::Allowed, "{id:?}");
            }
        }
        for bad in DISALLOWED {
            for id in
                [bad.to_owned(), bad.to_uppercase(), format!(" {bad}"), format!("{bad}\u{a0}")]
            {
                assert!(!is_plainly_allowed(id.as_bytes()), "{id:?}");
            }
        }
        assert!(is_plainly_allowed(b"cus_b266f10300000000") && is_plainly_allowed(b"98765432"));
    }

    #[test]
    fn numbers_of_spreadsheets_and_data_frames_are_told_apart() {
        for id in ["123.0", "7.0", "00123.00", "1.23E+10", "1E+05", "1.5e-07", "123456789012.0"] {
            assert_eq!(judge(id), IdVerdict::Float, "{id:?}");
            assert!(!is_plainly_allowed(id.as_bytes()), "{id:?}");
        }
        for id in [
            "1.5",
            "10.20",
            "1.2.0",
            "v1.0",
            "12E34",
            "1E+5",
            "E+10",
            "1.E",
            "12e345",
            "1.000",
            ".0",
            "1.23E+1x",
            "-7.0",
            "cus.0",
            "1..0",
            "10",
            "123456.a0",
        ] {
            assert_eq!(judge(id), IdVerdict::Allowed, "{id:?}");
        }
    }

    #[test]
    fn lookalikes_are_told_apart() {
        for id in ["NULL", " None", "Guest", "N/A", "null ", "\tNA", "  ", " 0"] {
            assert_eq!(judge(id), IdVerdict::Lookalike, "{id:?}");
        }
        for id in ["nullable", "guest1", "n.a.", "customer_id2"] {
            assert_eq!(judge(id), IdVerdict::Allowed, "{id:?}");
        }
    }
}
