//! Who may read what a run leaves, and where the key must not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::support::{Home, Server, assert_private, tree, until, users_csv};

/// A word that nothing else in a run directory can hold by chance.
const SECRET: &str = "q8Zr4-unmistakable-K3Y";

fn assert_no_secret(home: &Home, except: &[&str]) {
    let basic = BASE64_STANDARD.encode(format!("SANDBOX:{SECRET}"));
    let encoded = BASE64_STANDARD.encode(SECRET);
    let (files, _) = tree(&home.path(""));
    for file in files.iter().filter(|file| !except.iter().any(|name| file.ends_with(name))) {
        let content = fs::read(file).expect("a file");
        for secret in [SECRET, &basic, &encoded] {
            let found = content.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!found, "the key is in {}", file.display());
        }
    }
}

fn args(server: &Server, flags: &[&str]) -> Vec<String> {
    let fixed = [
        "import",
        "users.csv",
        "--endpoint",
        &server.url,
        "--app-id",
        "SANDBOX",
        "--users-per-minute",
        "20",
        "--cut-users",
        "20",
        "--yes",
        "--output",
        "json",
    ];
    [&fixed, flags].concat().into_iter().map(str::to_owned).collect()
}

/// Rejects and a damaged record, so that every kind of file is written; the default directory.
#[test]
fn files_are_the_owners_alone_and_hold_no_key() {
    let home = Home::new();
    let server = Server::with_key(&home, SECRET, &["--users-per-minute", "unlimited"]);
    let csv = users_csv(40) + "null,41,shop-1\nuser-x,42,\"open\nuser-y,43,shop\n";
    home.write("users.csv", csv);
    let mut command = home.command(&args(&server, &["--progress", "json"]));
    command.env("MOENGAGE_DATA_API_KEY", SECRET);
    let run = home.start(command);
    until("one body is delivered", || server.users() == 20);

    let command_line = fs::read(format!("/proc/{}/cmdline", run.pid()));
    if let Ok(command_line) = command_line {
        let text = String::from_utf8_lossy(&command_line).into_owned();
        assert!(text.contains("users.csv") && !text.contains(SECRET), "{text}");
    }
    let runs = home.path("moebulk-runs");
    let run_dirs: Vec<_> =
        fs::read_dir(&runs).expect("runs").map(|e| e.expect("an entry").path()).collect();
    let [run_dir] = run_dirs.as_slice() else { panic!("one run, not {run_dirs:?}") };
    assert_private(run_dir);
    assert_private(&home.path("state/moebulk"));
    assert_no_secret(&home, &[]);
    run.signal("INT");
    assert_eq!(run.wait().code, Some(130));

    let key_file = home.write("key", SECRET.to_owned() + "\n");
    let mode = |mode| {
        fs::set_permissions(&key_file, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let rest = ["--api-key-file", "key", "--users-per-minute", "100000", "--progress", "plain"];
    let with_file = || {
        let fixed = args(&server, &[]);
        let fixed = fixed.into_iter().filter(|arg| !["--users-per-minute", "20"].contains(&&**arg));
        // The cut count went with its value; the checkpoint still holds it.
        let fixed = fixed.filter(|arg| arg != "--cut-users");
        let mut command = home.command(&fixed.chain(rest.map(str::to_owned)).collect::<Vec<_>>());
        command.env_remove("MOENGAGE_DATA_API_KEY");
        home.start(command)
    };
    mode(0o640);
    with_file().wait().refused(2, &["--api-key-file", "key", "chmod 600"]);
    mode(0o600);
    let report = with_file().wait().report(1);
    // What follows the damaged record is sound.
    assert_eq!(report["rows"]["delivered"], 41);
    assert_eq!(server.rows(), Vec::from_iter((1..=40).chain([43])));

    let (files, _) = tree(run_dir);
    for name in ["checkpoint", "report.json", "rejects.csv"] {
        assert!(files.iter().any(|file| file.ends_with(name)), "{name} is among {files:?}");
    }
    assert_private(run_dir);
    // A run that is moved aside stays as private.
    home.write("users.csv", users_csv(41));
    assert_eq!(with_file().wait().code, Some(0));
    assert!(run_dir.join("done").is_dir());
    assert_private(run_dir);
    assert_no_secret(&home, &["key"]);
}

/// A key that the server refuses is not told either.
#[test]
fn a_refused_key_is_not_repeated() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    home.write("users.csv", users_csv(20));
    let mut command = home.command(&args(&server, &["--run-dir", "run"]));
    command.env("MOENGAGE_DATA_API_KEY", SECRET);
    let ended = home.start(command).wait();
    ended.refused(3, &["401", "key"]);
    assert_eq!(server.users(), 0);
    assert_no_secret(&home, &[]);
    assert_private(&home.path("run"));
}
