//! The samples, several files, the file that is written, and what it may hold of the rows.

use std::path::Path;

use crate::{comment, init, pack, support::Lab};

/// Each sample, how it is packed without what `init` writes, and what it counts.
const SAMPLES: [(&str, &[&str]); 4] = [
    ("customers.csv", &[]),
    ("customers.parquet", &[]),
    ("events.csv", &["--kind", "events"]),
    ("devices.csv", &["--mapping", "devices-mapping.toml"]),
];

#[test]
fn the_untouched_mapping_of_a_sample_gives_the_expected_bodies() {
    for (sample, flags) in SAMPLES {
        let lab = Lab::new();
        lab.copy_samples();
        let (expected, bodies) = pack(&lab, &[&[sample], flags].concat());
        assert_eq!(expected.code, 0, "{sample}: {}", expected.stderr);
        assert!(!bodies.is_empty());
        let ran = lab.run(&["init", sample, "--format", "mapping"]);
        assert_eq!(ran.code, 0, "{sample}: {}", ran.stderr);
        let (found, ours) = pack(&lab, &[sample, "--mapping", "mapping.toml"]);
        assert_eq!(found.code, 0, "{sample}: {}", found.stderr);
        assert!(ours == bodies, "{sample}: other bodies");
        // The same mapping stands in the configuration, below [mapping].
        let whole: toml::Table = init(&lab, &[sample]).parse().expect("TOML");
        let alone: toml::Table =
            String::from_utf8(lab.read("mapping.toml")).expect("UTF-8").parse().expect("TOML");
        assert_eq!(whole["mapping"].as_table(), Some(&alone), "{sample}");
        let names: Vec<&str> = whole.keys().map(String::as_str).collect();
        assert_eq!(names, ["connection", "limits", "mapping"]);
        assert!(whole["connection"].as_table().is_some_and(toml::Table::is_empty));
    }
}

#[test]
fn moengages_own_mapping_gives_the_expected_bodies() {
    for (sample, flags) in &SAMPLES[..3] {
        let lab = Lab::new();
        lab.copy_samples();
        let (_, bodies) = pack(&lab, &[&[*sample], *flags].concat());
        let ran = lab.run(&["init", sample, "--format", "moengage"]);
        assert_eq!(ran.code, 0, "{sample}: {}", ran.stderr);
        let kind: &[&str] = if flags.is_empty() { &[] } else { flags };
        let (found, ours) = pack(&lab, &[&[*sample, "--mapping", "mapping.json"], kind].concat());
        assert_eq!(found.code, 0, "{sample}: {}", found.stderr);
        assert!(ours == bodies, "{sample}: other bodies");
    }
    let lab = Lab::new();
    lab.write(
        "in.csv",
        "customer_id,born,seen\nc-1,01/02/1990,13/02/2024\nc-2,03/04/1990,01/02/2024\n",
    );
    let json: serde_json::Value =
        serde_json::from_str(&init(&lab, &["in.csv", "--format", "moengage"])).expect("JSON");
    assert_eq!(
        json["mapping"][0],
        serde_json::json!({"column": "customer_id", "moe_attr": "uid", "type": "string", "is_skipped": false})
    );
    assert_eq!(
        json["mapping"][2],
        serde_json::json!({"column": "seen", "moe_attr": "seen", "type": "datetime",
            "datetime_format": "DD/MM/YYYY", "is_skipped": false})
    );
    lab.write("m.json", json.to_string());
    let (refused, _) = pack(&lab, &["in.csv", "--mapping", "m.json"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("column `born` has the date format `to be decided"));
}

/// The mapping as it is proposed gives dates; MoEngage's own has no such format, and gives text.
#[test]
fn times_as_databases_export_them_are_proposed_with_their_format() {
    let lab = Lab::new();
    lab.write(
        "in.csv",
        "customer_id,seen\nc-1,2024-01-02 03:04:05.25+00\nc-2,2024-01-02 03:04:05-08\n\
         c-3,2024-01-02 03:04:05 UTC\n",
    );
    let mapping = init(&lab, &["in.csv", "--format", "mapping"]);
    assert!(mapping.contains(r#"seen = { type = "datetime", format = "database" }"#), "{mapping}");
    assert!(!mapping.contains("no zone"), "every value names its zone: {mapping}");
    lab.write("m.toml", mapping);
    let (ran, bodies) = pack(&lab, &["in.csv", "--mapping", "m.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let bodies = String::from_utf8(bodies).expect("UTF-8");
    for sent in ["2024-01-02T03:04:05.250Z", "2024-01-02T11:04:05Z", "2024-01-02T03:04:05Z"] {
        assert!(bodies.contains(&format!("\"seen\":\"{sent}\"")), "{sent}: {bodies}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&init(&lab, &["in.csv", "--format", "moengage"])).expect("JSON");
    assert_eq!(
        json["mapping"][1],
        serde_json::json!({"column": "seen", "moe_attr": "seen", "type": "string", "is_skipped": false})
    );
}

#[test]
fn several_files_are_one_and_columns_that_one_lacks_are_optional() {
    let lab = Lab::new();
    lab.write("a.csv", "customer_id,age,city\nc-1,7,Berlin\n");
    lab.write("b.tsv", "city\tcustomer_id\tvip\nParis\tc-2\ttrue\n");
    let ran = lab.run(&["init", "a.csv", "b.tsv", "--format", "mapping", "--out", "m.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = String::from_utf8(lab.read("m.toml")).expect("UTF-8");
    assert!(text.contains("age = { type = \"double\", optional = true }"), "{text}");
    assert!(text.contains("vip = { type = \"bool\", optional = true }"), "{text}");
    assert!(text.contains("\ncity = {}\n"), "{text}");
    let (report, elements) = lab.pack(0, &["a.csv", "b.tsv", "--mapping", "m.toml"]);
    assert_eq!((report["rows"]["accepted"].as_u64(), elements.len()), (Some(2), 2));
    // The customer_id is what none may lack.
    lab.write("c.csv", "user_id,age\nc-3,9\n");
    let ran = lab.run(&["init", "a.csv", "c.csv", "--out", "-"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("c.csv: no column is named customer_id"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_there_is_never_replaced_without_force() {
    let lab = Lab::new();
    lab.copy_samples();
    for (flags, name) in [
        (&[][..], "moebulk.toml"),
        (&["--format", "mapping"], "mapping.toml"),
        (&["--format", "moengage"], "mapping.json"),
        (&["--out", "other.toml"], "other.toml"),
    ] {
        let args = [&["init", "customers.csv"], flags].concat();
        lab.write(name, "mine");
        lab.write(&format!("{name}.partial"), "mine too");
        let refused = lab.run(&args);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        let words = format!("{name} is there already, and is left as it is; --force replaces it");
        assert!(refused.stderr.contains(&words), "{}", refused.stderr);
        assert_eq!(lab.read(name), b"mine");
        let forced = lab.run(&[args.as_slice(), &["--force"]].concat());
        assert_eq!(forced.code, 0, "{}", forced.stderr);
        assert!(lab.read(name).len() > 1_000);
        assert_eq!(lab.read(&format!("{name}.partial")), b"mine too");
    }
    let before = lab.read("customers.csv");
    let ran = lab.run(&["init", "customers.csv", "--out", "customers.csv", "--force"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is an input, which would be replaced"), "{}", ran.stderr);
    assert_eq!(lab.read("customers.csv"), before);
    // What cannot be read leaves nothing.
    let ran = lab.run(&["init", "nowhere.csv", "--out", "new.toml"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(!lab.path("new.toml").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_forced_out_that_is_no_regular_file_is_written_to_and_stays() {
    use std::{
        fs::{self, File},
        io::Read,
        os::unix::fs::{FileTypeExt, symlink},
        path::Path,
        process::Command,
    };
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\n");
    let init = |out: &str| {
        let ran = lab.run(&["init", "users.csv", "--out", out, "--force"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    };
    init("plain.toml");
    let expected = lab.read("plain.toml");
    // Linux opens both ends at once, so that nobody waits for the other.
    let pipe = lab.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let mut end = File::options().read(true).write(true).open(&pipe).expect("a pipe");
    init("pipe");
    assert!(
        fs::symlink_metadata(&pipe).expect("metadata").file_type().is_fifo(),
        "it was replaced"
    );
    let mut found = vec![0; expected.len()];
    end.read_exact(&mut found).expect("what was written");
    assert!(found == expected);
    // As `pack` does it.
    lab.write("elsewhere/file", "old");
    symlink("elsewhere/file", lab.path("link")).expect("a link");
    init("link");
    assert_eq!(fs::read_link(lab.path("link")).expect("a link"), Path::new("elsewhere/file"));
    assert!(lab.read("elsewhere/file") == expected);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    lab.copy_samples();
    for force in [&[][..], &["--force"]] {
        let ran = lab.run(&[&["init", "customers.csv"], force].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mode =
            std::fs::metadata(lab.path("moebulk.toml")).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn examples_are_masked_unless_values_are_asked_for() {
    const CANARIES: [&str; 4] = ["Kwyjibo", "Zaphod", "Ünïcödé-77", "kwyjibo42@zaphod.example"];
    let lab = Lab::new();
    let mut csv = String::from("customer_id,first_name,city,email\n");
    for n in 0..20 {
        csv.push_str(&format!("Kwyjibo-{n:02},Zaphod,Ünïcödé-77,kwyjibo42@zaphod.example\n"));
    }
    lab.write("in.csv", csv);
    let log = ["in.csv", "--log-level", "trace"];
    for format in ["toml", "mapping", "moengage"] {
        let all = [log.as_slice(), &["--format", format, "--out", "-"]].concat();
        let ran = lab.run(&[&["init"], all.as_slice()].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
        for canary in CANARIES {
            assert!(!said.contains(canary), "{format}: {canary}: {said}");
        }
    }
    let text = init(&lab, &["in.csv"]);
    assert!(
        comment(&text, "customer_id").ends_with("such as Xxxxxxx-99 · Xxxxxxx-99 · Xxxxxxx-99")
    );
    assert!(comment(&text, "city").ends_with("such as Xxxxxxx-99"), "{text}");
    let shown = init(&lab, &["in.csv", "--show-values"]);
    assert!(
        comment(&shown, "customer_id").ends_with("such as Kwyjibo-00 · Kwyjibo-01 · Kwyjibo-02")
    );
    assert!(comment(&shown, "city").ends_with("such as Ünïcödé-77"), "{shown}");
}

#[test]
fn nothing_in_a_name_or_a_value_breaks_the_file() {
    let lab = Lab::new();
    lab.write(
        "in.csv",
        "customer_id,\"a\n[columns]\",\"q\"\"uote'\",x.y,\u{202e}rtl\nc-1,\"v\n[x]\n\u{202e}\",1,2,3\n",
    );
    let text = init(&lab, &["in.csv", "--format", "mapping", "--show-values"]);
    let mapping: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let names: Vec<&str> =
        mapping["columns"].as_table().expect("a table").keys().map(String::as_str).collect();
    assert_eq!(names, ["customer_id", "a\n[columns]", "q\"uote'", "x.y", "\u{202e}rtl"]);
    lab.write("m.toml", &text);
    let (report, _) = lab.pack(0, &["in.csv", "--mapping", "m.toml"]);
    assert_eq!(report["rows"]["accepted"], 1);
}

#[test]
fn a_file_has_so_many_columns_and_no_more() {
    let lab = Lab::new();
    for (columns, code) in [(4_096, 0), (4_097, 4)] {
        let names: Vec<String> = (1..columns).map(|n| format!("a{n}")).collect();
        let line = names.join(",");
        lab.write("wide.csv", format!("customer_id,{line}\nc-1,{line}\n"));
        let ran = lab.run(&["init", "wide.csv", "--out", "-", "--threads", "8"]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let is_named =
            ran.stderr.contains("there are 4097 columns, and init looks at 4096 at most");
        assert_eq!(is_named, code == 4, "{}", ran.stderr);
    }
}

#[test]
fn flags_of_the_reader_are_named_to_be_given_again() {
    let lab = Lab::new();
    lab.write("in.csv", b"junk\ncustomer_id|n\nc-1|M\xfcller\nc-2|?-?\nc-3|n/a\n");
    let flags = ["--delimiter", "|", "--encoding", "windows-1252", "--skip-lines", "1"];
    let args = [&["in.csv", "--format", "mapping", "--null-value", "?-?", "n/a"], flags.as_slice()]
        .concat();
    let text = init(&lab, &args);
    let said =
        "Read with --encoding windows-1252 --delimiter '|' --skip-lines 1; give the same flags";
    assert!(text.contains(said), "{text}");
    assert!(text.contains("\nnull = [\"?-?\", \"n/a\"]\n"), "{text}");
    let facts = comment(&text, "n");
    assert_eq!(facts, "string · 67 % empty · 1 distinct · 6 characters such as Xxxxxx", "{text}");
    lab.write("m.toml", &text);
    let (report, _) = lab.pack(0, &[&["in.csv", "--mapping", "m.toml"], flags.as_slice()].concat());
    assert_eq!(report["rows"]["accepted"], 3);
}

/// Types a command that is printed into a shell; its exit code.
fn typed(lab: &Lab, command: &str) -> i32 {
    let binary = Path::new(env!("CARGO_BIN_EXE_moebulk"));
    let directory = binary.parent().expect("a directory").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([directory].into_iter().chain(std::env::split_paths(&path)));
    let shell = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(lab.path(""))
        .env("PATH", path.expect("a path"))
        .env_remove("MOENGAGE_APP_ID")
        .output()
        .expect("a shell");
    shell.status.code().expect("an exit code")
}

/// It named the inputs alone, and so left out a file that is not found by itself.
#[test]
fn the_command_to_type_next_uses_the_file() {
    let dates = "customer_id,born\nc-1,01/02/1990\nc-2,03/04/1991\n";
    let [clear, open] = ["customer_id,city\nc-1,Ulm\nc-2,Bonn\n", dates];
    let bare = "customer_id,price\nc-1,7\n";
    let cases: [(&str, &[&str], &str); 11] = [
        (
            bare,
            &["--kind", "events", "--event=-x", "--format", "moengage", "--out=-m.json"],
            "next: moebulk validate in.csv --kind events --event=-x --mapping ./-m.json",
        ),
        (
            bare,
            &["--format", "moengage", "--null-value=-1", "--null-value", "-", "n/a"],
            "next: moebulk validate in.csv --mapping mapping.json --null-value=-1 --null-value - \
             --null-value n/a",
        ),
        (clear, &["--quote", "'"], r#"next: moebulk validate in.csv --quote "'""#),
        (
            "customer_id,price\nc-1,7\n",
            &["--kind", "events", "--event", "a buy", "--format", "moengage"],
            "next: moebulk validate in.csv --kind events --event 'a buy' --mapping mapping.json",
        ),
        (clear, &[], "next: moebulk validate in.csv"),
        (clear, &["--out", "./moebulk.toml"], "next: moebulk validate in.csv"),
        (clear, &["--out", "my.toml"], "next: moebulk validate in.csv --config my.toml"),
        (
            clear,
            &["--out", "sub/moebulk.toml"],
            "next: moebulk validate in.csv --config sub/moebulk.toml",
        ),
        (
            clear,
            &["--delimiter", ",", "--out", "my settings.toml"],
            "next: moebulk validate in.csv --delimiter ',' --config 'my settings.toml'",
        ),
        (open, &["--out", "my.toml"], "then: moebulk validate in.csv --config my.toml"),
        (clear, &["--format", "mapping"], "next: moebulk validate in.csv --mapping mapping.toml"),
    ];
    for (csv, flags, next) in cases {
        let lab = Lab::new();
        lab.write("in.csv", csv);
        lab.write("sub/other.csv", "");
        let ran = lab.run(&[&["init", "in.csv", "--progress", "off"], flags].concat());
        assert_eq!(ran.code, 0, "{flags:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().last(), Some(next), "{flags:?}");
        if let Some(command) = next.strip_prefix("next: ") {
            assert_eq!(typed(&lab, command), 0, "{command}");
        }
    }
    // A file that is found already is not the one that was written.
    let lab = Lab::new();
    lab.write("in.csv", clear);
    lab.write("moebulk.toml", "[rules]\nstrict = true\n");
    let ran = lab.run(&["init", "in.csv", "--progress", "off", "--out", "my.toml"]);
    let next = Some("next: moebulk validate in.csv --config my.toml");
    assert_eq!(ran.stderr.lines().last(), next);
    let ran = lab.run(&["validate", "in.csv", "--config", "my.toml", "--progress", "off"]);
    assert_eq!((ran.code, ran.stderr.lines().next()), (0, Some("settings: my.toml")));
}

#[test]
fn any_number_of_threads_writes_the_same() {
    let lab = Lab::new();
    lab.copy_samples();
    let mut csv = String::from("user_id,email,day,amount,\"no\nte\"\n");
    for n in 0..60_000 {
        let note = if n % 7 == 0 { "\"two\nlines, \"\"quoted\"\"\"" } else { "" };
        csv.push_str(&format!(
            "u-{n},a{}@b.co,{:02}/01/2020,{},{note}\n",
            n % 900,
            n % 31 + 1,
            n % 5_000
        ));
    }
    csv.insert_str(400, "broken\"quote,x\n");
    lab.write("large.csv", csv);
    for inputs in [&["large.csv"][..], &["customers.csv", "customers.parquet"]] {
        let one = init(&lab, &[inputs, &["--threads", "1"]].concat());
        for threads in ["2", "3", "8"] {
            let more = init(&lab, &[inputs, &["--threads", threads]].concat());
            assert!(more == one, "{threads} threads: {more}\n\none thread: {one}");
        }
    }
}
