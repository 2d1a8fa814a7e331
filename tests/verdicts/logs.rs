//! The log on stderr: its form, its levels, and what must never be in it.

use serde_json::Value;

use super::{
    scene::{KEY, Ran, Scene},
    server::{Reply, Server},
};

const JSON: [&str; 4] = ["--log-format", "json", "--progress", "off"];

/// Words that stand in the rows alone.
const CANARIES: [&str; 3] = ["canary-id-7f", "canary@secret.example", "4155550199"];

/// The log lines; every other line of stderr is no JSON.
fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &Value| line.is_object()).collect()
}

fn messages<'a>(lines: &'a [Value], level: &str) -> Vec<&'a str> {
    let of_level = lines.iter().filter(|line| line["level"] == level);
    of_level.map(|line| line["message"].as_str().expect("a message")).collect()
}

/// The server repeats the values in everything it says, and meets each kind of trouble once.
#[test]
fn no_log_holds_a_value_or_the_key() {
    let scene = Scene::new();
    let [id, mail, phone] = CANARIES;
    let rows: String = (1..=6).map(|n| format!("{id}-{n},{mail},{phone}\n")).collect();
    scene.write("users.csv", format!("customer_id,u_em,u_mb\n{rows}"));
    let echo = format!("expected string, not {mail} of {id}-1 with {KEY} ({phone})");
    let server = Server::scripted([
        Reply::new(200, echo.clone()),
        Reply::fail(429, &echo, &echo).with("Retry-After", "1"),
        Reply::fail(400, mail, &echo),
    ]);
    let ran = scene.import(&server, &[&JSON[..], &["--log-level", "trace"]].concat());
    ran.assert_code(0);
    let lines = lines(&ran);
    for level in ["warn", "info", "debug", "trace"] {
        assert!(!messages(&lines, level).is_empty(), "nothing at {level}: {}", ran.stderr);
    }
    for word in CANARIES.iter().chain([&KEY]) {
        assert!(!ran.stderr.contains(word), "`{word}` in:\n{}", ran.stderr);
        assert!(!ran.stdout.contains(word), "`{word}` in:\n{}", ran.stdout);
    }

    // What its own libraries say at trace has headers and bodies in it.
    let foreign = lines.iter().find(|line| line.get("target").is_some());
    assert_eq!(foreign, None);
    for command in [
        vec!["validate", "users.csv", "--run-dir", "checked"],
        vec!["pack", "users.csv", "--out", "bodies", "--run-dir", "checked"],
    ] {
        let ran = scene.run(&[&command[..], &["--log-level", "trace"]].concat());
        ran.assert_code(0).assert_says("rows checked and packed");
        assert!(CANARIES.iter().all(|word| !ran.stderr.contains(word)), "{}", ran.stderr);
    }
}

#[test]
fn trouble_is_warned_of_by_default_and_a_good_run_is_quiet() {
    let scene = Scene::with_users(8);
    let server = Server::scripted([]);
    let quiet = scene.import(&server, &JSON);
    assert_eq!(lines(quiet.assert_code(0)), Vec::<Value>::new());

    let scene = Scene::with_users(8);
    let server = Server::scripted([
        Reply::fail(429, "Rate Limit Exceeded", "slow down").with("Retry-After", "1"),
        Reply::fail(503, "Server Error", "oops"),
        Reply::fail(400, "TypeError", "expected string"),
    ]);
    let ran = scene.import(&server, &JSON);
    let lines = lines(ran.assert_code(0));
    let [told, retried, refused] = &lines[..] else { panic!("{lines:#?}") };
    for line in &lines {
        assert_eq!(line["level"], "warn");
        let time = line["time"].as_str().expect("a time");
        let time = chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339");
        let age =
            chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) - time.to_utc();
        assert!((0..240).contains(&age.num_seconds()), "UTC: {line}");
        assert_eq!(line["body"], 0);
    }
    assert_eq!((&told["asked_seconds"], &told["pause_seconds"]), (&1.into(), &1.0.into()));
    assert_eq!(retried["cause"], "status 503");
    assert!(retried["pause_seconds"].as_f64().is_some_and(|seconds| seconds >= 2.0), "{retried}");
    assert_eq!((&refused["status"], &refused["kind"]), (&400.into(), &"TypeError".into()));
    assert_eq!((&refused["elements"], &refused["request_id"]), (&8.into(), &"r-bad-7".into()));

    // A file may hold a great many bad rows, and all of them stand in the rejects.
    let scene = Scene::with_users(200);
    let bad = super::scene::ids(200).into_iter().step_by(20);
    let server = Server::poisoned(bad, Reply::fail(400, "TypeError", "expected string"));
    let many = self::lines(scene.import(&server, &JSON).assert_code(1));
    assert_eq!(scene.settled(), [190, 10, 0]);
    assert_eq!(many.len(), 21, "twenty, and that the others are not told: {many:#?}");
    assert_eq!(many[20]["message"], "further refusals are logged at debug only");

    let ran = scene.import(&server, &["--restart", "--log-level", "error"]);
    ran.assert_code(1);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
}

#[test]
fn phases_are_told_at_info_and_requests_at_debug() {
    let scene = Scene::with_users(9);
    let server = Server::scripted([Reply::fail(403, "Account Suspended", "is suspended")]);
    let info = [&JSON[..], &["--log-level", "info", "--limit", "7"]].concat();
    let stopped = lines(scene.import(&server, &info).assert_code(3));
    let phases = [
        "inputs found",
        "types inferred over all rows",
        "rows checked and packed",
        "checkpoint opened",
        "sending",
    ];
    assert_eq!(messages(&stopped, "info"), phases);
    assert_eq!(messages(&stopped, "error"), ["stopping: no body would fare better"]);
    assert_eq!((&stopped[2]["read"], &stopped[2]["bodies"]), (&7.into(), &1.into()));
    assert_eq!((&stopped[3]["resumed"], &stopped[3]["pending"]), (&false.into(), &7.into()));

    let debug = [&JSON[..], &["--log-level", "debug", "--limit", "7"]].concat();
    let resumed = lines(scene.import(&server, &debug).assert_code(0));
    let of = |message: &str| resumed.iter().find(|line| line["message"] == message).cloned();
    assert_eq!(of("checkpoint opened").expect("a line")["resumed"], true);
    let request = of("request answered").expect("a line");
    let body = server.requests()[1].body.len();
    assert_eq!(request["level"], "debug");
    assert_eq!((&request["body"], &request["attempt"]), (&0.into(), &1.into()));
    assert_eq!((&request["elements"], &request["bytes"]), (&7.into(), &body.into()));
    assert_eq!((&request["status"], &request["request_id"]), (&200.into(), &"r-ok".into()));
    assert!(request["ms"].is_u64());
    assert_eq!(of("sending ended").expect("a line")["delivered"], 7);
}

#[test]
fn a_text_line_has_time_level_and_message_and_stdout_stays_the_result_alone() {
    let scene = Scene::with_users(3);
    let args = ["pack", "users.csv", "--out", "-", "--run-dir", "run", "--log-level", "trace"];
    let ran = scene.run(&args);
    ran.assert_code(0);
    assert_eq!(ran.stdout.lines().count(), 1);
    let line = ran.stderr.lines().find(|line| line.contains("rows checked")).expect("a line");
    let (time, rest) = line.split_once(' ').expect("a time");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    assert!(
        rest.starts_with("INFO  rows checked and packed read=3 accepted=3 rejected=0 "),
        "{rest}"
    );
    for args in [["--log-level", "loud"], ["--log-format", "xml"]] {
        scene.run(&[&["validate", "users.csv"], &args[..]].concat()).assert_code(2);
    }
}
