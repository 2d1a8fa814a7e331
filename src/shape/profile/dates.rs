//! Which date formats all values of a column fit, counted value by value: day-first and month-first
//! are both counted, so that neither is ever guessed.

use crate::shape::{
    datetime::{DateFormat, DateOrder, DateTime, TimeForm, Zone},
    encode::looks_like_date,
};

/// How the parts of a date are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As one of our formats has it.
    Readable(DateOrder),
    /// `MM/DD/YYYY`, which no format of ours reads.
    MonthSlash,
    /// `MM-DD-YYYY`, which no format of ours reads.
    MonthDash,
}

const READINGS: [Reading; 6] = [
    Reading::Readable(DateOrder::YearDash),
    Reading::Readable(DateOrder::YearSlash),
    Reading::Readable(DateOrder::DaySlash),
    Reading::Readable(DateOrder::DayDash),
    Reading::MonthSlash,
    Reading::MonthDash,
];

const FORMS: [TimeForm; 6] = [
    TimeForm::None,
    TimeForm::Blank,
    TimeForm::BlankFraction,
    TimeForm::TFraction,
    TimeForm::TZone,
    TimeForm::TFractionZone,
];

/// The earliest and the latest, as `YYYY-MM-DD[Thh:mm:ss[.fff]]` in UTC.
pub type Span = Option<(String, String)>;

/// What was seen of a column's dates.
#[derive(Clone, Debug, Default)]
pub struct Dates {
    /// Values that are ISO 8601 in a form that needs no telling.
    pub iso: u64,
    /// Values that are made as dates are, whether they can be read or not.
    pub alike: u64,
    /// Date-times that name no zone.
    pub zoneless: u64,
    /// Values of each reading and form.
    fits: [[u64; FORMS.len()]; READINGS.len()],
    /// Values of each reading, whatever the form.
    spans: [Span; READINGS.len()],
    iso_span: Span,
    /// Values that [`DateFormat::Database`] reads: those of ISO 8601 too.
    database: u64,
    database_span: Span,
}

/// What a column's dates come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No dates, or hardly any.
    None,
    /// All values fit one format, and no other.
    Proven(DateFormat, Span),
    /// All values fit day-first and month-first.
    Ambiguous(DateFormat),
    /// All values are month-first, and some can be nothing else.
    MonthFirst(Span),
    /// All values are made as dates are, and no one format reads them.
    Unreadable,
}

impl Dates {
    /// Looks at a value that is not empty.
    pub fn add(&mut self, text: &str) {
        if !text.as_bytes()[0].is_ascii_digit() || !looks_like_date(text) {
            return;
        }
        self.alike += 1;
        if text.len() > 10 && !text.ends_with('Z') && !text.as_bytes()[10..].contains(&b'+') {
            let has_offset = text.as_bytes()[10..].contains(&b'-') || text.ends_with("UTC");
            self.zoneless += u64::from(!has_offset);
        }
        let mut written = Vec::with_capacity(24);
        if let Ok(date) = DateTime::parse(text, DateFormat::Iso, Zone::Utc) {
            self.iso += 1;
            widen(&mut self.iso_span, &date, &mut written);
        }
        if let Ok(date) = DateTime::parse(text, DateFormat::Database, Zone::Utc) {
            self.database += 1;
            widen(&mut self.database_span, &date, &mut written);
        }
        let Some(form) = form_of(text) else { return };
        for (at, reading) in READINGS.iter().enumerate() {
            let Some(text) = as_read(text, *reading) else { continue };
            let format = DateFormat::Fixed(order_of(*reading), FORMS[form]);
            if let Ok(date) = DateTime::parse(&text, format, Zone::Utc) {
                self.fits[at][form] += 1;
                widen(&mut self.spans[at], &date, &mut written);
            }
        }
    }

    /// A date-time of a typed column, as it is sent.
    pub fn add_typed(&mut self, text: &str) {
        self.iso += 1;
        self.alike += 1;
        widen_to(&mut self.iso_span, text.trim_end_matches('Z'));
    }

    /// Takes in what was seen elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.iso += other.iso;
        self.database += other.database;
        self.alike += other.alike;
        self.zoneless += other.zoneless;
        for (ours, theirs) in self.fits.iter_mut().flatten().zip(other.fits.iter().flatten()) {
            *ours += theirs;
        }
        let ours = self.spans.iter_mut().chain([&mut self.iso_span, &mut self.database_span]);
        let theirs = other.spans.iter().chain([&other.iso_span, &other.database_span]);
        for (ours, theirs) in ours.zip(theirs) {
            for end in theirs.iter().flat_map(|(first, last)| [first, last]) {
                widen_to(ours, end);
            }
        }
    }

    /// What they come to, in a column of so many values.
    pub fn verdict(&self, values: u64) -> Verdict {
        if values == 0 || self.alike < values {
            return Verdict::None;
        }
        if self.iso == values {
            return Verdict::Proven(DateFormat::Iso, self.iso_span.clone());
        }
        if self.database == values {
            return Verdict::Proven(DateFormat::Database, self.database_span.clone());
        }
        let all = |reading: Reading| {
            let at = READINGS.iter().position(|&other| other == reading)?;
            let form = self.fits[at].iter().position(|&count| count == values)?;
            Some((FORMS[form], self.spans[at].clone()))
        };
        if let Some((form, span)) = all(Reading::Readable(DateOrder::YearSlash)) {
            return Verdict::Proven(DateFormat::Fixed(DateOrder::YearSlash, form), span);
        }
        for (order, month) in
            [(DateOrder::DaySlash, Reading::MonthSlash), (DateOrder::DayDash, Reading::MonthDash)]
        {
            match (all(Reading::Readable(order)), all(month)) {
                (Some((form, _)), Some(_)) => {
                    return Verdict::Ambiguous(DateFormat::Fixed(order, form));
                }
                (Some((form, span)), None) => {
                    return Verdict::Proven(DateFormat::Fixed(order, form), span);
                }
                (None, Some((_, span))) => return Verdict::MonthFirst(span),
                (None, None) => {}
            }
        }
        Verdict::Unreadable
    }

    /// The format that MoEngage's own mapping needs for a column that is ISO 8601 throughout.
    pub fn moengage_iso(&self, values: u64) -> Option<DateFormat> {
        let form = self.fits[0].iter().position(|&count| count == values)?;
        Some(DateFormat::Fixed(DateOrder::YearDash, FORMS[form]))
    }

    /// Bytes on the heap, about.
    pub fn memory_bytes(&self) -> u64 {
        let spans = self.spans.iter().chain([&self.iso_span, &self.database_span]).flatten();
        spans.map(|(first, last)| (first.capacity() + last.capacity()) as u64).sum()
    }
}

/// The format's order whose digits stand where those of a reading do.
fn order_of(reading: Reading) -> DateOrder {
    match reading {
        Reading::Readable(order) => order,
        Reading::MonthSlash => DateOrder::DaySlash,
        Reading::MonthDash => DateOrder::DayDash,
    }
}

/// The text with its month and day where our format expects them; `None` where its separators are
/// elsewhere.
fn as_read(text: &str, reading: Reading) -> Option<std::borrow::Cow<'_, str>> {
    let bytes = text.as_bytes();
    let (at, separator) = match order_of(reading) {
        DateOrder::YearDash => (4, b'-'),
        DateOrder::YearSlash => (4, b'/'),
        DateOrder::DaySlash => (2, b'/'),
        DateOrder::DayDash => (2, b'-'),
    };
    if bytes.get(at) != Some(&separator) || bytes.len() < 10 {
        return None;
    }
    match reading {
        Reading::Readable(_) => Some(text.into()),
        Reading::MonthSlash | Reading::MonthDash => {
            let (month, day, rest) = (text.get(..2)?, text.get(3..5)?, text.get(5..)?);
            Some(format!("{day}{}{month}{rest}", char::from(separator)).into())
        }
    }
}

/// The one form of [`FORMS`] that what follows a date of ten characters can have.
fn form_of(text: &str) -> Option<usize> {
    let time = text.as_bytes().get(10..)?;
    let has_fraction = time.contains(&b'.');
    let has_zone = time.iter().any(|byte| matches!(byte, b'Z' | b'+' | b'-'));
    let form = match (time.first(), has_fraction, has_zone) {
        (None, ..) => TimeForm::None,
        (Some(b' '), false, false) => TimeForm::Blank,
        (Some(b' '), true, false) => TimeForm::BlankFraction,
        (Some(b'T'), true, false) => TimeForm::TFraction,
        (Some(b'T'), false, true) => TimeForm::TZone,
        (Some(b'T'), true, true) => TimeForm::TFractionZone,
        _ => return None,
    };
    FORMS.iter().position(|&known| known == form)
}

/// Widens a span to a date as it is sent, without the `Z`: these texts stand in the order of time.
fn widen(span: &mut Span, date: &DateTime, written: &mut Vec<u8>) {
    written.clear();
    date.write(written);
    let text = str::from_utf8(written).unwrap_or_default();
    widen_to(span, text.trim_end_matches('Z'));
}

fn widen_to(span: &mut Span, text: &str) {
    match span {
        None => *span = Some((text.to_owned(), text.to_owned())),
        Some((first, last)) => {
            if text < first.as_str() {
                text.clone_into(first);
            }
            if text > last.as_str() {
                text.clone_into(last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(values: &[&str]) -> Verdict {
        let mut whole = Dates::default();
        for value in values {
            let mut one = Dates::default();
            one.add(value);
            whole.merge(&one);
        }
        whole.verdict(values.len() as u64)
    }

    fn span(first: &str, last: &str) -> Span {
        Some((first.to_owned(), last.to_owned()))
    }

    #[test]
    fn a_format_is_proven_by_all_values_or_not_at_all() {
        let format = |name| DateFormat::from_name(name).expect(name);
        for (values, expected) in [
            (
                &["2024-01-02", "2023-05-06 07:08"][..],
                Verdict::Proven(DateFormat::Iso, span("2023-05-06T07:08:00", "2024-01-02")),
            ),
            (
                &["13/02/2024", "01/02/2024"],
                Verdict::Proven(format("DD/MM/YYYY"), span("2024-02-01", "2024-02-13")),
            ),
            (&["01/02/2024", "03/04/2023"], Verdict::Ambiguous(format("DD/MM/YYYY"))),
            (&["01-02-2024 10:00:00"], Verdict::Ambiguous(format("DD-MM-YYYY hh:mm:ss"))),
            (&["02/13/2024", "01/02/2024"], Verdict::MonthFirst(span("2024-01-02", "2024-02-13"))),
            (&["13/02/2024", "02/13/2024"], Verdict::Unreadable),
            (&["13/02/2024", "13/02/2024 10:00:00"], Verdict::Unreadable),
            (&["13.02.2024"], Verdict::Unreadable),
            (&["1/2/2024"], Verdict::Unreadable),
            (&["2024-02-30"], Verdict::Unreadable),
            (
                &["2024/02/03T10:11:12Z"],
                Verdict::Proven(
                    format("YYYY/MM/DDThh:mm:ssTZD"),
                    span("2024-02-03T10:11:12", "2024-02-03T10:11:12"),
                ),
            ),
            (
                &["2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05.5+01"],
                Verdict::Proven(
                    DateFormat::Database,
                    span("2024-01-02T02:04:05.500", "2024-01-02T03:04:05"),
                ),
            ),
            (&["13/02/2024", "soon"], Verdict::None),
            (&[], Verdict::None),
        ] {
            assert_eq!(verdict(values), expected, "{values:?}");
        }
    }

    #[test]
    fn earliest_and_latest_go_by_time() {
        let Verdict::Proven(_, found) = verdict(&[
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.5Z",
            "2024-01-01T01:00:00+05:30",
            "2024-01-01",
        ]) else {
            panic!("proven");
        };
        assert_eq!(found, span("2023-12-31T19:30:00", "2024-01-01T00:00:00.500"));
    }

    /// Every format that can be read is told from its values, and no other fits them.
    #[test]
    fn every_format_is_told() {
        for name in DateFormat::names() {
            let value = name
                .replace("YYYY", "2024")
                .replace("MM", "02")
                .replace("DD", "29")
                .replace("hh:mm:ss", "10:11:12")
                .replace(".s", ".5")
                .replace("TZD", "+05:30");
            let mut dates = Dates::default();
            dates.add(&value);
            let fits: u64 = dates.fits.iter().flatten().sum();
            assert_eq!(fits, 1, "{value}");
            let Verdict::Proven(format, _) = dates.verdict(1) else { panic!("{value}") };
            match name.starts_with("YYYY-") {
                true => assert_eq!(dates.moengage_iso(1).map(|f| f.to_string()), Some(name)),
                false => assert_eq!(format.to_string(), name),
            }
        }
    }

    #[test]
    fn date_times_without_a_zone_are_counted() {
        let mut dates = Dates::default();
        for text in
            ["2024-01-02", "2024-01-02 03:04", "2024-01-02T03:04:05Z", "2024-01-02T03:04-05:00"]
        {
            dates.add(text);
        }
        assert_eq!((dates.iso, dates.zoneless), (4, 1));
    }
}
