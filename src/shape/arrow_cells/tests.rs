use std::sync::Arc;

use arrow::{array::*, buffer::OffsetBuffer, datatypes::*};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::*;
use crate::shape::{
    cells::Known,
    number::{Fit, Number},
};

/// Every cell of a column, written down as `kind:text`; what is known of it is true.
fn cells(array: &dyn Array) -> Vec<String> {
    let column = ArrowColumn::new(array).expect("a readable type");
    let mut scratch = "left over".to_owned();
    let cells = (0..array.len()).map(|row| {
        let cell = column.cell(row, &mut scratch);
        let known = column.known(row);
        let is_so = match known {
            Known::Nothing => true,
            Known::Absent => matches!(cell, Cell::Absent | Cell::Text("")),
            Known::Bool => matches!(cell, Cell::Bool(_)),
            Known::Number => match cell {
                Cell::Number { digits, binary } => {
                    let number = Number::parse(digits);
                    binary || number.is_some_and(|number| number.fit() == Fit::Exact)
                }
                _ => false,
            },
            Known::Date => matches!(cell, Cell::DateTime { .. }),
            Known::Text => matches!(cell, Cell::Text(text) if !text.is_empty()),
        };
        assert!(is_so, "{known:?} of {cell:?}");
        match cell {
            Cell::Absent => "absent".to_owned(),
            Cell::Text(text) => format!("text:{text}"),
            Cell::Number { digits, binary: false } => format!("exact:{digits}"),
            Cell::Number { digits, binary: true } => format!("binary:{digits}"),
            Cell::Bool(value) => format!("bool:{value}"),
            Cell::DateTime { text, cut: false } => format!("date:{text}"),
            Cell::DateTime { text, cut: true } => format!("cut:{text}"),
            Cell::Json { json, flaws } => {
                let flaws: Vec<_> = flaws.iter().map(Code::as_str).collect();
                format!("json:{json} {}", flaws.join(" ")).trim_end().to_owned()
            }
            Cell::Bad(code) => format!("bad:{code}"),
        }
    });
    cells.collect()
}

#[test]
fn the_type_of_most_cells_is_known_without_their_text() {
    let known = |array: &dyn Array| ArrowColumn::new(array).expect("readable").known(0);
    let texts: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec!["a"])),
        Arc::new(StringViewArray::from(vec!["a"])),
        Arc::new(Int32DictionaryArray::from_iter(["a"])),
    ];
    for text in texts {
        assert_eq!(known(&text), Known::Text, "{}", text.data_type());
    }
    let numbers: [ArrayRef; 4] = [
        Arc::new(Int64Array::from(vec![-999_999_999_999_999])),
        Arc::new(UInt8Array::from(vec![255])),
        Arc::new(Float32Array::from(vec![1e30])),
        Arc::new(Decimal128Array::from(vec![150]).with_precision_and_scale(9, 2).unwrap()),
    ];
    for number in numbers {
        assert_eq!(known(&number), Known::Number, "{}", number.data_type());
    }
    let dates: [ArrayRef; 3] = [
        Arc::new(Date32Array::from(vec![-400_000])),
        Arc::new(TimestampNanosecondArray::from(vec![i64::MIN])),
        Arc::new(TimestampSecondArray::from(vec![252_999_999_999])),
    ];
    for date in dates {
        assert_eq!(known(&date), Known::Date, "{}", date.data_type());
    }
    assert_eq!(known(&BooleanArray::from(vec![true])), Known::Bool);
    assert_eq!(known(&BooleanArray::from(vec![None::<bool>])), Known::Absent);
    assert_eq!(known(&StringArray::from(vec![""])), Known::Absent);
}

proptest! {
    #[test]
    fn what_is_known_of_a_number_or_a_date_is_true(
        value in prop_oneof![
            any::<i64>(),
            (any::<i64>(), 0..64).prop_map(|(value, size)| value >> size),
            -63_000_000_000_i64..254_000_000_000,
            -63_000_000_000_000_i64..254_000_000_000_000,
        ],
        scale in -3_i8..15,
    ) {
        cells(&Int64Array::from(vec![value]));
        cells(&UInt64Array::from(vec![value as u64]));
        cells(&Float64Array::from(vec![f64::from_bits(value as u64), value as f64]));
        cells(&Float32Array::from(vec![f32::from_bits(value as u32)]));
        cells(&Date32Array::from(vec![value as i32, (value / 86_400) as i32]));
        cells(&Date64Array::from(vec![value]));
        cells(&TimestampSecondArray::from(vec![value]));
        cells(&TimestampMillisecondArray::from(vec![value]));
        cells(&TimestampMicrosecondArray::from(vec![value]));
        cells(&TimestampNanosecondArray::from(vec![value]));
        let digits = value % 1_000_000_000_000_000_000;
        let decimal = Decimal128Array::from(vec![i128::from(digits)]);
        cells(&decimal.with_precision_and_scale(18, scale).unwrap());
        let decimal = Decimal64Array::from(vec![digits]);
        cells(&decimal.with_precision_and_scale(18, scale).unwrap());
    }
}

#[test]
fn integers_are_exact_to_the_ends_of_their_range() {
    let ends: [(ArrayRef, [&str; 2]); 8] = [
        (Arc::new(Int8Array::from(vec![i8::MIN, i8::MAX])), ["-128", "127"]),
        (Arc::new(Int16Array::from(vec![i16::MIN, i16::MAX])), ["-32768", "32767"]),
        (Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX])), ["-2147483648", "2147483647"]),
        (
            Arc::new(Int64Array::from(vec![i64::MIN, (1 << 53) + 1])),
            ["-9223372036854775808", "9007199254740993"],
        ),
        (Arc::new(UInt8Array::from(vec![0, u8::MAX])), ["0", "255"]),
        (Arc::new(UInt16Array::from(vec![0, u16::MAX])), ["0", "65535"]),
        (Arc::new(UInt32Array::from(vec![0, u32::MAX])), ["0", "4294967295"]),
        (Arc::new(UInt64Array::from(vec![0, u64::MAX])), ["0", "18446744073709551615"]),
    ];
    for (array, expected) in ends {
        assert_eq!(cells(&array), expected.map(|digits| format!("exact:{digits}")));
    }
}

#[test]
fn floats_widen_to_the_double_that_they_are() {
    let singles = Float32Array::from(vec![0.1, -0.0, f32::NAN, f32::INFINITY, 16_777_216.0]);
    assert_eq!(
        cells(&singles),
        [
            "binary:0.10000000149011612",
            "binary:-0.0",
            "bad:number-not-finite",
            "bad:number-not-finite",
            "binary:16777216"
        ]
    );
    let doubles =
        Float64Array::from(vec![Some(1e300), None, Some(5e-324), Some(f64::NEG_INFINITY)]);
    assert_eq!(
        cells(&doubles),
        ["binary:1e300", "absent", "binary:5e-324", "bad:number-not-finite"]
    );
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let halves = Float16Array::from(vec![Half::from_f32(0.1), Half::MAX, Half::NAN]);
    assert_eq!(cells(&halves), ["binary:0.0999755859375", "binary:65504", "bad:number-not-finite"]);
}

#[test]
fn decimals_of_every_width_keep_their_scale() {
    let narrow = Decimal32Array::from(vec![150, -5]).with_precision_and_scale(9, 2).unwrap();
    assert_eq!(cells(&narrow), ["exact:1.50", "exact:-0.05"]);
    let wide = Decimal64Array::from(vec![i64::MIN]).with_precision_and_scale(18, 0).unwrap();
    assert_eq!(cells(&wide), ["exact:-9223372036854775808"]);
    let thousands = Decimal128Array::from(vec![-12, 0]).with_precision_and_scale(5, -3).unwrap();
    assert_eq!(cells(&thousands), ["exact:-12000", "exact:0"]);
    let nines = "9".repeat(76);
    let widest = Decimal256Array::from(vec![i256::from_string(&nines).unwrap()])
        .with_precision_and_scale(76, 76)
        .unwrap();
    assert_eq!(cells(&widest), [format!("exact:0.{nines}")]);
}

#[test]
fn text_of_every_layout_is_borrowed_as_it_is() {
    let words = vec![Some(" 007 "), None, Some(""), Some("a string too long to lie inline: ñ 你")];
    let expected = ["text: 007 ", "absent", "text:", "text:a string too long to lie inline: ñ 你"];
    assert_eq!(cells(&StringArray::from(words.clone())), expected);
    assert_eq!(cells(&LargeStringArray::from(words.clone())), expected);
    assert_eq!(cells(&StringViewArray::from(words)), expected);
}

#[test]
fn booleans_and_nulls() {
    let array = BooleanArray::from(vec![Some(true), None, Some(false)]);
    assert_eq!(cells(&array), ["bool:true", "absent", "bool:false"]);
    assert_eq!(cells(&NullArray::new(2)), ["absent", "absent"]);
}

#[test]
fn dates_of_both_widths() {
    let days = Date32Array::from(vec![-719_529, -719_528, -1, 19_782, 2_932_897, i32::MAX]);
    assert_eq!(
        cells(&days),
        [
            "bad:datetime-range",
            "date:0000-01-01",
            "date:1969-12-31",
            "date:2024-02-29",
            "bad:datetime-range",
            "bad:datetime-range"
        ]
    );
    let milliseconds = Date64Array::from(vec![-MILLIS_PER_DAY, -1, 0, 1_500, i64::MIN]);
    assert_eq!(
        cells(&milliseconds),
        [
            "date:1969-12-31",
            "date:1969-12-31T23:59:59.999Z",
            "date:1970-01-01",
            "date:1970-01-01T00:00:01.500Z",
            "bad:datetime-range"
        ]
    );
}

#[test]
fn timestamps_are_utc_with_and_without_a_zone() {
    let seconds = TimestampSecondArray::from(vec![253_402_300_799, 253_402_300_800]);
    assert_eq!(cells(&seconds), ["date:9999-12-31T23:59:59Z", "bad:datetime-range"]);
    let zoned = TimestampMillisecondArray::from(vec![-1]).with_timezone("+05:30");
    assert_eq!(cells(&zoned), ["date:1969-12-31T23:59:59.999Z"]);
    let micros = TimestampMicrosecondArray::from(vec![1_709_208_000_120_000, -1]);
    assert_eq!(cells(&micros), ["date:2024-02-29T12:00:00.120Z", "cut:1969-12-31T23:59:59.999Z"]);
    let nanos = TimestampNanosecondArray::from(vec![1_999_999, i64::MAX]);
    assert_eq!(cells(&nanos), ["cut:1970-01-01T00:00:00.001Z", "cut:2262-04-11T23:47:16.854Z"]);
}

#[test]
fn times_durations_and_intervals_are_text() {
    assert_eq!(cells(&Time32SecondArray::from(vec![86_399])), ["text:23:59:59"]);
    assert_eq!(
        cells(&Time32MillisecondArray::from(vec![1_500, -1])),
        ["text:00:00:01.5", "bad:datetime-range"]
    );
    assert_eq!(cells(&Time64MicrosecondArray::from(vec![1])), ["text:00:00:00.000001"]);
    assert_eq!(cells(&Time64NanosecondArray::from(vec![1])), ["text:00:00:00.000000001"]);
    assert_eq!(cells(&DurationSecondArray::from(vec![-90])), ["text:PT-90S"]);
    assert_eq!(cells(&DurationMillisecondArray::from(vec![1])), ["text:PT0.001S"]);
    assert_eq!(cells(&DurationMicrosecondArray::from(vec![1])), ["text:PT0.000001S"]);
    assert_eq!(cells(&DurationNanosecondArray::from(vec![0])), ["text:PT0S"]);
    assert_eq!(cells(&IntervalYearMonthArray::from(vec![14, 0])), ["text:P1Y2M", "text:PT0S"]);
    let day_time = IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, -500)]);
    assert_eq!(cells(&day_time), ["text:P1DT-0.5S"]);
    let all = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(13, -2, 5)]);
    assert_eq!(cells(&all), ["text:P1Y1M-2DT0.000000005S"]);
}

#[test]
fn dictionaries_are_resolved_through_both_kinds_of_null() {
    let words = Arc::new(StringArray::from(vec![Some("gold"), None]));
    let keys = Int8Array::from(vec![Some(0), None, Some(1), Some(0)]);
    let expected = ["text:gold", "absent", "absent", "text:gold"];
    let dictionary = DictionaryArray::new(keys, words.clone());
    assert_eq!(cells(&dictionary), expected);
    assert_eq!(cells(&dictionary.slice(1, 3)), expected[1..]);

    let numbers = Arc::new(UInt64Array::from(vec![u64::MAX]));
    let dictionary = DictionaryArray::new(UInt16Array::from(vec![0, 0]), numbers);
    assert_eq!(cells(&dictionary), ["exact:18446744073709551615"; 2]);

    let empty = DictionaryArray::new(Int32Array::new_null(2), Arc::new(words.slice(0, 0)));
    assert_eq!(cells(&empty), ["absent", "absent"]);
}

#[test]
fn sliced_columns_start_where_the_slice_does() {
    let array = Int64Array::from(vec![Some(1), None, Some(3), Some(4)]);
    assert_eq!(cells(&array.slice(1, 2)), ["absent", "exact:3"]);
    let array = StringArray::from(vec![Some("a"), None, Some("c")]);
    assert_eq!(cells(&array.slice(1, 2)), ["absent", "text:c"]);
    let array = BooleanArray::from(vec![Some(true), None, Some(false)]);
    assert_eq!(cells(&array.slice(1, 2)), ["absent", "bool:false"]);
}

#[test]
fn types_with_a_text_form_are_readable_and_others_refused() {
    let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
    let dictionary = |values| DataType::Dictionary(DataType::Int8.into(), Box::new(values));
    let readable = [
        DataType::Boolean,
        DataType::UInt64,
        DataType::Float16,
        DataType::Decimal256(76, -3),
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Null,
        DataType::Utf8View,
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(IntervalUnit::DayTime),
        dictionary(DataType::Date32),
        DataType::List(item(DataType::Int32)),
        DataType::FixedSizeList(item(DataType::Utf8View), 2),
        DataType::Struct(Fields::from(vec![Field::new("a", DataType::Int8, true)])),
    ];
    for data_type in readable {
        let array = new_null_array(&data_type, 2);
        assert_eq!(cells(&array), ["absent", "absent"], "{data_type}");
    }
    let refused = [
        DataType::Binary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(16),
        DataType::List(item(DataType::BinaryView)),
        DataType::FixedSizeList(item(DataType::FixedSizeBinary(16)), 2),
        DataType::Struct(Fields::from(vec![Field::new("a", DataType::Binary, true)])),
        dictionary(DataType::Binary),
        DataType::RunEndEncoded(
            Field::new("run_ends", DataType::Int32, false).into(),
            Field::new("values", DataType::Int32, true).into(),
        ),
    ];
    for data_type in refused {
        let error = ArrowColumn::new(&new_empty_array(&data_type)).unwrap_err();
        assert!(error.to_string().contains("no JSON form"), "{error}");
    }
}

#[test]
fn lists_of_every_layout_hold_the_same_items() {
    let rows = [Some(vec![Some(1), None]), None, Some(vec![Some(3), Some(4)])];
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(rows.clone());
    let large = LargeListArray::from_iter_primitive::<Int32Type, _, _>(rows.clone());
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(rows, 2);
    let view = ListViewArray::from(list.clone());
    let item = || Arc::new(Field::new_list_field(DataType::Int32, true));
    // Views in any order, and one that is used twice.
    let items: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), Some(4), Some(1), None]));
    let nulls = Some(vec![true, false, true].into());
    let shuffled = LargeListViewArray::new(
        item(),
        vec![2_i64, 0, 0].into(),
        vec![2_i64, 1, 2].into(),
        items,
        nulls,
    );
    let arrays: [ArrayRef; 5] =
        [Arc::new(list), Arc::new(large), Arc::new(fixed), Arc::new(view), Arc::new(shuffled)];
    for array in arrays {
        assert_eq!(cells(&array), ["json:[1] list-null", "absent", "json:[3,4]"], "{array:?}");
        assert_eq!(cells(&array.slice(2, 1)), ["json:[3,4]"], "{array:?}");
        // As the one field of a struct, cut out of a longer column.
        let field = Field::new("a.b", array.data_type().clone(), true);
        let column = StructArray::new(vec![field].into(), vec![array], None).slice(1, 2);
        let code = "object-key-characters";
        assert_eq!(
            cells(&column),
            [format!("json:{{}} {code}"), format!("json:{{\"a.b\":[3,4]}} {code}")]
        );
    }
}

#[test]
fn maps_take_keys_of_any_flat_type_once() {
    let map = |keys: ArrayRef, ends: Vec<i32>| {
        let values: ArrayRef =
            Arc::new(Float64Array::from_iter((0..keys.len()).map(|n| (n > 0).then_some(n as f64))));
        let fields = Fields::from(vec![
            Field::new("key", keys.data_type().clone(), false),
            Field::new("value", DataType::Float64, true),
        ]);
        let entries = StructArray::new(fields.clone(), vec![keys, values], None);
        let field = Field::new("entries", DataType::Struct(fields), false);
        cells(&MapArray::new(field.into(), OffsetBuffer::new(ends.into()), entries, None, false))
    };
    let words: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "a"]));
    assert_eq!(
        map(Arc::clone(&words), vec![0, 2, 2, 3]),
        [r#"json:{"b":1}"#, "json:{}", r#"json:{"a":2}"#]
    );
    // The first value is null, so its key is not sent and the second stands alone.
    assert_eq!(map(Arc::clone(&words), vec![0, 3]), [r#"json:{"b":1,"a":2}"#]);
    let twice: ArrayRef = Arc::new(StringArray::from(vec!["x", "a", "a"]));
    assert_eq!(map(twice, vec![0, 3]), ["bad:object-key-twice"]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, i32::MAX]));
    assert_eq!(map(dates, vec![0, 2, 3]), [r#"json:{"1970-01-02":1}"#, "bad:datetime-range"]);
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    assert_eq!(map(flags, vec![1, 3]), [r#"json:{"false":1,"true":2}"#]);
}

#[test]
fn values_inside_nested_ones_are_those_of_flat_columns() {
    let instants = TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789]);
    let amounts = Decimal128Array::from(vec![-1_234_567_890_123_456_789_012])
        .with_precision_and_scale(38, 4)
        .unwrap();
    let keys = Int8Array::from(vec![0]);
    let words = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["w\"\n"])));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("at", Arc::new(instants)),
        ("amount", Arc::new(amounts)),
        ("big", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("third", Arc::new(Float32Array::from(vec![0.1]))),
        ("word", Arc::new(words)),
        ("none", Arc::new(NullArray::new(1))),
    ];
    let column = StructArray::try_from(columns).unwrap();
    assert_eq!(
        cells(&column),
        [concat!(
            r#"json:{"at":"2023-11-14T22:13:20.123Z","amount":-123456789012345678.9012,"#,
            r#""big":18446744073709551615,"third":0.10000000149011612,"word":"w\"\n"} "#,
            "number-precision datetime-precision"
        )]
    );
    let infinite: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY]));
    let column = StructArray::try_from(vec![("n", infinite)]).unwrap();
    assert_eq!(cells(&column), ["bad:number-not-finite"]);
}
