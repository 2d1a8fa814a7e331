//! What a reader of a document types, and what is shown to be printed.
//!
//! Blocks labelled `sh`, `console` or not at all hold commands, a line each; a backslash at the end
//! goes on. In a `console` block a command stands behind `$ `, and what follows is what it prints. A
//! block whose first line is `# moebulk.toml` is a part of that file, and one that begins with
//! `#!/bin/sh` and `# NAME` is a script of that name. Blocks of other languages are for reading only.

use std::{fs, path::Path};

use crate::documents;

/// Labels of blocks that hold commands.
const COMMANDS: [&str; 3] = ["sh", "console", ""];

/// How lines begin that somebody would type.
const TYPED: [&str; 6] = ["moebulk ", "cargo ", "curl ", "export ", "python3 ", "$ "];

/// Where settings are put.
const SETTINGS: &str = "# moebulk.toml";

/// A document of the project.
pub struct Document {
    /// Its path from the project's root.
    pub name: String,
    pub steps: Vec<Step>,
    /// Lines that look like commands, where none is run.
    pub strays: Vec<String>,
}

/// One thing that a reader does.
pub struct Step {
    /// Line in the document, from 1.
    pub line: usize,
    pub what: What,
}

pub enum What {
    /// Types a command; what it prints, where that is shown.
    Types { command: String, prints: Option<Vec<String>> },
    /// Puts these settings into moebulk.toml.
    Sets(String),
    /// Writes a script.
    Writes { name: String, text: String },
}

impl Document {
    /// `README.md` and everything below `docs/`, by name.
    pub fn all() -> Vec<Self> {
        // That of the architecture has no commands for a reader.
        let names = documents::all().into_iter().filter(|name| name != "ARCHITECTURE.md");
        names.map(|name| Self::read(&name)).collect()
    }

    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        Self::parse(name, &fs::read_to_string(path).expect(name))
    }

    pub fn parse(name: &str, text: &str) -> Self {
        let mut document = Self { name: name.to_owned(), steps: Vec::new(), strays: Vec::new() };
        let mut block: Option<(&str, Vec<(usize, &str)>)> = None;
        for (at, line) in (1..).zip(text.lines()) {
            match (&mut block, line.trim_start().strip_prefix("```")) {
                (None, Some(label)) => block = Some((label.trim(), Vec::new())),
                (Some((label, lines)), Some(_)) => {
                    document.add(label, lines);
                    block = None;
                }
                (Some((_, lines)), None) => lines.push((at, line)),
                // A block by its indent has no label.
                (None, None) if line.starts_with("    ") => document.note_stray(at, line),
                (None, None) => {}
            }
        }
        assert!(block.is_none(), "{name}: a block is not closed");
        document
    }

    /// The commands.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.what {
            What::Types { command, .. } => Some(command.as_str()),
            What::Sets(_) | What::Writes { .. } => None,
        })
    }

    fn add(&mut self, label: &str, lines: &[(usize, &str)]) {
        let Some(&(line, first)) = lines.first() else { return };
        let text = || lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
        if label == "toml" && first.starts_with(SETTINGS) {
            self.steps.push(Step { line, what: What::Sets(text()) });
        } else if first == "#!/bin/sh" {
            let name = lines.get(1).and_then(|(_, line)| line.strip_prefix("# "));
            let name = name.and_then(|line| line.split([' ', ':']).next());
            let name = name.expect("a script names itself in its second line").to_owned();
            self.steps.push(Step { line, what: What::Writes { name, text: text() } });
        } else if COMMANDS.contains(&label) {
            self.add_commands(label == "console", lines);
        } else {
            lines.iter().for_each(|&(at, line)| self.note_stray(at, line));
        }
    }

    fn add_commands(&mut self, is_console: bool, lines: &[(usize, &str)]) {
        let mut goes_on = false;
        for &(line, text) in lines {
            if goes_on && let Some(command) = self.last_command() {
                goes_on = text.ends_with('\\');
                command.truncate(command.len() - 1);
                command.push_str(text.trim_start());
                continue;
            }
            let command = if is_console { text.strip_prefix("$ ") } else { Some(text) };
            match command {
                Some(command) if !command.is_empty() && !command.starts_with('#') => {
                    goes_on = command.ends_with('\\');
                    let (command, prints) = (command.to_owned(), is_console.then(Vec::new));
                    self.steps.push(Step { line, what: What::Types { command, prints } });
                }
                Some(_) => {}
                None => match self.steps.last_mut().map(|step| &mut step.what) {
                    Some(What::Types { prints: Some(prints), .. }) => prints.push(text.to_owned()),
                    _ => panic!("{}:{line}: printed by no command", self.name),
                },
            }
        }
    }

    fn last_command(&mut self) -> Option<&mut String> {
        match &mut self.steps.last_mut()?.what {
            What::Types { command, .. } => Some(command),
            What::Sets(_) | What::Writes { .. } => None,
        }
    }

    fn note_stray(&mut self, at: usize, line: &str) {
        if TYPED.iter().any(|start| line.trim_start().starts_with(start)) {
            self.strays.push(format!("{}:{at}: {}", self.name, line.trim()));
        }
    }
}

/// Whether a command printed what is shown. `…` stands for any text, and alone in a line for any
/// lines.
pub fn fits(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(found, after)| line_fits(line, found) && fits(rest, after)),
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let mut pieces = shown.trim_end().split('…');
    let Some(mut left) = pieces.next().and_then(|first| printed.trim_end().strip_prefix(first))
    else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return left.is_empty() };
    for piece in between {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}
