//! Arrow files that are small and claim much, and large batches.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, Int32Array, Int64Array, LargeListArray, ListArray, NullArray,
        RecordBatch, StringArray, StringViewArray, StructArray,
    },
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Int32Type},
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};

use crate::watched::Cage;

fn ids(count: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..count).map(|at| format!("user-{at}"))))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

/// Two batches with columns of every layout, to be broken.
pub fn batches() -> [RecordBatch; 2] {
    [0, 1].map(|_| {
        let words: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ]);
        let zips = Arc::new(StringViewArray::from(vec!["a text longer than a view", "b", "c"]));
        let field = Field::new("zip", DataType::Utf8View, true);
        batch(vec![
            ("customer_id", ids(3)),
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
            ("words", Arc::new(words)),
            ("lists", Arc::new(lists)),
            ("address", Arc::new(StructArray::new(vec![field].into(), vec![zips], None))),
            ("nothing", Arc::new(NullArray::new(3))),
        ])
    })
}

fn file(batch: &RecordBatch, codec: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(codec).expect("a codec");
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("a writer");
    writer.write(batch).expect("rows");
    writer.into_inner().expect("a footer")
}

fn stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    writer.write(batch).expect("rows");
    writer.into_inner().expect("an end")
}

#[test]
fn rows_and_values_that_no_byte_stands_for_are_refused() {
    let cage = Cage::new();
    let rows = batch(vec![("customer_id", Arc::new(NullArray::new(1 << 40)))]);
    let words = ["record batch 0", "claims 1099511627776 rows"];
    cage.refuses("rows.arrow", file(&rows, None), &words);
    cage.refuses("rows.arrows", stream(&rows), &words);
    let item = Arc::new(Field::new_list_field(DataType::Null, true));
    let offsets = OffsetBuffer::new(vec![0, 1 << 40].into());
    let lists = LargeListArray::new(item, offsets, Arc::new(NullArray::new(1 << 40)), None);
    let values = batch(vec![("customer_id", ids(1)), ("l", Arc::new(lists))]);
    cage.refuses("values.arrow", file(&values, None), &["claims 1099511627776 values"]);
}

#[test]
fn a_batch_that_is_large_once_decompressed_is_refused_before_it_is() {
    let cage = Cage::new();
    let texts = |count: usize| {
        let text = "a".repeat(4 << 20);
        let texts = StringArray::from_iter_values((0..count).map(|_| &text));
        batch(vec![("customer_id", ids(count)), ("t", Arc::new(texts))])
    };
    for codec in [CompressionType::ZSTD, CompressionType::LZ4_FRAME] {
        let words = ["a record batch has", "smaller record batches"];
        cage.refuses("large.arrow", file(&texts(40), Some(codec)), &words);
        // What is allowed stays below the bound; its texts are too long for any body.
        cage.write("allowed.arrow", file(&texts(31), Some(codec)));
        let ran = cage.run(&["validate", "allowed.arrow", "--threads", "4"]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
    }
    cage.refuses("plain.arrow", file(&texts(40), None), &["the most is 134217728"]);
}

#[test]
fn long_texts_that_a_dictionary_has_once_are_in_memory_once() {
    let cage = Cage::new();
    let values = Arc::new(StringArray::from(vec!["b".repeat(90_000)]));
    let keys = Int32Array::from(vec![0; 4_000]);
    let texts = DictionaryArray::<Int32Type>::new(keys, values);
    let rows = batch(vec![("customer_id", ids(4_000)), ("t", Arc::new(texts))]);
    cage.write("rows.arrow", file(&rows, None));
    let ran = cage.run(&["validate", "rows.arrow", "--threads", "8"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn one_large_batch_is_handed_out_in_parts() {
    let cage = Cage::new();
    let texts = StringArray::from_iter_values((0..1_000_000).map(|at| format!("{at:070}")));
    let numbers = Int64Array::from_iter_values(0..1_000_000);
    let rows = batch(vec![
        ("customer_id", ids(1_000_000)),
        ("t", Arc::new(texts)),
        ("n", Arc::new(numbers)),
    ]);
    cage.write("rows.arrow", file(&rows, None));
    let ran = cage.run(&["validate", "rows.arrow", "--threads", "8"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
