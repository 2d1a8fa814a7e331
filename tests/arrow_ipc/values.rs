//! Values, positions and rejects; the same rows as Parquet.

use std::{fs::File, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray,
        Float64Array, Int32Array, Int64Array, LargeListArray, LargeStringArray, ListArray,
        ListViewArray, RecordBatch, StringArray, StringViewArray, StructArray,
        TimestampNanosecondArray, UInt64Array, UnionArray,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, Int32Type},
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{
    CODECS, file, options, stream,
    support::{Json, Lab, UNLIMITED},
    users,
};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

/// Two users with a column of every kind.
fn every_kind() -> RecordBatch {
    let item = |ty| Arc::new(Field::new_list_field(ty, true));
    let numbers = || Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef;
    let zip = Arc::new(LargeStringArray::from(vec![Some("01"), None])) as ArrayRef;
    let address = StructArray::new(
        vec![Field::new("zip", DataType::LargeUtf8, true)].into(),
        vec![zip],
        Some(NullBuffer::from(vec![true, true])),
    );
    batch(vec![
        ("customer_id", Arc::new(StringArray::from(vec!["user-1", "user-2"]))),
        ("text", Arc::new(StringArray::from(vec![Some("Zoë \"1\"\n"), None]))),
        ("large", Arc::new(LargeStringArray::from(vec!["123", "true"]))),
        ("view", Arc::new(StringViewArray::from(vec!["a text longer than twelve bytes", "b"]))),
        ("big", Arc::new(Int64Array::from(vec![1_234_567_890_123_456_789, 7]))),
        ("whole", Arc::new(UInt64Array::from(vec![5, 0]))),
        ("double", Arc::new(Float64Array::from(vec![0.1, -0.0]))),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![12_345, -50])
                    .with_precision_and_scale(20, 2)
                    .expect("a scale"),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![19_724, 0]))),
        (
            "time",
            Arc::new(
                TimestampNanosecondArray::from(vec![1_704_164_645_000_000_000, 1_000_000])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "list",
            Arc::new(ListArray::new(
                item(DataType::Int32),
                OffsetBuffer::new(vec![0, 2, 3].into()),
                numbers(),
                None,
            )),
        ),
        (
            "long_list",
            Arc::new(LargeListArray::new(
                item(DataType::Int32),
                OffsetBuffer::new(vec![0, 0, 3].into()),
                numbers(),
                None,
            )),
        ),
        (
            "list_view",
            Arc::new(ListViewArray::new(
                item(DataType::Int32),
                ScalarBuffer::from(vec![1, 0]),
                ScalarBuffer::from(vec![2, 1]),
                numbers(),
                None,
            )),
        ),
        (
            "pair",
            Arc::new(FixedSizeListArray::new(
                item(DataType::Int32),
                1,
                Arc::new(Int32Array::from(vec![8, 9])),
                None,
            )),
        ),
        ("address", Arc::new(address)),
    ])
}

#[test]
fn every_kind_of_column_is_sent_exactly() {
    let number = |digits: &str| Json::Number(digits.to_owned());
    let numbers = |all: &[&str]| Json::Array(all.iter().map(|digits| number(digits)).collect());
    let expected = [
        Json::object([
            ("text", Json::text("Zoë \"1\"\n")),
            ("large", Json::text("123")),
            ("view", Json::text("a text longer than twelve bytes")),
            ("big", Json::text("1234567890123456789")),
            ("whole", number("5")),
            ("double", number("0.1")),
            ("bool", Json::Bool(true)),
            ("decimal", number("123.45")),
            ("day", Json::text("2024-01-02")),
            ("time", Json::text("2024-01-02T03:04:05Z")),
            ("list", numbers(&["1", "2"])),
            ("long_list", numbers(&[])),
            ("list_view", numbers(&["2", "3"])),
            ("pair", numbers(&["8"])),
            ("address", Json::object([("zip", Json::text("01"))])),
        ]),
        Json::object([
            ("large", Json::text("true")),
            ("view", Json::text("b")),
            ("big", Json::text("7")),
            ("whole", number("0")),
            ("double", number("-0.0")),
            ("decimal", number("-0.50")),
            ("day", Json::text("1970-01-01")),
            ("time", Json::text("1970-01-01T00:00:00.001Z")),
            ("list", numbers(&["3"])),
            ("long_list", numbers(&["1", "2", "3"])),
            ("list_view", numbers(&["1"])),
            ("pair", numbers(&["9"])),
            ("address", Json::object([])),
        ]),
    ];
    let batch = every_kind();
    let schema = batch.schema();
    let lab = Lab::new();
    let mut digests = Vec::new();
    for codec in CODECS {
        let both = std::slice::from_ref(&batch);
        lab.write("rows.arrow", file(&schema, both, options(codec)));
        lab.write("rows.arrows", stream(&schema, both, options(codec)));
        for name in ["rows.arrow", "rows.arrows"] {
            let (report, elements) = lab.pack(0, &[name]);
            let found: Vec<Json> =
                elements.iter().map(|element| element.get("attributes").clone()).collect();
            crate::support::assert_same(&expected, &found);
            digests.push(report["bodies"]["digest"].clone());
        }
    }
    // Whatever a file is called, its first bytes tell.
    for (name, ending) in [
        ("rows.arrow", "feather"),
        ("rows.arrow", "ipc"),
        ("rows.arrow", "bin"),
        ("rows.arrows", "bin2"),
        ("rows.arrows", "arrow"),
    ] {
        let renamed = format!("renamed.{ending}");
        lab.write(&renamed, lab.read(name));
        digests.push(lab.pack(0, &[&renamed]).0["bodies"]["digest"].clone());
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn the_same_rows_as_parquet_and_for_any_number_of_threads() {
    let lab = Lab::new();
    // A batch of many blocks, an empty one, and small ones.
    let sizes = [60_000, 0, 1, 700, 5_000];
    let mut from = 0;
    let batches = sizes.map(|size| {
        from += size;
        users(from - size, size)
    });
    let schema = batches[0].schema();
    lab.write("rows.arrow", file(&schema, &batches, options(None)));
    lab.write("rows.arrows", stream(&schema, &batches, options(CODECS[1])));
    let to = File::create(lab.path("rows.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(to, schema, None).expect("a writer");
    batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
    writer.close().expect("a footer");
    for window in [
        &[][..],
        &["--offset", "59990", "--limit", "1200"],
        &["--offset", "65701"],
        &["--limit", "5"],
    ] {
        let pack = |name: &str, threads: &str| {
            let own = ["pack", name, "--out", "bodies", "--threads", threads];
            let report = lab.report(0, &[own.as_slice(), window, &UNLIMITED].concat());
            (lab.read("bodies"), report["rows"]["read"].clone())
        };
        let expected = pack("rows.parquet", "1");
        for name in ["rows.arrow", "rows.arrows"] {
            for threads in ["1", "2", "3", "8"] {
                assert!(pack(name, threads) == expected, "{name} {threads} {window:?}");
            }
        }
    }
}

#[test]
fn a_problem_names_its_record_batch_and_the_row_comes_back_typed() {
    let ids = |ids: Vec<Option<&str>>| Arc::new(StringArray::from(ids)) as ArrayRef;
    let numbers = |from| Arc::new(Int64Array::from_iter_values(from..from + 2)) as ArrayRef;
    let lists = |from: i32| {
        let values = (0..2).map(|at| Some(vec![Some(from + at)]));
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(values)) as ArrayRef
    };
    let batches = [
        batch(vec![
            ("customer_id", ids(vec![Some("user-1"), Some("user-2")])),
            ("n", numbers(1)),
            ("l", lists(1)),
        ]),
        batch(vec![
            ("customer_id", ids(vec![Some("user-3"), None])),
            ("n", numbers(3)),
            ("l", lists(3)),
        ]),
    ];
    let lab = Lab::new();
    lab.write("rows.arrow", file(&batches[0].schema(), &batches, options(None)));
    let (report, elements) = lab.pack(1, &["rows.arrow"]);
    assert_eq!(elements.len(), 3);
    let first = &report["problems"][0]["first"][0];
    assert_eq!(
        (&first["row"], &first["batch"], &first["line"]),
        (&4.into(), &1.into(), &().into())
    );
    assert!(first.get("row_group").is_none());
    let ran = lab.run(&["validate", "rows.arrow"]);
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(said.contains("record batch 1, row 4, column `customer_id`"), "{said}");

    let path = format!("{}/rejects.parquet", report["run_dir"].as_str().expect("a directory"));
    let rejects = File::open(lab.path(&path)).expect("rejects");
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(rejects).expect("Parquet").build().expect("rows");
    let rows = reader.next().expect("a batch").expect("rows");
    assert_eq!(rows.num_rows(), 1);
    let names: Vec<_> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(
        names,
        [
            "customer_id",
            "n",
            "l",
            "_moebulk_file",
            "_moebulk_row",
            "_moebulk_batch",
            "_moebulk_codes",
            "_moebulk_message"
        ]
    );
    let int = |name: &str| {
        format!(
            "{:?}",
            rows.column_by_name(name).expect(name).slice(0, 1).to_data().buffers()[0].as_slice()[0]
        )
    };
    assert_eq!(
        (int("n"), int("_moebulk_batch"), int("_moebulk_row")),
        ("4".to_owned(), "1".to_owned(), "4".to_owned())
    );
    // Mended, that very file is imported.
    let mended = batch(vec![
        ("customer_id", ids(vec![Some("user-4")])),
        ("n", Arc::clone(rows.column(1))),
        ("l", Arc::clone(rows.column(2))),
    ]);
    lab.write("mended.arrow", file(&mended.schema(), &[mended], options(None)));
    let (_, elements) = lab.pack(0, &["mended.arrow"]);
    assert_eq!(
        elements[0].get("attributes").get("l"),
        &Json::Array(vec![Json::Number("4".to_owned())])
    );
}

#[test]
fn only_mapped_columns_are_decoded() {
    let ints = Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef;
    let fields = [(0, Arc::new(Field::new("a", DataType::Int32, true)))].into_iter().collect();
    let union =
        UnionArray::try_new(fields, vec![0_i8, 0].into(), None, vec![ints]).expect("a union");
    let batch = batch(vec![
        ("before", Arc::new(StringViewArray::from(vec!["a text that is longer than a view", "x"]))),
        ("customer_id", Arc::new(StringArray::from(vec!["user-1", "user-2"]))),
        ("union", Arc::new(union)),
        ("n", Arc::new(Int64Array::from(vec![1, 2]))),
    ]);
    let lab = Lab::new();
    lab.write("rows.arrow", file(&batch.schema(), &[batch], options(None)));
    let ran = lab.run(&["validate", "rows.arrow"]);
    assert!(
        ran.code != 0 && ran.stderr.contains("column `union` holds a union of types"),
        "{}",
        ran.stderr
    );
    lab.write("map.toml", "[columns]\ncustomer_id = {}\nn = { type = \"double\" }\n");
    let (_, elements) = lab.pack(0, &["rows.arrow", "--mapping", "map.toml"]);
    let expected = Json::object([("n", Json::Number("2".to_owned()))]);
    assert_eq!(elements[1].get("attributes"), &expected);
}

#[test]
fn an_import_and_init_read_arrow_too() {
    let lab = Lab::new();
    let batches = [users(0, 300), users(300, 50)];
    lab.write("rows.feather", file(&batches[0].schema(), &batches, options(CODECS[2])));
    let (report, elements) = lab.import(0, &["rows.feather"]);
    assert_eq!(elements.len(), 350);
    let ran = lab.run(&["init", "rows.feather", "--out", "made.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (packed, _) = lab.pack(0, &["rows.feather", "--config", "made.toml"]);
    assert_eq!(packed["bodies"]["digest"], report["bodies"]["digest"]);
}
