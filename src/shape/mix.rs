//! What columns hold, from a sample of the rows: how many cells are filled, and with what.

use super::{
    cell::Cell,
    cells::{ArrowCells, Cells, TextCells},
    infer::narrow_type,
    json_cells::JsonCells,
    plan::{Binding, Given, Plan},
};
use crate::model::{ColumnProfile, Profile, Rows};

/// One row of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Index of the row in its block.
    pub row: usize,
    /// Rows that it stands for, itself among them.
    pub weight: u64,
}

/// Counts what the columns of a plan hold. Blocks in any order give the same.
#[derive(Clone, Debug, Default)]
pub struct Profiler {
    rows: u64,
    weight: u64,
    columns: Vec<Held>,
}

/// The values of one column, each by the rows that it stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    bool: u64,
    number: u64,
    datetime: u64,
    text: u64,
    nested: u64,
}

impl Profiler {
    /// Nothing seen yet.
    pub fn new(plan: &Plan) -> Self {
        Self { columns: vec![Held::default(); plan.columns.len()], ..Self::default() }
    }

    /// Looks at some rows of a block. `Err` names a column that cannot be read.
    pub fn look(
        &mut self,
        plan: &Plan,
        binding: &Binding,
        rows: &Rows,
        picked: &[Picked],
    ) -> Result<(), String> {
        if picked.is_empty() {
            return Ok(());
        }
        match rows {
            Rows::Text(text) => self.look_at(plan, binding, &TextCells::new(text, binding), picked),
            Rows::Json(json) => {
                self.look_at(plan, binding, &JsonCells::new(json, plan, binding), picked);
            }
            Rows::Arrow(arrow) => {
                self.look_at(plan, binding, &ArrowCells::new(arrow, plan, binding)?, picked);
            }
        }
        Ok(())
    }

    fn look_at<C: Cells>(&mut self, plan: &Plan, binding: &Binding, cells: &C, picked: &[Picked]) {
        let mut scratch = String::new();
        for &Picked { row, weight } in picked {
            self.rows += 1;
            self.weight += weight;
            for (column, held) in self.columns.iter_mut().enumerate() {
                let given = binding.given(column);
                let cell = match given {
                    None => cells.cell(row, column, &mut scratch),
                    Some(Given::Text(text)) => Cell::Text(text),
                    Some(Given::Absent) => Cell::Absent,
                };
                match cell {
                    Cell::Absent | Cell::Text("") => {}
                    Cell::Text(text) if plan.rules.is_null(text) => {}
                    Cell::Text(text) if C::UNTYPED || given.is_some() => match narrow_type(text) {
                        Some(0) => held.bool += weight,
                        Some(1) => held.number += weight,
                        Some(_) => held.datetime += weight,
                        None => held.text += weight,
                    },
                    Cell::Text(_) => held.text += weight,
                    Cell::Bool(_) => held.bool += weight,
                    // NaN and the like are bad numbers.
                    Cell::Number { .. } | Cell::Bad(_) => held.number += weight,
                    Cell::DateTime { .. } => held.datetime += weight,
                    Cell::Json { .. } => held.nested += weight,
                }
            }
        }
    }

    /// The shares, of columns that a file has; constants are left out.
    pub fn profile(&self, plan: &Plan) -> Profile {
        let share =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let columns = plan.columns.iter().zip(&self.columns);
        let columns = columns.filter(|(column, _)| column.constant.is_none());
        let columns = columns.map(|(column, &Held { bool, number, datetime, text, nested })| {
            let values = bool + number + datetime + text + nested;
            ColumnProfile {
                column: column.source.clone(),
                filled: share(values, self.weight),
                bool: share(bool, values),
                number: share(number, values),
                datetime: share(datetime, values),
                text: share(text, values),
                nested: share(nested, values),
            }
        });
        Profile { rows: self.rows, of: self.weight, columns: columns.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Field, Kind, TextRecord, TextRows};
    use crate::shape::plan::{Rules, SourceColumn};

    #[test]
    fn values_count_by_type_and_by_the_rows_they_stand_for() {
        let mut rows = TextRows { columns: 2, ..TextRows::default() };
        for (at, value) in ["1", "", "true", "x", "2024-01-02", "NULL"].iter().enumerate() {
            for text in ["id", value] {
                rows.fields.push(Field::raw(rows.bytes.len(), text.len()));
                rows.bytes.extend_from_slice(text.as_bytes());
            }
            rows.records.push(TextRecord { row: at as u64 + 1, line: at as u64 + 2, raw: 0..0 });
        }
        let sources = ["customer_id", "v"].map(SourceColumn::text);
        let columns = Plan::by_name(Kind::Users, [sources.as_slice()]);
        let rules = Rules { null_values: vec!["NULL".into()], ..Rules::default() };
        let plan = Plan::new(Kind::Users, columns, rules);
        let binding = plan.bind("f.csv", &sources, false).expect("fits");
        let picked = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 4), (5, 8)];
        let picked = picked.map(|(row, weight)| Picked { row, weight });
        let mut found = Profiler::new(&plan);
        found.look(&plan, &binding, &Rows::Text(rows), &picked).expect("readable");
        let Profile { rows, of, columns } = found.profile(&plan);
        assert_eq!((rows, of), (6, 16));
        let ColumnProfile { filled, bool, number, datetime, text, nested, .. } = columns[1];
        assert_eq!(
            [filled, bool, number, datetime, text, nested],
            [7.0 / 16.0, 1.0 / 7.0, 1.0 / 7.0, 4.0 / 7.0, 1.0 / 7.0, 0.0]
        );
        assert_eq!((columns[0].column.as_str(), columns[0].filled), ("customer_id", 1.0));
    }
}
