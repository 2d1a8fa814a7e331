//! The cells of a block, whichever format it came from, by column of the plan.

use super::{
    arrow_cells::ArrowColumn,
    cell::Cell,
    encode::Span,
    plan::{Binding, Plan},
};
use crate::model::{ArrowRows, TextRows, unguarded};

/// Access to the cells of a block by row and column of the plan.
pub trait Cells {
    /// Whether [`Cell::Text`] is a value that still has to be read (CSV), rather than
    /// one that its file declares to be text (Parquet).
    const UNTYPED: bool;

    /// One cell. `scratch` holds its text where that has to be made.
    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a>;

    /// Where a cell lies that is text as it stands in its file; `None` where it has to be made.
    fn span(&self, row: usize, column: usize) -> Option<Span<'_>>;
}

/// The cells of CSV records.
pub struct TextCells<'a> {
    rows: &'a TextRows,
    bytes: &'a str,
    unescaped: &'a str,
    sources: &'a [Option<usize>],
    guarded: bool,
}

impl<'a> TextCells<'a> {
    /// The cells of a block. `Err` holds what is wrong, which the reader has ruled out.
    pub fn new(rows: &'a TextRows, binding: &'a Binding) -> Result<Self, String> {
        let text = |bytes| simdutf8::basic::from_utf8(bytes).map_err(|error| error.to_string());
        Ok(Self {
            rows,
            bytes: text(&rows.bytes)?,
            unescaped: text(&rows.unescaped)?,
            sources: &binding.sources,
            guarded: binding.guarded,
        })
    }
}

impl Cells for TextCells<'_> {
    const UNTYPED: bool = true;

    fn cell<'a>(&'a self, row: usize, column: usize, _: &'a mut String) -> Cell<'a> {
        let Some(source) = self.sources[column] else { return Cell::Absent };
        let field = self.rows.fields[row * self.rows.columns + source];
        let text = if field.unescaped { self.unescaped } else { self.bytes };
        let text = &text[field.start as usize..(field.start + field.len) as usize];
        Cell::Text(if self.guarded { unguarded(text) } else { text })
    }

    fn span(&self, row: usize, column: usize) -> Option<Span<'_>> {
        let source = self.sources[column].filter(|_| !self.guarded)?;
        let field = self.rows.fields[row * self.rows.columns + source];
        let text = if field.unescaped { self.unescaped } else { self.bytes };
        Some(Span { bytes: text.as_bytes(), start: field.start as usize, len: field.len as usize })
    }
}

/// The cells of an Arrow batch.
pub struct ArrowCells<'a> {
    columns: Vec<Option<ArrowColumn<'a>>>,
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
                array
                    .map(|array| ArrowColumn::new(array.as_ref()))
                    .transpose()
                    .map_err(|error| format!("column `{}` {error}", column.source))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }
}

impl Cells for ArrowCells<'_> {
    const UNTYPED: bool = false;

    fn cell<'a>(&'a self, row: usize, column: usize, scratch: &'a mut String) -> Cell<'a> {
        match &self.columns[column] {
            Some(array) => array.cell(row, scratch),
            None => Cell::Absent,
        }
    }

    fn span(&self, _: usize, _: usize) -> Option<Span<'_>> {
        None
    }
}
