//! Which strings are dates, which only look like one, and which are times of an event.

use chrono::NaiveDate;

/// Data API, U: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss[.fff]Z`, with a real calendar date.
pub(in super::super) fn is_stored_as_date(text: &str) -> bool {
    let Some((date, rest)) = split_date(text) else { return false };
    if !date.is_real {
        return false;
    }
    let Some(rest) = rest.strip_prefix('T') else { return rest.is_empty() };
    let Some((time, rest)) = split_time(rest) else { return false };
    let fraction_digits = time.fraction_digits;
    time.is_real && time.has_seconds && matches!(fraction_digits, 0 | 3) && rest == "Z"
}

/// Whether a string is meant as a date, whatever its format and whether or not it exists: year
/// first, or a day and month in either order first; then nothing or a time.
///
/// The API documents no heuristic; this one looks at strings that begin with a whole date.
pub(super) fn looks_like_date(text: &str) -> bool {
    // Almost no text gets further than this.
    if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let Some((first, separator, rest)) = split_number(text) else { return false };
    let Some((second, second_separator, rest)) = split_number(rest) else { return false };
    if separator != second_separator {
        return false;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (third, rest) = rest.split_at(digits);
    let is_short = |part: &str| matches!(part.len(), 1 | 2);
    let is_date = if first.len() == 4 {
        is_short(second) && is_short(third)
    } else {
        is_short(first) && is_short(second) && third.len() == 4 && is_day_and_month(first, second)
    };
    is_date && (rest.is_empty() || rest.strip_prefix(['T', ' ']).is_some_and(begins_like_time))
}

/// Data API, U: an ISO 8601 string as time of an event; a date alone is one too.
pub(in super::super) fn is_iso_8601(text: &str) -> bool {
    let Some((date, rest)) = split_date(text) else { return false };
    if !date.is_real {
        return false;
    }
    let Some(rest) = rest.strip_prefix(['T', ' ']) else { return rest.is_empty() };
    let Some((time, rest)) = split_time(rest) else { return false };
    time.is_real && is_zone(rest)
}

struct Date {
    is_real: bool,
}

struct Time {
    is_real: bool,
    has_seconds: bool,
    fraction_digits: usize,
}

/// `YYYY-MM-DD` and what follows.
fn split_date(text: &str) -> Option<(Date, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let is_real =
        i32::try_from(year).is_ok_and(|year| NaiveDate::from_ymd_opt(year, month, day).is_some());
    Some((Date { is_real }, rest))
}

/// `hh:mm[:ss[.f…]]` and what follows.
fn split_time(text: &str) -> Option<(Time, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let mut time =
        Time { is_real: hour < 24 && minute < 60, has_seconds: false, fraction_digits: 0 };
    let Some(rest_of_seconds) = rest.strip_prefix(':') else { return Some((time, rest)) };
    let (second, rest) = digits(rest_of_seconds, 2)?;
    time.is_real &= second < 60;
    time.has_seconds = true;
    let Some(fraction) = rest.strip_prefix('.') else { return Some((time, rest)) };
    time.fraction_digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &fraction[time.fraction_digits..];
    (time.fraction_digits > 0).then_some((time, rest))
}

/// Nothing, `Z`, `±hh:mm` or `±hhmm`.
fn is_zone(text: &str) -> bool {
    if matches!(text, "" | "Z") {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    let Some((hour, rest)) = digits(offset, 2) else { return false };
    let minute = digits(rest.strip_prefix(':').unwrap_or(rest), 2);
    minute.is_some_and(|(minute, rest)| hour < 24 && minute < 60 && rest.is_empty())
}

/// A number of exactly `count` digits and what follows; few enough digits to fit.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

/// Leading digits, the `-`, `/` or `.` after them, and what follows.
fn split_number(text: &str) -> Option<(&str, u8, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let separator = *text.as_bytes().get(digits)?;
    let is_date = matches!(separator, b'-' | b'/' | b'.');
    (digits > 0 && is_date).then(|| (&text[..digits], separator, &text[digits + 1..]))
}

fn is_day_and_month(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u8>().ok().filter(|number| (1..=31).contains(number));
    matches!((number(one), number(other)), (Some(one), Some(other)) if one.min(other) <= 12)
}

fn begins_like_time(text: &str) -> bool {
    matches!(text.as_bytes(), [hour, b':', ..] if hour.is_ascii_digit())
        || matches!(text.as_bytes(), [ten, hour, b':', ..] if ten.is_ascii_digit() && hour.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_stored_as_dates_in_two_formats_only() {
        for date in [
            "2024-02-29",
            "2025-01-31T00:00:00Z",
            "2025-12-31T23:59:59.123Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert!(is_stored_as_date(date), "{date}");
            assert!(looks_like_date(date), "{date}");
        }
        for text in [
            "2025-02-29",
            "2025-13-01",
            "2025-1-1",
            "2025/01/31",
            "31.12.2025",
            "12/31/2025",
            "2025-01-31 10:00:00",
            "2025-01-31T10:00:00",
            "2025-01-31T10:00Z",
            "2025-01-31T24:00:00Z",
            "2025-01-31T10:00:00.1Z",
            "2025-01-31T10:00:00+02:00",
            "2025-02-30T25:61:00Z",
        ] {
            assert!(!is_stored_as_date(text), "{text}");
            assert!(looks_like_date(text), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_taken_for_dates() {
        for text in [
            "",
            "2025",
            "20250131",
            "2025-01",
            "1.2.3",
            "10.0.0.1",
            "2025-01-31 is when",
            "49-176-1234",
            "13-13-2025",
            "32-01-2025",
            "2025-01/31",
            "2025-01-31Tea",
            "é025-01-31",
            "1-2",
        ] {
            assert!(!looks_like_date(text), "{text}");
            assert!(!is_stored_as_date(text), "{text}");
        }
    }

    #[test]
    fn times_of_events_are_iso_8601() {
        for time in [
            "2026-01-01",
            "2026-01-01T00:00",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00.123456Z",
            "2026-01-01T00:00:00+05:30",
            "2026-01-01T00:00:00-0800",
        ] {
            assert!(is_iso_8601(time), "{time}");
        }
        for text in [
            "",
            "now",
            "2026-02-30",
            "2026-01-01T",
            "2026-01-01T24:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+5",
            "1700000000",
            "01/02/2026",
        ] {
            assert!(!is_iso_8601(text), "{text}");
        }
    }
}
