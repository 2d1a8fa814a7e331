//! One action of an event: its name, attributes and own fields (Data API, U: event element).

use chrono::NaiveDate;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Encoder, Layout, Row, cell_text,
    value::{MADE_OF_BLANKS, date_problem},
};
use crate::model::Code;
use crate::shape::{
    cell::Cell,
    cells::Cells,
    datetime::{DateError, DateFormat, DateTime},
    json, naming,
    number::Number,
    plan::{Target, ValueType},
};
use crate::wire::{ids::is_blank, limits};

/// Epoch values from here on are milliseconds: as seconds they lie beyond the year 5000.
pub(in crate::shape) const EPOCH_SECONDS_MAX: f64 = 1e11;

/// Years whose dates, written `YYYYMMDD`, are not taken for epoch seconds of August 1970.
const DATE_YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;

impl Encoder<'_> {
    /// Writes `{"action":…,"attributes":{…},…}`; gives the hash of the action's name.
    pub(super) fn action<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> Option<u64> {
        self.json.extend_from_slice(br#"{"action":"#);
        let name = self.action_name(layout.action, row, scratch);
        self.json.extend_from_slice(br#","attributes":"#);
        self.attributes(layout, row, scratch);
        self.settle();
        let mut timed = false;
        for &at in &layout.fields {
            let target = self.column(at).target;
            let cell = row.value(at, scratch);
            let is_time = matches!(target, Target::UserTime | Target::CurrentTime);
            timed |= is_time && cell != Cell::Absent;
            self.field(at, cell, |encoder, at, cell| match target {
                Target::UserTime | Target::CurrentTime => encoder.event_time(at, cell),
                Target::TimezoneOffset => encoder.timezone_offset(at, cell),
                Target::Platform => {
                    encoder.one_of(at, cell, &limits::EVENT_PLATFORMS, Code::PlatformValue)
                }
                _ => encoder.text_field(at, cell),
            });
        }
        if !timed {
            self.problem(Code::EventNoTime, None, String::new);
        }
        self.json.push(b'}');
        name
    }

    fn action_name<C: Cells>(
        &mut self,
        column: Option<usize>,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> Option<u64> {
        let cell = column.map_or(Cell::Absent, |at| row.value(at, scratch));
        let name = match (cell, &self.plan.rules.event) {
            (Cell::Bad(code), _) => {
                self.problem(code, column, String::new);
                return None;
            }
            (Cell::Absent, None) => {
                self.problem(Code::ActionMissing, column, String::new);
                return None;
            }
            (Cell::Absent, Some(event)) => event.as_str(),
            (cell, _) => cell_text(cell),
        };
        if is_blank(name) {
            self.problem(Code::ActionMissing, column, || MADE_OF_BLANKS.to_owned());
            return None;
        }
        json::write_string(&mut self.json, name);
        if let Some(code) = naming::name_code(name) {
            self.problem(code, column, String::new);
        }
        if name.contains('.') {
            self.problem(Code::EventNameDot, column, String::new);
        }
        let hash = xxh3_64(name.as_bytes());
        if self.plan.event_names.get().is_some_and(|known| !known.contains(&hash)) {
            self.problem(Code::EventCount, column, String::new);
        }
        Some(hash)
    }

    /// A date-time, or epoch seconds.
    fn event_time(&mut self, at: usize, cell: Cell<'_>) -> bool {
        let column = self.column(at);
        let digits = match cell {
            Cell::DateTime { .. } => return self.text_field(at, cell),
            Cell::Number { digits, .. } => digits,
            Cell::Text(text) => {
                let format = match column.value {
                    ValueType::DateTime(format) => format,
                    _ => DateFormat::Iso,
                };
                match DateTime::parse(text, format, column.reading.zone) {
                    Ok(date) => return self.date(at, &date),
                    Err(DateError::Invalid) => text,
                    Err(error) => {
                        let (code, said) = date_problem(error);
                        self.value_problem(code, at, text, &said);
                        return false;
                    }
                }
            }
            Cell::Bad(code) => {
                self.problem(code, Some(at), String::new);
                return false;
            }
            Cell::Absent | Cell::Bool(_) | Cell::Json { .. } => cell_text(cell),
        };
        let number = Number::parse(digits).filter(Number::is_plain);
        // A format that was asked for leaves no room for another form.
        let allowed = !matches!(
            column.value,
            ValueType::DateTime(DateFormat::Database | DateFormat::Fixed(..))
        );
        let seconds = digits.trim().parse::<f64>().unwrap_or(f64::NAN);
        let code = match number {
            Some(_) if allowed && is_date(seconds) => Code::EventTimeDate,
            Some(number) if allowed && (0.0..EPOCH_SECONDS_MAX).contains(&seconds) => {
                number.write_json(&mut self.json);
                return true;
            }
            Some(_) if allowed && seconds >= EPOCH_SECONDS_MAX => Code::EventTimeMilliseconds,
            _ => Code::EventTime,
        };
        self.value_problem(code, at, digits, "");
        false
    }

    fn timezone_offset(&mut self, at: usize, cell: Cell<'_>) -> bool {
        let text = cell_text(cell);
        let offset = Number::parse(text).and_then(|number| number.as_i64());
        match offset.filter(|seconds| seconds.abs() <= limits::TIMEZONE_OFFSET_SECONDS_MAX) {
            Some(seconds) => self.literal(&seconds.to_string()),
            None => {
                self.value_problem(Code::TimezoneOffset, at, text, "");
                false
            }
        }
    }
}

/// Whether a number is a day of the calendar, written `YYYYMMDD`.
fn is_date(number: f64) -> bool {
    // Anything that is no such number ends up in no year of these.
    let digits = number as u32;
    let (year, month, day) = (digits / 10_000, digits / 100 % 100, digits % 100);
    number.fract() == 0.0
        && DATE_YEARS.contains(&year)
        && NaiveDate::from_ymd_opt(year as i32, month, day).is_some()
}
