//! Whatever a run leaves is the same for any number of threads: rejects, damage and report.

use std::fs;

use serde_json::Value;

use crate::{
    data::{self, Form, PLAIN},
    reference::Row,
    support::{Lab, UNLIMITED},
};

/// The run directory's files but `report.json` and the lock, and the report but for its timing.
fn left(lab: &Lab, args: &[&str], threads: &str) -> (Vec<(String, Vec<u8>)>, Value) {
    let own = ["--threads", threads];
    let mut report = lab.report(1, &[["validate"].as_slice(), args, &UNLIMITED, &own].concat());
    let run_dir = report["run_dir"].as_str().expect("a directory").to_owned();
    for name in ["run_dir", "timing"] {
        assert!(report.as_object_mut().expect("an object").remove(name).is_some(), "{name}");
    }
    let entries = fs::read_dir(lab.path(&run_dir)).expect("a run directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !["report.json", "lock"].contains(&name.as_str()))
        .collect();
    names.sort();
    let file = |name: String| {
        let bytes = lab.read(&format!("{run_dir}/{name}"));
        (name, bytes)
    };
    (names.into_iter().map(file).collect(), report)
}

#[test]
fn the_same_rejects_damage_and_report_for_any_number_of_threads() {
    let lab = Lab::new();
    // Several blocks of text and several row groups: there is something to get out of order.
    lab.write("users.csv", data::csv_bytes(&data::users(41, 9_000, false), PLAIN, 41).0);
    data::users_parquet(&lab.path("users.parquet"), 42, 4_000);
    let mut open = data::csv_bytes(&data::users(43, 4_000, false), PLAIN, 43).0;
    let middle = open.len() / 2;
    let line = middle + open[middle..].iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    // A quote that nothing closes, with half of the file behind it.
    open.splice(line..line, *b"user-open,\"never closed,1990-01-01\n");
    lab.write("open.csv", open);
    let inputs: [(&[&str], &[&str]); 3] = [
        (&["users.csv"], &["damaged.txt", "rejects.csv"]),
        (&["users.parquet"], &["rejects.parquet"]),
        (
            &["open.csv", "users.parquet", "users.csv"],
            &["damaged.txt", "rejects.csv", "rejects.parquet"],
        ),
    ];
    for (args, files) in inputs {
        let (first, report) = left(&lab, args, "1");
        for name in files {
            let found = first.iter().find(|(found, _)| found == name);
            assert!(found.is_some_and(|(_, bytes)| !bytes.is_empty()), "{name} of {args:?}");
        }
        for threads in ["2", "3", "8"] {
            let (again, same_report) = left(&lab, args, threads);
            assert_eq!(same_report, report, "{threads} threads, {args:?}");
            for (one, other) in first.iter().zip(&again) {
                assert!(one == other, "{threads} threads give another {}, {args:?}", one.0);
            }
            assert_eq!(first.len(), again.len());
        }
    }
}

/// The records of a file of users, without its header.
fn records(seed: u64, rows: usize, form: Form, sound: bool) -> Vec<u8> {
    let mut table = data::users(seed, rows, false);
    if sound {
        table.rows.retain(|row| matches!(row, Row::Cells(_)));
    }
    let (mut bytes, _) = data::csv_bytes(&table, form, seed);
    let end = bytes.iter().position(|&byte| byte == b'\n').expect("a header") + 1;
    bytes.drain(..end);
    bytes
}

/// Long enough that threads read ahead in what is sound, and give up what they have where it is
/// not: in the middle of a file, and close to its end, when others go on to the next one.
#[test]
fn what_is_read_ahead_of_damage_leaves_no_trace() {
    let lab = Lab::new();
    let dos = Form { line_end: "\r\n", ..PLAIN };
    let header = data::users(0, 0, false).columns.join(",") + "\n";
    let sound = records(61, 8_000, PLAIN, true);
    let long = [
        header.as_bytes(),
        &sound,
        b"user-open,\"never closed,1990-01-01\n",
        &records(62, 8_000, dos, true),
        &records(63, 300, PLAIN, false),
        &records(64, 6_000, PLAIN, true),
    ]
    .concat();
    assert!(long.len() > 2 << 20, "{} bytes", long.len());
    lab.write("long.csv", long);
    let short = [header.as_bytes(), b"one,field,too few\n", &sound].concat();
    lab.write("short.csv", short);
    let args = ["short.csv", "long.csv"];
    let (first, report) = left(&lab, &args, "1");
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert!(["damaged.txt", "rejects.csv"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(report["bodies"]["digest"].is_string(), "{report}");
    for threads in ["2", "3", "8"] {
        let (again, same_report) = left(&lab, &args, threads);
        assert_eq!(same_report, report, "{threads} threads");
        assert!(first == again, "{threads} threads leave other files than {names:?}");
    }
}
