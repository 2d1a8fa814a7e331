//! Pilots: one record a request, with the emulator's true verdict on each.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
};

use moebulk::sandbox::{Options, Sandbox};
use serde_json::Value;

use super::scene::{Ran, Scene, finish, ids, wait};

const UNLIMITED: [&str; 4] =
    ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];

/// An emulator without limits of its own.
pub fn sandbox(options: Options) -> Sandbox {
    let unlimited = Options { users_per_minute: None, events_per_minute: None, ..options };
    Sandbox::start(unlimited).expect("a sandbox")
}

fn poisoned(ids: impl IntoIterator<Item = String>) -> Sandbox {
    sandbox(Options { poison: ids.into_iter().collect(), ..Options::default() })
}

/// One of the emulator's own pages.
pub fn page(sandbox: &Sandbox, name: &str) -> Value {
    let url = sandbox.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("connect");
    let request =
        format!("GET /_sandbox/{name} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("a JSON page")
}

/// Imports into the emulator, the run in `run/` unless `args` say otherwise.
fn command(
    scene: &Scene,
    sandbox: &Sandbox,
    file: &str,
    args: &[&str],
    key: &str,
) -> std::process::Command {
    let url = sandbox.url();
    let fixed = ["import", file, "--endpoint", &url, "--app-id", "SANDBOX", "--run-dir", "run"];
    let mut command = scene.command(&[&fixed, args].concat());
    command.env("MOENGAGE_DATA_API_KEY", key);
    command
}

fn import(scene: &Scene, sandbox: &Sandbox, file: &str, args: &[&str]) -> Ran {
    finish(command(scene, sandbox, file, args, "sandbox-key"))
}

/// The values of a column of `run/rejects.csv`, and the messages.
fn rejected(scene: &Scene) -> Vec<(String, String)> {
    let rejects = scene.rejects();
    rejects
        .iter()
        .map(|row| (row["customer_id"].clone(), row["_moebulk_message"].clone()))
        .collect()
}

#[test]
fn a_user_a_request_and_the_refused_ones_are_named() {
    let scene = Scene::with_users(130);
    let sandbox = poisoned(["user-007".to_owned(), "user-050".to_owned()]);
    let args = [&UNLIMITED[..], &["--limit", "100", "--api", "user"]].concat();
    import(&scene, &sandbox, "users.csv", &args).assert_code(1);
    assert_eq!(scene.settled(), [98, 2, 0]);
    let stats = page(&sandbox, "stats");
    assert_eq!(stats["requests"], serde_json::json!({"user": 100}), "one each, none halved");
    assert_eq!(stats["users_accepted"], 98);
    let rejected = rejected(&scene);
    assert_eq!(rejected.iter().map(|row| &*row.0).collect::<Vec<_>>(), ["user-007", "user-050"]);
    for (_, message) in rejected {
        for words in ["TypeError", "expected string", "400", "sandbox-"] {
            assert!(message.contains(words), "{message}");
        }
    }
    // What the pilot left goes in bulk, under the same budgets.
    let rest = [&UNLIMITED[..], &["--offset", "100"]].concat();
    import(&scene, &sandbox, "users.csv", &rest).assert_code(0);
    assert_eq!(page(&sandbox, "stats")["users_accepted"], 128);
    assert_eq!(page(&sandbox, "violations")["count"], 0);
}

#[test]
fn an_event_a_request_and_a_device_a_request() {
    let scene = Scene::with_users(5);
    let sandbox = poisoned(["user-040".to_owned()]);
    let rows: String = ids(110)
        .iter()
        .map(|id| format!("{id},Purchase,2026-01-02T03:04:05Z,7\n{id},Visit,2026-01-02,8\n"))
        .collect();
    scene.write("events.csv", format!("customer_id,action,user_time,n\n{rows}"));
    let args = [&UNLIMITED[..], &["--limit", "100", "--api", "event", "--kind", "events"]].concat();
    import(&scene, &sandbox, "events.csv", &args).assert_code(1);
    assert_eq!(scene.settled(), [98, 2, 0]);
    let stats = page(&sandbox, "stats");
    assert_eq!(stats["requests"], serde_json::json!({"event": 100}));
    assert_eq!(stats["events_accepted"], 98);
    assert!(rejected(&scene).iter().all(|row| row.0 == "user-040" && row.1.contains("TypeError")));

    let rows: String =
        [1, 2, 900, 3].map(|n| format!("user-{n:03},device-{n},ANDROID,push-{n}\n")).concat();
    scene.write("devices.csv", format!("customer_id,device_id,platform,push_id\n{rows}"));
    let args = [&UNLIMITED[..], &["--limit", "100", "--api", "device", "--kind", "devices"]];
    import(&scene, &sandbox, "devices.csv", &args.concat()).assert_code(1);
    assert_eq!(scene.settled(), [3, 1, 0]);
    assert_eq!(page(&sandbox, "stats")["requests"]["device"], 4);
    let [(id, message)] = &rejected(&scene)[..] else { panic!("one row") };
    assert_eq!(id, "user-900");
    for words in ["MissingAttributeError", "existing user"] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_pilot_ends_where_the_server_refuses_everything_or_the_key() {
    let scene = Scene::with_users(40);
    let sandbox = poisoned(ids(40));
    let args = [&UNLIMITED[..], &["--api", "user", "--connections", "1"]].concat();
    let ran = import(&scene, &sandbox, "users.csv", &args);
    ran.assert_code(3).assert_says("refused 20 rows and took 0").assert_says("TypeError");
    assert_eq!(scene.settled(), [0, 20, 20]);
    assert_eq!(page(&sandbox, "stats")["requests"], serde_json::json!({"user": 20}));

    let scene = Scene::with_users(40);
    let sandbox = poisoned([]);
    let ran = finish(command(&scene, &sandbox, "users.csv", &args, "wrong"));
    ran.assert_code(3).assert_says("401").assert_says("App Secret key mismatch");
    assert_eq!(scene.settled(), [0, 0, 40]);
    assert_eq!(page(&sandbox, "stats")["requests"], serde_json::json!({"user": 1}));
    import(&scene, &sandbox, "users.csv", &args).assert_code(0);
    assert_eq!(scene.settled(), [40, 0, 0]);
}

#[test]
fn a_pack_of_single_records_is_what_a_pilot_sends() {
    let scene = Scene::with_users(12);
    let sandbox = poisoned([]);
    let args = ["pack", "users.csv", "--out", "-", "--api", "user", "--limit", "9"];
    let packed = scene.run(&[&args[..], &["--run-dir", "run"]].concat());
    packed.assert_code(0);
    let digest = scene.report()["bodies"]["digest"].clone();
    let args = [&UNLIMITED[..], &["--api", "user", "--limit", "9"]].concat();
    import(&scene, &sandbox, "users.csv", &args).assert_code(0);
    assert_eq!(scene.report()["bodies"]["digest"], digest);
    let records = page(&sandbox, "records");
    let mut sent: Vec<String> = records["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| record["element"].to_string())
        .collect();
    let mut lines: Vec<String> = packed
        .stdout
        .lines()
        .map(|line| line.parse::<Value>().expect("JSON").to_string())
        .collect();
    sent.sort();
    lines.sort();
    assert_eq!((sent.len(), sent), (9, lines));
}

#[test]
fn an_api_that_does_not_take_the_rows_is_a_usage_error() {
    let scene = Scene::with_users(3);
    let sandbox = poisoned([]);
    let cases: [(&[&str], &str); 4] = [
        (&["--api", "event", "--kind", "users"], "--api event takes events"),
        (&["--api", "device"], "--api device takes devices"),
        (&["--api", "user", "--kind", "events", "--event", "E"], "--api user takes users"),
        (&["--api", "single"], "--api"),
    ];
    for (args, words) in cases {
        let ran = import(&scene, &sandbox, "users.csv", args);
        ran.assert_code(2).assert_says(words);
    }
    assert_eq!(page(&sandbox, "stats")["requests"], serde_json::json!({}));
}

/// A `403` half way, then a signal while it waits for the budget: each record arrives once.
#[cfg(unix)]
#[test]
fn a_pilot_that_was_interrupted_sends_nothing_twice() {
    let scene = Scene::with_users(60);
    let answers = vec!["403:1@15".parse().expect("an answer")];
    let sandbox = sandbox(Options { answers, ..Options::default() });
    let args = ["--api", "user", "--connections", "3", "--users-per-minute", "40"];
    import(&scene, &sandbox, "users.csv", &args).assert_code(3).assert_says("403");
    let before = page(&sandbox, "stats")["users_accepted"].as_u64().expect("a count");
    assert!((15..=17).contains(&before), "{before}");

    let (code, _) = until_it_waits(&scene, &sandbox, &args, "TERM");
    assert_eq!(code, Some(143));
    let [delivered, failed, pending] = scene.settled();
    assert_eq!((delivered + pending, failed), (60, 0));
    assert_eq!(page(&sandbox, "stats")["users_accepted"], delivered);
    assert!(before < delivered && delivered <= 40, "{delivered}");

    let args = [&UNLIMITED[..], &["--api", "user"]].concat();
    import(&scene, &sandbox, "users.csv", &args).assert_code(0);
    assert_eq!(scene.settled(), [60, 0, 0]);
    let stats = page(&sandbox, "stats");
    assert_eq!(stats["users_accepted"], 60);
    assert_eq!(stats["duplicate_bodies"], 0);
}

/// The pilot's 30 of 40 users a minute are still counted when the rest goes in bulk.
#[cfg(unix)]
#[test]
fn a_pilot_draws_on_the_budget_of_the_import_that_follows() {
    let scene = Scene::with_users(60);
    let sandbox = poisoned([]);
    let rate = ["--users-per-minute", "40"];
    let args = [&rate[..], &["--api", "user", "--limit", "30"]].concat();
    import(&scene, &sandbox, "users.csv", &args).assert_code(0);
    let args = [&rate[..], &["--offset", "30"]].concat();
    let (code, seconds) = until_it_waits(&scene, &sandbox, &args, "TERM");
    assert_eq!(code, Some(143));
    assert!((45..=61).contains(&seconds), "{seconds}");
    let stats = page(&sandbox, "stats");
    assert_eq!(stats["users_accepted"], 30);
    assert_eq!(stats["requests"], serde_json::json!({"user": 30}));
}

/// Runs an import until its log says that it waits for the budget, then sends a signal; its exit
/// code, and the seconds that it would have waited.
#[cfg(unix)]
fn until_it_waits(
    scene: &Scene,
    sandbox: &Sandbox,
    args: &[&str],
    signal: &str,
) -> (Option<i32>, u64) {
    let log = ["--log-level", "debug", "--log-format", "json", "--progress", "off"];
    let mut command = command(scene, sandbox, "users.csv", &[args, &log].concat(), "sandbox-key");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("spawn");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let seconds = lines
        .by_ref()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|line| line["message"] == "waiting for the budget")
        .and_then(|line| line["seconds"].as_u64())
        .expect("it waits for the budget");
    let text = format!("kill -{signal} {}", child.id());
    let sent = std::process::Command::new("/bin/sh").args(["-c", &text]).status();
    assert!(sent.expect("a shell").success());
    let rest = std::thread::spawn(move || lines.count());
    let code = wait(&mut child);
    rest.join().expect("the rest of stderr");
    (code, seconds)
}
