//! Typed columns both ways: as plain cells, and the general way.

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
        Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, LargeStringArray,
        NullArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    },
    compute::cast,
    datatypes::{DataType, Field, Int32Type, Schema},
};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::ArrowRows;
use crate::shape::{
    datetime::DateFormat,
    plan::{Rules, SourceColumn, ValueType},
};

const TYPES: [ValueType; 4] =
    [ValueType::Text, ValueType::Number, ValueType::Bool, ValueType::DateTime(DateFormat::Iso)];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,40}",
        2 => "\\PC{0,20}",
        1 => "[a-z\"\\\\\n\t]{0,20}",
        2 => "-?[0-9]{1,4}\\.?[0-9]{0,14}",
        2 => "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z)?",
        1 => "(true|false|TRUE)",
        1 => "\\[[a-c|1]{0,6}\\]",
        1 => "[x]{505,520}",
    ]
}

/// Whole numbers of every size.
fn number() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0_u32..64).prop_map(|(number, size)| number >> size)
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (number(), 0..8).prop_map(|(number, places)| number as f64 / 10_f64.powi(places)),
        Just(0.0),
        Just(-0.0),
    ]
}

/// Texts, whole numbers and doubles of some rows, of which any may be null.
type Values = (Vec<Option<String>>, Vec<Option<i64>>, Vec<Option<f64>>);

fn values() -> impl Strategy<Value = Values> {
    (1_usize..8).prop_flat_map(|rows| {
        (
            vec(prop::option::weighted(0.8, text()), rows),
            vec(prop::option::weighted(0.8, number()), rows),
            vec(prop::option::weighted(0.8, double()), rows),
        )
    })
}

/// A column of every type that may be plain, and some more.
fn columns((texts, numbers, doubles): &Values) -> Vec<ArrayRef> {
    let texts: StringArray = texts.iter().map(Option::as_deref).collect();
    let views = cast(&texts, &DataType::Utf8View).expect("texts");
    let large = cast(&texts, &DataType::LargeUtf8).expect("texts");
    let keys = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let dictionary = cast(&texts, &keys).expect("texts");
    let i64s = || numbers.iter().copied();
    let i32s = || i64s().map(|number| number.map(|number| number as i32));
    let decimals = |scale| {
        let values = i64s().map(|number| number.map(i128::from)).collect::<Decimal128Array>();
        Arc::new(values.with_precision_and_scale(30, scale).expect("a scale"))
    };
    let f32s = doubles.iter().map(|value| value.map(|value| value as f32));
    let (numbers_of_keys, at) = (Int64Array::from_iter_values([7, -1]), i32s());
    let at: Int32Array = at.map(|at| at.map(|at| at & 1)).collect();
    vec![
        Arc::new(texts),
        views,
        large,
        dictionary,
        Arc::new(DictionaryArray::<Int32Type>::new(at, Arc::new(numbers_of_keys))),
        Arc::new(i64s().collect::<Int64Array>()),
        Arc::new(i64s().map(|number| number.map(|number| number as u64)).collect::<UInt64Array>()),
        Arc::new(i32s().collect::<Int32Array>()),
        Arc::new(i64s().map(|number| number.map(|number| number as i16)).collect::<Int16Array>()),
        decimals(2),
        decimals(0),
        decimals(-2),
        Arc::new(doubles.iter().copied().collect::<Float64Array>()),
        Arc::new(f32s.collect::<Float32Array>()),
        Arc::new(i64s().map(|number| number.map(|number| number > 0)).collect::<BooleanArray>()),
        Arc::new(i32s().collect::<Date32Array>()),
        Arc::new(i64s().collect::<Date64Array>()),
        Arc::new(i64s().collect::<TimestampSecondArray>()),
        Arc::new(i64s().collect::<TimestampMillisecondArray>()),
        Arc::new(i64s().collect::<TimestampMicrosecondArray>()),
        Arc::new(i64s().collect::<TimestampNanosecondArray>()),
        Arc::new(NullArray::new(numbers.len())),
    ]
}

/// Everything that becomes of a batch, in words.
fn outcome(batch: &RecordBatch, value: ValueType, inferred: bool, rules: Rules) -> String {
    let names: Vec<_> =
        batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    let columns = names.iter().map(|name| match name.as_str() {
        "id" => PlanColumn::new(name, Target::CustomerId, "customer_id", ValueType::Text),
        _ => PlanColumn { inferred, ..PlanColumn::new(name, Target::Attribute, name, value) },
    });
    let plan = Plan::new(Kind::Users, columns.collect(), rules);
    let sources: Vec<_> = names.iter().map(|name| SourceColumn::text(name)).collect();
    let binding = plan.bind("f.parquet", &sources, false).expect("fits");
    let rows =
        ArrowRows { file: 0, row_group: 2, is_batch: false, first_row: 11, batch: batch.clone() };
    let rows = Arc::new(Rows::Arrow(rows));
    let block = shape(&plan, &binding, rows, View::default(), Spare::default()).expect("readable");
    let json = String::from_utf8(block.json).expect("UTF-8");
    format!("{json}\n{:?}\n{:?}\n{:?}", block.elements, block.rejects, block.tally)
}

/// A batch of these columns, each row with an id.
fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let ids: StringViewArray = (0..columns[0].len()).map(|at| Some(format!("user {at}"))).collect();
    let named = columns.into_iter().enumerate().map(|(at, array)| (format!("c{at}"), array));
    let named = std::iter::once(("id".to_owned(), Arc::new(ids) as ArrayRef)).chain(named);
    let (fields, arrays): (Vec<_>, Vec<_>) = named
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A word for null that no cell has sends every cell the general way.
    #[test]
    fn plain_cells_are_written_as_the_general_way_writes_them(
        values in values(),
        kind in 0..TYPES.len(),
        inferred in any::<bool>(),
        omit in any::<bool>(),
        strict in any::<bool>(),
        from in 0_usize..3,
    ) {
        let batch = batch(columns(&values));
        let from = from.min(batch.num_rows() - 1);
        let batch = batch.slice(from, batch.num_rows() - from);
        let value = TYPES[kind];
        let rules = Rules { omit_on_type_error: omit, strict, ..Rules::default() };
        let general = Rules { null_values: vec!["\u{1}no such word".into()], ..rules.clone() };
        prop_assert_eq!(outcome(&batch, value, inferred, rules), outcome(&batch, value, inferred, general));
    }
}

#[test]
fn plain_cells_of_every_type() {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from(vec!["short", "longer than what a view holds"])),
        Arc::new(LargeStringArray::from(vec![Some(""), None])),
        Arc::new(Int64Array::from(vec![Some(999_999_999_999_999), None])),
        Arc::new(Float64Array::from(vec![9_909.09, -5.0])),
        Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_120_000, -1_000_000])),
        Arc::new(Date32Array::from(vec![0, -719_528])),
        Arc::new(BooleanArray::from(vec![true, false])),
    ];
    let omit = Rules { omit_on_type_error: true, ..Rules::default() };
    let written = outcome(&batch(columns), ValueType::Text, false, omit);
    let (json, rest) = written.split_once('\n').expect("lines");
    assert_eq!(
        json,
        concat!(
            r#"{"type":"customer","customer_id":"user 0","attributes":{"c0":"short","c2":"999999999999999","#,
            r#""c3":"9909.09","c4":"2023-11-14T22:13:20.120Z","c5":"1970-01-01","c6":"true"}},"#,
            r#"{"type":"customer","customer_id":"user 1","attributes":{"c0":"longer than what a view holds","#,
            r#""c3":"-5","c4":"1969-12-31T23:59:59Z","c5":"0000-01-01","c6":"false"}},"#,
        )
    );
    assert!(rest.contains("\n[]\n"), "no rejects: {rest}");
}
