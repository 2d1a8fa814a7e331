//! `--limit` and `--offset`: a pilot and what it left are the whole import, each row once.

use crate::{
    data::{self, Form, PLAIN},
    reference::{Cell, Expected, Row, Rules, Table, expect, read_parquet},
    support::{Json, Lab, Sandbox, UNLIMITED, assert_same},
};

const INPUTS: [&str; 3] = ["a.csv", "b.parquet", "c.csv"];

/// Rows of the inputs, damaged stretches included; the Parquet file has two row groups.
const ROWS: [usize; 3] = [700, 650, 400];
const GROUP: usize = 611;

/// Three files with rejects and damage. Nothing before the last one tells that `orders` is text.
fn write(lab: &Lab) -> Expected {
    let first = data::users(31, ROWS[0], false);
    lab.write(INPUTS[0], data::csv_bytes(&first, PLAIN, 31).0);
    data::users_parquet(&lab.path(INPUTS[1]), 32, ROWS[1]);
    let mut last = data::users(33, ROWS[2], false);
    let orders = last.columns.iter().position(|name| name == "orders").expect("orders");
    for row in &mut last.rows {
        if let Row::Cells(cells) = row {
            cells[orders] = Cell::Text("a few".to_owned());
        }
    }
    lab.write(INPUTS[2], data::csv_bytes(&last, Form { line_end: "\r\n", ..PLAIN }, 33).0);
    let tables: [Table; 3] = [first, read_parquet(&lab.path(INPUTS[1])), last];
    expect(&tables, None, &Rules::default())
}

/// Packs the rows of a window: the report, and the elements.
fn packed(lab: &Lab, expected: &Expected, offset: usize, limit: Option<usize>) -> [u64; 3] {
    let total = expected.rejects.len();
    let start = offset.min(total);
    let end = limit.map_or(total, |limit| (offset + limit).min(total));
    let accepted = |rows: &[bool]| rows.iter().filter(|&&rejected| !rejected).count();
    let before = accepted(&expected.rejects[..start]);
    let inside = accepted(&expected.rejects[start..end]);

    let (offset, limit) = (offset.to_string(), limit.map(|limit| limit.to_string()));
    let mut args = [INPUTS.as_slice(), &["--offset", &offset]].concat();
    args.extend(limit.iter().flat_map(|limit| ["--limit", limit]));
    let code = i32::from(inside < end - start);
    let (report, found) = lab.pack(code, &args);
    assert_same(&expected.elements[before..before + inside], &found);
    let by_file: u64 = report["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| input["rows"].as_u64().expect("a count"))
        .sum();
    assert_eq!(by_file, (end - start) as u64, "rows by file");
    ["read", "accepted", "rejected"].map(|name| report["rows"][name].as_u64().expect("a count"))
}

#[test]
fn a_pilot_and_what_it_left_are_the_whole() {
    let lab = Lab::new();
    let expected = write(&lab);
    let total = expected.rejects.len();
    assert_eq!(total, ROWS.iter().sum::<usize>());
    let orders = expected.elements[0].get("attributes").get("orders");
    assert!(matches!(orders, Json::Text(_)), "text by its last file alone: {orders:?}");
    let whole = packed(&lab, &expected, 0, None);
    assert_eq!(whole, [expected.read, expected.read - expected.rejected, expected.rejected]);
    // Inside of a file and on the edges of files and row groups.
    let [first, second, _] = ROWS;
    for pilot in
        [0, 1, 333, first - 1, first, first + 1, first + GROUP, first + second, total, total + 9]
    {
        let did = packed(&lab, &expected, 0, Some(pilot));
        let left = packed(&lab, &expected, pilot, None);
        let sum: Vec<u64> = did.iter().zip(&left).map(|(did, left)| did + left).collect();
        assert_eq!(sum, whole, "a pilot of {pilot}");
    }
    // A window in the middle, over all three files.
    packed(&lab, &expected, first - 5, Some(second + 10));
}

#[test]
fn a_damaged_stretch_is_one_row_of_a_window() {
    let lab = Lab::new();
    lab.write("users.csv", "customer_id,n\nuser-1,1\nuser-2,2,2\nuser-3,3\n\nuser-4\nuser-5,5\n");
    let ids = |args: &[&str], rejected: u64| -> Vec<String> {
        let code = i32::from(rejected > 0);
        let (report, found) = lab.pack(code, &[["users.csv"].as_slice(), args].concat());
        assert_eq!(report["rows"]["rejected"], rejected, "{args:?}");
        let id = |element: &Json| match element.get("customer_id") {
            Json::Text(id) => id.clone(),
            other => panic!("{other:?}"),
        };
        found.iter().map(id).collect()
    };
    assert_eq!(ids(&["--limit", "1"], 0), ["user-1"]);
    assert_eq!(ids(&["--limit", "2"], 1), ["user-1"]);
    assert_eq!(ids(&["--limit", "3"], 1), ["user-1", "user-3"]);
    assert_eq!(ids(&["--offset", "1", "--limit", "2"], 1), ["user-3"]);
    assert_eq!(ids(&["--offset", "2"], 1), ["user-3", "user-5"]);
    assert_eq!(ids(&["--offset", "4"], 0), ["user-5"]);
    assert_eq!(ids(&["--offset", "5"], 0), [""; 0]);
}

/// As it is done: the same command twice, with the run directory that it chooses itself.
#[test]
fn a_pilot_is_imported_and_then_the_rest() {
    let lab = Lab::new();
    let expected = write(&lab);
    let sandbox = Sandbox::start(&lab);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--connections", "1"];
    let args = [["import"].as_slice(), &INPUTS, &to, &UNLIMITED, &["--yes"]].concat();
    for window in [["--limit", "777"], ["--offset", "777"]] {
        let ran = lab.run(&[args.as_slice(), &window].concat());
        assert_eq!(ran.code, 1, "{window:?}: {}", ran.stderr);
    }
    let found: Vec<Json> = sandbox.records().into_iter().map(|(_, element)| element).collect();
    assert_same(&expected.elements, &found);
    assert_eq!(sandbox.violations(), "");
}
