//! `moebulk state`

use std::{
    io::{self, BufRead},
    path::PathBuf,
};

use chrono::DateTime;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::json;

use super::{
    args::{DocumentOutput, ForgetArgs, StateCommand},
    exit::Exit,
    print, resolve,
};
use crate::run::{self, Error};
use crate::state::{State, Verified};

/// Longest id that is read from stdin, in bytes.
const ID_BYTES_MAX: usize = 1 << 20;

/// Looks at a state, checks it, or forgets ids of it.
///
/// # Errors
/// There is none, or it can't be used.
pub fn run(command: StateCommand) -> Result<Exit, Error> {
    match command {
        StateCommand::Stats(args) => {
            let state = State::peek(&dir(args.state)?)?;
            let text = match args.output {
                DocumentOutput::Text => stats(&state)?,
                DocumentOutput::Json => format!("{:#}", document(&state)?),
            };
            print(&text)
        }
        StateCommand::Verify(args) => {
            let state = State::peek(&dir(args.state)?)?;
            let Verified { ids, pending } = state.verify()?;
            let text = match args.output {
                DocumentOutput::Text => format!(
                    "{}: sound; {} ids{}",
                    state.dir().display(),
                    HumanCount(ids),
                    match pending {
                        0 => String::new(),
                        rows => format!(
                            ", and {} rows of an import that is under way or was cut off",
                            HumanCount(rows)
                        ),
                    }
                ),
                DocumentOutput::Json => {
                    format!(
                        "{:#}",
                        json!({"version": 1, "command": "state verify", "ids": ids, "pending": pending})
                    )
                }
            };
            print(&text)
        }
        StateCommand::Forget(ForgetArgs { ids, state }) => {
            let dir = dir(state.state)?;
            let purpose = State::peek(&dir)?.manifest().purpose.clone();
            let ids = all(ids)?;
            let mut open = State::open(&dir, &purpose)?;
            let forgotten = open.forget(ids.iter().map(String::as_str))?;
            let text = match state.output {
                DocumentOutput::Text => format!(
                    "{} of {} ids were known and are forgotten; their rows are sent next time",
                    HumanCount(forgotten),
                    HumanCount(ids.len() as u64)
                ),
                DocumentOutput::Json => format!(
                    "{:#}",
                    json!({"version": 1, "command": "state forget", "named": ids.len(), "forgotten": forgotten})
                ),
            };
            print(&text)
        }
    }
}

/// The ids that were named; `-` stands for the lines of stdin.
fn all(named: Vec<String>) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for id in named {
        if id != "-" {
            ids.push(id);
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Error::Output { path: "stdin".to_owned(), error })?;
            if line.len() > ID_BYTES_MAX {
                return Err(Error::Usage("stdin: a line is no id; write one id a line".to_owned()));
            }
            if !line.is_empty() {
                ids.push(line);
            }
        }
    }
    Ok(ids)
}

/// The directory that is meant.
fn dir(given: Option<PathBuf>) -> Result<PathBuf, Error> {
    if let Some(dir) = given {
        return Ok(dir);
    }
    let base = resolve::states_dir()?;
    let dirs = run::state_dirs(&base)?;
    match dirs.as_slice() {
        [dir] => Ok(dir.clone()),
        [] => Err(Error::Usage(format!(
            "there is no state below {}; an import with --only-changed makes one, and --state names another",
            base.display()
        ))),
        several => Err(Error::Usage(format!(
            "there are {} states; say which with --state: {}",
            several.len(),
            several.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn stats(state: &State) -> Result<String, Error> {
    let manifest = state.manifest();
    let bytes = state.bytes()?;
    let mut lines = vec![
        format!("state       {}", state.dir().display()),
        format!("of          {}", manifest.purpose),
        format!("ids         {}", HumanCount(manifest.ids)),
        format!(
            "on disk     {}{}",
            DecimalBytes(bytes),
            match bytes.checked_div(manifest.ids) {
                None => String::new(),
                Some(each) => format!(", {each} bytes an id"),
            }
        ),
        format!("moved       {}", time(manifest.moved)),
        format!("last full   {}", time(manifest.full)),
    ];
    if let Some(pending) = state.pending() {
        lines.push(format!(
            "under way   {} rows of the import in {}, or it was cut off",
            HumanCount(pending.len()),
            pending.header.dir.display()
        ));
    }
    Ok(lines.join("\n"))
}

fn document(state: &State) -> Result<serde_json::Value, Error> {
    let manifest = state.manifest();
    Ok(json!({
        "version": 1,
        "command": "state stats",
        "state": state.dir().display().to_string(),
        "destination": manifest.purpose.destination,
        "kind": manifest.purpose.kind,
        "ids": manifest.ids,
        "bytes": state.bytes()?,
        "moved": manifest.moved,
        "full": manifest.full,
        "pending": state.pending().map(|pending| json!({
            "rows": pending.len(),
            "run_dir": pending.header.dir.display().to_string(),
        })),
    }))
}

fn time(seconds: Option<u64>) -> String {
    let time = seconds.and_then(|at| DateTime::from_timestamp(i64::try_from(at).ok()?, 0));
    time.map_or_else(|| "never".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}
