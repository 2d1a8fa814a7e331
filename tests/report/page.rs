//! What the page and the report's fields behind it say.

use std::fs;

use crate::support::{Lab, UNLIMITED};

fn page(lab: &Lab, run_dir: &str) -> String {
    let text = String::from_utf8(lab.read(&format!("{run_dir}/report.html"))).expect("UTF-8");
    text.replace('\u{a0}', " ")
}

#[test]
fn the_dirty_sample_is_told_in_figures() {
    let lab = Lab::new();
    lab.copy_samples();
    let report = lab.report(1, &["validate", "customers-dirty.csv"]);
    let text = page(&lab, report["run_dir"].as_str().expect("a directory"));
    for part in [
        "<h1>11 of 23 rows rejected, 12 valid</h1>",
        "<b>customers-dirty.csv</b> <span>23 rows, 101.3 kB</span>",
        "23 rows read: 12 accepted, 11 rejected, 0 skipped. Of the accepted: 0 delivered, 0 refused by \
         the server, 12 not sent.",
        "<b>2</b> rejected",
        "First at lines 15 · 16",
        "lines 10 · 11 · 12",
        "<code>--lenient-quotes</code>",
        "From all 16 rows that could be read.",
        "87.5 % date, 12.5 % text",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    for problem in report["problems"].as_array().expect("a list") {
        let (code, count) = (problem["code"].as_str().expect("a code"), &problem["count"]);
        let severity = problem["severity"].as_str().expect("a word");
        let line = format!("<tr role=\"row\" data-severity=\"{severity}\" data-code=\"{code}\">");
        let lines: Vec<&str> = text.lines().filter(|found| found.contains(&line)).collect();
        let value = format!("data-value=\"{count}\"");
        assert!(lines.iter().any(|found| found.contains(&value)), "{code}: {lines:?}");
    }
    assert!(text.len() < 100_000, "{} bytes", text.len());
}

#[test]
fn the_report_has_what_the_charts_are_drawn_from() {
    let lab = Lab::new();
    let rows = (0..6_000).map(|row| match row {
        1_000..1_100 => format!("null,{row},\n"),
        _ if row % 2 == 0 => format!("user-{row},{row},2024-01-02\n"),
        _ => format!("user-{row},{row},\n"),
    });
    lab.write("users.csv", format!("customer_id,n,day\n{}", rows.collect::<String>()));
    let report = lab.report(1, &[["validate", "users.csv"].as_slice(), &UNLIMITED].concat());
    let rejected = &report["rejected_at"];
    let counts: Vec<u64> = serde_json::from_value(rejected["counts"].clone()).expect("counts");
    assert_eq!((&rejected["width"], counts.len()), (&64.into(), 94));
    assert_eq!(counts[15..18], [24, 64, 12]);
    assert_eq!(counts.iter().sum::<u64>(), 100);

    let profile = &report["profile"];
    assert_eq!((&profile["rows"], &profile["of"]), (&3_548.into(), &6_000.into()));
    let columns = profile["columns"].as_array().expect("columns");
    let names: Vec<_> = columns.iter().map(|column| &column["column"]).collect();
    assert_eq!(names, ["customer_id", "n", "day"]);
    let share = |column: usize, of: &str| columns[column][of].as_f64().expect(of);
    assert_eq!([share(1, "filled"), share(1, "number"), share(1, "text")], [1.0, 1.0, 0.0]);
    assert!((0.47..0.51).contains(&share(2, "filled")), "{}", columns[2]);
    assert_eq!(share(2, "datetime"), 1.0);

    let fill: Vec<u64> = serde_json::from_value(report["bodies"]["fill"].clone()).expect("tenths");
    assert_eq!(fill.len(), 10);
    assert_eq!(serde_json::json!(fill.iter().sum::<u64>()), report["bodies"]["count"]);
    assert_eq!(report["throughput"], serde_json::Value::Null);
}

#[test]
fn every_command_leaves_the_page_and_names_it() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nnull,Rome\n");
    let commands: [&[&str]; 3] =
        [&["validate"], &["pack", "--out", "bodies"], &["import", "--sandbox"]];
    for command in commands {
        let run_dir = format!("run-{}", command[0]);
        let ran = lab.run(&[command, &["users.csv", "--run-dir", &run_dir]].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        let named = format!("open {run_dir}/report.html in a browser");
        assert!(text.contains(&named), "{text}");
        let text = page(&lab, &run_dir);
        let over = format!("<p class=\"over\">moebulk {}", command[0]);
        assert!(text.contains(&over), "{text}");
        assert_eq!(text.contains("id=\"pace-title\""), command[0] == "import");
    }
}

/// Rows that are valid are not lost by following it, and an exercise stays one.
#[test]
fn the_summary_ends_with_the_command_to_type() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,city\nuser-1,Oslo\nnull,Rome\n");
    lab.write("none.csv", "customer_id,city\n");
    lab.write("bad.csv", "customer_id,city\nnull,Rome\n");
    let last = |code, args: &[&str]| {
        let ran = lab.run(args);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        text.lines().last().expect("a line").trim().to_owned()
    };
    let validate = |code, file: &str| last(code, &["validate", file, "--run-dir", "check"]);
    assert_eq!(validate(1, "users.csv"), "moebulk import users.csv --sandbox");
    // Without a valid row there is nothing to import.
    assert_eq!(validate(1, "bad.csv"), "moebulk validate check/rejects.csv");
    let ran = lab.run(&["validate", "bad.csv", "--run-dir", "check"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let mend = "  mend the cells in check/rejects.csv (1 row), then check that file\n";
    assert!(text.contains(mend) && !text.contains("import"), "{text}");
    lab.write("broken.csv", b"customer_id,city\nuser-1,K\xf6ln\nuser-2,Z\xfcrich\n");
    let broken = "see check/damaged.txt for what is no record";
    assert_eq!(validate(1, "broken.csv"), broken);
    let none = "open check/report.html in a browser: every problem, with charts";
    assert_eq!(validate(0, "none.csv"), none);
    let ran = lab.run(&["validate", "none.csv", "--run-dir", "check"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(text.starts_with("validate: the inputs have no data rows\n"), "{text}");
    let look =
        "next\n  nothing to send: look whether the export is whole, and at --limit, --offset\n";
    assert!(text.contains(look), "{text}");
    lab.write("moebulk.toml", "[connection]\ndata_center = \"01\"\napp_id = \"A\"\n");
    let import = ["import", "users.csv", "--sandbox", "--run-dir", "load"];
    assert_eq!(last(1, &import), "moebulk import load/rejects.csv --sandbox");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id\nuser-1\n");
    // A directory stands in its place.
    fs::create_dir_all(lab.path("run/report.html/full")).expect("a directory");
    let ran = lab.run(&["validate", "users.csv", "--run-dir", "run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write run/report.html"), "{}", ran.stderr);
}

/// The seed makes the first of two requests meet one.
#[test]
fn an_import_marks_each_refusal_for_the_rate() {
    let lab = Lab::new();
    let rows: String = (0..50).map(|row| format!("user-{row},{row}\n")).collect();
    lab.write("users.csv", format!("customer_id,n\n{rows}"));
    let sandbox = crate::support::Sandbox::start_with(&lab, &["--fault", "429:0.5", "--seed", "2"]);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX"];
    let args = [["import", "users.csv"].as_slice(), &to, &UNLIMITED].concat();
    let report = lab.report(0, &args);
    assert_eq!(report["requests"]["http_429"], 1);
    let throughput = &report["throughput"];
    let marks = throughput["marks"].as_array().expect("marks");
    let kinds: Vec<_> = marks.iter().map(|mark| &mark["kind"]).collect();
    assert_eq!(kinds, ["http429", "server-asked"], "{throughput}");
    assert_eq!((&marks[0]["replies"], &marks[1]["replies"]), (&1.into(), &0.into()));
    assert!(marks[1]["pause_ms"].as_u64().is_some_and(|ms| ms > 0), "{throughput}");
    // The server was asked to wait a second or more, and a bucket is 1.875 s.
    let sending_ms = throughput["sending_ms"].as_u64().expect("a time");
    assert!(sending_ms >= marks[1]["pause_ms"].as_u64().expect("a time"), "{throughput}");
    let told = report["timing"]["seconds"].as_f64().expect("seconds");
    assert!(sending_ms as f64 / 1e3 <= told, "{sending_ms} ms of sending in {told} s");
    let delivered = throughput["delivered"]["counts"].as_array().expect("counts");
    assert_eq!(delivered.iter().filter_map(serde_json::Value::as_u64).sum::<u64>(), 50);
    assert_eq!(throughput["per_minute"], serde_json::Value::Null);
    let text = page(&lab, report["run_dir"].as_str().expect("a directory"));
    assert!(text.contains("refused for the rate (429)</td><td>1</td>"), "{text}");
}
