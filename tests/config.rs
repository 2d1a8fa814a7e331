//! Settings from flags, environment, checkpoint and `moebulk.toml`, and which goes before which.

#[path = "common/support.rs"]
#[expect(dead_code, reason = "other suites need more of it")]
mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;
use support::{Lab, Sandbox, UNLIMITED};

const SECRET: &str = "very-secret-key";

/// What `config show` says in the lab, with an environment and flags.
fn shown(lab: &Lab, environment: &[(&str, &str)], flags: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .current_dir(lab.path(""))
        .env_clear()
        .envs(environment.iter().copied())
        .args(["config", "show", "--output", "json"])
        .args(flags)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(SECRET), "the key is shown");
    serde_json::from_str(&text).expect("JSON")
}

/// Value and origin of a setting.
fn setting(shown: &Value, table: &str, name: &str) -> (String, String) {
    let entry = &shown["settings"][table][name];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (text(&entry["value"]), text(&entry["origin"]))
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn flags_go_before_the_environment_before_the_file_before_the_defaults() {
    let lab = Lab::new();
    let app_id = |environment: &[(&str, &str)], flags: &[&str]| {
        setting(&shown(&lab, environment, flags), "connection", "app_id")
    };
    let environment = [("MOENGAGE_APP_ID", "ENV"), ("MOENGAGE_DATA_API_KEY", SECRET)];
    assert_eq!(app_id(&[], &[]), pair("-", "default"));
    assert_eq!(app_id(&environment, &[]), pair("ENV", "environment"));
    lab.write("moebulk.toml", "[connection]\napp_id = 'FILE'\ndata_center = '03'\n");
    assert_eq!(app_id(&[], &[]), pair("FILE", "file"));
    assert_eq!(app_id(&environment, &[]), pair("ENV", "environment"));
    assert_eq!(app_id(&environment, &["--app-id", "FLAG"]), pair("FLAG", "flag"));
    let all = shown(&lab, &environment, &[]);
    assert_eq!(all["file"], "moebulk.toml");
    assert_eq!(setting(&all, "connection", "key"), pair("set, not shown", "environment"));
    assert_eq!(setting(&all, "connection", "data_center"), pair("03", "file"));
    assert_eq!(setting(&all, "limits", "users_per_minute"), pair("1000", "default"));
    // Another destination by flag leaves out the file's.
    let other = shown(&lab, &[], &["--endpoint", "http://127.0.0.1:9"]);
    assert_eq!(setting(&other, "connection", "data_center"), pair("-", "default"));
    assert_eq!(setting(&other, "connection", "endpoint"), pair("http://127.0.0.1:9", "flag"));
    // A file that is named is the only one.
    lab.write("other.toml", "[limits]\nusers_per_minute = 'unlimited'\nmax_rejects = '5%'\n");
    let named = shown(&lab, &[], &["--config", "other.toml"]);
    assert_eq!(named["file"], "other.toml");
    assert_eq!(setting(&named, "connection", "app_id"), pair("-", "default"));
    assert_eq!(setting(&named, "limits", "users_per_minute"), pair("unlimited", "file"));
    assert_eq!(setting(&named, "limits", "max_rejects"), pair("5%", "file"));
}

/// The key of the environment goes before a file that another file names, but not before one that a
/// flag names; and what is shown is what is used.
#[test]
#[cfg(unix)]
fn the_environment_s_key_goes_before_the_file_s() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let lab = Lab::new();
    let sandbox = Sandbox::start(&lab);
    let settings = format!(
        "[connection]\nendpoint = '{}'\napp_id = 'SANDBOX'\napi_key_file = 'key'\n",
        sandbox.url
    );
    lab.write("moebulk.toml", settings);
    lab.write("key", SECRET);
    fs::set_permissions(lab.path("key"), fs::Permissions::from_mode(0o600)).expect("its mode");
    // The lab's environment has the emulator's key.
    assert_eq!(lab.run(&["check"]).code, 0);
    assert_eq!(lab.run(&["check", "--api-key-file", "key"]).code, 3);
    for (key, origin) in [(SECRET, "environment"), ("", "api_key_file")] {
        let all = shown(&lab, &[("MOENGAGE_DATA_API_KEY", key)], &[]);
        assert_eq!(setting(&all, "connection", "key"), pair("set, not shown", origin), "{key}");
    }
}

/// An empty `MOENGAGE_APP_ID` once went before the file's id, and an import had none.
#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let lab = Lab::new();
    let empty = [("MOENGAGE_APP_ID", ""), ("MOENGAGE_DATA_API_ID", "")];
    let ids = |environment: &[(&str, &str)]| {
        let all = shown(&lab, environment, &[]);
        ["app_id", "api_id"].map(|name| setting(&all, "connection", name))
    };
    assert_eq!(ids(&empty), [pair("-", "default"), pair("-", "default")]);
    lab.write("moebulk.toml", "[connection]\napp_id = 'SANDBOX'\napi_id = 'NAME'\n");
    assert_eq!(ids(&empty), [pair("SANDBOX", "file"), pair("NAME", "file")]);
    let set = [("MOENGAGE_APP_ID", "A"), ("MOENGAGE_DATA_API_ID", "B")];
    assert_eq!(ids(&set), [pair("A", "environment"), pair("B", "environment")]);

    // What is shown is what is used, by the emulator too.
    let sandbox = Sandbox::start(&lab);
    let settings = format!("[connection]\nendpoint = '{}'\napp_id = 'SANDBOX'\n", sandbox.url);
    lab.write("moebulk.toml", settings);
    let check = lab.run_with(&["check"], Stdio::null(), &empty);
    assert_eq!(check.code, 0, "{}", check.stderr);
    for command in [&["check", "--help"][..], &["sandbox", "--help"]] {
        let [with, without] = [&empty[..], &[]].map(|environment| {
            String::from_utf8(lab.run_with(command, Stdio::null(), environment).stdout)
                .expect("UTF-8")
        });
        let is_named = |help: &str| help.contains("[env: MOENGAGE_APP_ID]");
        assert!(is_named(&with) && is_named(&without), "{with}\n{without}");
    }
    let mut emulator = lab.command();
    let emulator = emulator.arg("sandbox").envs(empty).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut emulator = emulator.spawn().expect("the emulator");
    let mut url = String::new();
    let read = BufReader::new(emulator.stdout.take().expect("stdout")).read_line(&mut url);
    emulator.kill().and_then(|()| emulator.wait()).expect("its end");
    assert!(read.is_ok() && url.starts_with("http://127.0.0.1:"), "{url}");
}

#[test]
fn a_found_file_sends_the_key_to_data_centers_and_this_machine_alone() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\na1\n");
    lab.write("moebulk.toml", "[connection]\nendpoint = 'https://elsewhere.example'\n");
    for command in [&["validate", "users.csv"][..], &["import", "users.csv"], &["check"]] {
        let refused = lab.run(command);
        assert_eq!(refused.code, 2, "{command:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("merely found"), "{}", refused.stderr);
    }
    let endpoint = |flags: &[&str]| setting(&shown(&lab, &[], flags), "connection", "endpoint");
    let asked = endpoint(&["--config", "moebulk.toml"]);
    assert_eq!(asked, pair("https://elsewhere.example", "file"));
    assert_eq!(endpoint(&["--data-center", "01"]), pair("-", "default"));
    lab.write("moebulk.toml", "[connection]\nendpoint = 'http://localhost:8080'\n");
    assert_eq!(endpoint(&[]), pair("http://localhost:8080", "file"));
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\na1\n");
    let cases = [
        ("[limits]\nmax_reject = 5\n", "line 2"),
        ("[limits]\nmax_reject = 5\n", "did you mean `max_rejects`?"),
        ("[limits]\nusers_per_minute = 'many'\n", "limits.users_per_minute: invalid value 'many'"),
        ("[limits]\nthreads = 0\n", "limits.threads: invalid value '0'"),
        (
            "[limits]\nusers_per_minute = -1\n",
            "limits.users_per_minute: invalid value '-1' for '--users-per-minute <N>': give a whole \
             number of 1 or more, or `unlimited`\n --> moebulk.toml:2:20\n",
        ),
        ("[limits]\nusers_per_minute = -1\n", "2 | users_per_minute = -1\n"),
        ("[limits]\nusers_per_minute = 1.5\n", "invalid value '1.5' for '--users-per-minute"),
        ("[limits]\nevents_per_minute = inf\n", "invalid value 'inf' for '--events-per-minute"),
        ("[limits]\nevents_per_minute = 'true'\n", "limits.events_per_minute: invalid value"),
        (
            "[limits]\nevents_per_minute = true\n",
            "line 2: invalid type: expected a number, or text",
        ),
        ("[limits]\nmax_rejects = 1.5\n", "give a number of rows, or a share such as 5%"),
        ("[limits]\nthreads = -1\n", "integer `-1`, expected a whole number of 0 or more"),
        ("[rules]\nempty = 'keep'\n", "[possible values: omit, string, unset]"),
        ("[connection]\napi_key = 'k'\n", "unknown field `api_key`"),
        ("[connection]\ndata_center = '01'\nendpoint = 'http://localhost:1'\n", "keep one of them"),
        ("[mapping.columns]\ncustomer_id = { too = 'customer_id' }\n", "did you mean `to`?"),
        ("limits = 3\n", "line 1"),
    ];
    for (file, expected) in cases {
        lab.write("moebulk.toml", file);
        let refused = lab.run(&["validate", "users.csv"]);
        assert_eq!(refused.code, 2, "{file}: {}", refused.stderr);
        assert!(refused.stderr.contains("moebulk.toml: "), "{file}: {}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{file}: {}", refused.stderr);
    }
    let missing = lab.run(&["validate", "users.csv", "--config", "none.toml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("--config none.toml: there is no such file"));
}

/// `--older-than 5` once meant five seconds, and removed the runs of somebody who meant days.
#[test]
fn a_time_has_a_unit() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\na1\n");
    assert_eq!(lab.run(&["validate", "users.csv", "--run-dir", "runs/one"]).code, 0);
    let cases: [&[&str]; 5] = [
        &["runs", "prune", "runs", "--older-than", "0"],
        &["runs", "prune", "runs", "--older-than", "5"],
        &["runs", "prune", "runs", "--older-than", "5", "--dry-run"],
        &["import", "users.csv", "--sandbox", "--retry-for", "5"],
        &["sandbox", "--slow", "2"],
    ];
    let says = "give a number with its unit: ms, s, m, h or d, as in 30d or 12h";
    for args in cases {
        let refused = lab.run(args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{args:?}: {}", refused.stderr);
    }
    assert!(lab.path("runs/one/report.json").is_file(), "nothing was removed");
    let says = format!("limits.retry_for: invalid value '5' for '--retry-for <TIME>': {says}");
    for value in ["5", "'5'"] {
        lab.write("moebulk.toml", format!("[limits]\nretry_for = {value}\n"));
        let refused = lab.run(&["validate", "users.csv"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(&says), "{}", refused.stderr);
        assert!(refused.stderr.contains("moebulk.toml:2:13"), "{}", refused.stderr);
    }
    assert_eq!(lab.run(&["runs", "prune", "runs", "--older-than", "0s"]).code, 0);
    assert!(!lab.path("runs/one").exists());
}

#[test]
fn commands_without_settings_do_not_read_the_file() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\na1\n");
    assert_eq!(lab.run(&["validate", "users.csv", "--run-dir", "moebulk-runs/one"]).code, 0);
    // `status` and `state` say that there is nothing to look at, as ever.
    let cases: [(&[&str], i32); 9] = [
        (&["man"], 0),
        (&["completions", "bash"], 0),
        (&["config", "schema"], 0),
        (&["runs", "list"], 0),
        (&["runs", "prune", "--dry-run"], 0),
        (&["init", "users.csv", "--out", "-"], 0),
        (&["status"], 2),
        (&["state", "stats"], 2),
        (&["import", "--help"], 0),
    ];
    for file in ["limits = 3\n", "no TOML", "[connection]\nendpoint = 'https://a.example'\n"] {
        lab.write("moebulk.toml", file);
        for (args, code) in cases {
            let ran = lab.run(args);
            assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("moebulk.toml"), "{args:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn the_mapping_of_a_file_is_a_mapping() {
    let lab = Lab::new();
    lab.copy_samples();
    let digest = |args: &[&str]| {
        let args = [&["validate", "customers.csv"], args].concat();
        lab.report(0, &args)["bodies"]["digest"].clone()
    };
    let inferred = digest(&[]);
    let mapped = digest(&["--mapping", "users-mapping.toml"]);
    assert_ne!(inferred, mapped);
    let mapping: toml::Table =
        toml::from_str(&String::from_utf8(lab.read("users-mapping.toml")).expect("UTF-8"))
            .expect("TOML");
    let config = toml::Table::from_iter([("mapping".to_owned(), toml::Value::Table(mapping))]);
    lab.write("moebulk.toml", config.to_string());
    assert_eq!(digest(&[]), mapped);
    let said = lab.run(&["validate", "customers.csv", "--progress", "off"]).stderr;
    assert_eq!(said.lines().next(), Some("settings: moebulk.toml"), "{said}");
    lab.write("names.toml", "[columns]\ncustomer_id = { to = 'customer_id' }\n");
    assert_ne!(digest(&["--mapping", "names.toml"]), mapped, "the flag goes before the file");
}

#[test]
fn the_schema_names_every_setting_and_every_setting_is_a_flag() {
    let lab = Lab::new();
    let schema = lab.run(&["config", "schema"]);
    assert_eq!(schema.code, 0, "{}", schema.stderr);
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let help = String::from_utf8(lab.run(&["import", "--help"]).stdout).expect("UTF-8");
    let all = shown(&lab, &[], &[]);
    for (table, settings) in all["settings"].as_object().expect("tables") {
        let reference = schema["properties"][table]["$ref"].as_str().expect(table);
        let name = reference.rsplit('/').next().expect("a name");
        let properties = schema["$defs"][name]["properties"].as_object().expect(name);
        let shown: Vec<_> =
            settings.as_object().expect("settings").keys().filter(|name| *name != "key").collect();
        let mut known: Vec<_> = properties.keys().collect();
        known.sort();
        let mut sorted = shown.clone();
        sorted.sort();
        assert_eq!(sorted, known, "[{table}]");
        for name in shown {
            assert!(properties[name]["description"].is_string(), "{table}.{name}");
            assert!(help.contains(&format!("--{}", name.replace('_', "-"))), "{table}.{name}");
        }
    }
    assert!(!schema.to_string().contains("api_key\""), "the key is no setting");
}

/// The settings of the schema that are true or false, with their tables.
fn switches(lab: &Lab) -> Vec<(String, String)> {
    let schema: Value =
        serde_json::from_slice(&lab.run(&["config", "schema"]).stdout).expect("JSON");
    let tables = schema["properties"].as_object().expect("tables").iter();
    let mut found = Vec::new();
    for (table, properties) in tables.filter(|(table, _)| *table != "mapping") {
        let reference = properties["$ref"].as_str().expect(table);
        let name = reference.rsplit('/').next().expect("a name");
        let properties = schema["$defs"][name]["properties"].as_object().expect(name);
        let is_switch = |of: &&Value| of["type"].as_array().is_some_and(|of| of[0] == "boolean");
        let names = properties.iter().filter(|(_, property)| is_switch(property));
        found.extend(names.map(|(name, _)| (table.clone(), name.clone())));
    }
    assert_eq!(found.len(), 9, "{found:?}");
    found
}

#[test]
fn every_switch_of_a_file_is_turned_off_by_its_flag() {
    let lab = Lab::new();
    for (table, name) in switches(&lab) {
        let flag = format!("--{}", name.replace('_', "-"));
        let [on, off] = ["true", "false"].map(|value| format!("{flag}={value}"));
        let found = |flags: &[&str]| setting(&shown(&lab, &[], flags), &table, &name);
        lab.write("moebulk.toml", "");
        assert_eq!(found(&[]), pair("false", "default"), "{name}");
        assert_eq!(found(&[&flag]), pair("true", "flag"), "{name}");
        lab.write("moebulk.toml", format!("[{table}]\n{name} = true\n"));
        assert_eq!(found(&[]), pair("true", "file"), "{name}");
        assert_eq!(found(&[&off]), pair("false", "flag"), "{name}");
        assert_eq!(found(&[&flag, &off]), pair("false", "flag"), "{name}");
        assert_eq!(found(&[&off, &on]), pair("true", "flag"), "{name}");
        lab.write("moebulk.toml", format!("[{table}]\n{name} = false\n"));
        assert_eq!(found(&[]), pair("false", "file"), "{name}");
        assert_eq!(found(&[&flag]), pair("true", "flag"), "{name}");
        let refused = lab.run(&["import", &format!("{flag}=maybe")]);
        assert_eq!(refused.code, 2, "{name}");
        let said = "[possible values: true, false]";
        assert!(refused.stderr.contains(said), "{name}: {}", refused.stderr);
    }
}

#[test]
fn what_is_turned_off_does_nothing() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,score\na1,7\na1,7\n");
    let settings = "[changes]\nonly_changed = true\nstate = 'nights'\n[csv]\nno_header = true\n\
                    [mapping]\nkind = 'users'\nupdate_existing_only = true\n\
                    [mapping.columns]\ncustomer_id = { to = 'customer_id' }\n";
    lab.write("moebulk.toml", settings);
    // A flag that takes no value leaves what follows it to be an input.
    let off = ["--no-header=false", "--only-changed=false", "--update-existing-only=false"];
    let packed = |flags: &[&str]| {
        let pack = ["pack", "--strict-ids", "users.csv", "--out", "bodies"];
        let report = lab.report(0, &[pack.as_slice(), flags].concat());
        (report, String::from_utf8(lab.read("bodies")).expect("UTF-8"))
    };
    let (report, bodies) = packed(&off);
    assert_eq!(report["changes"], Value::Null);
    assert_eq!(report["rows"]["accepted"], 2);
    assert!(!bodies.contains("update_existing_only"), "{bodies}");
    let (report, bodies) = packed(&off[..1]);
    assert_eq!(report["changes"]["new"], 2);
    assert_eq!(bodies.matches(r#""update_existing_only":true"#).count(), 2, "{bodies}");
    let refused = lab.run(&["validate", "users.csv", off[1], off[0], "--state", "other"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--state says nothing without"), "{}", refused.stderr);
}

/// An import that was stopped goes on by its directory alone, with everything that was said before.
#[test]
fn a_resume_takes_for_given_what_the_checkpoint_holds() {
    let lab = Lab::new();
    let rows: String = (0..60).map(|row| format!("user-{row},{row}\n")).collect();
    lab.write("rows.csv", format!("customer_id,v\n{rows}"));
    lab.write(
        "map.toml",
        "[columns]\ncustomer_id = { to = 'customer_id' }\nv = { attribute = 'w' }\n",
    );
    // The second request is not answered with success, once.
    let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
    let first = [
        "import",
        "rows.csv",
        "--run-dir",
        "run",
        "--mapping",
        "map.toml",
        "--limit",
        "50",
        "--cut-users",
        "20",
        "--connections",
        "1",
        "--max-rejects",
        "7",
        "--progress",
        "off",
        "--endpoint",
        &sandbox.url,
        "--app-id",
        "SANDBOX",
    ];
    let stopped = lab.run(&[first.as_slice(), &UNLIMITED].concat());
    assert_eq!(stopped.code, 3, "{}", stopped.stderr);
    let resumed = lab.run(&["import", "--run-dir", "run", "--output", "json", "--progress", "off"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let report: Value = serde_json::from_slice(&resumed.stdout).expect("JSON");
    assert_eq!(report["rows"]["delivered"], 50, "--limit 50 holds");
    assert_eq!(report["plan"]["users_per_minute"], Value::Null, "unlimited holds");
    let records = sandbox.records();
    assert_eq!(records.len(), 50, "nothing came twice");
    let attributes = records[49].1.get("attributes");
    assert_eq!(attributes.get("w"), &support::Json::text("49"), "--mapping holds");
}

#[test]
fn what_is_said_on_resume_goes_before_the_checkpoint() {
    let lab = Lab::new();
    lab.write("rows.csv", "customer_id\na1\na2\na3\n");
    let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1"]);
    let first = [
        "import",
        "rows.csv",
        "--run-dir",
        "run",
        "--limit",
        "2",
        "--progress",
        "off",
        "--endpoint",
        &sandbox.url,
        "--app-id",
        "SANDBOX",
    ];
    assert_eq!(lab.run(&[first.as_slice(), &UNLIMITED].concat()).code, 3);
    let other = lab.run(&["import", "--run-dir", "run", "--limit", "3", "--progress", "off"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("--limit was 2, now 3"), "{}", other.stderr);
    let none = lab.run(&["import", "--run-dir", "elsewhere"]);
    assert_eq!(none.code, 2);
    let words = "--run-dir elsewhere: there is no import to go on with; name what to read";
    assert!(none.stderr.contains(words), "{}", none.stderr);
}

#[test]
fn completions_and_manual_pages_name_every_flag() {
    let lab = Lab::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let made = lab.run(&["completions", shell]);
        assert_eq!(made.code, 0, "{shell}: {}", made.stderr);
        let script = String::from_utf8(made.stdout).expect("UTF-8");
        assert!(script.contains("users-per-minute"), "{shell}");
    }
    assert_eq!(lab.run(&["man", "pages"]).code, 0);
    let page = String::from_utf8(lab.read("pages/moebulk-import.1")).expect("UTF-8");
    assert!(page.contains(r"\-\-users\-per\-minute") && page.contains(".SH OPTIONS"), "{page}");
    for command in ["", "-validate", "-config-show", "-sandbox"] {
        assert!(lab.path(&format!("pages/moebulk{command}.1")).is_file(), "{command}");
    }
}
