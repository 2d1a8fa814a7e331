//! Rejects of types that Parquet has no name for: whoever mends them with whatever tool sends what
//! the source would have sent.

use std::{fs::File, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, Date64Array, DictionaryArray, DurationMillisecondArray,
        DurationSecondArray, FixedSizeListArray, Int32Array, IntervalDayTimeArray,
        IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray, MapArray, RecordBatch,
        StringArray, StructArray, Time32SecondArray, TimestampSecondArray,
    },
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, IntervalDayTime, IntervalMonthDayNano, TimeUnit},
};
use parquet::{
    arrow::arrow_writer::ArrowWriterOptions,
    arrow::{
        ArrowWriter,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
};

use crate::{
    file, options,
    support::{Json, Lab},
};

const NOON_MS: i64 = 1_709_208_000_000;
const MIDNIGHT_MS: i64 = 1_709_164_800_000;

/// Two rows with a column of each type; the second value of each is null.
fn rows(ids: [&str; 2]) -> RecordBatch {
    let seconds = || TimestampSecondArray::from(vec![Some(NOON_MS / 1_000), None]);
    let spans = |len| OffsetBuffer::from_lengths([len, 0]);
    let list = |values: ArrayRef| {
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let len = values.len();
        Arc::new(ListArray::new(item, spans(len), values, None)) as ArrayRef
    };
    let structure = |name: &str, values: ArrayRef| {
        let fields = vec![Field::new(name, values.data_type().clone(), true)];
        Arc::new(StructArray::new(fields.into(), vec![values], None)) as ArrayRef
    };
    let nanos = |months, days, nanoseconds| IntervalMonthDayNano { months, days, nanoseconds };
    let periods =
        IntervalMonthDayNanoArray::from(vec![nanos(14, 5, 1_500_000_000), nanos(0, 0, 0)]);
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("keys", DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["a"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("values", DataType::Duration(TimeUnit::Second), true)),
            Arc::new(DurationSecondArray::from(vec![90])) as ArrayRef,
        ),
    ]);
    let item = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(item, spans(1), entries, None, false);
    let item = Arc::new(Field::new_list_field(periods.data_type().clone(), true));
    let fixed = FixedSizeListArray::new(item, 1, Arc::new(periods.clone()), None);
    let codes = DictionaryArray::new(Int32Array::from(vec![Some(0), None]), Arc::new(seconds()));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(StringArray::from(ids.to_vec()))),
        ("second", Arc::new(seconds())),
        ("zoned", Arc::new(seconds().with_timezone("+02:00"))),
        ("clock", Arc::new(Time32SecondArray::from(vec![Some(5), None]))),
        ("day", Arc::new(Date64Array::from(vec![Some(MIDNIGHT_MS), None]))),
        ("moment", Arc::new(Date64Array::from(vec![Some(NOON_MS + 7), None]))),
        ("lasted", Arc::new(DurationMillisecondArray::from(vec![Some(-1_500), None]))),
        ("months", Arc::new(IntervalYearMonthArray::from(vec![Some(14), None]))),
        (
            "days",
            Arc::new(IntervalDayTimeArray::from(vec![Some(IntervalDayTime::new(2, 500)), None])),
        ),
        ("period", Arc::new(periods)),
        ("code", Arc::new(codes)),
        ("seconds", list(Arc::new(seconds()))),
        ("at", structure("day", Arc::new(Date64Array::from(vec![Some(MIDNIGHT_MS), None])))),
        ("fixed", Arc::new(fixed)),
        ("map", Arc::new(map)),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

/// The rejects with other ids, as a tool writes them that knows nothing of Arrow's schema.
fn mend(lab: &Lab, path: &str, ids: [&str; 2]) {
    let file = File::open(lab.path(path)).expect("rejects");
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain);
    let rows = reader.expect("Parquet").build().expect("rows").next().expect("one").expect("rows");
    let mut columns = rows.columns().to_vec();
    columns[0] = Arc::new(StringArray::from(ids.to_vec()));
    let rows = RecordBatch::try_new(rows.schema(), columns).expect("the same types");
    let file = File::create(lab.path(path)).expect("a file");
    let plain = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(file, rows.schema(), plain).expect("a writer");
    writer.write(&rows).expect("rows");
    writer.close().expect("a footer");
}

#[test]
fn what_is_mended_is_sent_as_its_source_would_have_been() {
    let ids = ["user-1", "user-2"];
    let lab = Lab::new();
    let (sound, broken) = (rows(ids), rows(["x", "y"]));
    lab.write("sound.arrow", file(&sound.schema(), std::slice::from_ref(&sound), options(None)));
    lab.write("broken.arrow", file(&broken.schema(), &[broken], options(None)));
    let (_, expected) = lab.pack(0, &["sound.arrow"]);
    let sent = expected[0].get("attributes");
    assert_eq!(sent.get("lasted"), &Json::Text("PT-1.5S".to_owned()));
    let seconds = vec![Json::Text("2024-02-29T12:00:00Z".to_owned())];
    assert_eq!(sent.get("seconds"), &Json::Array(seconds));

    let (report, elements) = lab.pack(1, &["broken.arrow"]);
    assert_eq!(elements.len(), 0);
    assert_eq!(report["rows"]["rejected"], 2);
    let path = format!("{}/rejects.parquet", report["run_dir"].as_str().expect("a directory"));
    mend(&lab, &path, ids);
    let (_, mended) = lab.pack(0, &[&path]);
    assert_eq!(mended, expected);
    // Without the mapping that lies beside it, types are seen anew.
    std::fs::copy(lab.path(&path), lab.path("moved.parquet")).expect("a copy");
    let (_, moved) = lab.pack(0, &["moved.parquet"]);
    assert_eq!(moved, expected);
}

#[test]
fn objects_without_members_keep_no_row_from_the_rejects() {
    let empty = StructArray::new_empty_fields(2, None);
    let batch = RecordBatch::try_from_iter([
        ("customer_id", Arc::new(StringArray::from(vec!["x", "user-2"])) as ArrayRef),
        ("empty", Arc::new(empty) as ArrayRef),
    ])
    .expect("a batch");
    let lab = Lab::new();
    lab.write("rows.arrow", file(&batch.schema(), std::slice::from_ref(&batch), options(None)));
    let (report, elements) = lab.pack(1, &["rows.arrow"]);
    assert_eq!((elements.len(), &report["rows"]["rejected"]), (1, &1.into()));
    let path = format!("{}/rejects.parquet", report["run_dir"].as_str().expect("a directory"));
    let rejects = File::open(lab.path(&path)).expect("rejects");
    let reader = ParquetRecordBatchReaderBuilder::try_new(rejects).expect("Parquet");
    let rows = reader.build().expect("rows").next().expect("one").expect("rows");
    let empty = rows.column_by_name("empty").expect("a column");
    let empty = empty.as_any().downcast_ref::<StringArray>().expect("texts");
    assert_eq!((rows.num_rows(), empty.value(0)), (1, "{}"));
}
