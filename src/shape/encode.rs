//! A block of rows to elements: every check, and the JSON of each row written once.
//!
//! - `census`: what a block says of the whole import;
//! - `layout`: which columns feed which part of an element;
//! - `identity`: who a row is about;
//! - `event`: an action's own fields;
//! - `value`, `date_like`: attributes by their type;
//! - `plain`, `typed`: the same for cells that are sent as they stand, which are most.

mod census;
mod date_like;
mod event;
mod identity;
mod layout;
mod plain;
mod value;

use std::{mem::take, sync::Arc};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    cell::Cell,
    cells::{ArrowCells, Cells, TextCells},
    json,
    json_cells::JsonCells,
    nested::Buffers,
    plan::{Binding, Given, Plan, PlanColumn, Target},
};
use crate::model::{
    Code, Element, Kind, PrintKeys, Problem, Reject, RowPrint, RowSet, Rows, Severity, Shaped,
    Tally,
};
use crate::wire::envelope;
pub(super) use census::ByHash;
use census::Census;
pub(super) use date_like::looks_like_date;
pub(super) use event::EPOCH_SECONDS_MAX;
use layout::{Layout, Node};
pub(super) use plain::Span;
use plain::Stage;

/// The memory of a block that is done with, for another one.
#[derive(Debug, Default)]
pub struct Spare {
    json: Vec<u8>,
    elements: Vec<Element>,
}

/// What no block is so much larger than another that it would be kept for, in bytes of JSON.
const SPARE_BYTES_MAX: usize = 4 << 20;

impl Spare {
    /// Takes it from a block, which is empty then.
    pub fn of(block: &mut Shaped) -> Self {
        let (mut json, mut elements) = (take(&mut block.json), take(&mut block.elements));
        if json.capacity() > SPARE_BYTES_MAX {
            return Self::default();
        }
        json.clear();
        elements.clear();
        Self { json, elements }
    }
}

/// Which rows a pass is about, and what it wants beside their elements.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// The rows; `None` = all. Of others nothing is said, not even that they are bad.
    pub only: Option<&'a RowSet>,
    /// Rows are to be remembered: with these keys.
    pub keys: Option<&'a PrintKeys>,
}

/// Checks a block and encodes its sound rows, in the memory of another one. `Err` names a column
/// that cannot be read.
pub fn shape(
    plan: &Plan,
    binding: &Binding,
    rows: Arc<Rows>,
    view: View<'_>,
    spare: Spare,
) -> Result<Shaped, String> {
    let encoder = Encoder::new(plan, &rows, view, spare);
    let block = match rows.as_ref() {
        Rows::Text(text) => encoder.block(&rows, binding, TextCells::new(text, binding)),
        Rows::Json(json) => encoder.block(&rows, binding, JsonCells::new(json, plan, binding)),
        Rows::Arrow(arrow) => encoder.block(&rows, binding, ArrowCells::new(arrow, plan, binding)?),
    };
    let Encoder { json, elements, prints, rejected_ids, rejects, mut tally, census, .. } = block;
    let (names, frequent) = census.finish(rows.len());
    for damage in rows.damage() {
        tally.add(damage.code.severity(), damage.code, None, damage.position);
    }
    Ok(Shaped { json, elements, prints, rejected_ids, rejects, names, frequent, tally, rows })
}

/// One row of a block.
struct Row<'r, C> {
    plan: &'r Plan,
    binding: &'r Binding,
    cells: &'r C,
    at: usize,
}

impl<C: Cells> Row<'_, C> {
    /// The cell of a column of the plan, as its source or its constant gives it.
    fn cell<'a>(&'a self, column: usize, scratch: &'a mut String) -> Cell<'a> {
        match &self.plan.columns[column].constant {
            Some(text) => Cell::Text(text),
            None => match self.binding.given(column) {
                None => self.cells.cell(self.at, column, scratch),
                Some(Given::Text(text)) => Cell::Text(text),
                Some(Given::Absent) => Cell::Absent,
            },
        }
    }

    /// The cell as the rules see it: empty cells and null words are no values.
    fn value<'a>(&'a self, column: usize, scratch: &'a mut String) -> Cell<'a> {
        match self.cell(column, scratch) {
            Cell::Text(text) if text.is_empty() || self.is_null(column, text) => Cell::Absent,
            cell => cell,
        }
    }

    fn is_null(&self, column: usize, text: &str) -> bool {
        let own = &self.plan.columns[column].reading.null_words;
        self.plan.rules.is_null(text) || own.iter().any(|null| null == text)
    }

    /// Whether the row's file has the column at all, and the row says anything of it.
    fn has(&self, column: usize) -> bool {
        self.binding.given(column).is_some()
            || (self.binding.sources[column].is_some() && self.cells.has(self.at, column))
    }
}

/// The growing result of a block; its buffers are reused from row to row.
struct Encoder<'p> {
    plan: &'p Plan,
    view: View<'p>,
    json: Vec<u8>,
    stage: Stage,
    elements: Vec<Element>,
    prints: Vec<RowPrint>,
    rejected_ids: Vec<u128>,
    /// The keyed hash of whom the row at hand is about, where there are keys.
    id: Option<u128>,
    rejects: Vec<Reject>,
    tally: Tally,
    census: Census,
    /// What nested values are written with.
    buffers: Buffers,
    /// Problems of the row at hand.
    problems: Vec<Problem>,
    /// Attributes of the row at hand whose value at the server is to be removed.
    unset: Vec<usize>,
}

/// What was written of one element.
struct Written {
    /// Bytes of its head; 0 = it has none.
    head: usize,
    /// Hash of the user or device whose updates must keep their order.
    key: Option<u64>,
    /// Hash of the user.
    user: Option<u64>,
    /// Hash of the event's name.
    name: Option<u64>,
}

impl<'p> Encoder<'p> {
    fn new(
        plan: &'p Plan,
        rows: &Rows,
        view: View<'p>,
        Spare { mut json, mut elements }: Spare,
    ) -> Self {
        // Names and quotes make about twice of the cells; what is more grows. Of some of the rows
        // it is not known how much there is.
        if view.only.is_none() {
            match rows {
                Rows::Text(text) => json.reserve(text.bytes.len() * 5 / 2),
                // It has its names already.
                Rows::Json(lines) => json.reserve(lines.bytes.len() * 5 / 4),
                Rows::Arrow(_) => {}
            }
            elements.reserve(rows.len());
        }
        Self {
            plan,
            view,
            json,
            stage: Stage::default(),
            elements,
            prints: Vec::with_capacity(if view.keys.is_some() { rows.len() } else { 0 }),
            rejected_ids: Vec::new(),
            id: None,
            rejects: Vec::new(),
            tally: Tally::default(),
            census: Census::of(rows.len()),
            buffers: Buffers::default(),
            problems: Vec::new(),
            unset: Vec::new(),
        }
    }

    fn block<C: Cells>(mut self, rows: &Rows, binding: &Binding, mut cells: C) -> Self {
        let layout = Layout::of(self.plan, binding);
        let mut scratch = String::new();
        let (users, events) = match self.plan.kind {
            Kind::Users | Kind::Devices => (1, 0),
            Kind::Events => (0, 1),
        };
        let file = rows.file();
        for at in 0..rows.len() {
            if let Some(only) = self.view.only
                && !only.contains(file, rows.position(at).row)
            {
                continue;
            }
            let start = self.written();
            cells.reach(at);
            let row = Row { plan: self.plan, binding, cells: &cells, at };
            let Written { head, key, user, name } = self.element(&layout, &row, &mut scratch);
            let len = self.written() - start;
            let closing = if head > 0 { envelope::ACTIONS_SUFFIX.len() } else { 0 };
            let around = if self.plan.rules.single { 0 } else { envelope::OVERHEAD_BYTES };
            if len + closing + around > self.plan.rules.body_bytes_max {
                let limit = self.plan.rules.body_bytes_max;
                self.problem(Code::RowTooLarge, None, || {
                    format!("its element has {} bytes, a body may have {limit}", len + closing)
                });
            }
            if !self.problems.is_empty() {
                let position = rows.position(at);
                for problem in &self.problems {
                    self.tally.add(problem.severity, problem.code, problem.column, position);
                }
            }
            if self.problems.iter().any(|problem| problem.severity == Severity::Reject) {
                self.settle();
                self.json.truncate(start);
                let position = rows.position(at);
                let mut problems = take(&mut self.problems);
                problems.sort_by_key(|problem| problem.severity);
                self.rejects.push(Reject { position, row: at as u32, problems });
                self.rejected_ids.extend(self.id.take());
            } else {
                self.problems.clear();
                if let Some(user) = user {
                    self.census.user(user, at as u32);
                }
                if let Some(name) = name {
                    self.census.name(name);
                }
                self.stage.push(b",", &mut self.json);
                if self.view.keys.is_some() {
                    let id = self.id.take().unwrap_or_default();
                    self.prints.push(RowPrint { id, row: 0 });
                }
                self.elements.push(Element {
                    head: head as u32,
                    len: (len - head) as u32,
                    row: at as u32,
                    users,
                    events,
                    key,
                });
            }
        }
        self.settle();
        self.print_rows();
        self
    }

    /// Hashes the elements, while they are in the cache.
    fn print_rows(&mut self) {
        let Some(keys) = self.view.keys else { return };
        let mut start = 0;
        for (element, print) in self.elements.iter().zip(&mut self.prints) {
            let end = start + (element.head + element.len) as usize;
            print.row = keys.row(&self.json[start..end]);
            // The comma between them.
            start = end + 1;
        }
    }

    /// Notes what names the user or device whose updates must keep their order; its hash.
    fn named(&mut self, id: &[u8]) -> u64 {
        if let Some(keys) = self.view.keys {
            self.id = Some(keys.id(id));
        }
        xxh3_64(id)
    }

    /// Bytes written so far, those that are staged among them.
    fn written(&self) -> usize {
        self.json.len() + self.stage.len()
    }

    /// Moves what is staged, so that more can be written behind it.
    fn settle(&mut self) {
        self.stage.flush(&mut self.json);
    }

    /// Writes one element; of an event all but what closes it behind its last action.
    fn element<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> Written {
        match self.plan.kind {
            Kind::Users => {
                self.stage.push(br#"{"type":"customer""#, &mut self.json);
                let key = self.identity(layout, row, scratch);
                self.stage.push(br#","attributes":"#, &mut self.json);
                self.attributes(layout, row, scratch);
                if self.plan.rules.update_existing_only {
                    self.stage.push(br#","update_existing_only":true"#, &mut self.json);
                }
                self.unset_attributes();
                self.stage.push(b"}", &mut self.json);
                Written { head: 0, key, user: key, name: None }
            }
            Kind::Events => {
                let start = self.written();
                self.stage.push(br#"{"type":"event""#, &mut self.json);
                let user = self.identity(layout, row, scratch);
                self.settle();
                self.user_identifiers(layout, row, scratch);
                if let Some(at) = layout.device {
                    self.field(at, row.value(at, scratch), Self::text_field);
                }
                self.json.extend_from_slice(br#","actions":["#);
                let head = self.json.len() - start;
                let name = self.action(layout, row, scratch);
                Written { head, key: None, user, name }
            }
            Kind::Devices => {
                self.stage.push(br#"{"type":"device""#, &mut self.json);
                let user = self.identity(layout, row, scratch);
                self.settle();
                let key = self.device(layout, row, scratch);
                self.json.extend_from_slice(br#","attributes":"#);
                self.attributes(layout, row, scratch);
                self.settle();
                self.json.push(b'}');
                Written { head: 0, key, user, name: None }
            }
        }
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

    /// Writes a text that must be one of a few.
    fn one_of(&mut self, at: usize, cell: Cell<'_>, allowed: &[&str], code: Code) -> bool {
        let text = cell_text(cell);
        if !allowed.contains(&text) {
            self.value_problem(code, at, text, "");
            return false;
        }
        json::write_string(&mut self.json, text);
        true
    }

    fn literal(&mut self, text: &str) -> bool {
        self.json.extend_from_slice(text.as_bytes());
        true
    }

    /// Refuses a value for its type: the row is rejected, or on request only the
    /// attribute left out. Returns `false`: nothing was written.
    fn refuse(&mut self, code: Code, at: usize, value: &str, said: &str) -> bool {
        self.value_problem(code, at, value, said);
        if self.plan.rules.omit_on_type_error
            && !self.plan.rules.strict
            && self.plan.columns[at].target == Target::Attribute
            && let Some(problem) = self.problems.last_mut()
        {
            problem.severity = Severity::Warning;
        }
        false
    }

    /// Notes a problem with a value, which its text names only where values may be shown. `said` is
    /// what else it says, if anything.
    fn value_problem(&mut self, code: Code, at: usize, value: &str, said: &str) {
        let show = self.plan.rules.show_values;
        self.problem(code, Some(at), || {
            let mut detail = said.to_owned();
            if show {
                let gap = if detail.is_empty() { "" } else { ", " };
                detail.push_str(&format!("{gap}found {value:?}"));
            }
            detail
        });
    }

    fn problem(&mut self, code: Code, column: Option<usize>, detail: impl FnOnce() -> String) {
        let rules = &self.plan.rules;
        let strict = rules.strict
            || (rules.strict_ids && matches!(code, Code::IdLookalike | Code::IdAsFloat));
        let severity = if strict { Severity::Reject } else { code.severity() };
        let detail = match detail() {
            text if text.is_empty() => None,
            text => Some(text.into_boxed_str()),
        };
        self.problems.push(Problem { code, severity, column: column.map(|at| at as u32), detail });
    }

    fn column(&self, at: usize) -> &'p PlanColumn {
        &self.plan.columns[at]
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
mod tests;
#[cfg(test)]
mod tests_typed;
