//! Rows in doubt: listed with their source, sent again by default, left out on request.

use std::fs;

use serde_json::json;

use crate::support::{Home, Server, until, users_csv};

const ROWS: u64 = 30;

fn args(server: &Server, flags: &[&str]) -> Vec<String> {
    let own = ["import", "users.csv", "--endpoint", &server.url, "--app-id", "SANDBOX"];
    let run = ["--run-dir", "run", "--cut-users", "10", "--users-per-minute", "unlimited"];
    let shown = ["--yes", "--output", "json", "--progress", "off", "--connections", "1"];
    [&own[..], &run, &shown, flags].concat().iter().map(|&arg| arg.to_owned()).collect()
}

/// An import that was killed while its first body, ten rows, waited for its answer.
fn killed() -> (Home, Server) {
    let home = Home::new();
    let server = Server::start(
        &home,
        &["--users-per-minute", "unlimited", "--fault", "slow:1", "--slow", "3s"],
    );
    home.write("users.csv", users_csv(ROWS as usize));
    let run = home.spawn(&args(&server, &[]));
    until("the first body is there", || server.requests() == 1);
    assert_eq!(run.kill().code, None);
    let status = home.run(&["status", "run"]);
    let words = "10 elements of body 0: users.csv row 1 to users.csv row 10";
    assert!(status.stdout.contains(words), "{}", status.stdout);
    let status = home.run(&["status", "run", "--output", "json"]).report(0);
    let expected = json!([{
        "body": 0,
        "elements": 10,
        "first": {"file": "users.csv", "row": 1, "line": 2},
        "last": {"file": "users.csv", "row": 10, "line": 11},
    }]);
    assert_eq!(status["in_doubt"], expected);
    assert_eq!(status["rows"]["pending"], ROWS);
    assert_eq!(status["requests"]["sent"], 1, "what was under way may have been sent");
    assert_eq!(status["finished"], json!(null));
    until("the emulator has taken it in", || server.users() == 10);
    (home, server)
}

#[test]
fn rows_in_doubt_are_sent_again() {
    let (home, server) = killed();
    let ended = home.run(&args(&server, &[]));
    assert_eq!(ended.report(0)["rows"]["delivered"], ROWS);
    let words = "10 sent before without an answer; sent again, so some may arrive twice";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(server.users(), ROWS + 10, "what was in doubt arrived twice, nothing else did");
    let requests = &ended.report(0)["requests"];
    assert_eq!((&requests["sent"], &requests["retried"]), (&json!(4), &json!(1)));
    assert_eq!(server.requests(), 4);
}

#[test]
fn rows_in_doubt_are_left_out_on_request_and_stand_in_the_rejects() {
    let (home, server) = killed();
    let report = home.run(&args(&server, &["--in-doubt", "skip"])).report(1);
    let rows = &report["rows"];
    assert_eq!((rows["delivered"].as_u64(), rows["failed"].as_u64()), (Some(20), Some(10)));
    assert_eq!(rows["pending"], 0);
    assert_eq!(
        (&report["requests"]["sent"], &report["requests"]["retried"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(server.rows(), Vec::from_iter(1..=ROWS), "each row arrived once");
    let problem = &report["problems"][0];
    assert_eq!((&problem["code"], &problem["count"]), (&json!("in-doubt"), &json!(10)));
    let rejects = fs::read_to_string(home.path("run/rejects.csv")).expect("rejects");
    let rows: Vec<&str> = rejects.lines().skip(1).collect();
    assert_eq!(rows.len(), 10);
    for (row, n) in rows.iter().zip(1..) {
        let own = format!("user-{n:05},{n},shop-{},users.csv,{n},{},in-doubt,", n % 7, n + 1);
        assert!(row.starts_with(&own), "{row}");
    }
    // Nobody refused them.
    let words = "20 delivered, 0 refused by the server, 10 left out in doubt, 0 pending";
    let status = home.run(&["status", "run"]);
    assert!(status.stdout.contains(words), "{}", status.stdout);
    let page = fs::read_to_string(home.path("run/report.html")).expect("a page");
    let words = "20 delivered, 0 refused by the server, 10 left out in doubt, 0 not sent.";
    assert!(page.contains(words), "{page}");
    // It is over: the same command sends nothing and says the same.
    let again = home.run(&args(&server, &[]));
    assert_eq!(again.report(1)["rows"]["failed"], 10);
    assert_eq!(server.users(), ROWS);
    // Nothing is wrong with its cells, so none is to be mended.
    let text = home.run(&["import", "--run-dir", "run", "--progress", "off"]).stdout;
    let words =
        "  look run/rejects.csv (10 rows) up in the dashboard; what is missing there, import\n";
    assert!(text.contains(words) && !text.contains("mend the cells"), "{text}");
}
