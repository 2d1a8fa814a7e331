//! Texts that are made as dates are, and what the server keeps of them (Data API, U: dates).

use crate::shape::datetime::{DateFormat, DateTime, Zone};

/// Whether a text is made as dates are: a year, and a month and a day behind it or a day and
/// a month in either order before it, with one separator; then nothing or a time.
pub fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize| {
        let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (from..from + digits, bytes.get(from + digits).copied())
    };
    let (first, Some(separator @ (b'-' | b'/' | b'.'))) = number(0) else { return false };
    let (second, between) = number(first.end + 1);
    if between != Some(separator) {
        return false;
    }
    let (third, _) = number(second.end + 1);
    let within = |part: &std::ops::Range<usize>, max: u8| {
        text[part.clone()].parse::<u8>().is_ok_and(|number| (1..=max).contains(&number))
    };
    let is_date = match (first.len(), second.len(), third.len()) {
        (4, 1..=2, 1..=2) => true,
        (1..=2, 1..=2, 4) => {
            within(&first, 31) && within(&second, 31) && (within(&first, 12) || within(&second, 12))
        }
        _ => false,
    };
    is_date
        && match &bytes[third.end..] {
            [] => true,
            [b'T' | b' ', hour, b':', ..] => hour.is_ascii_digit(),
            [b'T' | b' ', ten, hour, b':', ..] => ten.is_ascii_digit() && hour.is_ascii_digit(),
            _ => false,
        }
}

/// Whether the server takes a text for a date (Data API, U: `YYYY-MM-DD` or
/// `YYYY-MM-DDThh:mm:ss[.fff]Z`, of a day that exists): it is written as we write them.
pub(super) fn is_kept_as_date(text: &str) -> bool {
    DateTime::parse(text, DateFormat::Iso, Zone::Utc).is_ok_and(|date| {
        let mut written = Vec::with_capacity(24);
        date.write(&mut written);
        written == text.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_made_as_dates_are() {
        for text in [
            "31/12/2024",
            "2024-02-30",
            "2024/1/2",
            "1.2.2024",
            "2024-13-01T00:00:00Z",
            "01-02-2024 03:04",
            "2025-01-31T10:00:00+02:00",
            "2025-01-31 10:00: what was said then, at some length",
        ] {
            assert!(looks_like_date(text) && !is_kept_as_date(text), "{text}");
        }
        for text in ["2024-02-29", "2025-01-31T00:00:00Z", "2025-12-31T23:59:59.120Z"] {
            assert!(looks_like_date(text) && is_kept_as_date(text), "{text}");
        }
        for text in [
            "",
            "2024",
            "12345678",
            "1-2-3",
            "10.0.0.1",
            "2024-01-02-03",
            "2024-01/02",
            "a2024-01-02",
            "192.168.2024.1",
            "13-13-2025",
            "32-01-2025",
            "2025-01-31 is when",
            "2025-01-31Tea",
            "2024-01-é",
        ] {
            assert!(!looks_like_date(text), "{text}");
        }
    }
}
