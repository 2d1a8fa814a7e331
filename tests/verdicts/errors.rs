//! Inputs and mappings that cannot be used: one clear text, the right code, nothing sent.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{
    scene::{Ran, Scene, each},
    server::Server,
};

/// One line or a few on stderr that hold these words, with lines of two files at most; stdout is
/// empty.
pub fn assert_refused(ran: &Ran, code: i32, words: &[&str]) {
    ran.assert_code(code);
    assert_eq!(ran.stdout, "", "stderr:\n{}", ran.stderr);
    for words in words {
        ran.assert_says(words);
    }
    let lines = ran.stderr.trim_end().lines().count();
    assert!((1..=12).contains(&lines), "{lines} lines:\n{}", ran.stderr);
}

/// What is wrong, the scene's files, the input, more flags, the code, the words.
struct Case {
    what: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    args: &'static [&'static str],
    code: i32,
    says: &'static [&'static str],
}

fn case(
    what: &'static str,
    files: &[(&'static str, &[u8])],
    args: &'static [&'static str],
    code: i32,
    says: &'static [&'static str],
) -> Case {
    let files = files.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
    Case { what, files, args, code, says }
}

const USERS: (&str, &[u8]) = ("users.csv", b"customer_id,city\nuser-001,Oslo\n");

fn utf16(text: &str, bom: bool) -> Vec<u8> {
    let start = bom.then_some(0xfeff_u16);
    start.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn parquet(binary: bool) -> Vec<u8> {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..500).map(|n| format!("u{n}"))));
    let zip: ArrayRef = Arc::new(Int64Array::from_iter_values(0..500));
    let photo: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..500).map(|_| b"\xff\xd8")));
    let last = if binary { ("photo", photo) } else { ("zip", zip) };
    let batch = RecordBatch::try_from_iter([("customer_id", ids), last]).expect("batch");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("writer");
    writer.write(&batch).expect("write");
    writer.close().expect("close");
    bytes
}

fn cases() -> Vec<Case> {
    let whole = parquet(false);
    let gzip: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let text = "customer_id,city\nuser-001,Oslo\n";
    vec![
        case("missing file", &[], &["nowhere.csv"], 4, &["nowhere.csv", "no such file", "check"]),
        case("glob without match", &[USERS], &["no*.csv"], 4, &["no*.csv", "matches no file"]),
        case("directory without files", &[("d/notes.txt", b"x")], &["d"], 4, &["d: ", ".parquet"]),
        case("empty file", &[("e.csv", b"")], &["e.csv"], 4, &["e.csv", "empty"]),
        case(
            "no id column",
            &[("n.csv", b"name,city\na,b\n")],
            &["n.csv"],
            2,
            &["n.csv", "customer_id", "name, city", "--mapping"],
        ),
        case(
            "duplicate names",
            &[("t.csv", b"customer_id,city,city\nuser-1,a,b\n")],
            &["t.csv"],
            4,
            &["t.csv", "`city`", "rename"],
        ),
        case(
            "duplicate id",
            &[("t.csv", b"customer_id,customer_id\nuser-1,a\n")],
            &["t.csv"],
            4,
            &["t.csv", "`customer_id`"],
        ),
        case(
            "half a Parquet file",
            &[("h.parquet", &whole[..whole.len() / 2])],
            &["h.parquet"],
            4,
            &["h.parquet", "cut short"],
        ),
        case(
            "Parquet end alone",
            &[("h.parquet", &whole[whole.len() / 2..])],
            &["h.parquet"],
            4,
            &["h.parquet"],
        ),
        case(
            "text called Parquet",
            &[("h.parquet", text.as_bytes())],
            &["h.parquet"],
            4,
            &["h.parquet"],
        ),
        case(
            "column of bytes",
            &[("n.parquet", &parquet(true))],
            &["n.parquet"],
            2,
            &["n.parquet", "`photo`", "bytes"],
        ),
        case("gzip of nothing", &[("g.csv", gzip)], &["g.csv"], 4, &["g.csv", "empty"]),
        case(
            "half of gzip",
            &[("g.csv.gz", &gzip[..15])],
            &["g.csv.gz"],
            4,
            &["g.csv.gz", "gzip member 1", "cut short", "copy"],
        ),
        case("bzip2", &[("b.csv", b"BZh91AY")], &["b.csv"], 4, &["b.csv", "bzip2", "decompress"]),
        case(
            "UTF-16 with a mark, told to be another",
            &[("u.csv", &utf16(text, true))],
            &["u.csv", "--encoding", "latin-1"],
            4,
            &["u.csv", "UTF-16LE", "--encoding", "ISO-8859-1"],
        ),
        case(
            "UTF-16 without",
            &[("u.csv", &utf16(text, false))],
            &["u.csv"],
            4,
            &["u.csv", "NUL", "--encoding utf-16le"],
        ),
        case(
            "UTF-32 with a mark",
            &[("u.csv", b"\xff\xfe\0\0a\0\0\0")],
            &["u.csv"],
            4,
            &["u.csv", "UTF-32LE", "UTF-8"],
        ),
        case("named twice", &[USERS], &["users.csv", "./users.csv"], 2, &["users.csv", "twice"]),
    ]
}

fn mapping_cases() -> Vec<Case> {
    const ARGS: &[&str] = &["users.csv", "--mapping", "m.json"];
    let with =
        |what, json: &str, says| case(what, &[USERS, ("m.json", json.as_bytes())], ARGS, 2, says);
    let uid = r#"{"column":"customer_id","moe_attr":"uid","type":"string"}"#;
    let city = |rest: &str| {
        format!(r#"{{"mapping":[{uid},{{"column":"city","moe_attr":"city",{rest}}}]}}"#)
    };
    vec![
        case("missing mapping", &[USERS], ARGS, 2, &["--mapping m.json"]),
        with("not JSON", "{nope", &["--mapping m.json", "line 1 column 2"]),
        with("another document", r#"{"columns":[]}"#, &["--mapping m.json"]),
        with("unknown type", &city(r#""type":"text""#), &["m.json", "`city`", "`text`", "double"]),
        with(
            "unknown date format",
            &city(r#""type":"datetime","datetime_format":"YY-DD""#),
            &["m.json", "`city`", "`YY-DD`", "YYYY-MM-DD"],
        ),
        with(
            "without uid",
            r#"{"mapping":[{"column":"city","moe_attr":"city","type":"string"}]}"#,
            &["m.json", "`uid`", "`customer_id`"],
        ),
        with(
            "two uids",
            &format!(
                r#"{{"mapping":[{uid},{{"column":"city","moe_attr":"uid","type":"string"}}]}}"#
            ),
            &["m.json", "customer_id"],
        ),
        with(
            "column not in the file",
            &format!(
                r#"{{"mapping":[{uid},{{"column":"citty","moe_attr":"c","type":"string"}}]}}"#
            ),
            &["users.csv", "`citty`", "city"],
        ),
    ]
}

#[test]
fn what_cannot_be_read_is_refused_with_a_clear_text_and_nothing_is_sent() {
    let cases: Vec<Case> = cases().into_iter().chain(mapping_cases()).collect();
    each(
        &cases,
        |case| case.what.to_owned(),
        |case| {
            let scene = Scene::new();
            for (name, bytes) in &case.files {
                std::fs::create_dir_all(scene.path(name).parent().expect("parent")).expect("mkdir");
                scene.write(name, bytes);
            }
            let with = |before: &[&'static str], after: &[&str]| {
                let args: Vec<&str> =
                    before.iter().chain(case.args).chain(after).copied().collect();
                scene.run(&args)
            };
            assert_refused(&with(&["validate"], &[]), case.code, case.says);
            assert_refused(&with(&["validate", "--output", "json"], &[]), case.code, case.says);
            assert_refused(&with(&["pack", "--out", "out"], &[]), case.code, case.says);
            assert!(std::fs::metadata(scene.path("out")).is_err(), "no bodies, no file");
            let server = Server::scripted([]);
            let url = server.url();
            let ran = with(&["import"], &["--endpoint", &url, "--app-id", "APP123"]);
            assert_refused(&ran, case.code, case.says);
            assert_eq!(server.connections(), 0);
            scene.assert_no_key(&ran);
        },
    );
}

#[test]
fn a_header_alone_is_an_import_of_no_rows() {
    let scene = Scene::new();
    scene.write("users.csv", "customer_id,city\n");
    let server = Server::scripted([]);
    let ran = scene.import(&server, &["--output", "json"]);
    ran.assert_code(0);
    assert_eq!(server.connections(), 0);
    assert_eq!(scene.settled(), [0, 0, 0]);
    assert_eq!(scene.report()["complete"], true);
    assert_eq!(scene.report()["bodies"]["count"], 0);
    scene.run(&["validate", "users.csv"]).assert_code(0);
    scene.run(&["pack", "users.csv", "--out", "out"]).assert_code(0);
    assert_eq!(std::fs::read(scene.path("out")).expect("out"), b"");
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::with_users(3);
    let path = scene.path("users.csv");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    if std::fs::read(&path).is_ok() {
        return; // root reads everything
    }
    let ran = scene.run(&["validate", "users.csv"]);
    assert_refused(&ran, 4, &["users.csv", "ermission"]);
}
