//! `moebulk init`, over the real binary: what it writes can be used as it is, says what the files
//! hold, and leaves open what two readings fit.

mod corpora;
mod files;
#[path = "../common/missing.rs"]
mod missing;
mod proposals;
mod statistics;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;

use support::{Lab, Ran};

/// Runs `init` and returns what it wrote.
fn init(lab: &Lab, args: &[&str]) -> String {
    let ran = lab.run(&[&["init", "--progress", "off", "--out", "-"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    String::from_utf8(ran.stdout).expect("UTF-8")
}

/// The mapping that it writes for one CSV file.
fn mapping_of(csv: &str, args: &[&str]) -> toml::Table {
    let lab = Lab::new();
    lab.write("in.csv", csv);
    let text = init(&lab, &[&["in.csv", "--format", "mapping"], args].concat());
    text.parse().unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// The entry of a column, as it would be written.
fn entry(mapping: &toml::Table, column: &str) -> String {
    let entry = mapping["columns"].get(column).unwrap_or_else(|| panic!("no {column}"));
    let parts = entry.as_table().expect("a table").iter();
    parts.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The comment above a column, unwrapped.
fn comment(text: &str, column: &str) -> String {
    let start = format!("{column} = {{");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with(&start));
    let at = at.unwrap_or_else(|| panic!("no {column}:\n{text}"));
    let above: Vec<_> =
        lines[..at].iter().rev().map_while(|line| line.strip_prefix("# ")).map(str::trim).collect();
    above.into_iter().rev().collect::<Vec<_>>().join(" ")
}

/// Packs, with or without a mapping; what comes out.
fn pack(lab: &Lab, args: &[&str]) -> (Ran, Vec<u8>) {
    let own = ["--out", "bodies", "--progress", "off", "--run-dir", "run"];
    let ran = lab.run(&[&["pack"], args, own.as_slice()].concat());
    let bodies = if lab.path("bodies").exists() { lab.read("bodies") } else { Vec::new() };
    (ran, bodies)
}
