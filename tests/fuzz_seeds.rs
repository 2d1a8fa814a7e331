//! The seeds of the fuzz targets, and mutations of each, as ordinary tests; `fuzz/` runs the
//! same functions for longer.

use std::{fs, path::Path};

#[path = "../fuzz/targets.rs"]
mod targets;

/// Runs a target on every seed, and on a few mutations of each, the same on every machine.
fn run(target: &str, run: fn(&[u8]), mutations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder).expect("seeds").flatten().collect();
    seeds.sort_by_key(|seed| seed.path());
    assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
    let mut rng = fastrand::Rng::with_seed(7);
    for seed in seeds {
        let bytes = fs::read(seed.path()).expect("a seed");
        run(&bytes);
        for _ in 0..mutations {
            let mut bytes = bytes.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len().max(1));
                match rng.u8(..4) {
                    0 => bytes.truncate(at),
                    1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
                    2 if at < bytes.len() => bytes[at] = rng.u8(..),
                    _ => bytes.insert(at.min(bytes.len()), *rng.choice(b"\"\n,{}[]01").unwrap()),
                }
            }
            run(&bytes);
        }
    }
}

#[test]
fn the_splitter_agrees_with_itself_and_with_the_reference() {
    run("csv", targets::csv, 300);
}

#[test]
fn every_line_of_ndjson_is_a_row_or_blank() {
    run("ndjson", targets::ndjson, 200);
}

#[test]
fn broken_arrow_is_rows_or_an_error() {
    run("arrow", targets::arrow, 200);
}

#[test]
fn broken_parquet_is_rows_or_an_error() {
    run("parquet", targets::parquet, 60);
}

#[test]
fn broken_mappings_name_a_place() {
    run("mapping", targets::mapping, 200);
}

#[test]
fn a_recovered_checkpoint_is_a_state_that_it_was_in() {
    run("journal", targets::journal, 60);
}

#[test]
fn only_a_whole_document_is_a_delivery() {
    run("reply", targets::reply, 300);
}
