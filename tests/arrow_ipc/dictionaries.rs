//! Dictionaries: one for all batches, another for each, and more of one.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, StringArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Int8Type, Int32Type},
};
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions};

use crate::{
    file, options, stream,
    support::{Json, Lab},
};

/// A batch of users whose `colour` is a key into these values.
fn batch(from: usize, keys: &[Option<i32>], values: &[&str]) -> RecordBatch {
    let ids =
        StringArray::from_iter_values((from..from + keys.len()).map(|at| format!("user-{at}")));
    let values = Arc::new(StringArray::from(values.to_vec()));
    let colours = DictionaryArray::<Int32Type>::new(Int32Array::from(keys.to_vec()), values);
    RecordBatch::try_from_iter_with_nullable([
        ("customer_id", Arc::new(ids) as ArrayRef, false),
        ("colour", Arc::new(colours) as ArrayRef, true),
    ])
    .expect("a batch")
}

/// The colours that are sent, in order.
fn colours(lab: &Lab, name: &str) -> Vec<Option<String>> {
    let (_, elements) = lab.pack(0, &[name]);
    let colour = |element: &Json| match element.get("attributes").get("colour") {
        Json::Text(text) => Some(text.clone()),
        _ => None,
    };
    elements.iter().map(colour).collect()
}

fn owned(all: &[Option<&str>]) -> Vec<Option<String>> {
    all.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn a_dictionary_that_is_replaced_counts_for_the_batches_behind_it() {
    let batches = [
        batch(0, &[Some(0), Some(1), None], &["red", "green"]),
        batch(3, &[Some(1), Some(0)], &["blue", "grey"]),
    ];
    let lab = Lab::new();
    lab.write("rows.arrows", stream(&batches[0].schema(), &batches, options(None)));
    let expected = [Some("red"), Some("green"), None, Some("grey"), Some("blue")];
    assert_eq!(colours(&lab, "rows.arrows"), owned(&expected));
    // Rows that are left out still bring their dictionaries.
    let (_, elements) = lab.pack(0, &["rows.arrows", "--offset", "4"]);
    assert_eq!(elements[0].get("attributes").get("colour"), &Json::text("blue"));
}

#[test]
fn a_dictionary_that_grows_keeps_what_it_had() {
    let batches = [
        batch(0, &[Some(0), None], &["red"]),
        batch(2, &[Some(0), Some(1)], &["red", "green"]),
        batch(4, &[Some(2), Some(0)], &["red", "green", "blue"]),
    ];
    let delta = || IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let lab = Lab::new();
    lab.write("rows.arrow", file(&batches[0].schema(), &batches, delta()));
    lab.write("rows.arrows", stream(&batches[0].schema(), &batches, delta()));
    let expected = [Some("red"), None, Some("red"), Some("green"), Some("blue"), Some("red")];
    for name in ["rows.arrow", "rows.arrows"] {
        assert_eq!(colours(&lab, name), owned(&expected), "{name}");
    }
}

#[test]
fn dictionaries_hold_numbers_and_stand_in_lists() {
    let ids = Arc::new(StringArray::from(vec!["user-0", "user-1", "user-2"])) as ArrayRef;
    let numbers = DictionaryArray::<Int8Type>::new(
        vec![Some(1), None, Some(0)].into(),
        Arc::new(Int32Array::from(vec![10, 20])),
    );
    let words: DictionaryArray<Int32Type> = ["a", "b", "a", "c"].into_iter().collect();
    let item = Field::new_list_field(words.data_type().clone(), true);
    let lists = ListArray::new(
        item.into(),
        OffsetBuffer::new(vec![0, 2, 2, 4].into()),
        Arc::new(words),
        None,
    );
    // Values that are lists themselves.
    let pairs = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        Some(vec![Some(3)]),
    ]);
    let keyed =
        DictionaryArray::<Int32Type>::new(vec![Some(1), Some(0), None].into(), Arc::new(pairs));
    assert!(matches!(keyed.data_type(), DataType::Dictionary(_, values) if values.is_nested()));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("customer_id", ids, false),
        ("n", Arc::new(numbers) as ArrayRef, true),
        ("words", Arc::new(lists) as ArrayRef, true),
        ("keyed", Arc::new(keyed) as ArrayRef, true),
    ])
    .expect("a batch");
    let lab = Lab::new();
    lab.write("rows.arrow", file(&batch.schema(), std::slice::from_ref(&batch), options(None)));
    lab.write("rows.arrows", stream(&batch.schema(), &[batch], options(None)));
    for name in ["rows.arrow", "rows.arrows"] {
        let (_, elements) = lab.pack(0, &[name]);
        let found: Vec<Json> = elements.iter().map(|one| one.get("attributes").clone()).collect();
        let words = |all: &[&str]| Json::Array(all.iter().map(|text| Json::text(text)).collect());
        let numbers = |all: &[&str]| {
            Json::Array(all.iter().map(|digits| Json::Number((*digits).to_owned())).collect())
        };
        let expected = [
            Json::object([
                ("n", Json::Number("20".to_owned())),
                ("words", words(&["a", "b"])),
                ("keyed", numbers(&["3"])),
            ]),
            Json::object([("words", words(&[])), ("keyed", numbers(&["1", "2"]))]),
            Json::object([("n", Json::Number("10".to_owned())), ("words", words(&["a", "c"]))]),
        ];
        assert_eq!(found, expected, "{name}");
    }
}
