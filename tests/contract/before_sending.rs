//! What is asked and refused before anything is sent to a real server. The address is one that
//! is kept for documents (RFC 5737), and nothing here gets as far as to connect.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    missing,
    support::{Lab, UNLIMITED},
};

const REAL: [&str; 4] = ["--endpoint", "https://192.0.2.1", "--app-id", "APP"];

#[test]
fn a_few_misfits_keep_a_column_from_a_real_server_until_somebody_decides() {
    let lab = Lab::new();
    let mut csv = String::from("customer_id,vip\n");
    for row in 0..200 {
        csv.push_str(&format!("user-{row},{}\n", if row == 150 { "maybe" } else { "true" }));
    }
    lab.write("users.csv", csv);
    let ran = lab.run(&[["import", "users.csv", "--yes"].as_slice(), &REAL].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for words in ["`vip`", "1 of 200 values", "--accept-inferred", "--mapping"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    // Elsewhere the few are a warning with their place, and the column goes as text.
    let report = lab.report(0, &["validate", "users.csv"]);
    let problem = &report["problems"][0];
    assert_eq!(problem["code"], "type-minority");
    assert_eq!((&problem["count"], &problem["first"][0]["row"]), (&1.into(), &151.into()));
    let accepted = lab.report(0, &["validate", "users.csv", "--accept-inferred"]);
    assert_eq!(accepted["bodies"]["digest"], report["bodies"]["digest"]);
}

/// Runs a command on a terminal, as `script` of util-linux makes one, and types an answer.
fn on_a_terminal(lab: &Lab, args: &[&str], answer: &str) -> Option<(i32, String)> {
    if Command::new("script").arg("--version").output().is_err() {
        missing::skip("a terminal", "there is no `script` to make one with");
        return None;
    }
    let quoted: Vec<_> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_moebulk"), quoted.join(" "));
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(lab.path("."))
        .env("XDG_STATE_HOME", lab.path("state"))
        .env("MOENGAGE_DATA_API_KEY", "some-key")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{answer}").expect("an answer");
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((output.status.code().unwrap_or(-1), text))
}

#[test]
fn a_terminal_is_asked_with_the_plan_and_a_no_sends_nothing() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nnull,Rome\nuser-3,Lima\n");
    let args =
        ["import", "users.csv", "--data-center", "03", "--app-id", "APP", "--run-dir", "run"];
    let Some((code, text)) = on_a_terminal(&lab, &args, "n") else { return };
    assert_eq!(code, 2, "{text}");
    for words in [
        "send 2 users to https://api-03.moengage.com APP",
        "3 read, 2 accepted, 1 rejected",
        "id-disallowed",
        "requests",
        "creates a user",
        "send? [y/N]",
        "declined; nothing was sent",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!lab.path("run/checkpoint").exists());
}

/// A limit is kept where it is met exactly, and passed by one row more.
#[test]
fn max_rejects_is_the_most_that_is_allowed() {
    let lab = Lab::new();
    let ids = ["user-1", "null", "user-2", "guest", "user-3", "user-4", "user-5", "user-6"];
    lab.write("users.csv", format!("customer_id\n{}\n", ids.join("\n")));
    // 2 of 8, 25 %.
    for (limit, code) in [
        ("0", 5),
        ("1", 5),
        ("2", 1),
        ("3", 1),
        ("0%", 5),
        ("24%", 5),
        ("24.9%", 5),
        ("25%", 1),
        ("26%", 1),
        ("100%", 1),
    ] {
        let report = lab.report(code, &["validate", "users.csv", "--max-rejects", limit]);
        assert_eq!(report["rows"]["rejected"], 2, "{limit}: all is checked all the same");
    }
    for wrong in ["-1", "1.5", "101%", "", "%", "five"] {
        let ran = lab.run(&["validate", "users.csv", &format!("--max-rejects={wrong}")]);
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(ran.stderr.contains("--max-rejects"), "{wrong}: {}", ran.stderr);
    }
    // The default lets all of them be rejected; what is left is sent.
    lab.write("none.csv", "customer_id\nnull\nguest\n");
    lab.report(1, &["validate", "none.csv"]);
    lab.report(0, &["validate", "users.csv", "--max-rejects", "0", "--limit", "1"]);
}

/// A rate that is no limit cuts no bodies either.
#[test]
fn bodies_are_cut_at_the_rates_and_not_where_they_are_unlimited() {
    let lab = Lab::new();
    let rows: String = (0..1_100).map(|n| format!("user-{n}\n")).collect();
    lab.write("users.csv", format!("customer_id\n{rows}"));
    let bodies = |args: &[&str]| {
        let report = lab.report(0, &[["validate", "users.csv"].as_slice(), args].concat());
        assert!(report["bodies"]["bytes_max"].as_u64() <= Some(100_000));
        report["bodies"]["count"].clone()
    };
    assert_eq!(bodies(&[]), 2, "at 1000 users");
    assert_eq!(bodies(&UNLIMITED), 1);
    assert_eq!(bodies(&["--users-per-minute", "500"]), 3);
    assert_eq!(bodies(&[UNLIMITED.as_slice(), &["--cut-users", "500"]].concat()), 3);
}
