//! kill -9 at any moment of an import under `--only-changed`: nothing that may have reached the
//! server, and nothing that did not, looks as if it were known.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::export::{Nights, User, count, csv};

/// Exports of few users whose values go back and forth, most imports killed; what follows is a
/// resume, or another export instead. In the end every user is what the last export says.
#[test]
fn no_change_is_lost_whenever_it_is_killed() {
    let nights = Nights::new(&["--fault", "slow:0.7", "--slow", "25ms", "--seed", "3"]);
    let mut rng = Rng::with_seed(11);
    let (mut killed, mut resumed, mut left) = (0, 0, 0);
    for round in 0..60 {
        // Two values alone, so that a night often says what the one before the last said.
        let users: Vec<User> =
            (0..40).map(|number| User { score: rng.u32(0..2), ..User::new(number) }).collect();
        nights.home.write("night.csv", csv(&users));
        // A run that was left unfinished stays in its directory, or is discarded there.
        let run_dir = format!("runs/{}", if rng.bool() { 0 } else { round + 1 });
        let mut flags = vec![
            "night.csv",
            "--run-dir",
            &run_dir,
            "--mapping",
            "mapping.toml",
            "--state",
            "state",
            "--max-body-bytes",
            "600",
            "--connections",
            "3",
            "--restart",
        ];
        if round % 3 != 2 {
            let mut run = nights.spawn(&flags);
            thread::sleep(Duration::from_millis(rng.u64(0..250)));
            if !run.has_ended() {
                killed += 1;
            }
            let _ = run.kill();
            if rng.bool() {
                left += 1;
                continue;
            }
            // The same command without `--restart` goes on.
            flags.pop();
            resumed += 1;
        }
        let ended = nights.import(&flags);
        assert_eq!(ended.code, Some(0), "round {round}: {ended:?}");
        nights.assert_holds(&users);
    }
    assert!(killed > 15 && resumed > 8 && left > 8, "{killed} {resumed} {left}");

    // With nothing in doubt any more, the same export sends nobody.
    let users: Vec<User> = (0..40).map(User::new).collect();
    nights.home.write("last.csv", csv(&users));
    let state = ["--mapping", "mapping.toml", "--state", "state"];
    let flags = [["last.csv", "--run-dir", "runs/last"].as_slice(), &state].concat();
    nights.import(&flags).report(0);
    nights.home.write("last.csv", csv(&users) + "\n");
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "skipped"), 40);
}

/// A run that was left and is resumed after a later one: what it sends comes last, and is not taken
/// for what the later one said.
#[test]
fn a_run_that_is_overtaken_makes_the_state_doubt_its_rows() {
    let nights = Nights::new(&[]);
    let state = ["--mapping", "mapping.toml", "--state", "state"];
    let users = |score: u32| -> Vec<User> {
        (0..40).map(|number| User { score, ..User::new(number) }).collect()
    };
    let [one, two] = [users(1), users(2)];
    nights.home.write("one.csv", csv(&one));
    nights.home.write("two.csv", csv(&two));
    let paced =
        ["one.csv", "--run-dir", "runs/one", "--cut-users", "10", "--users-per-minute", "10"];
    let mut args = nights.args(&[paced.as_slice(), &state].concat());
    // The flags of the account come later and would lift the rate.
    args.retain(|arg| *arg != "unlimited" && *arg != "--events-per-minute");
    let at = args.iter().rposition(|arg| *arg == "--users-per-minute").expect("the flag");
    args.remove(at);
    let run = nights.home.spawn(&args);
    crate::support::until("ten are there", || nights.server.users() == 10);
    run.signal("INT");
    let report = run.wait().report(130);
    assert_eq!(count(&report, "rows", "delivered"), 10);

    let flags = [["two.csv", "--run-dir", "runs/two"].as_slice(), &state].concat();
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "changes", "changed"), 10, "the stop moved the state on");
    assert_eq!(count(&report, "changes", "new"), 30);
    nights.assert_holds(&two);

    let resumed = nights.home.run(&nights.args(&[
        "--run-dir",
        "runs/one",
        "--users-per-minute",
        "unlimited",
    ]));
    let report = resumed.report(0);
    assert!(resumed.stderr.contains("overtaken"), "{}", resumed.stderr);
    assert_eq!(count(&report, "rows", "delivered"), 40);
    let held = nights.at_server();
    assert_eq!(held["user-00000"]["score"], 2, "delivered before the later run");
    assert_eq!(held["user-00039"]["score"], 1, "delivered after it");

    // All of them are unsure now, so the later export sends all of its rows.
    nights.home.write("two.csv", csv(&two) + "\n");
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "changes", "new"), 40);
    nights.assert_holds(&two);
}
