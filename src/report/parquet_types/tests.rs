use arrow::{
    array::{Date64Array, StringViewArray, Time32MillisecondArray, Time32SecondArray},
    datatypes::Time32MillisecondType,
};

use super::*;

fn text_of(array: ArrayRef) -> Vec<Option<String>> {
    let field = Arc::new(Field::new("a", array.data_type().clone(), true));
    let to = stored_field(&field);
    let stored = stored(&array, to.data_type()).expect("storable");
    assert_eq!(stored.data_type(), to.data_type());
    stored.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn days_are_days_and_what_is_none_is_a_moment() {
    let values = [0, -86_400_000, 1, -1, i64::MAX, 253_402_300_799_999, 253_402_300_800_000];
    let texts = text_of(Arc::new(Date64Array::from_iter_values(values)));
    let expected = [
        "1970-01-01",
        "1969-12-31",
        "1970-01-01T00:00:00.001Z",
        "1969-12-31T23:59:59.999Z",
        "9223372036854775807",
        "9999-12-31T23:59:59.999Z",
        "253402300800000",
    ];
    assert_eq!(texts, expected.map(|text| Some(text.to_owned())));
    assert_eq!(
        text_of(Arc::new(StringViewArray::from(vec![None, Some("a")]))),
        [None, Some("a".into())]
    );
}

#[test]
fn seconds_become_milliseconds_and_other_types_stay() {
    let seconds: ArrayRef = Arc::new(Time32SecondArray::from(vec![Some(5), None]));
    let to = stored_type(seconds.data_type());
    let wider = stored(&seconds, &to).expect("storable");
    assert_eq!(
        wider.as_primitive::<Time32MillisecondType>(),
        &Time32MillisecondArray::from(vec![Some(5_000), None])
    );
    for data_type in [
        DataType::Date32,
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::Decimal256(50, 3),
    ] {
        assert_eq!(stored_type(&data_type), data_type);
    }
}
