//! Types without a mapping are those of all rows, wherever the row stands that decides, although
//! rows are checked with a guess from the first ones.

use std::fmt::Write;

use crate::support::{Json, Lab, UNLIMITED};

/// More rows than a guess is made from, a few blocks of them.
const ROWS: usize = 40_000;

/// What is said in the log where the guess was wrong.
const AGAIN: &str = "rows are checked again";

struct Case {
    name: &'static str,
    /// Column `v` of a row, from 1.
    value: fn(usize) -> String,
    /// The type that it must have.
    value_type: &'static str,
    /// Values that keep it from a narrower type, and the first row with one.
    minority: Option<(u64, u64)>,
    /// The first rows give another type.
    guessed_wrong: bool,
}

const CASES: [Case; 8] = [
    Case {
        name: "numbers throughout",
        value: |row| row.to_string(),
        value_type: "double",
        minority: None,
        guessed_wrong: false,
    },
    Case {
        name: "words throughout",
        value: |row| format!("word {row}"),
        value_type: "string",
        minority: None,
        guessed_wrong: false,
    },
    Case {
        name: "one word in the last row",
        value: |row| if row == ROWS { "many".to_owned() } else { row.to_string() },
        value_type: "string",
        minority: Some((1, ROWS as u64)),
        guessed_wrong: true,
    },
    Case {
        name: "one word early",
        value: |row| if row == 100 { "many".to_owned() } else { row.to_string() },
        value_type: "string",
        minority: Some((1, 100)),
        guessed_wrong: false,
    },
    Case {
        name: "nothing, then numbers",
        value: |row| if row > 30_000 { row.to_string() } else { String::new() },
        value_type: "double",
        minority: None,
        guessed_wrong: true,
    },
    Case {
        name: "nothing, then words",
        value: |row| if row > 30_000 { "late".to_owned() } else { String::new() },
        value_type: "string",
        minority: None,
        guessed_wrong: false,
    },
    Case {
        name: "numbers, then dates",
        value: |row| if row > 20_000 { "2026-01-31".to_owned() } else { row.to_string() },
        value_type: "string",
        minority: None,
        guessed_wrong: true,
    },
    Case {
        name: "dates throughout",
        value: |row| format!("2026-01-{:02}", row % 28 + 1),
        value_type: "datetime",
        minority: None,
        guessed_wrong: false,
    },
];

/// A file whose rows have a customer_id, the value, and here and there no customer_id.
fn csv(value: fn(usize) -> String) -> String {
    let mut csv = "customer_id,v,w\n".to_owned();
    for row in 1..=ROWS {
        let id = if row % 10_000 == 7 { String::new() } else { format!("user-{row}") };
        let _ = writeln!(csv, "{id},{},{}", value(row), row % 2 == 0);
    }
    csv
}

#[test]
fn types_are_those_of_all_rows_wherever_the_row_stands_that_decides() {
    for case in CASES {
        let lab = Lab::new();
        lab.write("users.csv", csv(case.value));
        // `pack` finds the types before it checks a row.
        let pack = [["pack", "users.csv", "--out", "bodies"].as_slice(), &UNLIMITED].concat();
        let packed = lab.report(1, &pack);
        for threads in ["1", "2", "3", "8"] {
            let own = ["validate", "users.csv", "--threads", threads];
            let report = lab.report(1, &[own.as_slice(), &UNLIMITED].concat());
            let about = format!("{}, {threads} threads", case.name);
            for part in ["rows", "elements", "bodies", "problems", "plan"] {
                assert_eq!(report[part], packed[part], "{part} of {about}");
            }
            assert_eq!(report["rows"]["read"], ROWS, "{about}");
            assert_eq!(report["rows"]["rejected"], 4, "{about}");
            let problems = report["problems"].as_array().expect("problems");
            let minority = problems.iter().find(|problem| problem["code"] == "type-minority");
            let minority = minority.map(|problem| {
                let first = problem["first"][0]["row"].as_u64();
                (problem["count"].as_u64().expect("a count"), first.expect("a row"))
            });
            assert_eq!(minority, case.minority, "{about}");
            let dir = |report: &serde_json::Value| report["run_dir"].as_str().unwrap().to_owned();
            for file in ["rejects.csv", "resolved-mapping.toml"] {
                let [one, other] = [&report, &packed].map(|report| {
                    String::from_utf8(lab.read(&format!("{}/{file}", dir(report)))).expect("UTF-8")
                });
                assert_eq!(one, other, "{file} of {about}");
            }
            let mapping = lab.read(&format!("{}/resolved-mapping.toml", dir(&report)));
            let mapping: toml::Table =
                toml::from_str(std::str::from_utf8(&mapping).expect("UTF-8")).expect("TOML");
            let column = mapping["columns"]["v"].as_table().expect("an entry");
            let found = column.get("type").map_or("string", |value| value.as_str().expect("text"));
            assert_eq!(found, case.value_type, "{about}");
        }
        let told = lab.run(
            &[
                ["validate", "users.csv", "--log-level", "info", "--progress", "off"].as_slice(),
                &UNLIMITED,
            ]
            .concat(),
        );
        assert_eq!(told.stderr.contains(AGAIN), case.guessed_wrong, "{}", case.name);
    }
}

/// What an import sends is what was checked, also where the check was made twice.
#[test]
fn an_import_sends_the_types_of_all_rows() {
    let lab = Lab::new();
    lab.write("users.csv", csv(CASES[2].value));
    let (report, elements) = lab.import(1, &["users.csv"]);
    assert_eq!(report["rows"]["delivered"], ROWS - 4);
    let is_text = |element: &&Json| matches!(element.get("attributes").get("v"), Json::Text(_));
    assert_eq!(elements.iter().filter(is_text).count(), ROWS - 4, "all of them as string");
}

#[test]
fn event_names_are_those_of_rows_that_are_sound_with_the_types_of_all_rows() {
    let lab = Lab::new();
    let mut csv = "customer_id,action,user_time,v\n".to_owned();
    let mut push = |row: usize, name: &str, value: &str| {
        let _ = writeln!(csv, "user-{row},{name},2026-01-02T03:04:05Z,{value}");
    };
    // As text, these dates are not what the server takes for one; as date-times they are sound.
    const EARLY: usize = 600;
    for row in 0..EARLY {
        push(row, &format!("early {row}"), "2025-01-31T10:00:00+02:00");
    }
    for row in EARLY..ROWS {
        push(row, &format!("late {}", row % 512), "2025-01-31");
    }
    push(ROWS, "late 0", "a word");
    lab.write("events.csv", csv);
    let own = ["events.csv", "--kind", "events", "--strict"];
    let pack = [["pack"].as_slice(), &own, &["--out", "bodies"], &UNLIMITED].concat();
    let packed = lab.report(1, &pack);
    assert_eq!(packed["rows"]["accepted"], ROWS + 1 - EARLY);
    for threads in ["1", "3"] {
        let own = [["validate"].as_slice(), &own, &["--threads", threads], &UNLIMITED].concat();
        let report = lab.report(1, &own);
        for part in ["rows", "elements", "bodies", "problems"] {
            assert_eq!(report[part], packed[part], "{part}, {threads} threads");
        }
    }
    let told = lab.run(
        &[["validate", "--log-level", "info", "--progress", "off"].as_slice(), &own, &UNLIMITED]
            .concat(),
    );
    assert!(told.stderr.contains(AGAIN), "{}", told.stderr);
}
