//! Dates and date-times: checked against the real calendar, written as
//! `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss[.fff]Z` (the only forms that the server
//! stores as a date; Data API, U).

use std::fmt;

use chrono::{Days, LocalResult, NaiveDate, TimeZone, Timelike};
use chrono_tz::Tz;

/// The zone of a date-time that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// One of the IANA database.
    Named(Tz),
}

impl Zone {
    /// The zone of that name in the IANA database.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "UTC" | "Z" => Some(Self::Utc),
            _ => name.parse().ok().map(Self::Named),
        }
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Named(zone) => f.write_str(zone.name()),
        }
    }
}

/// How a column writes its dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateFormat {
    /// ISO 8601 in the forms that need no telling: `YYYY-MM-DD`, or that with `T` or a
    /// blank, `hh:mm[:ss[.f…]]`, and optionally `Z`, `±hh:mm` or `±hhmm`.
    #[default]
    Iso,
    /// [`DateFormat::Iso`], and the zones as databases write them into an export: with a blank before
    /// it or none, `Z`, `UTC`, `±hh:mm`, `±hhmm` or `±hh`. Of our own mapping files only.
    Database,
    /// One of the formats of MoEngage's own mapping file.
    Fixed(DateOrder, TimeForm),
}

/// Order and separator of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// `YYYY-MM-DD`
    YearDash,
    /// `YYYY/MM/DD`
    YearSlash,
    /// `DD/MM/YYYY`
    DaySlash,
    /// `DD-MM-YYYY`
    DayDash,
}

/// What follows a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// Nothing.
    None,
    /// ` hh:mm:ss`
    Blank,
    /// ` hh:mm:ss.s`
    BlankFraction,
    /// `Thh:mm:ss.s`
    TFraction,
    /// `Thh:mm:ssTZD`
    TZone,
    /// `Thh:mm:ss.sTZD`
    TFractionZone,
}

const ORDERS: [(DateOrder, &str); 4] = [
    (DateOrder::YearDash, "YYYY-MM-DD"),
    (DateOrder::YearSlash, "YYYY/MM/DD"),
    (DateOrder::DaySlash, "DD/MM/YYYY"),
    (DateOrder::DayDash, "DD-MM-YYYY"),
];

const FORMS: [(TimeForm, &str); 6] = [
    (TimeForm::None, ""),
    (TimeForm::Blank, " hh:mm:ss"),
    (TimeForm::BlankFraction, " hh:mm:ss.s"),
    (TimeForm::TFraction, "Thh:mm:ss.s"),
    (TimeForm::TZone, "Thh:mm:ssTZD"),
    (TimeForm::TFractionZone, "Thh:mm:ss.sTZD"),
];

/// [`DateFormat::Database`] in our own mapping files.
const DATABASE: &str = "database";

impl DateFormat {
    /// The format of that name in our own mapping files.
    pub fn from_own_name(name: &str) -> Option<Self> {
        if name == DATABASE { Some(Self::Database) } else { Self::from_name(name) }
    }

    /// Every format of our own mapping files.
    pub fn own_names() -> impl Iterator<Item = String> {
        Self::names().chain([DATABASE.to_owned()])
    }

    /// Every format of MoEngage's mapping file, as it is written there.
    pub fn names() -> impl Iterator<Item = String> {
        ORDERS
            .iter()
            .flat_map(|(_, order)| FORMS.iter().map(move |(_, form)| format!("{order}{form}")))
    }

    /// The format of that name in MoEngage's mapping file.
    pub fn from_name(name: &str) -> Option<Self> {
        ORDERS.iter().find_map(|&(order, text)| {
            let rest = name.strip_prefix(text)?;
            let &(form, _) = FORMS.iter().find(|(_, text)| *text == rest)?;
            Some(Self::Fixed(order, form))
        })
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (order, form) = match self {
            Self::Iso => return f.write_str("ISO 8601"),
            Self::Database => return f.write_str(DATABASE),
            Self::Fixed(order, form) => (order, form),
        };
        let order = ORDERS.iter().find(|(o, _)| o == order).map_or("", |(_, text)| text);
        let form = FORMS.iter().find(|(t, _)| t == form).map_or("", |(_, text)| text);
        write!(f, "{order}{form}")
    }
}

/// A checked date or date-time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    date: NaiveDate,
    time: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    hour: u32,
    minute: u32,
    second: u32,
    milli: Option<u32>,
    cut: bool,
}

/// Why a text is no date-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateError {
    /// It has another form, or names a day or time that does not exist.
    Invalid,
    /// A local time that the zone's clocks skip, as in spring.
    Skipped(Tz),
    /// A local time that the zone's clocks show twice, as in autumn.
    Twice(Tz),
    /// In UTC it lies outside of the years 0000 to 9999.
    Range,
}

impl DateTime {
    /// Reads a text in a format. `zone` is that of a date-time that names none; a local
    /// time that it skips or has twice is no date-time.
    pub fn parse(text: &str, format: DateFormat, zone: Zone) -> Result<Self, DateError> {
        let mut scan = Scan(text.as_bytes());
        let order = match format {
            DateFormat::Iso | DateFormat::Database => DateOrder::YearDash,
            DateFormat::Fixed(order, _) => order,
        };
        let date = scan.date(order).ok_or(DateError::Invalid)?;
        let time = match format {
            DateFormat::Iso => scan.free_time(Zones::Iso),
            DateFormat::Database => scan.free_time(Zones::Database),
            DateFormat::Fixed(_, form) => scan.fixed_time(form),
        };
        let (time, offset_minutes) = time.ok_or(DateError::Invalid)?;
        if !scan.0.is_empty() {
            return Err(DateError::Invalid);
        }
        match (time, offset_minutes, zone) {
            (None, ..) => Ok(Self { date, time: None }),
            (Some(time), Some(minutes), _) => Self::at_offset(date, time, minutes),
            (Some(time), None, Zone::Utc) => Self::at_offset(date, time, 0),
            (Some(time), None, Zone::Named(zone)) => Self::in_zone(date, time, zone),
        }
    }

    /// Whether digits past milliseconds, other than zeros, were cut.
    pub fn was_cut(&self) -> bool {
        self.time.is_some_and(|time| time.cut)
    }

    /// Writes it as the server wants it, without quotes.
    pub fn write(&self, out: &mut Vec<u8>) {
        use chrono::Datelike;
        let year = self.date.year().unsigned_abs();
        two(out, year / 100);
        two(out, year % 100);
        out.push(b'-');
        two(out, self.date.month());
        out.push(b'-');
        two(out, self.date.day());
        let Some(time) = self.time else { return };
        out.push(b'T');
        two(out, time.hour);
        out.push(b':');
        two(out, time.minute);
        out.push(b':');
        two(out, time.second);
        if let Some(milli) = time.milli {
            out.push(b'.');
            out.push(b'0' + (milli / 100) as u8);
            two(out, milli % 100);
        }
        out.push(b'Z');
    }

    /// Moves a local time of a named zone to UTC. Offsets of seconds, as zones had before
    /// their standard time, count too.
    fn in_zone(date: NaiveDate, time: Time, zone: Tz) -> Result<Self, DateError> {
        use chrono::Datelike;
        let clock = date.and_hms_opt(time.hour, time.minute, time.second);
        let local = clock.ok_or(DateError::Invalid)?;
        let moment = match zone.from_local_datetime(&local) {
            LocalResult::Single(moment) => moment,
            LocalResult::None => return Err(DateError::Skipped(zone)),
            LocalResult::Ambiguous(..) => return Err(DateError::Twice(zone)),
        };
        let utc = moment.naive_utc();
        if !(0..=9999).contains(&utc.year()) {
            return Err(DateError::Range);
        }
        let (hour, minute, second) = (utc.hour(), utc.minute(), utc.second());
        Ok(Self { date: utc.date(), time: Some(Time { hour, minute, second, ..time }) })
    }

    /// Moves a local time to UTC.
    fn at_offset(date: NaiveDate, time: Time, offset_minutes: i32) -> Result<Self, DateError> {
        use chrono::Datelike;
        let minutes = (time.hour * 60 + time.minute) as i32 - offset_minutes;
        let date = match minutes.div_euclid(1440) {
            0 => Some(date),
            days if days > 0 => date.checked_add_days(Days::new(days.unsigned_abs().into())),
            days => date.checked_sub_days(Days::new(days.unsigned_abs().into())),
        };
        let date = date.filter(|d| (0..=9999).contains(&d.year())).ok_or(DateError::Range)?;
        let minutes = minutes.rem_euclid(1440) as u32;
        Ok(Self { date, time: Some(Time { hour: minutes / 60, minute: minutes % 60, ..time }) })
    }
}

/// Whether a text is a date or date-time as [`DateFormat::Iso`] reads it.
pub fn is_iso(text: &str) -> bool {
    // Most cells of a text column end here, without a look at the calendar.
    text.len() >= 10
        && text.as_bytes()[4] == b'-'
        && DateTime::parse(text, DateFormat::Iso, Zone::Utc).is_ok()
}

fn two(out: &mut Vec<u8>, value: u32) {
    out.push(b'0' + (value / 10 % 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

/// What of the text is still to be read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        let value = head.iter().try_fold(0, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
        })?;
        self.0 = tail;
        Some(value)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn date(&mut self, order: DateOrder) -> Option<NaiveDate> {
        let separator = match order {
            DateOrder::YearDash | DateOrder::DayDash => b'-',
            DateOrder::YearSlash | DateOrder::DaySlash => b'/',
        };
        let widths = match order {
            DateOrder::YearDash | DateOrder::YearSlash => [4, 2, 2],
            DateOrder::DayDash | DateOrder::DaySlash => [2, 2, 4],
        };
        let first = self.number(widths[0])?;
        self.byte(separator)?;
        let month = self.number(widths[1])?;
        self.byte(separator)?;
        let last = self.number(widths[2])?;
        let (year, day) = if widths[0] == 4 { (first, last) } else { (last, first) };
        NaiveDate::from_ymd_opt(year as i32, month, day)
    }

    /// `hh:mm`, and what `seconds` asks for.
    fn clock(&mut self, seconds: Seconds) -> Option<Time> {
        let hour = self.number(2).filter(|&hour| hour < 24)?;
        self.byte(b':')?;
        let minute = self.number(2).filter(|&minute| minute < 60)?;
        let mut time = Time { hour, minute, second: 0, milli: None, cut: false };
        if seconds == Seconds::Optional && self.0.first() != Some(&b':') {
            return Some(time);
        }
        self.byte(b':')?;
        time.second = self.number(2).filter(|&second| second < 60)?;
        let fraction = match seconds {
            Seconds::Optional => self.0.first() == Some(&b'.'),
            Seconds::Whole => false,
            Seconds::Fraction => true,
        };
        if fraction {
            self.byte(b'.')?;
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (head, tail) = self.0.split_at(digits);
            let (kept, past) = head.split_at(digits.min(3));
            if kept.is_empty() {
                return None;
            }
            let scale = [100, 10, 1];
            let milli =
                kept.iter().zip(scale).map(|(byte, unit)| u32::from(byte - b'0') * unit).sum();
            time.milli = Some(milli);
            time.cut = past.iter().any(|&digit| digit != b'0');
            self.0 = tail;
        }
        Some(time)
    }

    /// A zone, in minutes east of UTC.
    fn zone(&mut self, zones: Zones) -> Option<i32> {
        if zones == Zones::Database {
            self.0 = self.0.strip_prefix(b" ").unwrap_or(self.0);
        }
        let sign = match self.0.first()? {
            b'Z' => {
                self.byte(b'Z')?;
                return Some(0);
            }
            b'U' if zones == Zones::Database => {
                self.0 = self.0.strip_prefix(b"UTC")?;
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2).filter(|&hours| hours < 24)?;
        if zones == Zones::Database && self.0.is_empty() {
            return Some(sign * (hours * 60) as i32);
        }
        if zones == Zones::Colon || self.0.first() == Some(&b':') {
            self.byte(b':')?;
        }
        let minutes = self.number(2).filter(|&minutes| minutes < 60)?;
        Some(sign * (hours * 60 + minutes) as i32)
    }

    /// The time, and its offset in minutes where it names one.
    fn free_time(&mut self, zones: Zones) -> Option<(Option<Time>, Option<i32>)> {
        match self.0.first() {
            None => return Some((None, None)),
            Some(b'T' | b' ') => self.0 = &self.0[1..],
            Some(_) => return None,
        }
        let time = self.clock(Seconds::Optional)?;
        let zone = if self.0.is_empty() { None } else { Some(self.zone(zones)?) };
        Some((Some(time), zone))
    }

    fn fixed_time(&mut self, form: TimeForm) -> Option<(Option<Time>, Option<i32>)> {
        let (separator, seconds, zoned) = match form {
            TimeForm::None => return Some((None, None)),
            TimeForm::Blank => (b' ', Seconds::Whole, false),
            TimeForm::BlankFraction => (b' ', Seconds::Fraction, false),
            TimeForm::TFraction => (b'T', Seconds::Fraction, false),
            TimeForm::TZone => (b'T', Seconds::Whole, true),
            TimeForm::TFractionZone => (b'T', Seconds::Fraction, true),
        };
        self.byte(separator)?;
        let time = self.clock(seconds)?;
        let zone = if zoned { Some(self.zone(Zones::Colon)?) } else { None };
        Some((Some(time), zone))
    }
}

/// How a zone may be written: always `Z` and `±hh:mm`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zones {
    /// In no other way.
    Colon,
    /// `±hhmm`
    Iso,
    /// `±hhmm`, `±hh`, `UTC`, and a blank before it.
    Database,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seconds {
    /// `[:ss[.f…]]`
    Optional,
    /// `:ss`
    Whole,
    /// `:ss.f…`
    Fraction,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, format: DateFormat) -> Result<String, DateError> {
        let mut out = Vec::new();
        DateTime::parse(text, format, Zone::Utc)?.write(&mut out);
        Ok(String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn iso_forms() {
        for (text, expected) in [
            ("2024-02-29", "2024-02-29"),
            ("0000-01-01", "0000-01-01"),
            ("2024-01-02T03:04", "2024-01-02T03:04:00Z"),
            ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.5Z", "2024-01-02T03:04:05.500Z"),
            ("2024-01-02T03:04:05.123456", "2024-01-02T03:04:05.123Z"),
            ("2024-01-01T00:30:00+05:30", "2023-12-31T19:00:00Z"),
            ("2024-12-31T23:30:00-0100", "2025-01-01T00:30:00Z"),
            ("2024-02-28T23:59:59-23:59", "2024-02-29T23:58:59Z"),
        ] {
            assert_eq!(written(text, DateFormat::Iso).as_deref(), Ok(expected), "{text}");
            assert!(is_iso(text), "{text}");
        }
    }

    #[test]
    fn zones_as_databases_write_them() {
        for (text, expected) in [
            // PostgreSQL and Redshift, BigQuery and Athena, Snowflake, SQL Server.
            ("2024-01-01 00:30:00+00", "2024-01-01T00:30:00Z"),
            ("2024-01-01 00:30:00.25-08", "2024-01-01T08:30:00.250Z"),
            ("2024-01-01 00:30:00 UTC", "2024-01-01T00:30:00Z"),
            ("2024-01-01 00:30:00.123456 UTC", "2024-01-01T00:30:00.123Z"),
            ("2024-01-01 00:30:00.000 -0800", "2024-01-01T08:30:00.000Z"),
            ("2024-01-01 00:30:00.000 Z", "2024-01-01T00:30:00.000Z"),
            ("2024-01-01 00:30:00.0000000 +05:30", "2023-12-31T19:00:00.000Z"),
        ] {
            assert_eq!(written(text, DateFormat::Database).as_deref(), Ok(expected), "{text}");
            assert_eq!(written(text, DateFormat::Iso), Err(DateError::Invalid), "{text}");
        }
        for text in
            ["2024-01-02", "2024-01-02T03:04", "2024-01-02 03:04:05Z", "2024-01-02 03:04-0100"]
        {
            assert_eq!(written(text, DateFormat::Database), written(text, DateFormat::Iso));
            assert!(is_iso(text), "{text}");
        }
        for text in [
            "2024-01-02T03:04+5",
            "2024-01-02T03:04+053",
            "2024-01-02T03:04  Z",
            "2024-01-02T03:04 ",
            "2024-01-02T03:04 UTC+1",
            "2024-01-02T03:04 CET",
            "2024-01-02T03:04+24",
            "2024-01-02 UTC",
            "2024-02-30 00:00:00+00",
        ] {
            assert_eq!(written(text, DateFormat::Database), Err(DateError::Invalid), "{text}");
        }
        assert_eq!(DateFormat::from_own_name("database"), Some(DateFormat::Database));
        assert_eq!(DateFormat::from_name("database"), None, "MoEngage has no such format");
    }

    #[test]
    fn what_is_no_iso_date() {
        for text in [
            "",
            "2024",
            "2024-1-2",
            "20240102",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-01-02T",
            "2024-01-02T24:00",
            "2024-01-02T23:60",
            "2024-01-02T23:59:60",
            "2024-01-02T03:04:05.",
            "2024-01-02T03:04:05z",
            "2024-01-02t03:04",
            "2024-01-02T03",
            "2024-01-02  03:04",
            " 2024-01-02",
            "2024-01-02 ",
            "2024-01-02Z",
            "2024-01-02T03:04+5",
            "2024-01-02T03:04+24:00",
            "31/12/2025",
            "tomorrow",
            "2024-01-0２",
            "2024-01-02T03:04:05ZZ",
        ] {
            assert_eq!(written(text, DateFormat::Iso), Err(DateError::Invalid), "{text}");
            assert!(!is_iso(text), "{text}");
        }
        assert_eq!(written("9999-12-31T23:59:59-01:00", DateFormat::Iso), Err(DateError::Range));
        assert_eq!(written("0000-01-01T00:00:00+01:00", DateFormat::Iso), Err(DateError::Range));
    }

    #[test]
    fn a_named_zone_and_its_gaps() {
        let zone = Zone::from_name("Europe/Berlin").expect("a zone");
        let read = |text| {
            let mut out = Vec::new();
            DateTime::parse(text, DateFormat::Iso, zone)?.write(&mut out);
            Ok(String::from_utf8(out).expect("ASCII"))
        };
        for (text, expected) in [
            ("2024-01-02 03:04:05.6", Ok("2024-01-02T02:04:05.600Z")),
            ("2024-07-02T00:30", Ok("2024-07-01T22:30:00Z")),
            ("2024-07-02", Ok("2024-07-02")),
            ("2024-07-02T00:30Z", Ok("2024-07-02T00:30:00Z")),
            ("2024-07-02T00:30+05:30", Ok("2024-07-01T19:00:00Z")),
            ("2024-03-31T02:30", Err(DateError::Skipped(Tz::Europe__Berlin))),
            ("2024-10-27T02:30", Err(DateError::Twice(Tz::Europe__Berlin))),
            ("0000-01-01T00:10", Err(DateError::Range)),
        ] {
            assert_eq!(read(text), expected.map(str::to_owned), "{text}");
        }
        assert_eq!(Zone::from_name("Europe/Atlantis"), None);
        assert_eq!(Zone::from_name("UTC"), Some(Zone::Utc));
    }

    #[test]
    fn only_digits_that_carry_something_count_as_cut() {
        let cut =
            |text| DateTime::parse(text, DateFormat::Iso, Zone::Utc).map(|date| date.was_cut());
        assert_eq!(cut("2024-01-02T03:04:05.123000"), Ok(false));
        assert_eq!(cut("2024-01-02T03:04:05.1230001"), Ok(true));
        assert_eq!(cut("2024-01-02"), Ok(false));
    }

    #[test]
    fn every_format_of_the_mapping_file_reads_its_own_form_and_no_other() {
        let samples: Vec<(String, String, String)> = ORDERS
            .iter()
            .zip(["2024-03-09", "2024/03/09", "09/03/2024", "09-03-2024"])
            .flat_map(|((_, order), date)| {
                [
                    ("", "", "2024-03-09"),
                    (" hh:mm:ss", " 10:20:30", "2024-03-09T10:20:30Z"),
                    (" hh:mm:ss.s", " 10:20:30.4", "2024-03-09T10:20:30.400Z"),
                    ("Thh:mm:ss.s", "T10:20:30.45", "2024-03-09T10:20:30.450Z"),
                    ("Thh:mm:ssTZD", "T10:20:30+02:00", "2024-03-09T08:20:30Z"),
                    ("Thh:mm:ss.sTZD", "T10:20:30.5Z", "2024-03-09T10:20:30.500Z"),
                ]
                .map(|(form, time, out)| {
                    (format!("{order}{form}"), format!("{date}{time}"), out.to_owned())
                })
            })
            .collect();
        assert_eq!(DateFormat::names().count(), samples.len());
        for (name, _, out) in &samples {
            let format = DateFormat::from_name(name).expect(name);
            assert_eq!(format.to_string(), *name);
            for (other, text, _) in &samples {
                let read = written(text, format);
                if other == name {
                    assert_eq!(read.as_ref(), Ok(out), "{text} as {name}");
                } else {
                    assert_eq!(read, Err(DateError::Invalid), "{text} as {name}");
                }
            }
        }
        assert_eq!(DateFormat::from_name("MM/DD/YYYY"), None);
        assert_eq!(DateFormat::from_name("YYYY-MM-DD hh:mm"), None);
    }
}
