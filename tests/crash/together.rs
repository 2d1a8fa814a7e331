//! Two imports at a time: one run directory, or one account, has room for one.

use std::fs;

use crate::checkpoint::Checkpoint;
use crate::support::{Home, Run, Server, until, users_csv};

#[test]
fn a_run_directory_and_an_account_take_one_import_at_a_time() {
    let home = Home::new();
    let server = Server::start(&home, &["--users-per-minute", "unlimited"]);
    home.write("users.csv", users_csv(40));
    let args = |run_dir: &str, app_id: &str, rate: &str| {
        [
            "import",
            "users.csv",
            "--endpoint",
            &server.url,
            "--app-id",
            app_id,
            "--run-dir",
            run_dir,
            "--users-per-minute",
            rate,
            "--cut-users",
            "20",
            "--yes",
            "--output",
            "json",
            "--progress",
            "off",
        ]
        .map(str::to_owned)
    };
    // It sends one body and then waits a minute for the next.
    let first = home.spawn(&args("first", "SANDBOX", "20"));
    until("the first body is held as delivered", || {
        Checkpoint::read(&home.path("first")).is_some_and(|it| it.delivered.len() == 1)
    });
    let checkpoint = || fs::read(home.path("first/checkpoint")).expect("a checkpoint");
    let before = checkpoint();

    let same_run = home.run(&args("first", "SANDBOX", "20"));
    same_run.refused(2, &["first", &first.pid().to_string()]);
    assert_eq!(checkpoint(), before, "the first run's checkpoint is as it was");
    // `--restart` is no way around the lock.
    let restarted = [&args("first", "SANDBOX", "20")[..], &["--restart".to_owned()]].concat();
    home.run(&restarted).refused(2, &["first"]);
    assert_eq!(checkpoint(), before);

    let same_account = home.run(&args("second", "SANDBOX", "100000"));
    same_account.refused(2, &["another import", "account", &first.pid().to_string()]);
    assert_eq!(server.users(), 20, "neither sent anything");

    // Another account is no concern of the first one's.
    let other = home.run(&args("third", "SANDBOX-OTHER", "100000")).report(0);
    assert_eq!(other["rows"]["delivered"], 40);
    assert_eq!(server.users(), 60);

    // `status` reads what another process writes.
    let status = home.run(&["status", "first"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("20 delivered") && status.stdout.contains("20 pending"));

    // A kill frees both locks.
    assert_eq!(first.kill().code, None);
    assert_eq!(home.run(&args("first", "SANDBOX", "100000")).report(0)["rows"]["delivered"], 40);
    assert_eq!(home.run(&args("second", "SANDBOX", "100000")).report(0)["rows"]["delivered"], 40);
    assert_eq!(server.users(), 60 + 20 + 40, "the rest of the first, the whole of the second");
}

/// Starts an import that says that it waits for another one.
fn waiting(home: &Home, args: &[String]) -> Run {
    let mut command = home.command(args);
    command.arg("--wait");
    let run = home.start(command);
    until("it waits", || run.stderr().contains("waiting: another import"));
    run
}

#[test]
fn a_second_import_waits_for_its_turn() {
    let home = Home::new();
    let server = Server::start(&home, &["--users-per-minute", "unlimited"]);
    home.write("users.csv", users_csv(40));
    let args = |run_dir: &str, rate: &str| {
        let own = ["import", "users.csv", "--endpoint", &server.url, "--app-id", "SANDBOX"];
        let run = ["--run-dir", run_dir, "--users-per-minute", rate, "--cut-users", "20"];
        let shown = ["--yes", "--output", "json", "--progress", "off"];
        [&own[..], &run, &shown].concat().iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>()
    };
    let first = home.spawn(&args("first", "20"));
    until("the first body is held as delivered", || {
        Checkpoint::read(&home.path("first")).is_some_and(|it| it.delivered.len() == 1)
    });
    // One for the account, and one for the run directory.
    let (account, run_dir) =
        (waiting(&home, &args("second", "100000")), waiting(&home, &args("first", "100000")));
    // A signal ends a wait too.
    let stopped = waiting(&home, &args("third", "100000"));
    stopped.signal("TERM");
    let report = stopped.wait().report(143);
    assert_eq!(report["rows"]["pending"], 40);
    assert_eq!(server.users(), 20, "they send nothing meanwhile");

    assert_eq!(first.kill().code, None, "its locks go with it");
    assert_eq!(account.wait().report(0)["rows"]["delivered"], 40);
    assert_eq!(run_dir.wait().report(0)["rows"]["delivered"], 40);
    assert_eq!(server.users(), 80);
}

#[test]
fn without_limits_an_account_takes_one_import_at_a_time_too() {
    let home = Home::new();
    let server = Server::start(
        &home,
        &["--users-per-minute", "unlimited", "--fault", "slow:1", "--slow", "20s"],
    );
    home.write("users.csv", users_csv(4));
    let args = |run_dir: &str| {
        let own = ["import", "users.csv", "--endpoint", &server.url, "--app-id", "SANDBOX"];
        let run = ["--run-dir", run_dir, "--users-per-minute", "unlimited"];
        let rest = ["--events-per-minute", "unlimited", "--yes", "--progress", "off"];
        [&own[..], &run, &rest].concat().iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>()
    };
    let first = home.spawn(&args("first"));
    until("the first body is on its way", || server.requests() == 1);
    home.run(&args("second")).refused(2, &["another import", &first.pid().to_string()]);
    assert_eq!(server.requests(), 1);
}
