//! Three nights.

use std::fs;

use crate::{
    export::{HEADER, Nights, User, count, csv},
    support::until,
};

const USERS: u32 = 5_000;

/// Rows of the first night that the check rejects.
const REJECTED: [u32; 3] = [17, 1_017, 4_999];

/// The second night: one in a hundred is another, one in a thousand is gone, as many are new.
fn second_night(first: &[User]) -> Vec<User> {
    let mut users: Vec<User> = first
        .iter()
        .enumerate()
        .filter(|(at, _)| at % 1_000 != 500)
        .map(|(at, user)| match at % 100 {
            3 => User { score: user.score + 1_000_000, ..user.clone() },
            _ => user.clone(),
        })
        .collect();
    users.extend((USERS..USERS + USERS / 1_000).map(User::new));
    users
}

#[test]
fn every_user_is_what_the_export_says_and_only_changes_were_sent() {
    let nights = Nights::new(&["--fault", "slow:1.0", "--slow", "60ms"]);
    let state = ["--mapping", "mapping.toml", "--state", "state"];
    let small = ["--max-body-bytes", "700", "--connections", "2"];

    // The first: everything, but for what can't be sent.
    let all: Vec<User> = (0..USERS).map(User::new).collect();
    let is_rejected = |user: &&User| REJECTED.contains(&user.score);
    let first: Vec<User> = all.iter().filter(|user| !is_rejected(user)).cloned().collect();
    let rows = all.iter().map(|user| match is_rejected(&user) {
        true => User::rejected(user.score),
        false => user.row(),
    });
    nights.home.write("night-1.csv", HEADER.to_owned() + &rows.collect::<String>());
    let flags = [["night-1.csv", "--run-dir", "runs/1"].as_slice(), &state].concat();
    let report = nights.import(&flags).report(1);
    assert_eq!(count(&report, "rows", "delivered"), first.len() as u64);
    assert_eq!(count(&report, "rows", "rejected"), REJECTED.len() as u64);
    assert_eq!(count(&report, "changes", "new"), first.len() as u64);
    assert_eq!(nights.server.users(), first.len() as u64);
    nights.assert_holds(&first);
    assert_eq!(nights.at_server().len(), first.len());

    // The second: killed in the middle, and resumed by the same command.
    let second = second_night(&first);
    nights.home.write("night-2.csv", csv(&second));
    let flags = [["night-2.csv", "--run-dir", "runs/2"].as_slice(), &state, &small].concat();
    let before = nights.server.users();
    let run = nights.spawn(&flags);
    until("some of the changes are there", || nights.server.users() > before + 10);
    let killed = run.kill();
    assert_eq!(killed.code, None, "it was still sending: {killed:?}");
    let at_kill = nights.server.users() - before;
    let report = nights.import(&flags).report(0);
    let new = u64::from(USERS / 1_000);
    let changed = second.iter().filter(|user| user.score > 1_000_000).count() as u64;
    assert_eq!(changed, 50, "one in a hundred");
    for (name, expected) in [
        ("new", new),
        ("changed", changed),
        ("unchanged", second.len() as u64 - new - changed),
        ("vanished", 5),
        ("sent", new + changed),
    ] {
        assert_eq!(count(&report, "changes", name), expected, "{name}");
    }
    assert_eq!(count(&report, "rows", "delivered"), new + changed);
    assert_eq!(count(&report, "rows", "skipped"), second.len() as u64 - new - changed);
    // Two connections had a body each under way, of at most seven users.
    let sent = nights.server.users() - before;
    assert!(at_kill < new + changed, "the kill came in the middle: {at_kill}");
    assert!((new + changed..=new + changed + 14).contains(&sent), "{sent} updates");
    nights.assert_holds(&second);

    // The third: the mended rejects of the first night, as they stand beside their mapping.
    let rejects = fs::read_to_string(nights.home.path("runs/1/rejects.csv")).expect("rejects");
    assert_eq!(rejects.lines().count(), 1 + REJECTED.len());
    let mended = REJECTED.iter().fold(rejects, |text, number| {
        text.replace(
            &format!("user-{number:05},city,none"),
            &format!("user-{number:05},city {},{number}", number % 9),
        )
    });
    nights.home.write("runs/1/rejects.csv", mended);
    let before = nights.server.users();
    let flags = ["runs/1/rejects.csv", "--run-dir", "runs/3", "--state", "state"];
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "delivered"), REJECTED.len() as u64);
    assert_eq!(report["changes"]["mapping_changed"], false, "it is the same mapping");
    assert_eq!(nights.server.users() - before, REJECTED.len() as u64);
    nights.assert_holds(all.iter().filter(is_rejected));
    nights.assert_holds(&second);

    // All of it once more: nobody is sent.
    let once_more: Vec<&User> = second.iter().chain(all.iter().filter(is_rejected)).collect();
    nights.home.write("again.csv", csv(once_more.iter().copied()));
    let before = nights.server.users();
    let flags = [["again.csv", "--run-dir", "runs/4"].as_slice(), &state].concat();
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "skipped"), once_more.len() as u64);
    assert_eq!(nights.server.users(), before);
    assert_eq!(nights.server.page("violations")["count"], 0);
}

/// The bodies do not depend on the number of threads, on whether they are packed, checked or sent.
#[test]
fn the_same_bodies_come_of_any_number_of_threads() {
    let nights = Nights::new(&[]);
    // More than a block, so that there is something to share out.
    let first: Vec<User> = (0..60_000).map(User::new).collect();
    nights.home.write("night-1.csv", csv(&first));
    let state = ["--mapping", "mapping.toml", "--state", "state"];
    nights.import(&[["night-1.csv"].as_slice(), &state].concat()).report(0);
    let mut second: Vec<User> = first.iter().skip(3).cloned().collect();
    for user in second.iter_mut().step_by(7) {
        user.score += 1;
    }
    // Two rows of one user, neither of which is what the server has.
    second.insert(40_000, User { score: 1, ..first[9].clone() });
    nights.home.write("night-2.csv", csv(&second));
    let check = ["--max-body-bytes", "5000", "--progress", "off", "--output", "json"];
    let rates = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];
    let mut digests = Vec::new();
    for threads in ["1", "2", "3", "8"] {
        let flags = ["--threads", threads, "--only-changed"];
        let validate =
            [["validate", "night-2.csv"].as_slice(), &state, &check, &rates, &flags].concat();
        let report = nights.home.run(&validate).report(0);
        assert_eq!(count(&report, "changes", "changed"), 59_997_u64.div_ceil(7) + 1);
        assert_eq!(count(&report, "changes", "vanished"), 3);
        assert_eq!(count(&report, "changes", "repeated_rows"), 2);
        digests.push(report["bodies"]["digest"].clone());
        let pack = [["pack", "night-2.csv", "--out", "bodies"].as_slice(), &validate[2..]].concat();
        let report = nights.home.run(&pack).report(0);
        digests.push(report["bodies"]["digest"].clone());
        let bodies = fs::read_to_string(nights.home.path("bodies")).expect("bodies");
        let found = bodies.matches("\"customer_id\"").count() as u64;
        assert_eq!(found, count(&report, "changes", "sent"));
    }
    // A check leaves the state as it is, so the import finds the same.
    let import = [["night-2.csv", "--max-body-bytes", "5000"].as_slice(), &state].concat();
    digests.push(nights.import(&import).report(0)["bodies"]["digest"].clone());
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}
