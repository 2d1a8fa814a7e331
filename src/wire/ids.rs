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
        && id.first().is_some_and(u8::is_ascii_graphic)
        && id.last().is_some_and(u8::is_ascii_graphic)
}

/// Whether so many bytes could be a disallowed value, or a single character.
fn has_disallowed_length(bytes: usize) -> bool {
    bytes <= 4 || bytes <= DISALLOWED_BYTES_MAX && DISALLOWED_LENGTHS >> bytes & 1 == 1
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
    fn lookalikes_are_told_apart() {
        for id in ["NULL", " None", "Guest", "N/A", "null ", "\tNA", "  ", " 0"] {
            assert_eq!(judge(id), IdVerdict::Lookalike, "{id:?}");
        }
        for id in ["nullable", "guest1", "n.a.", "customer_id2"] {
            assert_eq!(judge(id), IdVerdict::Allowed, "{id:?}");
        }
    }
}
