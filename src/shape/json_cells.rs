//! The cells of NDJSON rows: members of objects, whose types the file tells.

use std::cell::RefCell;

use super::{
    arrow_cells::Put,
    cell::Cell,
    cells::{Cells, RowCells},
    digits::Slot,
    encode::Span,
    json_text,
    nested::Buffers,
    plan::{Binding, Plan, PlanColumn, Target, ValueType},
};
use crate::model::{Code, JsonKind, JsonMember, JsonRows};

/// The cells of a block of NDJSON rows.
pub struct JsonCells<'a> {
    rows: &'a JsonRows,
    plan: &'a Plan,
    columns: Vec<Column>,
    /// What nested values are written with.
    buffers: RefCell<Buffers>,
}

/// What a column of the plan takes from a member.
#[derive(Clone, Copy)]
struct Column {
    /// Its column in the file.
    source: Option<u32>,
    value: ValueType,
    form: Form,
}

/// What the values of a column may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The id of a user or a device.
    Id,
    /// One value.
    Flat,
    /// An object or a list, or a string that holds one.
    Json,
}

impl Column {
    fn of(column: &PlanColumn, source: Option<usize>) -> Self {
        let form = match column.target {
            Target::CustomerId | Target::DeviceId | Target::Identifier => Form::Id,
            Target::Attribute if column.value == ValueType::Json => Form::Json,
            _ => Form::Flat,
        };
        Self { source: source.map(|at| at as u32), value: column.value, form }
    }
}

impl<'a> JsonCells<'a> {
    /// The cells of a block.
    pub fn new(rows: &'a JsonRows, plan: &'a Plan, binding: &Binding) -> Self {
        let columns = plan.columns.iter().zip(&binding.sources);
        let columns = columns.map(|(column, source)| Column::of(column, *source)).collect();
        Self { rows, plan, columns, buffers: RefCell::default() }
    }

    /// The member of a row that is the cell of a column.
    #[inline]
    fn member(&self, row: usize, column: usize) -> Option<&'a JsonMember> {
        let source = self.columns[column].source?;
        let members = self.rows.members(row);
        // Where every row has every column, it stands there.
        if let Some(member) = members.get(column)
            && member.column == source
        {
            return Some(member);
        }
        let at = members.binary_search_by_key(&source, |member| member.column).ok()?;
        members.get(at)
    }

    fn text(&self, member: &JsonMember) -> Option<&'a str> {
        simdutf8::basic::from_utf8(self.rows.value(member)).ok()
    }

    /// Whether a string in a column of documents is read as one, or means no value. Another document
    /// than an object or a list would come out as another type than it has: `"5"` as a number.
    fn may_hold_document(&self, column: usize, text: &str) -> bool {
        let words = &self.plan.columns[column].reading.null_words;
        text.is_empty()
            || self.plan.rules.is_null(text)
            || words.iter().any(|null| null == text)
            || text.trim_ascii_start().starts_with(['{', '['])
    }

    /// A value of a column as a JSON document.
    fn document<'c>(&self, column: usize, text: &str, scratch: &'c mut String) -> Cell<'c> {
        let mut out = std::mem::take(scratch).into_bytes();
        out.clear();
        let levels = self.plan.columns[column].objects_around();
        let written = json_text::write(text, &mut out, &mut self.buffers.borrow_mut(), levels);
        // Texts and digits are UTF-8, so their JSON is.
        *scratch = String::from_utf8(out).unwrap_or_default();
        match written {
            Ok(Some(flaws)) => Cell::Json { json: scratch, flaws },
            Ok(None) => Cell::Absent,
            Err(code) => Cell::Bad(code),
        }
    }
}

impl Cells for JsonCells<'_> {
    const UNTYPED: bool = false;

    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a> {
        let Some(member) = self.member(row, column) else { return Cell::Absent };
        let Some(text) = self.text(member) else { return Cell::Bad(Code::InvalidUtf8) };
        match (member.kind, self.columns[column].form) {
            (JsonKind::Null, _) => Cell::Absent,
            (JsonKind::LoneSurrogate, _) => Cell::Bad(Code::JsonSurrogate),
            (JsonKind::Nested, Form::Json) => self.document(column, text, scratch),
            (JsonKind::String, Form::Json) if !self.may_hold_document(column, text) => {
                Cell::Bad(Code::TypeNested)
            }
            (JsonKind::Nested, _) | (JsonKind::Number | JsonKind::Bool, Form::Json) => {
                Cell::Bad(Code::TypeNested)
            }
            (JsonKind::String, _) => Cell::Text(text),
            (JsonKind::Number, Form::Id) if text.contains(['.', 'e', 'E']) => {
                Cell::Bad(Code::IdNotWhole)
            }
            (JsonKind::Number, _) => Cell::Number { digits: text, binary: false },
            (JsonKind::Bool, _) => Cell::Bool(text == "true"),
        }
    }

    type Row<'r>
        = JsonRow<'r>
    where
        Self: 'r;

    fn row(&self, row: usize) -> JsonRow<'_> {
        JsonRow { cells: self, row }
    }

    /// A key that a row lacks says nothing; `null` says that there is no value.
    fn has(&self, row: usize, column: usize) -> bool {
        self.member(row, column).is_some()
    }
}

/// The cells of one NDJSON row.
pub struct JsonRow<'a> {
    cells: &'a JsonCells<'a>,
    row: usize,
}

impl RowCells for JsonRow<'_> {
    #[inline]
    fn span(&self, column: usize) -> Option<Span<'_>> {
        let member = self.cells.member(self.row, column)?;
        let Column { value, form, .. } = self.cells.columns[column];
        let is_plain = match member.kind {
            JsonKind::String => form != Form::Json,
            JsonKind::Number => form == Form::Flat && value == ValueType::Number,
            JsonKind::Bool => form == Form::Flat && value == ValueType::Bool,
            JsonKind::Null | JsonKind::LoneSurrogate | JsonKind::Nested => false,
        };
        let rows = self.cells.rows;
        let bytes = if member.value.is_unescaped() { &rows.unescaped } else { &rows.bytes };
        let (start, len) = (member.value.start as usize, member.value.len());
        is_plain.then_some(Span { bytes, start, len })
    }

    fn put(&self, column: usize, _: &mut Slot) -> Put {
        match self.cells.member(self.row, column) {
            None => Put::Absent,
            Some(member) if member.kind == JsonKind::Null => Put::Absent,
            Some(_) => Put::Declined,
        }
    }
}
