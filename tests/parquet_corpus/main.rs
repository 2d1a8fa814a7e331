//! Every file of apache/parquet-testing, against what pyarrow reads from it.
//!
//! `expected.py` makes `expected.json`. The files themselves are not part of the
//! project: the test looks for them in `MOEBULK_CORPORA`, then beside the project in
//! `../shared/corpora`, and says that it has nothing to do where they are not there.

#[path = "../common/missing.rs"]
mod missing;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use arrow::array::Array;
use bytes::Bytes;
use moebulk::{
    decode::parquet::{PagePool, ParquetFile},
    shape::{arrow_cells::ArrowColumn, cell::Cell, json},
};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// The folder of apache/parquet-testing.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let corpora = std::env::var_os("MOEBULK_CORPORA").map_or(beside, PathBuf::from);
    let corpus = corpora.join("parquet-testing");
    if !corpus.is_dir() {
        let why = format!("no corpus at {}; MOEBULK_CORPORA names its folder", corpus.display());
        missing::skip("parquet-testing", &why);
        return None;
    }
    Some(corpus)
}

/// Every row as a line of JSON, by the columns that can be read.
fn lines(path: &Path) -> Result<(u64, String, Vec<String>), String> {
    let bytes = fs::read(path).expect("the corpus can be read");
    let file = ParquetFile::open(Bytes::from(bytes), 0).map_err(|error| error.to_string())?;
    let (refused, kept): (Vec<_>, Vec<_>) =
        file.columns().iter().partition(|column| column.refusal.is_some());
    let wanted: Vec<usize> = kept.iter().map(|column| column.index).collect();
    let (mut rows, mut out, mut scratch) = (0, String::new(), String::new());
    let pool = PagePool::default();
    for group in 0..file.row_groups() {
        let batches = file
            .read_group(group, &wanted, 0..u64::MAX, &pool)
            .map_err(|error| error.to_string())?;
        for batch in batches {
            let batch = batch.map_err(|error| error.to_string())?.batch;
            let columns: Vec<_> = kept
                .iter()
                .zip(batch.columns())
                .map(|(column, array)| {
                    assert_eq!(&column.data_type, array.data_type(), "{}", column.name);
                    (&column.name, ArrowColumn::new(array.as_ref()).expect("not refused"))
                })
                .collect();
            for row in 0..batch.num_rows() {
                line(&columns, row, &mut out, &mut scratch);
            }
            rows += batch.num_rows() as u64;
        }
    }
    assert_eq!(rows, file.rows());
    Ok((rows, out, refused.into_iter().map(|column| column.name.clone()).collect()))
}

fn line(columns: &[(&String, ArrowColumn)], row: usize, out: &mut String, scratch: &mut String) {
    let quoted = |text: &str| String::from_utf8(json::string(text)).expect("UTF-8");
    let mut comma = "";
    out.push('{');
    for (name, column) in columns {
        let value = match column.cell(row, scratch) {
            Cell::Absent => continue,
            Cell::Text(text) | Cell::DateTime { text, .. } => quoted(text),
            Cell::Number { digits: text, .. } | Cell::Json { json: text, .. } => text.to_owned(),
            Cell::Bool(value) => value.to_string(),
            Cell::Bad(code) => format!("!{code}"),
        };
        let _ = write!(out, "{comma}{}:{value}", quoted(name));
        comma = ",";
    }
    out.push_str("}\n");
}

#[test]
fn every_good_file_is_read_as_pyarrow_reads_it() {
    let Some(corpus) = corpus() else { return };
    let expected: serde_json::Map<String, Value> =
        serde_json::from_str(include_str!("expected.json")).expect("JSON");
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let found = lines(&corpus.join(name));
        let fits = match (&found, &expected["error"]) {
            (Err(error), Value::String(words)) => error.contains(words.as_str()),
            (Ok((rows, lines, refused)), Value::Null) => {
                let bytes = &expected["bytes"];
                expected["rows"] == *rows
                    && expected["xxh3"] == format!("{:016x}", xxh3_64(lines.as_bytes()))
                    && (if refused.is_empty() {
                        bytes.is_null()
                    } else {
                        *bytes == Value::from(refused.clone())
                    })
            }
            _ => false,
        };
        if !fits {
            let found = found.map(|(rows, _, refused)| (rows, refused));
            wrong.push(format!("{name}: expected {expected}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A file that nobody has looked at is no file that was read.
    let files = ["data", "data/aes256", "data/geospatial"].map(|dir| corpus.join(dir));
    let unknown: Vec<_> = files
        .iter()
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flat_map(|entries| entries.map(|entry| entry.expect("readable").path()))
        .map(|path| path.strip_prefix(&corpus).expect("inside").display().to_string())
        .filter(|name| name.ends_with(".parquet") || name.ends_with(".parquet.encrypted"))
        .filter(|name| !expected.contains_key(name))
        .collect();
    assert_eq!(unknown, [""; 0]);
}

/// A mapping that reads every column of a file that can be read, its first one as the id.
fn mapping(file: &ParquetFile) -> Option<String> {
    let mut entries: Vec<Value> = Vec::new();
    for column in file.columns() {
        let kind = if column.data_type.is_nested() { "json" } else { "string" };
        if column.refusal.is_some() {
            continue;
        }
        let is_id = entries.is_empty() && kind == "string" && !column.data_type.is_floating();
        let name = if is_id { "uid" } else { &column.name };
        let column = &column.name;
        entries.push(serde_json::json!({ "column": column, "moe_attr": name, "type": kind }));
    }
    let has_id = entries.first().is_some_and(|entry| entry["moe_attr"] == "uid");
    has_id.then(|| serde_json::json!({ "mapping": entries }).to_string())
}

#[test]
fn bad_files_end_with_a_clear_error() {
    let Some(corpus) = corpus() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let mut files: Vec<PathBuf> = fs::read_dir(corpus.join("bad_data"))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        if path.ends_with("ARROW-GH-43605.parquet") {
            // Bad for one reader only: indices of no bits are all the first.
            assert_eq!(lines(&path), Ok((21_186, "{\"min_fl\":0}\n".repeat(21_186), vec![])));
            continue;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_moebulk"));
        command.current_dir(&dir).arg("pack").arg(&path).args(["--out", "bodies"]);
        if let Ok(file) = ParquetFile::open(Bytes::from(fs::read(&path).expect("readable")), 0) {
            if file.columns().iter().all(|column| column.refusal.is_some()) {
                // Fixed-size bytes: refused by name before a page is looked at.
                assert!(path.ends_with("ARROW-GH-47662.parquet"), "{}", path.display());
                continue;
            }
            let Some(mapping) = mapping(&file) else {
                // Nothing in it can be an id, so that no command would read it.
                let error = lines(&path).expect_err("a bad file");
                assert!(error.starts_with("row group 0 of the Parquet file is broken"), "{error}");
                continue;
            };
            fs::write(dir.path().join("mapping.json"), mapping).expect("written");
            command.args(["--mapping", "mapping.json"]);
        }
        let output = command.output().expect("the binary runs");
        let words = String::from_utf8_lossy(&output.stderr);
        println!("{}: {words}", path.display());
        assert_eq!(output.status.code(), Some(4), "{}: {words}", path.display());
        assert!(words.contains("the Parquet file"), "{words}");
        assert!(!words.contains("panicked"), "{words}");
    }
}
