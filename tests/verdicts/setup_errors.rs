//! Flags, endpoints, credentials and limits that cannot be used.

use super::{
    errors::assert_refused,
    scene::{APP, Scene, each, finish, ids},
    server::Server,
};

/// Arguments, and what the refusal says.
type Case = (&'static [&'static str], &'static [&'static str]);

fn name(case: &Case) -> String {
    case.0.join(" ")
}

const REAL: &[&str] = &["import", "users.csv", "--data-center", "01", "--app-id", APP, "--yes"];

#[test]
fn invalid_flags_are_named() {
    let cases: &[Case] = &[
        (&["validate", "users.csv", "--delimiter", "ab"], &["--delimiter", "'ab'", "one ASCII"]),
        (&["validate", "users.csv", "--quote", "ab"], &["--quote", "'ab'"]),
        (&["validate", "users.csv", "--delimiter", "\""], &["--delimiter", "--quote"]),
        (
            &["validate", "users.csv", "--users-per-minute", "0"],
            &["--users-per-minute", "1 or more"],
        ),
        (&["validate", "users.csv", "--events-per-minute", "-1"], &["-1"]),
        (
            &["validate", "users.csv", "--users-per-minute", "many"],
            &["--users-per-minute", "'many'"],
        ),
        (&["validate", "users.csv", "--cut-users", "0"], &["--cut-users"]),
        (&["validate", "users.csv", "--threads", "0"], &["--threads"]),
        (&["validate", "users.csv", "--max-body-bytes", "10"], &["--max-body-bytes"]),
        (&["validate", "users.csv", "--max-body-bytes", "200000"], &["--max-body-bytes", "131072"]),
        (&["validate", "users.csv", "--max-rejects", "101%"], &["--max-rejects", "5%"]),
        (&["validate", "users.csv", "--event", "Buy"], &["--event", "--kind events"]),
        (&["validate", "users.csv", "--kind", "events"], &["users.csv", "action", "--event"]),
        (&["validate", "users.csv", "--kind", "events", "--event", ""], &["--event", "empty"]),
        (&["validate", "users.csv", "--kind", "people"], &["--kind", "users", "events"]),
        (&["validate", "users.csv", "--no-such-flag"], &["--no-such-flag"]),
        (&["validate"], &["INPUT"]),
        (&["validate", "users.csv", "--run-dir", "users.csv"], &["users.csv"]),
        (&["pack", "users.csv"], &["--out"]),
        (&["pack", "users.csv", "--out", "."], &["directory"]),
        (&["pack", "users.csv", "--out", "no/such/place"], &["no/such/place"]),
        (&["status", "."], &["checkpoint"]),
        (&["status", "users.csv"], &["users.csv: is a file", "moebulk runs list"]),
        (&["import", "--run-dir", "users.csv"], &["--run-dir users.csv: is a file", "directory"]),
        (&["validate", ".", "--run-dir", "users.csv"], &["--run-dir users.csv: is a file"]),
        (
            &["pack", ".", "--out", "out", "--run-dir", "users.csv"],
            &["--run-dir users.csv: is a file"],
        ),
    ];
    each(cases, name, |(args, says)| {
        let scene = Scene::with_users(3);
        assert_refused(&scene.run(args), 2, says);
    });
}

#[test]
fn endpoints_and_accounts_that_must_not_be_sent_to_are_refused() {
    let import = |more: &'static [&'static str]| -> Vec<&'static str> {
        ["import", "users.csv", "--app-id", APP].iter().chain(more).copied().collect()
    };
    let real = |more: &'static [&'static str]| REAL.iter().chain(more).copied().collect::<Vec<_>>();
    let cases: Vec<(Vec<&str>, &[&str])> = vec![
        (import(&["--endpoint", "http://example.com"]), &["--endpoint", "https"]),
        (import(&["--endpoint", "http://127.0.0.1.example.com"]), &["--endpoint", "https"]),
        (
            import(&["--endpoint", "https://me:pw-in-url@127.0.0.1:1"]),
            &["--endpoint", "--api-key-file"],
        ),
        (import(&["--endpoint", "nonsense"]), &["--endpoint"]),
        (import(&["--endpoint", "ftp://127.0.0.1"]), &["--endpoint", "https"]),
        (import(&["--endpoint", "http://127.0.0.1:1/v2"]), &["--endpoint", "host"]),
        (import(&["--endpoint", "http://127.0.0.1:1/?a=b"]), &["--endpoint"]),
        (import(&["--data-center", "09"]), &["--data-center", "101"]),
        (import(&["--data-center", "01", "--endpoint", "http://127.0.0.1:1"]), &["--endpoint"]),
        (import(&["--sandbox", "--endpoint", "http://127.0.0.1:1"]), &["--sandbox", "--endpoint"]),
        (import(&["--sandbox", "--data-center", "01"]), &["--sandbox", "--data-center"]),
        (import(&[]), &["--sandbox", "--data-center"]),
        (real(&["--users-per-minute", "unlimited"]), &["--users-per-minute", "unlimited"]),
        (real(&["--events-per-minute", "unlimited"]), &["--events-per-minute", "unlimited"]),
        (import(&["--endpoint", "http://127.0.0.1:1", "--api-id", "a:b"]), &["--api-id", "colon"]),
        (import(&["--endpoint", "http://127.0.0.1:1", "--api-id", ""]), &["--api-id", "empty"]),
    ];
    each(
        &cases,
        |case| case.0.join(" "),
        |(args, says)| {
            let scene = Scene::with_users(3);
            let ran = scene.run(args);
            assert_refused(&ran, 2, says);
            assert!(!ran.stderr.contains("pw-in-url"));
            scene.assert_no_key(&ran);
        },
    );
}

#[test]
fn missing_credentials_are_asked_for_by_name() {
    let scene = Scene::with_users(3);
    let server = Server::scripted([]);
    let url = server.url();
    let import = ["import", "users.csv", "--endpoint", &url];
    assert_refused(&scene.run(&import), 2, &["--app-id", "MOENGAGE_APP_ID"]);
    for odd in ["A/B", "..\u{e9}", "a b"] {
        let ran = scene.run(&[&import[..], &["--app-id", odd]].concat());
        assert_refused(&ran, 2, &["--app-id"]);
    }
    let with_app = [&import[..], &["--app-id", APP]].concat();
    for key in [None, Some("")] {
        let mut command = scene.command(&with_app);
        match key {
            Some(key) => command.env("MOENGAGE_DATA_API_KEY", key),
            None => command.env_remove("MOENGAGE_DATA_API_KEY"),
        };
        assert_refused(&finish(command), 2, &["MOENGAGE_DATA_API_KEY", "--api-key-file"]);
    }
    let ran = scene.run(&[&with_app[..], &["--api-key-file", "no-key"]].concat());
    assert_refused(&ran, 2, &["--api-key-file no-key"]);
    assert_eq!(server.connections(), 0);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::scripted([]);
    let scene = Scene::with_users(3);
    let path = scene.write("key", "secret-in-file");
    for mode in [0o640, 0o604, 0o660, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        let ran = scene.import(&server, &["--api-key-file", "key"]);
        assert_refused(&ran, 2, &["--api-key-file key", "chmod 600"]);
        assert!(!ran.stderr.contains("secret-in-file"));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_rate_below_the_largest_body_is_refused_with_the_smallest_that_works() {
    let scene = Scene::with_users(9);
    let server = Server::scripted([]);
    let url = server.url();
    let import = |rate: &str| {
        scene.run(&[
            "import",
            "users.csv",
            "--endpoint",
            &url,
            "--app-id",
            APP,
            "--run-dir",
            "run",
            // Bodies of different users may overtake one another on two connections.
            "--connections",
            "1",
            "--cut-users",
            "5",
            "--users-per-minute",
            rate,
        ])
    };
    let ran = import("4");
    ran.assert_code(2).assert_says("--users-per-minute 4").assert_says("smallest that works is 5");
    assert_eq!(server.connections(), 0);
    assert_eq!(scene.settled(), [0, 0, 9]);
    // A rate that takes both bodies. They hold different users, so they may be under way at once
    // and arrive in either order.
    let ran = import("9");
    ran.assert_code(0);
    let mut bodies: Vec<Vec<String>> =
        server.requests().iter().map(|request| request.ids()).collect();
    bodies.sort();
    assert_eq!(bodies, [&ids(9)[..5], &ids(9)[5..]]);
    assert_eq!(scene.settled(), [9, 0, 0]);
}

#[test]
fn more_rejects_than_allowed_send_nothing() {
    let scene = Scene::new();
    scene.write("users.csv", "customer_id,city\nuser-001,Oslo\nnull,Rome\nuser-003,Lima\n");
    let server = Server::scripted([]);
    for limit in ["0", "33%", "0%"] {
        let ran = scene.import(&server, &["--max-rejects", limit]);
        ran.assert_code(5).assert_says("--max-rejects").assert_says("nothing was sent");
        ran.assert_says("report.json");
        assert_eq!(scene.settled(), [0, 0, 2]);
        assert_eq!(scene.report()["complete"], false);
        assert_eq!(scene.rejects().len(), 1);
    }
    assert_eq!(server.connections(), 0);
    scene.import(&server, &["--max-rejects", "1"]).assert_code(1);
    assert_eq!(server.delivered(), ["user-001", "user-003"]);
    assert_eq!(scene.settled(), [2, 0, 0]);
}
