//! The forms of output: progress, values, the report's fields.

use std::collections::BTreeSet;

use crate::support::{Lab, Sandbox, UNLIMITED};

const CANARY: &str = "canary-7f3a";

#[test]
fn progress_takes_the_form_that_was_asked_for() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nuser-2,Rome\n");
    let run = |mode: &str| {
        let args = ["import", "users.csv", "--sandbox", "--progress", mode];
        let ran = lab.run(&[args.as_slice(), &UNLIMITED].concat());
        assert_eq!(ran.code, 0, "{mode}: {}", ran.stderr);
        ran.stderr
    };
    let json = run("json");
    let events: Vec<serde_json::Value> = json
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect();
    let phases: Vec<_> = events.iter().map(|event| event["phase"].as_str()).collect();
    for phase in ["reading", "inferring", "checking", "sending"] {
        assert!(phases.contains(&Some(phase)), "no {phase} among {phases:?}");
    }
    // Every event has the members that the documents state, and no others.
    let documented = include_str!("../../docs/progress.md");
    let members = |sends: bool| -> BTreeSet<&str> {
        let rows = documented.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split_once(" | "))
            .filter_map(|(names, rest)| Some((names, rest.split_once(" | ")?.0)))
            .filter(|(_, phases)| match *phases {
                "all" => true,
                "sending" => sends,
                "all but sending" => !sends,
                _ => false,
            })
            .flat_map(|(names, _)| names.split('`').filter(|name| name.len() > 2))
            .collect()
    };
    for event in &events {
        let found: BTreeSet<&str> =
            event.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(found, members(event["phase"] == "sending"), "{event}");
    }
    let last = events.last().expect("events");
    assert_eq!((&last["rows"], &last["rows_total"]), (&2.into(), &2.into()));
    for mode in ["off", "plain", "auto"] {
        let text = run(mode);
        assert!(!text.contains("{\"phase\"") && !text.contains('\r'), "{mode}: {text}");
    }
}

/// The first event of sending says what is counted, by which budget, and what is done already.
#[test]
fn sending_begins_with_an_event_that_knows_all() {
    let lab = Lab::new();
    let rows: String = (0..10).map(|row| format!("user-{row}\n")).collect();
    lab.write("users.csv", format!("customer_id\n{rows}"));
    lab.write("events.csv", "customer_id,user_time\nuser-1,2026-01-02T03:04:05Z\n");
    let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
    let first = |args: &[&str], code: i32| {
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--progress", "json"];
        let ran = lab.run(&[["import"].as_slice(), args, &to].concat());
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let mut events = ran.stderr.lines().filter(|line| line.contains("\"sending\""));
        let event = events.next().expect("an event of sending");
        serde_json::from_str::<serde_json::Value>(event).expect("JSON")
    };
    let users = ["users.csv", "--run-dir", "run", "--cut-users", "4", "--connections", "1"];
    let stopped = [users.as_slice(), &["--users-per-minute", "900"]].concat();
    let event = |unit: &str, rows: u64, total: u64, budget: Option<u64>| {
        serde_json::json!({
            "phase": "sending", "seconds": 0, "rows": rows, "rows_total": total, "failed": 0,
            "unit": unit, "per_minute": 0, "budget_per_minute": budget, "waiting_for": null,
            "waiting": null, "seconds_left": 0,
        })
    };
    assert_eq!(first(&stopped, 3), event("users", 0, 10, Some(900)));
    assert_eq!(first(&users, 0), event("users", 4, 10, Some(900)), "the rows of the first run");
    let events = ["events.csv", "--kind", "events", "--event", "seen", "--run-dir", "other"];
    let unlimited = [events.as_slice(), &["--events-per-minute", "unlimited"]].concat();
    assert_eq!(first(&unlimited, 0), event("events", 0, 1, None));
}

#[test]
fn values_are_shown_on_request_alone() {
    let lab = Lab::new();
    lab.write("users.csv", format!("customer_id,n\nuser-1,{CANARY}\nuser-2,2\nuser-3,3\n"));
    lab.write(
        "m.json",
        r#"{"mapping":[{"column":"customer_id","moe_attr":"uid","type":"string"},{"column":"n","moe_attr":"n","type":"double"}]}"#,
    );
    let run = |more: &[&str]| {
        let args = ["validate", "users.csv", "--mapping", "m.json", "--run-dir", "run"];
        let ran = lab.run(&[args.as_slice(), more].concat());
        assert_eq!(ran.code, 1);
        let report = String::from_utf8(lab.read("run/report.json")).expect("UTF-8");
        let rejects = String::from_utf8(lab.read("run/rejects.csv")).expect("UTF-8");
        let row = rejects.lines().nth(1).expect("the row").to_owned();
        let output = [String::from_utf8(ran.stdout).expect("UTF-8"), ran.stderr, report].concat();
        (output, row)
    };
    let (output, row) = run(&[]);
    assert!(!output.contains(CANARY), "{output}");
    assert_eq!(row.matches(CANARY).count(), 1, "in its own cell alone: {row}");
    let (_, row) = run(&["--show-values"]);
    assert_eq!(row.matches(CANARY).count(), 2, "in the message too: {row}");
}

#[test]
fn the_report_has_every_field_of_version_1() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nnull,Rome\n");
    let args = [["import", "users.csv", "--sandbox"].as_slice(), &UNLIMITED].concat();
    let report = lab.report(1, &args);
    let fields = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let has = |value: &serde_json::Value, names: &[&str]| {
        let found = fields(value);
        for name in names {
            assert!(found.iter().any(|field| field == name), "{name} is not among {found:?}");
        }
    };
    has(
        &report,
        &[
            "version",
            "command",
            "complete",
            "destination",
            "inputs",
            "rows",
            "elements",
            "changes",
            "bodies",
            "plan",
            "requests",
            "problems",
            "timing",
        ],
    );
    assert_eq!(report["version"], 1);
    assert_eq!(report["command"], "import");
    assert_eq!(report["kind"], "users");
    assert_eq!(report["destination"], "sandbox");
    has(&report["inputs"][0], &["path", "bytes", "rows"]);
    let rows = &report["rows"];
    has(rows, &["read", "accepted", "rejected", "skipped", "delivered", "failed", "pending"]);
    assert_eq!((&rows["read"], &rows["skipped"]), (&2.into(), &0.into()));
    has(&report["elements"], &["users", "events", "devices"]);
    has(&report["bodies"], &["count", "bytes", "bytes_max", "fill_mean", "fill", "digest"]);
    has(&report["plan"], &["seconds_at_limit", "users_per_minute", "events_per_minute"]);
    has(&report["requests"], &["sent", "retried", "isolated", "http_429", "http_5xx"]);
    has(&report["problems"][0], &["code", "severity", "column", "count", "first"]);
    let first = &report["problems"][0]["first"][0];
    assert_eq!(
        (&first["file"], &first["row"], &first["line"]),
        (&"users.csv".into(), &2.into(), &3.into())
    );
    has(&report["timing"], &["seconds", "rows_per_second"]);
    let expected = lab.report(1, &["validate", "users.csv"]);
    assert_eq!(report["bodies"]["digest"], expected["bodies"]["digest"]);
}

/// Every way in which a cell can be wrong, in every form of output.
#[test]
fn no_output_holds_a_value_unless_it_is_asked_for() {
    let lab = Lab::new();
    lab.write(
        "map.toml",
        "[columns]\ncustomer_id = {}\nn = { type = \"double\" }\nb = { type = \"bool\" }\n\
         d = { type = \"datetime\" }\na = { type = \"array\", items = \"double\" }\n\
         j = { type = \"json\" }\ns = {}\n",
    );
    let sound = ["1", "true", "2024-01-02", "[1|2]", "{}", "text"];
    let mut csv = String::from("customer_id,n,b,d,a,j,s\n");
    for wrong in 0..sound.len() - 1 {
        let mut cells = sound.map(str::to_owned);
        cells[wrong] = format!("{CANARY}-{wrong}");
        csv.push_str(&format!("user-{wrong},{}\n", cells.join(",")));
    }
    csv.push_str(&format!("user-8,1,true,2024-01-02,[1|2],{{}},[{CANARY}|{CANARY}]\n"));
    csv.push_str(&format!("user-9,1,true,2024-01-02,[1|2],{{}},{CANARY},{CANARY}\n"));
    csv.push_str(&format!("{CANARY}-user,1,true,2024-01-02,[1|2],{{}},a \"{CANARY}\" quote\n"));
    lab.write("users.csv", csv);
    for form in ["text", "json"] {
        for command in
            [["validate"].as_slice(), &["pack", "--out", "bodies"], &["import", "--sandbox"]]
        {
            let args = ["users.csv", "--mapping", "map.toml", "--run-dir", form, "--restart"];
            // Only an import begins anew.
            let args = if command[0] == "import" { &args[..] } else { &args[..5] };
            let run_dir = format!("{form}-{}", command[0]);
            let mut args = [command, args].concat();
            let at = args.iter().position(|arg| *arg == form).expect("the directory");
            args[at] = &run_dir;
            let forms = ["--output", form, "--log-format", form, "--log-level", "trace"];
            let ran = lab.run(&[args.as_slice(), &forms, &UNLIMITED].concat());
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            let report = lab.read(&format!("{run_dir}/report.json"));
            let page = lab.read(&format!("{run_dir}/report.html"));
            for (what, bytes) in [
                ("stdout", &ran.stdout),
                ("stderr", &ran.stderr.into_bytes()),
                ("report", &report),
                ("page", &page),
            ] {
                let text = String::from_utf8_lossy(bytes);
                assert!(!text.contains(CANARY), "{what} of {command:?}: {text}");
            }
            let bytes = lab.read(&format!("{run_dir}/rejects.csv"));
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let messages = reader.headers().expect("a header").len() - 1;
            let mut rows = 0;
            for record in reader.records() {
                let record = record.expect("a record");
                assert!(!record[messages].contains(CANARY), "{record:?}");
                rows += 1;
            }
            assert_eq!(rows, sound.len() - 1, "the cells that fit no type");
        }
    }
}

#[test]
fn names_and_words_of_a_file_command_no_terminal() {
    let name = "a\u{1b}[31mRED\u{7}";
    let lab = Lab::new();
    lab.write("in.csv", format!("customer_id,{name},b\nuser-1,2,3\n"));
    let line = serde_json::json!({"customer_id": "user-1", name: 2}).to_string();
    lab.write("rows.ndjson", line);
    lab.write("map.toml", "[columns]\ncustomer_id = {}\n");
    std::fs::create_dir_all(lab.path(&format!("parts/{name}=1"))).expect("a directory");
    lab.write(&format!("parts/{name}=1/in.csv"), "customer_id\nuser-1\n");
    for input in ["in.csv", "rows.ndjson", "parts"] {
        for more in [
            &["validate"][..],
            &["validate", "--mapping", "map.toml"],
            &["import", "--sandbox", "--yes", "--run-dir", "run"],
            &["import", "--sandbox", "--yes", "--mapping", "map.toml"],
            &["init", "--out", "out.toml", "--force"],
        ] {
            let shown = [&more[..1], &[input], &more[1..], &["--progress", "plain"]].concat();
            let ran = lab.run(&shown);
            assert_eq!(ran.code, 0, "{shown:?}: {}", ran.stderr);
            let out = String::from_utf8(ran.stdout).expect("UTF-8") + &ran.stderr;
            let other = |c: char| c.is_control() && c != '\n' && c != '\t';
            assert!(!out.contains(other), "{shown:?}: {out:?}");
        }
        let ran = lab.run(&["status", "run"]);
        assert!(ran.stdout.iter().all(|&byte| byte >= 0x20 || byte == b'\n'), "{:?}", ran.stdout);
    }
}

#[test]
fn the_command_for_a_file_with_a_dash_can_be_typed() {
    let lab = Lab::new();
    lab.write("-dash.csv", "customer_id\nuser-1\n");
    let ran = lab.run(&["validate", "--progress", "off", "--", "-dash.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let out = String::from_utf8(ran.stdout).expect("UTF-8");
    let command = out.lines().last().unwrap_or_default().trim();
    assert_eq!(command, "moebulk import ./-dash.csv --sandbox");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(lab.run(&words).code, 0);
}
