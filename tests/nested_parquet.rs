//! Random nested columns: written as Parquet, packed by the binary, and compared with
//! the plain JSON of the same values, which was made beside the arrays.

use std::{fs::File, path::Path, process::Command, sync::Arc};

use arrow::{
    array::*,
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::*,
};
use fastrand::Rng;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Compression,
    file::properties::WriterProperties,
};
use serde_json::{Value, json};

/// An array, and for each row its JSON as text, since a parsed number would forgive lost
/// digits: `None` where it is null, and so not sent.
struct Column {
    array: ArrayRef,
    values: Vec<Option<String>>,
}

/// Values that lie at some edge, or anywhere.
fn text(rng: &mut Rng) -> String {
    // One of every plane that has characters, and what JSON escapes.
    const ODD: [char; 12] = [
        '"',
        '\\',
        '\n',
        '\u{0}',
        '\u{7f}',
        'é',
        '\u{2028}',
        '日',
        '😀',
        '\u{20000}',
        '\u{e0041}',
        '\u{10fffd}',
    ];
    let any = |rng: &mut Rng| if rng.bool() { ODD[rng.usize(..ODD.len())] } else { rng.char(..) };
    (0..rng.usize(..12)).map(|_| any(rng)).collect()
}

fn integer(rng: &mut Rng) -> i64 {
    let edges = [0, -1, i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1];
    if rng.bool() { edges[rng.usize(..edges.len())] } else { rng.i64(..) >> rng.u32(..64) }
}

fn double(rng: &mut Rng) -> f64 {
    let edges = [0.0, -0.0, 0.1, 1e21, 1e-7, 5e-324, f64::MAX, -f64::MIN_POSITIVE, 123_456_789.125];
    let any = f64::from_bits(rng.u64(..));
    if rng.bool() || !any.is_finite() { edges[rng.usize(..edges.len())] } else { any }
}

/// `1970-01-01T00:00:00.001Z`, from the library that the program does not use for it.
fn instant(milliseconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(milliseconds).expect("a year of four digits");
    let form =
        if milliseconds % 1_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
    json!(at.format(form).to_string()).to_string()
}

/// Milliseconds in the years 0000 to 9999.
fn milliseconds(rng: &mut Rng) -> i64 {
    const EDGES: [i64; 4] = [-62_167_219_200_000, 253_402_300_799_999, -1, 951_782_400_000];
    if rng.bool() { EDGES[rng.usize(..4)] } else { rng.i64(EDGES[0]..EDGES[1]) }
}

/// The shortest digits that give the same double, plain where ECMAScript writes them so.
fn shortest(value: &f64) -> String {
    match value.abs() {
        0.0 if value.is_sign_negative() => "-0.0".to_owned(),
        size if size == 0.0 || (1e-6..1e21).contains(&size) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

/// An object of entries whose values are JSON.
fn object(entries: impl Iterator<Item = (String, String)>) -> String {
    let entries: Vec<String> =
        entries.map(|(key, json)| format!("{}:{json}", json!(key))).collect();
    format!("{{{}}}", entries.join(","))
}

fn flat(rng: &mut Rng, rows: usize) -> Column {
    fn column<T, A: Array + 'static>(
        rows: usize,
        rng: &mut Rng,
        any: impl Fn(&mut Rng) -> T,
        json: impl Fn(&T) -> String,
        array: impl Fn(Vec<Option<T>>) -> A,
    ) -> Column {
        let values: Vec<Option<T>> =
            (0..rows).map(|_| (rng.u8(..5) > 0).then(|| any(rng))).collect();
        let json = values.iter().map(|value| value.as_ref().map(&json)).collect();
        Column { array: Arc::new(array(values)), values: json }
    }
    match rng.u8(..10) {
        0 => column(rows, rng, text, |v| json!(v).to_string(), StringArray::from_iter),
        1 => column(rows, rng, text, |v| json!(v).to_string(), StringViewArray::from_iter),
        2 => column(
            rows,
            rng,
            text,
            |v| json!(v).to_string(),
            |values| {
                values.iter().map(|value| value.as_deref()).collect::<DictionaryArray<Int32Type>>()
            },
        ),
        3 => column(rows, rng, integer, |v| json!(v).to_string(), Int64Array::from),
        4 => column(
            rows,
            rng,
            |rng| integer(rng) as u64,
            |v| json!(v).to_string(),
            UInt64Array::from,
        ),
        5 => column(rows, rng, double, shortest, Float64Array::from),
        6 => column(rows, rng, |rng| rng.bool(), |v| json!(v).to_string(), BooleanArray::from),
        7 => column(
            rows,
            rng,
            |rng| i128::from(integer(rng)) * 10_i128.pow(rng.u32(..10)),
            |v| {
                let (sign, size) = (if *v < 0 { "-" } else { "" }, v.unsigned_abs());
                format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
            },
            |values| Decimal128Array::from(values).with_precision_and_scale(38, 4).expect("fits"),
        ),
        8 => column(
            rows,
            rng,
            milliseconds,
            |&v| instant(v),
            |values| {
                let micros = values.into_iter().map(|value| value.map(|ms| ms * 1_000 + 7));
                TimestampMicrosecondArray::from_iter(micros).with_timezone("Asia/Kathmandu")
            },
        ),
        _ => column(
            rows,
            rng,
            |rng| milliseconds(rng).div_euclid(86_400_000) as i32,
            |&days| {
                let date = instant(i64::from(days) * 86_400_000);
                format!("{}\"", &date[..11])
            },
            Date32Array::from,
        ),
    }
}

/// Which rows are there.
fn validity(rng: &mut Rng, rows: usize) -> NullBuffer {
    (0..rows).map(|_| rng.u8(..5) > 0).collect::<Vec<_>>().into()
}

fn nested(rng: &mut Rng, rows: usize, depth: usize) -> Column {
    let inner = |rng: &mut Rng, rows: usize| {
        if depth > 1 && rng.bool() { nested(rng, rows, depth - 1) } else { flat(rng, rows) }
    };
    let valid = validity(rng, rows);
    let there = |values: Vec<String>| {
        values
            .into_iter()
            .enumerate()
            .map(|(row, value)| valid.is_valid(row).then_some(value))
            .collect()
    };
    let choice = rng.u8(..5);
    if choice == 0 {
        let fields: Vec<Column> = (0..rng.usize(1..4)).map(|_| inner(rng, rows)).collect();
        let name = |n: usize| format!("f\"{n}é");
        let objects = (0..rows).map(|row| {
            let entries = fields
                .iter()
                .enumerate()
                .filter_map(|(n, field)| Some((name(n), field.values[row].clone()?)));
            object(entries)
        });
        let values = there(objects.collect());
        let types: Fields = fields
            .iter()
            .enumerate()
            .map(|(n, field)| Field::new(name(n), field.array.data_type().clone(), true))
            .collect();
        let arrays = fields.into_iter().map(|field| field.array).collect();
        let array = Arc::new(StructArray::new(types, arrays, Some(valid)));
        return Column { array, values };
    }
    let fixed = rng.usize(1..4);
    let lengths: Vec<usize> = (0..rows)
        .map(|row| match choice {
            1 => fixed,
            _ if valid.is_null(row) => 0,
            _ => rng.usize(..4),
        })
        .collect();
    let items = inner(rng, lengths.iter().sum());
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
    let range = |row: usize| offsets[row] as usize..offsets[row + 1] as usize;
    let field = Arc::new(Field::new_list_field(items.array.data_type().clone(), true));
    let list = |row| {
        let kept: Vec<&str> =
            items.values[range(row)].iter().flatten().map(String::as_str).collect();
        format!("[{}]", kept.join(","))
    };
    let lists: Vec<String> = (0..rows).map(list).collect();
    let (array, values): (ArrayRef, _) = match choice {
        1 => {
            let array =
                FixedSizeListArray::new(field, fixed as i32, items.array, Some(valid.clone()));
            (Arc::new(array), there(lists))
        }
        2 => {
            let ends = OffsetBuffer::<i64>::from_lengths(lengths);
            let array = LargeListArray::new(field, ends, items.array, Some(valid.clone()));
            (Arc::new(array), there(lists))
        }
        3 => {
            let array = ListArray::new(field, offsets, items.array, Some(valid.clone()));
            (Arc::new(array), there(lists))
        }
        _ => {
            // Keys that differ in each map, whatever the text.
            let keys: Vec<String> =
                (0..items.values.len()).map(|n| format!("{n}{}", text(rng))).collect();
            let objects = (0..rows).map(|row| {
                let entries =
                    range(row).filter_map(|at| Some((keys[at].clone(), items.values[at].clone()?)));
                object(entries)
            });
            let values = there(objects.collect());
            let types = Fields::from(vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", items.array.data_type().clone(), true),
            ]);
            let keys: ArrayRef = Arc::new(StringArray::from(keys));
            let entries = StructArray::new(types.clone(), vec![keys, items.array], None);
            let field = Arc::new(Field::new("entries", DataType::Struct(types), false));
            (Arc::new(MapArray::new(field, offsets, entries, Some(valid.clone()), false)), values)
        }
    };
    Column { array, values }
}

fn write(path: &Path, batch: &RecordBatch, rng: &mut Rng) {
    let properties = WriterProperties::builder()
        .set_compression([Compression::UNCOMPRESSED, Compression::SNAPPY][rng.usize(..2)])
        .set_max_row_group_row_count(Some(rng.usize(20..200)))
        .set_data_page_row_count_limit(rng.usize(5..50))
        .set_write_batch_size(rng.usize(1..20))
        .set_dictionary_enabled(rng.bool())
        .build();
    let file = File::create(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("types");
    writer.write(batch).expect("rows");
    writer.close().expect("a footer");
}

#[test]
fn any_nested_column_is_sent_as_its_plain_json() {
    for seed in 0..40 {
        let mut rng = Rng::with_seed(seed);
        let rows = rng.usize(1..120);
        let ids = StringArray::from_iter_values((0..rows).map(|row| format!("user-{row}")));
        let columns: Vec<Column> = (0..4)
            .map(|_| {
                let depth = rng.usize(1..6);
                nested(&mut rng, rows, depth)
            })
            .collect();
        let mut named: Vec<(String, ArrayRef, bool)> =
            vec![("customer_id".to_owned(), Arc::new(ids), false)];
        for (n, column) in columns.iter().enumerate() {
            named.push((format!("c{n}"), Arc::clone(&column.array), true));
        }
        let batch = RecordBatch::try_from_iter_with_nullable(named).expect("one length");
        let dir = tempfile::tempdir().expect("a folder");
        write(&dir.path().join("nested.parquet"), &batch, &mut rng);
        let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .current_dir(&dir)
            .args(["pack", "nested.parquet", "--out", "bodies.json"])
            .output()
            .expect("the binary runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "seed {seed}: {words}");

        let bodies = std::fs::read_to_string(dir.path().join("bodies.json")).expect("bodies");
        let elements: Vec<&str> = bodies
            .lines()
            .map(|body| {
                body.strip_prefix(r#"{"type":"transition","elements":["#)
                    .and_then(|body| body.strip_suffix("]}"))
                    .expect("a body")
            })
            .collect();
        let expected = (0..rows).map(|row| {
            let attributes = columns
                .iter()
                .enumerate()
                .filter_map(|(n, column)| Some((format!("c{n}"), column.values[row].clone()?)));
            let attributes = object(attributes);
            let id = format!(r#"{{"type":"customer","customer_id":"user-{row}""#);
            format!(r#"{id},"attributes":{attributes}}}"#)
        });
        let expected: Vec<String> = expected.collect();
        assert!(expected.iter().all(|element| serde_json::from_str::<Value>(element).is_ok()));
        let (found, expected) = (elements.join(","), expected.join(","));
        if found != expected {
            let same = found.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
            let around = |text: &str| {
                let bytes = &text.as_bytes()[same.saturating_sub(80)..(same + 80).min(text.len())];
                String::from_utf8_lossy(bytes).into_owned()
            };
            panic!("seed {seed}: {}\n     not {}", around(&found), around(&expected));
        }
    }
}

fn moebulk(dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moebulk"));
    let output = command.current_dir(dir).args(arguments).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn broken_limits_are_told_and_bad_values_come_back_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let ids = StringArray::from(vec!["user-1", "user-2", "user-3"]);
    let lists = [
        Some(vec![Some(0.5); 51]),
        Some(vec![Some(f64::NAN), Some(1.0)]),
        Some(vec![Some(1.0), None]),
    ];
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(lists);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let words = StructArray::try_from(vec![("word", words)]).expect("one length");
    let columns: [(&str, ArrayRef); 3] =
        [("customer_id", Arc::new(ids)), ("scores", Arc::new(lists)), ("words", Arc::new(words))];
    let batch = RecordBatch::try_from_iter(columns).expect("one length");
    write(&dir.path().join("scores.parquet"), &batch, &mut Rng::with_seed(1));

    let pack = ["pack", "scores.parquet", "--out", "bodies", "--output", "json"];
    let (code, stdout, stderr) = moebulk(dir.path(), &pack);
    assert_eq!(code, Some(1), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("the report");
    let problems: Vec<_> = report["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| {
            let first = &problem["first"][0]["row"];
            (
                problem["code"].as_str(),
                problem["severity"].as_str(),
                problem["column"].as_str(),
                first.as_u64(),
            )
        })
        .collect();
    let scores = Some("scores");
    assert_eq!(
        problems,
        [
            (Some("number-not-finite"), Some("reject"), scores, Some(2)),
            (Some("list-too-long"), Some("warning"), scores, Some(1)),
            (Some("list-null"), Some("warning"), scores, Some(3)),
        ]
    );
    // The rejected row is there with its list, and is rejected for the same reason again.
    let rejects = walk(dir.path()).into_iter().find(|path| path.ends_with("rejects.parquet"));
    let rejects = rejects.expect("a rejects file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&rejects).expect("there"));
    let fields = reader.expect("a footer").schema().fields().clone();
    let types: Vec<_> = fields.iter().map(|field| field.data_type()).collect();
    let word = Fields::from(vec![Field::new("word", DataType::Utf8, false)]);
    assert_eq!([types[0], types[2]], [&DataType::Utf8, &DataType::Struct(word)]);
    std::fs::copy(rejects, dir.path().join("again.parquet")).expect("copied");
    let (code, stdout, stderr) =
        moebulk(dir.path(), &["pack", "again.parquet", "--out", "bodies", "--output", "json"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("number-not-finite") && stdout.contains("\"read\": 1"), "{stdout}");

    // A flat type, and an id that is nested.
    std::fs::write(
        dir.path().join("mapping.json"),
        r#"{"mapping":[{"column":"customer_id","moe_attr":"uid"},{"column":"scores","moe_attr":"s","type":"double"}]}"#,
    )
    .expect("written");
    let (code, _, stderr) = moebulk(
        dir.path(),
        &["pack", "scores.parquet", "--out", "bodies", "--mapping", "mapping.json"],
    );
    assert_eq!(code, Some(2));
    assert!(stderr.contains("the mapping has it as double\n"), "{stderr}");
    assert!(stderr.contains("help: give it the type json, or skip it\n"), "{stderr}");
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
