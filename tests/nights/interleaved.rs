//! Imports of two run directories that get in each other's way: stopped, killed, resumed, begun anew
//! and left, over one state. Whatever the state takes for unchanged is exactly what the server holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use fastrand::Rng;
use serde_json::Value;

use crate::{
    export::{Nights, User, count, csv},
    support::{Ended, Run, until},
};

const STATE: [&str; 4] = ["--mapping", "mapping.toml", "--state", "state"];

/// Bodies of ten users, one after the other.
const TENS: [&str; 4] = ["--cut-users", "10", "--connections", "1"];

/// The exit code of a panic.
const PANICKED: i32 = 70;

fn forty(score: u32) -> Vec<User> {
    (0..40).map(|number| User { score, ..User::new(number) }).collect()
}

/// A server that says at the second request that the account is suspended, which stops an import.
fn one_request_and_a_stop() -> Nights {
    let nights = Nights::new(&["--answer", "403=Account Suspended:1@1"]);
    nights.home.write("one.csv", csv(&forty(1)));
    nights.home.write("two.csv", csv(&forty(2)));
    let flags = [["one.csv", "--run-dir", "runs/one"].as_slice(), &STATE, &TENS].concat();
    let stopped = nights.import(&flags);
    assert_ne!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(nights.server.users(), 10);
    nights
}

/// Starts the program with a place where it panics.
fn spawn_until(nights: &Nights, args: &[&str], place: &str) -> Run {
    let mut command = nights.home.command(args);
    command.env("MOEBULK_FAILPOINT", place);
    nights.home.start(command)
}

/// A run that stopped, then another one that was cut off with everything sent, and then the first
/// again: of what it sent before the other one, nobody knows whether it still holds.
#[test]
fn what_was_sent_before_an_import_that_was_cut_off_is_not_taken_for_what_holds() {
    let nights = one_request_and_a_stop();
    let two = [["two.csv", "--run-dir", "runs/two"].as_slice(), &STATE].concat();
    let cut_off = spawn_until(&nights, &nights.args(&two), "remember").wait();
    assert_eq!(cut_off.code, Some(PANICKED), "{cut_off:?}");
    nights.assert_holds(&forty(2));

    let resumed = nights.import(&["--run-dir", "runs/one"]);
    resumed.report(0);
    assert!(resumed.stderr.contains("overtaken"), "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("cut off "), "its counts are older: {}", resumed.stderr);
    assert_eq!(nights.at_server()["user-00003"]["score"], 2, "sent by the second after the first");
    nights.home.write("again.csv", csv(&forty(1)));
    let report = nights.import(&[["again.csv"].as_slice(), &STATE].concat()).report(0);
    nights.assert_holds(&forty(1));
    assert_eq!(count(&report, "rows", "skipped"), 0, "of none is it known what the server holds");
}

/// A finished import is not complete already where another one was cut off after it.
#[test]
fn a_finished_import_is_another_one_where_one_was_cut_off_since() {
    let nights = Nights::new(&[]);
    nights.home.write("one.csv", csv(&forty(1)));
    nights.home.write("two.csv", csv(&forty(2)));
    let one = [["one.csv", "--run-dir", "runs/one"].as_slice(), &STATE].concat();
    nights.import(&one).report(0);
    let two = [["two.csv", "--run-dir", "runs/two"].as_slice(), &STATE].concat();
    spawn_until(&nights, &nights.args(&two), "remember").wait();
    nights.assert_holds(&forty(2));
    let report = nights.import(&one).report(0);
    assert_eq!((count(&report, "rows", "delivered"), count(&report, "changes", "new")), (40, 40));
    nights.assert_holds(&forty(1));
}

const USERS: u32 = 30;

/// How a life of an import is ended.
enum End {
    ItsOwn,
    /// SIGKILL when so many users more have arrived.
    Kill(u64),
    /// SIGINT, then.
    Stop(u64),
    /// At a place in the program.
    Panic(String),
}

fn end(rng: &mut Rng) -> End {
    let places = ["pack", "publish", "produce", "send", "journal", "remember", "finish"];
    match rng.u8(0..10) {
        0..=2 => End::ItsOwn,
        3 | 4 => End::Kill(rng.u64(0..u64::from(USERS) / 2)),
        5 | 6 => End::Stop(rng.u64(1..u64::from(USERS) / 2)),
        _ => {
            let place = places[rng.usize(0..places.len())];
            let nth = match place {
                "produce" | "send" | "journal" => rng.u32(1..5),
                _ => 1,
            };
            End::Panic(format!("{place}:{nth}"))
        }
    }
}

fn live(nights: &Nights, flags: &[&str], end: &End) -> Ended {
    let args = nights.args(flags);
    let after = match end {
        End::ItsOwn => return nights.home.run(&args),
        End::Panic(place) => return spawn_until(nights, &args, place).wait(),
        End::Kill(users) | End::Stop(users) => nights.server.users() + users,
    };
    let mut run = nights.home.spawn(&args);
    until("it is as far, or over", || nights.server.users() >= after || run.has_ended());
    match end {
        End::Kill(_) => run.kill(),
        _ if run.has_ended() => run.wait(),
        _ => {
            run.signal("INT");
            run.wait()
        }
    }
}

/// Asserts that every user whom the state takes for unchanged, whatever an export says, has
/// exactly that at the server.
fn assert_honest(nights: &Nights, what: &str) {
    let held = nights.at_server();
    for score in 0..3 {
        let users: Vec<User> =
            (0..USERS).map(|number| User { score, ..User::new(number) }).collect();
        nights.home.write("asked.csv", csv(&users));
        let ask = ["pack", "asked.csv", "--out", "would-be", "--run-dir", "packed"];
        let only = ["--only-changed", "--progress", "off"];
        let packed = nights.home.run(&[ask.as_slice(), &STATE, &only].concat());
        assert_eq!(packed.code, Some(0), "{what}: {packed:?}");
        let bodies = fs::read_to_string(nights.home.path("would-be")).expect("bodies");
        let sent: BTreeSet<String> = bodies
            .lines()
            .flat_map(|line| {
                let body: Value = serde_json::from_str(line).expect("a body");
                let elements = body["elements"].as_array().expect("elements").clone();
                elements.into_iter().map(|it| it["customer_id"].as_str().unwrap_or("").to_owned())
            })
            .collect();
        for user in users.iter().filter(|user| !sent.contains(&user.id)) {
            let found = held.get(&user.id).map(|at| &at["score"]);
            assert_eq!(found, Some(&Value::from(score)), "{what}: {} looks unchanged", user.id);
        }
    }
}

/// An export: most users once, now and then some twice; the last row of each.
fn export(rng: &mut Rng) -> (String, BTreeMap<String, User>) {
    let mut rows = Vec::new();
    for number in 0..USERS {
        let times = match rng.u8(0..12) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..times {
            rows.push(User { score: rng.u32(0..3), ..User::new(number) });
        }
    }
    let last = rows.iter().map(|user| (user.id.clone(), user.clone())).collect();
    (csv(&rows), last)
}

/// Random lives of random imports. `MOEBULK_SEED` plays another game, `MOEBULK_STEPS` a longer one.
#[test]
fn whatever_the_state_takes_for_unchanged_is_what_the_server_holds() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (seed, steps) = (number("MOEBULK_SEED", 5), number("MOEBULK_STEPS", 60));
    let nights = Nights::new(&["--fault", "slow:0.8,500:0.02", "--slow", "30ms", "--seed", "9"]);
    let mut rng = Rng::with_seed(seed);
    let dirs = ["runs/a", "runs/b"];
    let (mut whole, mut resumed, mut stopped, mut overtaken) = (0, 0, 0, 0);
    for step in 0..steps {
        let dir = dirs[rng.usize(0..2)];
        let ends = end(&mut rng);
        let threads = if rng.bool() { "1" } else { "2" };
        let mut flags = vec!["--run-dir", dir, "--threads", threads, "--connections", "2"];
        let is_there = nights.home.path(dir).join("checkpoint").exists();
        let name = format!("night-{step}.csv");
        let mut expected = None;
        let does = match rng.u8(0..10) {
            0..=4 if is_there => {
                resumed += 1;
                flags.extend(if rng.u8(0..4) == 0 {
                    ["--in-doubt", "skip"].as_slice()
                } else {
                    &[]
                });
                "goes on"
            }
            5 if is_there => {
                fs::remove_dir_all(nights.home.path(dir)).expect("removed");
                continue;
            }
            6 if nights.home.path("state/manifest").exists() => {
                let id = User::new(rng.u32(0..USERS)).id;
                let forget = ["state", "forget", &id, "--state", "state"];
                assert_eq!(nights.home.run(&forget).code, Some(0));
                "forgets"
            }
            _ => {
                let (text, last) = export(&mut rng);
                nights.home.write(&name, text);
                expected = Some(last);
                flags.extend([name.as_str(), "--restart", "--max-body-bytes", "400"]);
                flags.extend(STATE);
                flags.extend((rng.u8(0..6) == 0).then_some("--full"));
                "begins"
            }
        };
        let what = format!("seed {seed}, step {step}: {dir} {does}");
        if does != "forgets" {
            let ended = live(&nights, &flags, &ends);
            stopped += u32::from(ended.code == Some(130));
            overtaken += u32::from(ended.stderr.contains("overtaken"));
            // 0 and 1 are complete.
            let by_itself = ended.code.is_some_and(|code| code < 2);
            assert!(by_itself || !matches!(ends, End::ItsOwn), "{what}: {ended:?}");
            if let (Some(last), true) = (&expected, by_itself) {
                whole += 1;
                nights.assert_holds(last.values());
            }
        }
        if nights.home.path("state/manifest").exists() {
            assert_honest(&nights, &what);
        }
    }
    let counts = [whole, resumed, stopped, overtaken];
    println!("whole, resumed, stopped, overtaken: {counts:?}");
    assert!(steps < 60 || counts.iter().all(|&count| count > 2), "{counts:?}");
}
