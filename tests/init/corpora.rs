//! Files that others made to be hard. They are not part of the sources: they are looked for in
//! `MOEBULK_CORPORA`, or beside the crate.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{init, missing, support::Lab};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let corpus = env::var_os("MOEBULK_CORPORA").map_or_else(beside, PathBuf::from).join(folder);
    let Ok(listing) = fs::read_dir(&corpus) else {
        let why = format!("no corpus at {}; MOEBULK_CORPORA names its folder", corpus.display());
        missing::skip(folder, &why);
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == ending));
    found.sort();
    found
}

/// What is written is TOML with an entry for every column, and can be used, or says what is to be
/// decided; and what cannot be read at all is refused as `validate` refuses it.
fn hold(path: &Path) {
    let lab = Lab::new();
    let input = path.to_str().expect("UTF-8");
    let ran = lab.run(&["init", input, "--format", "mapping", "--out", "m.toml"]);
    if ran.code != 0 {
        assert!(matches!(ran.code, 2 | 4), "{input}: {}", ran.stderr);
        assert!(!lab.path("m.toml").exists());
        return;
    }
    let text = String::from_utf8(lab.read("m.toml")).expect("UTF-8");
    let mapping: toml::Table = text.parse().unwrap_or_else(|error| panic!("{input}: {error}"));
    assert!(mapping["columns"].is_table(), "{input}");
    assert_eq!(init(&lab, &[input, "--format", "mapping", "--threads", "1"]), text, "{input}");
    let used = lab.run(&["validate", input, "--mapping", "m.toml", "--run-dir", "run"]);
    let is_open = text.contains("decide = ");
    match used.code {
        0 | 1 => assert!(!is_open, "{input}"),
        2 => assert!(
            is_open && used.stderr.contains("still to be decided"),
            "{input}: {}",
            used.stderr
        ),
        code => panic!("{input}: {code}: {}", used.stderr),
    }
}

#[test]
fn files_of_csv_spectrum() {
    files("csv-spectrum/csvs", "csv").iter().for_each(|path| hold(path));
}

#[test]
fn files_of_parquet_testing() {
    files("parquet-testing/data", "parquet").iter().for_each(|path| hold(path));
    files("parquet-testing", "parquet").iter().for_each(|path| hold(path));
}
