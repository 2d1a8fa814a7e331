//! Every file of the csv-spectrum corpus reads as its JSON says. The corpus is not ours and
//! not part of the sources: it is looked for in `MOEBULK_CORPORA`, or beside the crate.

#[path = "common/missing.rs"]
mod missing;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use moebulk::decode::csv::{CsvReader, Dialect};
use serde_json::{Map, Value};

const FILES: usize = 12;

/// The JSON of this file has another phone number than its CSV.
const ODD_FILE: &str = "location_coordinates";

fn corpus() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    env::var_os("MOEBULK_CORPORA").map_or_else(beside, PathBuf::from).join("csv-spectrum")
}

fn read(path: &Path, dialect: Dialect) -> Vec<Value> {
    let file = fs::File::open(path).expect("a file");
    let mut reader = CsvReader::open(file, 0, dialect).expect("a header");
    let names = reader.header().to_vec();
    let mut rows = Vec::new();
    while let Some(block) = reader.next_block().expect("readable") {
        assert!(block.damage.is_empty(), "{}: {:?}", path.display(), block.damage);
        for row in 0..block.records.len() {
            let cell = |column| String::from_utf8(block.cell(row, column).to_vec()).expect("UTF-8");
            let cells = names.iter().cloned().zip((0..names.len()).map(|at| cell(at).into()));
            rows.push(Value::Object(cells.collect::<Map<_, _>>()));
        }
    }
    rows
}

#[test]
fn every_file_reads_as_its_json_says() {
    let corpus = corpus();
    let Ok(listing) = fs::read_dir(corpus.join("csvs")) else {
        let why = format!("no corpus at {}; MOEBULK_CORPORA names its folder", corpus.display());
        missing::skip("csv-spectrum", &why);
        return;
    };
    let mut files = 0;
    for entry in listing.flatten() {
        let path = entry.path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let json = fs::read(corpus.join("json").join(format!("{name}.json"))).expect("its JSON");
        let expected = match serde_json::from_slice(&json).expect("JSON") {
            Value::Array(rows) => rows,
            row => vec![row],
        };
        // A quote inside of an unquoted cell breaks RFC 4180; it is read where that is asked for.
        let lenient_quotes = name == ODD_FILE;
        let mut found = read(&path, Dialect { lenient_quotes, ..Dialect::default() });
        if name == ODD_FILE {
            let phone = &mut found[0]["Contact Phone Number"];
            assert_eq!(phone.take(), "2095257564");
            *phone = "1234567890".into();
        }
        assert_eq!(found, expected, "{name}");
        files += 1;
    }
    assert_eq!(files, FILES);
}

/// This test, where there is no corpus.
#[test]
fn a_test_that_skips_fails_where_that_is_asked_for() {
    let without_corpus = |strict: &str| {
        let mut command = Command::new(env::current_exe().expect("this test"));
        command.args(["--exact", "every_file_reads_as_its_json_says"]);
        command.env("MOEBULK_CORPORA", "/nowhere").env("MOEBULK_TESTS_STRICT", strict);
        command.output().expect("it runs")
    };
    for lax in ["", "0"] {
        let ran = without_corpus(lax);
        assert!(ran.status.success(), "{ran:?}");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains("skipped: csv-spectrum: no corpus at /nowhere"), "{said}");
    }
    let ran = without_corpus("1");
    assert!(!ran.status.success(), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("no corpus at /nowhere"), "{said}");
}
