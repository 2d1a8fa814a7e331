//! The bytes of the rejects, and that they read back.

use arrow::{
    array::{Array, AsArray, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field as ArrowField, UInt32Type, UInt64Type},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use xxhash_rust::xxh3::Xxh3Default;

use super::*;
use crate::model::{ArrowRows, Field, TextEncoding, TextRecord, TextRows};

const COMMAS: SourceDialect = SourceDialect {
    delimiter: b',',
    quote: Some(b'"'),
    escape: None,
    encoding: TextEncoding::Utf8,
};

/// Sound records as the decoder makes them: each the raw bytes and the values.
fn rows(file: u32, records: &[(&str, &[&str])]) -> Rows {
    let mut text = TextRows { file, columns: records[0].1.len(), ..TextRows::default() };
    for (row, (raw, cells)) in (1..).zip(records) {
        let start = text.bytes.len() as u32;
        text.bytes.extend_from_slice(raw.as_bytes());
        text.records.push(TextRecord { row, line: row + 1, raw: start..text.bytes.len() as u32 });
        text.bytes.push(b'\n');
        for cell in *cells {
            text.fields.push(Field::unescaped(text.unescaped.len(), cell.len()));
            text.unescaped.extend_from_slice(cell.as_bytes());
        }
    }
    Rows::Text(text)
}

fn csv_source(header: &[&str], dialect: SourceDialect) -> SourceFormat {
    SourceFormat::Csv { header: header.iter().map(ToString::to_string).collect(), dialect }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != written::WRITTEN_FILE)
        .collect();
    names.sort();
    names
}

#[test]
fn raw_rows_keep_their_bytes_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    writer.declare_source(
        0,
        csv_source(&["customer_id", "last, first"], COMMAS),
        "in/a.csv",
        Vec::new(),
    );
    let block = rows(
        0,
        &[
            ("u1,\"needlessly quoted\"", &["u1", "needlessly quoted"]),
            ("u2,ok", &["u2", "ok"]),
            (" x,\"two\nlines\"", &[" x", "two\nlines"]),
        ],
    );
    writer.write(&block, 0, &[Code::TypeBool, Code::IdTooShort], "say \"yes\", or no").unwrap();
    writer.write(&block, 2, &[Code::IdMissing], "plain").unwrap();
    let (files, _) = writer.finish().unwrap();
    let path = dir.path().join("rejects.csv");
    assert_eq!(files, [RejectsFile { path: path.clone(), rows: 2 }]);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "customer_id,\"last, first\",_moebulk_file,_moebulk_row,_moebulk_line,_moebulk_codes,_moebulk_message\n\
         u1,\"needlessly quoted\",in/a.csv,1,2,type-bool;id-too-short,\"say \"\"yes\"\", or no\"\n \
         x,\"two\nlines\",in/a.csv,3,4,id-missing,plain\n"
    );
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(&records[0][6], "say \"yes\", or no");
    assert_eq!(&records[1][1], "two\nlines");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_rejects_file_as_source_gets_its_columns_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    let header = ["customer_id", "_moebulk_file", "n", "_moebulk_message"];
    writer.declare_source(0, csv_source(&["customer_id", "n"], COMMAS), "a.csv", Vec::new());
    writer.declare_source(1, csv_source(&header, COMMAS), "rejects.csv", Vec::new());
    writer.write(&rows(1, &[("u1,x,\"1,5\",y", &["u1", "x", "1,5", "y"])]), 0, &[], "m").unwrap();
    writer.write(&rows(0, &[("u2,\"2\"", &["u2", "2"])]), 0, &[], "m").unwrap();
    assert_eq!(writer.finish().unwrap().0.len(), 1, "both look the same without our columns");
    assert_eq!(
        fs::read_to_string(dir.path().join("rejects.csv")).unwrap(),
        "customer_id,n,_moebulk_file,_moebulk_row,_moebulk_line,_moebulk_codes,_moebulk_message\n\
         u1,\"1,5\",rejects.csv,1,2,,m\n\
         u2,\"2\",a.csv,1,2,,m\n"
    );
}

#[test]
fn without_quotes_a_message_can_not_break_the_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    let tabs = SourceDialect { delimiter: b'\t', quote: None, ..COMMAS };
    writer.declare_source(0, csv_source(&["id", "q\tx"], tabs), "a\tb.tsv", Vec::new());
    writer
        .write(&rows(0, &[("u1\t\"", &["u1", "\""])]), 0, &[Code::NulByte], "one\ttwo\r\nthree")
        .unwrap();
    writer.finish().unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join("rejects.csv")).unwrap(),
        "id\tq x\t_moebulk_file\t_moebulk_row\t_moebulk_line\t_moebulk_codes\t_moebulk_message\n\
         u1\t\"\ta b.tsv\t1\t2\tnul-byte\tone two  three\n"
    );
}

#[test]
fn files_are_numbered_by_header_and_stale_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    for stale in
        ["rejects.csv", "rejects-2.csv", "rejects-17.csv", "rejects.parquet", "rejects-x.csv"]
    {
        fs::write(dir.path().join(stale), "old").unwrap();
    }
    // A run wrote them.
    let mut hash = Xxh3Default::default();
    hash.update(b"old");
    fs::write(dir.path().join(written::WRITTEN_FILE), written::shown(&hash) + "\n").unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    for (file, column) in (0..).zip(["a", "b", "c", "b"]) {
        writer.declare_source(file, csv_source(&[column], COMMAS), "x.csv", Vec::new());
    }
    let semicolons = SourceDialect { delimiter: b';', ..COMMAS };
    writer.declare_source(4, csv_source(&["b"], semicolons), "y.csv", Vec::new());
    // The first has no rejects, and the order of writing is not that of declaring.
    for file in [4, 3, 2, 1] {
        writer.write(&rows(file, &[("v", &["v"])]), 0, &[], "m").unwrap();
    }
    let (files, _) = writer.finish().unwrap();
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [2, 1, 1]);
    assert_eq!(
        names(dir.path()),
        ["rejects-2.csv", "rejects-3.csv", "rejects-x.csv", "rejects.csv"]
    );
    let head = |name| fs::read_to_string(dir.path().join(name)).unwrap()[..2].to_owned();
    assert_eq!(
        [head("rejects.csv"), head("rejects-2.csv"), head("rejects-3.csv")],
        ["b,", "c,", "b;"]
    );

    let writer = RejectsWriter::new(dir.path(), false);
    assert_eq!(writer.finish().unwrap(), (vec![], vec![]));
    assert_eq!(names(dir.path()), ["rejects-x.csv"]);
}

#[test]
fn files_that_were_edited_are_set_aside_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let write = |cell: &str| {
        let mut writer = RejectsWriter::new(dir.path(), false);
        writer.declare_source(0, csv_source(&["a"], COMMAS), "a.csv", Vec::new());
        writer.write(&rows(0, &[(cell, &[cell])]), 0, &[], "m").unwrap();
        writer.finish().unwrap().1
    };
    let in_dir = |name: &str| dir.path().join(name);
    let read = |name| fs::read_to_string(in_dir(name)).unwrap();
    // The list holds what stands there before and after, and does not grow.
    for (cell, hashes) in [("1", 1), ("2", 2), ("2", 1), ("1", 2)] {
        assert_eq!(write(cell), [], "{cell}: none but runs wrote");
        assert_eq!(read(written::WRITTEN_FILE).lines().count(), hashes, "{cell}");
    }
    for kept in ["rejects-edited.csv", "rejects-edited-2.csv"] {
        fs::write(in_dir("rejects.csv"), kept).unwrap();
        let edited = Edited { path: in_dir("rejects.csv"), kept: in_dir(kept) };
        assert_eq!(write("3"), [edited]);
        assert_eq!(read(kept), kept);
        assert!(read("rejects.csv").contains("\n3,a.csv"));
    }
    // One that nothing replaces is kept too.
    fs::write(in_dir("rejects-7.csv"), "seven").unwrap();
    let (files, edited) = RejectsWriter::new(dir.path(), false).finish().unwrap();
    let kept = in_dir("rejects-7-edited.csv");
    assert_eq!((files, edited), (vec![], vec![Edited { path: in_dir("rejects-7.csv"), kept }]));
    assert!(!in_dir("rejects.csv").exists());
    assert!(!in_dir(written::WRITTEN_FILE).exists(), "nothing stands there");
}

#[test]
fn dropped_before_the_end_it_leaves_the_earlier_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rejects.csv"), "old").unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    writer.declare_source(0, csv_source(&["a"], COMMAS), "a.csv", Vec::new());
    let block = rows(0, &[("v", &["v"])]);
    writer.write(&block, 0, &[], "m").unwrap();
    drop(writer);
    assert_eq!(names(dir.path()), ["rejects.csv"]);
    assert_eq!(fs::read_to_string(dir.path().join("rejects.csv")).unwrap(), "old");
    let undeclared = RejectsWriter::new(dir.path(), false).write(&block, 0, &[], "m");
    assert!(matches!(undeclared, Err(Error::Undeclared(0))));
}

fn batch(file: u32, first_row: u64, ids: &[&str], ages: &[Option<i64>]) -> Rows {
    let schema = Schema::new(vec![
        ArrowField::new("customer_id", DataType::Utf8, false),
        ArrowField::new("_moebulk_codes", DataType::Utf8, false),
        ArrowField::new("age", DataType::Int64, true),
    ]);
    let batch = RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(ids.to_vec())),
            Arc::new(StringArray::from(vec!["old"; ids.len()])),
            Arc::new(Int64Array::from(ages.to_vec())),
        ],
    )
    .unwrap();
    Rows::Arrow(ArrowRows { file, row_group: 3, is_batch: false, first_row, batch })
}

#[test]
fn parquet_rows_keep_their_types_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    let first = batch(0, 11, &["u1", "u2", "u3"], &[Some(1), None, Some(3)]);
    let second = batch(1, 1, &["u4", "u5"], &[Some(i64::MAX), Some(5)]);
    for (file, block) in (0..).zip([&first, &second]) {
        let Rows::Arrow(rows) = block else { unreachable!() };
        let schema = rows.batch.schema();
        writer.declare_source(
            file,
            SourceFormat::Parquet { schema },
            ["a.parquet", "b.parquet"][file as usize],
            Vec::new(),
        );
    }
    writer.write(&first, 1, &[Code::IdTooShort], "short").unwrap();
    writer.write(&first, 2, &[Code::TypeBool, Code::NulByte], "two").unwrap();
    writer.write(&second, 0, &[], "three").unwrap();
    let (files, _) = writer.finish().unwrap();
    let path = dir.path().join("rejects.parquet");
    assert_eq!(files, [RejectsFile { path: path.clone(), rows: 3 }]);
    assert_eq!(names(dir.path()), ["rejects.parquet"]);

    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap());
    let batches: Vec<_> = reader.unwrap().build().unwrap().map(Result::unwrap).collect();
    let [read] = batches.as_slice() else { panic!("{} batches", batches.len()) };
    let schema = read.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(
        columns,
        [
            "customer_id",
            "age",
            "_moebulk_file",
            "_moebulk_row",
            "_moebulk_row_group",
            "_moebulk_codes",
            "_moebulk_message"
        ]
    );
    let texts =
        |column: usize| read.column(column).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
    assert_eq!(texts(0), ["u2", "u3", "u4"]);
    assert!(read.column(1).is_null(0));
    assert_eq!(
        read.column(1).as_any().downcast_ref::<Int64Array>().unwrap().values()[1..],
        [3, i64::MAX]
    );
    assert_eq!(texts(2), ["a.parquet", "a.parquet", "b.parquet"]);
    assert_eq!(read.column(3).as_primitive::<UInt64Type>().values(), &[12, 13, 1]);
    assert_eq!(read.column(4).as_primitive::<UInt32Type>().values(), &[3, 3, 3]);
    assert_eq!(texts(5), ["id-too-short", "type-bool;nul-byte", ""]);
    assert_eq!(texts(6), ["short", "two", "three"]);
}

#[test]
fn parquet_row_groups_begin_small_and_grow() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RejectsWriter::new(dir.path(), false);
    const ROWS: usize = 40_000;
    const BATCH: usize = 500;
    let (ids, ages) = (["u"; BATCH], [Some(1); BATCH]);
    for first in (1..=ROWS).step_by(BATCH) {
        let block = batch(0, first as u64, &ids, &ages);
        let Rows::Arrow(rows) = &block else { unreachable!() };
        let schema = rows.batch.schema();
        writer.declare_source(0, SourceFormat::Parquet { schema }, "a.parquet", Vec::new());
        for row in 0..BATCH {
            writer.write(&block, row, &[Code::IdTooShort], "short").unwrap();
        }
    }
    writer.finish().unwrap();
    let file = fs::File::open(dir.path().join("rejects.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let groups: Vec<_> =
        reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups.iter().sum::<i64>(), ROWS as i64);
    assert_eq!(groups[..2], [2_500, 2_500], "an open group is in memory: {groups:?}");
    assert!(groups.windows(2).rev().skip(1).all(|pair| pair[0] <= pair[1]), "{groups:?}");
    assert!(groups.len() < 16, "a closed group stays in the footer: {groups:?}");
}
