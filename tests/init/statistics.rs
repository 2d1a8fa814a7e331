//! What stands above a column, against an obvious count.

use std::{collections::HashSet, fs::File, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::Int32Type,
};
use fastrand::Rng;
use parquet::arrow::ArrowWriter;

use crate::{comment, init, support::Lab};

const ROWS: usize = 100_000;

/// `1,234 distinct` or `about 98,700 distinct`: the number, and whether it is exact.
fn distinct(comment: &str) -> (f64, bool) {
    let part = comment.split(" · ").find(|part| part.ends_with(" distinct")).expect("a count");
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    (digits.parse().expect("a number"), !part.starts_with("about "))
}

#[test]
fn counts_ranges_and_lengths_are_those_of_all_rows() {
    let lab = Lab::new();
    let rng = &mut Rng::with_seed(20);
    let mut csv = String::from("customer_id,amount,word,day,sparse\n");
    let (mut amounts, mut days, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let mut empty = 0;
    for n in 0..ROWS {
        let amount = f64::from(rng.i32(-5_000_000..5_000_000)) / 100.0;
        let day = format!("{}-{:02}-{:02}", rng.u32(1950..2020), rng.u32(1..13), rng.u32(1..29));
        let word = "é".repeat(rng.usize(1..30));
        let sparse = if rng.u8(..4) == 0 { "x" } else { "" };
        empty += usize::from(sparse.is_empty());
        csv.push_str(&format!("c-{n},{amount:.2},{word},{day},{sparse}\n"));
        amounts.push(amount);
        days.push(day);
        words.push(word);
    }
    lab.write("in.csv", csv);
    let text = init(&lab, &["in.csv"]);
    for (column, truth) in [
        ("customer_id", ROWS),
        ("amount", amounts.iter().map(|n| n.to_bits()).collect::<HashSet<_>>().len()),
        ("word", words.iter().collect::<HashSet<_>>().len()),
        ("day", days.iter().collect::<HashSet<_>>().len()),
        ("sparse", 1),
    ] {
        let (found, exact) = distinct(&comment(&text, column));
        let off = (found - truth as f64).abs() / truth as f64;
        // Up to 8,192 are counted; of more the standard error is 0.4 %, and three digits are shown.
        assert_eq!(exact, truth <= 8_192, "{column}");
        assert!(off <= if exact { 0.0 } else { 0.025 }, "{column}: {found} for {truth}");
    }
    let least = amounts.iter().copied().fold(f64::INFINITY, f64::min);
    let most = amounts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let amount = comment(&text, "amount");
    assert!(amount.contains(&format!(" · {least:.2} to {most:.2} such as")), "{amount}");
    let days: (_, _) = (days.iter().min().expect("rows"), days.iter().max().expect("rows"));
    assert!(
        comment(&text, "day").contains(&format!(" · {} to {} such as", days.0, days.1)),
        "{text}"
    );
    assert!(comment(&text, "word").contains(" · 1 to 29 characters such as"), "{text}");
    let share = (empty * 100) as f64 / ROWS as f64;
    assert!(
        comment(&text, "sparse").starts_with(&format!("string · {share:.0} % empty")),
        "{text}"
    );
    assert!(text.starts_with("# in.csv: 100,000 rows of users, 5 columns,"), "{text}");
}

#[test]
fn typed_columns_of_parquet_have_their_types_and_nested_ones_are_json() {
    let lab = Lab::new();
    let ids = StringArray::from_iter((0..300).map(|n| Some(format!("c-{n}"))));
    let counts = Int64Array::from_iter((0..300).map(|n| (n % 3 != 0).then_some(n)));
    let large = Int64Array::from_iter_values((0..300).map(|n| 9_007_199_254_740_993 + n));
    let shares = Float64Array::from_iter_values((0..300).map(|n| f64::from(n) / 8.0));
    let times =
        TimestampMillisecondArray::from_iter_values((0..300).map(|n| 1_700_000_000_000 + n));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..300).map(|n| Some(vec![Some(n), Some(n + 1)])),
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(ids)),
        ("count", Arc::new(counts)),
        ("large", Arc::new(large)),
        ("share", Arc::new(shares)),
        ("at", Arc::new(times)),
        ("list", Arc::new(lists)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = File::create(lab.path("in.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    let text = init(&lab, &["in.parquet", "--format", "mapping"]);
    for (column, facts) in [
        ("customer_id", "string · none empty · 300 distinct · 3 to 5 characters"),
        ("count", "double · 33 % empty · 200 distinct · 1 to 299"),
        ("large", "string · none empty · 300 distinct · 16 characters"),
        ("share", "double · none empty · 300 distinct · 0"),
        (
            "at",
            "datetime · none empty · 300 distinct · 2023-11-14T22:13:20 to 2023-11-14T22:13:20.299",
        ),
        ("list", "json · none empty · 300 distinct"),
    ] {
        let found = comment(&text, column);
        assert!(found.starts_with(facts), "{column}: {found}");
    }
    lab.write("m.toml", &text);
    let (report, _) = lab.pack(0, &["in.parquet", "--mapping", "m.toml"]);
    assert_eq!(report["rows"]["accepted"], 300);
}
