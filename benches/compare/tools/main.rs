//! What `run.py`, here and in `benches/changes`, needs beside moebulk and the peers: the files, made
//! from a seed; a bare loop over CSV records; and a server that takes bodies and counts them.

mod columns;
mod data;
mod nights;
mod rows;
mod sink;

use std::{env, error::Error, process::ExitCode};

use sink::Work;

const USAGE: &str = "usage: compare data DIR ROWS SEED | nights DIR ROWS [second] | csv-loop FILE | \
    sink LATENCY_MS [parse]";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), Box<dyn Error>> {
    match args {
        ["data", dir, rows, seed] => data::write(dir.as_ref(), rows.parse()?, seed.parse()?),
        ["nights", dir, rows] => nights::write(dir.as_ref(), rows.parse()?, true),
        ["nights", dir, rows, "second"] => nights::write(dir.as_ref(), rows.parse()?, false),
        ["csv-loop", file] => csv_loop(file),
        ["sink", latency_ms] => sink::serve(latency_ms.parse()?, Work::Read),
        ["sink", latency_ms, "parse"] => sink::serve(latency_ms.parse()?, Work::Parse),
        _ => Err(USAGE.into()),
    }
}

/// Reads every record as bytes and keeps nothing but their number: the least that a loader built
/// on the `csv` crate has to do.
fn csv_loop(file: &str) -> Result<(), Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let mut record = csv::ByteRecord::new();
    let mut rows = 0_u64;
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    println!("{{\"rows\":{rows}}}");
    Ok(())
}
