//! What keeps a run's files from doing harm: formulas, links, directories of others.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Json, Lab, raw_elements};

const MAPPING: &str = "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\n\
    n = { type = \"double\" }\nnote = {}\n\"=head\" = { attribute = \"head\" }\n";

#[test]
fn guarded_rejects_run_no_formula_and_lose_nothing() {
    let lab = Lab::new();
    lab.write("m.toml", MAPPING);
    // Every row is rejected for its `n`; the notes are what a spreadsheet would run, and what
    // only looks like it.
    let notes = ["=cmd|' /C calc'!A0", "'=quoted", "+1-2", "-5", "@SUM(1)", "plain, 'x", "''-5"];
    let rows = notes.iter().enumerate().map(|(i, note)| format!("user-{i},x,\"{note}\",-{i}\n"));
    lab.write("users.csv", "customer_id,n,note,=head\n".to_owned() + &rows.collect::<String>());
    let validate = ["validate", "users.csv", "--mapping", "m.toml", "--run-dir"];
    assert_eq!(lab.run(&[&validate[..], &["plain"]].concat()).code, 1);
    assert_eq!(lab.run(&[&validate[..], &["safe", "--rejects-safe"]].concat()).code, 1);

    let cells = |run: &str| -> Vec<Vec<String>> {
        let bytes = lab.read(&format!("{run}/rejects.csv"));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let written: Vec<String> = cells("plain")[1..].iter().map(|row| row[2].clone()).collect();
    assert_eq!(written, notes, "without the flag rows are as they came");
    let safe = cells("safe");
    assert_eq!(safe[0][..5], ["customer_id", "n", "note", "'=head", "_moebulk_safe"]);
    for cell in safe.iter().flatten() {
        let is_number = cell.parse::<f64>().is_ok();
        let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(is_number || !begins, "a spreadsheet would run {cell}");
    }

    // Mended in the guarded file, the rows are sent with the values of the first file.
    let text = String::from_utf8(lab.read("safe/rejects.csv")).unwrap();
    lab.write("mended.csv", text.replace(",x,", ",7,"));
    let args = ["pack", "mended.csv", "--mapping", "m.toml", "--out", "bodies"];
    assert_eq!(lab.run(&args).code, 0);
    let bodies = String::from_utf8(lab.read("bodies")).unwrap();
    let elements = bodies.lines().flat_map(raw_elements).map(|raw| Json::parse(raw.as_bytes()));
    let sent: Vec<Json> =
        elements.map(|element| element.get("attributes").get("note").clone()).collect();
    assert_eq!(sent, notes.map(Json::text));

    // A rejects file of a guarded one is as the first file was, unless it is guarded again.
    let again = ["validate", "safe/rejects.csv", "--mapping", "m.toml", "--run-dir"];
    assert_eq!(lab.run(&[&again[..], &["plain-again"]].concat()).code, 1);
    let written: Vec<String> = cells("plain-again")[1..].iter().map(|row| row[2].clone()).collect();
    assert_eq!(written, notes);
}

#[test]
fn no_file_of_a_run_is_written_through_a_link() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\nuser-1\nnull\n");
    lab.write("theirs", "theirs");
    fs::create_dir(lab.path("run")).unwrap();
    let names = [
        "checkpoint",
        "lock",
        "report.html",
        "report.json",
        "rejects.csv",
        "resolved-mapping.toml",
    ];
    for name in names {
        symlink(lab.path("theirs"), lab.path("run").join(name)).unwrap();
    }
    let ran = lab.run(&["import", "users.csv", "--sandbox", "--run-dir", "run"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("run/lock"), "{}", ran.stderr);
    fs::remove_file(lab.path("run/lock")).unwrap();
    let ran = lab.run(&["validate", "users.csv", "--run-dir", "run"]);
    assert_eq!(ran.code, 2, "a link in the checkpoint's place: {}", ran.stderr);
    fs::remove_file(lab.path("run/checkpoint")).unwrap();
    assert_eq!(lab.run(&["validate", "users.csv", "--run-dir", "run"]).code, 1);
    for name in &names[2..] {
        let found = fs::symlink_metadata(lab.path("run").join(name)).unwrap();
        assert!(found.is_file(), "{name} is a file of its own by now");
    }
    assert_eq!(lab.read("theirs"), b"theirs");

    symlink(lab.path("run"), lab.path("link")).unwrap();
    let ran = lab.run(&["validate", "users.csv", "--run-dir", "link"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("link: it is a symbolic link"), "{}", ran.stderr);
}

#[test]
fn an_empty_directory_becomes_private() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\nuser-1\n");
    fs::create_dir(lab.path("run")).unwrap();
    fs::set_permissions(lab.path("run"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(lab.run(&["validate", "users.csv", "--run-dir", "run"]).code, 0);
    assert_eq!(fs::metadata(lab.path("run")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_run_replaces_no_input_of_its_own() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\nuser-1\nnull\n");
    let import = ["--sandbox", "--run-dir", "run", "--progress", "off"];
    assert_eq!(lab.run(&[&["import", "users.csv"][..], &import].concat()).code, 1);
    let before = lab.read("run/rejects.csv");
    for command in ["import", "validate"] {
        let flags = if command == "import" { &import[..] } else { &import[1..] };
        let ran = lab.run(&[&[command, "run/rejects.csv"][..], flags].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("run/rejects.csv stands in the run directory run"));
        assert_eq!(lab.read("run/rejects.csv"), before);
    }
}

#[test]
fn a_proxy_is_used_unless_it_is_told_not_to_be() {
    let lab = Lab::new();
    for (flag, asked) in [(None, true), (Some("--no-proxy"), false)] {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = proxy.local_addr().unwrap();
        let asks = thread::spawn(move || {
            proxy.set_nonblocking(true).unwrap();
            let until = Instant::now() + Duration::from_secs(if asked { 60 } else { 3 });
            while Instant::now() < until {
                if let Ok((mut stream, _)) = proxy.accept() {
                    stream.set_nonblocking(false).unwrap();
                    let mut line = [0; 27];
                    stream.read_exact(&mut line).unwrap();
                    return Some(String::from_utf8_lossy(&line).into_owned());
                }
                thread::sleep(Duration::from_millis(5));
            }
            None
        });
        // A name that no server can ever have (RFC 6761).
        let ended = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .args(["check", "--endpoint", "https://moebulk.invalid", "--app-id", "APP"])
            .args(flag)
            .env("MOENGAGE_DATA_API_KEY", "k")
            .env("HTTPS_PROXY", format!("http://{address}"))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .stdin(Stdio::null())
            .current_dir(lab.path("."))
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(3));
        let line = asks.join().unwrap();
        let expected = asked.then(|| "CONNECT moebulk.invalid:443".to_owned());
        assert_eq!(line, expected, "{flag:?}");
    }
}
