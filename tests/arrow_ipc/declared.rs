//! Without a mapping a column that has no value keeps the type that its file declares.

use std::{fs::File, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
        Int64Array, NullArray, RecordBatch, StringArray, Time64MicrosecondArray,
        TimestampMicrosecondArray,
    },
    datatypes::Int32Type,
};
use arrow_ipc::writer::IpcWriteOptions;
use parquet::arrow::ArrowWriter;

use crate::{
    file,
    support::{Lab, UNLIMITED},
};

/// Columns, the type that their declaration gives, and nothing in them.
fn columns(rows: usize) -> Vec<(&'static str, &'static str, ArrayRef)> {
    let numbers = Int64Array::from(vec![None; rows]);
    let decimals = Decimal128Array::from(vec![None; rows]).with_precision_and_scale(10, 2);
    let words: DictionaryArray<Int32Type> = (0..rows).map(|_| None::<&str>).collect();
    vec![
        ("number", "double", Arc::new(numbers)),
        ("float", "double", Arc::new(Float64Array::from(vec![None; rows]))),
        ("decimal", "double", Arc::new(decimals.expect("digits"))),
        ("flag", "bool", Arc::new(BooleanArray::from(vec![None; rows]))),
        ("day", "datetime", Arc::new(Date32Array::from(vec![None; rows]))),
        ("at", "datetime", Arc::new(TimestampMicrosecondArray::from(vec![None; rows]))),
        ("text", "string", Arc::new(StringArray::from(vec![None::<&str>; rows]))),
        ("word", "string", Arc::new(words)),
        ("clock", "string", Arc::new(Time64MicrosecondArray::from(vec![None; rows]))),
        ("nothing", "string", Arc::new(NullArray::new(rows))),
        // Standard attributes have the type that the API gives them.
        ("u_fn", "string", Arc::new(Int64Array::from(vec![None; rows]))),
    ]
}

fn ids(rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..rows).map(|at| format!("user-{at}"))))
}

fn write_parquet(lab: &Lab, name: &str, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let batch = batch.expect("a batch");
    let to = File::create(lab.path(name)).expect("a file");
    let mut writer = ArrowWriter::try_new(to, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    batch
}

/// The types of a mapping that is written as TOML.
fn type_of(mapping: &toml::Table, column: &str) -> String {
    let entry = mapping["columns"][column].as_table().expect("an entry");
    entry.get("type").map_or("string", |value| value.as_str().expect("text")).to_owned()
}

/// The mapping that a check of these inputs uses.
fn validated(lab: &Lab, inputs: &[&str]) -> toml::Table {
    let report = lab.report(0, &[&["validate"], inputs, &UNLIMITED].concat());
    let dir = report["run_dir"].as_str().expect("a run");
    let mapping = lab.read(&format!("{dir}/resolved-mapping.toml"));
    String::from_utf8(mapping).expect("UTF-8").parse().expect("TOML")
}

#[test]
fn a_column_without_a_value_has_the_type_that_its_file_declares() {
    for rows in [0, 3, 20_000] {
        let lab = Lab::new();
        let all = columns(rows);
        let plain = all.iter().map(|(name, _, array)| (*name, Arc::clone(array)));
        let batch = write_parquet(
            &lab,
            "in.parquet",
            [("customer_id", ids(rows))].into_iter().chain(plain).collect(),
        );
        lab.write("in.arrow", file(&batch.schema(), &[batch], IpcWriteOptions::default()));
        for input in ["in.parquet", "in.arrow"] {
            let mapping = validated(&lab, &[input]);
            let ran =
                lab.run(&["init", input, "--format", "mapping", "--out", "-", "--progress", "off"]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let text = String::from_utf8(ran.stdout).expect("UTF-8");
            let proposed: toml::Table = text.parse().expect("TOML");
            for (name, expected, _) in &all {
                assert_eq!(type_of(&mapping, name), *expected, "{name} of {input}, {rows} rows");
                assert_eq!(type_of(&proposed, name), *expected, "{name} of {input}:\n{text}");
            }
        }
    }
}

#[test]
fn values_decide_before_a_declaration_and_two_that_differ_make_text() {
    let lab = Lab::new();
    let number = || Arc::new(Int64Array::from(vec![None; 2])) as ArrayRef;
    let flag = Arc::new(BooleanArray::from(vec![None; 2]));
    let write = |name: &str, v: ArrayRef| {
        write_parquet(&lab, name, vec![("customer_id", ids(2)), ("v", v)]);
    };
    write("number.parquet", number());
    write("more.parquet", number());
    write("flag.parquet", flag);
    write("nothing.parquet", Arc::new(NullArray::new(2)));
    let large = (0..20_000).map(|at| (at == 19_999).then_some(9_007_199_254_740_993));
    let late = Int64Array::from_iter(large);
    let columns = vec![("customer_id", ids(20_000)), ("v", Arc::new(late) as ArrayRef)];
    write_parquet(&lab, "late.parquet", columns);
    lab.write("empty.csv", "customer_id,v\nuser-1,\n");
    lab.write("word.csv", "customer_id,v\nuser-1,many\n");
    lab.write("true.csv", "customer_id,v\nuser-1,true\n");
    for (inputs, expected) in [
        (&["number.parquet", "more.parquet"][..], "double"),
        (&["number.parquet", "empty.csv"], "double"),
        (&["empty.csv", "number.parquet"], "double"),
        (&["nothing.parquet", "number.parquet"], "double"),
        (&["number.parquet", "flag.parquet"], "string"),
        (&["number.parquet", "flag.parquet", "more.parquet"], "string"),
        (&["number.parquet", "word.csv"], "string"),
        (&["number.parquet", "true.csv"], "bool"),
        // A double would not keep it.
        (&["late.parquet"], "string"),
    ] {
        assert_eq!(type_of(&validated(&lab, inputs), "v"), expected, "{inputs:?}");
        let own = ["--format", "mapping", "--out", "-", "--progress", "off"];
        let ran = lab.run(&[&["init"], inputs, &own].concat());
        let proposed: toml::Table =
            String::from_utf8(ran.stdout).expect("UTF-8").parse().expect("TOML");
        assert_eq!(type_of(&proposed, "v"), expected, "init of {inputs:?}");
    }
}
