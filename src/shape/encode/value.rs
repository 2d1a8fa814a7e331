//! Attributes: objects of columns, and values by their type.

use super::{
    Encoder, Layout, Node, Row, bool_text, cell_text,
    date_like::{is_kept_as_date, looks_like_date},
};
use crate::model::{Code, CodeSet, Kind};
use crate::shape::{
    cell::Cell,
    cells::Cells,
    datetime::{DateError, DateFormat, DateTime},
    json, json_text, nested,
    number::{Fit, Number},
    plan::{Empty, Items, PlanColumn, Target, ValueType},
};
use crate::wire::{ids::is_blank, limits};

/// What is said of a name or an id that is no more than blanks.
pub(super) const MADE_OF_BLANKS: &str = "it is made of blanks";

impl Encoder<'_> {
    /// Writes `{"name":value,…}`, the end of which may be staged, and notes which attributes are to
    /// be removed.
    pub(super) fn attributes<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) {
        self.unset.clear();
        let written = self.object(layout, &layout.attributes, row, scratch, 0);
        if self.plan.kind == Kind::Events && written > limits::EVENT_ATTRIBUTES_MAX {
            self.problem(Code::EventAttributeCount, None, || format!("it has {written}"));
        }
    }

    /// Writes an object of columns; how many members it has. `level` counts the objects
    /// around it, `attributes` itself left out.
    fn object<C: Cells>(
        &mut self,
        layout: &Layout,
        members: &[Node],
        row: &Row<'_, C>,
        scratch: &mut String,
        level: usize,
    ) -> usize {
        self.stage.push(b"{", &mut self.json);
        let (mut left, mut written) = (members, 0);
        let cells = row.cells.row(row.at);
        loop {
            let Self { stage, json, .. } = self;
            let run = stage.run(left, &cells, &mut written, json);
            let Some((node, rest)) = left[run..].split_first() else { break };
            self.settle();
            if self.node(layout, node, row, scratch, level) {
                written += 1;
                self.stage.push(b",", &mut self.json);
            }
            left = rest;
        }
        if written > 0 {
            // The comma behind the last.
            self.stage.pop(&mut self.json);
        }
        self.stage.push(b"}", &mut self.json);
        written
    }

    /// Writes one member of an object the general way; `false` where there is none, and nothing was
    /// written.
    #[inline(never)]
    fn node<C: Cells>(
        &mut self,
        layout: &Layout,
        node: &Node,
        row: &Row<'_, C>,
        scratch: &mut String,
        level: usize,
    ) -> bool {
        let before = self.json.len();
        let is_written = match node {
            Node::Value { at, .. } => {
                let column = self.column(*at);
                self.json.extend_from_slice(&column.key);
                self.member(*at, column, row, scratch)
            }
            Node::Object { key, members, .. } => {
                self.json.extend_from_slice(key);
                let begin = self.json.len();
                let keys = self.object(layout, members, row, scratch, level + 1);
                self.settle();
                self.object_limits(node, keys, self.json.len() - begin, level);
                keys > 0
            }
        };
        if !is_written {
            self.json.truncate(before);
        }
        is_written
    }

    /// Data API, U: 25 KB an object with all that is in it, 100 keys each.
    fn object_limits(&mut self, node: &Node, keys: usize, bytes: usize, level: usize) {
        if level == 0 && bytes > limits::OBJECT_BYTES_MAX {
            self.problem(Code::ObjectTooLarge, node.first(), || format!("it has {bytes} bytes"));
        }
        if keys > limits::OBJECT_KEYS_MAX {
            self.problem(Code::ObjectKeys, node.first(), || format!("it has {keys}"));
        }
    }

    /// Writes the value of one column among the attributes; `false` where there is none.
    fn member<C: Cells>(
        &mut self,
        at: usize,
        column: &PlanColumn,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> bool {
        match column.target {
            Target::Attribute => {
                let start = self.json.len();
                let written = self.attribute(at, column, row, scratch);
                if written {
                    let is_list =
                        self.json[start] == b'[' && self.json.get(start + 1) != Some(&b'{');
                    for &code in &column.remarks {
                        if code != Code::ObjectAttributes || !is_list {
                            self.problem(code, Some(at), String::new);
                        }
                    }
                    if let Some(values) = column.listed {
                        self.listed(at, start, values);
                    }
                }
                written
            }
            Target::Platform => match row.value(at, scratch) {
                Cell::Absent => self.missing(Code::PlatformMissing, at),
                cell => self.one_of(at, cell, &limits::DEVICE_PLATFORMS, Code::PlatformValue),
            },
            Target::PushId => match row.value(at, scratch) {
                Cell::Absent => self.missing(Code::PushIdMissing, at),
                Cell::Text(text) if is_blank(text) => self.blank(Code::PushIdMissing, at),
                cell => self.text_attribute(at, cell),
            },
            Target::PushOpted => match row.value(at, scratch) {
                Cell::Absent => false,
                cell => self.one_of(at, cell, &limits::PUSH_OPTED, Code::PushOptedValue),
            },
            _ => self.text_attribute(at, row.value(at, scratch)),
        }
    }

    /// Notes a text, written from `start` on, that is none of the documented ones. What is no text
    /// has another type than documented, which was said.
    fn listed(&mut self, at: usize, start: usize, values: &[&str]) {
        let Some(text) = self.json[start..].strip_prefix(b"\"") else { return };
        let text = text.strip_suffix(b"\"").unwrap_or(text);
        if !values.iter().any(|value| value.as_bytes() == text) {
            let text = String::from_utf8_lossy(text).into_owned();
            self.value_problem(Code::StandardValue, at, &text, "");
        }
    }

    /// Writes a text that stands among the attributes and is an own field or an identifier.
    fn text_attribute(&mut self, at: usize, cell: Cell<'_>) -> bool {
        if let Cell::Text(text) = cell {
            self.string_limit(at, text);
        }
        self.text_field(at, cell)
    }

    fn missing(&mut self, code: Code, at: usize) -> bool {
        self.problem(code, Some(at), String::new);
        false
    }

    /// What is required and made of blanks alone. Always `false`.
    pub(super) fn blank(&mut self, code: Code, at: usize) -> bool {
        self.problem(code, Some(at), || MADE_OF_BLANKS.to_owned());
        false
    }

    /// Writes an attribute's value as its column's type; `false` where there is none.
    fn attribute<C: Cells>(
        &mut self,
        at: usize,
        column: &PlanColumn,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> bool {
        if row.cell(at, scratch) == Cell::Text("") && self.plan.rules.empty == Empty::Text {
            return column.value == ValueType::Text && self.literal("\"\"");
        }
        let cell = row.value(at, scratch);
        match (column.value, cell) {
            (_, Cell::Absent) => self.absent(at, column, row),
            (_, Cell::Bad(code)) => self.refuse(code, at, "", ""),
            (ValueType::Json, Cell::Json { json, flaws }) => {
                self.flaws(at, flaws);
                self.literal(json)
            }
            (ValueType::Json, Cell::Text(text)) => match self.json(at, text) {
                Some(written) => written,
                // The document `null` is no value either.
                None => self.absent(at, column, row),
            },
            (ValueType::Json, cell) => self.refuse(Code::TypeJson, at, cell_text(cell), ""),
            // A nested column under a flat type is refused before a row is read.
            (_, Cell::Json { json, .. }) => self.refuse(Code::TypeJson, at, json, ""),
            (ValueType::Text, cell) => self.text(at, column, cell),
            (ValueType::Number, Cell::Text(text)) if is_bracketed(text) => {
                self.array(at, column, text, Items::Number)
            }
            (ValueType::Number, Cell::Text(text)) => self.number(at, text, Code::TypeNumber),
            (ValueType::Number, Cell::Number { digits, binary: false }) => {
                self.number(at, digits, Code::TypeNumber)
            }
            (ValueType::Number, Cell::Number { digits, binary: true }) => self.literal(digits),
            (ValueType::Number, cell) => self.refuse(Code::TypeNumber, at, cell_text(cell), ""),
            (ValueType::Bool, Cell::Bool(value)) => self.literal(bool_text(value)),
            (ValueType::Bool, cell) => self.bool(at, column, cell),
            (ValueType::DateTime(_), Cell::DateTime { .. }) => self.text_field(at, cell),
            (ValueType::DateTime(format), Cell::Text(text)) => {
                match DateTime::parse(text, format, column.reading.zone) {
                    Ok(date) => self.date(at, &date),
                    Err(DateError::Invalid) => self.no_date(at, text, format),
                    Err(error) => {
                        let (code, said) = date_problem(error);
                        self.refuse(code, at, text, &said)
                    }
                }
            }
            (ValueType::DateTime(format), cell) => self.no_date(at, cell_text(cell), format),
            (ValueType::Array(items), cell) => self.array(at, column, cell_text(cell), items),
        }
    }

    /// Refuses what has not the format of its column.
    fn no_date(&mut self, at: usize, text: &str, format: DateFormat) -> bool {
        self.refuse(Code::TypeDatetime, at, text, &format!("expected {format}"))
    }

    /// No value: on request the one that the user has is removed. Always `false`.
    fn absent<C: Cells>(&mut self, at: usize, column: &PlanColumn, row: &Row<'_, C>) -> bool {
        // Data API, U: an attribute is removed by its name, which an object's member does not
        // have.
        let is_unset = self.plan.rules.empty == Empty::Unset && column.path.len() == 1;
        if is_unset && row.has(at) {
            self.unset.push(at);
        }
        false
    }

    /// Writes the JSON document that a cell holds; `None` where it is `null`.
    fn json(&mut self, at: usize, text: &str) -> Option<bool> {
        let levels = self.column(at).objects_around();
        match json_text::write(text, &mut self.json, &mut self.buffers, levels) {
            Ok(Some(flaws)) => {
                self.flaws(at, flaws);
                Some(true)
            }
            Ok(None) => None,
            Err(code) => Some(self.refuse(code, at, text, "")),
        }
    }

    fn flaws(&mut self, at: usize, flaws: CodeSet) {
        // What is said of the column's path already is not said again.
        let remarks = &self.column(at).remarks;
        for code in flaws.iter().filter(|code| !remarks.contains(code)) {
            self.problem(code, Some(at), String::new);
        }
    }

    fn text(&mut self, at: usize, column: &PlanColumn, cell: Cell<'_>) -> bool {
        if let Cell::Text(text) = cell {
            if text.len() > self.plan.rules.body_bytes_max {
                // The row is too large whatever else is in it; not writing it down spares the
                // time where a typed file repeats one long text in every row.
                let bytes = text.len();
                self.problem(Code::RowTooLarge, Some(at), || format!("its text has {bytes} bytes"));
                return false;
            }
            self.string_limit(at, text);
            if column.inferred && looks_like_date(text) && !is_kept_as_date(text) {
                self.value_problem(Code::DateAsText, at, text, "");
            }
            if is_bracketed(text) && text.contains('|') {
                self.value_problem(Code::ArrayAsText, at, text, "");
            }
        }
        self.text_field(at, cell)
    }

    /// Data API, U: 512 characters a string; a longer URL is dropped whole.
    fn string_limit(&mut self, at: usize, text: &str) {
        if let Some(code) = nested::text_flaw(text) {
            self.problem(code, Some(at), || format!("it has {} characters", text.chars().count()));
        }
    }

    fn bool(&mut self, at: usize, column: &PlanColumn, cell: Cell<'_>) -> bool {
        let text = cell_text(cell);
        let lists = |words: &[String]| words.iter().any(|word| word == text);
        if text.eq_ignore_ascii_case("true") || lists(&column.reading.true_words) {
            self.literal("true")
        } else if text.eq_ignore_ascii_case("false") || lists(&column.reading.false_words) {
            self.literal("false")
        } else {
            self.refuse(Code::TypeBool, at, text, "")
        }
    }

    /// Writes a number, or refuses it with `code`.
    fn number(&mut self, at: usize, text: &str, code: Code) -> bool {
        let Some(number) = Number::parse(text) else {
            return self.refuse(code, at, text, "");
        };
        match number.fit() {
            Fit::OutOfRange => return self.refuse(Code::NumberRange, at, text, ""),
            Fit::Imprecise => self.value_problem(Code::NumberPrecision, at, text, ""),
            Fit::Exact => {}
        }
        number.write_json(&mut self.json);
        true
    }

    pub(super) fn date(&mut self, at: usize, date: &DateTime) -> bool {
        if date.was_cut() {
            self.problem(Code::DatetimePrecision, Some(at), String::new);
        }
        self.json.push(b'"');
        date.write(&mut self.json);
        self.json.push(b'"');
        true
    }

    /// Writes what stands between the separators of a cell, with or without `[ ]` around it.
    fn array(&mut self, at: usize, column: &PlanColumn, text: &str, items: Items) -> bool {
        let inner = if is_bracketed(text) { &text[1..text.len() - 1] } else { text };
        let start = self.json.len();
        self.json.push(b'[');
        let mut count = 0;
        let parts = inner.split(column.reading.separator.as_str());
        for part in parts.filter(|_| !inner.is_empty()) {
            if count > 0 {
                self.json.push(b',');
            }
            count += 1;
            match items {
                Items::Text => {
                    self.string_limit(at, part);
                    json::write_string(&mut self.json, part);
                }
                Items::Number => {
                    if !self.number(at, part, Code::TypeArray) {
                        self.json.truncate(start);
                        return false;
                    }
                }
            }
        }
        self.json.push(b']');
        if count > limits::LIST_ELEMENTS_MAX {
            self.problem(Code::ListTooLong, Some(at), || format!("it has {count} elements"));
        }
        true
    }

    /// Writes `,"unset_attributes":[…]`, where the row has any.
    pub(super) fn unset_attributes(&mut self) {
        if self.unset.is_empty() {
            return;
        }
        self.settle();
        self.json.extend_from_slice(br#","unset_attributes":["#);
        for (index, &at) in self.unset.iter().enumerate() {
            if index > 0 {
                self.json.push(b',');
            }
            self.json.extend_from_slice(br#"{"type":"equals","attr":"#);
            json::write_string(&mut self.json, &self.plan.columns[at].path[0]);
            self.json.push(b'}');
        }
        self.json.push(b']');
    }
}

/// Whether a text is written as MoEngage's imports write arrays.
fn is_bracketed(text: &str) -> bool {
    text.len() >= 2 && text.starts_with('[') && text.ends_with(']')
}

/// The rule that a date-time breaks which is none in UTC, and what is said of it.
pub(super) fn date_problem(error: DateError) -> (Code, String) {
    match error {
        DateError::Invalid => (Code::TypeDatetime, String::new()),
        DateError::Range => (Code::DatetimeRange, String::new()),
        DateError::Skipped(zone) => (Code::DatetimeClock, format!("{zone} skips it")),
        DateError::Twice(zone) => (Code::DatetimeClock, format!("{zone} has it twice")),
    }
}
