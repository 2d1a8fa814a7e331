//! How CSV is written changes no body; what is damaged stays damage in every encoding; and
//! a rejects file goes through the very command that wrote it.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, DictionaryArray, RecordBatch, StringArray},
    datatypes::Int32Type,
};
use parquet::arrow::ArrowWriter;

use crate::support::{Json, Lab, UNLIMITED};

/// Text as an encoding writes it; the test's own words, but for the code page.
fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "utf-8" => text.as_bytes().to_vec(),
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "latin-1" => text.chars().map(|c| u8::try_from(c).expect("latin-1")).collect(),
        "windows-1252" => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
        _ => panic!("{encoding}"),
    }
}

/// A table with every character that needs care, in a dialect.
fn table(delimiter: &str, quote: &str, line_end: &str, names_in_quotes: bool) -> String {
    let rows = [
        ["customer_id", "name", "note"],
        ["id1", "Zoë", "a,b;c|d\te"],
        ["id2", "O'Brien \"Bo\"", "two\nlines"],
        ["id3", "'tis", ""],
        ["id4", "\u{fc}\u{a7}\u{ff}", "  padded  "],
    ];
    let cell = |text: &str, at: usize| {
        let special = [delimiter, quote, "'", "\"", "\n"];
        if special.iter().any(|special| text.contains(special)) || at == 0 && names_in_quotes {
            format!("{quote}{}{quote}", text.replace(quote, &quote.repeat(2)))
        } else {
            text.to_owned()
        }
    };
    let lines = rows.iter().enumerate().map(|(at, row)| {
        let cells: Vec<String> = row.iter().map(|text| cell(text, at)).collect();
        cells.join(delimiter) + line_end
    });
    lines.collect()
}

fn packed(lab: &Lab, code: i32, args: &[&str]) -> (serde_json::Value, Vec<u8>) {
    let out = ["--out", "bodies"];
    let report = lab.report(code, &[["pack"].as_slice(), args, &out, &UNLIMITED].concat());
    (report, lab.read("bodies"))
}

/// The elements of all bodies, in order.
fn elements(bodies: &[u8]) -> Vec<Json> {
    let text = std::str::from_utf8(bodies).expect("UTF-8");
    let raw = text.lines().flat_map(crate::support::raw_elements);
    raw.map(|element| Json::parse(element.as_bytes())).collect()
}

fn users(rows: &[&[(&str, &str)]]) -> Vec<Json> {
    rows.iter()
        .map(|cells| {
            let fields = cells[1..].iter().map(|(name, text)| (*name, Json::text(text)));
            Json::object([
                ("type", Json::text("customer")),
                ("customer_id", Json::text(cells[0].1)),
                ("attributes", Json::object(fields)),
            ])
        })
        .collect()
}

fn code_of(report: &serde_json::Value, code: &str) -> serde_json::Value {
    let problems = report["problems"].as_array().expect("problems");
    let found: Vec<_> = problems.iter().filter(|problem| problem["code"] == code).collect();
    assert_eq!(found.len(), 1, "{code} in {problems:?}");
    found[0].clone()
}

#[test]
fn the_same_bodies_from_every_encoding_and_dialect() {
    let lab = Lab::new();
    lab.write("plain.csv", table(",", "\"", "\n", false));
    let (_, expected) = packed(&lab, 0, &["plain.csv"]);
    assert_eq!(elements(&expected)[1].get("attributes").get("name"), &Json::text("O'Brien \"Bo\""));
    for (at, encoding) in
        ["utf-8", "utf-16le", "utf-16be", "latin-1", "windows-1252"].iter().enumerate()
    {
        for (turn, delimiter) in [",", ";", "\t", "|"].iter().enumerate() {
            let quote = ["\"", "'"][(at + turn) % 2];
            let line_end = ["\n", "\r\n"][turn % 2];
            let text = table(delimiter, quote, line_end, true);
            let flag = ["--encoding", *encoding];
            let marked = turn % 2 == 0 && encoding.starts_with("utf");
            let text = if marked { format!("\u{feff}{text}") } else { text };
            lab.write("other.csv", encoded(&text, encoding));
            let flags = if marked || *encoding == "utf-8" { &[][..] } else { &flag };
            let (_, bodies) = packed(&lab, 0, &[&["other.csv"], flags].concat());
            assert!(bodies == expected, "{encoding}, delimiter {delimiter:?}, quote {quote}");
        }
    }
}

#[test]
fn latin_1_is_not_windows_1252() {
    let lab = Lab::new();
    lab.write("a.csv", b"customer_id,note\nid1,\x80\n");
    for (label, text) in [("windows-1252", "€"), ("latin-1", "\u{80}"), ("iso-8859-1", "\u{80}")]
    {
        let (_, bodies) = packed(&lab, 0, &["a.csv", "--encoding", label]);
        assert_eq!(elements(&bodies), users(&[&[("", "id1"), ("note", text)]]), "{label}");
    }
}

#[test]
fn half_characters_cost_their_record_and_keep_their_bytes() {
    let lab = Lab::new();
    let utf_16 = |text: &str| encoded(text, "utf-16le");
    let bad = [utf_16("id2,x"), vec![0x00, 0xd8], utf_16("y")].concat();
    let start = utf_16("\u{feff}customer_id,note\nid1,\u{fffd}\n");
    let parts = [&start[..], &bad, &utf_16("\nid3,\"two\nlines\"\nid4,z"), &[7]];
    lab.write("a.csv", parts.concat());
    let (report, bodies) = packed(&lab, 1, &["a.csv"]);
    let expected: [&[(&str, &str)]; 2] =
        [&[("", "id1"), ("note", "\u{fffd}")], &[("", "id3"), ("note", "two\nlines")]];
    assert_eq!(elements(&bodies), users(&expected), "the source's own U+FFFD is sent");
    let problem = code_of(&report, "invalid-encoding");
    let places = serde_json::json!([
        {"file": "a.csv", "row": 2, "line": 3},
        {"file": "a.csv", "row": 4, "line": 6},
    ]);
    assert_eq!(problem["first"], places);
    let damaged = lab.read(&format!("{}/damaged.txt", report["run_dir"].as_str().unwrap()));
    let header = |row: u32, line: u32, byte: u32, bytes: usize| {
        format!(
            "# a.csv, data row {row}, line {line}: invalid-encoding: byte {byte} of the record \
             (counted in UTF-8) is not UTF-16LE, {bytes} bytes\n"
        )
    };
    let last = [utf_16("id4,z"), vec![7]].concat();
    let heads = [header(2, 3, 6, bad.len()), header(4, 6, 6, last.len())];
    let expected = [heads[0].as_bytes(), &bad, b"\n", heads[1].as_bytes(), &last, b"\n"];
    assert_eq!(damaged, expected.concat());

    lab.write("b.csv", b"customer_id,note\nid1,\x81\nid2,\xe9\n");
    let (report, bodies) = packed(&lab, 1, &["b.csv", "--encoding", "windows-1252"]);
    assert_eq!(elements(&bodies), users(&[&[("", "id2"), ("note", "é")]]));
    let line = &code_of(&report, "invalid-encoding")["first"][0]["line"];
    assert_eq!(line, 2);
}

#[test]
fn many_records_that_are_not_utf_8_are_one_mistake() {
    let lab = Lab::new();
    let file = |bad: usize| {
        let rows = (0..300).map(|at| {
            let e = if at < bad { b"\xe9".as_slice() } else { b"e" };
            [format!("id{at},").as_bytes(), e, b"\n"].concat()
        });
        rows.fold(b"customer_id,name\n".to_vec(), |file, row| [file, row].concat())
    };
    for (bad, named) in [(3, false), (6, true)] {
        lab.write("a.csv", file(bad));
        let (report, _) = packed(&lab, 1, &["a.csv"]);
        let problem = code_of(&report, "invalid-utf8");
        let help = problem["help"].as_str().expect("a help");
        assert_eq!(help.contains("of 300 records of a.csv are not UTF-8"), named, "{help}");
    }
    lab.write("b.csv", b"customer_id,pr\xe9nom\nid1,x\n");
    let ran = lab.run(&["validate", "b.csv"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("--encoding windows-1252"), "{}", ran.stderr);
}

#[test]
fn rejects_go_through_the_command_that_wrote_them() {
    let mapping = r#"{"mapping":[{"column":"column_1","moe_attr":"uid"},
        {"column":"column_2","moe_attr":"name","type":"string"}]}"#;
    let cases: [(&str, &str, &str, &[&str]); 6] = [
        ("utf-16le", "\u{feff}customer_id;name\n", "x;Zoë; 1\ny;\"Zoë; 2\"\n", &[]),
        ("utf-16be", "customer_id\tname\n", "y\t\"Zoë; 2\"\n", &["--encoding", "utf-16be"]),
        ("windows-1252", "customer_id|name\n", "y|Zoë; 2\n", &["--encoding", "cp1252"]),
        ("latin-1", "'customer_id','name'\n", "'y','Zoë; 2'\n", &["--encoding", "latin-1"]),
        (
            "utf-8",
            "a report\n\n",
            "idn|Ann\ny|Zoë; 2\n",
            &["--no-header", "--skip-lines", "2", "--mapping", "map.json"],
        ),
        ("utf-8", "customer_id,name\n", "y,Zoë\\; 2\n", &["--escape", "\\", "--quote", "none"]),
    ];
    for (encoding, start, rows, flags) in cases {
        let lab = Lab::new();
        lab.write("map.json", mapping);
        lab.write("in.csv", encoded(&format!("{start}{rows}"), encoding));
        let (report, _) = packed(&lab, 1, &[&["in.csv"], flags].concat());
        let rejects = format!("{}/rejects.csv", report["run_dir"].as_str().unwrap());
        let (again, _) = packed(&lab, 1, &[&[rejects.as_str()], flags].concat());
        let problem = code_of(&again, "id-too-short");
        assert_eq!(problem["first"][0]["line"], 2, "{encoding} {flags:?}");
        assert_eq!(again["rows"]["read"], 1, "{encoding} {flags:?}");

        // The mended row, and nothing of the columns beside it.
        let (from, to) = (encoded("y", encoding), encoded("idy", encoding));
        let bytes = lab.read(&rejects);
        let at = mend_at(&bytes, &encoded("\n", encoding), &from);
        let mended = [&bytes[..at], &to, &bytes[at + from.len()..]].concat();
        lab.write("mended.csv", mended);
        let (_, bodies) = packed(&lab, 0, &[&["mended.csv"], flags].concat());
        let expected = users(&[&[("", "idy"), ("name", "Zoë; 2")]]);
        assert_eq!(elements(&bodies), expected, "{encoding} {flags:?}");
    }
}

/// Where the id stands: the first place of `id` behind the header.
fn mend_at(bytes: &[u8], line_end: &[u8], id: &[u8]) -> usize {
    let find = |part: &[u8], from: usize| {
        (from..bytes.len()).find(|&at| bytes[at..].starts_with(part)).expect("a place")
    };
    find(id, find(line_end, 0))
}

#[test]
fn each_file_has_its_own_delimiter_and_two_that_fit_are_refused() {
    let lab = Lab::new();
    lab.write("a.csv", "customer_id;n\nid1;x\n");
    lab.write("b.csv", "n|customer_id\nx|id2\n");
    lab.write("c.tsv", "customer_id\tn\nid3\tx\n");
    lab.write("d.csv", "customer_id,n,tags;more\nid4,x,a;b\n");
    let (report, bodies) = packed(&lab, 0, &["a.csv", "b.csv", "c.tsv", "d.csv"]);
    assert_eq!(report["rows"]["accepted"], 4);
    let first = [("", "id1"), ("n", "x")];
    assert_eq!(elements(&bodies)[0], users(&[&first])[0]);
    let ran = lab.run(&["validate", "a.csv", "b.csv", "c.tsv", "d.csv"]);
    let said: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("delimiter")).collect();
    assert_eq!(
        said,
        [
            "a.csv: delimiter `;`, quote `\"`, UTF-8",
            "b.csv: delimiter `|`, quote `\"`, UTF-8",
            "c.tsv: delimiter `tab`, quote `\"`, UTF-8",
        ]
    );

    lab.write("two.csv", "uid,a;b\nid1,x;y\n");
    let ran = lab.run(&["validate", "two.csv"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("two.csv") && ran.stderr.contains("--delimiter"), "{}", ran.stderr);
    // What the mapping names decides, and so does the flag.
    lab.write("map.json", r#"{"mapping":[{"column":"uid","moe_attr":"uid"}]}"#);
    let (report, _) = packed(&lab, 0, &["two.csv", "--mapping", "map.json"]);
    assert_eq!(report["rows"]["accepted"], 1);
    lab.write("head.csv", "id1,x;y\n");
    let flags = ["--no-header", "--mapping", "map.json", "--delimiter", ","];
    lab.write("map.json", r#"{"mapping":[{"column":"column_1","moe_attr":"uid"}]}"#);
    let (report, _) = packed(&lab, 0, &[&["head.csv"], &flags[..]].concat());
    assert_eq!(report["rows"]["accepted"], 1);
    assert_eq!(lab.run(&[&["validate", "head.csv"], &flags[..3]].concat()).code, 2);
}

#[test]
fn flags_of_the_dialect_do_what_they_say() {
    let lab = Lab::new();
    let check = |args: &[&str], expected: &[&[(&str, &str)]]| {
        let (_, bodies) = packed(&lab, 0, args);
        assert_eq!(elements(&bodies), users(expected), "{args:?}");
    };
    lab.write("quotes.tsv", "customer_id\tnote\nid1\t\"27\" wide\nid2\t'x'\n");
    check(
        &["quotes.tsv", "--quote", "none"],
        &[&[("", "id1"), ("note", "\"27\" wide")], &[("", "id2"), ("note", "'x'")]],
    );
    lab.write("escapes.csv", "customer_id,note\nid1,\"say \\\"a\\\\b\\\"\"\nid2,a\\,b\\\nc\n");
    check(
        &["escapes.csv", "--escape", "\\"],
        &[&[("", "id1"), ("note", "say \"a\\b\"")], &[("", "id2"), ("note", "a,b\nc")]],
    );
    lab.write("skip.csv", "made on \"Monday\n\nby: x, y\ncustomer_id,note\nid1,a\n");
    check(&["skip.csv", "--skip-lines", "3"], &[&[("", "id1"), ("note", "a")]]);
    lab.write("map.json", r#"{"mapping":[{"column":"column_2","moe_attr":"uid"},{"column":"column_1","moe_attr":"note","type":"string"}]}"#);
    lab.write("headless.tsv", "note\tid1\nx\tid2\n");
    check(
        &["headless.tsv", "--no-header", "--mapping", "map.json"],
        &[&[("", "id1"), ("note", "note")], &[("", "id2"), ("note", "x")]],
    );
    let ran = lab.run(&["validate", "skip.csv", "--encoding", "utf-7"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--encoding"), "{}", ran.stderr);
}

#[test]
fn null_words_are_no_values_in_every_format() {
    let lab = Lab::new();
    let rows = [["id1", "NULL", "a"], ["id2", "7", "\\N"], ["id3", "", "null"]];
    let text = |delimiter: &str| {
        let lines = rows.iter().map(|row| row.join(delimiter) + "\n");
        lines.fold(["customer_id", "n", "note"].join(delimiter) + "\n", |text, row| text + &row)
    };
    lab.write("a.csv", text(","));
    lab.write("b.tsv", text("\t"));
    lab.write("c.csv", encoded(&format!("\u{feff}{}", text(";")), "utf-16le"));
    let column = |at: usize| rows.map(|row| row[at]);
    let dictionary: DictionaryArray<Int32Type> = column(2).into_iter().collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("customer_id", Arc::new(StringArray::from(column(0).to_vec()))),
        ("n", Arc::new(StringArray::from(column(1).to_vec()))),
        ("note", Arc::new(dictionary)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = std::fs::File::create(lab.path("d.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    lab.write("map.json", r#"{"mapping":[{"column":"customer_id","moe_attr":"uid"},{"column":"n","moe_attr":"n","type":"double"},{"column":"note","moe_attr":"note","type":"string"}]}"#);
    let nulls = ["--null-value", "NULL", "--null-value", "\\N", "--mapping", "map.json"];
    for file in ["a.csv", "b.tsv", "c.csv", "d.parquet"] {
        let (_, bodies) = packed(&lab, 0, &[&[file], &nulls[..]].concat());
        let found = elements(&bodies);
        let attributes: Vec<&Json> =
            found.iter().map(|element| element.get("attributes")).collect();
        let expected = [
            Json::object([("note", Json::text("a"))]),
            Json::object([("n", Json::Number("7".into()))]),
            Json::object([("note", Json::text("null"))]),
        ];
        assert_eq!(attributes, expected.iter().collect::<Vec<_>>(), "{file}");
    }
    // Without a mapping the words do not keep a column from being a number.
    let (_, bodies) = packed(&lab, 0, &["a.csv", "--null-value", "NULL", "\\N"]);
    assert_eq!(elements(&bodies)[1].get("attributes").get("n"), &Json::Number("7".into()));
    // An id that is a null word is missing.
    lab.write("e.csv", "customer_id,n\nNULL,1\n");
    let (report, _) = packed(&lab, 1, &["e.csv", "--null-value", "NULL"]);
    assert_eq!(code_of(&report, "id-missing")["count"], 1);
}
