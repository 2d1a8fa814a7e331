//! Files that are not what they seem: each is refused with what it is and what to do.

use std::{fs::File, process::Stdio, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::arrow::ArrowWriter;

use crate::{gzip, packed, support::Lab, zstd};

/// The refusal of a file, by each command that reads it.
fn refused(lab: &Lab, code: i32, args: &[&str]) -> String {
    let commands: [&[&str]; 4] = [
        &["validate", "--run-dir", "run"],
        &["pack", "--out", "bodies"],
        &["init", "--out", "-"],
        &["import", "--sandbox", "--run-dir", "sandbox"],
    ];
    let refusal = |command: &[&str]| {
        let ran = lab.run(&[command, &["--progress", "off"], args].concat());
        assert_eq!(ran.code, code, "{command:?} {args:?}: {}", ran.stderr);
        ran.stderr
    };
    let all: Vec<String> = commands.into_iter().map(refusal).collect();
    assert!(all.iter().all(|text| *text == all[0]), "{all:#?}");
    all[0].clone()
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn lines_that_end_with_cr_alone_are_no_header() {
    let lab = Lab::new();
    let rows = "C01,1\rC02,2\r".repeat(60_000);
    for (text, byte) in [
        ("customer_id,a\rC01,1\rC02,2\r", 14),
        ("customer_id,a\rC01,1\rC02,2", 14),
        ("\u{feff}customer_id;a,b\rC01;1,2\r", 16),
        ("name,a;b\rC01,1;2\r", 9),
        ("\"customer_id\",\"a\"\r\"C01\",\"1\"\r", 18),
        ("customer_id,a\r\"C01\",1\r", 14),
        ("customer_id,a\rC01,\"1\r", 14),
        ("customer_id,a\r", 14),
        ("customer_id,a\r\r\nC01,1\r\r\n", 14),
        // All of it is longer than a record may be.
        (&format!("customer_id,a\r{rows}"), 14),
    ] {
        lab.write("cr.csv", text);
        for args in [&["cr.csv", "--threads", "1"][..], &["cr.csv"]] {
            let said = refused(&lab, 4, args);
            let at = format!("cr.csv: line 1: byte {byte} of the header is a CR");
            has(&said, &[&at, "files of old Macs", "tr '\\r' '\\n'"]);
            assert!(!said.contains("C01"), "no value is shown: {said}");
        }
    }
    let text = "C01,1\rC02,2\r";
    lab.write("cr.csv", text);
    let args = ["validate", "cr.csv", "--no-header", "--run-dir", "run", "--progress", "off"];
    let ran = lab.run(&args);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    has(&ran.stderr, &["byte 6 of the first record is a CR", "\n1 | X99,9\n"]);

    // What the advice makes of it, and what a CR elsewhere is.
    lab.write("cr.csv", "customer_id,a\rC01,1\rC02,2\r".replace('\r', "\n"));
    lab.write("lf.csv", "customer_id,a\nC01,1\nC02,2\n");
    assert!(packed(&lab, &["cr.csv"]) == packed(&lab, &["lf.csv"]));
    lab.write("cr.csv", "customer_id,\"a\rb\",c\r\nC01,1\r2,\"3\r4\"\r\n");
    let body = String::from_utf8(packed(&lab, &["cr.csv"])).expect("UTF-8");
    has(&body, &[r#""a\rb":"1\r2""#, r#""c":"3\r4""#]);
    // UTF-16 without a mark is something else.
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    lab.write("cr.csv", wide("customer_id,a\r\nC01,1\r\n"));
    has(&refused(&lab, 4, &["cr.csv"]), &["nul-byte"]);
}

/// A Parquet file with a row of texts in columns of these names.
fn parquet(names: &[&str]) -> Vec<u8> {
    let fields: Vec<_> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let column = |at: usize| Arc::new(StringArray::from(vec![format!("v{at}")])) as ArrayRef;
    let columns = (1..=names.len()).map(column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

#[test]
fn two_columns_of_one_name_are_refused_in_parquet_as_in_csv() {
    let lab = Lab::new();
    lab.write("m.toml", "[columns]\ncustomer_id = {}\nname = {}\n");
    for (names, words) in [
        (["customer_id", "email", "name", "email"], "columns 2 and 4 are both named `email`"),
        (
            ["customer_id", "name", "customer_id", "b"],
            "columns 1 and 3 are both named `customer_id`",
        ),
    ] {
        lab.write("u.parquet", parquet(&names));
        lab.write("u.csv", format!("{}\n1,2,3,4\n", names.join(",")));
        // A mapping that does not name them is no other case.
        for args in [&["u.parquet"][..], &["u.parquet", "--mapping", "m.toml"]] {
            let args: Vec<_> = args.to_vec();
            let commands: [&[&str]; 2] =
                [&["validate", "--run-dir", "run"], &["pack", "--out", "b"]];
            for command in commands {
                let said = lab.run(&[command, &args].concat());
                assert_eq!(said.code, 4, "{}", said.stderr);
                has(&said.stderr, &["u.parquet: ", words, "rename one of them"]);
                let csv = args.iter().map(|arg| arg.replace("parquet", "csv")).collect::<Vec<_>>();
                let csv: Vec<&str> = csv.iter().map(String::as_str).collect();
                let said = lab.run(&[command, csv.as_slice()].concat());
                assert_eq!(said.code, 4, "{}", said.stderr);
                has(&said.stderr, &["u.csv: line 1: ", words, "rename one of them"]);
            }
        }
        has(&refused(&lab, 4, &["u.parquet"]), &[words]);
    }
    lab.write("u.parquet", parquet(&["customer_id", "email", "Email"]));
    assert!(!packed(&lab, &["u.parquet"]).is_empty(), "these are two names");
}

#[test]
fn json_that_is_no_ndjson_is_refused_with_what_makes_it_so() {
    let lab = Lab::new();
    let array = r#"[{"customer_id":"C01","a":"x \"y\""},{"customer_id":"C02"}]"#;
    let pretty = "[\n  {\n    \"customer_id\": \"C01\"\n  }\n]\n";
    for text in
        [array, pretty, "\u{feff}[{}]", "\r\n\t [ {\"customer_id\":\"C01\"} ]\n", "[]", "[ ]\n"]
    {
        for name in ["x.json", "x", "x.json.gz"] {
            let bytes = text.as_bytes().to_vec();
            lab.write(name, if name.ends_with(".gz") { gzip(&bytes) } else { bytes });
            has(&refused(&lab, 4, &[name]), &[name, ": is a JSON array", "`jq -c '.[]'`"]);
        }
        for bytes in [text.as_bytes().to_vec(), zstd(text.as_bytes())] {
            lab.write("in", bytes);
            let stdin = Stdio::from(File::open(lab.path("in")).expect("a file"));
            let ran = lab.run_with(&["validate", "-", "--progress", "off"], stdin, &[]);
            assert_eq!(ran.code, 4, "{}", ran.stderr);
            has(&ran.stderr, &["stdin: is a JSON array", "`jq -c '.[]'`"]);
        }
    }
    lab.write("m.toml", "[columns]\ncustomer_id = {}\n");
    let spread = "{\n  \"customer_id\": \"C01\",\n  \"items\": [\n    {\"sku\": 1}\n  ]\n}\n";
    for (name, text, what) in [
        ("x.json", spread, "line 1 opens an object"),
        ("x.ndjson", spread, "line 1 opens an object"),
        ("x.jsonl", "\u{feff}\n{ \r\n\"customer_id\": \"C01\"}\r\n", "line 2 opens an object"),
        ("x.ndjson", pretty, "line 1 opens an array"),
        (
            "x.ndjson",
            "[\n{\"customer_id\":\"1\"},\n{\"customer_id\":\"2\"}\n]\n",
            "line 1 opens an array",
        ),
    ] {
        lab.write(name, text);
        for args in [&[name][..], &[name, "--mapping", "m.toml"]] {
            let ran =
                lab.run(&[&["validate", "--run-dir", "run", "--progress", "off"], args].concat());
            assert_eq!(ran.code, 4, "{}", ran.stderr);
            has(&ran.stderr, &[name, what, "`jq -c .` of objects over several lines"]);
        }
    }
    // What else begins with a bracket is a name, and a broken line among others one rejected row.
    lab.write("x", "[id],customer_id\n1,C01\n");
    assert!(!packed(&lab, &["x"]).is_empty());
    lab.write("x.ndjson", "{\"customer_id\":\"C01\"}\n{\n");
    let ran = lab.run(&["validate", "x.ndjson", "--run-dir", "run", "--progress", "off"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

/// The start of a zip archive whose first part has a name and content.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes.extend(content);
    bytes
}

#[test]
fn workbooks_are_called_so() {
    let lab = Lab::new();
    let (excel, old) = ("an Excel workbook", "an old Excel workbook (.xls)");
    let ods = zip("mimetype", b"application/vnd.oasis.opendocument.spreadsheet");
    let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0".to_vec();
    for (name, bytes, kind) in [
        ("users.xlsx", zip("[Content_Types].xml", b"<xml/>"), excel),
        // Whatever it is called, and whatever part comes first.
        ("users.csv", zip("[Content_Types].xml", b"<xml/>"), excel),
        ("users", zip("docProps/app.xml", b"<xml/>"), excel),
        ("users.bin", [zip("a", b"b"), zip("[Content_Types].xml", b"<xml/>")].concat(), excel),
        ("users.XLSM", zip("a", b"b"), excel),
        ("users.csv", ods.clone(), "an OpenDocument spreadsheet"),
        ("users.ods", zip("a", b"b"), "an OpenDocument spreadsheet"),
        ("users.xls", ole.clone(), old),
        ("export.csv", ole.clone(), old),
        ("users.xls.gz", gzip(&ole), old),
        ("users.xlsx.gz", gzip(&zip("a", b"b")), excel),
    ] {
        lab.write(name, &bytes);
        let words = format!("{name}: is {kind}, which is not read; save its sheet as CSV (UTF-8)");
        has(&refused(&lab, 4, &[name]), &[&words]);
        lab.write("in", bytes);
        let stdin = Stdio::from(File::open(lab.path("in")).expect("a file"));
        let ran = lab.run_with(&["validate", "-", "--progress", "off"], stdin, &[]);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
    }
    lab.write("users.zip", zip("users.csv", b"customer_id\nC01\n"));
    has(&refused(&lab, 4, &["users.zip"]), &["users.zip: is zip-compressed; decompress it first"]);
    lab.write("users.xlsx", "customer_id\nC01\n");
    assert!(!packed(&lab, &["users.xlsx"]).is_empty(), "what is a table inside is read as one");
}

#[test]
fn a_first_line_that_is_no_header_is_told_with_the_flags_to_go_on() {
    let lab = Lab::new();
    lab.write("m.toml", "[columns]\ncustomer_id = {}\na = {}\n");
    lab.write("plain.csv", "customer_id,a\nC01,2\n");
    let plain = packed(&lab, &["plain.csv"]);
    let sep = "tells Excel the delimiter and is no header: pass over it with";
    let comment = "begins with `#`: if it is a comment, pass over it with";
    for (text, code, hint, flags) in [
        ("sep=;\r\ncustomer_id;a\r\nC01;2\r\n", 2, sep, "--skip-lines 1 --delimiter ';'"),
        ("\u{feff}SEP=|\ncustomer_id|a\nC01|2\n", 2, sep, "--skip-lines 1 --delimiter '|'"),
        ("\"sep=;\"\ncustomer_id;a\nC01;2\n", 2, sep, "--skip-lines 1 --delimiter ';'"),
        ("sep=\t\ncustomer_id\ta\nC01\t2\n", 2, sep, "--skip-lines 1 --delimiter tab"),
        // Its own delimiter makes two columns of it, and the second has no name.
        ("sep=,\ncustomer_id,a\nC01,2\n", 4, sep, "--skip-lines 1 --delimiter ','"),
        ("# made by hand, today\ncustomer_id,a\nC01,2\n", 2, comment, "--skip-lines 1"),
        ("#,,\ncustomer_id,a\nC01,2\n", 4, comment, "--skip-lines 1"),
        ("\n#a,#a\ncustomer_id,a\nC01,2\n", 4, comment, "--skip-lines 2"),
        ("# the \"best\"\ncustomer_id,a\nC01,2\n", 4, comment, "--skip-lines 1"),
    ] {
        lab.write("u.csv", text);
        for args in [&["u.csv"][..], &["u.csv", "--mapping", "m.toml"]] {
            for command in [&["validate"][..], &["pack", "--out", "bodies"]] {
                let ran = lab.run(&[command, args, &["--progress", "off"]].concat());
                assert_eq!(ran.code, code, "{text}: {}", ran.stderr);
                has(&ran.stderr, &[hint, flags, "u.csv: "]);
            }
        }
        // What it says is what it takes.
        let flags: Vec<_> = flags.split(' ').map(|flag| flag.trim_matches('\'')).collect();
        let args = [&["u.csv"], flags.as_slice()].concat();
        assert!(packed(&lab, &args) == plain, "{text}");
        let said = lab.run(&[&["init", "--out", "-"], args.as_slice()].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(!said.stderr.contains("pass over it"), "{}", said.stderr);
    }
    lab.write("u.csv", "sep=;\ncustomer_id;a\nC01;2\n");
    let said = lab.run(&["init", "u.csv", "--out", "-"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    has(&said.stderr, &["u.csv: line 1 (`sep=;`)", sep]);
    // Where the columns are there, nothing is amiss.
    lab.write("u.csv", "#,customer_id,a\n7,C01,2\n");
    let said = lab.run(&["validate", "u.csv", "--run-dir", "run"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stderr.contains("pass over it"), "{}", said.stderr);
    for text in ["sep=x,a\n1,2\n", "sep=\u{1b}\na\n", "sep='\na\n"] {
        lab.write("u.csv", text);
        let said = lab.run(&["validate", "u.csv", "--run-dir", "run"]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(!said.stderr.contains("pass over it"), "{}", said.stderr);
    }
}
