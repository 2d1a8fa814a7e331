//! What plans, reports and `state stats` say where it is easily wrong.

use std::{fs, thread, time::Duration};

use serde_json::Value;

use crate::export::{MAPPING, Nights, User, count, csv};

const STATE: [&str; 4] = ["--mapping", "mapping.toml", "--state", "state"];

fn users(numbers: std::ops::Range<u32>) -> Vec<User> {
    numbers.map(User::new).collect()
}

fn stats(nights: &Nights) -> Value {
    nights.home.run(&["state", "stats", "--state", "state", "--output", "json"]).report(0)
}

/// A few new rows, no rows, or a window of them are not all that the server has.
#[test]
fn an_import_of_a_part_is_no_full_one() {
    let nights = Nights::new(&[]);
    let import = |name: &str, rows: &[User], flags: &[&str]| {
        nights.home.write(name, csv(rows));
        nights.import(&[[name].as_slice(), &STATE, flags].concat()).report(0)
    };
    import("all.csv", &users(0..30), &[]);
    let full = stats(&nights)["full"].clone();
    assert!(full.is_u64());
    // The times are whole seconds.
    thread::sleep(Duration::from_millis(1_100));
    import("few.csv", &users(30..33), &[]);
    assert_eq!(stats(&nights)["full"], full, "three new rows are not everything");
    import("none.csv", &[], &[]);
    assert_eq!(stats(&nights)["full"], full, "no row at all");
    let report = import("again.csv", &users(0..33), &["--full", "--limit", "10"]);
    assert_eq!(count(&report, "rows", "delivered"), 10);
    assert_eq!(stats(&nights)["full"], full, "ten of 33");
    assert_eq!(stats(&nights)["ids"], 33, "the others did not leave the export");
    import("again.csv", &users(0..33), &["--full", "--offset", "10"]);
    let report = import("third.csv", &users(0..33), &[]);
    assert_eq!(count(&report, "rows", "skipped"), 33);
    import("full.csv", &users(0..33), &["--full"]);
    assert_ne!(stats(&nights)["full"], full);
}

/// Between two nights another file was imported by another mapping: the rows of the night are not
/// changed by that.
#[test]
fn a_mapping_in_between_changes_its_own_rows_alone() {
    let nights = Nights::new(&[]);
    let import = |name: &str, rows: &[User], mapping: &str| {
        nights.home.write(name, csv(rows));
        nights.import(&[name, "--state", "state", "--mapping", mapping])
    };
    nights.home.write("other.toml", MAPPING.replace("type = \"double\"", "type = \"string\""));
    import("one.csv", &users(0..30), "mapping.toml").report(0);
    import("few.csv", &users(0..3), "other.toml").report(0);
    let ended = import("two.csv", &users(0..30), "mapping.toml");
    let report = ended.report(0);
    assert_eq!(count(&report, "changes", "unchanged"), 27);
    assert_eq!(report["changes"]["mapping_changed"], false, "27 rows are as they were");
    assert!(!ended.stderr.contains("every row counts as changed"), "{}", ended.stderr);
}

/// The report says why rows are sent as it was when that was decided, after a stop too.
#[test]
fn a_resume_says_of_the_mapping_what_its_start_said() {
    let nights = Nights::new(&["--answer", "403=Account Suspended:1@2"]);
    nights.home.write("users.csv", csv(&users(0..30)));
    nights.import(&[["users.csv"].as_slice(), &STATE].concat()).report(0);
    nights.home.write("other.toml", MAPPING.replace("type = \"double\"", "type = \"string\""));
    let other = ["users.csv", "--state", "state", "--mapping", "other.toml", "--run-dir", "other"];
    let tens = ["--cut-users", "10", "--connections", "1"];
    let stopped = nights.import(&[other.as_slice(), &tens].concat());
    assert!(stopped.stderr.contains("every row counts as changed"), "{}", stopped.stderr);
    assert_ne!(stopped.code, Some(0), "{stopped:?}");
    let report = nights.import(&["--run-dir", "other"]).report(0);
    assert_eq!(count(&report, "changes", "changed"), 30);
    assert_eq!(report["changes"]["mapping_changed"], true);
}

/// The mended rejects of a full import are a few rows: with `--full` they would be all that is known.
#[test]
fn the_rejects_of_a_full_import_are_not_said_to_be_everything() {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", csv(&users(0..30)) + &User::rejected(30));
    let args = nights.args(&[["users.csv", "--full"].as_slice(), &STATE].concat());
    let ended = nights.home.run(&args[..args.len() - 2]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stdout + &ended.stderr;
    let next = said.lines().find(|line| line.contains("moebulk import")).expect("the next");
    assert!(next.contains("--only-changed") && !next.contains("--full"), "{next}");
}

/// Files of others whose names begin as ours do stay where they are.
#[test]
fn files_of_others_stay() {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", csv(&users(0..30)));
    let flags = [["users.csv", "--run-dir", "run"].as_slice(), &STATE].concat();
    nights.import(&flags).report(0);
    nights.home.write("state/ids-2026.csv", "theirs");
    nights.home.write("run/changes-of-tonight.csv", "theirs");
    nights.home.write("users.csv", csv(&users(0..31)));
    nights.import(&flags).report(0);
    let names = ["state/ids-2026.csv", "run/changes-of-tonight.csv"];
    let text = |name: &str| fs::read_to_string(nights.home.path(name)).ok();
    assert_eq!(names.map(text), [Some("theirs".to_owned()), Some("theirs".to_owned())]);
}

/// Several inputs in another order are another import for an unfinished one, and the same rows for
/// the state.
#[test]
fn several_inputs_in_another_order() {
    let nights = Nights::new(&["--answer", "403=Account Suspended:1@1"]);
    nights.home.write("b.csv", csv(&users(0..20)));
    nights.home.write("a.csv", csv(&users(20..40)));
    let tens = ["--cut-users", "10", "--connections", "1", "--run-dir", "run"];
    let flags = [["b.csv", "a.csv"].as_slice(), &STATE, &tens].concat();
    assert_ne!(nights.import(&flags).code, Some(0));
    assert_eq!(nights.server.users(), 10);
    let turned = [["a.csv", "b.csv"].as_slice(), &STATE, &tens].concat();
    nights.import(&turned).refused(4, &["order"]);
    let elsewhere = [["a.csv", "b.csv", "--run-dir", "other"].as_slice(), &STATE].concat();
    let report = nights.import(&elsewhere).report(0);
    assert_eq!((count(&report, "rows", "skipped"), count(&report, "rows", "delivered")), (10, 30));
}
