//! NDJSON from the file to the bodies: what a line may be, the exact text of every value, what is
//! rejected and comes back to be mended, and the same for any number of threads.

mod columns;
mod exact;
mod lines;
mod rejects;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;
mod threads;

use std::collections::BTreeMap;

use support::{Json, Lab};

/// Rows by the code of their problem, in one severity.
fn rows_by_code(report: &serde_json::Value, severity: &str) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for problem in report["problems"].as_array().expect("problems") {
        if problem["severity"] != severity {
            continue;
        }
        let places = problem["first"].as_array().expect("places");
        let rows = places.iter().map(|place| place["row"].as_u64().expect("a row"));
        found.entry(problem["code"].as_str().expect("a code").to_owned()).or_default().extend(rows);
    }
    found
}

/// What is expected of it.
fn codes(expected: &[(&str, &[u64])]) -> BTreeMap<String, Vec<u64>> {
    expected.iter().map(|(code, rows)| ((*code).to_owned(), rows.to_vec())).collect()
}

/// The attributes that are sent, by customer.
fn attributes(elements: &[Json]) -> BTreeMap<String, Json> {
    let one = |element: &Json| {
        let Json::Text(id) = element.get("customer_id") else { panic!("no id in {element:?}") };
        (id.clone(), element.get("attributes").clone())
    };
    elements.iter().map(one).collect()
}

/// Packs some lines as `rows.ndjson`.
fn pack(code: i32, lines: impl AsRef<[u8]>, args: &[&str]) -> (Lab, serde_json::Value, Vec<Json>) {
    let lab = Lab::new();
    lab.write("rows.ndjson", lines);
    let (report, elements) = lab.pack(code, &[&["rows.ndjson"], args].concat());
    (lab, report, elements)
}
