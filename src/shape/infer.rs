//! Column types from all values of all inputs, where no mapping gives them. A column without a value
//! keeps the type that its file declares.

use fearless_simd::{Level, Simd, dispatch};

use super::{
    cell::Cell,
    cells::{ArrowCells, Cells, Known, RowCells, TextCells},
    datetime::{self, DateFormat},
    encode::Span,
    json_cells::JsonCells,
    lanes, naming,
    number::{Fit, Number},
    plan::{Binding, Plan, ValueType},
};
use crate::model::{FIRST_POSITIONS_MAX, Position, Rows, TallyEntry};

/// A column whose values fit a narrower type but for at most one in a hundred is
/// most likely of that type, with a few mistakes in it.
const MINORITY_SHARE: u64 = 100;

/// The types narrower than text, narrowest first. No value fits two of them.
const NARROW: [ValueType; 3] =
    [ValueType::Bool, ValueType::Number, ValueType::DateTime(DateFormat::Iso)];

/// What has been seen of every column of a plan. Merging in any order gives the same.
#[derive(Clone, Debug, Default)]
pub struct Inference {
    columns: Vec<ColumnStats>,
}

/// The values of one column.
#[derive(Clone, Debug, Default)]
struct ColumnStats {
    values: u64,
    /// For each type of [`NARROW`] the values that do not fit it.
    misfits: [TallyEntry; 3],
}

/// A column that would have a narrower type but for a few values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minority {
    /// Index of the column in the plan.
    pub column: u32,
    /// The type that the others fit.
    pub narrower: ValueType,
    /// Values in the column, empty ones not counted.
    pub values: u64,
    /// Those that do not fit.
    pub misfits: TallyEntry,
}

impl Inference {
    /// Nothing seen yet.
    pub fn new(plan: &Plan) -> Self {
        Self { columns: vec![ColumnStats::default(); plan.columns.len()] }
    }

    /// The columns that are texts whatever comes, where at most so many rows come: more than one in
    /// a hundred of their values fit no narrower type. They need no further look.
    pub fn settled(&self, rows_left: u64) -> Vec<bool> {
        let is_text = |column: &ColumnStats| {
            let most = column.values.saturating_add(rows_left);
            let is_misfit =
                |misfits: &TallyEntry| misfits.count.saturating_mul(MINORITY_SHARE) > most;
            column.misfits.iter().all(is_misfit)
        };
        self.columns.iter().map(is_text).collect()
    }

    /// Looks at all values of a block, but for those of columns that are `settled`; none is where it
    /// is empty. `Err` names a column that cannot be read.
    pub fn observe(
        plan: &Plan,
        binding: &Binding,
        rows: &Rows,
        settled: &[bool],
    ) -> Result<Self, String> {
        let mut seen = Self::new(plan);
        match rows {
            Rows::Text(text) => {
                seen.observe_cells(plan, rows, &TextCells::new(text, binding), settled);
            }
            Rows::Json(json) => {
                let cells = JsonCells::new(json, plan, binding);
                seen.observe_cells(plan, rows, &cells, settled);
            }
            Rows::Arrow(arrow) => {
                let cells = ArrowCells::new(arrow, plan, binding)?;
                seen.observe_cells(plan, rows, &cells, settled);
            }
        }
        Ok(seen)
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let firsts = self.columns.iter().flat_map(|column| &column.misfits);
        let firsts: usize = firsts.map(|misfits| misfits.first.capacity()).sum();
        (size_of_val(self.columns.as_slice()) + firsts * size_of::<Position>()) as u64
    }

    /// Takes in what was seen elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.columns.iter_mut().zip(&other.columns) {
            ours.values += theirs.values;
            for (ours, theirs) in ours.misfits.iter_mut().zip(&theirs.misfits) {
                ours.merge(theirs);
            }
        }
    }

    /// Whether the values give every inferred column the type that it has in a plan.
    pub fn gives(&self, plan: &Plan) -> bool {
        plan.columns.iter().zip(&self.columns).all(|(column, stats)| {
            let has_none = !column.inferred || stats.values == 0;
            has_none || stats.narrow().unwrap_or(ValueType::Text) == column.value
        })
    }

    /// Gives every inferred column its type, and tells which types a few values decided.
    pub fn resolve(&self, plan: &mut Plan) -> Vec<Minority> {
        let mut minorities = Vec::new();
        for (at, (column, stats)) in plan.columns.iter_mut().zip(&self.columns).enumerate() {
            if !column.inferred || stats.values == 0 {
                continue;
            }
            let fewest = NARROW.iter().zip(&stats.misfits).min_by_key(|(_, misfits)| misfits.count);
            let Some((&narrower, misfits)) = fewest else { continue };
            column.value = stats.narrow().unwrap_or(ValueType::Text);
            if stats.narrow().is_none() && misfits.count * MINORITY_SHARE <= stats.values {
                minorities.push(Minority {
                    column: at as u32,
                    narrower,
                    values: stats.values,
                    misfits: misfits.clone(),
                });
            }
        }
        naming::review(plan);
        minorities
    }

    fn observe_cells<C: Cells>(&mut self, plan: &Plan, rows: &Rows, cells: &C, settled: &[bool]) {
        dispatch!(Level::new(), simd => self.observe_with(simd, plan, rows, cells, settled));
    }

    #[inline(always)]
    fn observe_with<C: Cells, S: Simd>(
        &mut self,
        simd: S,
        plan: &Plan,
        rows: &Rows,
        cells: &C,
        settled: &[bool],
    ) {
        let mut scratch = String::new();
        let has_no_null_words = plan.rules.null_values.is_empty();
        let can_be_plain = C::UNTYPED && has_no_null_words;
        let is_open = |&at: &usize| {
            plan.columns[at].inferred && !settled.get(at).copied().unwrap_or_default()
        };
        let open = (0..plan.columns.len()).filter(is_open);
        let mut open: Vec<(usize, Run)> = open.map(|column| (column, Run::default())).collect();
        for row in 0..rows.len() {
            let spans = cells.row(row);
            for (column, run) in &mut open {
                let column = *column;
                if can_be_plain && let Some(cell) = spans.span(column) {
                    if cell.len == 0 {
                        continue;
                    }
                    if let Some(fit) = plain_type(simd, cell) {
                        self.columns[column].add(fit, run, || rows.position(row));
                        continue;
                    }
                }
                let known = match spans.known(column) {
                    Known::Absent => continue,
                    Known::Bool => Some(Some(0)),
                    Known::Number => Some(Some(1)),
                    Known::Date => Some(Some(2)),
                    Known::Text if has_no_null_words => Some(None),
                    Known::Text | Known::Nothing => None,
                };
                if let Some(fit) = known {
                    self.columns[column].add(fit, run, || rows.position(row));
                    continue;
                }
                let cell = cells.cell(row, column, &mut scratch);
                let fit = match cell {
                    Cell::Absent | Cell::Bad(_) | Cell::Text("") => continue,
                    Cell::Text(text) if plan.rules.is_null(text) => continue,
                    Cell::Text(text) if C::UNTYPED => narrow_type(text),
                    Cell::Text(_) | Cell::Json { .. } => None,
                    Cell::Bool(_) => Some(0),
                    Cell::Number { binary: true, .. } => Some(1),
                    // That it is a number is known; whether a double keeps it is not.
                    Cell::Number { digits, .. } => {
                        Number::parse(digits).filter(|number| number.fit() == Fit::Exact).map(|_| 1)
                    }
                    Cell::DateTime { .. } => Some(2),
                };
                self.columns[column].add(fit, run, || rows.position(row));
            }
        }
        for (column, run) in open {
            self.columns[column].count(run);
        }
    }
}

/// Values of a column, one after the other, of which nothing but their number is left to be noted:
/// all fit the same type, and enough is known of where values do not fit the others.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// The type of [`NARROW`] that they fit, if any; `None` where there is no such run yet.
    fit: Option<Option<usize>>,
    values: u64,
}

impl ColumnStats {
    /// The narrow type that all values fit, if there are any.
    fn narrow(&self) -> Option<ValueType> {
        let fits = |misfits: &TallyEntry| misfits.count == 0;
        let at = self.misfits.iter().position(fits).filter(|_| self.values > 0)?;
        Some(NARROW[at])
    }

    /// One more value. The rows of a block come in order.
    #[inline(always)]
    fn add(&mut self, fit: Option<usize>, run: &mut Run, at: impl Fn() -> Position) {
        if run.fit == Some(fit) {
            run.values += 1;
        } else {
            self.add_other(fit, run, at());
        }
    }

    /// A value that is not one of a run, with which another run may begin.
    #[inline(never)]
    fn add_other(&mut self, fit: Option<usize>, run: &mut Run, at: Position) {
        self.count(std::mem::take(run));
        self.values += 1;
        let mut is_known = true;
        for (index, misfits) in self.misfits.iter_mut().enumerate() {
            if fit != Some(index) {
                misfits.add(at);
                is_known &= misfits.first.len() == FIRST_POSITIONS_MAX;
            }
        }
        run.fit = is_known.then_some(fit);
    }

    /// Takes in a run. What of it does not fit is none of the first.
    fn count(&mut self, run: Run) {
        let Some(fit) = run.fit else { return };
        self.values += run.values;
        for (index, misfits) in self.misfits.iter_mut().enumerate() {
            if fit != Some(index) {
                misfits.count += run.values;
            }
        }
    }
}

/// The type of [`NARROW`] that a text fits, if any, where its bytes alone tell: as
/// [`narrow_type`] would have it. The text is not empty.
#[inline(always)]
fn plain_type<S: Simd>(simd: S, cell: Span<'_>) -> Option<Option<usize>> {
    let first = cell.bytes[cell.start];
    if !matches!(first, b't' | b'T' | b'f' | b'F' | b'0'..=b'9' | b'-' | b'.' | b' ' | b'\t') {
        return Some(None);
    }
    let step = &lanes::step_of(&cell.bytes[cell.start..]);
    if lanes::is_number(simd, step, cell.len) {
        Some(Some(1))
    } else if lanes::is_date(simd, step, cell.len) || lanes::to_utc(simd, step, cell.len).is_some()
    {
        Some(Some(2))
    } else if lanes::is_bool(step, cell.len) {
        Some(Some(0))
    } else {
        None
    }
}

/// The type of [`NARROW`] that a text fits, by index. The text is not empty.
pub(super) fn narrow_type(text: &str) -> Option<usize> {
    match text.as_bytes()[0] {
        b't' | b'T' | b'f' | b'F' => {
            (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")).then_some(0)
        }
        b'0'..=b'9' if datetime::is_iso(text) => Some(2),
        b'0'..=b'9' | b'-' | b'.' | b' ' | b'\t' => {
            Number::parse(text).filter(Number::is_plain).map(|_| 1)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Field, Kind, Place, TextRecord, TextRows};
    use crate::shape::plan::{Rules, SourceColumn};

    /// A file with the columns customer_id and `v`, whose values are given.
    fn infer(values: &[&str]) -> (ValueType, Vec<Minority>) {
        let mut rows = TextRows { columns: 2, ..TextRows::default() };
        for (at, value) in values.iter().enumerate() {
            let id = Field::raw(rows.bytes.len(), 2);
            rows.bytes.extend_from_slice(b"id");
            let v = Field::raw(rows.bytes.len(), value.len());
            rows.bytes.extend_from_slice(value.as_bytes());
            rows.fields.extend([id, v]);
            rows.records.push(TextRecord { row: at as u64 + 1, line: at as u64 + 2, raw: 0..0 });
        }
        let sources = ["customer_id", "v"].map(SourceColumn::text);
        let columns = Plan::by_name(Kind::Users, [sources.as_slice()]);
        let rules = Rules { null_values: vec!["NULL".into()], ..Rules::default() };
        let mut plan = Plan::new(Kind::Users, columns, rules);
        let binding = plan.bind("f.csv", &sources, false).expect("fits");
        let rows = Rows::Text(rows);
        let seen = Inference::observe(&plan, &binding, &rows, &[]).expect("readable");
        let minorities = seen.resolve(&mut plan);
        (plan.columns[1].value, minorities)
    }

    #[test]
    fn the_narrowest_type_that_fits_every_value() {
        let date = ValueType::DateTime(DateFormat::Iso);
        for (values, expected) in [
            (&["true", "FALSE", "", "NULL"][..], ValueType::Bool),
            (&["1", "-2.5", ".5", "5.", " 7 ", ""], ValueType::Number),
            (&["2024-01-02", "2024-01-02 03:04"], date),
            (&["2024-01-02", "17"], ValueType::Text),
            (&["true", "1"], ValueType::Text),
            (&["", "NULL"], ValueType::Text),
            (&["1", "x"], ValueType::Text),
            (&["1", "007"], ValueType::Text),
            (&["1", "+7"], ValueType::Text),
            (&["1", "1e5"], ValueType::Text),
            (&["1", "9007199254740993"], ValueType::Text),
        ] {
            assert_eq!(infer(values), (expected, vec![]), "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_tell_the_type_that_the_text_has(
            text in prop_oneof![
                "[-]?[0-9]{1,3}\\.?[0-9]{0,16}",
                "20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{3})?(Z|[+-][0-2][0-9]:[0-5][0-9]))?",
                "[tTfF.a-z éA-Z0-9]{1,6}",
                "\\PC{1,8}",
            ]
        ) {
            let cell = Span { bytes: text.as_bytes(), start: 0, len: text.len() };
            for level in crate::model::levels() {
                if let Some(fit) = dispatch!(level, simd => plain_type(simd, cell)) {
                    prop_assert_eq!(fit, narrow_type(&text));
                }
            }
        }
    }

    #[test]
    fn a_text_is_settled_where_no_rows_left_could_make_it_narrower() {
        let column = |values, counts: [u64; 3]| ColumnStats {
            values,
            misfits: counts.map(|count| TallyEntry { count, first: vec![] }),
        };
        let columns = vec![column(100, [100, 100, 100]), column(100, [100, 100, 51])];
        let seen = Inference { columns };
        assert_eq!(seen.settled(0), [true, true]);
        assert_eq!(seen.settled(4_999), [true, true], "51 of 5,099 are more than one in a hundred");
        assert_eq!(seen.settled(5_000), [true, false], "51 of 5,100 are not");
        assert_eq!(seen.settled(9_899), [true, false]);
        assert_eq!(seen.settled(9_900), [false, false]);
        assert_eq!(seen.settled(u64::MAX), [false, false]);
        assert_eq!(Inference { columns: vec![ColumnStats::default()] }.settled(0), [false]);
    }

    #[test]
    fn one_in_a_hundred_is_a_minority_and_more_is_text() {
        let mut values = vec!["true"; 99];
        values.push("maybe");
        let (value, minorities) = infer(&values);
        assert_eq!(value, ValueType::Text);
        assert_eq!(minorities.len(), 1);
        assert_eq!(minorities[0].narrower, ValueType::Bool);
        assert_eq!(minorities[0].misfits.count, 1);
        assert_eq!(
            minorities[0].misfits.first,
            [Position { file: 0, row: 100, place: Place::Line(101) }]
        );
        values.pop();
        values.pop();
        values.push("maybe");
        assert_eq!(infer(&values), (ValueType::Text, vec![]), "1 of 99 is more than 1 %");
    }
}
