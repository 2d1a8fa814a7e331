//! Inputs by name and content, and the files that a run leaves.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    missing,
    support::{Lab, UNLIMITED},
};

const USERS: &str = "customer_id,city\nuser-1,Oslo\nuser-2,Rome\n";

/// Names below a directory, sorted.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The one name that begins with a stem, without it.
fn behind(names: &[String], stem: &str) -> String {
    let found: Vec<_> = names.iter().filter_map(|name| name.strip_prefix(stem)).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    found[0].to_owned()
}

fn is_hash(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn default_directories_are_named_for_input_and_destination() {
    let lab = Lab::new();
    lab.write("nightly users.csv", USERS);
    assert_eq!(lab.run(&["validate", "nightly users.csv"]).code, 0);
    let checked = behind(&names(&lab.path("moebulk-runs")), "nightly users-");
    assert!(is_hash(checked.strip_suffix("-check").expect("a check")), "{checked}");
    assert_eq!(lab.run(&["pack", "nightly users.csv", "--out", "/dev/null"]).code, 0);
    assert_eq!(names(&lab.path("moebulk-runs")).len(), 1, "pack checks in the same place");

    let sandbox = ["import", "nightly users.csv", "--sandbox", "--progress", "off"];
    for runs in 1..=2 {
        assert_eq!(lab.run(&sandbox).code, 0);
        let all = names(&lab.path("moebulk-runs"));
        let name = all.iter().find(|name| name.ends_with("-sandbox")).expect("its directory");
        let run_dirs = names(&lab.path("moebulk-runs").join(name));
        assert_eq!(run_dirs.len(), runs, "a fresh directory each time: {run_dirs:?}");
    }
    assert!(!lab.path("state").exists(), "an emulator's log stays with its run");
}

#[test]
fn a_run_leaves_private_files_and_a_validate_no_checkpoint() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,n\nuser-1,1\nnull,2\nuser-3,3,4\n");
    let args = ["validate", "users.csv", "--run-dir", "run"];
    assert_eq!(lab.run(&args).code, 1);
    let left = [
        ".rejects",
        "damaged.txt",
        "lock",
        "rejects.csv",
        "report.html",
        "report.json",
        "resolved-mapping.toml",
    ];
    assert_eq!(names(&lab.path("run")), left);
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&lab.path("run")), 0o700);
    for name in left {
        assert_eq!(mode(&lab.path("run").join(name)), 0o600, "{name}");
    }
    // Mended, nothing of the old rejects stays.
    lab.write("users.csv", USERS);
    assert_eq!(lab.run(&args).code, 0);
    assert_eq!(
        names(&lab.path("run")),
        ["lock", "report.html", "report.json", "resolved-mapping.toml"]
    );
}

#[test]
fn inputs_are_found_by_name_content_and_place() {
    let lab = Lab::new();
    lab.copy_samples();
    fs::copy(lab.path("customers.parquet"), lab.path("export")).expect("a copy");
    lab.write("part", USERS);
    lab.write("day/b.csv", USERS);
    lab.write("day/a.tsv", "customer_id\tcity\nuser-3\tLima\n");
    lab.write("day/_SUCCESS", "");
    lab.write("day/notes.txt", "no input");
    let inputs = |args: &[&str]| -> Vec<(String, u64)> {
        let report = lab.report(0, &[&["validate"], args].concat());
        let inputs = report["inputs"].as_array().expect("inputs");
        let one = |input: &serde_json::Value| {
            let path = input["path"].as_str().expect("a path").to_owned();
            (path, input["rows"].as_u64().expect("rows"))
        };
        inputs.iter().map(one).collect()
    };
    let parquet_rows = inputs(&["customers.parquet"])[0].1;
    assert!(parquet_rows > 2);
    let both = [("export".to_owned(), parquet_rows), ("part".to_owned(), 2)];
    assert_eq!(inputs(&["export", "part"]), both, "told by content, in the order given");
    let by_name = [("day/a.tsv".to_owned(), 1), ("day/b.csv".to_owned(), 2)];
    assert_eq!(inputs(&["day"]), by_name);
    assert_eq!(inputs(&["day/*.?sv"]), by_name);
}

#[test]
fn a_finished_run_of_other_content_is_kept_under_the_time() {
    let lab = Lab::new();
    let sandbox = crate::support::Sandbox::start(&lab);
    let import = || {
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--run-dir", "run"];
        lab.run(&[["import", "users.csv"].as_slice(), &to, &UNLIMITED].concat()).code
    };
    lab.write("users.csv", USERS);
    assert_eq!(import(), 0);
    lab.write("users.csv", "customer_id,city\nuser-1,Lima\n");
    assert_eq!(import(), 0);
    let done = names(&lab.path("run/done"));
    assert_eq!(done.len(), 1);
    let stamp = done[0].as_bytes();
    let is_stamp = stamp.len() == 16 && stamp[8] == b'T' && stamp[15] == b'Z';
    assert!(is_stamp, "{done:?} is no UTC time");
    let kept = names(&lab.path("run/done").join(&done[0]));
    assert_eq!(kept, ["checkpoint", "report.html", "report.json", "resolved-mapping.toml"]);
    assert_eq!(sandbox.records().len(), 3);
}

/// `pack --out` with whatever stands at that name; the report goes to a file or to a pipe.
fn pack_to(lab: &Lab, out: &str, stdout: Stdio) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .args(["pack", "users.csv", "--run-dir", "run", "--out", out])
        .current_dir(lab.path("."))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("the binary runs")
}

#[test]
fn an_out_that_is_no_regular_file_is_written_to_and_stays() {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
    let lab = Lab::new();
    lab.write("users.csv", USERS);
    assert!(pack_to(&lab, "plain", Stdio::null()).status.success());
    let bodies = lab.read("plain");
    assert!(bodies.starts_with(br#"{"type":"transition""#) && bodies.ends_with(b"}\n"));
    let mode = fs::metadata(lab.path("plain")).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "bodies hold personal data");

    // A named pipe.
    let made = Command::new("mkfifo").arg(lab.path("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    let pipe = lab.path("pipe");
    let before = fs::metadata(&pipe).expect("metadata").ino();
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).expect("the bodies")
    });
    assert!(pack_to(&lab, "pipe", Stdio::null()).status.success());
    assert!(reader.join().expect("a reader") == bodies);
    let after = fs::symlink_metadata(&pipe).expect("metadata");
    assert!(after.file_type().is_fifo() && after.ino() == before, "the pipe was replaced");

    // A link to a file: the link stays, and the file holds the bodies.
    lab.write("elsewhere/file", "old");
    symlink("elsewhere/file", lab.path("link")).expect("a link");
    assert!(pack_to(&lab, "link", Stdio::null()).status.success());
    assert_eq!(fs::read_link(lab.path("link")).expect("a link"), Path::new("elsewhere/file"));
    assert!(lab.read("elsewhere/file") == bodies);
    assert_eq!(names(&lab.path("elsewhere")), ["file"]);

    // A link to stdout, as `/dev/stdout` is one: bodies alone, in a file and in a pipe.
    symlink("/proc/self/fd/1", lab.path("stdout")).expect("a link");
    if !lab.path("stdout").exists() {
        missing::skip("a link to stdout", "there is no /proc to link to");
        return;
    }
    let file = File::create(lab.path("redirected")).expect("a file");
    let to_file = pack_to(&lab, "stdout", file.into());
    let to_pipe = pack_to(&lab, "stdout", Stdio::piped());
    for ran in [&to_file, &to_pipe] {
        assert!(ran.status.success());
        assert!(String::from_utf8_lossy(&ran.stderr).contains("2 read = 2 accepted"));
    }
    assert!(lab.read("redirected") == bodies);
    assert!(to_pipe.stdout == bodies);
    assert_eq!(fs::read_link(lab.path("stdout")).expect("a link"), Path::new("/proc/self/fd/1"));
}

#[test]
fn a_pack_that_is_stopped_leaves_what_was_there() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nnull,Rome\n");
    lab.write("bodies.partial", "mine");
    let pack = |more: &[&str]| {
        let args = ["pack", "users.csv", "--run-dir", "run", "--out", "bodies"];
        lab.run(&[args.as_slice(), more].concat()).code
    };
    // What the runs of this test said is kept there too.
    let is_ours = |name: &String| !name.starts_with(".out-") && !name.starts_with(".err-");
    let left = || names(&lab.path(".")).into_iter().filter(is_ours).collect::<Vec<_>>();
    assert_eq!(pack(&["--max-rejects", "0"]), 5);
    assert_eq!(left(), ["bodies.partial", "run", "users.csv"]);
    assert_eq!(pack(&["--max-rejects", "1"]), 1, "rejects within the limit");
    let bodies = lab.read("bodies");
    assert!(bodies.starts_with(br#"{"type":"transition""#) && bodies.ends_with(b"}\n"));

    lab.write("users.csv", "customer_id,city\nuser-2,Lima\nnull,Rome\nuser-3,Bonn\n");
    assert_eq!(pack(&["--max-rejects", "0"]), 5);
    assert_eq!(pack(&["--users-per-minute", "1", "--cut-users", "9"]), 2);
    let mut process = lab
        .command()
        .args(["pack", "-", "--run-dir", "spooled", "--out", "bodies"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let working = || names(&lab.path(".")).into_iter().find(|name| name.starts_with(".moebulk-"));
    let start = Instant::now();
    while working().is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "no file was begun");
        thread::sleep(Duration::from_millis(5));
    }
    let mode = fs::metadata(lab.path(&working().expect("a file"))).expect("metadata");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600, "bodies hold personal data");
    let kill = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    assert_eq!(process.wait().expect("an end").code(), Some(143));

    assert!(lab.read("bodies") == bodies, "what was there is as it was");
    assert_eq!(lab.read("bodies.partial"), b"mine");
    assert_eq!(left(), ["bodies", "bodies.partial", "run", "spooled", "users.csv"]);
}

/// Mapping, kind, options and `--restart`, each on a finished run; none blocks the next.
#[test]
fn a_finished_run_steps_aside_for_whatever_differs() {
    let lab = Lab::new();
    lab.write("users.csv", USERS);
    lab.write("map.toml", "[columns]\ncustomer_id = {}\ncity = { attribute = \"town\" }\n");
    let sandbox = crate::support::Sandbox::start(&lab);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--run-dir", "run"];
    let import = |more: &[&str]| {
        let ran = lab.run(&[["import", "users.csv"].as_slice(), &to, &UNLIMITED, more].concat());
        assert_eq!(ran.code, 0, "{more:?}: {}", ran.stderr);
        ran.stderr
    };
    import(&[]);
    assert!(import(&[]).contains("nothing was sent"));
    assert_eq!(sandbox.records().len(), 2);
    let others: [&[&str]; 5] = [
        &["--strict"],
        &["--mapping", "map.toml"],
        &["--kind", "events", "--event", "Buy"],
        &["--limit", "1"],
        &["--limit", "1", "--restart"],
    ];
    let mut elements = 2;
    for (at, more) in others.into_iter().enumerate() {
        import(more);
        assert_eq!(names(&lab.path("run/done")).len(), at + 1, "{more:?}");
        elements += if more[0] == "--limit" { 1 } else { 2 };
        assert_eq!(sandbox.records().len(), elements, "{more:?}");
    }
}

/// Paths, kind and destination make the name; the same command finds its directory again.
#[test]
fn the_default_directory_tells_paths_kinds_and_destinations_apart() {
    let lab = Lab::new();
    for name in ["users.csv", "day/users.csv"] {
        lab.write(name, "customer_id,action\nuser-1,Buy\n");
    }
    let runs = || names(&lab.path("moebulk-runs")).len();
    let checks: [&[&str]; 4] = [
        &["users.csv"],
        &["day/users.csv"],
        &["users.csv", "day/users.csv"],
        &["users.csv", "--kind", "events"],
    ];
    for (at, args) in checks.into_iter().enumerate() {
        for _ in 0..2 {
            let ran = lab.run(&[["validate"].as_slice(), args].concat());
            assert_eq!((ran.code, runs()), (0, at + 1), "{args:?}: {}", ran.stderr);
        }
    }
    let sandbox = crate::support::Sandbox::start(&lab);
    let local = sandbox.url.replace("127.0.0.1", "localhost");
    for (url, more) in [(&sandbox.url, 1), (&sandbox.url, 1), (&local, 2)] {
        let to = ["import", "users.csv", "--endpoint", url, "--app-id", "SANDBOX"];
        let ran = lab.run(&[to.as_slice(), &UNLIMITED].concat());
        assert_eq!((ran.code, runs()), (0, checks.len() + more), "{url}: {}", ran.stderr);
    }
}

/// `$XDG_STATE_HOME`, else below the home; never a relative path, which would differ by the
/// directory in which an import is started.
#[test]
fn the_sliding_log_is_kept_in_the_state_directory() {
    let lab = Lab::new();
    lab.write("users.csv", USERS);
    let sandbox = crate::support::Sandbox::start(&lab);
    let import = |variables: &[(&str, &Path)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moebulk"));
        command
            .args(["import", "users.csv", "--endpoint", &sandbox.url, "--app-id", "SANDBOX"])
            .args(["--run-dir", "run", "--restart"])
            .current_dir(lab.path("."))
            .env_clear()
            .env("MOENGAGE_DATA_API_KEY", "sandbox-key")
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
        command.output().expect("the binary runs")
    };
    let (home, state) = (lab.path("home"), lab.path("state"));
    let kept = |base: &Path| {
        let all = if base.exists() { names(&base.join("moebulk")) } else { Vec::new() };
        all.iter().filter(|name| name.ends_with(".rates")).count()
    };
    let below_home = home.join(".local/state");
    assert!(import(&[("XDG_STATE_HOME", &state), ("HOME", &home)]).status.success());
    assert_eq!((kept(&state), kept(&below_home)), (1, 0));
    assert!(import(&[("XDG_STATE_HOME", Path::new("relative")), ("HOME", &home)]).status.success());
    assert_eq!((kept(&state), kept(&below_home)), (1, 1));
    assert!(!lab.path("relative").exists());
    let nowhere = import(&[]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("XDG_STATE_HOME"));
}

#[test]
fn pack_replaces_no_input_and_no_mapping() {
    let lab = Lab::new();
    lab.write("users.csv", USERS);
    let mapping = "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\n";
    lab.write("m.toml", mapping);
    let out = |out: &str, code: i32| {
        let ran = lab.run(&["pack", "users.csv", "--mapping", "m.toml", "--out", out]);
        assert_eq!(ran.code, code, "{out}: {}", ran.stderr);
        assert_eq!(lab.read("users.csv"), USERS.as_bytes(), "{out}");
        assert_eq!(lab.read("m.toml"), mapping.as_bytes(), "{out}");
    };
    out("users.csv", 2);
    out("./users.csv", 2);
    out("m.toml", 2);
    out("bodies", 0);
    out("bodies", 0);
}

#[test]
fn a_dry_run_leaves_an_imports_directory_alone() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nguest,Rome\n");
    lab.write("other.csv", USERS);
    let import = ["import", "users.csv", "--sandbox", "--run-dir", "run"];
    assert_eq!(lab.run(&import).code, 1);
    let files = ["report.json", "rejects.csv", "resolved-mapping.toml", "checkpoint"];
    let before = files.map(|file| lab.read(&format!("run/{file}")));
    for args in [&["validate"][..], &["pack", "--out", "bodies"]] {
        let ran = lab.run(&[args, &["other.csv", "--run-dir", "run"]].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("--run-dir run"), "{}", ran.stderr);
    }
    assert_eq!(files.map(|file| lab.read(&format!("run/{file}"))), before);
}
