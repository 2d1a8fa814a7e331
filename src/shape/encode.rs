//! A block of rows to elements: every check, and the JSON of each row written once.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{
    cell::Cell,
    cells::{ArrowCells, Cells, TextCells},
    datetime::{DateError, DateFormat, DateTime},
    json,
    number::{Fit, Number},
    plan::{Binding, Empty, Plan, PlanColumn, Rules, Target, ValueType},
};
use crate::model::{Code, Element, Kind, Problem, Reject, Rows, Severity, Shaped, Tally};
use crate::wire::{
    envelope,
    ids::{self, IdVerdict},
    limits,
};

/// Epoch values from here on are milliseconds: as seconds they lie beyond the year 5000.
const EPOCH_SECONDS_MAX: f64 = 1e11;

/// Checks a block and encodes its sound rows. `Err` names a column that cannot be read.
pub fn shape(plan: &Plan, binding: &Binding, rows: Arc<Rows>) -> Result<Shaped, String> {
    let block = match rows.as_ref() {
        Rows::Text(text) => Encoder::new(plan).block(&rows, &TextCells::new(text, binding)?),
        Rows::Arrow(arrow) => {
            Encoder::new(plan).block(&rows, &ArrowCells::new(arrow, plan, binding)?)
        }
    };
    let Encoder { json, elements, rejects, mut tally, .. } = block;
    for damage in rows.damage() {
        tally.add(damage.code.severity(), damage.code, None, damage.position);
    }
    Ok(Shaped { json, elements, rejects, tally, rows })
}

/// Which columns of a plan feed which part of an element.
struct Layout {
    id: Option<usize>,
    action: Option<usize>,
    device: Option<usize>,
    /// Columns of an action's own fields, in the order in which they are written.
    fields: Vec<usize>,
    attributes: Vec<usize>,
}

impl Layout {
    fn of(plan: &Plan) -> Self {
        let find = |target| plan.columns.iter().position(|column| column.target == target);
        let order = [
            Target::Platform,
            Target::AppVersion,
            Target::UserTime,
            Target::CurrentTime,
            Target::TimezoneOffset,
        ];
        let attribute = |&at: &usize| plan.columns[at].target == Target::Attribute;
        Self {
            id: find(Target::CustomerId),
            action: find(Target::Action),
            device: find(Target::DeviceId),
            fields: order.into_iter().filter_map(find).collect(),
            attributes: (0..plan.columns.len()).filter(attribute).collect(),
        }
    }
}

/// The growing result of a block; its buffers are reused from row to row.
struct Encoder<'p> {
    plan: &'p Plan,
    json: Vec<u8>,
    elements: Vec<Element>,
    rejects: Vec<Reject>,
    tally: Tally,
    /// Problems of the row at hand.
    problems: Vec<Problem>,
}

impl<'p> Encoder<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            json: Vec::new(),
            elements: Vec::new(),
            rejects: Vec::new(),
            tally: Tally::default(),
            problems: Vec::new(),
        }
    }

    fn block<C: Cells>(mut self, rows: &Rows, cells: &C) -> Self {
        let layout = Layout::of(self.plan);
        let mut scratch = String::new();
        for row in 0..rows.len() {
            let start = self.json.len();
            let key = self.element(&layout, row, cells, &mut scratch);
            let len = self.json.len() - start;
            if len + envelope::OVERHEAD_BYTES > self.plan.rules.body_bytes_max {
                let limit = self.plan.rules.body_bytes_max;
                self.problem(Code::RowTooLarge, None, || {
                    format!("its element has {len} bytes, a body may have {limit}")
                });
            }
            let (users, events) = match self.plan.kind {
                Kind::Users => (1, 0),
                Kind::Events => (0, 1),
            };
            let position = rows.position(row);
            for problem in &self.problems {
                self.tally.add(problem.severity, problem.code, problem.column, position);
            }
            if self.problems.iter().any(|problem| problem.severity == Severity::Reject) {
                self.json.truncate(start);
                let mut problems = std::mem::take(&mut self.problems);
                problems.sort_by_key(|problem| problem.severity);
                self.rejects.push(Reject { position, row: row as u32, problems });
            } else {
                self.problems.clear();
                self.elements.push(Element {
                    len: len as u32,
                    row: row as u32,
                    users,
                    events,
                    key,
                });
            }
        }
        self
    }

    /// Writes one element; returns the key of the user whose updates must keep their order.
    fn element<C: Cells>(
        &mut self,
        layout: &Layout,
        row: usize,
        cells: &C,
        scratch: &mut String,
    ) -> Option<u64> {
        let plan = self.plan;
        match plan.kind {
            Kind::Users => {
                self.json.extend_from_slice(br#"{"type":"customer","customer_id":"#);
                let key = self.customer_id(layout.id, row, cells, scratch);
                self.json.extend_from_slice(br#","attributes":"#);
                self.attributes(layout, row, cells, scratch);
                self.json.push(b'}');
                key
            }
            Kind::Events => {
                self.json.extend_from_slice(br#"{"type":"event","customer_id":"#);
                self.customer_id(layout.id, row, cells, scratch);
                if let Some(at) = layout.device {
                    let cell = fetch(&plan.rules, cells.cell(row, at, scratch));
                    self.field(at, cell, |encoder, at, cell| encoder.text_field(at, cell));
                }
                self.json.extend_from_slice(br#","actions":[{"action":"#);
                self.action(layout.action, row, cells, scratch);
                self.json.extend_from_slice(br#","attributes":"#);
                self.attributes(layout, row, cells, scratch);
                let mut timed = false;
                for &at in &layout.fields {
                    let target = plan.columns[at].target;
                    let cell = fetch(&plan.rules, cells.cell(row, at, scratch));
                    let is_time = matches!(target, Target::UserTime | Target::CurrentTime);
                    timed |= is_time && cell != Cell::Absent;
                    self.field(at, cell, |encoder, at, cell| match target {
                        Target::UserTime | Target::CurrentTime => encoder.event_time(at, cell),
                        Target::TimezoneOffset => encoder.timezone_offset(at, cell),
                        Target::Platform => encoder.platform(at, cell),
                        _ => encoder.text_field(at, cell),
                    });
                }
                if !timed {
                    self.problem(Code::EventNoTime, None, String::new);
                }
                self.json.extend_from_slice(b"}]}");
                None
            }
        }
    }

    fn customer_id<C: Cells>(
        &mut self,
        column: Option<usize>,
        row: usize,
        cells: &C,
        scratch: &mut String,
    ) -> Option<u64> {
        let at = column?;
        let id = match fetch(&self.plan.rules, cells.cell(row, at, scratch)) {
            Cell::Absent => "",
            Cell::Text(text) => text,
            Cell::Number { digits, .. } => digits,
            Cell::Bool(value) => bool_text(value),
            Cell::DateTime { text, .. } | Cell::Json { json: text, .. } => text,
            Cell::Bad(code) => {
                self.problem(code, Some(at), String::new);
                return None;
            }
        };
        let code = match ids::judge(id) {
            IdVerdict::Allowed => None,
            IdVerdict::Lookalike => Some(Code::IdLookalike),
            IdVerdict::Missing => Some(Code::IdMissing),
            IdVerdict::TooShort => Some(Code::IdTooShort),
            IdVerdict::Disallowed => Some(Code::IdDisallowed),
        };
        if let Some(code) = code {
            self.value_problem(code, at, id, "");
        }
        json::write_string(&mut self.json, id);
        Some(xxh3_64(id.as_bytes()))
    }

    fn action<C: Cells>(
        &mut self,
        column: Option<usize>,
        row: usize,
        cells: &C,
        scratch: &mut String,
    ) {
        let cell = match column {
            Some(at) => fetch(&self.plan.rules, cells.cell(row, at, scratch)),
            None => Cell::Absent,
        };
        let plan = self.plan;
        match (cell, &plan.rules.event) {
            (Cell::Absent, Some(event)) => json::write_string(&mut self.json, event),
            (Cell::Absent, None) => self.problem(Code::ActionMissing, column, String::new),
            (cell, _) => {
                self.text_field(column.unwrap_or_default(), cell);
            }
        }
    }

    /// Writes `{"name":value,…}`.
    fn attributes<C: Cells>(
        &mut self,
        layout: &Layout,
        row: usize,
        cells: &C,
        scratch: &mut String,
    ) {
        let plan = self.plan;
        self.json.push(b'{');
        let start = self.json.len();
        for &at in &layout.attributes {
            let column = &plan.columns[at];
            let before = self.json.len();
            if before > start {
                self.json.push(b',');
            }
            self.json.extend_from_slice(&column.key);
            let cell = cells.cell(row, at, scratch);
            if !self.attribute(at, column, cell) {
                self.json.truncate(before);
            }
        }
        self.json.push(b'}');
    }

    /// Writes `,"name":value`, where the cell has a value and it is sound.
    fn field(
        &mut self,
        at: usize,
        cell: Cell<'_>,
        write: impl FnOnce(&mut Self, usize, Cell<'_>) -> bool,
    ) {
        let before = self.json.len();
        self.json.push(b',');
        self.json.extend_from_slice(&self.plan.columns[at].key);
        if cell == Cell::Absent || !write(self, at, cell) {
            self.json.truncate(before);
        }
    }

    /// Writes an attribute's value as its column's type; `false` where there is none.
    fn attribute(&mut self, at: usize, column: &PlanColumn, cell: Cell<'_>) -> bool {
        let rules = &self.plan.rules;
        if let Cell::Text("") = cell {
            let sent = rules.empty == Empty::Text && column.value == ValueType::Text;
            if sent {
                self.json.extend_from_slice(b"\"\"");
            }
            return sent;
        }
        match (column.value, fetch(rules, cell)) {
            (_, Cell::Absent) => false,
            (_, Cell::Bad(code)) => self.refuse(code, at, "", ""),
            (ValueType::Json, Cell::Json { json, flaws }) => {
                for code in flaws.iter() {
                    self.problem(code, Some(at), String::new);
                }
                self.literal(json)
            }
            (ValueType::Json, cell) => self.refuse(Code::TypeJson, at, cell_text(cell), ""),
            (_, Cell::Json { json, .. }) => self.refuse(Code::TypeNested, at, json, ""),
            (ValueType::Text, cell) => self.text_field(at, cell),
            (ValueType::Number, Cell::Text(text)) => self.number(at, text),
            (ValueType::Number, Cell::Number { digits, binary: false }) => self.number(at, digits),
            (ValueType::Number, Cell::Number { digits, binary: true }) => {
                self.json.extend_from_slice(digits.as_bytes());
                true
            }
            (ValueType::Number, cell) => self.refuse(Code::TypeNumber, at, cell_text(cell), ""),
            (ValueType::Bool, Cell::Bool(value)) => self.literal(bool_text(value)),
            (ValueType::Bool, Cell::Text(text)) if text.eq_ignore_ascii_case("true") => {
                self.literal("true")
            }
            (ValueType::Bool, Cell::Text(text)) if text.eq_ignore_ascii_case("false") => {
                self.literal("false")
            }
            (ValueType::Bool, cell) => self.refuse(Code::TypeBool, at, cell_text(cell), ""),
            (ValueType::DateTime(_), Cell::DateTime { .. }) => self.text_field(at, cell),
            (ValueType::DateTime(format), Cell::Text(text)) => {
                match DateTime::parse(text, format) {
                    Ok(date) => self.date(at, &date),
                    Err(DateError::Range) => self.refuse(Code::DatetimeRange, at, text, ""),
                    Err(DateError::Invalid) => {
                        self.refuse(Code::TypeDatetime, at, text, &format.to_string())
                    }
                }
            }
            (ValueType::DateTime(format), cell) => {
                self.refuse(Code::TypeDatetime, at, cell_text(cell), &format.to_string())
            }
        }
    }

    fn literal(&mut self, text: &str) -> bool {
        self.json.extend_from_slice(text.as_bytes());
        true
    }

    /// Writes any cell as text.
    fn text_field(&mut self, at: usize, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Absent => return false,
            Cell::Bad(code) => return self.refuse(code, at, "", ""),
            Cell::DateTime { text, cut } => {
                if cut {
                    self.value_problem(Code::DatetimePrecision, at, text, "");
                }
                json::write_string(&mut self.json, text);
            }
            cell => json::write_string(&mut self.json, cell_text(cell)),
        }
        true
    }

    fn number(&mut self, at: usize, text: &str) -> bool {
        let Some(number) = Number::parse(text) else {
            return self.refuse(Code::TypeNumber, at, text, "");
        };
        match number.fit() {
            Fit::OutOfRange => return self.refuse(Code::NumberRange, at, text, ""),
            Fit::Imprecise => self.value_problem(Code::NumberPrecision, at, text, ""),
            Fit::Exact => {}
        }
        number.write_json(&mut self.json);
        true
    }

    fn date(&mut self, at: usize, date: &DateTime) -> bool {
        if date.was_cut() {
            self.problem(Code::DatetimePrecision, Some(at), String::new);
        }
        self.json.push(b'"');
        date.write(&mut self.json);
        self.json.push(b'"');
        true
    }

    /// A date-time, or epoch seconds (Data API, U: event element).
    fn event_time(&mut self, at: usize, cell: Cell<'_>) -> bool {
        let value = self.plan.columns[at].value;
        let digits = match cell {
            Cell::DateTime { .. } => return self.text_field(at, cell),
            Cell::Number { digits, .. } => digits,
            Cell::Text(text) => {
                let format = match value {
                    ValueType::DateTime(format) => format,
                    _ => DateFormat::Iso,
                };
                match DateTime::parse(text, format) {
                    Ok(date) => return self.date(at, &date),
                    Err(DateError::Range) => {
                        self.value_problem(Code::DatetimeRange, at, text, "");
                        return false;
                    }
                    Err(DateError::Invalid) => text,
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
        let allowed = !matches!(value, ValueType::DateTime(DateFormat::Fixed(..)));
        let seconds = digits.trim().parse::<f64>().unwrap_or(f64::NAN);
        let code = match number {
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

    fn platform(&mut self, at: usize, cell: Cell<'_>) -> bool {
        let text = cell_text(cell);
        if !limits::EVENT_PLATFORMS.contains(&text) {
            self.value_problem(Code::PlatformValue, at, text, "");
            return false;
        }
        json::write_string(&mut self.json, text);
        true
    }

    /// Refuses a value for its type: the row is rejected, or on request only the
    /// attribute left out. Returns `false`: nothing was written.
    fn refuse(&mut self, code: Code, at: usize, value: &str, expected: &str) -> bool {
        self.value_problem(code, at, value, expected);
        if self.plan.rules.omit_on_type_error
            && !self.plan.rules.strict
            && self.plan.columns[at].target == Target::Attribute
            && let Some(problem) = self.problems.last_mut()
        {
            problem.severity = Severity::Warning;
        }
        false
    }

    /// Notes a problem with a value, which its text names only where values may be shown.
    fn value_problem(&mut self, code: Code, at: usize, value: &str, expected: &str) {
        let show = self.plan.rules.show_values;
        self.problem(code, Some(at), || {
            let mut detail = String::new();
            if !expected.is_empty() {
                detail.push_str("expected ");
                detail.push_str(expected);
            }
            if show {
                let gap = if detail.is_empty() { "" } else { ", " };
                detail.push_str(&format!("{gap}found {value:?}"));
            }
            detail
        });
    }

    fn problem(&mut self, code: Code, column: Option<usize>, detail: impl FnOnce() -> String) {
        let rules = &self.plan.rules;
        let strict = rules.strict || (rules.strict_ids && code == Code::IdLookalike);
        let severity = if strict { Severity::Reject } else { code.severity() };
        let detail = match detail() {
            text if text.is_empty() => None,
            text => Some(text.into_boxed_str()),
        };
        self.problems.push(Problem { code, severity, column: column.map(|at| at as u32), detail });
    }
}

/// A cell as the rules see it: empty cells and null words are no values.
fn fetch<'a>(rules: &Rules, cell: Cell<'a>) -> Cell<'a> {
    match cell {
        Cell::Text(text) if text.is_empty() || rules.is_null(text) => Cell::Absent,
        cell => cell,
    }
}

fn cell_text(cell: Cell<'_>) -> &str {
    match cell {
        Cell::Absent | Cell::Bad(_) => "",
        Cell::Text(text) | Cell::DateTime { text, .. } | Cell::Json { json: text, .. } => text,
        Cell::Number { digits, .. } => digits,
        Cell::Bool(value) => bool_text(value),
    }
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
