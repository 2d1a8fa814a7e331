//! Footers of Parquet files that are small in the file and would be gigabytes in memory.

use arrow::datatypes::{DataType, Field, Schema};
use base64::{Engine, prelude::BASE64_STANDARD};
use parquet::arrow::encode_arrow_schema;

use crate::{forge::*, watched::Cage};

const FOOTER: &str = "the footer of the Parquet file can't be read";

/// A file of nothing but a footer.
fn footer(schema: &[Vec<u8>], rows: i64, groups: &[Vec<u8>]) -> Vec<u8> {
    let footer = Thrift::default().i32(1, 2).list(2, STRUCT, schema).i64(3, rows);
    with_footer(b"PAR1".to_vec(), footer.list(4, STRUCT, groups))
}

fn leaf(name: &[u8]) -> Vec<u8> {
    Thrift::default().i32(1, BYTE_ARRAY).i32(3, 0).text(4, name).i32(6, 0).end()
}

fn root(children: usize) -> Vec<u8> {
    Thrift::default().text(4, b"m").i32(5, children as i64).end()
}

#[test]
fn many_small_things_in_a_footer_are_counted_before_they_are_parsed() {
    let cage = Cage::new();
    let one = [root(1), leaf(b"customer_id")];
    let empty = Thrift::default().list(1, STRUCT, &[]).i64(2, 0).i64(3, 0).end();
    cage.refuses(
        "groups.parquet",
        footer(&one, 0, &vec![empty; 1_000_000]),
        &[FOOTER, "bytes of memory"],
    );
    cage.refuses("nothing.parquet", footer(&one, 0, &vec![vec![0]; 30_000_000]), &[FOOTER]);
    let group = Thrift::default().list(1, STRUCT, &vec![vec![0]; 5_000_000]).i64(2, 0).i64(3, 0);
    cage.refuses("chunks.parquet", footer(&one, 0, &[group.end()]), &[FOOTER, "bytes of memory"]);

    let leaves = |count: usize| (0..count).map(|n| leaf(format!("c{n}").as_bytes()));
    let wide: Vec<_> = std::iter::once(root(300_000)).chain(leaves(300_000)).collect();
    cage.refuses("columns.parquet", footer(&wide, 0, &[]), &[FOOTER, "bytes of memory"]);
    // A long name above many leaves is in the path of each.
    let group = Thrift::default().i32(3, 0).text(4, &vec![b'g'; 1 << 20]).i32(5, 10_000).end();
    let long: Vec<_> = [root(1), group].into_iter().chain(leaves(10_000)).collect();
    cage.refuses("paths.parquet", footer(&long, 0, &[]), &[FOOTER, "bytes of memory"]);
    let deep: Vec<_> = [root(1)]
        .into_iter()
        .chain((0..100_000).map(|_| Thrift::default().i32(3, 0).text(4, b"g").i32(5, 1).end()))
        .chain(leaves(1))
        .collect();
    cage.refuses("deep.parquet", footer(&deep, 0, &[]), &[FOOTER, "64 levels"]);
}

#[test]
fn counts_that_no_bytes_stand_for_are_refused() {
    let cage = Cage::new();
    let one = [root(1), leaf(b"customer_id")];
    let schema = Thrift::default().i32(1, 2).list(2, STRUCT, &one).i64(3, 0);
    for (at, count) in [1_u64 << 20, 1 << 40, u64::MAX].into_iter().enumerate() {
        let list = [&[0xfc][..], &varint(count)].concat();
        let file = with_footer(b"PAR1".to_vec(), schema.clone().raw(9, 4, &list));
        cage.refuses(&format!("list-{at}.parquet"), file, &[FOOTER]);
        let text = with_footer(b"PAR1".to_vec(), schema.clone().raw(8, 6, &varint(count)));
        cage.refuses(&format!("text-{at}.parquet"), text, &[FOOTER]);
    }
    for (at, rows) in [i64::MAX, -1, 1 << 40].into_iter().enumerate() {
        let group = Thrift::default().list(1, STRUCT, &[]).i64(2, 0).i64(3, rows).end();
        let file = footer(&one, rows, &[group]);
        cage.refuses(&format!("rows-{at}.parquet"), file, &[]);
    }
    // Rows of a column that nothing stands for: days of work, and a full disk.
    let page = data_page(1 << 30, PLAIN, 8, &plain(&[b"id1"]));
    let column = Column::texts("customer_id", 0, PLAIN, vec![page]);
    let file = crate::forge::file(&[column], 1 << 30, 1_000);
    cage.refuses("many.parquet", file, &[FOOTER, "1073741824000 rows"]);
    // Children that the schema does not have.
    for children in [-1, 1 << 30] {
        let root = Thrift::default().text(4, b"m").i32(5, children).end();
        cage.refuses("children.parquet", footer(&[root, leaf(b"customer_id")], 0, &[]), &[FOOTER]);
    }
}

#[test]
fn an_embedded_schema_whose_parts_are_shared_is_left_out() {
    let cage = Cage::new();
    // A real one first; then each short name is made the long one: 10 GB of names.
    let long = "n".repeat(500_000);
    let names = std::iter::once(long.as_str()).chain(std::iter::repeat_n("shortest", 20_000));
    let fields: Vec<_> = names.map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let encoded = encode_arrow_schema(&Schema::new(fields));
    let mut bytes = BASE64_STANDARD.decode(encoded).expect("base64");
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    let find = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|part| part == text);
    let long_at = find(&bytes, long.as_bytes()).expect("the long name") - 4;
    let mut shared = 0;
    for at in (0..bytes.len()).step_by(4) {
        let to = at + number(&bytes, at).unwrap_or(0);
        if bytes.get(to + 4..to + 12) == Some(b"shortest") && number(&bytes, to) == Some(8) {
            bytes[at..at + 4].copy_from_slice(&((long_at - at) as u32).to_le_bytes());
            shared += 1;
        }
    }
    assert!(shared >= 20_000, "{shared}");
    let entry = Thrift::default()
        .text(1, b"ARROW:schema")
        .text(2, BASE64_STANDARD.encode(bytes).as_bytes())
        .end();
    let one = [root(1), leaf(b"customer_id")];
    let footer = Thrift::default().i32(1, 2).list(2, STRUCT, &one).i64(3, 0);
    let footer = footer.list(4, STRUCT, &[]).list(5, STRUCT, &[entry]);
    cage.write("hint.parquet", with_footer(b"PAR1".to_vec(), footer));
    assert_eq!(cage.run(&["validate", "hint.parquet"]).code, 0);
}

#[test]
fn encrypted_files_are_named_as_such() {
    let cage = Cage::new();
    let one = [root(1), leaf(b"customer_id")];
    let mut sealed = footer(&one, 0, &[]);
    let end = sealed.len() - 4;
    sealed.splice(end.., *b"PARE");
    cage.refuses("footer.parquet", sealed, &["is encrypted"]);
    let schema = Thrift::default().i32(1, 2).list(2, STRUCT, &one).i64(3, 0);
    let open = schema.list(4, STRUCT, &[]).inner(8, Thrift::default().inner(1, Thrift::default()));
    cage.refuses("columns.parquet", with_footer(b"PAR1".to_vec(), open), &["is encrypted"]);
}
