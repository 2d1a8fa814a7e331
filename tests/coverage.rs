//! `docs/contract-coverage.md` is held to the sources, the help and the problem codes.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use moebulk::{
    model::Code,
    shape::datetime::DateFormat,
    wire::{ids, names},
};

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

/// What a line promises: its first cell. A bar inside of it is escaped.
fn promise(line: &str) -> &str {
    let mut ends = line.match_indices(" | ").map(|(at, _)| at);
    line.get(2..ends.next().unwrap_or(line.len())).expect("a cell")
}

/// The promises of a section.
fn promises(section: &str) -> Vec<String> {
    let text = document();
    let all = lines(&text).into_iter().filter(|(name, _)| name == section);
    let found: Vec<_> = all.map(|(_, line)| promise(&line).to_owned()).collect();
    assert!(!found.is_empty(), "no section {section}");
    found
}

/// Asserts that each of these is promised in a section, and by how many lines.
fn assert_promised<T: AsRef<str>>(section: &str, all: impl IntoIterator<Item = T>) -> usize {
    let found = promises(section);
    let mut count = 0;
    for one in all {
        let one = one.as_ref();
        assert!(found.iter().any(|line| line.contains(one)), "{section}: no line has {one}");
        count += 1;
    }
    count
}

/// Whether a file has a test of that name, be it by attribute or by the macro of the seeds.
fn has_test(source: &str, name: &str) -> bool {
    let by_seed = name.starts_with("seed_") && source.contains(&format!("{name} "));
    let function = format!("fn {name}(");
    let is_test = source.find(&function).is_some_and(|at| {
        let before: Vec<&str> = source[..at].lines().rev().take(4).collect();
        let is_run = !before.iter().any(|line| line.contains("#[ignore"));
        is_run
            && before.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
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

/// The flags of every command's help.
fn flags_of_help() -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for command in [
        "import",
        "validate",
        "pack",
        "init",
        "sandbox",
        "status",
        "check",
        "state stats",
        "state forget",
        "runs prune",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .args(command.split(' ').chain(["--help"]))
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
    flags
}

/// Both ways: a flag without a line, and a line of a flag that there is no more.
#[test]
fn every_flag_has_a_line() {
    let flags = flags_of_help();
    let text = document();
    let mut promised = BTreeSet::new();
    for (_, line) in lines(&text).iter().filter(|(section, _)| section != "Planned") {
        for span in promise(line).split('`').skip(1).step_by(2) {
            let name = span.split(' ').find(|word| word.starts_with("--"));
            promised.extend(name.map(str::to_owned));
        }
    }
    let missing: Vec<_> = flags.difference(&promised).collect();
    assert!(missing.is_empty(), "without a line: {missing:?}");
    let gone: Vec<_> = promised.difference(&flags).collect();
    assert!(gone.is_empty(), "no flag of any command: {gone:?}");
}

/// The first cells of the contract's two tables, by what each begins with.
#[test]
fn every_row_of_values_and_replies_has_a_line() {
    let values = ["`string`: ", "`double`: ", "`bool`: ", "`datetime`: ", "`array`: ", "`json`: "];
    let replies = [
        "2xx, whole, JSON `status` = `success`",
        "2xx otherwise",
        "429: ",
        "5xx, 408, timeout, broken connection",
        "413; 400 `MissingAttributeError`, `TypeError`, `AttributeError` or an unlisted type",
        "401, 403, 409, 415, 3xx, other 4xx, other listed 400",
    ];
    for (section, all) in [("Values", values), ("Replies", replies)] {
        let found = promises(section);
        for one in all {
            assert!(found.iter().any(|line| line.starts_with(one)), "{section}: no line {one}");
        }
    }
}

/// The rows as `tests/verdicts/api_table.rs` plays them, each in one line.
#[test]
fn every_row_of_the_responses_has_a_line() {
    let source = read("tests/verdicts/api_table.rs");
    let found = promises("Responses");
    let mut count = 0;
    for row in source.lines().filter_map(|line| line.trim().strip_prefix("row(")) {
        let Some((code, rest)) = row.split_once(", ").filter(|_| row.contains("Verdict::")) else {
            continue;
        };
        let texts: Vec<_> = rest.split('"').collect();
        let start = format!("{code} `{}`: {} →", texts[1], texts[3]);
        let stated = found.iter().filter(|line| line.starts_with(&start)).count();
        assert_eq!(stated, 1, "lines of {start}");
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test]
fn every_name_and_form_has_a_line() {
    let spans = |texts: Vec<String>| texts.into_iter().map(|text| format!("`{text}`"));
    let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let ids: Vec<_> = ids::DISALLOWED.into_iter().filter(|id| !id.is_empty()).collect();
    assert_eq!(assert_promised("customer_id", spans(own(&ids))), 21);
    assert_promised("customer_id", ["the empty one"]);
    let standard = names::STANDARD_ATTRIBUTES.map(|(name, _)| name);
    assert_eq!(assert_promised("Standard attributes", spans(own(&standard))), 20);
    assert_eq!(assert_promised("Mapping files", spans(DateFormat::names().collect())), 24);

    // The keys, as the tables of docs/mapping.md have them.
    let mapping = read("docs/mapping.md");
    let mut keys = BTreeSet::new();
    let mut is_table = false;
    for line in mapping.lines() {
        is_table = line.starts_with("| ") && (is_table || line == "| key | means |")
            || is_table && line.starts_with("|---");
        if is_table && line.starts_with("| `") {
            let cell = promise(line).split('`').skip(1).step_by(2);
            keys.extend(cell.map(str::to_owned));
        }
    }
    assert!(keys.len() > 20 && keys.contains("separator"), "{keys:?}");
    assert_promised("Mapping files", spans(keys.into_iter().collect()));

    // The fields of a report, as one that is written has them.
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("users.csv"), "customer_id\nuser-1\nnull\n")
        .expect("rows");
    let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .args(["import", "users.csv", "--sandbox", "--output", "json"])
        .current_dir(directory.path())
        .output()
        .expect("the binary runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let top = report.as_object().expect("an object");
    assert_promised("report.json", spans(top.keys().cloned().collect()));
    for part in ["rows", "elements", "bodies", "plan", "requests", "timing"] {
        let inner = report[part].as_object().expect(part);
        assert_promised("report.json", spans(inner.keys().cloned().collect()));
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
