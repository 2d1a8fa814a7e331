//! CSV files that are no tables.

use crate::watched::{Cage, Ran};

const HEADER: &[u8] = b"customer_id,x\n";

fn validate(cage: &Cage, bytes: &[u8], flags: &[&str]) -> Ran {
    cage.write("in.csv", bytes);
    cage.run(&[&["validate", "in.csv"], flags].concat())
}

#[test]
fn what_has_no_end_is_cut_at_the_longest_record() {
    let cage = Cage::new();
    let long = vec![b'a'; 40 << 20];
    let cases: [(&[u8], i32); 6] = [
        (&long, 4),
        (&[b"customer_id,\"".as_slice(), &b"a\n".repeat(20 << 20)].concat(), 4),
        (&[HEADER, &long].concat(), 1),
        (&[HEADER, b"id1,\"", &b"aa,b\n".repeat(1 << 20)].concat(), 1),
        (&[HEADER, &vec![0; 20 << 20]].concat(), 1),
        (&[HEADER, &vec![b'\n'; 20 << 20]].concat(), 0),
    ];
    for (at, (bytes, code)) in cases.into_iter().enumerate() {
        let ran = validate(&cage, bytes, &[]);
        assert_eq!(ran.code, code, "{at}: {}", ran.stderr);
        assert!(code != 4 || ran.stderr.contains("in.csv: line 1"), "{at}: {}", ran.stderr);
    }
    // Half characters of UTF-16, each of which is three bytes inside.
    let mut halves = [0xff, 0xfe].to_vec();
    halves.extend("customer_id,x\n".encode_utf16().flat_map(u16::to_le_bytes));
    halves.extend([0x00, 0xd8].repeat(4 << 20));
    assert_eq!(validate(&cage, &halves, &[]).code, 1);
}

#[test]
fn the_longest_records_are_held_in_small_numbers() {
    let cage = Cage::new();
    let record = |cell: &[u8]| [b"id1,", cell, b"\n"].concat();
    // Cells that are long, that grow in JSON, and that are all quotes.
    for cell in [
        vec![b'x'; 1_048_572],
        vec![1; 1_048_572],
        [b"\"", &b"\"\"".repeat(524_285)[..], b"\""].concat(),
    ] {
        let file = [HEADER, &record(&cell).repeat(24)].concat();
        for threads in ["2", "300"] {
            let ran = validate(&cage, &file, &["--threads", threads]);
            assert_eq!(ran.code, 1, "every row is longer than a body: {}", ran.stderr);
        }
    }
}

#[test]
fn names_are_not_multiplied_by_rows() {
    let cage = Cage::new();
    let rows: String = (0..2_000).map(|n| format!("id{n},1\n")).collect();
    let file = ["customer_id,", &"n".repeat(90_000), "\n", &rows].concat();
    assert_eq!(validate(&cage, file.as_bytes(), &["--threads", "64"]).code, 0);
    // And many names.
    let names: String = (0..100_000).map(|n| format!(",c{n}")).collect();
    let rows: String = (0..4).map(|n| format!("id{n}{}\n", ",".repeat(100_000))).collect();
    let file = ["customer_id", &names, "\n", &rows].concat();
    assert_eq!(validate(&cage, file.as_bytes(), &[]).code, 0);
    let file = ["customer_id", &",x".repeat(500_000), "\n", &rows].concat();
    assert_eq!(validate(&cage, file.as_bytes(), &[]).code, 4, "one name twice");
}

#[test]
fn many_small_rows_do_not_fill_the_memory_of_many_threads() {
    let cage = Cage::new();
    let file = [HEADER, &b"id1,2\n".repeat(2 << 20)].concat();
    assert_eq!(validate(&cage, &file, &["--threads", "200"]).code, 0);
    // Each a row to reject, and each a stretch of damage.
    let file = [HEADER, &b"i,2\n".repeat(200_000)].concat();
    assert_eq!(validate(&cage, &file, &["--threads", "200"]).code, 1);
    let file = [HEADER, &b"a\n".repeat(200_000)].concat();
    assert_eq!(validate(&cage, &file, &["--threads", "200"]).code, 1);
}

#[test]
fn deep_and_long_json_cells_are_rows_to_reject() {
    let cage = Cage::new();
    cage.write(
        "map.toml",
        "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\nx = { type = \"json\" }\n",
    );
    for cell in ["[".repeat(500_000), "{\"a\":".repeat(100_000), "[1,".repeat(300_000)] {
        let cell = cell.replace('"', "\"\"");
        let rows: String = (0..8).map(|n| format!("id{n},\"{cell}\"\n")).collect();
        let file = [HEADER, rows.as_bytes()].concat();
        let ran = validate(&cage, &file, &["--mapping", "map.toml"]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
    }
}
