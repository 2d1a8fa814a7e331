//! `--only-changed` with an emulator of its own, which is gone with the import.

use serde_json::Value;

use crate::{
    export::{MAPPING, User, count, csv},
    support::{Ended, Home},
};

fn home() -> Home {
    let home = Home::new();
    home.write("mapping.toml", MAPPING);
    home.write("users.csv", csv(&(0..30).map(User::new).collect::<Vec<_>>()));
    home
}

fn import(home: &Home, flags: &[&str]) -> Ended {
    let own = ["import", "users.csv", "--mapping", "mapping.toml", "--sandbox", "--only-changed"];
    let form = ["--users-per-minute", "unlimited", "--progress", "off"];
    home.run(&[own.as_slice(), &form, flags].concat())
}

fn delivered_and_skipped(report: &Value) -> (u64, u64) {
    (count(report, "rows", "delivered"), count(report, "rows", "skipped"))
}

#[test]
fn without_a_name_its_state_begins_empty_as_it_does() {
    let home = home();
    for flags in [["--run-dir", "run"].as_slice(), &["--run-dir", "run"], &[], &[]] {
        let ended = import(&home, &[flags, &["--output", "json"]].concat());
        let report = ended.report(0);
        assert_eq!(delivered_and_skipped(&report), (30, 0), "{flags:?}");
        assert_eq!(report["changes"]["destination_is_new"], false);
        assert!(!ended.stderr.contains("begins empty"), "{}", ended.stderr);
    }
    let prune = ["runs", "prune", ".", "--older-than", "0s", "--output", "json"];
    home.run(&prune).report(0);
    assert!(!home.path("run").exists(), "its states are a part of the run");
}

#[test]
fn a_state_that_is_named_outlives_its_emulator_and_that_is_said() {
    let home = home();
    let named = ["--state", "nights"];
    let first = import(&home, &named);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(!(first.stdout + &first.stderr).contains("begins empty"));
    home.write("users.csv", csv(&(0..31).map(User::new).collect::<Vec<_>>()));
    let second = import(&home, &named);
    assert_eq!(second.code, Some(0), "{second:?}");
    let words = "  sandbox   an emulator of --sandbox begins empty with each import, and has no row that \
                 is left out as unchanged; `moebulk sandbox` runs one that stays, for --endpoint\n";
    assert!(second.stderr.contains(words), "the plan: {}", second.stderr);
    assert!(second.stdout.contains(words), "the summary: {}", second.stdout);
    let json = ["--output", "json"];
    let report = import(&home, &[named.as_slice(), &json].concat()).report(0);
    assert_eq!(delivered_and_skipped(&report), (0, 31));
    assert_eq!(report["changes"]["destination_is_new"], true);
    let full = import(&home, &[named.as_slice(), &["--full"]].concat());
    assert_eq!(full.code, Some(0), "{full:?}");
    assert!(!(full.stdout + &full.stderr).contains("begins empty"), "every row is sent");
}
