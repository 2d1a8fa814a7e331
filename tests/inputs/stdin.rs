//! The standard input.

use std::{
    fs::{self, File},
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    gzip, has_spool, packed,
    support::{Lab, Ran, Sandbox, UNLIMITED},
    tree, users, zstd,
};

fn fed(lab: &Lab, args: &[&str], bytes: &[u8]) -> Ran {
    lab.write("in", bytes);
    lab.run_with(args, Stdio::from(File::open(lab.path("in")).expect("a file")), &[])
}

/// What a shell makes of `<(…)` was "No such file or directory".
#[test]
#[cfg(target_os = "linux")]
fn a_pipe_with_a_name_is_refused_with_what_to_do() {
    let lab = Lab::new();
    let made = Command::new("mkfifo").arg(lab.path("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    for (input, command) in
        [("/dev/stdin", "validate"), ("/proc/self/fd/0", "init"), ("pipe", "validate")]
    {
        let refused = lab.run_with(&[command, input], Stdio::piped(), &[]);
        assert_eq!(refused.code, 4, "{input}: {}", refused.stderr);
        let says = format!(
            "moebulk: {input}: not a regular file; inputs are read more than once, so save the data to a \
             file first, or pipe it in and name it `-`\n"
        );
        assert_eq!(refused.stderr, says);
    }
}

#[test]
fn the_same_bodies_as_of_a_file_plain_or_compressed() {
    let lab = Lab::new();
    let text = users(0, 5_000);
    lab.write("users.csv", &text);
    lab.write("other.csv", users(7_000, 10));
    let plain = packed(&lab, &["users.csv", "other.csv"]);
    for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
        let args = ["pack", "-", "other.csv", "--out", "bodies", "--progress", "off"];
        let ran = fed(&lab, &[args.as_slice(), &UNLIMITED].concat(), &bytes);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(lab.read("bodies") == plain);
    }
    let runs = tree(&lab.path("moebulk-runs"));
    assert!(runs.iter().any(|name| name.starts_with("stdin-")), "{runs:?}");
    assert!(runs.iter().all(|name| !name.contains("spool")), "{runs:?}");
    let twice = fed(&lab, &["validate", "-", "-"], text.as_bytes());
    assert_eq!(twice.code, 2, "{}", twice.stderr);
    assert!(twice.stderr.contains("named twice"), "{}", twice.stderr);
}

#[test]
fn it_is_called_stdin_in_reports_and_rejects() {
    let lab = Lab::new();
    let args = ["validate", "-", "--run-dir", "run", "--progress", "off"];
    let ran = fed(&lab, &args, b"customer_id,city\nnull,Rome\nuser-1,Oslo\n");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let rejects = String::from_utf8(lab.read("run/rejects.csv")).expect("UTF-8");
    assert!(rejects.contains("stdin,1,2"), "{rejects}");
    assert!(String::from_utf8(ran.stdout).expect("UTF-8").contains("stdin:2"));
    let ran = fed(&lab, &["validate", "-", "--progress", "off"], b"");
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("stdin: ") && ran.stderr.contains("empty"), "{}", ran.stderr);
    assert_eq!(fed(&lab, &["init", "-", "--out", "-"], b"customer_id\nuser-1\n").code, 0);
}

/// An import from stdin, stopped by its server after the first body.
struct Stopped {
    lab: Lab,
    sandbox: Sandbox,
    text: String,
    run_dir: &'static str,
}

impl Stopped {
    fn new() -> Self {
        Self::within("run")
    }

    fn within(run_dir: &'static str) -> Self {
        let lab = Lab::new();
        let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
        let stopped = Self { lab, sandbox, text: users(0, 2_000), run_dir };
        let ran = stopped.import(&["-"], stopped.text.as_bytes());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert_eq!(tree(&stopped.lab.path(run_dir).join("spool")), ["stdin", "stdin.json"]);
        assert!(ran.stderr.contains("stopped") || !ran.stdout.is_empty());
        stopped
    }

    fn import(&self, inputs: &[&str], bytes: &[u8]) -> Ran {
        let run_dir = format!("--run-dir={}", self.run_dir);
        let to = ["--endpoint", &self.sandbox.url, "--app-id", "SANDBOX", &run_dir];
        let own = ["--connections", "1", "--progress", "off"];
        fed(&self.lab, &[["import"].as_slice(), inputs, &to, &own, &UNLIMITED].concat(), bytes)
    }

    fn is_complete(&self) {
        assert_eq!(self.sandbox.records().len(), 2_000);
        assert!(!has_spool(&self.lab, self.run_dir));
    }
}

#[test]
fn a_resume_reads_what_was_kept_and_not_stdin() {
    let stopped = Stopped::new();
    let ran = stopped.import(&[], b"this is not read");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
    // What is complete is not read once more.
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("is complete already"), "{}", ran.stderr);
}

#[test]
fn the_very_same_command_goes_on_with_the_same_data_alone() {
    let stopped = Stopped::new();
    let kept = stopped.lab.read("run/spool/stdin");
    let ran = stopped.import(&["-"], users(5, 2_000).as_bytes());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("not what it was"), "{}", ran.stderr);
    assert!(ran.stderr.contains("moebulk import --run-dir run"), "{}", ran.stderr);
    assert!(stopped.lab.read("run/spool/stdin") == kept, "the old one stays");
    assert_eq!(tree(&stopped.lab.path("run/spool")), ["stdin", "stdin.json"]);
    // Compressed or not, it is the same.
    let ran = stopped.import(&["-"], &gzip(stopped.text.as_bytes()));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}

#[test]
fn the_commands_that_are_named_can_be_typed_as_they_stand() {
    let stopped = Stopped::within("-it's mine");
    let ran = stopped.import(&["-"], users(5, 2_000).as_bytes());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let typed = r"`moebulk import --run-dir './-it'\''s mine'`";
    assert!(ran.stderr.contains(typed), "{}", ran.stderr);
    fs::write(stopped.lab.path("-it's mine/spool/stdin"), "customer_id\n").expect("written");
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let typed = r"`moebulk import - --run-dir './-it'\''s mine'`";
    assert!(ran.stderr.contains(typed), "{}", ran.stderr);
}

#[test]
fn without_its_spool_the_same_data_has_to_be_given_again() {
    let stopped = Stopped::new();
    fs::write(stopped.lab.path("run/spool/stdin"), "customer_id\nedited\n").expect("written");
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("no longer in run/spool"), "{}", ran.stderr);
    assert!(ran.stderr.contains("moebulk import - --run-dir run"), "{}", ran.stderr);
    let ran = stopped.import(&["-"], stopped.text.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}

#[test]
fn a_pipe_in_which_nothing_comes_can_be_interrupted() {
    let lab = Lab::new();
    let mut child = lab
        .command()
        .args(["validate", "-", "--run-dir", "run", "--progress", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(lab.path("err")).expect("a file"))
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(b"customer_id\nuser-1\n").expect("written");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !String::from_utf8_lossy(&lab.read("err")).contains("unpacking") {
        assert!(Instant::now() < deadline, "it says what it does");
        thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        assert!(Instant::now() < deadline, "it stops while the pipe is open");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130));
    assert!(!has_spool(&lab, "run"));
    drop(pipe);
}

/// Waits until the spool of `run` holds these files.
fn wait_for_spool(lab: &Lab, files: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while tree(&lab.path("run/spool")) != files {
        assert!(Instant::now() < deadline, "{:?}", tree(&lab.path("run")));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_check_of_other_inputs_leaves_the_spool_of_a_running_import_alone() {
    let lab = Lab::new();
    let sandbox = Sandbox::start_with(&lab, &[]);
    let text = users(0, 2_000);
    lab.write("plain.csv", users(0, 3));
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--run-dir", "run"];
    let mut import = lab
        .command()
        .args([["import", "-", "--progress", "off"].as_slice(), &to, &UNLIMITED].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut pipe = import.stdin.take().expect("a pipe");
    let (first, rest) = text.as_bytes().split_at(text.len() / 2);
    pipe.write_all(first).expect("written");
    wait_for_spool(&lab, &["stdin.partial"]);
    for command in [["validate"].as_slice(), &["pack", "--out", "bodies"]] {
        let own = ["plain.csv", "--run-dir", "run", "--progress", "off"];
        let ran = lab.run(&[command, &own, &UNLIMITED].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("another import"), "{}", ran.stderr);
        assert_eq!(tree(&lab.path("run/spool")), ["stdin.partial"], "{command:?}");
    }
    pipe.write_all(rest).expect("written");
    drop(pipe);
    assert_eq!(import.wait().expect("a status").code(), Some(0));
    assert_eq!(sandbox.records().len(), 2_000);
    assert!(!has_spool(&lab, "run"));
}

#[test]
fn what_a_killed_check_left_goes_with_the_next_one() {
    let lab = Lab::new();
    lab.write("plain.csv", users(0, 3));
    lab.write("run/spool/stdin.partial", "customer_id\n");
    let ran = lab.run(&["validate", "plain.csv", "--run-dir", "run", "--progress", "off"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!has_spool(&lab, "run"));
}

#[test]
fn what_came_in_is_kept_where_the_checkpoint_cannot_be_read() {
    let stopped = Stopped::new();
    let lab = &stopped.lab;
    let checkpoint = lab.path("run/checkpoint");
    let (was, kept) = (fs::read(&checkpoint).expect("a checkpoint"), lab.read("run/spool/stdin"));
    fs::write(&checkpoint, "no checkpoint\n").expect("written");
    for inputs in [["-"].as_slice(), &["plain.csv"]] {
        lab.write("plain.csv", users(0, 3));
        let ran = stopped.import(inputs, stopped.text.as_bytes());
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains("damaged in line 1"), "{}", ran.stderr);
        assert_eq!(tree(&lab.path("run/spool")), ["stdin", "stdin.json"], "{inputs:?}");
        assert!(lab.read("run/spool/stdin") == kept, "{inputs:?}");
    }
    fs::write(&checkpoint, was).expect("restored");
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}

#[test]
fn other_data_takes_the_place_of_what_was_kept_where_that_is_given_up() {
    let stopped = Stopped::new();
    for checkpoint in [None, Some("no checkpoint\n")] {
        if let Some(text) = checkpoint {
            fs::write(stopped.lab.path("run/checkpoint"), text).expect("written");
        }
        let ran = stopped.import(&["-", "--restart"], users(5_000, 10).as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!has_spool(&stopped.lab, "run"));
    }
}

#[test]
fn a_restart_that_sends_nothing_leaves_what_was_kept() {
    let stopped = Stopped::new();
    let lab = &stopped.lab;
    let spool = || ["stdin", "stdin.json"].map(|name| lab.read(&format!("run/spool/{name}")));
    let before = spool();
    // Read no further than its header, and refused when all of it was checked.
    for (other, code) in [("city\nOslo\n", 2), ("customer_id\nnull\n", 5)] {
        let ran = stopped.import(&["-", "--restart", "--max-rejects", "0"], other.as_bytes());
        assert_eq!(ran.code, code, "{other}: {}", ran.stderr);
        assert_eq!(tree(&lab.path("run/spool")), ["stdin", "stdin.json"], "{other}");
        assert!(spool() == before, "{other}");
    }
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}

#[test]
fn a_restart_that_is_killed_before_it_sends_leaves_what_was_kept() {
    let stopped = Stopped::new();
    let lab = &stopped.lab;
    let mut restart = lab
        .command()
        .args(["import", "-", "--restart", "--run-dir", "run", "--progress", "off"])
        .args(["--endpoint", &stopped.sandbox.url, "--app-id", "SANDBOX"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut pipe = restart.stdin.take().expect("a pipe");
    pipe.write_all(b"customer_id\nuser-1\n").expect("written");
    wait_for_spool(lab, &["next/stdin.partial", "stdin", "stdin.json"]);
    restart.kill().expect("killed");
    restart.wait().expect("a status");
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}

#[test]
fn a_restart_that_is_stopped_goes_on_with_what_came_in_for_it() {
    let stopped = Stopped::new();
    let server = Sandbox::start_with(&stopped.lab, &["--answer", "403=Account Suspended:1@1"]);
    let other = users(5_000, 2_000);
    let stopped = Stopped { sandbox: server, text: other, ..stopped };
    let ran = stopped.import(&["-", "--restart"], stopped.text.as_bytes());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(tree(&stopped.lab.path("run/spool")), ["stdin", "stdin.json"]);
    assert!(stopped.lab.read("run/spool/stdin") == stopped.text.as_bytes());
    let ran = stopped.import(&[], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stopped.is_complete();
}
