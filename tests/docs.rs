//! What the documents promise of the command line is what the binary does.

#[path = "common/documents.rs"]
mod documents;
#[path = "common/missing.rs"]
mod missing;

use std::{fs, path::Path, process::Command};

use moebulk::model::{Code, Kind};
use moebulk::send::ASKED_MS_MAX;
use moebulk::shape::mapping;
use moebulk::wire::limits;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .args(command)
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .expect("the binary runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn the_reference_holds_the_help_of_every_command() {
    let reference = read("docs/reference.md");
    let commands = ["", "import", "validate", "pack", "check", "sandbox", "status", "config"];
    let others =
        ["runs", "runs list", "runs prune", "state", "state stats", "state verify", "state forget"];
    for command in commands.into_iter().chain(others).chain(["init", "completions", "man"]) {
        let command: Vec<&str> = command.split_whitespace().collect();
        let name = [&["moebulk"], command.as_slice()].concat().join(" ");
        let stated = reference
            .split_once(&format!("## {name}\n\n```text\n"))
            .and_then(|(_, rest)| rest.split_once("\n```\n"))
            .map(|(text, _)| text);
        assert_eq!(stated, Some(help(&command).as_str()), "docs/reference.md, {name}");
    }
}

#[test]
fn the_readme_names_every_command_and_exit_code() {
    let readme = read("README.md");
    let commands = ["import", "validate", "pack", "check", "sandbox", "status", "config"];
    for command in commands.into_iter().chain(["init", "runs", "state", "completions", "man"]) {
        assert!(readme.contains(&format!("| `moebulk {command}")), "{command}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "70", "130, 143", "141"] {
        assert!(readme.contains(&format!("\n| {code} | ")), "exit code {code}");
    }
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = read("README.md");
    let first = readme.split("```").nth(1).expect("a code block");
    let commands: Vec<_> = first
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .collect();
    assert_eq!(
        commands,
        ["cargo run --release -- import samples/customers.csv --sandbox", "cargo test"]
    );
}

/// Code, severity and help of every entry of docs/problems.md, in order.
#[test]
fn every_problem_code_has_its_entry() {
    let document = read("docs/problems.md");
    let entries: Vec<(&str, &str)> = document
        .split("\n### `")
        .skip(1)
        .map(|entry| entry.split_once("`\n\n").expect("a code, a blank line, its text"))
        .collect();
    for code in Code::ALL {
        let found: Vec<_> = entries.iter().filter(|(name, _)| *name == code.as_str()).collect();
        assert_eq!(found.len(), 1, "docs/problems.md: entries of `{code}` (there has to be one)");
        let text = found[0].1.split("\n## ").next().unwrap_or_default();
        let said = format!("**{}**: {}\n", code.severity().as_str(), code.help());
        assert!(text.starts_with(&said), "docs/problems.md, `{code}` does not begin with: {said}");
        for part in ["Why", "Fix", "Example", "Flags"] {
            assert_eq!(text.matches(&format!("\n- {part}: ")).count(), 1, "`{code}`: {part}");
        }
    }
    for (name, _) in &entries {
        let known = Code::ALL.iter().any(|code| code.as_str() == *name);
        assert!(known, "docs/problems.md has an entry `{name}`, which is no code");
    }
}

fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let parts = document.split(fence.as_str()).skip(1);
    parts.map(|rest| rest.split("\n```").next().expect("a block")).collect()
}

#[test]
fn every_mapping_in_the_documents_can_be_used() {
    let document = read("docs/mapping.md");
    let mut kinds = Vec::new();
    for text in blocks(&document, "toml") {
        let mapping = mapping::parse(text, None).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        kinds.extend(mapping.kind);
    }
    assert_eq!(kinds, [Kind::Users, Kind::Events, Kind::Devices, Kind::Users]);
    let json = blocks(&document, "json");
    assert_eq!(json.len(), 1);
    let mapping = mapping::parse(json[0], Some(Kind::Users)).expect("sound");
    assert_eq!(mapping.columns.len(), 4);

    // The tables name every key, and those that are used somewhere above.
    let source = read("src/shape/mapping/own.rs");
    let (_, fields) = source.split_once("struct File {").expect("the file's keys");
    let (fields, _) = fields.split_once("/// The name of an attribute").expect("the entry's keys");
    let keys: Vec<&str> = fields
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "))
        .map(|(name, _)| match name {
            "true_words" => "true",
            "false_words" => "false",
            "value" => "type",
            name => name,
        })
        .collect();
    assert!(keys.len() >= 22, "{keys:?}");
    for key in keys {
        let row = [format!("\n| `{key}`"), format!("\n| `[{key}]`"), format!(", `{key}` |")];
        let is_named = row.iter().any(|start| document.contains(start));
        assert!(is_named, "docs/mapping.md: no row for `{key}`");
    }
}

/// The name by which a heading is linked.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.to_lowercase().chars().filter(kept).collect::<String>().trim().replace(' ', "-")
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for name in documents::all() {
        let document = read(&name);
        for link in document.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.starts_with("http") {
                continue;
            }
            count += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root.join(&name),
                path => root.join(&name).parent().expect("a directory").join(path),
            };
            assert!(target.exists(), "{name}: no file at {link}");
            if heading.is_empty() {
                continue;
            }
            let text = fs::read_to_string(&target).expect("a document");
            let mut headings = text.lines().filter(|line| line.starts_with('#'));
            let is_there = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
            assert!(is_there, "{name}: no heading at {link}");
        }
    }
    assert!(count > 100, "{count} links");
}

/// The pictures of the README: there, small enough for a page, and told in words.
#[test]
fn every_picture_is_shown_and_told() {
    let readme = read("README.md");
    let mut shown: Vec<&str> = Vec::new();
    for picture in readme.split("![").skip(1) {
        let (words, rest) = picture.split_once("](").expect("a picture's address");
        let path = rest.split(')').next().unwrap_or_default();
        assert!(words.len() > 40, "{path} is told in: {words}");
        shown.push(path);
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    let mut there: Vec<String> = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".png") {
            let bytes = fs::read(entry.path()).expect("a picture");
            assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{name} is no PNG");
            assert!(bytes.len() < 150_000, "{name} has {} bytes", bytes.len());
            there.push(format!("docs/images/{name}"));
        }
    }
    shown.sort_unstable();
    there.sort_unstable();
    assert_eq!(shown, there);
}

#[test]
fn the_readme_lists_every_document() {
    let readme = read("README.md");
    for name in documents::all().into_iter().filter(|name| name.starts_with("docs/")) {
        assert!(readme.contains(&format!("]({name})")), "README.md does not list {name}");
    }
}

/// A number with a comma after every third digit from the right.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[test]
fn the_explanations_have_the_figures_of_the_code() {
    let (pacing, shares) = (read("docs/explanation/pacing.md"), read("docs/explanation/shares.md"));
    let raised = read("docs/guides/raised-limits.md");
    let says = |document: &str, words: String| assert!(document.contains(&words), "{words}");
    let [users, events] = [limits::USERS_PER_MINUTE, limits::EVENTS_PER_MINUTE].map(thousands);
    says(&pacing, format!("The defaults are {users} users and {events} events"));
    says(&pacing, format!("{} minutes at most", ASKED_MS_MAX / 60_000));
    says(&raised, format!("moebulk assumes {users} users and {events} events"));
    // The first budget goes at once.
    let minutes = |rate: u64| 40_000_000_u64.div_ceil(rate) - 1;
    let base = minutes(limits::USERS_PER_MINUTE);
    says(&pacing, format!("40 million take {} minutes", thousands(base)));
    for rate in [1_000, 10_000, 60_000] {
        let time = moebulk::progress::duration(minutes(rate) * 60);
        says(&raised, format!("\n| {} | {time} |\n", thousands(rate)));
    }
    let [(1, minute), (5, five), (60, hour), (1_440, day)] =
        limits::FAIR_USE.map(|(minutes, requests)| (minutes, thousands(requests)))
    else {
        panic!("other windows of fair use: docs/explanation/shares.md names them");
    };
    says(
        &shares,
        format!(
            "{minute} data requests a minute, {five} in 5 minutes, {hour} an hour, {day} a day"
        ),
    );
}

/// The units of systemd that a guide shows, each behind a line with its path.
#[test]
fn units_of_systemd_are_sound() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let guide = read("docs/guides/nightly.md");
    let mut units = Vec::new();
    for block in blocks(&guide, "ini") {
        for unit in block.split("# /etc/systemd/system/").skip(1) {
            let (name, text) = unit.split_once('\n').expect("a name");
            let path = dir.path().join(name);
            fs::write(&path, text).expect("a unit");
            units.push(path);
        }
    }
    assert_eq!(units.len(), 2, "a service and a timer");
    match Command::new("systemd-analyze").arg("verify").args(&units).output() {
        Err(error) => {
            missing::skip("units of systemd", &format!("there is no systemd-analyze: {error}"))
        }
        Ok(said) => {
            let text = String::from_utf8_lossy(&said.stderr);
            // Other units of the machine are looked at too; of these nothing may be said.
            assert!(!text.contains("moebulk"), "{text}");
        }
    }
}
