//! Ids that are UUIDs in a Parquet file, as DuckDB and Iceberg write them.

use std::sync::Arc;

use parquet::{
    data_type::{ByteArray, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use crate::{packed, support::Lab};

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
