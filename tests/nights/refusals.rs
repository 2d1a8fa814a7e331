//! States that are of something else, damaged, or in use; and what is done with one by hand.

use std::fs;

use crate::export::{MAPPING, Nights, User, count, csv};

const STATE: [&str; 4] = ["--mapping", "mapping.toml", "--state", "state"];

/// A place where twenty users were imported.
fn twenty() -> Nights {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", csv(&(0..20).map(User::new).collect::<Vec<_>>()));
    nights.import(&[["users.csv"].as_slice(), &STATE].concat()).report(0);
    nights
}

fn ids_file(nights: &Nights) -> std::path::PathBuf {
    let files = fs::read_dir(nights.home.path("state")).expect("a state");
    let mut paths = files.map(|entry| entry.expect("an entry").path());
    let is_ids = |path: &std::path::PathBuf| path.to_string_lossy().contains("/ids-");
    paths.find(is_ids).expect("a file of ids")
}

#[test]
fn a_state_of_something_else_is_refused() {
    let nights = twenty();
    let refused = |flags: &[&str], words: &[&str]| nights.import(flags).refused(2, words);
    nights.home.write("events.csv", "customer_id,action\nu1,Seen\n");
    refused(&["events.csv", "--kind", "events"], &["--only-changed is for users and devices"]);
    nights.home.write("devices.csv", "customer_id,device_id,platform,push_id\nu1,d1,web,p\n");
    refused(
        &["devices.csv", "--kind", "devices", "--state", "state"],
        &["is of users at", "devices at"],
    );
    let mut args = nights.args(&[["users.csv"].as_slice(), &STATE].concat());
    let at = args.iter().position(|arg| *arg == "SANDBOX").expect("the app id");
    args[at] = "SANDBOX-OTHER";
    nights.home.run(&args).refused(2, &["SANDBOX-OTHER", "name another directory"]);
    let check = ["validate", "users.csv", "--only-changed"];
    nights.home.run(&check).refused(2, &["name the directory with --state"]);
    nights.home.run(&["validate", "users.csv", "--full"]).refused(2, &["--only-changed"]);
    assert_eq!(nights.server.users(), 20, "nothing more was sent");
}

#[test]
fn a_damaged_state_is_refused_and_moved_away_it_is_made_anew() {
    let nights = twenty();
    nights.home.write("users.csv", csv(&(0..21).map(User::new).collect::<Vec<_>>()));
    let flags = [["users.csv"].as_slice(), &STATE].concat();
    let ids = ids_file(&nights);
    let sound = fs::read(&ids).expect("ids");
    let mut bytes = sound.clone();
    bytes[5] ^= 1;
    fs::write(&ids, bytes).expect("a damaged file");
    nights.import(&flags).refused(2, &["is damaged", "ids-", "move its directory away"]);
    nights
        .home
        .run(&["state", "verify", "--state", "state"])
        .refused(2, &["a checksum does not fit"]);
    fs::write(&ids, &sound).expect("the sound file");
    let verified = nights.home.run(&["state", "verify", "--state", "state"]);
    assert!(verified.stdout.contains("sound; 20 ids"), "{verified:?}");
    let manifest = nights.home.path("state/manifest");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    fs::write(&manifest, text.replace("users", "uzers")).expect("a damaged manifest");
    nights.import(&flags).refused(2, &["manifest is damaged"]);
    fs::remove_file(&manifest).expect("removed");
    nights.import(&flags).refused(2, &["the manifest that names it is missing"]);
    fs::rename(nights.home.path("state"), nights.home.path("away")).expect("moved away");
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "changes", "new"), 21);
}

#[test]
fn a_state_is_used_by_one_import_at_a_time_and_read_by_anybody() {
    let nights = Nights::new(&["--fault", "slow:1.0", "--slow", "800ms"]);
    nights.home.write("users.csv", csv(&(0..40).map(User::new).collect::<Vec<_>>()));
    let flags = [
        ["users.csv", "--run-dir", "runs/1", "--connections", "1", "--max-body-bytes", "700"]
            .as_slice(),
        &STATE,
    ]
    .concat();
    let run = nights.spawn(&flags);
    crate::support::until("it is sending", || nights.server.users() > 0);
    nights.home.write("other.csv", csv(&(0..9).map(User::new).collect::<Vec<_>>()));
    let other = [["other.csv", "--run-dir", "runs/2"].as_slice(), &STATE].concat();
    nights.import(&other).refused(2, &["uses the state", "--wait"]);
    let stats = nights.home.run(&["state", "stats", "--state", "state"]);
    assert!(stats.stdout.contains("under way   40 rows"), "{stats:?}");
    let check =
        [["validate", "other.csv", "--only-changed", "--output", "json"].as_slice(), &STATE]
            .concat();
    let report = nights.home.run(&check).report(0);
    assert_eq!(count(&report, "changes", "new"), 9, "of rows under way nothing is known");
    let waiting = nights.import(&[other.as_slice(), &["--wait"]].concat()).report(0);
    assert_eq!(count(&waiting, "changes", "unchanged"), 9);
    run.wait().report(0);
    let stats =
        nights.home.run(&["state", "stats", "--state", "state", "--output", "json"]).report(0);
    assert_eq!((&stats["ids"], &stats["kind"]), (&40.into(), &"users".into()));
    assert!(stats["pending"].is_null() && stats["full"].is_u64(), "{stats}");
}

#[test]
fn another_mapping_makes_every_row_another_and_the_plan_says_so() {
    let nights = twenty();
    nights.home.write("mapping.toml", MAPPING.replace("type = \"double\"", "type = \"string\""));
    let ended = nights.import(&[["users.csv"].as_slice(), &STATE].concat());
    let report = ended.report(0);
    assert_eq!(report["changes"]["mapping_changed"], true);
    assert_eq!(count(&report, "changes", "changed"), 20);
    assert!(ended.stderr.contains("every row counts as changed"), "{}", ended.stderr);
    assert_eq!(nights.server.users(), 40);
}

#[test]
fn forgotten_ids_are_sent_again_and_a_finished_import_is_another_one_then() {
    let nights = twenty();
    let flags = [["users.csv"].as_slice(), &STATE].concat();
    let again = nights.import(&flags);
    again.report(0);
    assert!(again.stderr.contains("complete already"), "{}", again.stderr);
    let forget = ["state", "forget", "user-00003", "nobody", "user-00004", "--state", "state"];
    let forgotten = nights.home.run(&forget);
    assert!(forgotten.stdout.contains("2 of 3 ids were known"), "{forgotten:?}");
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "delivered"), 2);
    assert_eq!(nights.server.users(), 22);
}

#[test]
fn an_unfinished_run_goes_on_with_its_own_decision_and_state_alone() {
    let nights = Nights::new(&["--fault", "slow:1.0", "--slow", "500ms"]);
    nights.home.write("users.csv", csv(&(0..40).map(User::new).collect::<Vec<_>>()));
    let flags = [
        ["users.csv", "--run-dir", "run", "--connections", "1", "--max-body-bytes", "700"]
            .as_slice(),
        &STATE,
    ]
    .concat();
    let run = nights.spawn(&flags);
    crate::support::until("it is sending", || nights.server.users() > 0);
    run.kill();
    let other = [&flags[..flags.len() - 1], &["elsewhere"]].concat();
    nights.import(&other).refused(4, &["is not the state by which the unfinished import"]);
    let decision = nights.home.path("run/changes");
    let sound = fs::read(&decision).expect("a decision");
    fs::write(&decision, &sound[..sound.len() - 1]).expect("a torn one");
    nights.import(&flags).refused(2, &["is not what was written", "--restart"]);
    fs::remove_file(&decision).expect("removed");
    nights.import(&flags).refused(2, &["is gone", "--restart"]);
    fs::write(&decision, &sound).expect("restored");
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "delivered"), 40);
    nights.assert_holds(&(0..40).map(User::new).collect::<Vec<_>>());
}
