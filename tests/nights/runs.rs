//! `moebulk runs`: what stands in a place, and the removal of what is over and old.

use std::fs;

use serde_json::Value;

use crate::{
    export::{Nights, User, csv},
    support::until,
};

/// The runs of a list, as (directory, standing).
fn listed(report: &Value, part: &str) -> Vec<(String, String)> {
    let text = |run: &Value, name: &str| run[name].as_str().expect(name).to_owned();
    let runs = report[part].as_array().expect("runs").iter();
    let mut runs: Vec<_> = runs.map(|run| (text(run, "run_dir"), text(run, "standing"))).collect();
    runs.sort();
    runs
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(dir, standing)| (dir.to_owned(), standing.to_owned())).collect()
}

#[test]
fn old_runs_that_are_over_go_and_nothing_else_does() {
    let nights = Nights::new(&["--fault", "slow:1.0", "--slow", "400ms"]);
    let users: Vec<User> = (0..40).map(User::new).collect();
    nights.home.write("users.csv", csv(&users) + &User::rejected(41));
    let mapping = ["--mapping", "mapping.toml"];
    for run_dir in ["runs/done-twice", "runs/with-a-note"] {
        nights
            .import(&[["users.csv", "--run-dir", run_dir].as_slice(), &mapping].concat())
            .report(1);
    }
    // The second import of that directory moves the first aside.
    nights.home.write("users.csv", csv(&users));
    let again = ["users.csv", "--run-dir", "runs/done-twice", "--full"];
    nights.import(&[again.as_slice(), &mapping].concat()).report(0);
    nights.home.write("runs/with-a-note/note.txt", "ours");
    // As a kill leaves them: a repeat's own check, and what came in for a restart.
    for left in [".check/rejects.csv", "spool/next/stdin.partial"] {
        let path = nights.home.path("runs/with-a-note").join(left);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(path, vec![b'x'; 100_000]).expect("written");
    }
    let check = ["validate", "users.csv", "--run-dir", "runs/checked", "--progress", "off"];
    assert_eq!(nights.home.run(&check).code, Some(0));
    let slow = ["--connections", "1", "--max-body-bytes", "700"];
    let killed = ["users.csv", "--run-dir", "runs/killed", "--full"];
    let before = nights.server.users();
    let run = nights.spawn(&[killed.as_slice(), &slow, &mapping].concat());
    until("it is sending", || nights.server.users() > before);
    run.kill();
    let before = nights.server.users();
    let going = ["users.csv", "--run-dir", "runs/going", "--full"];
    let going = nights.spawn(&[going.as_slice(), &slow, &mapping].concat());
    until("it is sending", || nights.server.users() > before);
    fs::create_dir(nights.home.path("runs/theirs")).expect("a directory");

    let json = ["--output", "json"];
    let list = [["runs", "list", "runs"].as_slice(), &json].concat();
    let lock = nights.home.path("runs/done-twice/lock");
    fs::write(&lock, "of an earlier one").expect("a lock's file");
    let report = nights.home.run(&list).report(0);
    assert_eq!(
        fs::read(&lock).expect("a lock's file"),
        b"of an earlier one",
        "a look writes nothing"
    );
    let aside = fs::read_dir(nights.home.path("runs/done-twice/done")).expect("a run moved aside");
    let aside: Vec<_> = aside.map(|entry| entry.expect("an entry").file_name()).collect();
    let aside = format!("runs/done-twice/done/{}", aside[0].to_string_lossy());
    let mut expected = pairs(&[
        ("runs/checked", "check"),
        ("runs/done-twice", "finished"),
        (&aside, "finished"),
        ("runs/going", "running"),
        ("runs/killed", "unfinished"),
        ("runs/with-a-note", "finished"),
    ]);
    expected.sort();
    assert_eq!(listed(&report, "runs"), expected);
    let mut runs = report["runs"].as_array().expect("runs").iter();
    let noted = runs.find(|run| run["run_dir"] == "runs/with-a-note").expect("a run");
    assert!(noted["bytes"].as_u64() > Some(200_000), "{noted}");

    let prune = |flags: &[&str]| {
        let fixed = ["runs", "prune", "runs", "--output", "json"];
        nights.home.run(&[fixed.as_slice(), flags].concat()).report(0)
    };
    let report = prune(&["--older-than", "1h"]);
    assert_eq!(listed(&report, "removed"), [], "nothing is so old");
    let report = prune(&["--older-than", "0s", "--dry-run"]);
    assert_eq!(listed(&report, "removed").len(), 4);
    assert!(nights.home.path("runs/checked/report.json").exists(), "a dry run removes nothing");
    let report = prune(&["--older-than", "0s"]);
    let mut removed = expected;
    removed.retain(|(_, standing)| standing == "check" || standing == "finished");
    assert_eq!(listed(&report, "removed"), removed);
    assert_eq!(
        listed(&report, "kept"),
        pairs(&[("runs/going", "running"), ("runs/killed", "unfinished")])
    );
    let left = fs::read_dir(nights.home.path("runs")).expect("the place");
    let mut left: Vec<_> = left
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    left.sort();
    assert_eq!(left, ["going", "killed", "theirs", "with-a-note"]);
    let left = fs::read_dir(nights.home.path("runs/with-a-note")).expect("a directory");
    assert_eq!(left.count(), 1, "what is not ours stays");
    // The one that is sending comes to its end, and what was killed goes on.
    going.wait().report(0);
    nights.home.run(&["runs", "list", "nowhere"]).refused(2, &["nowhere: no such directory"]);
}
