//! Determinism, and bodies that are full to the byte.

use xxhash_rust::xxh3::xxh3_128;

use crate::data::{self, PLAIN};
use crate::support::{Lab, UNLIMITED, raw_elements};

/// xxh3-128 over the concatenated 16-byte big-endian xxh3-128 of each body.
fn digest(bodies: &[u8]) -> String {
    let lines = bodies.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let hashes: Vec<u8> = lines.flat_map(|line| xxh3_128(line).to_be_bytes()).collect();
    format!("{:032x}", xxh3_128(&hashes))
}

/// Packs with several numbers of threads; all give the same bytes, and the digest of
/// those bytes is the one that every command reports.
fn same_bodies(lab: &Lab, code: i32, args: &[&str]) -> Vec<u8> {
    let packed = |threads: &str| {
        let own = ["--out", "bodies", "--threads", threads];
        let report = lab.report(code, &[["pack"].as_slice(), args, &own, &UNLIMITED].concat());
        (lab.read("bodies"), report["bodies"]["digest"].as_str().expect("a digest").to_owned())
    };
    let (first, reported) = packed("1");
    assert_eq!(reported, digest(&first));
    for threads in ["2", "3", "8"] {
        let (bodies, again) = packed(threads);
        assert!(bodies == first, "{threads} threads give other bytes");
        assert_eq!(again, reported);
    }
    let stdout = lab.run(&[["pack"].as_slice(), args, &["--out", "-"], &UNLIMITED].concat());
    assert_eq!(stdout.code, code, "{}", stdout.stderr);
    assert!(stdout.stdout == first, "stdout has other bytes than the file");
    let checked = lab.report(code, &[["validate"].as_slice(), args, &UNLIMITED].concat());
    assert_eq!(checked["bodies"]["digest"], reported.as_str());
    let (imported, _) = lab.import(code, args);
    assert_eq!(imported["bodies"]["digest"], reported.as_str());
    first
}

/// No body is over the limit; but for the last and those at a cut none could have taken
/// the next element.
fn assert_full(bodies: &[u8], limit: usize, cut: Option<usize>) {
    let text = std::str::from_utf8(bodies).expect("UTF-8");
    let bodies: Vec<(usize, Vec<&str>)> =
        text.lines().map(|body| (body.len(), raw_elements(body))).collect();
    let mut count = 0;
    for (at, (len, elements)) in bodies.iter().enumerate() {
        assert!(*len <= limit, "body {at} has {len} bytes");
        assert!(!elements.is_empty());
        count += elements.len();
        let at_cut = cut.is_some_and(|cut| count.is_multiple_of(cut));
        if let Some((_, next)) = bodies.get(at + 1).filter(|_| !at_cut) {
            assert!(len + 1 + next[0].len() > limit, "body {at} had room for one more");
        }
    }
}

#[test]
fn the_same_bodies_for_any_number_of_threads() {
    let lab = Lab::new();
    lab.write("users.csv", data::csv_bytes(&data::users(11, 4_000, false), PLAIN, 11).0);
    lab.write("events.csv", data::csv_bytes(&data::events(12, 4_000), PLAIN, 12).0);
    data::users_parquet(&lab.path("users.parquet"), 13, 4_000);
    data::events_parquet(&lab.path("events.parquet"), 14, 4_000);
    lab.copy_samples();
    let inputs: [(i32, &[&str]); 5] = [
        (1, &["users.csv"]),
        (0, &["events.csv", "--kind", "events"]),
        (1, &["users.parquet"]),
        (1, &["events.parquet", "--kind", "events"]),
        (1, &["customers-dirty.csv", "--mapping", "users-mapping.json"]),
    ];
    for (code, args) in inputs {
        let bodies = same_bodies(&lab, code, args);
        assert_full(&bodies, 100_000, None);
    }
}

#[test]
fn bodies_are_full_to_the_limit_and_end_at_every_cut() {
    let lab = Lab::new();
    lab.write("users.csv", data::csv_bytes(&data::users(21, 3_000, false), PLAIN, 21).0);
    for limit in ["1000", "5000", "33333", "100000"] {
        let args = ["users.csv", "--max-body-bytes", limit, "--out", "bodies"];
        let flags = [["pack"].as_slice(), &args, &UNLIMITED].concat();
        lab.report(1, &flags);
        assert_full(&lab.read("bodies"), limit.parse().expect("a number"), None);
    }
    // The rates are the cut counts where no others are given.
    for (flag, cut) in [("--cut-users", 70), ("--users-per-minute", 250)] {
        let count = cut.to_string();
        lab.report(1, &["pack", "users.csv", flag, &count, "--out", "bodies"]);
        assert_full(&lab.read("bodies"), 100_000, Some(cut));
    }
}
