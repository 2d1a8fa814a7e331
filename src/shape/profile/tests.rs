use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::model::{Field, Kind, TextRecord, TextRows};
use crate::shape::plan::{Rules, SourceColumn};

/// A block of rows with these cells, which follow so many others.
fn block(cells: &[Vec<String>], columns: usize, before: usize) -> Rows {
    let mut rows = TextRows { columns, ..TextRows::default() };
    for (at, record) in cells.iter().enumerate() {
        for cell in record {
            rows.fields.push(Field::raw(rows.bytes.len(), cell.len()));
            rows.bytes.extend_from_slice(cell.as_bytes());
        }
        let row = (before + at) as u64 + 1;
        rows.records.push(TextRecord { row, line: row + 1, raw: 0..0 });
    }
    Rows::Text(rows)
}

fn plan(columns: usize) -> (Plan, Binding) {
    let sources: Vec<SourceColumn> =
        (0..columns).map(|at| SourceColumn::text(&format!("c{at}"))).collect();
    let null_values = NULL_WORDS.map(str::to_owned).to_vec();
    let rules = Rules { null_values, ..Rules::default() };
    let planned = Plan::by_name(Kind::Users, [sources.as_slice()]);
    let binding = Binding {
        sources: (0..columns).map(Some).collect(),
        unused: Vec::new(),
        guarded: false,
        given: Vec::new(),
    };
    (Plan::new(Kind::Users, planned, rules), binding)
}

/// Observes in blocks of that many rows.
fn profile(cells: &[Vec<String>], columns: usize, size: usize) -> Profile {
    let (plan, binding) = plan(columns);
    let mut whole = Profile::new(&plan);
    for (at, part) in cells.chunks(size).enumerate() {
        let rows = block(part, columns, at * size);
        whole.merge(&Profile::observe(&plan, &binding, &rows).expect("readable"));
    }
    whole
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        1 => prop::sample::select(NULL_WORDS.as_slice()).prop_map(str::to_owned),
        3 => "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
        1 => "[0-9]{2}/[0-9]{2}/20[0-9]{2}",
        1 => "20[0-9]{2}-0[1-9]-[0-3][0-9]",
        1 => "[a-c]{1,3}@[a-c]\\.com",
        1 => "\\+?[0-9]{5,17}",
        2 => "[a-zé東 ]{1,6}",
        1 => prop::sample::select(ids::DISALLOWED.as_slice()).prop_map(str::to_owned),
    ]
}

proptest! {
    /// Against an obvious count, and for blocks of any size.
    #[test]
    fn what_is_counted_is_what_is_there(
        cells in prop::collection::vec(prop::collection::vec(cell(), 3), 0..60),
        size in 1_usize..70,
    ) {
        let found = profile(&cells, 3, size);
        prop_assert_eq!(found.rows, cells.len() as u64);
        for (at, column) in found.columns.iter().enumerate() {
            let all: Vec<&str> = cells.iter().map(|row| row[at].as_str()).collect();
            let values: Vec<&str> = all
                .iter()
                .copied()
                .filter(|text| !text.is_empty() && !NULL_WORDS.contains(text))
                .collect();
            prop_assert_eq!(column.values, values.len() as u64);
            for (word, count) in NULL_WORDS.iter().zip(column.null_words) {
                prop_assert_eq!(count, all.iter().filter(|text| *text == word).count() as u64);
            }
            let distinct: HashSet<&str> = values.iter().copied().collect();
            prop_assert_eq!(column.distinct.count(), distinct.len() as u64);
            let lengths = || values.iter().map(|text| text.chars().count());
            prop_assert_eq!(column.chars, lengths().min().zip(lengths().max()));
            let refused = |text: &&&str| ids::DISALLOWED.contains(text) || text.chars().count() < 2;
            prop_assert_eq!(column.disallowed, values.iter().filter(refused).count() as u64);
            let numbers: Vec<f64> =
                values.iter().filter_map(|text| text.parse::<f64>().ok()).collect();
            let is_number = |text: &&&str| text.trim().parse::<f64>().is_ok();
            prop_assert_eq!(column.numbers.all, values.iter().filter(is_number).count() as u64);
            let range = column.numbers.range.as_ref().map(|(least, most)| (least.0, most.0));
            let least = numbers.iter().copied().reduce(f64::min);
            prop_assert_eq!(range, least.zip(numbers.iter().copied().reduce(f64::max)));
            match &column.few {
                Some(few) => prop_assert!(few.iter().map(String::as_str).eq(
                    distinct.iter().copied().collect::<BTreeSet<_>>()
                )),
                None => prop_assert!(
                    distinct.len() > FEW_MAX || distinct.iter().any(|text| text.len() > FEW_BYTES_MAX)
                ),
            }
        }
        let whole = profile(&cells, 3, cells.len().max(1));
        for (a, b) in found.columns.iter().zip(&whole.columns) {
            prop_assert_eq!(a.examples.shown(true), b.examples.shown(true));
            prop_assert_eq!(a.dates.verdict(a.values), b.dates.verdict(b.values));
            prop_assert_eq!(format!("{:?}", a.numbers), format!("{:?}", b.numbers));
        }
    }
}

#[test]
fn every_null_word_is_found() {
    for (at, word) in NULL_WORDS.iter().enumerate() {
        assert_eq!(null_word(word), Some(at));
    }
    assert_eq!((null_word("nul"), null_word("NULLS")), (None, None));
}

#[test]
fn shapes_of_texts() {
    for (text, expected) in [
        ("a@b.c", true),
        ("a.b+c@d.e.f", true),
        ("a@b", false),
        ("@b.c", false),
        ("a b@c.d", false),
        ("a@.c", false),
        ("none", false),
    ] {
        assert_eq!(is_email(text), expected, "{text}");
    }
    for (text, expected) in [
        ("+91 99071-49204", true),
        ("(030) 1234.567", true),
        ("1234567", true),
        ("123456", false),
        ("1234567890123456", false),
        ("12345678x", false),
        ("1+2345678", false),
    ] {
        assert_eq!(is_phone(text), expected, "{text}");
    }
}
