//! What the documents promise of the command line is what the binary does.

use std::{fs, path::Path, process::Command};

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
    let commands: [&[&str]; 7] =
        [&[], &["import"], &["validate"], &["pack"], &["check"], &["sandbox"], &["status"]];
    for command in commands {
        let name = [&["moebulk"], command].concat().join(" ");
        let stated = reference
            .split_once(&format!("## {name}\n\n```text\n"))
            .and_then(|(_, rest)| rest.split_once("\n```\n"))
            .map(|(text, _)| text);
        assert_eq!(stated, Some(help(command).as_str()), "docs/reference.md, {name}");
    }
}

#[test]
fn the_readme_names_every_command_and_exit_code() {
    let readme = read("README.md");
    for command in ["import", "validate", "pack", "check", "sandbox", "status"] {
        assert!(readme.contains(&format!("| `moebulk {command}")), "{command}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "70", "130, 143"] {
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
