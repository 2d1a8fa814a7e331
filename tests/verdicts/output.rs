//! What stands on stdout, and what a closed one does.

use std::process::{Command, Stdio};

use super::{
    scene::{Ran, Scene, wait},
    server::{Reply, Server},
};

fn is_exactly_the_report(scene: &Scene, ran: &Ran, file: &str) {
    let report = std::fs::read_to_string(scene.path(file)).expect("a report");
    assert_eq!(ran.stdout, report);
}

#[test]
fn json_output_is_exactly_the_report_however_the_run_ends() {
    let ends = [
        ("complete", vec![], 0, vec![]),
        ("stopped", vec![Reply::fail(401, "Authentication required", "mismatch")], 3, vec![]),
        ("too many rejects", vec![], 5, vec!["--max-rejects", "0"]),
        ("rate too low", vec![], 2, vec!["--users-per-minute", "1", "--cut-users", "9"]),
    ];
    for (what, script, code, more) in ends {
        let scene = Scene::with_users(3);
        if code == 5 {
            scene.write("users.csv", "customer_id\nuser-001\nnull\n");
        }
        let server = Server::scripted(script);
        let url = server.url();
        let mut args = vec!["import", "users.csv", "--endpoint", &url, "--app-id", "APP123"];
        args.extend(["--run-dir", "run", "--output", "json"]);
        args.extend(more);
        let ran = scene.run(&args);
        ran.assert_code(code);
        is_exactly_the_report(&scene, &ran, "run/report.json");
        assert!(!ran.stderr.is_empty(), "{what}: the plan or the reason");
    }
    let scene = Scene::with_users(3);
    let ran = scene.run(&["validate", "users.csv", "--run-dir", "run", "--output", "json"]);
    is_exactly_the_report(&scene, ran.assert_code(0), "run/report.json");
}

#[test]
fn pack_to_stdout_leaves_the_report_to_stderr() {
    let scene = Scene::with_users(3);
    let ran =
        scene.run(&["pack", "users.csv", "--out", "-", "--run-dir", "run", "--output", "json"]);
    ran.assert_code(0);
    assert_eq!(ran.stdout.lines().count(), 1);
    let body: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one body");
    assert_eq!(body["elements"].as_array().map(Vec::len), Some(3));
    let report = std::fs::read_to_string(scene.path("run/report.json")).expect("a report");
    assert!(ran.stderr.contains(report.trim_end()), "{}", ran.stderr);
}

/// As on a full disk: who reads the output must not take it for whole.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let server = Server::scripted([]);
    let url = server.url();
    let scene = Scene::with_users(3);
    scene.write("rejects.csv", "customer_id\nuser-001\nnull\n");
    let asked = Server::scripted([]);
    let import =
        ["import", "users.csv", "--endpoint", &url, "--app-id", "APP123", "--run-dir", "run"];
    let check = ["check", "--endpoint", &asked.url(), "--app-id", "APP123", "--no-proxy"];
    let commands: [(&[&str], i32); 20] = [
        (&import, 3),
        // It is complete, and prints its result once more.
        (&import, 3),
        (&check, 3),
        (&["validate", "users.csv"], 3),
        (&["validate", "users.csv", "--output", "json"], 3),
        (&["validate", "rejects.csv"], 3),
        (&["pack", "users.csv", "--out", "bodies"], 3),
        (&["pack", "users.csv", "--out", "-"], 3),
        (&["init", "users.csv", "--out", "-"], 3),
        (&["status", "run"], 3),
        (&["status", "run", "--output", "json"], 3),
        (&["runs", "list"], 3),
        (&["config", "schema"], 3),
        (&["sandbox", "--listen", "127.0.0.1:0"], 3),
        (&["completions", "bash"], 3),
        (&["man"], 3),
        (&["--help"], 3),
        (&["--version"], 3),
        (&["import", "--help"], 3),
        // What stopped the run says more than that its report is missing.
        (&["validate", "rejects.csv", "--max-rejects", "0"], 5),
    ];
    for (args, expected) in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let stderr = std::fs::File::create(scene.path("stderr")).expect("create");
        let mut child = scene.command(args).stdout(full).stderr(stderr).spawn().expect("spawn");
        let code = wait(&mut child);
        let said = std::fs::read_to_string(scene.path("stderr")).expect("stderr");
        assert_eq!(code, Some(expected), "{args:?}: {said}");
        let words = "moebulk: stdout: No space left on device";
        assert_eq!(said.matches(words).count(), 1, "{args:?}: {said}");
        assert!(!said.contains("met a bug"), "{args:?}: {said}");
    }
    assert_eq!(server.delivered().len(), 3);
    assert_eq!(scene.settled(), [3, 0, 0]);
}

/// As `| head -c 0` does it: the reading end is closed before anything is written.
#[test]
fn a_closed_stdout_is_no_panic_and_hurts_no_delivery() {
    let server = Server::scripted([]);
    let url = server.url();
    let commands: [&[&str]; 6] = [
        &["import", "users.csv", "--endpoint", &url, "--app-id", "APP123", "--run-dir", "run"],
        &["validate", "users.csv", "--output", "json"],
        &["validate", "users.csv"],
        &["pack", "users.csv", "--out", "-"],
        &["status", "run"],
        &["--help"],
    ];
    let scene = Scene::with_users(3_000);
    for args in commands {
        let limits = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];
        let more = if args[0] == "import" { &limits[..] } else { &[] };
        let stderr = std::fs::File::create(scene.path("stderr")).expect("create");
        let mut command: Command = scene.command(&[args, more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("spawn");
        drop(child.stdout.take());
        let code = wait(&mut child);
        let said = std::fs::read_to_string(scene.path("stderr")).expect("stderr");
        for word in ["panicked", "met a bug", "Broken pipe"] {
            assert!(!said.contains(word), "{args:?}: {said}");
        }
        // Help is not worth a code of its own.
        let expected = if args == ["--help"] { 0 } else { 141 };
        assert_eq!(code, Some(expected), "{args:?}: {said}");
    }
    let mut delivered = server.delivered();
    delivered.sort();
    delivered.dedup();
    assert_eq!(delivered.len(), 3_000);
    assert_eq!(scene.settled(), [3_000, 0, 0]);
}
