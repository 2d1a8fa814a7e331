//! The other ways of an import: devices, one record a request, types that are inferred, rows that the
//! server refuses, a pilot, a stop.

use serde_json::Value;

use crate::{
    export::{HEADER, Nights, User, count, csv},
    support::until,
};

const STATE: [&str; 4] = ["--mapping", "mapping.toml", "--state", "state"];

fn users(numbers: impl IntoIterator<Item = u32>) -> Vec<User> {
    numbers.into_iter().map(User::new).collect()
}

#[test]
fn devices_are_known_by_their_device_id() {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", "customer_id\nu-1\nu-2\n");
    nights.import(&["users.csv", "--state", "users"]).report(0);
    let head = "customer_id,device_id,platform,push_id\n";
    let import = |rows: &str, flags: &[&str]| {
        nights.home.write("devices.csv", head.to_owned() + rows);
        let own = ["devices.csv", "--kind", "devices", "--state", "state"];
        let report = nights.import(&[own.as_slice(), flags].concat()).report(0);
        ["new", "changed", "unchanged", "vanished"].map(|name| report["changes"][name].as_u64())
    };
    let [one, two] = ["u-1,d-1,web,p1\n", "u-1,d-2,iOS,p2\n"];
    assert_eq!(import(&[one, two].concat(), &[]), [2, 0, 0, 0].map(Some));
    // A user with two devices is no repeated id; a device that goes to another user is another row.
    assert_eq!(import(&[two, "u-2,d-1,web,p1\n"].concat(), &[]), [0, 1, 1, 0].map(Some));
    assert_eq!(
        import(&[two, "u-3,d-3,web,p1\n"].concat(), &["--limit", "1"]),
        [Some(0), Some(0), Some(1), None]
    );
    assert_eq!(import("u-2,d-1,web,p1\n", &["--api", "device"]), [0, 0, 1, 1].map(Some));
}

#[test]
fn one_record_a_request_is_remembered_as_well() {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", csv(&users(0..5)));
    let single = [["users.csv", "--api", "user"].as_slice(), &STATE].concat();
    let report = nights.import(&single).report(0);
    assert_eq!((count(&report, "rows", "delivered"), count(&report, "bodies", "count")), (5, 5));
    nights.home.write("users.csv", csv(&users(0..7)));
    let bulk = [["users.csv"].as_slice(), &STATE].concat();
    let report = nights.import(&bulk).report(0);
    assert_eq!(count(&report, "rows", "delivered"), 2, "the row is the same, whatever API took it");
}

/// A type that only a late row refutes makes the check begin anew, and with it what it notes.
#[test]
fn inferred_types_that_a_late_row_refutes() {
    let nights = Nights::new(&[]);
    let rows = |last: &str| {
        let sound: String = (0..40_000).map(|n| format!("user-{n:05},{n}\n")).collect();
        format!("customer_id,score\n{sound}user-last,{last}\n")
    };
    let import = |name: &str, last: &str| {
        nights.home.write(name, rows(last));
        nights.import(&[name, "--state", "state", "--accept-inferred"]).report(0)
    };
    let report = import("one.csv", "1");
    assert_eq!(count(&report, "changes", "new"), 40_001);
    let report = import("two.csv", "2");
    assert_eq!((count(&report, "changes", "changed"), count(&report, "rows", "delivered")), (1, 1));
    // Now the column is text, and with it every row another.
    let report = import("three.csv", "none");
    assert_eq!(report["changes"]["mapping_changed"], true);
    assert_eq!(count(&report, "changes", "changed"), 40_001);
    let report = import("four.csv", "nil");
    assert_eq!(
        (count(&report, "changes", "changed"), count(&report, "rows", "skipped")),
        (1, 40_000)
    );
}

#[test]
fn a_row_that_the_server_refuses_is_not_remembered() {
    let nights = Nights::new(&["--poison", "user-00003"]);
    let all = users(0..30);
    nights.home.write("one.csv", csv(&all));
    let import = |name: &str| nights.import(&[[name].as_slice(), &STATE].concat());
    let report = import("one.csv").report(1);
    assert_eq!((count(&report, "rows", "delivered"), count(&report, "rows", "failed")), (29, 1));
    assert_eq!(count(&report, "changes", "new"), 30);
    nights.home.write("two.csv", csv(&all));
    let report = import("two.csv").report(1);
    assert_eq!((count(&report, "changes", "new"), count(&report, "rows", "failed")), (1, 1));
    assert_eq!(count(&report, "rows", "skipped"), 29);
    let rejects = std::fs::read_dir(nights.home.path("moebulk-runs")).expect("runs").count();
    assert_eq!(rejects, 2, "each left its rejects");
}

/// A pilot, and then all: the pilot's rows are not sent again, and nobody vanished.
#[test]
fn a_pilot_is_a_part_of_the_whole() {
    let nights = Nights::new(&[]);
    nights.home.write("users.csv", HEADER.to_owned() + &csv(&users(0..50))[HEADER.len()..]);
    let import = |flags: &[&str]| {
        nights.import(&[["users.csv"].as_slice(), &STATE, flags].concat()).report(0)
    };
    let report = import(&["--limit", "10"]);
    assert_eq!(count(&report, "rows", "delivered"), 10);
    assert_eq!(report["changes"]["vanished"], Value::Null, "not all rows were read");
    let report = import(&["--offset", "45", "--limit", "2"]);
    assert_eq!(count(&report, "rows", "delivered"), 2);
    let report = import(&[]);
    assert_eq!((count(&report, "rows", "skipped"), count(&report, "rows", "delivered")), (12, 38));
    assert_eq!(count(&report, "changes", "vanished"), 0);
    nights.assert_holds(&users(0..50));
}

/// A stop moves the state on over what was delivered, so that another import can go on from there.
#[test]
fn a_stop_remembers_what_was_delivered() {
    let nights = Nights::new(&["--fault", "slow:1.0", "--slow", "150ms"]);
    let all = users(0..60);
    nights.home.write("users.csv", csv(&all));
    let slow = ["--connections", "1", "--max-body-bytes", "700", "--run-dir", "stopped"];
    let run = nights.spawn(&[["users.csv"].as_slice(), &STATE, &slow].concat());
    until("some are there", || nights.server.users() > 20);
    run.signal("TERM");
    let report = run.wait().report(143);
    let delivered = count(&report, "rows", "delivered");
    assert!((20..60).contains(&delivered), "{delivered}");
    let stats = ["state", "stats", "--state", "state", "--output", "json"];
    let stats = nights.home.run(&stats).report(0);
    assert_eq!((stats["ids"].as_u64(), stats["pending"].is_null()), (Some(delivered), true));
    nights.home.write("more.csv", csv(&users(0..70)));
    let report = nights.import(&[["more.csv"].as_slice(), &STATE].concat()).report(0);
    assert_eq!(count(&report, "rows", "skipped"), delivered);
    assert_eq!(nights.server.users(), 70);
    nights.assert_holds(&users(0..70));
}
