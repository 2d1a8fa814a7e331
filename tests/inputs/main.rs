//! Where inputs may be, through the real binary: the same rows give the same bodies, whether they
//! lie in a file, are compressed, or come in.
#![cfg(unix)]

mod compressed;
#[path = "../common/missing.rs"]
mod missing;
mod mistaken;
mod moto;
#[path = "../common/moto.rs"]
mod moto_server;
mod partitions;
mod remote;
mod server;
mod stdin;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;
mod uuids;

use std::{fs, io::Write, path::Path};

use support::{Lab, UNLIMITED};

/// Users as CSV: an id and a city each, from some number on.
fn users(from: usize, count: usize) -> String {
    let mut text = String::from("customer_id,city\n");
    for at in from..from + count {
        text.push_str(&format!("user-{at:06},\"Oslo {}\"\n", at % 97));
    }
    text
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(4));
    to.write_all(content).expect("compressed");
    to.finish().expect("compressed")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 3).expect("compressed")
}

/// The bodies that a pack makes, and whether all of its rows were good.
fn packed(lab: &Lab, args: &[&str]) -> Vec<u8> {
    let out = ["--out", "bodies", "--progress", "off"];
    let ran = lab.run(&[["pack"].as_slice(), args, &out, &UNLIMITED].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    lab.read("bodies")
}

/// All files below a directory, by their paths in it, sorted.
fn tree(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let entry = entry.expect("an entry").path();
            if entry.is_dir() {
                open.push(entry);
            } else {
                found.push(entry.strip_prefix(path).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Whether a run directory holds anything of a spool.
fn has_spool(lab: &Lab, run_dir: &str) -> bool {
    lab.path(run_dir).join("spool").exists()
}
