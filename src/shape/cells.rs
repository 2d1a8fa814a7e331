//! The cells of a block, whichever format it came from, by column of the plan.

use std::ops::Range;

use super::{
    arrow_cells::{ArrowColumn, Put, Sent, Written},
    cell::Cell,
    digits::Slot,
    encode::Span,
    plan::{Binding, Plan},
};
use crate::model::{ArrowRows, Code, Field, TextRows, unguarded};

/// Access to the cells of a block by row and column of the plan.
pub trait Cells {
    /// Whether [`Cell::Text`] is a value that still has to be read (CSV), rather than
    /// one that its file declares to be text (Parquet, NDJSON).
    const UNTYPED: bool;

    /// One cell. `scratch` holds its text where that has to be made.
    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a>;

    /// The cells of one row, for those that are sent as they stand.
    type Row<'r>: RowCells
    where
        Self: 'r;

    /// A row.
    fn row(&self, row: usize) -> Self::Row<'_>;

    /// Whether a row says anything of a column that its file has.
    fn has(&self, _row: usize, _column: usize) -> bool {
        true
    }

    /// Called before a row's cells are put, of all rows in their order.
    fn reach(&mut self, _row: usize) {}
}

/// The cells of one row that are sent as they stand, by column of the plan.
pub trait RowCells {
    /// Where a cell lies that is text as it stands in its file; `None` where it has to be made.
    fn span(&self, column: usize) -> Option<Span<'_>>;

    /// Writes a typed cell that is no text as it is sent, without quotes.
    fn put(&self, column: usize, to: &mut Slot) -> Put;

    /// What a typed file says of a cell's type.
    #[inline(always)]
    fn known(&self, _column: usize) -> Known {
        Known::Nothing
    }
}

/// What is known of the type of a cell before its text is made, which takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has no value.
    Absent,
    /// It is true or false.
    Bool,
    /// It is a number that a double keeps.
    Number,
    /// It is a date or an instant.
    Date,
    /// It is a text, which may be a word for no value.
    Text,
    /// Its text has to be looked at.
    Nothing,
}

/// No record has so many fields: its bytes are counted in as many bits.
const NO_FIELD: u32 = u32::MAX;

/// The cells of CSV records.
pub struct TextCells<'a> {
    rows: &'a TextRows,
    sources: &'a [Option<usize>],
    /// Of each column of the plan the field of a record that is its cell as it stands, or
    /// [`NO_FIELD`].
    fields: Vec<u32>,
    guarded: bool,
}

impl<'a> TextCells<'a> {
    /// The cells of a block.
    pub fn new(rows: &'a TextRows, binding: &'a Binding) -> Self {
        let Binding { sources, guarded, .. } = binding;
        let field = |source: &Option<usize>| match source {
            Some(at) if !guarded => *at as u32,
            _ => NO_FIELD,
        };
        Self { rows, sources, fields: sources.iter().map(field).collect(), guarded: *guarded }
    }
}

impl Cells for TextCells<'_> {
    const UNTYPED: bool = true;

    fn cell<'a>(&'a self, row: usize, column: usize, _: &'a mut String) -> Cell<'a> {
        let Some(source) = self.sources[column] else { return Cell::Absent };
        // The reader hands out text alone; to hold that against the one cell costs next to nothing.
        match simdutf8::basic::from_utf8(self.rows.cell(row, source)) {
            Ok(text) => Cell::Text(if self.guarded { unguarded(text) } else { text }),
            Err(_) => Cell::Bad(Code::InvalidUtf8),
        }
    }

    type Row<'r>
        = TextRow<'r>
    where
        Self: 'r;

    #[inline(always)]
    fn row(&self, row: usize) -> TextRow<'_> {
        let TextRows { bytes, unescaped, columns, fields, .. } = self.rows;
        TextRow {
            fields: &fields[row * columns..][..*columns],
            sources: &self.fields,
            bytes,
            unescaped,
        }
    }
}

/// The cells of one CSV record.
pub struct TextRow<'a> {
    fields: &'a [Field],
    sources: &'a [u32],
    bytes: &'a [u8],
    unescaped: &'a [u8],
}

impl<'a> TextRow<'a> {
    /// Few cells lie there: a branch that is guessed is faster than a look into a table, which the
    /// compiler would make of it.
    #[cold]
    #[inline(never)]
    fn unescaped(&self) -> &'a [u8] {
        self.unescaped
    }
}

impl RowCells for TextRow<'_> {
    #[inline(always)]
    fn span(&self, column: usize) -> Option<Span<'_>> {
        let field: Field = *self.fields.get(self.sources[column] as usize)?;
        let bytes = if field.is_unescaped() { self.unescaped() } else { self.bytes };
        Some(Span { bytes, start: field.start as usize, len: field.len() })
    }

    fn put(&self, _: usize, _: &mut Slot) -> Put {
        Put::Declined
    }
}

/// Rows whose typed cells are written together, column by column: few enough that they stay in the
/// first cache.
const WINDOW_ROWS: usize = 32;

/// Cells of a window of rows with very many columns.
const WINDOW_CELLS: usize = 4_096;

/// The cells of an Arrow batch.
pub struct ArrowCells<'a> {
    columns: Vec<Option<Column<'a>>>,
    rows: usize,
    /// How many columns are written a window at a time.
    typed: usize,
    /// Rows of a window.
    window_rows: usize,
    /// Those of the window at hand.
    window: Range<usize>,
    /// What they hold, row by row.
    written: Vec<Written>,
}

struct Column<'a> {
    array: ArrowColumn<'a>,
    sent: Sent,
    /// Its place in the rows of a window, where it is one of those.
    typed: Option<usize>,
}

impl<'a> ArrowCells<'a> {
    /// The cells of a batch, whose columns are found by name: it holds only those
    /// that the plan asked for. `Err` names a column that cannot be read.
    pub fn new(rows: &'a ArrowRows, plan: &Plan, binding: &Binding) -> Result<Self, String> {
        let mut typed = 0;
        let columns = plan
            .columns
            .iter()
            .zip(&binding.sources)
            .map(|(column, source)| {
                let array = source.and_then(|_| rows.batch.column_by_name(&column.source));
                let Some(array) = array else { return Ok(None) };
                let array = ArrowColumn::new(array.as_ref())
                    .map_err(|error| format!("column `{}` {error}", column.source))?;
                let array = array.under(column.objects_around());
                let sent = array.sent(column.value);
                let place = (sent != Sent::General).then_some(typed);
                typed += usize::from(place.is_some());
                Ok(Some(Column { array, sent, typed: place }))
            })
            .collect::<Result<_, String>>()?;
        let window_rows = (WINDOW_CELLS / typed.max(1)).clamp(1, WINDOW_ROWS);
        let written = vec![Written::NONE; window_rows * typed];
        Ok(Self { columns, rows: rows.batch.num_rows(), typed, window_rows, window: 0..0, written })
    }
}

impl Cells for ArrowCells<'_> {
    const UNTYPED: bool = false;

    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a> {
        match &self.columns[column] {
            Some(column) => column.array.cell(row, scratch),
            None => Cell::Absent,
        }
    }

    type Row<'r>
        = ArrowRow<'r>
    where
        Self: 'r;

    #[inline]
    fn row(&self, row: usize) -> ArrowRow<'_> {
        let place = row.wrapping_sub(self.window.start).saturating_mul(self.typed);
        let written = self.written.get(place..).unwrap_or_default();
        ArrowRow { columns: &self.columns, row, written }
    }

    #[inline]
    fn reach(&mut self, row: usize) {
        if row >= self.window.end {
            self.window = row..self.rows.min(row + self.window_rows);
            self.write_window();
        }
    }
}

impl ArrowCells<'_> {
    #[inline(never)]
    fn write_window(&mut self) {
        for column in self.columns.iter().flatten() {
            let Some(place) = column.typed else { continue };
            let written = self.written[place..].iter_mut().step_by(self.typed);
            column.array.put(self.window.start, column.sent, written.take(self.window.len()));
        }
    }
}

/// The cells of one row of an Arrow batch.
pub struct ArrowRow<'a> {
    columns: &'a [Option<Column<'a>>],
    row: usize,
    /// Its typed cells, and those of rows behind it.
    written: &'a [Written],
}

impl RowCells for ArrowRow<'_> {
    #[inline(always)]
    fn span(&self, column: usize) -> Option<Span<'_>> {
        match self.columns[column].as_ref()? {
            Column { typed: Some(_), .. } => None,
            column => column.array.span(self.row),
        }
    }

    #[inline(always)]
    fn put(&self, column: usize, to: &mut Slot) -> Put {
        match &self.columns[column] {
            Some(Column { typed: Some(place), .. }) => {
                self.written.get(*place).map_or(Put::Declined, |written| written.copy(to))
            }
            // Texts have spans; of all others null is plain alone.
            Some(column) if column.array.is_null(self.row) => Put::Absent,
            Some(_) => Put::Declined,
            None => Put::Absent,
        }
    }

    #[inline(always)]
    fn known(&self, column: usize) -> Known {
        self.columns[column].as_ref().map_or(Known::Absent, |column| column.array.known(self.row))
    }
}
