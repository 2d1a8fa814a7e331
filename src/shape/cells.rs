//! The cells of a block, whichever format it came from, by column of the plan.

use super::{
    arrow_cells::{ArrowColumn, Put, Sent},
    cell::Cell,
    digits::Slot,
    encode::Span,
    plan::{Binding, Plan},
};
use crate::model::{ArrowRows, Code, TextRows, unguarded};

/// Access to the cells of a block by row and column of the plan.
pub trait Cells {
    /// Whether [`Cell::Text`] is a value that still has to be read (CSV), rather than
    /// one that its file declares to be text (Parquet).
    const UNTYPED: bool;

    /// One cell. `scratch` holds its text where that has to be made.
    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a>;

    /// Where a cell lies that is text as it stands in its file; `None` where it has to be made.
    fn span(&self, row: usize, column: usize) -> Option<Span<'_>>;

    /// Writes a typed cell that is no text as it is sent, without quotes.
    fn put(&self, row: usize, column: usize, to: &mut Slot) -> Put;
}

/// The cells of CSV records.
pub struct TextCells<'a> {
    rows: &'a TextRows,
    sources: &'a [Option<usize>],
    /// Of each column of the plan the field of a record that is its cell as it stands.
    fields: Vec<Option<u32>>,
    guarded: bool,
}

impl<'a> TextCells<'a> {
    /// The cells of a block.
    pub fn new(rows: &'a TextRows, binding: &'a Binding) -> Self {
        let Binding { sources, guarded, .. } = binding;
        let field = |source: &Option<usize>| source.filter(|_| !guarded).map(|at| at as u32);
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

    #[inline(always)]
    fn span(&self, row: usize, column: usize) -> Option<Span<'_>> {
        let source = self.fields[column]? as usize;
        let field = self.rows.fields[row * self.rows.columns + source];
        let bytes = if field.unescaped { &self.rows.unescaped } else { &self.rows.bytes };
        Some(Span { bytes, start: field.start as usize, len: field.len as usize })
    }

    fn put(&self, _: usize, _: usize, _: &mut Slot) -> Put {
        Put::Declined
    }
}

/// The cells of an Arrow batch.
pub struct ArrowCells<'a> {
    columns: Vec<Option<(ArrowColumn<'a>, Sent)>>,
}

impl<'a> ArrowCells<'a> {
    /// The cells of a batch, whose columns are found by name: it holds only those
    /// that the plan asked for. `Err` names a column that cannot be read.
    pub fn new(rows: &'a ArrowRows, plan: &Plan, binding: &Binding) -> Result<Self, String> {
        let columns = plan
            .columns
            .iter()
            .zip(&binding.sources)
            .map(|(column, source)| {
                let array = source.and_then(|_| rows.batch.column_by_name(&column.source));
                let Some(array) = array else { return Ok(None) };
                let array = ArrowColumn::new(array.as_ref())
                    .map_err(|error| format!("column `{}` {error}", column.source))?;
                let sent = array.sent(column.value);
                Ok(Some((array, sent)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { columns })
    }
}

impl Cells for ArrowCells<'_> {
    const UNTYPED: bool = false;

    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a> {
        match &self.columns[column] {
            Some((array, _)) => array.cell(row, scratch),
            None => Cell::Absent,
        }
    }

    #[inline]
    fn span(&self, row: usize, column: usize) -> Option<Span<'_>> {
        self.columns[column].as_ref()?.0.span(row)
    }

    #[inline]
    fn put(&self, row: usize, column: usize, to: &mut Slot) -> Put {
        match &self.columns[column] {
            Some((array, sent)) => array.put(row, *sent, to),
            None => Put::Absent,
        }
    }
}
