//! `docs/contract-coverage.md` is held to the sources, the help and the problem codes.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use moebulk::model::Code;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn document() -> String {
    read("docs/contract-coverage.md")
}

/// Rows of the tables, heads and rules left out, with the section they stand in.
fn lines(text: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.to_owned();
        } else if line.starts_with("| ") && !line.ends_with("| test |") && !line.ends_with("| |") {
            lines.push((section.clone(), line.to_owned()));
        }
    }
    lines
}

/// The `file.rs::test` that a line names.
fn tests_of(line: &str) -> Vec<(&str, &str)> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once("::")).collect()
}

/// Whether a file has a test of that name, be it by attribute or by the macro of the seeds.
fn has_test(source: &str, name: &str) -> bool {
    let by_seed = name.starts_with("seed_") && source.contains(&format!("{name} "));
    let function = format!("fn {name}(");
    let is_test = source.find(&function).is_some_and(|at| {
        let before: Vec<&str> = source[..at].lines().rev().take(4).collect();
        before.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
    });
    by_seed || is_test
}

#[test]
fn every_line_names_tests_that_exist() {
    let text = document();
    let lines = lines(&text);
    assert!(lines.len() > 150, "{} lines", lines.len());
    for (section, line) in &lines {
        if section == "Planned" {
            assert!(line.ends_with("| planned |"), "{line}");
            continue;
        }
        let tests = tests_of(line);
        assert!(!tests.is_empty(), "no test: {line}");
        for (file, name) in tests {
            assert!(has_test(&read(file), name), "{file} has no test {name}: {line}");
        }
    }
}

#[test]
fn every_flag_has_a_line() {
    let text = document();
    let mut flags = BTreeSet::new();
    for command in ["import", "validate", "pack", "sandbox", "status", "check"] {
        let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .args([command, "--help"])
            .output()
            .expect("the binary runs");
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        for line in help.lines().map(str::trim_start) {
            let line = line.strip_prefix("-h, ").unwrap_or(line);
            if line.starts_with("--") {
                let end = line.find([' ', '=', '[']).unwrap_or(line.len());
                flags.insert(line[..end].to_owned());
            }
        }
    }
    assert!(flags.len() > 40, "{flags:?}");
    for flag in flags {
        let stands = [format!("`{flag}`"), format!("`{flag} ")].iter().any(|s| text.contains(s));
        assert!(stands, "{flag} has no line");
    }
}

#[test]
fn every_problem_code_has_a_line() {
    let text = document();
    let lines: Vec<_> =
        lines(&text).into_iter().filter(|(section, _)| section == "Problem codes").collect();
    for code in Code::ALL {
        let stated = lines.iter().filter(|(_, line)| line.contains(&format!("`{code}`"))).count();
        assert!(stated == 1, "`{code}` stands in {stated} lines of Problem codes");
    }
}
