//! The same bodies, rejects and report for any number of threads, and the same digest as the rows
//! have in CSV.

use std::fmt::Write;

use crate::support::{Lab, UNLIMITED};

/// Lines of many stretches, sound and not, with blank ones between them, and one that is longer
/// than several stretches.
fn lines(rows: usize, seed: u64) -> String {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut text = String::new();
    for at in 0..rows {
        let name: String = (0..rng.usize(0..60)).map(|_| rng.alphabetic()).collect();
        match rng.u8(..40) {
            0 => text.push_str("\r\n"),
            1 => text.push_str("{\"customer_id\":\n"),
            2 => writeln!(text, "{{\"name\":\"{name}\"}}").expect("a text"),
            3 => writeln!(
                text,
                "{{\"customer_id\":\"user-{at}\",\"extra {}\":[1,{{\"a\":\"\\u00e9\"}}]}}",
                at % 7
            )
            .expect("a text"),
            _ => writeln!(
                text,
                "{{\"customer_id\":\"user-{at}\",\"name\":\"{name}\",\"n\":{at}.50,\"b\":{}}}",
                rng.bool()
            )
            .expect("a text"),
        }
        if at == rows / 2 {
            let long = "y".repeat(900_000);
            writeln!(text, "{{\"customer_id\":\"user-long\",\"skipped\":\"{long}\"}}")
                .expect("a text");
        }
    }
    text
}

#[test]
fn any_number_of_threads_finds_the_same() {
    let lab = Lab::new();
    lab.write("a.ndjson", lines(20_000, 1));
    lab.write("b.ndjson", lines(3_000, 2));
    lab.write("map.toml", "[columns]\ncustomer_id = {}\nname = {}\nn = { type = \"double\" }\nb = { type = \"bool\" }\n");
    for args in [
        ["a.ndjson", "b.ndjson"].as_slice(),
        &["a.ndjson", "b.ndjson", "--mapping", "map.toml"],
        &["a.ndjson", "b.ndjson", "--offset", "11000", "--limit", "9700"],
    ] {
        let run = |threads: &str| {
            let own = ["--out", "bodies", "--threads", threads];
            let mut report = lab.report(1, &[["pack"].as_slice(), args, &UNLIMITED, &own].concat());
            let run_dir = report["run_dir"].as_str().expect("a directory").to_owned();
            for name in ["run_dir", "timing"] {
                report.as_object_mut().expect("an object").remove(name);
            }
            let file = |name: &str| lab.read(&format!("{run_dir}/{name}"));
            (report, lab.read("bodies"), file("rejects.ndjson"), file("damaged.txt"))
        };
        let first = run("1");
        assert!(first.0["rows"]["accepted"].as_u64().expect("a count") > 8_000);
        for threads in ["2", "3", "8"] {
            assert!(run(threads) == first, "{threads} threads, {args:?}");
        }
    }
}

#[test]
fn the_same_rows_in_csv_and_ndjson_have_one_digest() {
    let lab = Lab::new();
    let (mut csv, mut json) = ("customer_id,name,n,b,d\n".to_owned(), String::new());
    for at in 0..9_000 {
        let (name, b) = (format!("Zoë \"{at}\""), at % 3 == 0);
        writeln!(csv, "user-{at},\"{}\",{at}.50,{b},2024-01-02", name.replace('"', "\"\""))
            .expect("a text");
        let name = serde_json::to_string(&name).expect("JSON");
        // Dates have no type of their own in JSON: here one column has them as text.
        writeln!(json, "{{\"b\":{b},\"n\":{at}.50,\"customer_id\":\"user-{at}\",\"name\":{name},\"d\":\"2024-01-02\"}}").expect("a text");
    }
    lab.write("rows.csv", csv);
    lab.write("rows.ndjson", json);
    lab.write("map.toml", "[columns]\ncustomer_id = {}\nname = {}\nn = { type = \"double\" }\nb = { type = \"bool\" }\nd = { type = \"datetime\" }\n");
    let digest = |name: &str| {
        let (report, elements) = lab.pack(0, &[name, "--mapping", "map.toml"]);
        assert_eq!(elements.len(), 9_000);
        report["bodies"]["digest"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(digest("rows.csv"), digest("rows.ndjson"));
    // Packed, validated and imported, it is one pass.
    let (packed, _) = lab.pack(0, &["rows.ndjson"]);
    let (imported, elements) = lab.import(0, &["rows.ndjson"]);
    assert_eq!(packed["bodies"]["digest"], imported["bodies"]["digest"]);
    assert_eq!(elements.len(), 9_000);
}
