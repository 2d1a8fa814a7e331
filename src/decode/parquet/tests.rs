use arrow::{array::*, buffer::OffsetBuffer, datatypes::*};
use bytes::Bytes;
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

use super::*;
use crate::model::ArrowRows;

const ROWS: i64 = 25_000;
const GROUP_ROWS: usize = 10_000;

fn write(batch: &RecordBatch, group_rows: usize) -> Bytes {
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer = ArrowWriter::try_new(vec![], batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// Three row groups of 10,000, 10,000 and 5,000 rows; `n` is the data row from 0.
fn sample() -> Bytes {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let names: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("u{n}"))));
    let flags: ArrayRef =
        Arc::new(BooleanArray::from_iter((0..ROWS).map(|n| (n % 3 > 0).then_some(n % 2 > 0))));
    write(
        &RecordBatch::try_from_iter([("n", numbers), ("name", names), ("flag", flags)]).unwrap(),
        GROUP_ROWS,
    )
}

fn read(file: &ParquetFile, group: usize, columns: &[usize], rows: Range<u64>) -> Vec<ArrowRows> {
    file.read_group(group, columns, rows, &PagePool::default())
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn numbers(batches: &[ArrowRows]) -> Vec<i64> {
    batches
        .iter()
        .flat_map(|rows| rows.batch.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect()
}

#[test]
fn a_file_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn moved<T: Send>() {}
    shared::<ParquetFile>();
    moved::<GroupRows>();
}

#[test]
fn row_groups_come_back_in_order_with_exact_positions() {
    let file = ParquetFile::open(sample(), 7).unwrap();
    assert_eq!((file.rows(), file.row_groups()), (25_000, 3));
    assert_eq!([0, 1, 2].map(|group| file.row_group_rows(group)), [10_000, 10_000, 5_000]);
    assert_eq!([0, 1, 2].map(|group| file.first_row(group)), [1, 10_001, 20_001]);

    let mut all = vec![];
    for group in 0..3 {
        for rows in read(&file, group, &[0, 1, 2], 0..u64::MAX) {
            assert_eq!((rows.file, rows.row_group as usize), (7, group));
            assert_eq!(rows.first_row, all.len() as u64 + 1);
            assert!(rows.batch.num_rows() <= BATCH_ROWS_MAX);
            all.extend(numbers(&[rows]));
        }
    }
    assert!(all.into_iter().eq(0..ROWS));
}

#[test]
fn a_window_is_exact_and_cut_to_the_group() {
    let file = ParquetFile::open(sample(), 0).unwrap();
    for window in [0..1, 4_095..4_097, 9_999..10_000, 123..9_876, 4_990..20_000] {
        let batches = read(&file, 1, &[0], window.clone());
        let end = window.end.min(10_000);
        assert_eq!(batches[0].first_row, 10_001 + window.start);
        let expected = 10_000 + window.start as i64..10_000 + end as i64;
        assert!(numbers(&batches).into_iter().eq(expected), "{window:?}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "an empty window, however it is written")]
    for empty in [0..0, 10_000..10_001, u64::MAX..u64::MAX, 5..3] {
        assert!(read(&file, 1, &[0], empty).is_empty());
    }
}

#[test]
fn only_the_projected_columns_are_decoded() {
    let file = ParquetFile::open(sample(), 0).unwrap();
    let names = |columns: &[usize]| {
        let rows = read(&file, 2, columns, 0..10).remove(0);
        assert_eq!(rows.batch.num_rows(), 10);
        rows.batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[1]), ["name"]);
    assert_eq!(names(&[2, 0, 2, 99]), ["n", "flag"]);
    assert!(names(&[]).is_empty());

    // The pages of the others are not so much as looked at.
    let (from, bytes) = file.0.metadata.metadata().row_group(2).column(1).byte_range();
    let mut bad = sample().to_vec();
    bad[from as usize..(from + bytes) as usize].fill(0xff);
    let file = ParquetFile::open(Bytes::from(bad), 0).unwrap();
    assert!(numbers(&read(&file, 2, &[0, 2], 0..5_000)).into_iter().eq(20_000..25_000));
    let damaged = file.read_group(2, &[1], 0..10, &PagePool::default());
    assert!(damaged.and_then(|mut rows| rows.next().unwrap()).is_err());
}

/// A look at a header is short; one with long values in it is read all the same.
#[test]
fn a_page_header_may_be_longer_than_a_look() {
    let texts: Vec<String> = (0..20).map(|n| format!("{n}{}", "x".repeat(4_000))).collect();
    let column: ArrayRef = Arc::new(StringArray::from(texts.clone()));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_statistics_truncate_length(None)
        .set_dictionary_enabled(false)
        .set_write_page_header_statistics(true)
        .build();
    let mut writer = ArrowWriter::try_new(vec![], batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let file = ParquetFile::open(Bytes::from(writer.into_inner().unwrap()), 0).unwrap();
    let rows = read(&file, 0, &[0], 0..20).remove(0);
    let read = rows.batch.column(0).as_string_view();
    assert!(texts.iter().enumerate().all(|(row, text)| read.value(row) == text));
}

#[test]
fn threads_read_different_groups_of_one_file() {
    let file = ParquetFile::open(sample(), 0).unwrap();
    let sums: Vec<i64> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..3)
            .map(|group| {
                let file = file.clone();
                scope.spawn(move || numbers(&read(&file, group, &[0], 0..u64::MAX)).iter().sum())
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(sums.iter().sum::<i64>(), ROWS * (ROWS - 1) / 2);
}

#[test]
fn columns_say_why_they_cannot_be_read() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let fields = Fields::from(vec![Field::new("inner", DataType::Int32, true)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec!["a"]))),
        ("list", Arc::new(list)),
        ("struct", new_null_array(&DataType::Struct(fields), 1)),
        ("bytes", Arc::new(BinaryArray::from(vec![b"a".as_slice()]))),
        (
            "amount",
            Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(30, 2).unwrap()),
        ),
    ];
    let file = ParquetFile::open(
        write(
            &RecordBatch::try_from_iter_with_nullable(
                columns.into_iter().map(|(name, array)| (name, array, true)),
            )
            .unwrap(),
            10,
        ),
        0,
    )
    .unwrap();
    let refused: Vec<_> = file
        .columns()
        .iter()
        .map(|column| (column.index, column.name.as_str(), column.refusal.is_some()))
        .collect();
    assert_eq!(
        refused,
        [
            (0, "text", false),
            (1, "list", false),
            (2, "struct", false),
            (3, "bytes", true),
            (4, "amount", false)
        ]
    );
    // A column beside nested ones is found by its top-level index.
    let rows = read(&file, 0, &[4], 0..1).remove(0);
    assert_eq!(rows.batch.schema().field(0).name(), "amount");
}

#[test]
fn narrow_dictionaries_may_hold_more_values_than_their_keys() {
    let batch = |from: u32| {
        let words: Vec<String> = (from..from + 100).map(|n| format!("w{n}")).collect();
        let keys = Int8Array::from_iter_values(0..100);
        let words = Arc::new(StringArray::from(words));
        let column: ArrayRef = Arc::new(DictionaryArray::new(keys, words));
        RecordBatch::try_from_iter([("word", column)]).unwrap()
    };
    let mut writer = ArrowWriter::try_new(vec![], batch(0).schema(), None).unwrap();
    for from in [0, 100, 200] {
        writer.write(&batch(from)).unwrap();
    }
    let file = ParquetFile::open(Bytes::from(writer.into_inner().unwrap()), 0).unwrap();
    assert_eq!(file.columns()[0].data_type, DataType::Utf8View);
    let rows = read(&file, 0, &[0], 0..300).remove(0);
    let words = rows.batch.column(0).as_string_view();
    assert!((0..300).all(|n| words.value(n) == format!("w{n}")));
}

#[test]
fn what_is_no_whole_parquet_file_is_named() {
    let good = sample();
    let open = |bytes: &[u8]| ParquetFile::open(Bytes::copy_from_slice(bytes), 0).unwrap_err();
    assert!(matches!(open(b""), Error::NotParquet));
    assert!(matches!(open(b"customer_id,u_em\n1,2\n"), Error::NotParquet));
    assert!(matches!(open(&good[..good.len() - 1]), Error::CutShort));
    assert!(matches!(open(&good[..1_000]), Error::CutShort));
    assert!(matches!(open(&good[good.len() - 12..]), Error::CutShort));
    let mut encrypted = good.to_vec();
    encrypted.splice(good.len() - 4.., *b"PARE");
    assert!(matches!(open(&encrypted), Error::Encrypted));
    let mut footer = good.to_vec();
    footer[good.len() - 200..good.len() - 8].fill(0xff);
    assert!(matches!(open(&footer), Error::Footer { .. }));
}

#[test]
fn a_damaged_page_names_its_row_group_and_leaves_the_others() {
    let good = sample();
    let file = ParquetFile::open(good.clone(), 0).unwrap();
    let chunk = file.0.metadata.metadata().row_group(1).column(0).byte_range();
    let mut bad = good.to_vec();
    bad[chunk.0 as usize..(chunk.0 + chunk.1) as usize].fill(0xff);
    let file = ParquetFile::open(Bytes::from(bad), 0).unwrap();
    let error = match file.read_group(1, &[0], 0..10_000, &PagePool::default()) {
        Ok(mut batches) => batches.next().unwrap().unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().starts_with("row group 1 of the Parquet file is broken"), "{error}");
    assert_eq!(numbers(&read(&file, 2, &[0], 0..1)), [20_000]);
    assert!(matches!(
        file.read_group(3, &[0], 0..1, &PagePool::default()),
        Err(Error::Broken { row_group: 3, .. })
    ));
}

#[test]
fn any_flipped_byte_gives_rows_or_an_error() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..50).map(|n| format!("u{n}"))));
    let good = write(&RecordBatch::try_from_iter([("n", numbers), ("name", names)]).unwrap(), 20);
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.to_vec();
            bad[at] ^= flip;
            let Ok(file) = ParquetFile::open(Bytes::from(bad), 0) else {
                continue;
            };
            for group in 0..file.row_groups() {
                let Ok(batches) =
                    file.read_group(group, &[0, 1], 0..u64::MAX, &PagePool::default())
                else {
                    continue;
                };
                let rows = batches.map_while(Result::ok).map(|rows| rows.batch.num_rows() as u64);
                assert!(rows.take(100).sum::<u64>() <= file.row_group_rows(group));
            }
        }
    }
    std::panic::set_hook(quiet);
}

/// One row group of a list of `items` nulls in every row, and a text column beside it.
fn lists(rows: usize, items: usize) -> Bytes {
    let values = new_null_array(&DataType::Utf8, rows * items);
    let offsets = OffsetBuffer::from_lengths(vec![items; rows]);
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let list: ArrayRef = Arc::new(ListArray::new(item, offsets, values, None));
    let nothing = new_null_array(&DataType::new_list(DataType::Utf8, true), rows);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["text"; rows]));
    let columns = [("text", text), ("nothing", nothing), ("list", list)];
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    // One page a column, however many values it has.
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(usize::MAX)
        .set_write_batch_size(usize::MAX)
        .build();
    let mut writer = ArrowWriter::try_new(vec![], batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn columns_whose_pages_take_turns_are_read() {
    let file = ParquetFile::open(lists(10_000, 3), 0).unwrap();
    let batches = read(&file, 0, &[0, 1, 2], 0..u64::MAX);
    assert_eq!(batches.iter().map(|rows| rows.batch.num_rows()).sum::<usize>(), 10_000);
    let lists = batches[0].batch.column(2).as_list::<i32>();
    assert!((0..lists.len()).all(|row| lists.value(row).len() == 3));
    // From the middle of the page, and with its dictionary read late.
    let rows = read(&file, 0, &[0, 2], 7_000..7_001).remove(0);
    assert_eq!(rows.batch.column(0).as_string_view().value(0), "text");
}

#[test]
fn a_small_file_that_would_fill_the_memory_is_refused() {
    let bytes = lists(1, 4_500_000);
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    let file = ParquetFile::open(bytes, 0).unwrap();
    let error = file
        .read_group(0, &[0, 2], 0..1, &PagePool::default())
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("a page of column `list.list.item` takes"), "{text}");
    assert!(text.contains("for 4500000 values in lists"), "{text}");
    assert_eq!(read(&file, 0, &[0], 0..1)[0].batch.num_rows(), 1, "the other columns can be read");
}

#[test]
fn a_text_that_a_dictionary_repeats_comes_in_small_batches() {
    let long = "x".repeat(100_000);
    let text: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(); 2_000]));
    let file = write(&RecordBatch::try_from_iter([("text", text)]).unwrap(), 2_000);
    assert!(file.len() < 500_000, "{}", file.len());
    let file = ParquetFile::open(file, 0).unwrap();
    let batches = read(&file, 0, &[0], 0..u64::MAX);
    let rows: Vec<_> = batches.iter().map(|rows| rows.batch.num_rows()).collect();
    assert_eq!(rows.iter().sum::<usize>(), 2_000);
    assert!(rows.iter().all(|&rows| rows * 100_000 <= 8 << 20), "{rows:?}");
    let firsts: Vec<_> = batches.iter().map(|rows| rows.first_row as usize).collect();
    assert_eq!(
        firsts[1..],
        rows.iter()
            .scan(1, |at, rows| {
                *at += rows;
                Some(*at)
            })
            .collect::<Vec<_>>()[..rows.len() - 1]
    );
}

#[test]
fn int96_keeps_its_milliseconds_in_every_year_and_tells_of_digits_below() {
    use parquet::{
        data_type::{Int96, Int96Type},
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };
    const EPOCH: i64 = 2_440_588;
    let schema = "message m { required int96 at; required group l (LIST) { repeated group list { required int96 element; } } }";
    let schema = parse_message_type(schema).unwrap();
    // Days since 1970 and nanoseconds of the day, and microseconds of them.
    let instants = [
        (0, 0, 0),
        (0, 1, 1),
        (-1, 86_399_999_999_999, -1),
        (-719_162, 1_000_000, -719_162 * 86_400_000_000 + 1_000),
        (2_932_896, 86_399_999_000_000, 2_932_897 * 86_400_000_000 - 1_000),
        (106_000_000, 0, 106_000_000 * 86_400_000_000),
        (200_000_000, 0, i64::MAX),
    ];
    let values: Vec<Int96> = instants
        .iter()
        .map(|&(days, nanos, _): &(i64, u64, i64)| {
            let mut value = Int96::new();
            value.set_data(nanos as u32, (nanos >> 32) as u32, (days + EPOCH) as u32);
            value
        })
        .collect();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema.into(), WriterProperties::new().into())
            .unwrap();
    let mut group = writer.next_row_group().unwrap();
    // The column, then the list column with one element a row.
    for levels in [None, Some((vec![1; values.len()], vec![0; values.len()]))] {
        let mut column = group.next_column().unwrap().unwrap();
        let (definition, repetition) = levels.unzip();
        column
            .typed::<Int96Type>()
            .write_batch(&values, definition.as_deref(), repetition.as_deref())
            .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let file = ParquetFile::open(Bytes::from(writer.into_inner().unwrap()), 0).unwrap();
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(file.columns()[0].data_type, micros);
    let rows = read(&file, 0, &[0, 1], 0..u64::MAX).remove(0);
    let expected: Vec<i64> = instants.iter().map(|&(.., micros)| micros).collect();
    let lists = rows.batch.column(1).as_list::<i32>();
    for found in [rows.batch.column(0), lists.values()] {
        assert_eq!(*found.as_primitive::<TimestampMicrosecondType>().values(), expected);
    }
}
