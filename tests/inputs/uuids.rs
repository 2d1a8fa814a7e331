//! UUIDs in Parquet files, as DuckDB and Iceberg write them, and in Arrow files.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, LargeListArray, ListArray,
        ListViewArray, MapArray, RecordBatch, StructArray,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, FieldRef, Schema},
};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use parquet::{
    arrow::ArrowWriter,
    data_type::{ByteArray, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use crate::{
    packed,
    support::{Json, Lab, assert_same},
};

/// The UUID of a row, from 0.
fn uuid(row: u128) -> [u8; 16] {
    (row.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834) ^ row << 64).to_be_bytes()
}

/// Its text, by another way than the program's.
fn text(uuid: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(uuid));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

/// A file of ids, a second UUID in two of three rows, and an instant that is INT96.
fn parquet(schema: &str, rows: u128) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties =
        Arc::new(WriterProperties::builder().set_data_page_row_count_limit(500).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    let fixed = |row: u128| FixedLenByteArray::from(ByteArray::from(uuid(row).to_vec()));
    for group in [0..rows / 2, rows / 2..rows] {
        let mut to = writer.next_row_group().expect("a group");
        let mut column = to.next_column().expect("a column").expect("the ids");
        let ids: Vec<_> = group.clone().map(fixed).collect();
        column.typed::<FixedLenByteArrayType>().write_batch(&ids, None, None).expect("written");
        column.close().expect("closed");
        let mut column = to.next_column().expect("a column").expect("the marks");
        let levels: Vec<i16> = group.clone().map(|row| i16::from(row % 3 > 0)).collect();
        let marks: Vec<_> =
            group.clone().filter(|row| row % 3 > 0).map(|row| fixed(row + 7)).collect();
        let typed = column.typed::<FixedLenByteArrayType>();
        typed.write_batch(&marks, Some(&levels), None).expect("written");
        column.close().expect("closed");
        if let Some(mut column) = to.next_column().expect("a column") {
            let mut instant = Int96::new();
            // In nanoseconds of a day, and the Julian day.
            let (noon, epoch) = (43_200_000_000_000_u64, 2_440_588);
            instant.set_data(noon as u32, (noon >> 32) as u32, epoch);
            let instants = vec![instant; group.count()];
            column.typed::<Int96Type>().write_batch(&instants, None, None).expect("written");
            column.close().expect("closed");
        }
        to.close().expect("closed");
    }
    writer.into_inner().expect("a file")
}

const IDS: &str = "required fixed_len_byte_array(16) customer_id (UUID); ";
const MARKS: &str = "optional fixed_len_byte_array(16) mark (UUID); ";

#[test]
fn uuids_of_parquet_are_sent_as_their_text() {
    let lab = Lab::new();
    let rows = 9_000;
    let mut csv = String::from("customer_id,mark\n");
    for row in 0..rows {
        let mark = if row % 3 > 0 { text(uuid(row + 7)) } else { String::new() };
        csv.push_str(&format!("{},{mark}\n", text(uuid(row))));
    }
    lab.write("u.csv", csv);
    let plain = packed(&lab, &["u.csv"]);
    lab.write("u.parquet", parquet(&format!("message m {{ {IDS}{MARKS} }}"), rows));
    for threads in ["1", "2", "5"] {
        assert!(packed(&lab, &["u.parquet", "--threads", threads]) == plain, "{threads}");
    }
    // Beside timestamps that are read twice.
    lab.write("t.parquet", parquet(&format!("message m {{ {IDS}{MARKS} required int96 t; }}"), 4));
    let body = String::from_utf8(packed(&lab, &["t.parquet"])).expect("UTF-8");
    for row in 0..4 {
        assert!(body.contains(&format!(r#""customer_id":"{}""#, text(uuid(row)))), "{body}");
    }
    assert!(body.contains(&format!(r#""mark":"{}""#, text(uuid(8)))), "{body}");
    assert_eq!(body.matches(r#""t":"1970-01-01T12:00:00Z""#).count(), 4, "{body}");

    // Rejected rows keep it as text, and are read again.
    lab.write("m.toml", "[columns]\ncustomer_id = {}\nmark = { type = \"double\" }\n");
    let args = ["validate", "t.parquet", "--mapping", "m.toml", "--run-dir", "run"];
    assert_eq!(lab.run(&args).code, 1);
    lab.write("m.toml", "[columns]\ncustomer_id = {}\nmark = {}\n");
    let body = packed(&lab, &["run/rejects.parquet", "--mapping", "m.toml"]);
    let body = String::from_utf8(body).expect("UTF-8");
    let expected = format!(r#""customer_id":"{}""#, text(uuid(1)));
    assert!(body.contains(&expected) && body.contains(&text(uuid(8))), "{body}");
    assert_eq!(lab.run(&["init", "u.parquet", "--out", "-"]).code, 0);
}

#[test]
fn other_bytes_are_still_refused() {
    let lab = Lab::new();
    let schema = format!("message m {{ {IDS} optional fixed_len_byte_array(16) mark; }}");
    lab.write("u.parquet", parquet(&schema, 4));
    let ran = lab.run(&["validate", "u.parquet", "--run-dir", "run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`mark` holds bytes that are not marked as text"),
        "{}",
        ran.stderr
    );
}

/// An attribute of text, `None` where it is null.
fn texts(rows: impl IntoIterator<Item = u128>) -> Json {
    Json::Array(rows.into_iter().map(|row| Json::text(&text(uuid(row)))).collect())
}

/// Attributes of a list and of a struct's field by the row, as both formats have them: of three rows one
/// has neither, and one has a list that is empty and a struct whose UUID is null.
fn nested(row: u128) -> Json {
    let who = |id: Option<u128>| Json::object(id.map(|id| ("id", Json::text(&text(uuid(id))))));
    match row % 3 {
        0 => Json::object([]),
        1 => Json::object([("tags", texts([])), ("who", who(None))]),
        _ => Json::object([("tags", texts([row, row + 5])), ("who", who(Some(row + 9)))]),
    }
}

#[test]
fn uuids_inside_of_parquet_columns_are_text() {
    const SCHEMA: &str = "message m { required fixed_len_byte_array(16) customer_id (UUID); \
        optional group tags (LIST) { repeated group list { \
        optional fixed_len_byte_array(16) element (UUID); } } \
        optional group who { optional fixed_len_byte_array(16) id (UUID); } required int96 t; }";
    let rows = 5_000_u128;
    let fixed = |row: u128| FixedLenByteArray::from(ByteArray::from(uuid(row).to_vec()));
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let properties =
        Arc::new(WriterProperties::builder().set_data_page_row_count_limit(500).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    let mut to = writer.next_row_group().expect("a group");
    // Values with their definition and repetition levels.
    let ids: (Vec<_>, Vec<i16>, Vec<i16>) =
        ((0..rows).map(fixed).collect(), vec![0; rows as usize], vec![0; rows as usize]);
    let (mut tags, mut who) = ((vec![], vec![], vec![]), (vec![], vec![], vec![]));
    for row in 0..rows {
        let (of_tags, of_who): (&[(i16, i16)], i16) = match row % 3 {
            0 => (&[(0, 0)], 0),
            1 => (&[(1, 0)], 1),
            _ => (&[(3, 0), (3, 1)], 2),
        };
        if row % 3 == 2 {
            tags.0.extend([fixed(row), fixed(row + 5)]);
            who.0.push(fixed(row + 9));
        }
        tags.1.extend(of_tags.iter().map(|level| level.0));
        tags.2.extend(of_tags.iter().map(|level| level.1));
        who.1.push(of_who);
        who.2.push(0);
    }
    for (values, definitions, repetitions) in [ids, tags, who] {
        let mut column = to.next_column().expect("a column").expect("UUIDs");
        let typed = column.typed::<FixedLenByteArrayType>();
        typed.write_batch(&values, Some(&definitions), Some(&repetitions)).expect("written");
        column.close().expect("closed");
    }
    let mut column = to.next_column().expect("a column").expect("instants");
    let mut instant = Int96::new();
    instant.set_data(0, 0, 2_440_588);
    let instants = vec![instant; rows as usize];
    column.typed::<Int96Type>().write_batch(&instants, None, None).expect("written");
    column.close().expect("closed");
    to.close().expect("closed");
    let lab = Lab::new();
    lab.write("u.parquet", writer.into_inner().expect("a file"));
    let args = ["u.parquet", "--mapping", "m.toml"];
    lab.write(
        "m.toml",
        "[columns]\ncustomer_id = {}\ntags = { type = \"json\" }\nwho = { type = \"json\" }\n\
         t = { skip = true }\n",
    );
    let (_, elements) = lab.pack(0, &args);
    let expected: Vec<Json> = (0..rows).map(nested).collect();
    let found: Vec<Json> = elements.iter().map(|one| one.get("attributes").clone()).collect();
    assert_same(&expected, &found);
    assert_eq!(elements[4].get("customer_id"), &Json::text(&text(uuid(4))));
    // Without a mapping too, beside timestamps that are read twice; any number of threads.
    let plain = packed(&lab, &["u.parquet", "--threads", "1"]);
    assert!(packed(&lab, &["u.parquet", "--threads", "3"]) == plain);
    let (_, elements) = lab.pack(0, &["u.parquet"]);
    let attributes = elements[5].get("attributes");
    assert_eq!(attributes.get("t"), &Json::text("1970-01-01T00:00:00Z"));
    assert_eq!(attributes.get("tags"), &texts([5, 10]));
}

/// A field of UUIDs as Arrow marks them.
fn marked(name: &str) -> Field {
    let metadata = [
        ("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned()),
        ("ARROW:extension:metadata".to_owned(), String::new()),
    ];
    Field::new(name, DataType::FixedSizeBinary(16), true).with_metadata(HashMap::from(metadata))
}

fn uuids(rows: impl IntoIterator<Item = Option<u128>>) -> ArrayRef {
    let values = rows.into_iter().map(|row| row.map(uuid));
    Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 16).expect("UUIDs"))
}

/// Three rows with UUIDs in every kind of column.
fn arrow() -> RecordBatch {
    let item = || FieldRef::new(marked("item"));
    let six = || uuids((10..16).map(Some));
    let offsets = || OffsetBuffer::new(vec![0_i32, 2, 2, 6].into());
    let list = ListArray::new(item(), offsets(), six(), None);
    let large = OffsetBuffer::new(vec![0_i64, 1, 3, 3].into());
    let large = LargeListArray::new(item(), large, six(), None);
    let view = ListViewArray::new(
        item(),
        ScalarBuffer::from(vec![5, 0, 0]),
        ScalarBuffer::from(vec![1, 0, 2]),
        six(),
        None,
    );
    let pair = FixedSizeListArray::new(item(), 2, six(), None);
    let nulls = NullBuffer::from(vec![true, false, true]);
    let inner = uuids([Some(20), Some(21), None]);
    let who = StructArray::new(vec![marked("id")].into(), vec![inner], Some(nulls));
    let whos = ListArray::new(
        FieldRef::new(Field::new("item", who.data_type().clone(), true)),
        OffsetBuffer::new(vec![0_i32, 1, 1, 1].into()),
        Arc::new(who.slice(0, 1)),
        None,
    );
    let entry = [marked("key").with_nullable(false), marked("value")];
    let entries =
        StructArray::new(entry.to_vec().into(), vec![uuids([Some(30)]), uuids([Some(31)])], None);
    let map = MapArray::new(
        FieldRef::new(Field::new("entries", entries.data_type().clone(), false)),
        OffsetBuffer::new(vec![0_i32, 1, 1, 1].into()),
        entries,
        None,
        false,
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("list", Arc::new(list)),
        ("large", Arc::new(large)),
        ("view", Arc::new(view)),
        ("pair", Arc::new(pair)),
        ("who", Arc::new(who)),
        ("whos", Arc::new(whos)),
        ("map", Arc::new(map)),
    ];
    let mut fields = vec![marked("customer_id"), marked("mark")];
    let nested = columns.iter();
    fields.extend(nested.map(|(name, array)| Field::new(*name, array.data_type().clone(), true)));
    let mut arrays = vec![uuids([Some(1), Some(2), Some(3)]), uuids([Some(4), None, Some(5)])];
    arrays.extend(columns.into_iter().map(|(_, array)| array));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
}

#[test]
fn uuids_of_arrow_are_text_wherever_they_are() {
    let one = |row| Json::text(&text(uuid(row)));
    let key = text(uuid(30));
    let who = || Json::object([("id", one(20))]);
    let expected = [
        Json::object([
            ("mark", one(4)),
            ("list", texts([10, 11])),
            ("large", texts([10])),
            ("view", texts([15])),
            ("pair", texts([10, 11])),
            ("who", who()),
            ("whos", Json::Array(vec![who()])),
            ("map", Json::object([(key.as_str(), one(31))])),
        ]),
        Json::object([
            ("list", texts([])),
            ("large", texts([11, 12])),
            ("view", texts([])),
            ("pair", texts([12, 13])),
            ("whos", texts([])),
            ("map", Json::object([])),
        ]),
        Json::object([
            ("mark", one(5)),
            ("list", texts([12, 13, 14, 15])),
            ("large", texts([])),
            ("view", texts([10, 11])),
            ("pair", texts([14, 15])),
            ("who", Json::object([])),
            ("whos", texts([])),
            ("map", Json::object([])),
        ]),
    ];
    let batch = arrow();
    let schema = batch.schema();
    let lab = Lab::new();
    let mut writer = FileWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.write(&batch).expect("rows");
    lab.write("u.arrow", writer.into_inner().expect("a footer"));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.write(&batch.slice(0, 1)).expect("rows");
    writer.write(&batch.slice(1, 2)).expect("rows");
    lab.write("u.arrows", writer.into_inner().expect("an end"));
    for name in ["u.arrow", "u.arrows"] {
        let (_, elements) = lab.pack(0, &[name]);
        let found: Vec<Json> = elements.iter().map(|one| one.get("attributes").clone()).collect();
        assert_same(&expected, &found);
        assert_eq!(elements[2].get("customer_id"), &one(3));
    }
    // Rejected rows keep them as text, and are read again.
    lab.write("m.toml", "[columns]\ncustomer_id = {}\nmark = { type = \"double\" }\n");
    let args = ["validate", "u.arrow", "--mapping", "m.toml", "--run-dir", "run"];
    assert_eq!(lab.run(&args).code, 1);
    lab.write("m.toml", "[columns]\ncustomer_id = {}\nmark = {}\n");
    let (_, elements) = lab.pack(0, &["run/rejects.parquet", "--mapping", "m.toml"]);
    let found: Vec<&Json> = elements.iter().map(|one| one.get("attributes").get("mark")).collect();
    assert_eq!(found, [&one(4), &one(5)]);

    // Parquet files that have Arrow's schema say it there, those without the logical type too.
    let names = ["customer_id", "list", "who"].map(|name| schema.index_of(name).expect(name));
    let some = batch.project(&names).expect("columns");
    let mut writer = ArrowWriter::try_new(Vec::new(), some.schema(), None).expect("a writer");
    writer.write(&some).expect("rows");
    lab.write("u.parquet", writer.into_inner().expect("a footer"));
    let (_, elements) = lab.pack(0, &["u.parquet"]);
    for (element, expected) in elements.iter().zip(&expected) {
        assert_eq!(element.get("attributes").get("list"), expected.get("list"));
    }
    assert_eq!(elements[0].get("attributes").get("who"), &who());
}
