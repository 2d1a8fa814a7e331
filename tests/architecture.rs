//! The rooms import what the table in ARCHITECTURE.md allows, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A room, and the rooms that it may import.
const ROOMS: [(&str, &[&str]); 15] = [
    ("model", &[]),
    ("wire", &["model"]),
    ("source", &["model"]),
    ("decode", &["source", "model"]),
    ("shape", &["wire", "model"]),
    ("pack", &["wire", "model"]),
    ("send", &["wire", "model", "private"]),
    ("journal", &["model", "private", "sealed"]),
    ("state", &["model", "private", "sealed"]),
    ("report", &["model", "private"]),
    ("private.rs", &[]),
    ("sealed.rs", &[]),
    ("progress.rs", &["model"]),
    ("sandbox", &[]),
    ("main.rs", &["cli"]),
];

#[test]
fn rooms_import_what_the_table_allows() {
    for (room, allowed) in ROOMS {
        let own = room.trim_end_matches(".rs");
        for import in imports(&source().join(room)) {
            assert!(
                import == own || allowed.contains(&import.as_str()),
                "src/{room} imports {import}, which is against the flow of data"
            );
        }
    }
    for part in ["run.rs", "run"] {
        let found = imports(&source().join(part));
        for barred in ["cli", "sandbox"] {
            assert!(!found.contains(barred), "src/{part} imports {barred}");
        }
    }
}

#[test]
fn the_document_states_the_same_table() {
    let text = fs::read_to_string(source().join("../ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (room, allowed) in ROOMS {
        let name = if room.ends_with(".rs") { room.to_owned() } else { format!("{room}/") };
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")))
            .unwrap_or_else(|| panic!("no row for {name}"));
        let stated = row.trim_end_matches('|').rsplit('|').next().expect("a last cell");
        let stated: BTreeSet<_> = stated.split('`').skip(1).step_by(2).collect();
        assert_eq!(stated, allowed.iter().copied().collect(), "{row}");
    }
}

#[test]
fn only_the_command_line_knows_clap() {
    for file in files(&source()) {
        let text = fs::read_to_string(&file).expect("source");
        let in_cli = file.starts_with(source().join("cli"));
        assert!(in_cli || !text.contains("use clap"), "{} knows clap", file.display());
    }
}

/// Pacing, pauses and deadlines can be simulated only where nothing goes past the clock.
#[test]
fn the_sender_has_one_clock_one_sleep_and_one_chance() {
    let room = source().join("send");
    for file in files(&room) {
        let text = fs::read_to_string(&file).expect("source");
        let is_clock = file.starts_with(room.join("clock")) || file == room.join("clock.rs");
        for word in ["tokio::time", "SystemTime", "Instant", "thread::sleep"] {
            assert!(is_clock || !text.contains(word), "{} names {word}", file.display());
        }
        // Drawn once, as the seed of all that is left to chance.
        let globals = text.matches("fastrand::").count() - text.matches("fastrand::Rng").count();
        let allowed = usize::from(file == room.join("mod.rs"));
        assert_eq!(globals, allowed, "{} draws without a seed", file.display());
    }
}

/// It decides where a key may go in the clear.
#[test]
fn what_is_this_machine_is_said_once_and_by_the_emulator() {
    let allowed = ["model/host.rs", "sandbox/mod.rs"].map(|file| source().join(file));
    for file in files(&source()) {
        let text = fs::read_to_string(&file).expect("source");
        assert!(
            !text.contains(".is_loopback()") || allowed.contains(&file),
            "{} has an opinion of its own",
            file.display()
        );
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms that the files below a path name as `crate::room`.
fn imports(path: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(path) {
        let text = fs::read_to_string(&file).expect("source");
        assert!(
            !text.contains("crate::{"),
            "{} groups imports of rooms, which hides them",
            file.display()
        );
        let named = text.split("crate::").skip(1).chain(text.split("moebulk::").skip(1));
        for rest in named {
            let end =
                rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            found.insert(rest[..end].to_owned());
        }
    }
    found.remove("");
    found
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("directory") {
        found.extend(files(&entry.expect("entry").path()));
    }
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found
}
